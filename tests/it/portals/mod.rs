//! Many portals behind one layer: whose events are accepted, who may add or replace a token, and
//! the effect of a failing store.

mod cache;
mod changes;
mod events;
mod install;
mod introspected_install;
mod introspection;
mod set_token;
mod store_conformance;
mod store_failure;
mod token_key;
mod uninstall;
mod user_ready;

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
use tower_bitrix24::{Envelope, Event, EventLayer, Secret, VerifyError};

const MINUTE: Duration = Duration::from_secs(60);

#[derive(Clone, Copy, PartialEq)]
enum Health {
    Well,
    Down,
    Silent,
    /// Responds after this time.
    Slow(Duration),
}

/// A store in memory that can fail, and counts its calls.
struct Watched {
    store: MemoryStore,
    health: Mutex<Health>,
    calls: AtomicUsize,
}

impl Watched {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            store: MemoryStore::new(),
            health: Mutex::new(Health::Well),
            calls: AtomicUsize::new(0),
        })
    }

    async fn is(&self, health: Health) {
        *self.health.lock().await = health;
    }

    fn take_calls(&self) -> usize {
        self.calls.swap(0, Ordering::Relaxed)
    }

    /// Removes the portal, as another process does.
    async fn remove(&self, member_id: &str) {
        let Ok(known) = self.store.tokens(member_id).await;
        let removed = self.store.compare_exchange(member_id, &known, &[]).await;
        assert!(removed.unwrap());
    }

    async fn respond<T>(
        &self,
        response: impl Future<Output = Result<T, std::convert::Infallible>>,
    ) -> Result<T, &'static str> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let health = *self.health.lock().await;
        match health {
            Health::Well => {}
            Health::Down => return Err("the database is down"),
            Health::Silent => pending().await,
            Health::Slow(time) => tokio::time::sleep(time).await,
        }
        Ok(response.await.unwrap())
    }
}

impl TokenStore for Watched {
    type Error = &'static str;

    async fn tokens(&self, member_id: &str) -> Result<Vec<PortalToken>, Self::Error> {
        self.respond(self.store.tokens(member_id)).await
    }

    async fn compare_exchange(
        &self,
        member_id: &str,
        expected: &[PortalToken],
        tokens: &[PortalToken],
    ) -> Result<bool, Self::Error> {
        let call = self.store.compare_exchange(member_id, expected, tokens);
        self.respond(call).await
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

fn now() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap().as_secs().try_into().unwrap()
}

/// Returns the body of an event that happens now.
fn body(code: &str, member_id: &str, token: &str) -> String {
    body_at(now(), code, member_id, token)
}

fn body_at(ts: i64, code: &str, member_id: &str, token: &str) -> String {
    format!(
        "event={code}&data[FIELDS][ID]=1&ts={ts}\
         &auth[member_id]={member_id}&auth[application_token]={token}"
    )
}

/// Returns the outcome of an event that is verified, then handled successfully.
async fn outcome_of(portals: &Watching, body: String) -> Result<(), VerifyErrorKind> {
    let verified = Event::verify(Envelope::scan(body).unwrap(), portals).await;
    let event = verified.map_err(|error: VerifyError| error.kind())?;
    event.mark_handled(portals).await;
    // A separate task records that the token is used.
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
const REJECTED: Result<(), VerifyErrorKind> = Err(VerifyErrorKind::Rejected);
const UNAVAILABLE: Result<(), VerifyErrorKind> = Err(VerifyErrorKind::Unavailable);

fn secret(text: &str) -> Secret {
    Secret::new(text)
}

fn kind<T: std::fmt::Debug>(result: Result<T, PortalsError>) -> PortalsErrorKind {
    result.unwrap_err().kind()
}
