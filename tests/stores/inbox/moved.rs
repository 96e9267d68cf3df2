//! A SQLite file that is moved, removed or replaced while a process has it open: no event gets 200 that
//! nobody finds at the path.

use std::path::{Path, PathBuf};

use tower_bitrix24::inbox::{Inbox, SqliteInbox};

use super::{Directory, form, key, records, send};

/// The paths of the files of an inbox.
fn files(file: &Path) -> [PathBuf; 3] {
    ["", "-wal", "-shm"].map(|end| {
        let mut path = file.as_os_str().to_owned();
        path.push(end);
        path.into()
    })
}

fn rename(from: &Path, to: &Path) {
    for (from, to) in files(from).iter().zip(files(to)) {
        std::fs::rename(from, to).unwrap();
    }
}

#[tokio::test]
async fn sqlite_file_that_is_moved_away_gets_503_until_it_is_back() {
    let directory = Directory::new();
    let (file, away) = (directory.file(), directory.0.path().join("away"));
    let store = SqliteInbox::open(&file).await.unwrap();
    let inbox = Inbox::builder(store.clone(), key()).build();
    let event = |ts| form("ONCRMDEALADD", ts, ts, "a");
    assert_eq!(send(&inbox, event(1)).await, 200);
    rename(&file, &away);
    assert_eq!(send(&inbox, event(2)).await, 503);
    rename(&away, &file);
    assert_eq!(send(&inbox, event(3)).await, 200);
    let timestamps: Vec<i64> = records(&store)
        .await
        .iter()
        .filter_map(|record| record.entry.timestamp)
        .collect();
    assert_eq!(timestamps, [1, 3]);
    store.close().await;
}

#[tokio::test]
async fn events_after_a_sqlite_file_was_replaced_are_in_the_new_one() {
    let directory = Directory::new();
    let file = directory.file();
    let store = SqliteInbox::open(&file).await.unwrap();
    let inbox = Inbox::builder(store.clone(), key()).build();
    assert_eq!(send(&inbox, form("ONCRMDEALADD", 1, 1, "a")).await, 200);
    // The connections that read are open, too.
    assert_eq!(records(&store).await.len(), 1);
    for path in files(&file) {
        std::fs::remove_file(path).unwrap();
    }
    let operator = SqliteInbox::open(&file).await.unwrap();
    for ts in 2..20 {
        assert_eq!(send(&inbox, form("ONCRMDEALADD", ts, ts, "a")).await, 200);
    }
    assert_eq!(records(&store).await.len(), 18);
    store.close().await;
    assert_eq!(records(&operator).await.len(), 18);
    operator.close().await;
    // What was removed has come back from nowhere.
    let store = SqliteInbox::open(&file).await.unwrap();
    assert_eq!(records(&store).await.len(), 18);
    store.close().await;
}
