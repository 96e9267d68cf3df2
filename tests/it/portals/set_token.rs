//! Tokens that the application sets, adds and removes.

use super::*;

#[tokio::test]
async fn set_token_keeps_the_previous_token_for_the_grace_period() {
    for (grace, outcome) in [(MINUTE, Ok(())), (Duration::ZERO, REJECTED)] {
        let (portals, _) = portals(InstallPolicy::reject());
        let portals = portals.grace_period(grace);
        portals.set_token("a", &secret("one")).await.unwrap();
        portals.set_token("a", &secret("two")).await.unwrap();
        assert_eq!(send(&portals, DEAL, "a", "two").await, Ok(()));
        assert_eq!(send(&portals, DEAL, "a", "one").await, outcome);
        // And restored.
        portals.set_token("a", &secret("one")).await.unwrap();
        assert_eq!(send(&portals, DEAL, "a", "one").await, Ok(()));
    }
}

#[tokio::test]
async fn uninstall_from_long_before_set_token_is_rejected() {
    let (portals, store) = portals(InstallPolicy::trust_on_first_use());
    portals.set_token("a", &secret("one")).await.unwrap();
    let page = Installation::new("b", secret("one"));
    portals.install(page).await.unwrap();
    for member_id in ["a", "b"] {
        let before = body_at(now() - 120, UNINSTALL, member_id, "one");
        assert_eq!(outcome_of(&portals, before).await, REJECTED);
        assert_eq!(send(&portals, UNINSTALL, member_id, "one").await, Ok(()));
    }
    // It becomes current, even if the clock of an earlier token was ahead.
    let ahead = PortalToken::new(TokenKind::Application, secret("plain:ahead"));
    let ahead = ahead.with_issued_at(now() + 3_600);
    let added = store.store.compare_exchange("a", &[], &[ahead]).await;
    assert!(added.unwrap());
    portals.set_token("a", &secret("two")).await.unwrap();
    let uninstall = body_at(now() + 3_600, UNINSTALL, "a", "two");
    assert_eq!(outcome_of(&portals, uninstall).await, Ok(()));
}

#[tokio::test]
async fn add_webhook_with_the_application_token_keeps_it_the_applications() {
    let (portals, _) = portals(InstallPolicy::reject());
    portals.set_token("a", &secret("one")).await.unwrap();
    portals.add_webhook("a", &secret("one")).await.unwrap();
    assert_eq!(send(&portals, UNINSTALL, "a", "one").await, Ok(()));
}

#[tokio::test]
async fn tokens_are_removed_one_by_one_or_with_the_portal() {
    let (portals, _) = portals(InstallPolicy::reject());
    portals.set_token("a", &secret("one")).await.unwrap();
    portals.add_webhook("a", &secret("hook")).await.unwrap();
    assert!(portals.remove_token("a", &secret("hook")).await.unwrap());
    assert!(!portals.remove_token("a", &secret("hook")).await.unwrap());
    assert_eq!(send(&portals, DEAL, "a", "hook").await, REJECTED);
    assert_eq!(send(&portals, DEAL, "a", "one").await, Ok(()));
    assert!(portals.remove_portal("a").await.unwrap());
    assert!(!portals.remove_portal("a").await.unwrap());
    assert_eq!(send(&portals, DEAL, "a", "one").await, REJECTED);
}

#[tokio::test]
async fn set_token_removes_expired_tokens() {
    let (portals, store) = portals(InstallPolicy::reject());
    let portals = portals.grace_period(Duration::ZERO);
    for token in ["one", "two", "three", "four"] {
        portals.set_token("a", &secret(token)).await.unwrap();
    }
    assert!(store.store.tokens("a").await.unwrap().len() <= 2);
}
