//! Many portals behind one layer: whose events are accepted, who learns a token and who takes none
//! over, and what happens when the store does not answer.

#[cfg(feature = "https-client")]
mod introspection;
#[cfg(feature = "testing")]
mod store_conformance;

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use crate::common::post;
use bytes::Bytes;
use futures_util::future::join_all;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use tokio::sync::Mutex;
use tower::{ServiceBuilder, ServiceExt, service_fn};
use tower_bitrix24::portals::{
    InstallPolicy, Installation, MemoryStore, PortalToken, PortalVerifier, PortalsError,
    PortalsErrorKind, TokenKey, TokenKind, TokenStore,
};
use tower_bitrix24::verify::VerifyErrorKind;
use tower_bitrix24::{Envelope, Event, EventBody, EventLayer, Secret, VerifyError};

const MINUTE: Duration = Duration::from_secs(60);

/// What the store does when it is asked.
#[derive(Clone, Copy, PartialEq)]
enum Health {
    Well,
    Down,
    Silent,
    /// It answers, after so long.
    Slow(Duration),
}

/// A store in memory that can fail, and counts what it is asked.
struct Watched {
    store: MemoryStore,
    health: Mutex<Health>,
    asked: AtomicUsize,
}

impl Watched {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            store: MemoryStore::new(),
            health: Mutex::new(Health::Well),
            asked: AtomicUsize::new(0),
        })
    }

    async fn is(&self, health: Health) {
        *self.health.lock().await = health;
    }

    fn asked(&self) -> usize {
        self.asked.swap(0, Ordering::Relaxed)
    }

    /// Forgets the portal, as another process does.
    async fn remove(&self, member_id: &str) {
        let Ok(known) = self.store.tokens(member_id).await;
        let removed = self.store.compare_exchange(member_id, &known, &[]).await;
        assert!(removed.unwrap());
    }

    async fn answer<T>(
        &self,
        answer: impl Future<Output = Result<T, std::convert::Infallible>>,
    ) -> Result<T, &'static str> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let health = *self.health.lock().await;
        match health {
            Health::Well => {}
            Health::Down => return Err("the database is down"),
            Health::Silent => pending().await,
            Health::Slow(time) => tokio::time::sleep(time).await,
        }
        Ok(answer.await.unwrap())
    }
}

impl TokenStore for Watched {
    type Error = &'static str;

    async fn tokens(&self, member_id: &str) -> Result<Vec<PortalToken>, Self::Error> {
        self.answer(self.store.tokens(member_id)).await
    }

    async fn compare_exchange(
        &self,
        member_id: &str,
        expected: &[PortalToken],
        tokens: &[PortalToken],
    ) -> Result<bool, Self::Error> {
        let call = self.store.compare_exchange(member_id, expected, tokens);
        self.answer(call).await
    }
}

type Watching = PortalVerifier<Arc<Watched>>;

fn portals(policy: InstallPolicy) -> (Watching, Arc<Watched>) {
    let store = Watched::new();
    (
        PortalVerifier::new(store.clone()).install_policy(policy),
        store,
    )
}

/// Unix seconds.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap().as_secs().try_into().unwrap()
}

/// A body of an event that happens now.
fn body(code: &str, member_id: &str, token: &str) -> String {
    body_at(now(), code, member_id, token)
}

fn body_at(ts: i64, code: &str, member_id: &str, token: &str) -> String {
    format!(
        "event={code}&data[FIELDS][ID]=1&ts={ts}\
         &auth[member_id]={member_id}&auth[application_token]={token}"
    )
}

/// The outcome of an event that is verified, and then handled well.
async fn outcome_of(portals: &Watching, body: String) -> Result<(), VerifyErrorKind> {
    let verified = Event::verify(Envelope::scan(body).unwrap(), portals).await;
    let event = verified.map_err(|error: VerifyError| error.kind())?;
    event.mark_handled(portals).await;
    // That the token is used is noted down by a task of its own.
    for _ in 0..8 {
        tokio::task::yield_now().await;
    }
    Ok(())
}

async fn send(
    portals: &Watching,
    code: &str,
    member_id: &str,
    token: &str,
) -> Result<(), VerifyErrorKind> {
    outcome_of(portals, body(code, member_id, token)).await
}

const DEAL: &str = "ONCRMDEALADD";
const INSTALL: &str = "ONAPPINSTALL";
const UPDATE: &str = "ONAPPUPDATE";
const UNINSTALL: &str = "ONAPPUNINSTALL";
const REFUSED: Result<(), VerifyErrorKind> = Err(VerifyErrorKind::Rejected);
const UNAVAILABLE: Result<(), VerifyErrorKind> = Err(VerifyErrorKind::Unavailable);

fn secret(text: &str) -> Secret {
    Secret::new(text)
}

fn kind<T: std::fmt::Debug>(result: Result<T, PortalsError>) -> PortalsErrorKind {
    result.unwrap_err().kind()
}

#[tokio::test]
async fn an_event_is_accepted_with_any_token_of_its_portal_and_no_other() {
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
        assert_eq!(outcome, REFUSED, "{member_id} {token}");
    }
    let without_portal = format!("event={DEAL}&auth[application_token]=one");
    assert_eq!(outcome_of(&portals, without_portal).await, REFUSED);
}

#[tokio::test]
async fn an_unknown_portal_is_answered_as_a_wrong_token_after_the_same_queries() {
    for policy in [
        InstallPolicy::reject(),
        InstallPolicy::trust_on_first_use(),
        InstallPolicy::complete_pending(),
    ] {
        let (portals, store) = portals(policy);
        portals.set_token("a", &secret("one")).await.unwrap();
        store.asked();
        for code in [DEAL, UPDATE, UNINSTALL] {
            assert_eq!(send(&portals, code, "a", "guess").await, REFUSED);
            assert_eq!(store.asked(), 1, "{code}");
            assert_eq!(send(&portals, code, "b", "guess").await, REFUSED);
            assert_eq!(store.asked(), 1, "{code}");
        }
    }
}

