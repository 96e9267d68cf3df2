//! Installations: which policy accepts one, and what it does to known tokens.

use super::*;

#[tokio::test]
async fn install_without_policy_is_rejected() {
    let (portals, _) = portals(InstallPolicy::reject());
    for code in [INSTALL, UPDATE] {
        assert_eq!(send(&portals, code, "a", "one").await, REJECTED);
    }
    assert_eq!(send(&portals, DEAL, "a", "one").await, REJECTED);
}

#[tokio::test]
async fn first_install_is_trusted_and_later_tokens_are_rejected() {
    let (portals, _) = portals(InstallPolicy::trust_on_first_use());
    assert_eq!(send(&portals, UPDATE, "a", "one").await, REJECTED);
    assert_eq!(send(&portals, INSTALL, "a", "one").await, Ok(()));
    for code in [INSTALL, UPDATE] {
        assert_eq!(send(&portals, code, "a", "forged").await, REJECTED);
        assert_eq!(send(&portals, code, "a", "one").await, Ok(()));
    }
    assert_eq!(send(&portals, DEAL, "a", "one").await, Ok(()));
    assert_eq!(send(&portals, DEAL, "a", "forged").await, REJECTED);
}

#[tokio::test]
async fn install_is_trusted_if_no_valid_token_is_known() {
    let (portals, store) = portals(InstallPolicy::trust_on_first_use());
    portals.add_webhook("a", &secret("hook")).await.unwrap();
    let ended = PortalToken::new(TokenKind::Application, secret("plain:old")).with_expires_at(1);
    let added = store.store.compare_exchange("b", &[], &[ended]).await;
    assert!(added.unwrap());
    for token in ["forged", "hook"] {
        assert_eq!(send(&portals, INSTALL, "a", token).await, REJECTED);
    }
    assert_eq!(send(&portals, INSTALL, "b", "new").await, Ok(()));
    assert_eq!(send(&portals, DEAL, "b", "old").await, REJECTED);
    assert_eq!(store.store.tokens("b").await.unwrap().len(), 1);
}

#[tokio::test]
async fn pending_install_completes_once_and_only_while_expected() {
    let (portals, _) = portals(InstallPolicy::complete_pending());
    assert_eq!(send(&portals, INSTALL, "a", "one").await, REJECTED);

    portals.expect_install("a", MINUTE).await.unwrap();
    assert_eq!(send(&portals, DEAL, "a", "pending").await, REJECTED);
    assert_eq!(send(&portals, INSTALL, "b", "one").await, REJECTED);
    assert_eq!(send(&portals, INSTALL, "a", "one").await, Ok(()));
    assert_eq!(send(&portals, INSTALL, "a", "forged").await, REJECTED);
    assert_eq!(send(&portals, DEAL, "a", "one").await, Ok(()));

    portals.expect_install("a", Duration::ZERO).await.unwrap();
    assert_eq!(send(&portals, INSTALL, "a", "late").await, REJECTED);
}

#[tokio::test]
async fn expected_reinstall_keeps_the_previous_token_for_the_grace_period() {
    for (grace, outcome) in [(MINUTE, Ok(())), (Duration::ZERO, REJECTED)] {
        let (portals, _) = portals(InstallPolicy::complete_pending());
        let portals = portals.grace_period(grace);
        portals.set_token("a", &secret("one")).await.unwrap();
        portals.expect_install("a", MINUTE).await.unwrap();
        assert_eq!(send(&portals, UPDATE, "a", "two").await, Ok(()));
        assert_eq!(send(&portals, DEAL, "a", "two").await, Ok(()));
        assert_eq!(send(&portals, DEAL, "a", "one").await, outcome);
    }
}

#[tokio::test(start_paused = true)]
async fn install_sent_to_several_handlers_at_once_is_accepted_by_all() {
    for (policy, expected) in [
        (InstallPolicy::trust_on_first_use(), false),
        (InstallPolicy::complete_pending(), true),
    ] {
        let (portals, store) = portals(policy);
        if expected {
            portals.expect_install("a", MINUTE).await.unwrap();
        }
        // All have read before one writes.
        store.is(Health::Slow(Duration::from_millis(10))).await;
        let sent = (0..8).map(|_| send(&portals, INSTALL, "a", "one"));
        for outcome in join_all(sent).await {
            assert_eq!(outcome, Ok(()));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn of_two_racing_installs_exactly_one_is_accepted() {
    for (policy, expected) in [
        (InstallPolicy::trust_on_first_use(), false),
        (InstallPolicy::complete_pending(), true),
    ] {
        let store = Watched::new();
        let one = PortalVerifier::new(store.clone()).install_policy(policy.clone());
        let other = PortalVerifier::new(store.clone()).install_policy(policy);
        if expected {
            one.expect_install("a", MINUTE).await.unwrap();
        }
        store.is(Health::Slow(Duration::from_millis(10))).await;
        let (one, other) = tokio::join!(
            send(&one, INSTALL, "a", "one"),
            send(&other, INSTALL, "a", "forged")
        );
        assert_ne!(one, other);
        assert!(one.is_ok() || other.is_ok());
    }
}

#[tokio::test]
async fn install_page_follows_the_same_policy() {
    let page = |token: &str| -> Installation {
        let form = format!("PLACEMENT=DEFAULT&member_id=a&APPLICATION_TOKEN={token}&AUTH_ID=x");
        serde_urlencoded::from_str(&form).unwrap()
    };
    let (portals, _) = portals(InstallPolicy::trust_on_first_use());
    portals.install(page("one")).await.unwrap();
    portals.install(page("one")).await.unwrap();
    assert_eq!(
        kind(portals.install(page("forged")).await),
        PortalsErrorKind::Rejected
    );
    assert_eq!(send(&portals, DEAL, "a", "one").await, Ok(()));

    let (portals, _) = super::portals(InstallPolicy::reject());
    let rejected = portals.install(Installation::new("a", secret("one"))).await;
    assert_eq!(kind(rejected), PortalsErrorKind::Rejected);
    // Older builds of the platform send no token, which is an error of the form.
    assert!(serde_urlencoded::from_str::<Installation>("member_id=a&AUTH_ID=x").is_err());
}
