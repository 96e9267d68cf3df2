//! `ONAPPUSERREADY`, which may arrive before `ONAPPINSTALL`.

use tower_bitrix24::portals::TokenIntrospection;
use tower_bitrix24::rest::AuthorizationServer;

use super::*;

const READY: &str = "ONAPPUSERREADY";

/// Returns the event as it is sent: `data` has the ids and tokens of another endpoint.
fn ready(member_id: &str, token: &str, access_token: &str) -> String {
    let event = body_at(100, READY, member_id, token);
    format!(
        "{event}&data[access_token]=of-other&data[member_id]=other\
         &data[application_token]=one&auth[access_token]={access_token}"
    )
}

/// The authorization server has the access token `of-a` in the portal `a`.
fn introspecting() -> (Watching, Arc<Watched>) {
    let client = service_fn(|request: Request<String>| async move {
        let response = match request.uri().query() {
            Some("auth=of-a") => {
                r#"{"result": {"client_id": "app", "install": {"member_id": "a"}}}"#
            }
            Some("auth=down") => "",
            _ => r#"{"error": "expired_token"}"#,
        };
        Ok::<_, std::convert::Infallible>(Response::new(response.to_owned()))
    });
    let server = AuthorizationServer::default();
    portals(InstallPolicy::introspect(
        TokenIntrospection::new("app", server, client).unwrap(),
    ))
}

#[tokio::test]
async fn user_ready_before_install_is_introspected_like_one() {
    let (portals, store) = introspecting();
    for (member_id, access_token, outcome) in [
        ("a", "of-a", Ok(())),
        ("a", "guess", REJECTED),
        ("a", "of-other", REJECTED),
        ("b", "of-a", REJECTED),
        ("other", "of-other", REJECTED),
        ("a", "down", UNAVAILABLE),
        ("a", "", REJECTED),
    ] {
        let sent = outcome_of(&portals, ready(member_id, "one", access_token)).await;
        assert_eq!(sent, outcome, "{member_id} {access_token}");
    }
    // Only this event is accepted; ONAPPINSTALL brings the token.
    assert!(store.store.tokens("a").await.unwrap().is_empty());
    assert_eq!(send(&portals, DEAL, "a", "one").await, REJECTED);
    // Introspection needs no store.
    store.is(Health::Down).await;
    assert_eq!(
        outcome_of(&portals, ready("a", "one", "of-a")).await,
        Ok(())
    );
    assert_eq!(
        outcome_of(&portals, ready("a", "one", "guess")).await,
        UNAVAILABLE
    );
}

#[tokio::test]
async fn user_ready_while_install_is_pending_leaves_it_pending() {
    let (portals, _) = portals(InstallPolicy::complete_pending());
    let sent = || outcome_of(&portals, ready("a", "one", "of-a"));
    assert_eq!(sent().await, REJECTED);
    portals.expect_install("a", MINUTE).await.unwrap();
    assert_eq!(sent().await, Ok(()));
    assert_eq!(sent().await, Ok(()));
    assert_eq!(send(&portals, DEAL, "a", "one").await, REJECTED);
    assert_eq!(send(&portals, INSTALL, "a", "one").await, Ok(()));
    assert_eq!(sent().await, Ok(()));
    let forged = outcome_of(&portals, ready("a", "forged", "of-a"));
    assert_eq!(forged.await, REJECTED);
    portals.expect_install("b", Duration::ZERO).await.unwrap();
    let late = outcome_of(&portals, ready("b", "one", "of-a"));
    assert_eq!(late.await, REJECTED);
}

#[tokio::test]
async fn user_ready_before_install_is_trusted_on_first_use() {
    let (portals, _) = portals(InstallPolicy::trust_on_first_use());
    assert_eq!(outcome_of(&portals, ready("a", "one", "x")).await, Ok(()));
    // A second token is rejected, and the installation completes the portal.
    assert_eq!(outcome_of(&portals, ready("a", "two", "x")).await, REJECTED);
    assert_eq!(send(&portals, INSTALL, "a", "two").await, REJECTED);
    assert_eq!(send(&portals, INSTALL, "a", "one").await, Ok(()));
    assert_eq!(send(&portals, DEAL, "a", "one").await, Ok(()));
}

#[tokio::test]
async fn user_ready_replaces_no_token_under_any_policy() {
    let (introspecting, _) = introspecting();
    for portals in [
        portals(InstallPolicy::reject()).0,
        portals(InstallPolicy::trust_on_first_use()).0,
        portals(InstallPolicy::complete_pending()).0,
        introspecting,
    ] {
        let portals = portals.grace_period(Duration::ZERO);
        portals.set_token("a", &secret("one")).await.unwrap();
        portals.expect_install("a", MINUTE).await.unwrap();
        let _ = outcome_of(&portals, ready("a", "two", "of-a")).await;
        assert_eq!(send(&portals, DEAL, "a", "two").await, REJECTED);
        assert_eq!(send(&portals, DEAL, "a", "one").await, Ok(()));
        // With the current token it is an event like all others.
        assert_eq!(outcome_of(&portals, ready("a", "one", "x")).await, Ok(()));
        assert_eq!(send(&portals, UNINSTALL, "a", "one").await, Ok(()));
    }
}