#[tokio::test]
async fn what_no_portal_has_never_reaches_the_store() {
    let (portals, store) = portals(InstallPolicy::trust_on_first_use());
    let long = "a".repeat(129);
    for member_id in ["", "a%00", "a%0Ab", "a%FF", &long] {
        assert_eq!(send(&portals, INSTALL, member_id, "one").await, REFUSED);
    }
    let long = "a".repeat(257);
    for token in ["a%00", "%1B", "a%FF", &long] {
        assert_eq!(send(&portals, INSTALL, "a", token).await, REFUSED);
    }
    assert_eq!(
        kind(portals.set_token("", &secret("one")).await),
        PortalsErrorKind::InvalidMemberId
    );
    for token in ["", "a\n", &long] {
        let recorded = portals.set_token("a", &secret(token)).await;
        assert_eq!(kind(recorded), PortalsErrorKind::InvalidToken);
    }
    assert_eq!(store.asked(), 0);
}

mod an_installation {
    use super::*;

    #[tokio::test]
    async fn is_rejected_where_no_policy_takes_it() {
        let (portals, _) = portals(InstallPolicy::reject());
        for code in [INSTALL, UPDATE] {
            assert_eq!(send(&portals, code, "a", "one").await, REFUSED);
        }
        assert_eq!(send(&portals, DEAL, "a", "one").await, REFUSED);
    }

    #[tokio::test]
    async fn is_trusted_at_first_and_never_after() {
        let (portals, _) = portals(InstallPolicy::trust_on_first_use());
        assert_eq!(send(&portals, UPDATE, "a", "one").await, REFUSED);
        assert_eq!(send(&portals, INSTALL, "a", "one").await, Ok(()));
        for code in [INSTALL, UPDATE] {
            assert_eq!(send(&portals, code, "a", "forged").await, REFUSED);
            assert_eq!(send(&portals, code, "a", "one").await, Ok(()));
        }
        assert_eq!(send(&portals, DEAL, "a", "one").await, Ok(()));
        assert_eq!(send(&portals, DEAL, "a", "forged").await, REFUSED);
    }

    #[tokio::test]
    async fn is_not_trusted_in_a_portal_of_which_only_a_webhook_or_an_earlier_token_is_known() {
        let (portals, store) = portals(InstallPolicy::trust_on_first_use());
        portals.add_webhook("a", &secret("hook")).await.unwrap();
        let ended =
            PortalToken::new(TokenKind::Application, secret("plain:old")).with_expires_at(1);
        let added = store.store.compare_exchange("b", &[], &[ended]).await;
        assert!(added.unwrap());
        for (member_id, token) in [
            ("a", "forged"),
            ("a", "hook"),
            ("b", "forged"),
            ("b", "old"),
        ] {
            let outcome = send(&portals, INSTALL, member_id, token).await;
            assert_eq!(outcome, REFUSED, "{member_id} {token}");
        }
    }

    #[tokio::test]
    async fn is_completed_once_and_only_while_it_is_expected() {
        let (portals, _) = portals(InstallPolicy::complete_pending());
        assert_eq!(send(&portals, INSTALL, "a", "one").await, REFUSED);

        portals.expect_install("a", MINUTE).await.unwrap();
        assert_eq!(send(&portals, DEAL, "a", "pending").await, REFUSED);
        assert_eq!(send(&portals, INSTALL, "b", "one").await, REFUSED);
        assert_eq!(send(&portals, INSTALL, "a", "one").await, Ok(()));
        assert_eq!(send(&portals, INSTALL, "a", "forged").await, REFUSED);
        assert_eq!(send(&portals, DEAL, "a", "one").await, Ok(()));

        portals.expect_install("a", Duration::ZERO).await.unwrap();
        assert_eq!(send(&portals, INSTALL, "a", "late").await, REFUSED);
    }

