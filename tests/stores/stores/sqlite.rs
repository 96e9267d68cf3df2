//! `SqliteStore` alone and shared by several instances.

use std::path::PathBuf;
use std::time::Duration;

use sqlx::{Connection, Executor, SqliteConnection};
use tower_bitrix24::portals::{SqliteStore, StoreErrorKind};

use super::*;

/// Removed on drop with its contents.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
        let path = path.join(format!("stores-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self) -> PathBuf {
        self.0.join("portals.db")
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[tokio::test]
async fn sqlite_store_conforms() {
    let directory = Directory::new("rules");
    let store = SqliteStore::open(directory.file()).await.unwrap();
    store_conformance::check(&store).await.unwrap();
}

#[tokio::test]
async fn two_sqlite_stores_of_one_file_conform() {
    let directory = Directory::new("two");
    let open = || async { SqliteStore::open(directory.file()).await.unwrap() };
    let instances = Instances::new([open().await, open().await]);
    store_conformance::check(&instances).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrently_opened_sqlite_stores_migrate_once_and_race_for_each_portal() {
    let directory = Directory::new("race");
    let mut opening = tokio::task::JoinSet::new();
    for _ in 0..8 {
        opening.spawn(SqliteStore::open(directory.file()));
    }
    let stores = opening.join_all().await;
    let stores: Vec<_> = stores.into_iter().map(Result::unwrap).collect();
    assert_eq!(race(&stores, &portals("portal")).await, 20);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_instances_with_a_sqlite_store_never_decide_by_stale_tokens() {
    let directory = Directory::new("decisions");
    let open = || async { SqliteStore::open(directory.file()).await.unwrap() };
    let stores = [open().await, open().await];
    Box::pin(races::run(stores, races::tries(20))).await;
}

#[tokio::test]
async fn sqlite_file_of_the_first_version_is_migrated() {
    let directory = Directory::new("first");
    let url = format!("sqlite:{}?mode=rwc", directory.file().display());
    let mut connection = SqliteConnection::connect(&url).await.unwrap();
    for statement in [
        "CREATE TABLE bitrix24_portal_schema (version INTEGER PRIMARY KEY) STRICT",
        include_str!("../../../src/portals/store/migrations/sqlite/001_tokens.sql"),
        "INSERT INTO bitrix24_portal_schema (version) VALUES (1)",
        "INSERT INTO bitrix24_portal_tokens VALUES ('portal', 'plain:a', 'application', 1, 2)",
    ] {
        connection.execute(statement).await.unwrap();
    }
    connection.close().await.unwrap();

    let store = SqliteStore::open(directory.file()).await.unwrap();
    let known = [application("plain:a").with_issued_at(1).with_expires_at(2)];
    assert_eq!(store.tokens("portal").await.unwrap(), known);
    let used = [known[0].clone().with_added_at(3).with_used_at(4)];
    set(&store, "portal", &used).await.unwrap();
    assert_eq!(store.tokens("portal").await.unwrap(), used);
    store_conformance::check(&store).await.unwrap();
}

#[tokio::test]
async fn sqlite_file_keeps_its_tokens_when_reopened() {
    let directory = Directory::new("again");
    let token = application("plain:a").with_issued_at(1).with_expires_at(2);
    for is_first in [true, false] {
        let store = SqliteStore::open(directory.file()).await.unwrap();
        let token = std::slice::from_ref(&token);
        let added = store.compare_exchange("portal", &[], token).await.unwrap();
        assert_eq!(added, is_first);
        assert_eq!(store.tokens("portal").await.unwrap(), token);
        store.close().await;
        assert!(store.tokens("portal").await.is_err());
    }
    // A closed store is one file, which can be moved or copied.
    assert_eq!(std::fs::read_dir(&directory.0).unwrap().count(), 1);
}

#[tokio::test]
async fn sqlite_error_names_a_missing_directory() {
    let directory = Directory::new("missing");
    let path = directory.0.join("none").join("portals.db");
    let error = SqliteStore::open(path).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Connection);
    assert_eq!(
        error.to_string(),
        "the directory of the SQLite file does not exist"
    );
}

#[tokio::test]
async fn sqlite_store_rejects_another_file_and_leaves_it_unchanged() {
    let directory = Directory::new("other");
    let text = "not a database, but long enough to be the head of one".repeat(10);
    std::fs::write(directory.file(), &text).unwrap();
    let error = SqliteStore::open(directory.file()).await.unwrap_err();
    assert!(
        with_sources(&error).contains("file is not a database"),
        "{error:?}"
    );
    assert_eq!(std::fs::read_to_string(directory.file()).unwrap(), text);
}

#[tokio::test]
async fn sqlite_file_name_is_never_read_as_an_option() {
    let directory = Directory::new("names");
    for name in [":memory:", "file:a?mode=memory", "a#b?c%20d"] {
        let store = SqliteStore::open(directory.0.join(name)).await.unwrap();
        set(&store, "portal", &[application("plain:a")])
            .await
            .unwrap();
        assert!(directory.0.join(name).is_file(), "{name}");
    }
    assert!(SqliteStore::open("").await.is_err());
}

#[tokio::test]
async fn sqlite_call_times_out_while_another_process_writes_and_later_succeeds() {
    let directory = Directory::new("busy");
    let store = SqliteStore::builder()
        .call_timeout(Duration::from_millis(300))
        .open(directory.file())
        .await
        .unwrap();
    let url = format!("sqlite:{}", directory.file().display());
    let mut other = SqliteConnection::connect(&url).await.unwrap();
    other.execute("BEGIN IMMEDIATE").await.unwrap();
    for _ in 0..3 {
        assert!(
            store
                .compare_exchange("portal", &[], &[application("plain:a")])
                .await
                .is_err()
        );
        assert_eq!(store.tokens("portal").await.unwrap(), []);
    }
    other.execute("ROLLBACK").await.unwrap();
    // The last of these calls may still wait in the connection's thread.
    let mut added = false;
    for _ in 0..100 {
        added = added
            || store
                .compare_exchange("portal", &[], &[application("plain:a")])
                .await
                .is_ok();
    }
    assert!(added);
    assert_eq!(
        store.tokens("portal").await.unwrap(),
        [application("plain:a")]
    );
    store.close().await;
}

#[tokio::test]
async fn sqlite_calls_beyond_the_connections_wait() {
    let directory = Directory::new("few");
    let store = SqliteStore::builder()
        .max_readers(1)
        .call_timeout(Duration::from_secs(60))
        .open(directory.file())
        .await
        .unwrap();
    let mut calling = tokio::task::JoinSet::new();
    for at in 0..40 {
        let store = store.clone();
        calling.spawn(async move {
            // Some are cancelled half way, which must cost no connection.
            if at % 4 == 0 {
                let tokens = [application("plain:b")];
                let adding = store.compare_exchange("portal", &[], &tokens);
                let _ = tokio::time::timeout(Duration::from_micros(500), adding).await;
            } else {
                store.tokens("portal").await.unwrap();
                store
                    .compare_exchange("portal", &[], &[application("plain:a")])
                    .await
                    .unwrap();
            }
        });
    }
    calling.join_all().await;
    set(&store, "portal", &[]).await.unwrap();
    store.close().await;
}

#[cfg(unix)]
#[tokio::test]
async fn new_sqlite_file_is_readable_only_by_its_owner() {
    use std::os::unix::fs::PermissionsExt;

    let directory = Directory::new("mode");
    let store = SqliteStore::open(directory.file()).await.unwrap();
    set(&store, "portal", &[application("plain:a")])
        .await
        .unwrap();
    let files: Vec<_> = std::fs::read_dir(&directory.0).unwrap().collect();
    assert_eq!(files.len(), 3, "{files:?}");
    for file in files {
        let file = file.unwrap();
        let mode = file.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file:?}");
    }
}

#[tokio::test]
async fn sqlite_file_of_a_later_version_is_rejected() {
    let directory = Directory::new("later");
    SqliteStore::open(directory.file())
        .await
        .unwrap()
        .close()
        .await;
    let url = format!("sqlite:{}", directory.file().display());
    let mut connection = SqliteConnection::connect(&url).await.unwrap();
    let later = "INSERT INTO bitrix24_portal_schema (version) VALUES (1000)";
    connection.execute(later).await.unwrap();
    connection.close().await.unwrap();

    let error = SqliteStore::open(directory.file()).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::NewerSchema);
    assert!(
        error
            .to_string()
            .contains("a later version of tower-bitrix24")
    );
}

#[tokio::test]
async fn sqlite_row_of_an_unknown_kind_is_an_error_without_the_token() {
    let directory = Directory::new("kind");
    let store = SqliteStore::open(directory.file()).await.unwrap();
    let url = format!("sqlite:{}", directory.file().display());
    let mut connection = SqliteConnection::connect(&url).await.unwrap();
    let row = "INSERT INTO bitrix24_portal_tokens VALUES ('a', 'canary', 'other', 1, 1, 1, 1)";
    connection.execute(row).await.unwrap();

    let error = store.tokens("a").await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Query);
    assert!(!with_sources(&error).contains("canary"));
    let error = store.compare_exchange("a", &[], &[]).await.unwrap_err();
    assert!(!with_sources(&error).contains("canary"));
}
