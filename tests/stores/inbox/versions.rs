//! Two versions of the program on one database: an older one beside its successor, and the reverse.

use std::time::Duration;

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection, Executor};
use tower::service_fn;
use tower_bitrix24::inbox::{
    Inbox, InboxStore, PostgresInbox, State, StoreErrorKind, Worker, WorkerRequest,
};

use super::child::Role;
use super::postgres::{execute, schema};
use super::{form, key, records, respond, send, wait_for};

const FIRST_VERSION: &str =
    include_str!("../../../src/inbox/sql/migrations/postgres/001_inbox.sql");

/// The columns that the first version inserts.
const FIRST_COLUMNS: &str = "key, lane, merge_key, once, member_id, code, subject, handler_id, ts, \
    first_received, received, due, head, format, key_id, body, merged";

async fn open(url: &str) -> Inbox<PostgresInbox> {
    // A machine under load is no reason to fail.
    let store = PostgresInbox::builder().call_timeout(Duration::from_secs(60));
    let store = store.connect(url).await.unwrap();
    Inbox::builder(store, key()).build()
}

/// Gives each entry its row, as the next claim does.
async fn place(inbox: &Inbox<PostgresInbox>) {
    inbox.stats().await.unwrap();
}

fn work(inbox: &Inbox<PostgresInbox>) -> Worker {
    let worker = inbox.worker(service_fn(async |_: WorkerRequest| respond(200)));
    worker.poll_interval(Duration::from_millis(10)).spawn()
}

#[tokio::test]
#[ignore = "needs PostgreSQL at BITRIX24_TEST_POSTGRES"]
async fn postgres_tables_are_migrated_while_an_older_program_stores_and_ends_entries() {
    // The rows of the older program are entries of a receiver, moved.
    let donor_url = schema("inbox_donor", "").await;
    let donor = open(&donor_url).await;
    for ts in 1..=4 {
        assert_eq!(send(&donor, form("ONCRMDEALUPDATE", 1, ts, "a")).await, 200);
    }
    place(&donor).await;
    donor.store().close().await;
    let url = schema("inbox_older", "").await;
    execute(format!(
        "SET search_path TO inbox_older; \
         CREATE TABLE bitrix24_inbox_schema (version bigint PRIMARY KEY); {FIRST_VERSION}; \
         INSERT INTO bitrix24_inbox_schema (version) VALUES (1)"
    ))
    .await;
    let store_as_the_older = async |seq: u32| {
        execute(format!(
            "INSERT INTO inbox_older.bitrix24_inbox ({FIRST_COLUMNS}) \
             SELECT {FIRST_COLUMNS} FROM inbox_donor.bitrix24_inbox WHERE seq = {seq}"
        ))
        .await;
    };
    // It gives a lane its head, as every version does.
    let promote = "UPDATE inbox_older.bitrix24_inbox SET head = 1 WHERE seq = \
                   (SELECT min(seq) FROM inbox_older.bitrix24_inbox WHERE state < 2)";
    store_as_the_older(1).await;
    store_as_the_older(2).await;
    // It runs the first entry while the tables change.
    execute(
        "UPDATE inbox_older.bitrix24_inbox SET state = 1, owner = 'older', attempts = 1, \
         due = (extract(epoch FROM clock_timestamp()) * 1000)::bigint + 600000 WHERE seq = 1"
            .to_owned(),
    )
    .await;

    let inbox = open(&url).await;
    let worker = work(&inbox);
    store_as_the_older(3).await;
    // The newer worker leaves the lane alone while the older one runs its head.
    tokio::time::sleep(Duration::from_millis(100)).await;
    let all = records(inbox.store()).await;
    let states: Vec<State> = all.iter().map(|record| record.state).collect();
    assert_eq!(states, [State::Running, State::Waiting, State::Waiting]);

    let mut older = PgConnection::connect(&url).await.unwrap();
    let ended = older
        .execute(sqlx::raw_sql(AssertSqlSafe(
            "UPDATE bitrix24_inbox SET state = 2, head = 0, owner = NULL, suspect = 0, error = NULL, \
             body = NULL, finished = 1 WHERE seq = 1 AND owner = 'older' AND attempts = 1",
        )))
        .await
        .unwrap();
    assert_eq!(ended.rows_affected(), 1);
    execute(promote.to_owned()).await;
    wait_for(inbox.store(), |stats| stats.waiting + stats.running == 0).await;
    store_as_the_older(4).await;
    execute(promote.to_owned()).await;
    assert_eq!(send(&inbox, form("ONCRMDEALUPDATE", 1, 5, "a")).await, 200);
    // The worker may have purged the first one, which the older program ended long ago.
    wait_for(inbox.store(), |stats| stats.waiting + stats.running == 0).await;
    worker.shutdown(Duration::from_secs(10)).await;
    let all = records(inbox.store()).await;
    assert!(all.iter().all(|record| record.state == State::Done));
    let last: Vec<i64> = all.iter().map(|record| record.seq).collect();
    assert!(last.ends_with(&[2, 3, 4, 5]), "{last:?}");
    older.close().await.unwrap();
    inbox.store().close().await;
}

