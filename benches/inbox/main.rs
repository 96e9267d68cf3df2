//! The inbox in a SQLite file and in PostgreSQL: accepting, over HTTP, working off. Ratios are of one run.
//!
//! `cargo bench -p benches --features inbox --bench inbox` prints the tables; `-- accept`, `-- http` and
//! `-- work` print one each, `-- accept 128` that of 128 senders. `wrk` must be installed for `http` (Debian's package `wrk`). The files are
//! in the directory for temporary files: `TMPDIR` sets another, which must not be in memory.
//!
//! With `--features inbox-postgres` and a server at `BITRIX24_TEST_POSTGRES`, `-- postgres` prints the
//! tables of accepting and working off in schemas of its own.

mod accept;
mod http;
#[cfg(feature = "inbox-postgres")]
mod postgres;
mod work;

use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use ::http::Request;
use bytes::Bytes;
use http_body_util::Full;
use tempfile::TempDir;
use tower::ServiceExt;
use tower_bitrix24::event::DedupKey;
use tower_bitrix24::inbox::{Entry, Inbox, InboxKey, InboxStore, Receive, SqliteInbox};
use tower_bitrix24::{ApplicationToken, Envelope, Event};

const TOKEN: &str = "51856fefc120afa4b628cc82d3935cce";
const PATH: &str = "/bitrix24/events";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let ["serve", server, file] = arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        http::serve(server, file);
        return ExitCode::SUCCESS;
    }
    let named = ["accept", "http", "work"].map(|name| arguments.iter().any(|given| given == name));
    let runs = |at: usize| named[at] || !named.contains(&true);
    let runtime = runtime();
    let given = arguments.iter().filter_map(|given| given.parse().ok());
    let mut senders: Vec<usize> = given.collect();
    if senders.is_empty() {
        senders = vec![1, 16, 128];
    }
    if arguments.iter().any(|given| given == "postgres") {
        #[cfg(feature = "inbox-postgres")]
        runtime.block_on(postgres::measure(&senders));
        return ExitCode::SUCCESS;
    }
    if runs(0) {
        runtime.block_on(accept::measure("SQLite", sqlite, &senders));
    }
    if runs(1) && !http::measure() {
        return ExitCode::FAILURE;
    }
    if runs(2) {
        runtime.block_on(work::measure("SQLite", sqlite));
    }
    ExitCode::SUCCESS
}

fn runtime() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(2).enable_all().build().unwrap()
}

/// An empty store.
struct Opened<S> {
    store: S,
    /// Removed at the end.
    _directory: Option<TempDir>,
}

async fn sqlite() -> Opened<SqliteInbox> {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("inbox.sqlite");
    Opened {
        store: SqliteInbox::open(file).await.unwrap(),
        _directory: Some(directory),
    }
}

fn inbox<S: InboxStore + 'static>(store: S) -> Inbox<S> {
    Inbox::builder(store, InboxKey::new([7; 32])).build()
}

/// Returns a number that no other call returns.
fn number() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

const PORTALS: u64 = 50;

/// Returns a portal, at random, and the next of its deals: the events of a portal are about its newest
/// objects, whose ids rise one by one.
fn next_deal() -> (u64, u64) {
    static DEALS: [AtomicU64; PORTALS as usize] =
        [const { AtomicU64::new(100_001) }; PORTALS as usize];
    let portal = scattered(number()) % PORTALS;
    let deals = &DEALS[usize::try_from(portal).unwrap()];
    (portal, deals.fetch_add(1, Ordering::Relaxed))
}

/// Returns a number that looks random (splitmix64).
fn scattered(number: u64) -> u64 {
    let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// Returns the time in unix seconds, as portals send it.
fn unix_seconds() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    now.unwrap().as_secs()
}

/// The form of an update of a deal, about 600 bytes as a portal sends it.
fn form(portal: u64, deal: u64, ts: u64) -> String {
    format!(
        "event=ONCRMDEALUPDATE&event_handler_id=1&data%5BFIELDS%5D%5BID%5D={deal}&ts={ts}\
         &auth%5Baccess_token%5D={access}&auth%5Bexpires_in%5D=3600&auth%5Bscope%5D=crm\
         &auth%5Bdomain%5D=portal-{portal}.bitrix24.com\
         &auth%5Bserver_endpoint%5D=https%3A%2F%2Foauth.bitrix.info%2Frest%2F\
         &auth%5Bstatus%5D=L\
         &auth%5Bclient_endpoint%5D=https%3A%2F%2Fportal-{portal}.bitrix24.com%2Frest%2F\
         &auth%5Bmember_id%5D=a223c6b3710f85df22e9377d{portal:08}&auth%5Brefresh_token%5D={access}\
         &auth%5Bapplication_token%5D={TOKEN}",
        access = "s6p6eclrvim6da22ft9ch94ekreb52lv"
    )
}

/// Verifies an event, hands it to the service that stores it and waits for the response.
async fn send(receive: &Receive, form: String) {
    let token = ApplicationToken::new(TOKEN).unwrap();
    let envelope = Envelope::scan(form).unwrap();
    let event = Event::verify(envelope, &token).await.unwrap();
    let mut request = Request::post(PATH).body(Full::<Bytes>::default()).unwrap();
    request.extensions_mut().insert(event);
    let response = receive.clone().oneshot(request).await.unwrap();
    assert_eq!(response.status(), 200);
}

/// The entry of a [`form`] of the [`next_deal`], without the work of making it.
fn entry() -> Entry {
    let (portal, deal) = next_deal();
    let mut key = [0; 32];
    key[..8].copy_from_slice(&scattered(number()).to_be_bytes());
    let mut lane = [0; 32];
    lane[..8].copy_from_slice(&scattered(portal).to_be_bytes());
    lane[24..].copy_from_slice(&deal.to_be_bytes());
    Entry {
        key: DedupKey::from_bytes(key),
        lane: Some(lane),
        merge: None,
        once: false,
        member_id: format!("a223c6b3710f85df22e9377d{portal:08}"),
        code: "ONCRMDEALUPDATE".to_owned(),
        subject: format!("crm.deal {deal}"),
        handler_id: Some(1),
        timestamp: Some(unix_seconds().cast_signed()),
        format: tower_bitrix24::inbox::FORMAT,
        key_id: Some(1),
        body: Bytes::from_static(&[b'x'; 680]),
    }
}

/// Returns the bytes that this process has written to files, if the system counts them.
fn written() -> f64 {
    let counts = std::fs::read_to_string("/proc/self/io").unwrap_or_default();
    let mut lines = counts.lines();
    let written = lines.find_map(|line| line.strip_prefix("wchar: "));
    written
        .and_then(|count| count.parse().ok())
        .unwrap_or(f64::NAN)
}

fn load_average() -> String {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or_default();
    format!("load average {load}")
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
