//! The contents of the file: nothing that can be read or forged, and tables of earlier and later versions.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, Row};
use tower::service_fn;
use tower_bitrix24::Event;
use tower_bitrix24::inbox::{
    Delivery, Inbox, InboxKey, SqliteInbox, State, StoreErrorKind, Worker, WorkerRequest,
};

use super::{Directory, TOKEN, form, key, records, respond, send, wait_for};

async fn open(file: &Path) -> Inbox<SqliteInbox> {
    let store = SqliteInbox::open(file).await.unwrap();
    Inbox::builder(store, key()).build()
}

/// Changes the file as somebody who can write to it.
async fn execute(file: &Path, sql: &str) {
    let mut connection: SqliteConnection = SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true)
        .connect()
        .await
        .unwrap();
    connection
        .execute(sqlx::raw_sql(AssertSqlSafe(sql.to_owned())))
        .await
        .unwrap();
    connection.close().await.unwrap();
}

async fn number(file: &Path, sql: &str) -> i64 {
    let options = SqliteConnectOptions::new().filename(file);
    let mut connection = options.connect().await.unwrap();
    let row = sqlx::query(AssertSqlSafe(sql.to_owned()));
    let number = row.fetch_one(&mut connection).await.unwrap().get(0);
    connection.close().await.unwrap();
    number
}

/// Gives each entry its row, as the next claim does.
async fn place(inbox: &Inbox<SqliteInbox>) {
    inbox.stats().await.unwrap();
}

/// Starts a worker whose handler keeps the sequence numbers that it sees.
fn work(inbox: &Inbox<SqliteInbox>, status: u16) -> (Worker, Arc<Mutex<Vec<i64>>>) {
    let seen: Arc<Mutex<Vec<i64>>> = Arc::default();
    let kept = seen.clone();
    let service = service_fn(move |request: WorkerRequest| {
        let delivery = request.extensions().get::<Delivery>().unwrap();
        kept.lock().unwrap().push(delivery.seq);
        std::future::ready(respond(status))
    });
    let worker = inbox
        .worker(service)
        .poll_interval(Duration::from_millis(10));
    (worker.spawn(), seen)
}

#[tokio::test]
async fn forged_moved_and_truncated_rows_are_never_handled() {
    let changes = [
        "UPDATE bitrix24_inbox SET body = CAST(substr(body, 1, length(body) - 1) AS BLOB) WHERE seq = 1",
        "UPDATE bitrix24_inbox SET body = x'00' WHERE seq = 1",
        "UPDATE bitrix24_inbox SET body = CAST(body || x'00' AS BLOB) WHERE seq = 1",
        "UPDATE bitrix24_inbox SET body = (SELECT o.body FROM bitrix24_inbox o WHERE o.seq = 2) \
         WHERE seq = 1",
        "UPDATE bitrix24_inbox SET member_id = 'b' WHERE seq = 1",
        "UPDATE bitrix24_inbox SET code = 'ONCRMDEALDELETE' WHERE seq = 1",
        "UPDATE bitrix24_inbox SET key = randomblob(32) WHERE seq = 1",
        "UPDATE bitrix24_inbox SET format = 0 WHERE seq = 1",
        // An event is never taken for a callback.
        "UPDATE bitrix24_inbox SET format = 2 WHERE seq = 1",
        "UPDATE bitrix24_inbox SET body = randomblob(length(body)) WHERE seq = 1",
    ];
    for change in changes {
        let directory = Directory::new();
        let inbox = open(&directory.file()).await;
        for ts in 1..=2 {
            assert_eq!(send(&inbox, form("ONCRMDEALADD", ts, ts, "a")).await, 200);
        }
        place(&inbox).await;
        execute(&directory.file(), change).await;
        let (worker, seen) = work(&inbox, 200);
        wait_for(inbox.store(), |stats| stats.waiting + stats.running == 0).await;
        worker.shutdown(Duration::ZERO).await;
        assert_eq!(*seen.lock().unwrap(), [2], "{change}");
        let all = records(inbox.store()).await;
        assert_eq!(
            (all[0].state, all[1].state),
            (State::Dead, State::Done),
            "{change}"
        );
        let error = all[0].error.as_deref().unwrap();
        assert!(error.starts_with("the entry does not open"), "{error}");
    }
}