/// The tables as a later version that only adds would leave them.
const ADDITIONS: &str = "ALTER TABLE bitrix24_inbox ADD COLUMN note text; \
    ALTER TABLE bitrix24_inbox ADD COLUMN weight bigint NOT NULL DEFAULT 1; \
    CREATE INDEX bitrix24_inbox_weight ON bitrix24_inbox (weight) WHERE state < 2; \
    INSERT INTO bitrix24_inbox_schema (version) SELECT max(version) + 1 FROM bitrix24_inbox_schema";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL at BITRIX24_TEST_POSTGRES"]
async fn program_works_on_while_a_newer_one_adds_to_its_tables_and_after_a_rollback() {
    let url = schema("inbox_newer", "").await;
    let inbox = open(&url).await;
    let role = Role {
        works: true,
        ..Role::default()
    };
    let mut process = role.start("unused".as_ref(), &[("CHILD_URL", url.clone())]);
    let receiver = inbox.clone();
    let sending = tokio::spawn(async move {
        for ts in 1..=60 {
            let form = form("ONCRMDEALUPDATE", 1 + ts % 5, ts, "a");
            assert_eq!(send(&receiver, form).await, 200);
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    });
    process.wait_for("end ");
    execute(format!("SET search_path TO inbox_newer; {ADDITIONS}")).await;
    sending.await.unwrap();
    wait_for(inbox.store(), |stats| stats.waiting + stats.running == 0).await;
    process.kill_after(0);
    // An entry of the newer program, in a format of its own. The next of its object waits behind it.
    assert_eq!(send(&inbox, form("ONCRMDEALADD", 901, 101, "a")).await, 200);
    place(&inbox).await;
    let newer = "UPDATE inbox_newer.bitrix24_inbox SET format = 99, note = 'new' WHERE ts = 101";
    execute(newer.to_owned()).await;
    assert_eq!(
        send(&inbox, form("ONCRMDEALUPDATE", 901, 102, "a")).await,
        200
    );
    inbox.store().close().await;

    // The previous program is put back: it opens what the newer one has left.
    let inbox = open(&url).await;
    let worker = work(&inbox);
    assert_eq!(
        send(&inbox, form("ONCRMDEALUPDATE", 902, 103, "a")).await,
        200
    );
    wait_for(inbox.store(), |stats| {
        stats.waiting == 2 && stats.running == 0
    })
    .await;
    let all = records(inbox.store()).await;
    let of_time = |ts: i64| {
        let mut all = all.iter();
        all.find(|record| record.entry.timestamp == Some(ts))
            .unwrap()
    };
    assert_eq!(
        (of_time(101).state, of_time(101).attempts),
        (State::Waiting, 0)
    );
    assert_eq!(
        (of_time(102).state, of_time(102).attempts),
        (State::Waiting, 0)
    );
    let handled = all.iter().filter(|record| record.state == State::Done);
    assert_eq!(handled.count(), 61);

    // The newer one comes again and handles its own; then the lane goes on.
    execute("UPDATE inbox_newer.bitrix24_inbox SET format = 1 WHERE ts = 101".to_owned()).await;
    wait_for(inbox.store(), |stats| stats.waiting + stats.running == 0).await;
    worker.shutdown(Duration::from_secs(10)).await;
    let all = records(inbox.store()).await;
    let done = all.iter().filter(|record| record.state == State::Done);
    assert_eq!(done.count(), 63, "responded with 200 minus handled is 0");
    inbox.store().close().await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL at BITRIX24_TEST_POSTGRES"]
async fn postgres_tables_of_a_later_minor_version_are_rejected_and_stay_as_they_are() {
    let url = schema("inbox_later", "").await;
    let inbox = open(&url).await;
    assert_eq!(send(&inbox, form("ONCRMDEALADD", 1, 1, "a")).await, 200);
    execute("INSERT INTO inbox_later.bitrix24_inbox_schema (version) VALUES (1000)".to_owned())
        .await;
    let error = PostgresInbox::connect(&url).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::NewerSchema);
    assert!(
        error.to_string().contains("update this application"),
        "{error}"
    );
    // The one that was open before works on.
    let all = records(inbox.store()).await;
    assert_eq!((all.len(), all[0].state), (1, State::Waiting));
    inbox.store().close().await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL at BITRIX24_TEST_POSTGRES"]
async fn migration_may_take_longer_than_a_call() {
    let url = schema("inbox_slow", "").await;
    execute(
        "CREATE FUNCTION inbox_slow.wait() RETURNS event_trigger LANGUAGE plpgsql AS \
         'BEGIN IF current_schema() = ''inbox_slow'' THEN PERFORM pg_sleep(1.5); END IF; END'; \
         CREATE EVENT TRIGGER inbox_slow ON ddl_command_start WHEN TAG IN ('ALTER TABLE') \
         EXECUTE FUNCTION inbox_slow.wait()"
            .to_owned(),
    )
    .await;
    let builder = PostgresInbox::builder().call_timeout(Duration::from_secs(1));
    let opened = builder.connect(&url).await;
    execute("DROP EVENT TRIGGER inbox_slow".to_owned()).await;
    let store = opened.unwrap();
    // Only a migration may.
    assert_eq!(store.stats().await.unwrap().waiting, 0);
    store.close().await;
}
