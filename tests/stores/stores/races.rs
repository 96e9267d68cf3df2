//! Concurrent decisions of two instances about one portal.

use std::convert::Infallible;
use std::future::Future;

use http::{Request, Response};
use tower::service_fn;
use tower_bitrix24::portals::{InstallPolicy, PortalVerifier, TokenIntrospection};
use tower_bitrix24::rest::AuthorizationServer;
use tower_bitrix24::{Envelope, Event, VerifyToken};

use super::*;

/// Returns `BITRIX24_TEST_RACES`, which CI sets, or the default.
pub(super) fn tries(default: usize) -> usize {
    std::env::var("BITRIX24_TEST_RACES").map_or(default, |tries| tries.parse().unwrap())
}

/// Confirms an access token that is the portal's id.
fn introspect() -> InstallPolicy {
    let client = service_fn(|request: Request<String>| async move {
        let portal = request.uri().query().unwrap()["auth=".len()..].to_owned();
        let install = format!(r#"{{"client_id": "app", "install": {{"member_id": "{portal}"}}}}"#);
        Ok::<_, Infallible>(Response::new(format!(r#"{{"result": {install}}}"#)))
    });
    let server = AuthorizationServer::default();
    InstallPolicy::introspect(TokenIntrospection::new("app", server, client).unwrap())
}

fn envelope(code: &str, portal: &str, ts: i64, token: &str) -> Envelope {
    let body = format!(
        "event={code}&ts={ts}&auth[access_token]={portal}&auth[member_id]={portal}\
         &auth[application_token]={token}"
    );
    Envelope::scan(body).unwrap()
}

struct Instance<S>(PortalVerifier<S>);

impl<S: TokenStore + 'static> Instance<S> {
    /// Returns `true` if the event is accepted.
    fn send(
        &self,
        code: &str,
        portal: &str,
        ts: i64,
        token: &str,
    ) -> impl Future<Output = bool> + Send + 'static {
        let (portals, envelope) = (self.0.clone(), envelope(code, portal, ts, token));
        async move { Event::verify(envelope, &portals).await.is_ok() }
    }
}

/// Runs both concurrently, each in a task.
async fn at_once<A: Send + 'static, B: Send + 'static>(
    one: impl Future<Output = A> + Send + 'static,
    other: impl Future<Output = B> + Send + 'static,
) -> (A, B) {
    let (one, other) = tokio::join!(tokio::spawn(one), tokio::spawn(other));
    (one.unwrap(), other.unwrap())
}

/// Runs every race `tries` times between two stores of one database.
pub(super) async fn run<S: TokenStore + Clone + 'static>(stores: [S; 2], tries: usize) {
    let with = |policy: fn() -> InstallPolicy| {
        let instance =
            |store: &S| Instance(PortalVerifier::new(store.clone()).install_policy(policy()));
        [instance(&stores[0]), instance(&stores[1])]
    };
    let mut wrong = [0; 7];
    for at in 0..tries {
        let portal = |race: &str| format!("{race}-{at}");
        let [one, two] = with(introspect);

        // The older of two installations never stays current.
        let id = portal("installations");
        let outcomes = at_once(
            one.send("ONAPPINSTALL", &id, 100, "T1"),
            two.send("ONAPPINSTALL", &id, 200, "T2"),
        );
        assert_eq!(outcomes.await, (true, true));
        let tokens = stores[0].tokens(&id).await.map_err(Into::into).unwrap();
        let current = tokens.iter().filter(|token| token.expires_at().is_none());
        let current: Vec<_> = current.map(PortalToken::issued_at).collect();
        wrong[0] += usize::from(current != [Some(200)] || tokens.len() != 2);

        // An installation that is accepted during an earlier uninstallation is not removed.
        let id = portal("uninstallation");
        assert!(one.send("ONAPPINSTALL", &id, 100, "T1").await);
        let gone = envelope("ONAPPUNINSTALL", &id, 150, "T1");
        assert!(one.0.verify(&gone).await.is_ok());
        let hook = one.0.on_handled(&gone).unwrap();
        let again = two.send("ONAPPINSTALL", &id, 200, "T1");
        let ((), accepted) = at_once(hook, again).await;
        let known = one.send("ONCRMDEALADD", &id, 300, "T1").await;
        wrong[1] += usize::from(!accepted || !known);

        // The same within one second, with the same token.
        let id = portal("second");
        assert!(one.send("ONAPPINSTALL", &id, 100, "T1").await);
        let gone = envelope("ONAPPUNINSTALL", &id, 100, "T1");
        assert!(one.0.verify(&gone).await.is_ok());
        let hook = one.0.on_handled(&gone).unwrap();
        let again = two.send("ONAPPINSTALL", &id, 100, "T1");
        let ((), accepted) = at_once(hook, again).await;
        let known = one.send("ONCRMDEALADD", &id, 300, "T1").await;
        wrong[6] += usize::from(!accepted || !known);

        // Marking a token as used never restores a removed one.
        let id = portal("use");
        assert!(one.send("ONAPPINSTALL", &id, 100, "T1").await);
        let gone = envelope("ONAPPUNINSTALL", &id, 150, "T1");
        assert!(one.0.verify(&gone).await.is_ok());
        let hook = one.0.on_handled(&gone).unwrap();
        at_once(hook, two.send("ONCRMDEALADD", &id, 120, "T1")).await;
        wrong[2] += usize::from(one.send("ONCRMDEALADD", &id, 300, "T1").await);

        // A webhook that is added during an installation is not lost.
        let id = portal("webhook");
        let (portals, hook) = (one.0.clone(), id.clone());
        let add = async move { portals.add_webhook(&hook, &Secret::new("W")).await.is_ok() };
        let outcomes = at_once(add, two.send("ONAPPINSTALL", &id, 200, "T1"));
        assert_eq!(outcomes.await, (true, true));
        let webhook = two.send("ONCRMDEALADD", &id, 300, "W").await;
        let token = one.send("ONCRMDEALADD", &id, 300, "T1").await;
        wrong[3] += usize::from(!webhook || !token);

        // Exactly one instance completes a pending installation, and exactly one the first of a
        // portal.
        let [one, two] = with(InstallPolicy::complete_pending);
        let id = portal("pending");
        let minute = std::time::Duration::from_secs(60);
        one.0.expect_install(&id, minute).await.unwrap();
        let (first, second) = at_once(
            one.send("ONAPPINSTALL", &id, 100, "T1"),
            two.send("ONAPPINSTALL", &id, 200, "T2"),
        )
        .await;
        wrong[4] += usize::from(first == second);
        let [one, two] = with(InstallPolicy::trust_on_first_use);
        let id = portal("first");
        let (first, second) = at_once(
            one.send("ONAPPINSTALL", &id, 100, "T1"),
            two.send("ONAPPUSERREADY", &id, 200, "T2"),
        )
        .await;
        wrong[5] += usize::from(first == second);
    }
    assert_eq!(wrong, [0; 7], "of {tries} tries each");
    let [one, two] = with(InstallPolicy::reject);
    Box::pin(add_many_at_once(&one.0, &two.0)).await;
}

/// Each change fits in its deadline.
async fn add_many_at_once<S: TokenStore + 'static>(
    one: &PortalVerifier<S>,
    two: &PortalVerifier<S>,
) {
    let mut adding = tokio::task::JoinSet::new();
    for at in 0..64 {
        let portals = if at % 2 == 0 { one } else { two }.clone();
        let hook = Secret::new(format!("W{at}"));
        adding.spawn(async move { portals.add_webhook("many", &hook).await });
    }
    for added in adding.join_all().await {
        added.unwrap();
    }
    for at in 0..64 {
        let event = envelope("ONCRMDEALADD", "many", 300, &format!("W{at}"));
        assert!(one.verify(&event).await.is_ok(), "W{at}");
    }
}