#[tokio::test]
async fn changed_packs_are_never_handled_and_delay_no_other() {
    let set_aside =
        "SELECT count(*) FROM bitrix24_inbox_accepted WHERE format = 9223372036854775807";
    let set = |entries: &str| {
        format!("UPDATE bitrix24_inbox_accepted SET entries = {entries} WHERE seq = 1024")
    };
    let replaced = |from: &str, to: &str| {
        assert_eq!(from.len(), to.len());
        let [from, to] = [from, to].map(|text| {
            let digits = text.bytes().map(|byte| format!("{byte:02X}"));
            digits.collect::<String>()
        });
        set(&format!("unhex(replace(hex(entries), '{from}', '{to}'))"))
    };
    let changes = [
        (set("x'00'"), 0),
        (
            set("CAST(substr(entries, 1, length(entries) - 1) AS BLOB)"),
            0,
        ),
        (replaced("portal-a", "portal-b"), 1),
        (replaced("ONCRMDEALADD", "ONCRMLEADADD"), 1),
    ];
    for (change, dead) in changes {
        let directory = Directory::new();
        let inbox = open(&directory.file()).await;
        for id in 1..=2 {
            let form = form("ONCRMDEALADD", id, 1, "portal-a");
            assert_eq!(send(&inbox, form).await, 200);
        }
        execute(&directory.file(), &change).await;
        let (worker, seen) = work(&inbox, 200);
        wait_for(inbox.store(), |stats| (stats.done, stats.dead) == (1, dead)).await;
        worker.shutdown(Duration::ZERO).await;
        assert_eq!(seen.lock().unwrap().len(), 1, "{change}");
        // Nothing is thrown away.
        let aside = number(&directory.file(), set_aside).await;
        assert_eq!(aside, i64::from(dead == 0), "{change}");
        let left = number(
            &directory.file(),
            "SELECT count(*) FROM bitrix24_inbox_accepted",
        )
        .await;
        assert_eq!(left, aside, "{change}");
    }
}

#[tokio::test]
async fn pack_of_a_later_format_waits_for_a_process_that_knows_it() {
    let directory = Directory::new();
    let inbox = open(&directory.file()).await;
    for id in 1..=2 {
        assert_eq!(send(&inbox, form("ONCRMDEALADD", id, 1, "a")).await, 200);
    }
    let set_format = |format: i64| {
        format!("UPDATE bitrix24_inbox_accepted SET format = {format} WHERE seq = 1024")
    };
    execute(&directory.file(), &set_format(2)).await;
    let (worker, _) = work(&inbox, 200);
    wait_for(inbox.store(), |stats| stats.done == 1).await;
    assert_eq!(records(inbox.store()).await.len(), 1);
    execute(&directory.file(), &set_format(1)).await;
    wait_for(inbox.store(), |stats| stats.done == 2).await;
    worker.shutdown(Duration::ZERO).await;
}

#[tokio::test]
async fn entry_of_an_unknown_key_waits_for_a_worker_that_has_it() {
    let directory = Directory::new();
    let inbox = open(&directory.file()).await;
    assert_eq!(send(&inbox, form("ONCRMDEALADD", 1, 1, "a")).await, 200);
    let store = inbox.store().clone();
    let stranger = Inbox::builder(store.clone(), InboxKey::new([8; 32])).build();
    let (worker, seen) = work(&stranger, 200);
    wait_for(&store, |stats| stats.blocked_lanes == 1).await;
    worker.shutdown(Duration::ZERO).await;
    assert!(seen.lock().unwrap().is_empty());
    let blocked = stranger.blocked_lanes(0, 10).await.unwrap();
    let error = blocked[0].head.error.as_deref().unwrap();
    assert!(error.starts_with("none of the inbox keys"), "{error}");

    let both = Inbox::builder(store.clone(), InboxKey::new([8; 32])).old_key(key());
    let both = both.build();
    assert!(both.retry(blocked[0].head.seq).await.unwrap());
    let (worker, _) = work(&both, 200);
    wait_for(&store, |stats| stats.done == 1).await;
    worker.shutdown(Duration::ZERO).await;
}

/// Returns the names of the files that contain the text.
fn files_with(directory: &Path, text: &str) -> Vec<String> {
    let files = std::fs::read_dir(directory).unwrap().map(Result::unwrap);
    let has = |bytes: &[u8]| {
        bytes
            .windows(text.len())
            .any(|part| part == text.as_bytes())
    };
    files
        .filter(|file| has(&std::fs::read(file.path()).unwrap()))
        .map(|file| file.file_name().into_string().unwrap())
        .collect()
}

#[tokio::test]
async fn no_secret_is_readable_in_the_file_or_its_log() {
    for is_sealed in [true, false] {
        let directory = Directory::new();
        let store = SqliteInbox::open(directory.file()).await.unwrap();
        let inbox = if is_sealed {
            Inbox::builder(store, key()).build()
        } else {
            Inbox::insecure_unsealed(store).build()
        };
        for id in 1..=20 {
            assert_eq!(send(&inbox, form("ONCRMDEALADD", id, id, "a")).await, 200);
        }
        // Errors may quote what a handler knows.
        let service = service_fn(async |request: WorkerRequest| {
            let event = request.extensions().get::<Event>().unwrap();
            let tokens = [
                event.auth().access_token(),
                event.auth().application_token(),
            ];
            let text = tokens
                .map(|token| token.unwrap().expose().to_owned())
                .join(" ");
            Err::<http::Response<String>, _>(format!("{TOKEN} failed: {text}"))
        });
        let worker = inbox.worker(service).spawn();
        wait_for(inbox.store(), |stats| stats.blocked_lanes == 20).await;
        worker.shutdown(Duration::ZERO).await;
        let errors = records(inbox.store()).await;
        assert!(errors.iter().all(|record| record.error.is_some()));
        // Both files are there: the log is not merged before the store is closed.
        assert!(!files_with(directory.0.path(), "ONCRMDEALADD").is_empty());
        let readable = files_with(directory.0.path(), "canary");
        // The control: without the seal the search finds them.
        assert_eq!(readable.is_empty(), is_sealed, "{readable:?}");
        inbox.store().close().await;
        let readable = files_with(directory.0.path(), "canary");
        assert_eq!(readable.is_empty(), is_sealed, "{readable:?}");
    }
}

