//! Verifiers with a cache in front of the store.

use tower_bitrix24::portals::TokenCache;

use super::*;

fn cached(policy: InstallPolicy) -> (Watching, Arc<Watched>) {
    let (portals, store) = portals(policy);
    (portals.cache(TokenCache::new()), store)
}

#[tokio::test(start_paused = true)]
async fn cache_makes_one_query_for_a_thousand_events_at_once() {
    let (portals, store) = cached(InstallPolicy::reject());
    portals.set_token("a", &secret("one")).await.unwrap();
    // The first use is recorded.
    assert_eq!(send(&portals, DEAL, "a", "one").await, Ok(()));
    tokio::time::advance(MINUTE).await;
    store.is(Health::Slow(Duration::from_millis(20))).await;
    store.take_calls();
    let sent = (0..1_000).map(|_| send(&portals, DEAL, "a", "one"));
    assert!(join_all(sent).await.iter().all(Result::is_ok));
    assert_eq!(store.take_calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn cache_queries_wrong_tokens_and_unknown_portals_at_most_once_a_second() {
    let (portals, store) = cached(InstallPolicy::trust_on_first_use());
    portals.set_token("a", &secret("one")).await.unwrap();
    store.take_calls();
    for _ in 0..100 {
        assert_eq!(send(&portals, DEAL, "a", "guess").await, REJECTED);
        assert_eq!(send(&portals, DEAL, "b", "guess").await, REJECTED);
    }
    assert_eq!(store.take_calls(), 2);
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(send(&portals, DEAL, "a", "guess").await, REJECTED);
    assert_eq!(store.take_calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn cache_entry_expires_after_its_ttl() {
    let (portals, store) = cached(InstallPolicy::reject());
    portals.set_token("a", &secret("one")).await.unwrap();
    assert_eq!(send(&portals, DEAL, "a", "one").await, Ok(()));
    // Another process removes the portal.
    store.remove("a").await;
    tokio::time::advance(Duration::from_secs(59)).await;
    assert_eq!(send(&portals, DEAL, "a", "one").await, Ok(()));
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(send(&portals, DEAL, "a", "one").await, REJECTED);
}

#[tokio::test(start_paused = true)]
async fn cache_sees_another_processs_token_within_a_second() {
    let (portals, store) = cached(InstallPolicy::reject());
    portals.set_token("a", &secret("one")).await.unwrap();
    assert_eq!(send(&portals, DEAL, "a", "two").await, REJECTED);
    let other = PortalVerifier::new(store.clone());
    other.set_token("a", &secret("two")).await.unwrap();
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(send(&portals, DEAL, "a", "two").await, Ok(()));
}

#[tokio::test]
async fn cache_entry_is_invalidated_by_changes_to_the_portal() {
    let (portals, _) = cached(InstallPolicy::trust_on_first_use());
    assert_eq!(send(&portals, DEAL, "a", "one").await, REJECTED);
    assert_eq!(send(&portals, INSTALL, "a", "one").await, Ok(()));
    assert_eq!(send(&portals, DEAL, "a", "one").await, Ok(()));
    assert_eq!(send(&portals, UNINSTALL, "a", "one").await, Ok(()));
    assert_eq!(send(&portals, DEAL, "a", "one").await, REJECTED);
    portals.add_webhook("a", &secret("hook")).await.unwrap();
    assert_eq!(send(&portals, DEAL, "a", "hook").await, Ok(()));
    portals.remove_token("a", &secret("hook")).await.unwrap();
    assert_eq!(send(&portals, DEAL, "a", "hook").await, REJECTED);
    portals.set_token("a", &secret("two")).await.unwrap();
    assert_eq!(send(&portals, DEAL, "a", "two").await, Ok(()));
    portals.remove_portal("a").await.unwrap();
    assert_eq!(send(&portals, DEAL, "a", "two").await, REJECTED);
}

#[tokio::test(start_paused = true)]
async fn cache_entry_loaded_during_a_change_is_not_used() {
    let (portals, store) = cached(InstallPolicy::reject());
    store.is(Health::Slow(Duration::from_millis(20))).await;
    let early = send(&portals, DEAL, "a", "one");
    let recorded = async {
        // While the query of the event runs.
        tokio::time::sleep(Duration::from_millis(10)).await;
        store.is(Health::Well).await;
        portals.set_token("a", &secret("one")).await.unwrap();
    };
    let (early, ()) = tokio::join!(early, recorded);
    // It sees the change, since the rejection is checked again.
    assert_eq!(early, Ok(()));
    assert_eq!(send(&portals, DEAL, "a", "one").await, Ok(()));
}

#[tokio::test]
async fn cache_does_not_decide_installs_or_uninstalls() {
    let (one, store) = cached(InstallPolicy::trust_on_first_use());
    let other = PortalVerifier::new(store.clone());
    one.set_token("a", &secret("one")).await.unwrap();
    assert_eq!(send(&one, DEAL, "a", "one").await, Ok(()));
    // Another process handles the uninstallation, and this one the installation after it.
    assert_eq!(send(&other, UNINSTALL, "a", "one").await, Ok(()));
    assert_eq!(send(&one, INSTALL, "a", "one").await, Ok(()));
    assert_eq!(send(&other, DEAL, "a", "one").await, Ok(()));

    assert_eq!(send(&one, DEAL, "a", "one").await, Ok(()));
    other.remove_portal("a").await.unwrap();
    assert_eq!(send(&one, UNINSTALL, "a", "one").await, REJECTED);
}

#[tokio::test(start_paused = true)]
async fn cache_lookup_waits_no_longer_than_one_query() {
    let (portals, store) = cached(InstallPolicy::reject());
    portals.set_token("a", &secret("one")).await.unwrap();
    store.take_calls();
    for (health, seconds, outcome) in [
        (Health::Silent, 2, UNAVAILABLE),
        (Health::Slow(Duration::from_millis(1_500)), 2, REJECTED),
    ] {
        store.is(health).await;
        let began = tokio::time::Instant::now();
        let sent = (0..100).map(|_| send(&portals, DEAL, "a", "guess"));
        assert!(join_all(sent).await.iter().all(|sent| *sent == outcome));
        assert!(began.elapsed() <= Duration::from_secs(seconds));
        assert_eq!(store.take_calls(), 1);
    }
    assert_eq!(send(&portals, DEAL, "a", "one").await, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn cache_query_survives_the_caller_that_started_it() {
    let (portals, store) = cached(InstallPolicy::reject());
    portals.set_token("a", &secret("one")).await.unwrap();
    store.is(Health::Slow(Duration::from_millis(50))).await;
    let given_up =
        tokio::time::timeout(Duration::from_millis(10), send(&portals, DEAL, "a", "one"));
    let (given_up, sent) = tokio::join!(given_up, send(&portals, DEAL, "a", "one"));
    assert!(given_up.is_err());
    assert_eq!(sent, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn cache_entry_outlives_changes_to_other_portals() {
    let (portals, store) = cached(InstallPolicy::trust_on_first_use());
    portals.set_token("a", &secret("one")).await.unwrap();
    assert_eq!(send(&portals, DEAL, "a", "one").await, Ok(()));
    for member_id in ["b", "c", "d"] {
        assert_eq!(send(&portals, INSTALL, member_id, "x").await, Ok(()));
    }
    store.take_calls();
    assert_eq!(send(&portals, DEAL, "a", "one").await, Ok(()));
    assert_eq!(store.take_calls(), 0);
}

#[tokio::test(start_paused = true)]
async fn cache_entry_is_invalidated_by_a_cancelled_change() {
    let (portals, store) = cached(InstallPolicy::reject());
    portals.set_token("a", &secret("one")).await.unwrap();
    assert_eq!(send(&portals, DEAL, "a", "one").await, Ok(()));
    // The change reaches the database, but the caller is cancelled.
    store.remove("a").await;
    store.is(Health::Silent).await;
    let token = secret("one");
    let change = portals.remove_token("a", &token);
    let given_up = tokio::time::timeout(Duration::from_millis(10), change).await;
    assert!(given_up.is_err());
    store.is(Health::Well).await;
    assert_eq!(send(&portals, DEAL, "a", "one").await, REJECTED);
}

#[tokio::test]
async fn cache_accepts_an_unlimited_ttl() {
    let (portals, _) = portals(InstallPolicy::reject());
    let portals = portals.cache(TokenCache::new().ttl(Duration::MAX));
    portals.set_token("a", &secret("one")).await.unwrap();
    assert_eq!(send(&portals, DEAL, "a", "one").await, Ok(()));
}

#[tokio::test]
async fn cache_entry_is_kept_after_rejected_installs() {
    let (portals, store) = cached(InstallPolicy::trust_on_first_use());
    portals.set_token("a", &secret("one")).await.unwrap();
    assert_eq!(send(&portals, DEAL, "a", "one").await, Ok(()));
    for code in [INSTALL, UPDATE, UNINSTALL] {
        assert_eq!(send(&portals, code, "a", "forged").await, REJECTED);
    }
    store.take_calls();
    assert_eq!(send(&portals, DEAL, "a", "one").await, Ok(()));
    assert_eq!(store.take_calls(), 0);
}

#[tokio::test]
async fn cache_returns_the_stores_error_to_every_waiting_caller() {
    let (portals, store) = cached(InstallPolicy::reject());
    store.is(Health::Down).await;
    let verify = || async {
        let envelope = Envelope::scan(body(DEAL, "a", "one")).unwrap();
        let error = Event::verify(envelope, &portals).await.unwrap_err();
        std::error::Error::source(&error).unwrap().to_string()
    };
    for error in join_all((0..3).map(|_| verify())).await {
        assert_eq!(error, "the database is down");
    }
}

#[tokio::test]
async fn cache_stores_no_errors() {
    let (portals, store) = cached(InstallPolicy::reject());
    let other = PortalVerifier::new(store.clone());
    other.set_token("a", &secret("one")).await.unwrap();
    store.is(Health::Down).await;
    assert_eq!(send(&portals, DEAL, "a", "one").await, UNAVAILABLE);
    store.is(Health::Well).await;
    assert_eq!(send(&portals, DEAL, "a", "one").await, Ok(()));
    store.is(Health::Down).await;
    assert_eq!(send(&portals, DEAL, "a", "one").await, Ok(()));
    assert_eq!(send(&portals, DEAL, "b", "one").await, UNAVAILABLE);
}

#[tokio::test(start_paused = true)]
async fn stale_cache_entry_accepts_known_tokens_while_the_store_is_down() {
    for (stale, hour, outcome) in [
        (None, 3_600, Ok(())),
        (Some(Duration::from_secs(10)), 10, Ok(())),
        (Some(Duration::ZERO), 0, UNAVAILABLE),
    ] {
        let (portals, store) = portals(InstallPolicy::trust_on_first_use());
        let mut cache = TokenCache::new();
        if let Some(stale) = stale {
            cache = cache.stale_if_error(stale);
        }
        let portals = portals.cache(cache);
        portals.set_token("a", &secret("one")).await.unwrap();
        assert_eq!(send(&portals, DEAL, "a", "one").await, Ok(()));
        for health in [Health::Down, Health::Silent] {
            store.is(health).await;
            tokio::time::advance(Duration::from_secs(60)).await;
            if hour > 120 || health == Health::Down {
                let sent = send(&portals, DEAL, "a", "one").await;
                let late = hour > 0 && hour < 60 && health == Health::Silent;
                assert_eq!(sent, if late { UNAVAILABLE } else { outcome }, "{stale:?}");
            }
            // It rejects no token and decides about no installation.
            for (code, token) in [(DEAL, "guess"), (INSTALL, "one"), (UNINSTALL, "one")] {
                assert_eq!(send(&portals, code, "a", token).await, UNAVAILABLE);
            }
            assert_eq!(send(&portals, DEAL, "b", "one").await, UNAVAILABLE);
        }
        tokio::time::advance(Duration::from_secs(hour)).await;
        assert_eq!(send(&portals, DEAL, "a", "one").await, UNAVAILABLE);
        store.is(Health::Well).await;
        assert_eq!(send(&portals, DEAL, "a", "one").await, Ok(()));
        assert_eq!(send(&portals, DEAL, "a", "guess").await, REJECTED);
    }
}

#[tokio::test(start_paused = true)]
async fn stale_cache_entry_has_no_removed_or_expired_token() {
    let (portals, store) = cached(InstallPolicy::reject());
    for member_id in ["removed", "forgotten", "gone", "failed"] {
        portals.set_token(member_id, &secret("one")).await.unwrap();
        assert_eq!(send(&portals, DEAL, member_id, "one").await, Ok(()));
    }
    let token = secret("one");
    assert!(portals.remove_token("removed", &token).await.unwrap());
    portals.remove_portal("forgotten").await.unwrap();
    assert_eq!(send(&portals, UNINSTALL, "gone", "one").await, Ok(()));
    let gone = Envelope::scan(body(UNINSTALL, "failed", "one")).unwrap();
    let gone = Event::verify(gone, &portals).await.unwrap();
    let ended = PortalToken::new(TokenKind::Application, secret("plain:one"));
    let added = store
        .store
        .compare_exchange("ended", &[], &[ended.with_expires_at(now() + 2)])
        .await;
    assert!(added.unwrap());
    assert_eq!(send(&portals, DEAL, "ended", "one").await, Ok(()));

    store.is(Health::Down).await;
    // The store missed the removal, but this process did not.
    gone.mark_handled(&portals).await;
    // The cache uses the clock of the system, which is not paused.
    std::thread::sleep(Duration::from_millis(2_100));
    for member_id in ["removed", "forgotten", "gone", "failed"] {
        assert_eq!(
            send(&portals, DEAL, member_id, "one").await,
            UNAVAILABLE,
            "{member_id}"
        );
    }
    assert_ne!(send(&portals, DEAL, "ended", "one").await, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn stale_cache_entry_outlives_additions_that_failed_or_were_cancelled() {
    for health in [Health::Down, Health::Silent] {
        let (portals, store) = cached(InstallPolicy::reject());
        let portals = portals.grace_period(Duration::ZERO);
        portals.set_token("a", &secret("one")).await.unwrap();
        assert_eq!(send(&portals, DEAL, "a", "one").await, Ok(()));
        store.is(health).await;
        let two = secret("two");
        for failed in [
            portals.set_token("a", &two).await,
            portals.add_webhook("a", &two).await,
            portals.expect_install("a", MINUTE).await,
        ] {
            assert_eq!(kind(failed), PortalsErrorKind::Unavailable);
        }
        if health == Health::Silent {
            let change = portals.set_token("a", &two);
            let cancelled = tokio::time::timeout(Duration::from_millis(10), change).await;
            assert!(cancelled.is_err());
        }
        assert_eq!(send(&portals, DEAL, "a", "one").await, Ok(()), "stale");
        // It rejects no token.
        assert_eq!(send(&portals, DEAL, "a", "two").await, UNAVAILABLE);
        store.is(Health::Well).await;
        assert_eq!(send(&portals, DEAL, "a", "one").await, Ok(()));
        assert_eq!(send(&portals, DEAL, "a", "two").await, REJECTED);
    }
}

#[tokio::test(start_paused = true)]
async fn stale_cache_entry_loses_only_the_token_whose_removal_failed_or_was_cancelled() {
    for health in [Health::Down, Health::Silent] {
        let (portals, store) = cached(InstallPolicy::reject());
        portals.set_token("a", &secret("one")).await.unwrap();
        let hook = secret("hook");
        portals.add_webhook("a", &hook).await.unwrap();
        for token in ["one", "hook"] {
            assert_eq!(send(&portals, DEAL, "a", token).await, Ok(()));
        }
        store.is(health).await;
        let removal = portals.remove_token("a", &hook);
        match tokio::time::timeout(Duration::from_millis(10), removal).await {
            Ok(failed) => assert_eq!(kind(failed), PortalsErrorKind::Unavailable),
            Err(_) => assert!(health == Health::Silent),
        }
        assert_eq!(send(&portals, DEAL, "a", "hook").await, UNAVAILABLE);
        assert_eq!(send(&portals, DEAL, "a", "one").await, Ok(()), "stale");
        let removed = portals.remove_portal("a").await;
        assert_eq!(kind(removed), PortalsErrorKind::Unavailable);
        assert_eq!(send(&portals, DEAL, "a", "one").await, UNAVAILABLE);
        // The recording failed, so it is repeated.
        store.is(Health::Well).await;
        assert_eq!(send(&portals, DEAL, "a", "hook").await, Ok(()));
        assert!(portals.remove_portal("a").await.unwrap());
        assert_eq!(send(&portals, DEAL, "a", "hook").await, REJECTED);
    }
}

#[tokio::test(start_paused = true)]
async fn stale_cache_entry_has_what_was_changed_just_before_the_outage() {
    for (grace, old) in [(MINUTE, Ok(())), (Duration::ZERO, UNAVAILABLE)] {
        let (portals, store) = cached(InstallPolicy::trust_on_first_use());
        let portals = portals.grace_period(grace);
        assert_eq!(send(&portals, INSTALL, "a", "one").await, Ok(()));
        assert_eq!(send(&portals, INSTALL, "b", "one").await, Ok(()));
        portals.set_token("a", &secret("two")).await.unwrap();
        store.is(Health::Down).await;
        assert_eq!(send(&portals, DEAL, "a", "two").await, Ok(()));
        assert_eq!(send(&portals, DEAL, "a", "one").await, old);
        assert_eq!(send(&portals, DEAL, "b", "one").await, Ok(()));
        assert_eq!(send(&portals, DEAL, "c", "one").await, UNAVAILABLE);
    }
}

#[tokio::test(start_paused = true)]
async fn cache_keeps_a_token_whose_first_use_could_not_be_stored() {
    let (portals, store) = cached(InstallPolicy::reject());
    portals.set_token("a", &secret("one")).await.unwrap();
    // A token that no event has had, cached for a rejection.
    assert_eq!(send(&portals, DEAL, "a", "guess").await, REJECTED);
    store.is(Health::Down).await;
    for _ in 0..3 {
        tokio::time::advance(MINUTE).await;
        assert_eq!(send(&portals, DEAL, "a", "one").await, Ok(()));
    }
    store.is(Health::Well).await;
    assert_eq!(send(&portals, DEAL, "a", "one").await, Ok(()));
    assert!(
        store.store.tokens("a").await.unwrap()[0]
            .used_at()
            .is_some()
    );
}

#[tokio::test]
async fn cache_beyond_its_capacity_evicts_and_queries_again() {
    let (portals, store) = portals(InstallPolicy::reject());
    let portals = portals.cache(TokenCache::new().capacity(2));
    for member_id in 0..100 {
        portals
            .set_token(&member_id.to_string(), &secret("one"))
            .await
            .unwrap();
    }
    for _ in 0..2 {
        for member_id in 0..100 {
            let sent = send(&portals, DEAL, &member_id.to_string(), "one").await;
            assert_eq!(sent, Ok(()));
        }
    }
    assert!(store.take_calls() > 200);
}
