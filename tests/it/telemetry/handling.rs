//! The end of a handling: one line and one count.

use super::*;

/// Returns the ERROR lines of handlings that failed.
fn not_handled(log: &Log) -> Vec<Fields> {
    let mut lines = log.lines();
    lines.retain(|line| line.level == Level::ERROR);
    lines.into_iter().map(|line| line.fields).collect()
}

/// Returns the counts of ended handlings. Panics unless each has a time.
fn outcomes(recorder: &DebuggingRecorder) -> Vec<(String, u64)> {
    let counted = counted(&recorder.snapshotter());
    for gauge in ["queued", "queued_bytes", "running"] {
        let name = format!("bitrix24_queue_{gauge}{{}}");
        assert_eq!(counted.get(&name).copied().unwrap_or_default(), 0, "{name}");
    }
    let handled = counted.iter().filter_map(|(name, count)| {
        let label = name.strip_prefix("bitrix24_handled_total")?;
        let times = counted.get(&format!("bitrix24_handling_seconds{label}"));
        assert_eq!(times, Some(count), "{label}");
        let outcome = label.trim_start_matches("{outcome=").trim_end_matches('}');
        Some((outcome.to_owned(), *count))
    });
    handled.collect()
}

fn one(outcome: &str) -> Vec<(String, u64)> {
    vec![(outcome.to_owned(), 1)]
}

#[tokio::test]
async fn failed_handler_of_the_router_has_one_line_with_the_chain_of_its_error() {
    #[derive(Debug)]
    struct Unreachable(std::io::Error);
    impl std::fmt::Display for Unreachable {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("the database is unreachable")
        }
    }
    impl std::error::Error for Unreachable {
        fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
            Some(&self.0)
        }
    }
    let (log, _guard) = Log::start();
    let recorder = DebuggingRecorder::new();
    let _recorder = metrics::set_default_local_recorder(&recorder);
    let router = EventRouter::builder()
        .fallback(async |_: Event| Err::<(), _>(Unreachable(std::io::Error::other("no\nroute"))))
        .build()
        .unwrap();
    let service = layer().layer(router);
    let response = service
        .oneshot(post(Full::<Bytes>::from(SEED)))
        .await
        .unwrap();
    assert_eq!(response.status(), 500);
    let lines = not_handled(&log);
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert_eq!(lines[0]["code"], "ONCRMREQUISITEADD");
    assert_eq!(lines[0]["member_id"], "a223c6b3710f85df22e9377d6c4f7553");
    assert_eq!(lines[0]["outcome"], "failed");
    assert_eq!(
        lines[0]["error"],
        r"the handler of ONCRMREQUISITEADD failed: the database is unreachable: no\nroute"
    );
    assert_eq!(outcomes(&recorder), one("failed"));
}

