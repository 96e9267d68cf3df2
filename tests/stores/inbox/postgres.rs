//! The inbox in PostgreSQL: its contract, workers that are stopped, and the work of a claim.

use std::process::Command;
use std::time::Duration;

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection, Executor};
use tower::service_fn;
use tower_bitrix24::inbox::{
    Backoff, Claim, ClaimRequest, Finish, Inbox, InboxStore, Outcome, Owned, PostgresInbox, State,
    WorkerRequest,
};
use tower_bitrix24::testing::inbox_conformance;

use super::child::Role;
use super::{form, key, model, packs, races, records, respond, send, wait_for};

pub(crate) async fn execute(sql: String) {
    let url = std::env::var("BITRIX24_TEST_POSTGRES").unwrap();
    let mut connection = PgConnection::connect(&url).await.unwrap();
    connection
        .execute(sqlx::raw_sql(AssertSqlSafe(sql)))
        .await
        .unwrap();
    connection.close().await.unwrap();
}

/// Returns the URL of an empty schema, with more settings of the session.
pub(crate) async fn schema(name: &str, settings: &str) -> String {
    execute(format!(
        "DROP SCHEMA IF EXISTS {name} CASCADE; CREATE SCHEMA {name}"
    ))
    .await;
    let url = std::env::var("BITRIX24_TEST_POSTGRES").unwrap();
    format!("{url}?options=-c%20search_path%3D{name}{settings}")
}

#[tokio::test]
#[ignore = "needs PostgreSQL at BITRIX24_TEST_POSTGRES"]
async fn postgres_inbox_conforms() {
    let url = schema("inbox_conforms", "").await;
    let store = PostgresInbox::connect(&url).await.unwrap();
    inbox_conformance::check(&store).await.unwrap();
    store.close().await;
}

