//! The inboxes in databases: their contract, and what is left of a 200 after a crash, a loss of power,
//! a full disk and a failing sync.

#[cfg(target_os = "linux")]
mod child;
#[cfg(target_os = "linux")]
mod crash;
#[cfg(target_os = "linux")]
mod faults;
#[cfg(target_os = "linux")]
mod locks;
#[path = "../../it/inbox/model.rs"]
mod model;
#[cfg(unix)]
mod moved;
mod packs;
#[cfg(feature = "postgres")]
mod postgres;
mod races;
mod rows;
#[cfg(feature = "postgres")]
mod settings;
#[cfg(target_os = "linux")]
#[path = "../shim.rs"]
mod shim;
#[cfg(feature = "postgres")]
mod versions;
mod worker;

use std::convert::Infallible;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use tower::{ServiceBuilder, ServiceExt};
use tower_bitrix24::inbox::{
    Accept, Filter, Inbox, InboxKey, InboxStore, Record, SqliteInbox, Stats,
};
use tower_bitrix24::testing::inbox_conformance;
use tower_bitrix24::{ApplicationToken, EventLayer};

const TOKEN: &str = "canary-application";

fn key() -> InboxKey {
    InboxKey::new([7; 32])
}

/// An empty directory, removed with what is in it.
struct Directory(tempfile::TempDir);

impl Directory {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self) -> PathBuf {
        self.0.path().canonicalize().unwrap().join("inbox.sqlite")
    }
}

/// Returns a number of rounds, which the environment can raise.
fn rounds(short: usize) -> usize {
    let rounds = std::env::var("BITRIX24_TEST_ROUNDS").map(|rounds| rounds.parse());
    rounds.map_or(short, |rounds| rounds.expect("a number of rounds"))
}

fn form(code: &str, id: u64, ts: u64, portal: &str) -> String {
    format!(
        "event={code}&event_handler_id=1&data[FIELDS][ID]={id}&ts={ts}&auth[member_id]={portal}\
         &auth[access_token]=canary-access&auth[application_token]={TOKEN}"
    )
}

/// Sends a form through the layer and returns the status.
async fn send<S: Accept + 'static>(inbox: &Inbox<S>, form: String) -> u16 {
    let layer = EventLayer::new(ApplicationToken::new(TOKEN).unwrap());
    let service = ServiceBuilder::new().layer(layer).service(inbox.receive());
    let request = Request::post("/bitrix24/events?secret=canary-query")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Full::<Bytes>::from(form))
        .unwrap();
    service.oneshot(request).await.unwrap().status().as_u16()
}

fn respond(status: u16) -> Result<Response<Full<Bytes>>, Infallible> {
    let response = Response::builder().status(status);
    Ok(response.body(Full::default()).unwrap())
}

/// Waits until the stats are as wanted, for two minutes at most.
async fn wait_for<S>(store: &S, wanted: impl Fn(&Stats) -> bool) -> Stats
where
    S: InboxStore<Error: std::fmt::Debug>,
{
    let mut stats = Stats::new();
    for _ in 0..12_000 {
        stats = store.stats().await.unwrap();
        if wanted(&stats) {
            return stats;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{stats:?}");
}

/// Returns all entries.
async fn records<S>(store: &S) -> Vec<Record>
where
    S: InboxStore<Error: std::fmt::Debug>,
{
    let mut all: Vec<Record> = Vec::new();
    loop {
        let filter = Filter::new().after(all.last().map_or(0, |last| last.seq));
        let page = store.list(&filter, 1000).await.unwrap();
        if page.is_empty() {
            return all;
        }
        all.extend(page);
    }
}

#[tokio::test]
async fn sqlite_inbox_conforms() {
    let directory = Directory::new();
    let store = SqliteInbox::open(directory.file()).await.unwrap();
    inbox_conformance::check(&store).await.unwrap();
    store.close().await;
}
