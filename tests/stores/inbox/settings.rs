//! Settings with which PostgreSQL can lose what it has committed: the inbox rejects the server, or turns
//! them on for itself.

use std::error::Error;
use std::time::Duration;

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection};
use tower_bitrix24::inbox::{
    Accept, Backoff, ClaimRequest, Entry, FORMAT, Filter, Finish, Inbox, InboxStore, Outcome,
    Owned, PostgresInbox, StoreErrorKind,
};

use super::postgres::{execute, schema};
use super::{form, key, send};

fn entry(number: u8, merges: bool) -> Entry {
    Entry {
        key: tower_bitrix24::event::DedupKey::from_bytes([number; 32]),
        lane: Some([number / 8; 32]),
        merge: merges.then_some([number / 8; 32]),
        once: false,
        member_id: "b".to_owned(),
        code: "ONCRMDEALUPDATE".to_owned(),
        subject: String::new(),
        handler_id: None,
        timestamp: None,
        format: FORMAT,
        key_id: None,
        body: vec![1].into(),
    }
}

/// Makes every change that an inbox makes, and returns the values of `synchronous_commit` in the
/// transactions, with what they changed.
async fn commits(name: &str, settings: &str) -> Vec<(String, String)> {
    let url = schema(name, settings).await;
    let store = PostgresInbox::builder().call_timeout(Duration::from_secs(60));
    let store = store.keep_bodies().connect(&url).await.unwrap();
    execute(format!(
        "CREATE TABLE {name}.settings (operation text, setting text); \
         CREATE FUNCTION {name}.keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
             INSERT INTO {name}.settings VALUES (TG_OP, current_setting('synchronous_commit')); \
             RETURN NULL; END $$; \
         CREATE TRIGGER keep AFTER INSERT OR UPDATE OR DELETE ON {name}.bitrix24_inbox \
             FOR EACH ROW EXECUTE FUNCTION {name}.keep()"
    ))
    .await;
    let inbox = Inbox::builder(store.clone(), key()).build();
    assert_eq!(send(&inbox, form("ONCRMDEALADD", 1, 1, "a")).await, 200);
    // One is merged, and the others are in lanes of their own.
    let entries = [
        (1, true),
        (2, true),
        (8, false),
        (16, false),
        (24, false),
        (32, false),
    ];
    for (number, merges) in entries {
        store.accept(&[entry(number, merges)]).await.unwrap();
    }
    let backoff = Backoff::new();
    let claim = async |lease| {
        let request = ClaimRequest {
            owner: "w",
            limit: 100,
            lease,
            backoff: &backoff,
            alone: true,
            portal_limit: 100,
            running: &[],
            after: "",
        };
        let claims = store.claim(&request).await.unwrap();
        let owned = claims.entries.iter().map(|claim| Owned {
            seq: claim.record.seq,
            attempt: claim.record.attempts,
        });
        owned.collect::<Vec<_>>()
    };
    let owned = claim(Duration::from_secs(600)).await;
    assert_eq!(owned.len(), 6);
    store
        .extend("w", &owned, Duration::from_secs(60))
        .await
        .unwrap();
    let error = || "failed".to_owned();
    let outcomes = [
        Outcome::Done,
        Outcome::Retry {
            after: Duration::from_secs(60),
            error: error(),
        },
        Outcome::Dead { error: error() },
        Outcome::Dead { error: error() },
        Outcome::Released,
        Outcome::Released,
    ];
    let finishes = owned.iter().zip(outcomes);
    let finishes: Vec<Finish> = finishes
        .map(|(owned, outcome)| Finish {
            owned: *owned,
            outcome,
        })
        .collect();
    store.finish("w", &finishes).await.unwrap();
    assert!(inbox.retry(owned[1].seq).await.unwrap());
    assert!(inbox.discard(owned[2].seq).await.unwrap());
    assert_eq!(
        inbox
            .replay(&Filter::new().seq(owned[0].seq))
            .await
            .unwrap(),
        1
    );
    // Leases that end at once are taken back by the next claim.
    claim(Duration::ZERO).await;
    claim(Duration::ZERO).await;
    inbox.purge(Duration::ZERO, Duration::ZERO).await.unwrap();
    assert!(inbox.remove_portal("b").await.unwrap() > 0);
    store.close().await;
    let url = std::env::var("BITRIX24_TEST_POSTGRES").unwrap();
    let mut connection = PgConnection::connect(&url).await.unwrap();
    let sql = format!("SELECT operation, setting FROM {name}.settings");
    let rows = sqlx::query_as(AssertSqlSafe(sql));
    rows.fetch_all(&mut connection).await.unwrap()
}

