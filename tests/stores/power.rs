//! A SQLite store keeps what it has confirmed after a loss of power. A preloaded library keeps a
//! copy of the file with only what was synced.

#![cfg(target_os = "linux")]

mod shim;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, Executor, SqliteConnection};
use tower_bitrix24::Secret;
use tower_bitrix24::portals::{PortalToken, SqliteStore, TokenKind, TokenStore};

const CONFIRMED: usize = 50;

async fn store_until_killed(file: &Path, is_control: bool) {
    let store = SqliteStore::open(file).await.unwrap();
    // The same writes as the store's, but not synced.
    let mut control: SqliteConnection = SqliteConnectOptions::new()
        .filename(file)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Normal)
        .connect()
        .await
        .unwrap();
    for at in 0..CONFIRMED {
        if is_control {
            let add = "INSERT INTO bitrix24_portal_tokens \
                       VALUES (hex(randomblob(8)), 'plain:a', 'application', NULL, NULL, NULL, NULL)";
            control.execute(add).await.unwrap();
        } else {
            let token = PortalToken::new(TokenKind::Application, Secret::new("plain:a"));
            let portal = format!("portal-{at}");
            let added = store.compare_exchange(&portal, &[], &[token]).await;
            assert!(added.unwrap());
        }
        eprintln!("stored");
    }
    // Waits to be killed, since a clean exit would close and sync the file.
    std::future::pending::<()>().await;
}

/// The child process of the next test. It does nothing by itself.
#[tokio::test]
async fn process_that_loses_power() {
    if let Some(file) = std::env::var_os("POWER_FILE") {
        store_until_killed(
            &PathBuf::from(file),
            std::env::var_os("POWER_CONTROL").is_some(),
        )
        .await;
    }
}

/// Returns the number of confirmed tokens that a loss of power leaves.
async fn survivors(shim: &Path, is_control: bool) -> i64 {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().canonicalize().unwrap();
    let (live, shadow) = (root.join("live"), root.join("shadow"));
    std::fs::create_dir(&live).unwrap();
    std::fs::create_dir(&shadow).unwrap();
    let mut process = Command::new(std::env::current_exe().unwrap());
    process
        .args(["process_that_loses_power", "--exact", "--nocapture"])
        .env("LD_PRELOAD", shim)
        .env("POWER_DIR", &live)
        .env("POWER_SHADOW", &shadow)
        .env("POWER_FILE", live.join("portals.db"))
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    if is_control {
        process.env("POWER_CONTROL", "1");
    }
    let mut process = process.spawn().unwrap();
    let lines = BufReader::new(process.stderr.take().unwrap()).lines();
    let stored = lines.map(Result::unwrap).filter(|line| line == "stored");
    assert_eq!(stored.take(CONFIRMED).count(), CONFIRMED);
    process.kill().unwrap();
    process.wait().unwrap();

    let mut left = SqliteConnectOptions::new()
        .filename(shadow.join("portals.db"))
        .connect()
        .await
        .unwrap();
    let count = "SELECT count(*) FROM bitrix24_portal_tokens";
    let count: i64 = sqlx::query_scalar(count)
        .fetch_one(&mut left)
        .await
        .unwrap();
    left.close().await.unwrap();
    count
}

#[tokio::test]
async fn sqlite_store_keeps_confirmed_tokens_after_a_loss_of_power() {
    let directory = tempfile::tempdir().unwrap();
    let shim = shim::compile(directory.path(), "shim.c");
    let confirmed = i64::try_from(CONFIRMED).unwrap();
    assert_eq!(survivors(&shim, false).await, confirmed);
    // Otherwise the test above could not fail.
    assert!(survivors(&shim, true).await < confirmed);
}