#[tokio::test]
async fn entry_of_a_later_format_waits_for_a_process_that_knows_it() {
    let directory = Directory::new();
    let inbox = open(&directory.file()).await;
    // Two events of one object and one of another.
    for (id, ts) in [(1, 1), (1, 2), (2, 3)] {
        assert_eq!(
            send(&inbox, form("ONCRMDEALUPDATE", id, ts, "a")).await,
            200
        );
    }
    place(&inbox).await;
    execute(
        &directory.file(),
        "UPDATE bitrix24_inbox SET format = 3 WHERE seq = 1",
    )
    .await;
    let (worker, seen) = work(&inbox, 200);
    wait_for(inbox.store(), |stats| stats.done == 1).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(*seen.lock().unwrap(), [3]);
    let all = records(inbox.store()).await;
    assert_eq!((all[0].state, all[0].attempts), (State::Waiting, 0));
    execute(
        &directory.file(),
        "UPDATE bitrix24_inbox SET format = 1 WHERE seq = 1",
    )
    .await;
    wait_for(inbox.store(), |stats| stats.done == 3).await;
    worker.shutdown(Duration::ZERO).await;
    assert_eq!(*seen.lock().unwrap(), [3, 1, 2]);
}

const FIRST_VERSION: &str = include_str!("../../../src/inbox/sql/migrations/sqlite/001_inbox.sql");

#[tokio::test]
async fn tables_of_an_earlier_version_are_brought_up_to_date_with_what_is_in_them() {
    let directory = Directory::new();
    // The entry of a receiver, moved into a file of the first version.
    let donor = Directory::new();
    let inbox = open(&donor.file()).await;
    assert_eq!(send(&inbox, form("ONCRMDEALADD", 1, 1, "a")).await, 200);
    place(&inbox).await;
    inbox.store().close().await;
    let columns = "seq, key, lane, merge_key, once, member_id, code, subject, handler_id, ts, \
         first_received, received, merged, state, head, due, attempts, format, key_id, body";
    let old = format!(
        "CREATE TABLE bitrix24_inbox_schema (version INTEGER PRIMARY KEY) STRICT; {FIRST_VERSION}; \
         INSERT INTO bitrix24_inbox_schema (version) VALUES (1); \
         ATTACH '{}' AS donor; \
         INSERT INTO bitrix24_inbox ({columns}) SELECT {columns} FROM donor.bitrix24_inbox",
        donor.file().display()
    );
    execute(&directory.file(), "PRAGMA user_version = 1").await;
    execute(&directory.file(), &old).await;

    let inbox = open(&directory.file()).await;
    let (worker, seen) = work(&inbox, 200);
    wait_for(inbox.store(), |stats| stats.done == 1).await;
    worker.shutdown(Duration::ZERO).await;
    assert_eq!(*seen.lock().unwrap(), [1]);
    // Once more: nothing is left to do.
    open(&directory.file()).await.store().close().await;
}

#[tokio::test]
async fn tables_of_a_later_minor_version_are_rejected() {
    let directory = Directory::new();
    open(&directory.file()).await.store().close().await;
    execute(
        &directory.file(),
        "INSERT INTO bitrix24_inbox_schema (version) VALUES (1000)",
    )
    .await;
    let error = SqliteInbox::open(directory.file()).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::NewerSchema);
}

#[tokio::test]
async fn tables_that_a_later_version_has_added_to_are_used() {
    let directory = Directory::new();
    open(&directory.file()).await.store().close().await;
    let later = "ALTER TABLE bitrix24_inbox ADD COLUMN note TEXT; \
                 INSERT INTO bitrix24_inbox_schema (version) \
                 SELECT max(version) + 1 FROM bitrix24_inbox_schema";
    execute(&directory.file(), later).await;
    let inbox = open(&directory.file()).await;
    assert_eq!(send(&inbox, form("ONCRMDEALADD", 1, 1, "a")).await, 200);
    let (worker, seen) = work(&inbox, 200);
    wait_for(inbox.store(), |stats| stats.done == 1).await;
    worker.shutdown(Duration::ZERO).await;
    assert_eq!(*seen.lock().unwrap(), [1]);
    inbox.store().close().await;
}
