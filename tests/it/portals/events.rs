//! Events of many portals: whose tokens are accepted, and that none is shown.

use super::*;

#[tokio::test]
async fn event_is_accepted_with_any_token_of_its_portal_and_no_other() {
    let (portals, _) = portals(InstallPolicy::reject());
    portals.set_token("a", &secret("one")).await.unwrap();
    portals.add_webhook("a", &secret("hook")).await.unwrap();
    portals.set_token("b", &secret("two")).await.unwrap();

    for (member_id, token) in [("a", "one"), ("a", "hook"), ("b", "two")] {
        assert_eq!(send(&portals, DEAL, member_id, token).await, Ok(()));
    }
    for (member_id, token) in [
        ("a", "two"),
        ("b", "one"),
        ("b", "hook"),
        ("A", "one"),
        ("a+", "one"),
        ("c", "one"),
        ("", "one"),
        ("a", "One"),
        ("a", "plain:one"),
        ("a", "on%FF"),
    ] {
        let outcome = send(&portals, DEAL, member_id, token).await;
        assert_eq!(outcome, REJECTED, "{member_id} {token}");
    }
    let without_portal = format!("event={DEAL}&auth[application_token]=one");
    assert_eq!(outcome_of(&portals, without_portal).await, REJECTED);
}

#[tokio::test]
async fn unknown_portal_is_rejected_like_a_wrong_token_after_the_same_queries() {
    for policy in [
        InstallPolicy::reject(),
        InstallPolicy::trust_on_first_use(),
        InstallPolicy::complete_pending(),
    ] {
        let (portals, store) = portals(policy);
        portals.set_token("a", &secret("one")).await.unwrap();
        store.take_calls();
        for code in [DEAL, UPDATE, UNINSTALL] {
            assert_eq!(send(&portals, code, "a", "guess").await, REJECTED);
            assert_eq!(store.take_calls(), 1, "{code}");
            assert_eq!(send(&portals, code, "b", "guess").await, REJECTED);
            assert_eq!(store.take_calls(), 1, "{code}");
        }
    }
}

#[tokio::test]
async fn impossible_member_id_or_token_never_reaches_the_store() {
    let (portals, store) = portals(InstallPolicy::trust_on_first_use());
    let long = "a".repeat(129);
    for member_id in ["", "a%00", "a%0Ab", "a%FF", &long] {
        assert_eq!(send(&portals, INSTALL, member_id, "one").await, REJECTED);
    }
    let long = "a".repeat(257);
    for token in ["a%00", "%1B", "a%FF", &long] {
        assert_eq!(send(&portals, INSTALL, "a", token).await, REJECTED);
    }
    assert_eq!(
        kind(portals.set_token("", &secret("one")).await),
        PortalsErrorKind::InvalidMemberId
    );
    for token in ["", "a\n", &long] {
        let recorded = portals.set_token("a", &secret(token)).await;
        assert_eq!(kind(recorded), PortalsErrorKind::InvalidToken);
    }
    assert_eq!(store.take_calls(), 0);
}

#[tokio::test]
async fn debug_and_errors_contain_no_token() {
    let (portals, store) = portals(InstallPolicy::reject());
    let portals = portals.hash_tokens(TokenKey::new(*b"canary-canary-canary-canary-cana").unwrap());
    portals.set_token("a", &secret("canary")).await.unwrap();
    let installation = Installation::new("a", secret("canary")).access_token(secret("canary"));
    let tokens = store.store.tokens("a").await.unwrap();
    let error = portals.install(installation.clone()).await;
    let wrong = portals
        .install(Installation::new("a", secret("canary\n")))
        .await;
    for shown in [
        format!("{portals:?}"),
        format!("{installation:?}"),
        format!("{tokens:?}"),
        format!("{:?}", store.store),
        format!("{error:?}"),
        format!("{wrong:?} {}", wrong.as_ref().unwrap_err()),
    ] {
        assert!(!shown.contains("canary"), "{shown}");
        assert!(!shown.contains("hmac-sha256:"), "{shown}");
    }
}
