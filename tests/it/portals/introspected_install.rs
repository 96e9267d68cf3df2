//! Installations that the authorization server confirms.

use std::convert::Infallible;

use tower_bitrix24::portals::TokenIntrospection;
use tower_bitrix24::rest::AuthorizationServer;

use super::*;

/// An authorization server with the access tokens `of-a` and `of-b` of the application in those
/// portals, and `other-app` of another application.
fn policy(calls: &Arc<AtomicUsize>) -> InstallPolicy {
    let calls = calls.clone();
    let client = service_fn(move |request: Request<String>| {
        calls.fetch_add(1, Ordering::Relaxed);
        let query = request.uri().query().unwrap().to_owned();
        async move {
            let (client_id, member_id) = match &*query {
                "auth=of-a" => ("app", "a"),
                "auth=of-b" => ("app", "b"),
                "auth=other-app" => ("other", "a"),
                "auth=down" => {
                    let down = Response::builder().status(500);
                    return Ok::<_, Infallible>(down.body(String::new()).unwrap());
                }
                _ => return Ok(Response::new(r#"{"error": "expired_token"}"#.to_owned())),
            };
            Ok(Response::new(format!(
                r#"{{"result": {{"client_id": "{client_id}",
                    "install": {{"member_id": "{member_id}"}}}}}}"#
            )))
        }
    });
    let server = AuthorizationServer::default();
    InstallPolicy::introspect(TokenIntrospection::new("app", server, client).unwrap())
}

fn introspecting() -> (Watching, Arc<Watched>, Arc<AtomicUsize>) {
    let calls = Arc::default();
    let (portals, store) = portals(policy(&calls));
    (portals, store, calls)
}

async fn install(
    portals: &Watching,
    (ts, code): (i64, &str),
    member_id: &str,
    token: &str,
    access_token: &str,
) -> Result<(), VerifyErrorKind> {
    let body = body_at(ts, code, member_id, token);
    outcome_of(portals, format!("{body}&auth[access_token]={access_token}")).await
}

