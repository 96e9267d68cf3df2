//! A file that a process opens twice while another opens and closes it: the write-ahead log stays.

use std::path::Path;
use std::process::{Command, Stdio};

use tower_bitrix24::inbox::{Inbox, SqliteInbox};

use super::{Directory, form, key, records, send};

/// Runs in another process: opens the file, counts the entries and closes it.
#[tokio::test]
async fn process_that_opens_and_closes() {
    let Some(file) = std::env::var_os("OPENED_FILE") else {
        return;
    };
    let store = SqliteInbox::open(file).await.unwrap();
    let entries = records(&store).await.len();
    store.close().await;
    eprintln!("entries {entries}");
}

/// Returns the number of entries that another process finds.
fn entries_of_another_process(file: &Path) -> usize {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args([
            "locks::process_that_opens_and_closes",
            "--exact",
            "--nocapture",
        ])
        .env("OPENED_FILE", file)
        .stdin(Stdio::null());
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    let entries = text.lines().find_map(|line| line.strip_prefix("entries "));
    let entries = entries.unwrap_or_else(|| panic!("the process printed {text}"));
    entries.parse().unwrap()
}

/// The locks of SQLite are those of the process and the file. Whoever opens the file by other means and
/// closes it drops them, and the next process that closes the file takes itself for the last one: it
/// removes the log that this process still writes to.
#[tokio::test]
async fn second_handle_of_a_process_does_not_drop_the_locks_of_the_first() {
    let directory = Directory::new();
    let file = directory.file();
    let store = SqliteInbox::open(&file).await.unwrap();
    let inbox = Inbox::builder(store.clone(), key()).build();
    assert_eq!(send(&inbox, form("ONCRMDEALADD", 1, 1, "a")).await, 200);
    for round in 0..3 {
        let second = SqliteInbox::open(&file).await.unwrap();
        let id = 2 + 2 * round;
        assert_eq!(entries_of_another_process(&file), id as usize - 1);
        assert!(directory.file().with_extension("sqlite-wal").exists());
        assert_eq!(send(&inbox, form("ONCRMDEALADD", id, id, "a")).await, 200);
        // Once more after it has closed some of its own connections.
        second.close().await;
        assert_eq!(entries_of_another_process(&file), id as usize);
        let id = id + 1;
        assert_eq!(send(&inbox, form("ONCRMDEALADD", id, id, "a")).await, 200);
        assert_eq!(entries_of_another_process(&file), id as usize);
    }
    store.close().await;
    assert_eq!(entries_of_another_process(&file), 7);
}

/// The test above could not tell a dropped lock if this one found none.
#[tokio::test]
async fn handle_by_other_means_drops_the_locks_of_the_first() {
    let directory = Directory::new();
    let file = directory.file();
    let store = SqliteInbox::open(&file).await.unwrap();
    let inbox = Inbox::builder(store.clone(), key()).build();
    assert_eq!(send(&inbox, form("ONCRMDEALADD", 1, 1, "a")).await, 200);
    let log = file.with_extension("sqlite-wal");
    assert_eq!(entries_of_another_process(&file), 1);
    assert!(log.exists());
    drop(std::fs::File::open(&file).unwrap());
    assert_eq!(entries_of_another_process(&file), 1);
    assert!(!log.exists());
    store.close().await;
}