    #[tokio::test]
    async fn that_is_expected_again_lets_the_earlier_token_be_for_the_grace() {
        for (grace, outcome) in [(MINUTE, Ok(())), (Duration::ZERO, REFUSED)] {
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
    async fn may_be_told_to_several_handlers_at_once() {
        for (policy, expected) in [
            (InstallPolicy::trust_on_first_use(), false),
            (InstallPolicy::complete_pending(), true),
        ] {
            let (portals, store) = portals(policy);
            if expected {
                portals.expect_install("a", MINUTE).await.unwrap();
            }
            // All are asked before one is answered.
            store.is(Health::Slow(Duration::from_millis(10))).await;
            let sent = (0..8).map(|_| send(&portals, INSTALL, "a", "one"));
            for outcome in join_all(sent).await {
                assert_eq!(outcome, Ok(()));
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn of_two_that_race_one_takes_the_portal() {
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
    async fn is_told_by_the_applications_own_page_by_the_same_rules() {
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
        // An older build of the platform sends no token: that is an error of the form.
        assert!(serde_urlencoded::from_str::<Installation>("member_id=a&AUTH_ID=x").is_err());
    }
}

mod a_proven_installation {
    use std::convert::Infallible;

    use tower_bitrix24::portals::TokenIntrospection;
    use tower_bitrix24::rest::AuthorizationServer;

    use super::*;

    /// An authorization server that knows the access tokens `of-a` and `of-b` of the application in
    /// those portals, and `other-app` of another application.
    fn policy(asked: &Arc<AtomicUsize>) -> InstallPolicy {
        let asked = asked.clone();
        let client = service_fn(move |request: Request<String>| {
            asked.fetch_add(1, Ordering::Relaxed);
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

    fn proving() -> (Watching, Arc<Watched>, Arc<AtomicUsize>) {
        let asked = Arc::default();
        let (portals, store) = portals(policy(&asked));
        (portals, store, asked)
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
    async fn is_accepted_and_its_token_known_from_then_on() {
        let (portals, _, asked) = proving();
        for (member_id, token, access_token) in [("a", "one", "of-a"), ("b", "two", "of-b")] {
            let outcome = install(&portals, (100, INSTALL), member_id, token, access_token).await;
            assert_eq!(outcome, Ok(()));
            assert_eq!(send(&portals, DEAL, member_id, token).await, Ok(()));
        }
        assert_eq!(asked.load(Ordering::Relaxed), 2);
        // Installed again, with nothing to prove.
        assert_eq!(send(&portals, INSTALL, "a", "one").await, Ok(()));
        assert_eq!(asked.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn replaces_the_token_and_keeps_the_earlier_one_for_the_grace() {
        for (grace, outcome) in [(MINUTE, Ok(())), (Duration::ZERO, REFUSED)] {
            for code in [INSTALL, UPDATE] {
                let (portals, _, _) = proving();
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
    async fn that_is_late_does_not_replace_a_newer_one() {
        let (portals, _, _) = proving();
        let portals = portals.grace_period(Duration::ZERO);
        for (ts, token) in [(200, "new"), (100, "old")] {
            let outcome = install(&portals, (ts, UPDATE), "a", token, "of-a").await;
            assert_eq!(outcome, Ok(()));
        }
        assert_eq!(send(&portals, DEAL, "a", "new").await, Ok(()));
        assert_eq!(send(&portals, DEAL, "a", "old").await, REFUSED);
    }

    #[tokio::test]
    async fn brings_back_a_token_that_another_had_taken_the_place_of() {
        let (portals, _, _) = proving();
        let portals = portals.grace_period(MINUTE);
        for (ts, token) in [(100, "real"), (200, "other"), (300, "real")] {
            let installed = install(&portals, (ts, INSTALL), "a", token, "of-a").await;
            assert_eq!(installed, Ok(()));
        }
        // The current one, so it may uninstall; the other may not.
        for (token, outcome) in [("other", REFUSED), ("real", Ok(()))] {
            let uninstall = body_at(400, UNINSTALL, "a", token);
            assert_eq!(outcome_of(&portals, uninstall).await, outcome);
        }
    }

    #[tokio::test]
    async fn from_the_future_does_not_lock_later_ones_out() {
        let (portals, store, _) = proving();
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
    async fn again_and_again_with_new_tokens_does_not_fill_the_store() {
        let (portals, store, _) = proving();
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
    async fn again_and_again_does_not_drive_out_the_token_that_was_there_before() {
        // Whether an event came with the real token or with the others, and whatever time they
        // claim to be of.
        for (real_used, evil_used, ts) in [
            (true, false, 200),
            (true, true, 200),
            (false, false, 200),
            (false, true, 200),
            (true, true, 1),
            (false, true, 1),
        ] {
            let (portals, store, _) = proving();
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
    async fn drives_out_the_youngest_that_no_event_came_with() {
        let (portals, _, _) = proving();
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
        assert_eq!(send(&portals, DEAL, "a", "late-218").await, REFUSED);
    }

    #[tokio::test]
    async fn whose_token_events_come_with_is_noted_down_once() {
        let (portals, store, _) = proving();
        let installed = install(&portals, (100, INSTALL), "a", "one", "of-a").await;
        assert_eq!(installed, Ok(()));
        store.asked();
        assert_eq!(send(&portals, DEAL, "a", "one").await, Ok(()));
        assert_eq!(store.asked(), 2);
        let token = store.store.tokens("a").await.unwrap().remove(0);
        assert!(token.used().is_some() && token.added().is_some());
        assert_eq!(send(&portals, DEAL, "a", "one").await, Ok(()));
        assert_eq!(store.asked(), 1);
        // A new installation of it is none of another token.
        let again = install(&portals, (200, INSTALL), "a", "one", "of-a").await;
        assert_eq!(again, Ok(()));
        let tokens = store.store.tokens("a").await.unwrap();
        assert_eq!(tokens, [token.with_issued_at(200)]);
    }

    #[tokio::test]
    async fn is_not_forged_for_a_portal_that_is_known_or_is_not() {
        let (portals, _, asked) = proving();
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
                assert_eq!(forged.await, REFUSED, "{member_id} {access_token}");
            }
            assert_eq!(send(&portals, DEAL, member_id, "forged").await, REFUSED);
        }
        assert_eq!(send(&portals, DEAL, "a", "one").await, Ok(()));

        asked.store(0, Ordering::Relaxed);
        assert_eq!(send(&portals, INSTALL, "a", "forged").await, REFUSED);
        assert_eq!(
            asked.load(Ordering::Relaxed),
            0,
            "there is nothing to ask with"
        );
    }

    #[tokio::test]
    async fn is_unavailable_and_changes_nothing_while_the_server_is_down() {
        let (portals, store, _) = proving();
        portals.set_token("a", &secret("one")).await.unwrap();
        for member_id in ["a", "b"] {
            let outcome = install(&portals, (200, INSTALL), member_id, "new", "down").await;
            assert_eq!(outcome, UNAVAILABLE);
            assert_eq!(send(&portals, DEAL, member_id, "new").await, REFUSED);
        }
        assert_eq!(store.store.tokens("a").await.unwrap().len(), 1);
        assert_eq!(send(&portals, DEAL, "a", "one").await, Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn may_reach_two_instances_at_once() {
        let store = Watched::new();
        let instance =
            || PortalVerifier::new(store.clone()).install_policy(policy(&Arc::default()));
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
    async fn may_be_told_by_the_applications_own_page() {
        let (portals, _, _) = proving();
        let page = |access_token: &str| {
            Installation::new("a", secret("one")).access_token(secret(access_token))
        };
        let rejected = portals.install(page("of-b")).await;
        assert_eq!(kind(rejected), PortalsErrorKind::Rejected);
        let unavailable = portals.install(page("down")).await;
        assert_eq!(kind(unavailable), PortalsErrorKind::Unavailable);
        let without = portals.install(Installation::new("a", secret("one"))).await;
        assert_eq!(kind(without), PortalsErrorKind::Rejected);
        assert_eq!(send(&portals, DEAL, "a", "one").await, REFUSED);
        portals.install(page("of-a")).await.unwrap();
        assert_eq!(send(&portals, DEAL, "a", "one").await, Ok(()));
    }
}

mod the_system_user_is_ready {
    use tower_bitrix24::portals::TokenIntrospection;
    use tower_bitrix24::rest::AuthorizationServer;

    use super::*;

    const READY: &str = "ONAPPUSERREADY";

    /// The event as it is sent: `data` has the ids and tokens of another endpoint.
    fn ready(member_id: &str, token: &str, access_token: &str) -> String {
        let event = body_at(100, READY, member_id, token);
        format!(
            "{event}&data[access_token]=of-other&data[member_id]=other\
             &data[application_token]=one&auth[access_token]={access_token}"
        )
    }

    /// Whose authorization server knows the access token `of-a` in the portal `a`.
    fn proving() -> (Watching, Arc<Watched>) {
        let client = service_fn(|request: Request<String>| async move {
            let answer = match request.uri().query() {
                Some("auth=of-a") => {
                    r#"{"result": {"client_id": "app", "install": {"member_id": "a"}}}"#
                }
                Some("auth=down") => "",
                _ => r#"{"error": "expired_token"}"#,
            };
            Ok::<_, std::convert::Infallible>(Response::new(answer.to_owned()))
        });
        let server = AuthorizationServer::default();
        portals(InstallPolicy::introspect(
            TokenIntrospection::new("app", server, client).unwrap(),
        ))
    }

    #[tokio::test]
    async fn before_the_installation_and_is_proven_like_one() {
        let (portals, store) = proving();
        for (member_id, access_token, outcome) in [
            ("a", "of-a", Ok(())),
            ("a", "guess", REFUSED),
            ("a", "of-other", REFUSED),
            ("b", "of-a", REFUSED),
            ("other", "of-other", REFUSED),
            ("a", "down", UNAVAILABLE),
            ("a", "", REFUSED),
        ] {
            let sent = outcome_of(&portals, ready(member_id, "one", access_token)).await;
            assert_eq!(sent, outcome, "{member_id} {access_token}");
        }
        // It alone is accepted; the token is what ONAPPINSTALL brings.
        assert!(store.store.tokens("a").await.unwrap().is_empty());
        assert_eq!(send(&portals, DEAL, "a", "one").await, REFUSED);
        // As its proof needs no store, it gets through without one.
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
    async fn while_an_installation_is_expected_and_leaves_that_to_the_installation() {
        let (portals, _) = portals(InstallPolicy::complete_pending());
        let sent = || outcome_of(&portals, ready("a", "one", "of-a"));
        assert_eq!(sent().await, REFUSED);
        portals.expect_install("a", MINUTE).await.unwrap();
        assert_eq!(sent().await, Ok(()));
        assert_eq!(sent().await, Ok(()));
        assert_eq!(send(&portals, DEAL, "a", "one").await, REFUSED);
        assert_eq!(send(&portals, INSTALL, "a", "one").await, Ok(()));
        assert_eq!(sent().await, Ok(()));
        let forged = outcome_of(&portals, ready("a", "forged", "of-a"));
        assert_eq!(forged.await, REFUSED);
        portals.expect_install("b", Duration::ZERO).await.unwrap();
        let late = outcome_of(&portals, ready("b", "one", "of-a"));
        assert_eq!(late.await, REFUSED);
    }

    #[tokio::test]
    async fn first_and_is_trusted_as_the_first() {
        let (portals, _) = portals(InstallPolicy::trust_on_first_use());
        assert_eq!(outcome_of(&portals, ready("a", "one", "x")).await, Ok(()));
        // A second stranger gets nothing, and the installation is the same portal's.
        assert_eq!(outcome_of(&portals, ready("a", "two", "x")).await, REFUSED);
        assert_eq!(send(&portals, INSTALL, "a", "two").await, REFUSED);
        assert_eq!(send(&portals, INSTALL, "a", "one").await, Ok(()));
        assert_eq!(send(&portals, DEAL, "a", "one").await, Ok(()));
    }

    #[tokio::test]
    async fn and_no_policy_lets_it_take_the_place_of_a_token() {
        let (proving, _) = proving();
        for portals in [
            portals(InstallPolicy::reject()).0,
            portals(InstallPolicy::trust_on_first_use()).0,
            portals(InstallPolicy::complete_pending()).0,
            proving,
        ] {
            let portals = portals.grace_period(Duration::ZERO);
            portals.set_token("a", &secret("one")).await.unwrap();
            portals.expect_install("a", MINUTE).await.unwrap();
            let _ = outcome_of(&portals, ready("a", "two", "of-a")).await;
            assert_eq!(send(&portals, DEAL, "a", "two").await, REFUSED);
            assert_eq!(send(&portals, DEAL, "a", "one").await, Ok(()));
            // With the current token it is an event like all others.
            assert_eq!(outcome_of(&portals, ready("a", "one", "x")).await, Ok(()));
            assert_eq!(send(&portals, UNINSTALL, "a", "one").await, Ok(()));
        }
    }
}

mod an_uninstallation {
    use super::*;

    /// Puts the event through the layer to a handler that answers with this status.
    async fn handled(portals: &Watching, status: StatusCode, body: String) -> StatusCode {
        let service = ServiceBuilder::new()
            .layer(EventLayer::new(portals.clone()))
            .service(service_fn(
                async |_: Request<EventBody<Full<Bytes>>>| -> Result<_, std::convert::Infallible> {
                    let mut response = Response::new(Full::<Bytes>::default());
                    *response.status_mut() = status;
                    Ok(response)
                },
            ));
        let response = service.oneshot(post(Full::from(body))).await.unwrap();
        response.status()
    }

    #[tokio::test]
    async fn forgets_the_portal_once_the_handler_has_succeeded() {
        let (portals, _) = portals(InstallPolicy::trust_on_first_use());
        assert_eq!(send(&portals, INSTALL, "a", "one").await, Ok(()));
        let gone = || body(UNINSTALL, "a", "one");

        for failure in [StatusCode::BAD_GATEWAY, StatusCode::NOT_FOUND] {
            assert_eq!(handled(&portals, failure, gone()).await, failure);
            assert_eq!(send(&portals, DEAL, "a", "one").await, Ok(()));
        }
        let status = handled(&portals, StatusCode::OK, gone()).await;
        assert_eq!(status, StatusCode::OK);
        // What was queued before, and the event again.
        assert_eq!(send(&portals, DEAL, "a", "one").await, REFUSED);
        let status = handled(&portals, StatusCode::OK, gone()).await;
        assert_eq!(status, StatusCode::FORBIDDEN);
        assert_eq!(send(&portals, INSTALL, "a", "two").await, Ok(()));
    }

    #[tokio::test]
    async fn is_rejected_where_it_is_older_than_the_installation() {
        let (portals, _) = portals(InstallPolicy::trust_on_first_use());
        let install = |ts| body_at(ts, INSTALL, "a", "one");
        let uninstall = |ts| body_at(ts, UNINSTALL, "a", "one");
        assert_eq!(outcome_of(&portals, install(100)).await, Ok(()));
        assert_eq!(outcome_of(&portals, uninstall(200)).await, Ok(()));
        assert_eq!(outcome_of(&portals, install(300)).await, Ok(()));
        // The platform gives the same token again, so the event that was read is well proven.
        assert_eq!(outcome_of(&portals, uninstall(200)).await, REFUSED);
        assert_eq!(send(&portals, DEAL, "a", "one").await, Ok(()));
        assert_eq!(outcome_of(&portals, uninstall(300)).await, Ok(()));
        assert_eq!(send(&portals, DEAL, "a", "one").await, REFUSED);
    }

    #[tokio::test]
    async fn from_before_a_reinstallation_is_rejected_even_if_it_comes_after_it() {
        let (portals, _) = portals(InstallPolicy::trust_on_first_use());
        for ts in [100, 300] {
            let install = body_at(ts, INSTALL, "a", "one");
            assert_eq!(outcome_of(&portals, install).await, Ok(()));
        }
        let late = body_at(200, UNINSTALL, "a", "one");
        assert_eq!(outcome_of(&portals, late).await, REFUSED);
        assert_eq!(send(&portals, DEAL, "a", "one").await, Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn is_forgotten_even_if_the_sender_hangs_up() {
        let (portals, store) = portals(InstallPolicy::reject());
        portals.set_token("a", &secret("one")).await.unwrap();
        let envelope = Envelope::scan(body(UNINSTALL, "a", "one")).unwrap();
        let event = Event::verify(envelope, &portals).await.unwrap();
        store.is(Health::Slow(Duration::from_millis(10))).await;
        let settled = event.mark_handled(&portals);
        let hung_up = tokio::time::timeout(Duration::from_millis(5), settled).await;
        assert!(hung_up.is_err());
        tokio::time::sleep(Duration::from_millis(100)).await;
        store.is(Health::Well).await;
        assert_eq!(send(&portals, DEAL, "a", "one").await, REFUSED);
    }

    #[tokio::test]
    async fn needs_the_current_token_of_the_application() {
        let (portals, _) = portals(InstallPolicy::reject());
        portals.set_token("a", &secret("old")).await.unwrap();
        portals.set_token("a", &secret("new")).await.unwrap();
        portals.add_webhook("a", &secret("hook")).await.unwrap();
        for token in ["old", "hook", "guess"] {
            assert_eq!(send(&portals, UNINSTALL, "a", token).await, REFUSED);
        }
        assert_eq!(send(&portals, DEAL, "a", "old").await, Ok(()));
        assert_eq!(send(&portals, UNINSTALL, "a", "new").await, Ok(()));
        for token in ["old", "new"] {
            assert_eq!(send(&portals, DEAL, "a", token).await, REFUSED);
        }
    }

    #[tokio::test]
    async fn leaves_other_portals_and_the_portals_webhooks() {
        let (portals, _) = portals(InstallPolicy::reject());
        portals.set_token("a", &secret("one")).await.unwrap();
        portals.set_token("b", &secret("two")).await.unwrap();
        portals.add_webhook("a", &secret("hook")).await.unwrap();
        assert_eq!(send(&portals, UNINSTALL, "a", "two").await, REFUSED);
        assert_eq!(send(&portals, UNINSTALL, "a", "one").await, Ok(()));
        assert_eq!(send(&portals, DEAL, "b", "two").await, Ok(()));
        assert_eq!(send(&portals, DEAL, "a", "hook").await, Ok(()));
    }

    #[tokio::test]
    async fn is_answered_as_the_handler_answers_even_if_the_store_cannot_forget() {
        let (portals, store) = portals(InstallPolicy::reject());
        portals.set_token("a", &secret("one")).await.unwrap();
        let envelope = Envelope::scan(body(UNINSTALL, "a", "one")).unwrap();
        let event = Event::verify(envelope, &portals).await.unwrap();
        store.is(Health::Down).await;
        event.mark_handled(&portals).await;
        store.is(Health::Well).await;
        // It can be told again.
        assert_eq!(send(&portals, DEAL, "a", "one").await, Ok(()));
        assert_eq!(send(&portals, UNINSTALL, "a", "one").await, Ok(()));
        assert_eq!(send(&portals, DEAL, "a", "one").await, REFUSED);
    }

    #[tokio::test]
    async fn is_not_undone_by_an_installation_that_came_before_it() {
        let (portals, _) = portals(InstallPolicy::trust_on_first_use());
        let install = Envelope::scan(body_at(300, INSTALL, "a", "one")).unwrap();
        // Reinstalled while the handler of the uninstallation still works.
        let first = body_at(100, INSTALL, "a", "one");
        assert_eq!(outcome_of(&portals, first).await, Ok(()));
        let uninstall = Envelope::scan(body_at(200, UNINSTALL, "a", "one")).unwrap();
        let event = Event::verify(uninstall, &portals).await.unwrap();
        portals.remove_portal("a").await.unwrap();
        Event::verify(install, &portals).await.unwrap();
        event.mark_handled(&portals).await;
        assert_eq!(send(&portals, DEAL, "a", "one").await, Ok(()));
    }
}

mod a_store_that_fails {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn is_no_wrong_token() {
        let (portals, store) = portals(InstallPolicy::trust_on_first_use());
        portals.set_token("a", &secret("one")).await.unwrap();
        for health in [Health::Down, Health::Silent, Health::Slow(MINUTE)] {
            store.is(health).await;
            for code in [DEAL, INSTALL, UPDATE, UNINSTALL] {
                for token in ["one", "guess"] {
                    assert_eq!(send(&portals, code, "a", token).await, UNAVAILABLE);
                }
            }
            let recorded = portals.set_token("a", &secret("two")).await;
            assert_eq!(kind(recorded), PortalsErrorKind::Unavailable);
        }
        store.is(Health::Well).await;
        assert_eq!(send(&portals, DEAL, "a", "one").await, Ok(()));
        assert_eq!(send(&portals, DEAL, "a", "two").await, REFUSED);
    }

    #[tokio::test(start_paused = true)]
    async fn is_waited_for_until_the_time_is_over_and_no_longer() {
        let (portals, store) = portals(InstallPolicy::reject());
        let portals = portals.store_timeout(Duration::from_secs(3));
        portals.set_token("a", &secret("one")).await.unwrap();
        let began = tokio::time::Instant::now();
        store.is(Health::Slow(Duration::from_millis(2_900))).await;
        assert_eq!(send(&portals, DEAL, "a", "one").await, Ok(()));
        assert_eq!(began.elapsed(), Duration::from_millis(2_900));
        store.is(Health::Silent).await;
        assert_eq!(send(&portals, DEAL, "a", "one").await, UNAVAILABLE);
        assert_eq!(began.elapsed(), Duration::from_millis(5_900));
    }

    #[tokio::test]
    async fn is_answered_503_and_named_to_the_application_alone() {
        let (portals, store) = portals(InstallPolicy::reject());
        store.is(Health::Down).await;
        let service = ServiceBuilder::new()
            .layer(EventLayer::new(portals))
            .service(service_fn(async |_: Request<EventBody<Full<Bytes>>>| {
                Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::default()))
            }));
        let response = service
            .oneshot(post(Full::from(body(DEAL, "a", "one"))))
            .await;
        let response = response.unwrap();
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        let rejection = response.extensions().get::<tower_bitrix24::Rejection>();
        let source = std::error::Error::source(rejection.unwrap()).unwrap();
        assert_eq!(source.to_string(), "the database is down");
        let body = http_body_util::BodyExt::collect(response.into_body()).await;
        let text = String::from_utf8(body.unwrap().to_bytes().to_vec()).unwrap();
        assert_eq!(text, "the application token cannot be verified now\n");
    }
}

mod what_the_application_records {
    use super::*;

    #[tokio::test]
    async fn is_accepted_beside_the_earlier_token_for_the_grace() {
        for (grace, outcome) in [(MINUTE, Ok(())), (Duration::ZERO, REFUSED)] {
            let (portals, _) = portals(InstallPolicy::reject());
            let portals = portals.grace_period(grace);
            portals.set_token("a", &secret("one")).await.unwrap();
            portals.set_token("a", &secret("two")).await.unwrap();
            assert_eq!(send(&portals, DEAL, "a", "two").await, Ok(()));
            assert_eq!(send(&portals, DEAL, "a", "one").await, outcome);
            // And back again.
            portals.set_token("a", &secret("one")).await.unwrap();
            assert_eq!(send(&portals, DEAL, "a", "one").await, Ok(()));
        }
    }

    #[tokio::test]
    async fn is_of_the_time_when_it_was_recorded() {
        let (portals, store) = portals(InstallPolicy::trust_on_first_use());
        portals.set_token("a", &secret("one")).await.unwrap();
        let page = Installation::new("b", secret("one"));
        portals.install(page).await.unwrap();
        for member_id in ["a", "b"] {
            let before = body_at(now() - 60, UNINSTALL, member_id, "one");
            assert_eq!(outcome_of(&portals, before).await, REFUSED);
            assert_eq!(send(&portals, UNINSTALL, member_id, "one").await, Ok(()));
        }
        // It is the current one, even if the clock of an earlier one was ahead.
        let ahead = PortalToken::new(TokenKind::Application, secret("plain:ahead"));
        let ahead = ahead.with_issued_at(now() + 3_600);
        let added = store.store.compare_exchange("a", &[], &[ahead]).await;
        assert!(added.unwrap());
        portals.set_token("a", &secret("two")).await.unwrap();
        let uninstall = body_at(now() + 3_600, UNINSTALL, "a", "two");
        assert_eq!(outcome_of(&portals, uninstall).await, Ok(()));
    }

    #[tokio::test]
    async fn as_a_webhooks_token_stays_the_applications_if_it_is_that() {
        let (portals, _) = portals(InstallPolicy::reject());
        portals.set_token("a", &secret("one")).await.unwrap();
        portals.add_webhook("a", &secret("one")).await.unwrap();
        assert_eq!(send(&portals, UNINSTALL, "a", "one").await, Ok(()));
    }

    #[tokio::test]
    async fn can_be_forgotten_one_by_one_or_whole() {
        let (portals, _) = portals(InstallPolicy::reject());
        portals.set_token("a", &secret("one")).await.unwrap();
        portals.add_webhook("a", &secret("hook")).await.unwrap();
        assert!(portals.remove_token("a", &secret("hook")).await.unwrap());
        assert!(!portals.remove_token("a", &secret("hook")).await.unwrap());
        assert_eq!(send(&portals, DEAL, "a", "hook").await, REFUSED);
        assert_eq!(send(&portals, DEAL, "a", "one").await, Ok(()));
        assert!(portals.remove_portal("a").await.unwrap());
        assert!(!portals.remove_portal("a").await.unwrap());
        assert_eq!(send(&portals, DEAL, "a", "one").await, REFUSED);
    }

    #[tokio::test]
    async fn leaves_no_ended_token_behind() {
        let (portals, store) = portals(InstallPolicy::reject());
        let portals = portals.grace_period(Duration::ZERO);
        for token in ["one", "two", "three", "four"] {
            portals.set_token("a", &secret(token)).await.unwrap();
        }
        assert!(store.store.tokens("a").await.unwrap().len() <= 2);
    }
}

mod a_token_key {
    use super::*;

    fn hashed(store: &Arc<Watched>, key: u8) -> Watching {
        PortalVerifier::new(store.clone())
            .install_policy(InstallPolicy::trust_on_first_use())
            .hash_tokens(TokenKey::new([key; 32]).unwrap())
    }

    #[tokio::test]
    async fn keeps_every_token_out_of_the_store() {
        let store = Watched::new();
        let portals = hashed(&store, 7);
        assert_eq!(send(&portals, INSTALL, "a", "canary").await, Ok(()));
        portals.set_token("a", &secret("canary2")).await.unwrap();
        portals.add_webhook("a", &secret("canary3")).await.unwrap();
        let tokens = store.store.tokens("a").await.unwrap();
        assert_eq!(tokens.len(), 3);
        for token in tokens {
            assert!(!token.encoded().expose().contains("canary"));
            // Whoever has read the store has nothing to send.
            let stored = token.encoded().expose();
            assert_eq!(send(&portals, DEAL, "a", stored).await, REFUSED);
        }
        for token in ["canary", "canary2", "canary3"] {
            assert_eq!(send(&portals, DEAL, "a", token).await, Ok(()));
        }
        assert!(portals.remove_token("a", &secret("canary3")).await.unwrap());
        assert_eq!(send(&portals, DEAL, "a", "canary3").await, REFUSED);
        assert_eq!(send(&portals, UNINSTALL, "a", "canary2").await, Ok(()));
        assert!(store.store.tokens("a").await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn can_be_introduced_and_cannot_be_changed() {
        let store = Watched::new();
        let plain = PortalVerifier::new(store.clone());
        plain.set_token("a", &secret("one")).await.unwrap();
        let portals = hashed(&store, 7);
        assert_eq!(send(&portals, DEAL, "a", "one").await, Ok(()));
        assert!(portals.remove_token("a", &secret("one")).await.unwrap());
        portals.set_token("a", &secret("one")).await.unwrap();
        assert_eq!(send(&plain, DEAL, "a", "one").await, REFUSED);
        assert_eq!(send(&hashed(&store, 8), DEAL, "a", "one").await, REFUSED);
        assert_eq!(send(&portals, DEAL, "a", "one").await, Ok(()));
    }
}

#[tokio::test]
async fn nothing_that_is_shown_has_a_token() {
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

#[cfg(feature = "cache")]
mod a_cache {
    use tower_bitrix24::portals::TokenCache;

    use super::*;

    fn cached(policy: InstallPolicy) -> (Watching, Arc<Watched>) {
        let (portals, store) = portals(policy);
        (portals.cache(TokenCache::new()), store)
    }

    #[tokio::test(start_paused = true)]
    async fn makes_one_query_of_a_thousand_events_at_once() {
        let (portals, store) = cached(InstallPolicy::reject());
        portals.set_token("a", &secret("one")).await.unwrap();
        // The first one is noted down.
        assert_eq!(send(&portals, DEAL, "a", "one").await, Ok(()));
        tokio::time::advance(MINUTE).await;
        store.is(Health::Slow(Duration::from_millis(20))).await;
        store.asked();
        let sent = (0..1_000).map(|_| send(&portals, DEAL, "a", "one"));
        assert!(join_all(sent).await.iter().all(Result::is_ok));
        assert_eq!(store.asked(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn asks_at_most_once_a_second_about_wrong_tokens_and_unknown_portals() {
        let (portals, store) = cached(InstallPolicy::trust_on_first_use());
        portals.set_token("a", &secret("one")).await.unwrap();
        store.asked();
        for _ in 0..100 {
            assert_eq!(send(&portals, DEAL, "a", "guess").await, REFUSED);
            assert_eq!(send(&portals, DEAL, "b", "guess").await, REFUSED);
        }
        assert_eq!(store.asked(), 2);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(send(&portals, DEAL, "a", "guess").await, REFUSED);
        assert_eq!(store.asked(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn is_over_after_its_time() {
        let (portals, store) = cached(InstallPolicy::reject());
        portals.set_token("a", &secret("one")).await.unwrap();
        assert_eq!(send(&portals, DEAL, "a", "one").await, Ok(()));
        // Another process forgets the portal.
        store.remove("a").await;
        tokio::time::advance(Duration::from_secs(59)).await;
        assert_eq!(send(&portals, DEAL, "a", "one").await, Ok(()));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(send(&portals, DEAL, "a", "one").await, REFUSED);
    }

    #[tokio::test(start_paused = true)]
    async fn learns_of_another_processs_token_within_a_second() {
        let (portals, store) = cached(InstallPolicy::reject());
        portals.set_token("a", &secret("one")).await.unwrap();
        assert_eq!(send(&portals, DEAL, "a", "two").await, REFUSED);
        let other = PortalVerifier::new(store.clone());
        other.set_token("a", &secret("two")).await.unwrap();
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(send(&portals, DEAL, "a", "two").await, Ok(()));
    }

    #[tokio::test]
    async fn is_outdated_by_what_happens_to_the_portal() {
        let (portals, _) = cached(InstallPolicy::trust_on_first_use());
        assert_eq!(send(&portals, DEAL, "a", "one").await, REFUSED);
        assert_eq!(send(&portals, INSTALL, "a", "one").await, Ok(()));
        assert_eq!(send(&portals, DEAL, "a", "one").await, Ok(()));
        assert_eq!(send(&portals, UNINSTALL, "a", "one").await, Ok(()));
        assert_eq!(send(&portals, DEAL, "a", "one").await, REFUSED);
        portals.add_webhook("a", &secret("hook")).await.unwrap();
        assert_eq!(send(&portals, DEAL, "a", "hook").await, Ok(()));
        portals.remove_token("a", &secret("hook")).await.unwrap();
        assert_eq!(send(&portals, DEAL, "a", "hook").await, REFUSED);
        portals.set_token("a", &secret("two")).await.unwrap();
        assert_eq!(send(&portals, DEAL, "a", "two").await, Ok(()));
        portals.remove_portal("a").await.unwrap();
        assert_eq!(send(&portals, DEAL, "a", "two").await, REFUSED);
    }

    #[tokio::test(start_paused = true)]
    async fn that_was_loaded_while_the_portal_changed_is_not_used() {
        let (portals, store) = cached(InstallPolicy::reject());
        store.is(Health::Slow(Duration::from_millis(20))).await;
        let early = send(&portals, DEAL, "a", "one");
        let recorded = async {
            // While the query of the event is on its way.
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
    async fn does_not_decide_over_installations() {
        let (one, store) = cached(InstallPolicy::trust_on_first_use());
        let other = PortalVerifier::new(store.clone());
        one.set_token("a", &secret("one")).await.unwrap();
        assert_eq!(send(&one, DEAL, "a", "one").await, Ok(()));
        // Another process handles the uninstallation, this one the installation after it.
        assert_eq!(send(&other, UNINSTALL, "a", "one").await, Ok(()));
        assert_eq!(send(&one, INSTALL, "a", "one").await, Ok(()));
        assert_eq!(send(&other, DEAL, "a", "one").await, Ok(()));

        assert_eq!(send(&one, DEAL, "a", "one").await, Ok(()));
        other.remove_portal("a").await.unwrap();
        assert_eq!(send(&one, UNINSTALL, "a", "one").await, REFUSED);
    }

    #[tokio::test(start_paused = true)]
    async fn lets_nobody_wait_longer_than_one_query_may_take() {
        let (portals, store) = cached(InstallPolicy::reject());
        portals.set_token("a", &secret("one")).await.unwrap();
        store.asked();
        for (health, seconds, outcome) in [
            (Health::Silent, 2, UNAVAILABLE),
            (Health::Slow(Duration::from_millis(1_500)), 2, REFUSED),
        ] {
            store.is(health).await;
            let began = tokio::time::Instant::now();
            let sent = (0..100).map(|_| send(&portals, DEAL, "a", "guess"));
            assert!(join_all(sent).await.iter().all(|sent| *sent == outcome));
            assert!(began.elapsed() <= Duration::from_secs(seconds));
            assert_eq!(store.asked(), 1);
        }
        assert_eq!(send(&portals, DEAL, "a", "one").await, Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn goes_on_where_the_one_that_asks_is_given_up() {
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
    async fn of_one_portal_outlives_the_changes_of_others() {
        let (portals, store) = cached(InstallPolicy::trust_on_first_use());
        portals.set_token("a", &secret("one")).await.unwrap();
        assert_eq!(send(&portals, DEAL, "a", "one").await, Ok(()));
        for member_id in ["b", "c", "d"] {
            assert_eq!(send(&portals, INSTALL, member_id, "x").await, Ok(()));
        }
        store.asked();
        assert_eq!(send(&portals, DEAL, "a", "one").await, Ok(()));
        assert_eq!(store.asked(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn is_asked_again_after_a_change_that_was_given_up() {
        let (portals, store) = cached(InstallPolicy::reject());
        portals.set_token("a", &secret("one")).await.unwrap();
        assert_eq!(send(&portals, DEAL, "a", "one").await, Ok(()));
        // The change reaches the database, its answer nobody.
        store.remove("a").await;
        store.is(Health::Silent).await;
        let token = secret("one");
        let change = portals.remove_token("a", &token);
        let given_up = tokio::time::timeout(Duration::from_millis(10), change).await;
        assert!(given_up.is_err());
        store.is(Health::Well).await;
        assert_eq!(send(&portals, DEAL, "a", "one").await, REFUSED);
    }

    #[tokio::test]
    async fn may_be_told_to_remember_for_ever() {
        let (portals, _) = portals(InstallPolicy::reject());
        let portals = portals.cache(TokenCache::new().ttl(Duration::MAX));
        portals.set_token("a", &secret("one")).await.unwrap();
        assert_eq!(send(&portals, DEAL, "a", "one").await, Ok(()));
    }

    #[tokio::test]
    async fn is_not_outdated_by_installations_that_are_rejected() {
        let (portals, store) = cached(InstallPolicy::trust_on_first_use());
        portals.set_token("a", &secret("one")).await.unwrap();
        assert_eq!(send(&portals, DEAL, "a", "one").await, Ok(()));
        for code in [INSTALL, UPDATE, UNINSTALL] {
            assert_eq!(send(&portals, code, "a", "forged").await, REFUSED);
        }
        store.asked();
        assert_eq!(send(&portals, DEAL, "a", "one").await, Ok(()));
        assert_eq!(store.asked(), 0);
    }

    #[tokio::test]
    async fn tells_everybody_who_waited_why_the_store_failed() {
        let (portals, store) = cached(InstallPolicy::reject());
        store.is(Health::Down).await;
        let verify = || async {
            let envelope = Envelope::scan(body(DEAL, "a", "one")).unwrap();
            let error = Event::verify(envelope, &portals).await.unwrap_err();
            std::error::Error::source(&error).unwrap().to_string()
        };
        for told in join_all((0..3).map(|_| verify())).await {
            assert_eq!(told, "the database is down");
        }
    }

    #[tokio::test]
    async fn remembers_no_failure() {
        let (portals, store) = cached(InstallPolicy::reject());
        portals.set_token("a", &secret("one")).await.unwrap();
        store.is(Health::Down).await;
        assert_eq!(send(&portals, DEAL, "a", "one").await, UNAVAILABLE);
        store.is(Health::Well).await;
        assert_eq!(send(&portals, DEAL, "a", "one").await, Ok(()));
        store.is(Health::Down).await;
        assert_eq!(send(&portals, DEAL, "a", "one").await, Ok(()));
        assert_eq!(send(&portals, DEAL, "b", "one").await, UNAVAILABLE);
    }

    #[tokio::test(start_paused = true)]
    async fn keeps_accepting_what_it_knows_while_the_store_is_down_for_a_time() {
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
                // Nobody is rejected by it, and installations are not decided by it.
                for (code, token) in [(DEAL, "guess"), (INSTALL, "one"), (UNINSTALL, "one")] {
                    assert_eq!(send(&portals, code, "a", token).await, UNAVAILABLE);
                }
                assert_eq!(send(&portals, DEAL, "b", "one").await, UNAVAILABLE);
            }
            tokio::time::advance(Duration::from_secs(hour)).await;
            assert_eq!(send(&portals, DEAL, "a", "one").await, UNAVAILABLE);
            store.is(Health::Well).await;
            assert_eq!(send(&portals, DEAL, "a", "one").await, Ok(()));
            assert_eq!(send(&portals, DEAL, "a", "guess").await, REFUSED);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn that_is_stale_has_nothing_that_this_process_removed_or_that_has_ended() {
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
        // The store did not hear of it, but this process did.
        gone.mark_handled(&portals).await;
        // By the clock of the wall, which is not paused.
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
    async fn keeps_a_token_that_could_not_be_noted_down_as_used() {
        let (portals, store) = cached(InstallPolicy::reject());
        portals.set_token("a", &secret("one")).await.unwrap();
        // A token that no event has come with, remembered for a rejection.
        assert_eq!(send(&portals, DEAL, "a", "guess").await, REFUSED);
        store.is(Health::Down).await;
        for _ in 0..3 {
            tokio::time::advance(MINUTE).await;
            assert_eq!(send(&portals, DEAL, "a", "one").await, Ok(()));
        }
        store.is(Health::Well).await;
        assert_eq!(send(&portals, DEAL, "a", "one").await, Ok(()));
        assert!(store.store.tokens("a").await.unwrap()[0].used().is_some());
    }

    #[tokio::test]
    async fn of_a_few_portals_forgets_others_and_asks_again() {
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
        assert!(store.asked() > 200);
    }
}