#[tokio::test]
async fn introspected_install_is_accepted_and_its_token_stored() {
    let (portals, _, calls) = introspecting();
    for (member_id, token, access_token) in [("a", "one", "of-a"), ("b", "two", "of-b")] {
        let outcome = install(&portals, (100, INSTALL), member_id, token, access_token).await;
        assert_eq!(outcome, Ok(()));
        assert_eq!(send(&portals, DEAL, member_id, token).await, Ok(()));
    }
    assert_eq!(calls.load(Ordering::Relaxed), 2);
    // Installed again, without an access token.
    assert_eq!(send(&portals, INSTALL, "a", "one").await, Ok(()));
    assert_eq!(calls.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn introspected_install_keeps_the_previous_token_for_the_grace_period() {
    for (grace, outcome) in [(MINUTE, Ok(())), (Duration::ZERO, REJECTED)] {
        for code in [INSTALL, UPDATE] {
            let (portals, _, _) = introspecting();
            let portals = portals.grace_period(grace);
            for (ts, token) in [(100, "one"), (200, "two")] {
                let installed = install(&portals, (ts, code), "a", token, "of-a").await;
                assert_eq!(installed, Ok(()));
            }
            assert_eq!(send(&portals, DEAL, "a", "two").await, Ok(()));
            assert_eq!(send(&portals, DEAL, "a", "one").await, outcome);
        }
    }
}

#[tokio::test]
async fn late_introspected_install_does_not_replace_a_newer_token() {
    let (portals, _, _) = introspecting();
    let portals = portals.grace_period(Duration::ZERO);
    for (ts, token) in [(200, "new"), (100, "old")] {
        let outcome = install(&portals, (ts, UPDATE), "a", token, "of-a").await;
        assert_eq!(outcome, Ok(()));
    }
    assert_eq!(send(&portals, DEAL, "a", "new").await, Ok(()));
    assert_eq!(send(&portals, DEAL, "a", "old").await, REJECTED);
}

#[tokio::test]
async fn introspected_install_restores_a_superseded_token() {
    let (portals, _, _) = introspecting();
    let portals = portals.grace_period(MINUTE);
    for (ts, token) in [(100, "real"), (200, "other"), (300, "real")] {
        let installed = install(&portals, (ts, INSTALL), "a", token, "of-a").await;
        assert_eq!(installed, Ok(()));
    }
    // The current token may uninstall; the other may not.
    for (token, outcome) in [("other", REJECTED), ("real", Ok(()))] {
        let uninstall = body_at(400, UNINSTALL, "a", token);
        assert_eq!(outcome_of(&portals, uninstall).await, outcome);
    }
}

#[tokio::test]
async fn introspected_install_from_the_future_does_not_lock_out_later_ones() {
    let (portals, store, _) = introspecting();
    let evil = install(&portals, (i64::MAX, INSTALL), "a", "evil", "of-a").await;
    assert_eq!(evil, Ok(()));
    let issued = store.store.tokens("a").await.unwrap()[0]
        .issued_at()
        .unwrap();
    assert!(issued < i64::MAX);
    let later = install(&portals, (issued + 1, UPDATE), "a", "real", "of-a").await;
    assert_eq!(later, Ok(()));
    let uninstall = body_at(issued + 2, UNINSTALL, "a", "real");
    assert_eq!(outcome_of(&portals, uninstall).await, Ok(()));
}

#[tokio::test]
async fn repeated_introspected_installs_do_not_fill_the_store() {
    let (portals, store, _) = introspecting();
    portals.add_webhook("a", &secret("hook")).await.unwrap();
    for ts in 1..50 {
        let token = format!("token-{ts}");
        let installed = install(&portals, (ts, UPDATE), "a", &token, "of-a").await;
        assert_eq!(installed, Ok(()));
    }
    assert!(store.store.tokens("a").await.unwrap().len() <= 11);
    for token in ["token-49", "hook"] {
        assert_eq!(send(&portals, DEAL, "a", token).await, Ok(()));
    }
}

#[tokio::test]
async fn repeated_introspected_installs_do_not_evict_the_oldest_token() {
    // With the real token used or the others, and with any claimed time.
    for (real_used, evil_used, ts) in [
        (true, false, 200),
        (true, true, 200),
        (false, false, 200),
        (false, true, 200),
        (true, true, 1),
        (false, true, 1),
    ] {
        let (portals, store, _) = introspecting();
        let real = install(&portals, (100, INSTALL), "a", "real", "of-a").await;
        assert_eq!(real, Ok(()));
        if real_used {
            assert_eq!(send(&portals, DEAL, "a", "real").await, Ok(()));
        }
        for evil in 0..30 {
            let token = format!("evil-{evil}");
            let at = if evil == 0 { 200 } else { ts + evil };
            let installed = install(&portals, (at, UPDATE), "a", &token, "of-a").await;
            assert_eq!(installed, Ok(()));
            if evil_used {
                let _ = send(&portals, DEAL, "a", &token).await;
            }
            let tokens = store.store.tokens("a").await.unwrap();
            assert!(tokens.len() <= 9);
            let real = tokens
                .iter()
                .find(|token| token.encoded().expose() == "plain:real");
            assert!(real.is_some(), "{real_used} {evil_used} {ts} {evil}");
        }
        assert_eq!(send(&portals, DEAL, "a", "real").await, Ok(()));
    }
}

#[tokio::test]
async fn introspected_install_evicts_the_youngest_unused_token() {
    let (portals, _, _) = introspecting();
    for ts in 0..8 {
        let token = format!("early-{ts}");
        let installed = install(&portals, (ts, UPDATE), "a", &token, "of-a").await;
        assert_eq!(installed, Ok(()));
    }
    let real = install(&portals, (100, INSTALL), "a", "real", "of-a").await;
    assert_eq!(real, Ok(()));
    assert_eq!(send(&portals, DEAL, "a", "real").await, Ok(()));
    for ts in 200..220 {
        let token = format!("late-{ts}");
        let installed = install(&portals, (ts, UPDATE), "a", &token, "of-a").await;
        assert_eq!(installed, Ok(()));
    }
    assert_eq!(send(&portals, DEAL, "a", "real").await, Ok(()));
    assert_eq!(send(&portals, DEAL, "a", "early-0").await, Ok(()));
    assert_eq!(send(&portals, DEAL, "a", "late-219").await, Ok(()));
    assert_eq!(send(&portals, DEAL, "a", "late-218").await, REJECTED);
}

#[tokio::test]
async fn first_use_of_an_introspected_token_is_stored_once() {
    let (portals, store, _) = introspecting();
    let installed = install(&portals, (100, INSTALL), "a", "one", "of-a").await;
    assert_eq!(installed, Ok(()));
    store.take_calls();
    assert_eq!(send(&portals, DEAL, "a", "one").await, Ok(()));
    assert_eq!(store.take_calls(), 2);
    let token = store.store.tokens("a").await.unwrap().remove(0);
    assert!(token.used_at().is_some() && token.added_at().is_some());
    assert_eq!(send(&portals, DEAL, "a", "one").await, Ok(()));
    assert_eq!(store.take_calls(), 1);
    // A new installation of it does not count as one of another token.
    let again = install(&portals, (200, INSTALL), "a", "one", "of-a").await;
    assert_eq!(again, Ok(()));
    let tokens = store.store.tokens("a").await.unwrap();
    assert_eq!(tokens, [token.with_issued_at(200)]);
}

#[tokio::test]
async fn forged_install_is_rejected_for_known_and_unknown_portals() {
    let (portals, _, calls) = introspecting();
    portals.set_token("a", &secret("one")).await.unwrap();
    for (member_id, access_token) in [
        ("a", "of-b"),
        ("a", "other-app"),
        ("a", "guess"),
        ("c", "of-a"),
        ("c", "guess"),
    ] {
        for code in [INSTALL, UPDATE] {
            let forged = install(&portals, (200, code), member_id, "forged", access_token);
            assert_eq!(forged.await, REJECTED, "{member_id} {access_token}");
        }
        assert_eq!(send(&portals, DEAL, member_id, "forged").await, REJECTED);
    }
    assert_eq!(send(&portals, DEAL, "a", "one").await, Ok(()));

    calls.store(0, Ordering::Relaxed);
    assert_eq!(send(&portals, INSTALL, "a", "forged").await, REJECTED);
    assert_eq!(
        calls.load(Ordering::Relaxed),
        0,
        "there is nothing to ask with"
    );
}

#[tokio::test]
async fn install_is_unavailable_and_changes_nothing_while_the_authorization_server_is_down() {
    let (portals, store, _) = introspecting();
    portals.set_token("a", &secret("one")).await.unwrap();
    for member_id in ["a", "b"] {
        let outcome = install(&portals, (200, INSTALL), member_id, "new", "down").await;
        assert_eq!(outcome, UNAVAILABLE);
        assert_eq!(send(&portals, DEAL, member_id, "new").await, REJECTED);
    }
    assert_eq!(store.store.tokens("a").await.unwrap().len(), 1);
    assert_eq!(send(&portals, DEAL, "a", "one").await, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn introspected_install_may_reach_two_instances_at_once() {
    let store = Watched::new();
    let instance = || PortalVerifier::new(store.clone()).install_policy(policy(&Arc::default()));
    let (one, other) = (instance(), instance());
    store.is(Health::Slow(Duration::from_millis(10))).await;
    let outcomes = tokio::join!(
        install(&one, (100, INSTALL), "a", "one", "of-a"),
        install(&other, (100, INSTALL), "a", "one", "of-a"),
    );
    assert_eq!(outcomes, (Ok(()), Ok(())));
    for portals in [one, other] {
        assert_eq!(send(&portals, DEAL, "a", "one").await, Ok(()));
    }
}

#[tokio::test]
async fn introspected_install_page_is_accepted() {
    let (portals, _, _) = introspecting();
    let page = |access_token: &str| {
        Installation::new("a", secret("one")).access_token(secret(access_token))
    };
    let rejected = portals.install(page("of-b")).await;
    assert_eq!(kind(rejected), PortalsErrorKind::Rejected);
    let unavailable = portals.install(page("down")).await;
    assert_eq!(kind(unavailable), PortalsErrorKind::Unavailable);
    let without = portals.install(Installation::new("a", secret("one"))).await;
    assert_eq!(kind(without), PortalsErrorKind::Rejected);
    assert_eq!(send(&portals, DEAL, "a", "one").await, REJECTED);
    portals.install(page("of-a")).await.unwrap();
    assert_eq!(send(&portals, DEAL, "a", "one").await, Ok(()));
}

#[tokio::test]
async fn known_token_is_accepted_if_the_authorization_server_is_down() {
    let (portals, _, _) = introspecting();
    for (ts, token) in [(100, "old"), (200, "new")] {
        let installed = install(&portals, (ts, INSTALL), "a", token, "of-a").await;
        assert_eq!(installed, Ok(()));
    }
    for code in [INSTALL, UPDATE] {
        let known = install(&portals, (300, code), "a", "old", "down").await;
        assert_eq!(known, Ok(()));
        let unknown = install(&portals, (300, code), "a", "guess", "down").await;
        assert_eq!(unknown, UNAVAILABLE);
    }
    // It does not become current.
    let uninstall = body_at(400, UNINSTALL, "a", "old");
    assert_eq!(outcome_of(&portals, uninstall).await, REJECTED);
}
