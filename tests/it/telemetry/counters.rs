//! The counters and histograms, and the metrics of portals.

use super::*;

#[tokio::test(start_paused = true)]
async fn events_and_rejections_are_counted_and_timed() {
    let recorder = DebuggingRecorder::new();
    let _recorder = metrics::set_default_local_recorder(&recorder);
    for body in [SEED, SEED, &SEED.replace("ONCRMREQUISITEADD", "ONOWN")] {
        send_observed(layer(), post(boxed_full(body.to_owned()))).await;
    }
    let small = || layer().body_limit(1000);
    for (_, _, request) in rejections() {
        send_observed(small().body_timeout(Duration::from_secs(1)), request).await;
    }
    send_observed(EventLayer::new(unavailable), post(boxed_full(SEED))).await;
    send_observed(layer().pass_other_callbacks(), post(boxed_full("DOMAIN=x"))).await;
    send_observed(layer().path("/elsewhere"), post(boxed_full(SEED))).await;

    let mut expected = BTreeMap::from(
        [
            (
                "bitrix24_events_total{outcome=accepted,kind=CrmRequisiteAdd}",
                2,
            ),
            (
                "bitrix24_events_total{outcome=accepted,kind=undocumented}",
                1,
            ),
            ("bitrix24_events_total{outcome=rejected,kind=none}", 11),
            ("bitrix24_events_total{outcome=passed,kind=none}", 1),
            ("bitrix24_verification_seconds{outcome=accepted}", 3),
            ("bitrix24_handled_total{outcome=completed}", 3),
            ("bitrix24_handling_seconds{outcome=completed}", 3),
            // No event, malformed, token missing and rejected, store down.
            ("bitrix24_verification_seconds{outcome=rejected}", 5),
        ]
        .map(|(name, count)| (name.to_owned(), count)),
    );
    let kinds = rejections().into_iter().map(|(kind, ..)| kind);
    for kind in kinds.chain([RejectionKind::Unavailable]) {
        let name = format!("bitrix24_rejections_total{{reason={}}}", kind.as_str());
        expected.insert(name, 1);
    }
    assert_eq!(counted(&recorder.snapshotter()), expected);
}

#[tokio::test]
async fn metrics_have_descriptions() {
    let recorder = DebuggingRecorder::new();
    let _recorder = metrics::set_default_local_recorder(&recorder);
    tower_bitrix24::telemetry::describe_metrics();
    send_observed(layer(), post(boxed_full(forged()))).await;
    let metrics = recorder.snapshotter().snapshot().into_vec();
    assert_eq!(metrics.len(), 3);
    for (key, unit, description, _) in metrics {
        let seconds = key.key().name().ends_with("_seconds");
        let expected = if seconds { Unit::Seconds } else { Unit::Count };
        assert_eq!(unit, Some(expected));
        assert!(description.is_some());
    }
}

/// A store in memory that removes nothing.
struct Unforgetting(MemoryStore);

impl TokenStore for Unforgetting {
    type Error = &'static str;

    async fn tokens(&self, member_id: &str) -> Result<Vec<PortalToken>, Self::Error> {
        Ok(self.0.tokens(member_id).await.unwrap())
    }

    async fn compare_exchange(
        &self,
        member_id: &str,
        expected: &[PortalToken],
        tokens: &[PortalToken],
    ) -> Result<bool, Self::Error> {
        if tokens.is_empty() {
            return Err("the disk\nis full");
        }
        let exchanged = self.0.compare_exchange(member_id, expected, tokens).await;
        Ok(exchanged.unwrap())
    }
}

/// A store in memory that can fail.
#[derive(Default)]
struct Failing {
    store: MemoryStore,
    is_down: AtomicBool,
}

impl TokenStore for Failing {
    type Error = &'static str;

    async fn tokens(&self, member_id: &str) -> Result<Vec<PortalToken>, Self::Error> {
        if self.is_down.load(Ordering::Relaxed) {
            return Err("the disk\nis full");
        }
        Ok(self.store.tokens(member_id).await.unwrap())
    }

