//! The inbox in PostgreSQL: its contract, workers that are stopped, and a role that does not wait for
//! the disk.

use std::process::Command;
use std::time::Duration;

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection, Executor};
use tower::service_fn;
use tower_bitrix24::inbox::{Inbox, PostgresInbox, State, WorkerRequest};
use tower_bitrix24::testing::inbox_conformance;

use super::child::Role;
use super::{form, key, model, races, records, respond, send, wait_for};

async fn execute(sql: String) {
    let url = std::env::var("BITRIX24_TEST_POSTGRES").unwrap();
    let mut connection = PgConnection::connect(&url).await.unwrap();
    connection
        .execute(sqlx::raw_sql(AssertSqlSafe(sql)))
        .await
        .unwrap();
    connection.close().await.unwrap();
}

/// Returns the URL of an empty schema, with more settings of the session.
async fn schema(name: &str, settings: &str) -> String {
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

#[tokio::test]
#[ignore = "needs PostgreSQL at BITRIX24_TEST_POSTGRES"]
async fn transactions_wait_for_the_disk_whatever_the_role_has_set() {
    let url = schema("inbox_commit", "%20-c%20synchronous_commit%3Doff").await;
    let store = PostgresInbox::connect(&url).await.unwrap();
    execute(
        "CREATE TABLE inbox_commit.settings (setting text); \
         CREATE FUNCTION inbox_commit.keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
             INSERT INTO inbox_commit.settings VALUES (current_setting('synchronous_commit')); \
             RETURN NEW; END $$; \
         CREATE TRIGGER keep AFTER INSERT OR UPDATE ON inbox_commit.bitrix24_inbox \
             FOR EACH ROW EXECUTE FUNCTION inbox_commit.keep()"
            .to_owned(),
    )
    .await;
    let inbox = Inbox::builder(store.clone(), key()).build();
    assert_eq!(send(&inbox, form("ONCRMDEALADD", 1, 1, "a")).await, 200);
    let worker = inbox.worker(service_fn(async |_: WorkerRequest| respond(200)));
    let worker = worker.spawn();
    wait_for(&store, |stats| stats.done == 1).await;
    worker.shutdown(Duration::ZERO).await;
    let mut connection = PgConnection::connect(&url).await.unwrap();
    // The control: the session itself does not wait.
    let session: String = sqlx::query_scalar("SELECT current_setting('synchronous_commit')")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    assert_eq!(session, "off");
    let settings: Vec<String> = sqlx::query_scalar("SELECT setting FROM inbox_commit.settings")
        .fetch_all(&mut connection)
        .await
        .unwrap();
    assert!(settings.len() >= 3, "{settings:?}");
    assert!(
        settings.iter().all(|setting| setting == "on"),
        "{settings:?}"
    );
}