fn assert_all_wait(commits: &[(String, String)]) {
    for operation in ["INSERT", "UPDATE", "DELETE"] {
        assert!(
            commits.iter().any(|(found, _)| found == operation),
            "{operation}"
        );
    }
    assert!(commits.len() > 20, "{commits:?}");
    let waits = |(_, setting): &(String, String)| setting == "on";
    assert!(commits.iter().all(waits), "{commits:?}");
}

async fn setting(url: &str, name: &str) -> String {
    let mut connection = PgConnection::connect(url).await.unwrap();
    let sql = format!("SELECT current_setting('{name}')");
    let setting = sqlx::query_scalar(AssertSqlSafe(sql));
    setting.fetch_one(&mut connection).await.unwrap()
}

#[tokio::test]
#[ignore = "needs PostgreSQL at BITRIX24_TEST_POSTGRES"]
async fn every_transaction_in_postgres_waits_for_the_disk_whatever_the_role_has_set() {
    let off = "%20-c%20synchronous_commit%3Doff";
    let commits = commits("inbox_commit", off).await;
    assert_all_wait(&commits);
    // The control: the session itself does not wait.
    let url = schema("inbox_control", off).await;
    assert_eq!(setting(&url, "synchronous_commit").await, "off");
}

#[tokio::test]
#[ignore = "needs PostgreSQL at BITRIX24_TEST_POSTGRES"]
async fn postgres_database_that_cannot_hold_every_text_is_rejected() {
    execute("DROP DATABASE IF EXISTS inbox_latin1".to_owned()).await;
    execute(
        "CREATE DATABASE inbox_latin1 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
            .to_owned(),
    )
    .await;
    let url = std::env::var("BITRIX24_TEST_POSTGRES").unwrap();
    let (server, _) = url.rsplit_once('/').unwrap();
    let error = PostgresInbox::connect(&format!("{server}/inbox_latin1")).await;
    let error = error.unwrap_err();
    assert!(error.to_string().contains("ENCODING 'UTF8'"), "{error}");
    assert!(error.source().unwrap().to_string().contains("LATIN1"));
    execute("DROP DATABASE inbox_latin1".to_owned()).await;
}

/// Changes a setting of the whole server, and waits until new sessions see it.
async fn set(name: &str, value: &str) {
    for sql in [
        format!("ALTER SYSTEM SET {name} = {value}"),
        "SELECT pg_reload_conf()".to_owned(),
    ] {
        execute(sql).await;
    }
    let url = std::env::var("BITRIX24_TEST_POSTGRES").unwrap();
    for _ in 0..1200 {
        if setting(&url, name).await == value {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{name} does not become {value}");
}

/// Changes settings of the whole server, so it runs alone and if it is allowed to.
#[tokio::test]
#[ignore = "needs PostgreSQL at BITRIX24_TEST_POSTGRES whose settings it may change"]
async fn server_that_can_lose_what_it_committed_is_rejected_in_words() {
    if std::env::var_os("BITRIX24_TEST_POSTGRES_SETTINGS").is_none() {
        return;
    }
    let url = schema("inbox_settings", "").await;
    for name in ["fsync", "full_page_writes"] {
        set(name, "off").await;
        let error = PostgresInbox::connect(&url).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::NotDurable);
        let text = error.to_string();
        assert!(
            text.contains(&format!("{name}=off")) && text.contains("turn it on"),
            "{text}"
        );
        // A file system that writes pages as a whole needs no copies of them, but syncs all the same.
        let declared = PostgresInbox::builder()
            .atomic_page_writes()
            .connect(&url)
            .await;
        assert_eq!(declared.is_ok(), name == "full_page_writes");
        set(name, "on").await;
        PostgresInbox::connect(&url).await.unwrap().close().await;
    }
    set("synchronous_commit", "off").await;
    let commits = commits("inbox_lazy", "").await;
    set("synchronous_commit", "on").await;
    assert_all_wait(&commits);
}