    async fn compare_exchange(
        &self,
        member_id: &str,
        expected: &[PortalToken],
        tokens: &[PortalToken],
    ) -> Result<bool, Self::Error> {
        let exchanged = self.store.compare_exchange(member_id, expected, tokens);
        Ok(exchanged.await.unwrap())
    }
}

#[tokio::test]
async fn event_accepted_from_a_stale_cache_is_logged_and_counted() {
    let (log, _guard) = Log::start();
    let recorder = DebuggingRecorder::new();
    let _recorder = metrics::set_default_local_recorder(&recorder);
    let store = Arc::new(Failing::default());
    let cache = TokenCache::new().ttl(Duration::ZERO);
    let portals = PortalVerifier::new(store.clone()).cache(cache);
    let portal = "a223c6b3710f85df22e9377d6c4f7553";
    portals
        .set_token(portal, &Secret::new(TOKEN))
        .await
        .unwrap();
    for is_down in [false, true] {
        let down = &store.is_down;
        down.store(is_down, Ordering::Relaxed);
        let response =
            send_observed(EventLayer::new(portals.clone()), post(boxed_full(SEED))).await;
        assert!(response.status().is_success());
    }

    let lines = log.lines();
    let mut warnings = lines.iter().filter(|line| line.level == Level::WARN);
    let line = warnings.next().unwrap();
    assert!(line.fields["message"].starts_with("the token store failed"));
    assert_eq!(line.fields["member_id"], portal);
    assert_eq!(line.fields["error"], "the disk\\nis full");
    assert!(warnings.next().is_none());
    assert!(!log.written().contains(TOKEN));
    let counted = counted(&recorder.snapshotter());
    assert_eq!(counted["bitrix24_portals_accepted_stale_total{}"], 1);
}

#[tokio::test]
async fn failed_removal_of_a_portal_is_logged_and_counted() {
    let (log, _guard) = Log::start();
    let recorder = DebuggingRecorder::new();
    let _recorder = metrics::set_default_local_recorder(&recorder);
    let portals = PortalVerifier::new(Unforgetting(MemoryStore::new()));
    let token = Secret::new(TOKEN);
    portals
        .set_token("a223c6b3710f85df22e9377d6c4f7553", &token)
        .await
        .unwrap();
    // After the token was stored.
    let uninstall = SEED
        .replace("ONCRMREQUISITEADD", "ONAPPUNINSTALL")
        .replace("ts=1466439714", "ts=4102444800");
    let response = send_observed(EventLayer::new(portals), post(boxed_full(uninstall))).await;
    assert!(response.status().is_success());

    let lines = log.lines();
    let line = lines
        .iter()
        .find(|line| line.level == Level::ERROR)
        .unwrap();
    assert_eq!(line.fields["message"], "the portal is not forgotten");
    assert_eq!(line.fields["member_id"], "a223c6b3710f85df22e9377d6c4f7553");
    assert_eq!(line.fields["error"], "the disk\\nis full");
    assert_eq!(line.spans, ["bitrix24.event"]);
    assert!(!log.written().contains(TOKEN));
    let counted = counted(&recorder.snapshotter());
    assert_eq!(counted["bitrix24_portals_not_forgotten_total{}"], 1);
}

#[test]
fn metrics_are_described_with_their_units() {
    let recorder = DebuggingRecorder::new();
    metrics::with_local_recorder(&recorder, || {
        tower_bitrix24::telemetry::describe_metrics();
        // The recorder shows no description of a metric that has no value.
        metrics::histogram!("bitrix24_verification_seconds").record(0.1);
    });
    let snapshot = recorder.snapshotter().snapshot().into_vec();
    let (_, unit, description, _) = &snapshot[0];
    assert_eq!(*unit, Some(metrics::Unit::Seconds));
    let expected = "time from the end of a request's body to the verdict";
    assert_eq!(description.as_deref(), Some(expected));
}