#[tokio::test]
async fn each_end_of_a_foreground_handling_has_one_line_and_one_count() {
    #[derive(Clone, Copy)]
    enum End {
        Well,
        BadStatus,
        Error,
        Panic,
        Pending,
    }
    for (end, outcome) in [
        (End::Well, "completed"),
        (End::BadStatus, "failed"),
        (End::Error, "failed"),
        (End::Panic, "panicked"),
        (End::Pending, "cancelled"),
    ] {
        let (log, _guard) = Log::start();
        let recorder = DebuggingRecorder::new();
        let _recorder = metrics::set_default_local_recorder(&recorder);
        let service = layer().layer(service_fn(move |_: Request<Full<Bytes>>| async move {
            let mut response = Response::new(Full::<Bytes>::default());
            match end {
                End::Well => {}
                End::BadStatus => *response.status_mut() = http::StatusCode::BAD_GATEWAY,
                End::Error => return Err("down"),
                End::Panic => panic!("a bug"),
                End::Pending => std::future::pending().await,
            }
            Ok(response)
        }));
        let call = service.oneshot(post(Full::<Bytes>::from(SEED)));
        let call =
            std::panic::AssertUnwindSafe(tokio::time::timeout(Duration::from_millis(5), call));
        drop(futures_util::FutureExt::catch_unwind(call).await);
        assert_eq!(outcomes(&recorder), one(outcome));
        let lines = not_handled(&log);
        assert_eq!(
            lines.len(),
            usize::from(outcome != "completed"),
            "{lines:?}"
        );
        for line in lines {
            assert_eq!(line["code"], "ONCRMREQUISITEADD");
            assert_eq!(line["domain"], "some-domain.bitrix24.com");
            assert_eq!(line["outcome"], outcome);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn each_end_in_the_background_has_one_line_and_one_count() {
    for (outcome, status) in [
        ("completed", 200),
        ("failed", 200),
        ("panicked", 200),
        ("timed_out", 200),
        ("aborted", 200),
        ("queue_full", 503),
        ("shutting_down", 503),
    ] {
        let (log, _guard) = Log::start();
        let recorder = DebuggingRecorder::new();
        let _recorder = metrics::set_default_local_recorder(&recorder);
        let background = BackgroundQueue::builder()
            .timeout(Duration::from_secs(5))
            .concurrency(1)
            .capacity(0)
            .build();
        let handler = service_fn(move |_: Request<Full<Bytes>>| async move {
            let mut response = Response::new(Full::<Bytes>::default());
            match outcome {
                "failed" => *response.status_mut() = http::StatusCode::BAD_GATEWAY,
                "panicked" => panic!("a bug"),
                "timed_out" | "aborted" => std::future::pending().await,
                "queue_full" => tokio::time::sleep(Duration::from_secs(1)).await,
                _ => {}
            }
            Ok::<_, Infallible>(response)
        });
        let service = layer().layer(background.layer().layer(handler));
        if outcome == "queue_full" {
            let first = service
                .clone()
                .oneshot(post(Full::<Bytes>::from(SEED)))
                .await;
            assert_eq!(first.unwrap().status(), 200);
        }
        if outcome == "shutting_down" {
            assert!(background.shutdown(Duration::ZERO).await.is_empty());
        }
        let response = service
            .oneshot(post(Full::<Bytes>::from(SEED)))
            .await
            .unwrap();
        assert_eq!(response.status(), status, "{outcome}");
        let timeout = Duration::from_secs(if outcome == "aborted" { 1 } else { 60 });
        assert_eq!(
            background.shutdown(timeout).await.is_empty(),
            outcome != "aborted"
        );

        let mut expected = one(outcome);
        if outcome == "queue_full" {
            expected.insert(0, ("completed".to_owned(), 1));
        }
        assert_eq!(outcomes(&recorder), expected);
        let lines = not_handled(&log);
        assert_eq!(
            lines.len(),
            usize::from(outcome != "completed"),
            "{outcome}: {lines:?}"
        );
        for line in lines {
            assert_eq!(line["code"], "ONCRMREQUISITEADD");
            assert_eq!(line["outcome"], outcome);
        }
    }
}

#[tokio::test]
async fn verified_event_without_memory_to_wait_is_accepted_and_overloaded_never_rejected() {
    let (log, _guard) = Log::start();
    let recorder = DebuggingRecorder::new();
    let _recorder = metrics::set_default_local_recorder(&recorder);
    let busy = tower::ServiceBuilder::new()
        .concurrency_limit(1)
        .service(service_fn(async |_: Request<Full<Bytes>>| {
            Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
        }));
    let mut place = busy.clone();
    let _permit = ServiceExt::<Request<Full<Bytes>>>::ready(&mut place)
        .await
        .unwrap();
    let response = layer()
        .body_budget(100)
        .layer(busy)
        .oneshot(post(Full::<Bytes>::from(SEED)))
        .await
        .unwrap();
    assert_eq!(response.status(), 503);
    let rejection: &Rejection = response.extensions().get().unwrap();
    assert_eq!(rejection.kind(), RejectionKind::BodyBudgetExhausted);
    let counted = counted(&recorder.snapshotter());
    assert_eq!(
        counted["bitrix24_events_total{outcome=accepted,kind=CrmRequisiteAdd}"],
        1
    );
    assert_eq!(counted["bitrix24_handled_total{outcome=overloaded}"], 1);
    assert!(
        !counted
            .keys()
            .any(|name| name.contains("rejected") || name.contains("rejections"))
    );
    let lines = not_handled(&log);
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert_eq!(lines[0]["outcome"], "overloaded");
}

#[tokio::test]
async fn events_and_portals_of_the_verify_entry_are_recorded_as_behind_the_layer() {
    use tower_bitrix24::layer::Verdict;

    let (log, _guard) = Log::start();
    let recorder = DebuggingRecorder::new();
    let _recorder = metrics::set_default_local_recorder(&recorder);
    let verify = async || match layer().verify(post(SEED)).await {
        Verdict::Event(event) => event,
        other => panic!("{other:?}"),
    };
    verify().await.handled().await;
    verify()
        .await
        .failed(&std::io::Error::other("the disk is full"));
    drop(verify().await);
    let lines = not_handled(&log);
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert_eq!(lines[0]["error"], "the disk is full");
    let counts = ["cancelled", "completed", "failed"].map(|outcome| (outcome.to_owned(), 1));
    assert_eq!(outcomes(&recorder), counts);
}