#[test]
#[ignore = "needs PostgreSQL at BITRIX24_TEST_POSTGRES"]
fn postgres_inbox_agrees_with_the_model() {
    use proptest::test_runner::{Config, TestRunner};

    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let store = runtime.block_on(async {
        let url = schema("inbox_model", "").await;
        PostgresInbox::connect(&url).await.unwrap()
    });
    let config = Config {
        cases: u32::try_from(super::rounds(8)).unwrap(),
        failure_persistence: None,
        ..Config::default()
    };
    let result = TestRunner::new(config).run(&model::calls(), |calls| {
        runtime.block_on(model::agree(&store, calls));
        Ok(())
    });
    result.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL at BITRIX24_TEST_POSTGRES"]
async fn merge_against_a_claim_loses_nothing_in_postgres() {
    let url = schema("inbox_merge", "").await;
    races::merge_against_claim(PostgresInbox::connect(&url).await.unwrap()).await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL at BITRIX24_TEST_POSTGRES"]
async fn portal_does_not_wait_until_the_backlog_of_another_has_its_place_in_postgres() {
    for flooding in [1, 10] {
        let url = schema(&format!("inbox_backlog_{flooding}"), "").await;
        let store = PostgresInbox::connect(&url).await.unwrap();
        packs::entries_of_others_beside_a_backlog(&store, flooding).await;
        store.close().await;
    }
    let url = schema("inbox_turns", "").await;
    let store = PostgresInbox::connect(&url).await.unwrap();
    packs::order_of_entries_placed_before_older_ones(&store, async || {}).await;
    store.close().await;
}

fn signal(process: u32, signal: &str) {
    let status = Command::new("kill")
        .args([signal, &process.to_string()])
        .status();
    assert!(status.unwrap().success());
}

/// A worker is stopped while its handler runs, until another has taken the entry over. Once it goes
/// on, what it says about the entry changes nothing.
#[tokio::test]
#[ignore = "needs PostgreSQL at BITRIX24_TEST_POSTGRES"]
async fn worker_that_is_stopped_past_its_lease_is_fenced() {
    let url = schema("inbox_stopped", "").await;
    let store = PostgresInbox::connect(&url).await.unwrap();
    let inbox = Inbox::builder(store.clone(), key()).build();
    for ts in 1..=2 {
        assert_eq!(send(&inbox, form("ONCRMDEALUPDATE", 1, ts, "a")).await, 200);
    }
    let role = Role {
        works: true,
        ..Role::default()
    };
    let slow = [
        ("CHILD_URL", url.clone()),
        ("CHILD_HANDLES_MS", "1500".to_owned()),
    ];
    let mut stopped = role.start("unused".as_ref(), &slow);
    stopped.wait_for("begin 1 ");
    signal(stopped.id(), "-STOP");

    // The other takes it once the lease is over, and gives it up.
    let service = service_fn(async |_: WorkerRequest| respond(422));
    let other = inbox
        .worker(service)
        .poll_interval(Duration::from_millis(20));
    let other = other.spawn();
    wait_for(&store, |stats| stats.dead == 2).await;
    signal(stopped.id(), "-CONT");
    // It claims again, so it has dropped or finished what it had.
    assert_eq!(send(&inbox, form("ONCRMDEALUPDATE", 2, 3, "a")).await, 200);
    other.shutdown(Duration::ZERO).await;
    assert_eq!(send(&inbox, form("ONCRMDEALUPDATE", 3, 4, "a")).await, 200);
    stopped.wait_for("end 4 ");
    stopped.kill_after(0);
    let all = records(&store).await;
    let first = &all[0];
    assert_eq!((first.state, first.attempts), (State::Dead, 2));
    assert_eq!(all[1].state, State::Dead);
    store.close().await;
}

/// Returns the rows and index entries that the server has read of the table, and its updates.
async fn read_and_updated(schema: &str) -> (i64, i64) {
    let url = std::env::var("BITRIX24_TEST_POSTGRES").unwrap();
    let mut connection = PgConnection::connect(&url).await.unwrap();
    let sql = "SELECT (seq_tup_read + coalesce(idx_tup_fetch, 0) + (SELECT sum(idx_tup_read) \
               FROM pg_stat_user_indexes i WHERE i.relid = t.relid))::bigint, n_tup_upd \
               FROM pg_stat_user_tables t WHERE schemaname = $1 AND relname = 'bitrix24_inbox'";
    let counts = sqlx::query_as(sql).bind(schema.to_owned());
    let counts = counts.fetch_one(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    counts
}

#[tokio::test]
#[ignore = "needs PostgreSQL at BITRIX24_TEST_POSTGRES"]
async fn work_of_a_claim_does_not_depend_on_200_000_finished_rows_in_postgres() {
    const EVENTS: i64 = 160;
    let url = schema("inbox_flat", "").await;
    PostgresInbox::connect(&url).await.unwrap().close().await;
    // Done and dead rows, and untried ones that wait: behind others, and for a later time.
    for (lane, state, finished, attempts, head, rows) in [
        (
            "sha256((n % 40)::text::bytea)",
            "2 + n % 2",
            "9000000000000000",
            1,
            0,
            "1, 200000",
        ),
        (
            "sha256((n % 40)::text::bytea)",
            "0",
            "NULL",
            0,
            0,
            "200001, 210000",
        ),
        ("NULL", "0", "NULL", 0, 1, "210001, 220000"),
    ] {
        execute(format!(
            "INSERT INTO inbox_flat.bitrix24_inbox (key, lane, once, member_id, code, subject, \
             first_received, received, state, due, finished, format, attempts, head) \
             SELECT sha256(n::text::bytea), {lane}, 0, 'portal ' || n % 5, 'ONCRMDEALUPDATE', '', \
             1, 1, {state}, 9000000000000000, {finished}, 1, {attempts}, {head} \
             FROM generate_series({rows}) n"
        ))
        .await;
    }
    execute("VACUUM ANALYZE inbox_flat.bitrix24_inbox".to_owned()).await;
    let (read_before, updated_before) = read_and_updated("inbox_flat").await;

    let store = PostgresInbox::builder().call_timeout(Duration::from_secs(60));
    let store = store.connect(&url).await.unwrap();
    let inbox = Inbox::builder(store.clone(), key()).build();
    for ts in 1..=EVENTS as u64 {
        let portal = format!("portal {}", ts % 5);
        let form = form("ONCRMDEALUPDATE", ts % 40 + 1, ts, &portal);
        assert_eq!(send(&inbox, form).await, 200);
    }
    let backoff = Backoff::new();
    let mut after = String::new();
    let mut handled = 0;
    while handled < EVENTS {
        let request = ClaimRequest {
            owner: "w",
            limit: 8,
            lease: Duration::from_secs(600),
            backoff: &backoff,
            alone: true,
            portal_limit: 8,
            running: &[],
            after: &after,
        };
        let claims = store.claim(&request).await.unwrap();
        assert!(!claims.entries.is_empty());
        handled += claims.entries.len() as i64;
        let finish = |claim: &Claim| Finish {
            owned: Owned {
                seq: claim.record.seq,
                attempt: claim.record.attempts,
            },
            outcome: Outcome::Done,
        };
        let finishes: Vec<Finish> = claims.entries.iter().map(finish).collect();
        store.finish("w", &finishes).await.unwrap();
        after = claims.after;
    }
    store.close().await;
    // A session counts at its end, at the latest.
    let mut counts = (0, 0);
    for _ in 0..1200 {
        counts = read_and_updated("inbox_flat").await;
        if counts.1 - updated_before >= 2 * EVENTS {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let (read, updated) = (counts.0 - read_before, counts.1 - updated_before);
    println!(
        "{EVENTS} events beside 200,000 rows: {updated} updates, {read} rows and index entries read"
    );
    assert!(updated >= 2 * EVENTS, "{updated}");
    assert!(
        read > 0 && read < 50_000,
        "{read} rows and index entries were read"
    );
    // The control: a scan is counted.
    execute("SELECT max(subject) FROM inbox_flat.bitrix24_inbox".to_owned()).await;
    for _ in 0..1200 {
        counts = read_and_updated("inbox_flat").await;
        if counts.0 - read_before - read >= 200_000 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("a scan of the table is not counted: {counts:?}");
}

/// The clocks of two workers are wrong by a day, in either direction.
#[tokio::test]
#[ignore = "needs PostgreSQL at BITRIX24_TEST_POSTGRES"]
async fn leases_and_due_times_go_by_the_clock_of_postgres() {
    const DAY: i64 = 24 * 60 * 60;
    let directory = super::Directory::new();
    let shim = super::shim::compile(directory.0.path(), "clock.c");
    for ahead in [-DAY, DAY] {
        let url = schema("inbox_clocks", "").await;
        let store = PostgresInbox::connect(&url).await.unwrap();
        let inbox = Inbox::builder(store.clone(), key()).build();
        for ts in 1..=6 {
            let form = form("ONCRMDEALUPDATE", ts % 2 + 1, ts, "a");
            assert_eq!(send(&inbox, form).await, 200);
        }
        let role = Role {
            works: true,
            ..Role::default()
        };
        let environment = [
            ("CHILD_URL", url.clone()),
            ("CHILD_HANDLES_MS", "200".to_owned()),
            ("LD_PRELOAD", shim.display().to_string()),
            ("CLOCK_AHEAD", ahead.to_string()),
        ];
        let mut process = role.start("unused".as_ref(), &environment);
        // The lease of what it handles is within the next minutes of the server.
        process.wait_for("begin ");
        let all = records(&store).await;
        let running = all.iter().filter(|record| record.state == State::Running);
        for record in running {
            let lease = record.due - record.received;
            assert!(
                lease > 0 && lease < 1000 * DAY / 2,
                "{lease} ms with a clock {ahead} s ahead"
            );
        }
        wait_for(&store, |stats| stats.done == 6).await;
        process.kill_after(0);
        store.close().await;
    }
}
