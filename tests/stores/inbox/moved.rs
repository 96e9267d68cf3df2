//! A SQLite file that is moved, removed or replaced while a process has it open: no event gets 200 that
//! no later process finds.

use std::path::{Path, PathBuf};

use tower_bitrix24::inbox::{Inbox, InboxStore, SqliteInbox};

use super::{Directory, form, key, records, send};

/// The paths of the files of an inbox.
fn files(file: &Path) -> [PathBuf; 3] {
    ["", "-wal", "-shm"].map(|end| {
        let mut path = file.as_os_str().to_owned();
        path.push(end);
        path.into()
    })
}

/// Sends events to an inbox, and keeps those with 200.
struct Sender {
    store: SqliteInbox,
    inbox: Inbox<SqliteInbox>,
    sent: u64,
    answered: Vec<i64>,
}

impl Sender {
    async fn open(file: &Path) -> Self {
        let store = SqliteInbox::open(file).await.unwrap();
        Self {
            inbox: Inbox::builder(store.clone(), key()).build(),
            store,
            sent: 0,
            answered: Vec::new(),
        }
    }

    async fn send(&mut self) -> u16 {
        self.sent += 1;
        let status = send(&self.inbox, form("ONCRMDEALADD", self.sent, self.sent, "a")).await;
        if status == 200 {
            self.answered.push(self.sent as i64);
        }
        status
    }

    /// Closes the inbox, opens it again, and checks that what was answered is there.
    async fn check(self, file: &Path) {
        self.store.close().await;
        let store = SqliteInbox::open(file).await.unwrap();
        let records = records(&store).await;
        let there = records.iter().map(|record| record.entry.timestamp.unwrap());
        assert_eq!(there.collect::<Vec<_>>(), self.answered);
        store.close().await;
    }
}

#[tokio::test]
async fn sqlite_file_that_is_moved_away_gets_503_until_it_is_back() {
    for reads in [false, true] {
        let directory = Directory::new();
        let (file, away) = (directory.file(), directory.0.path().join("away"));
        let mut sender = Sender::open(&file).await;
        assert_eq!(sender.send().await, 200);
        if reads {
            assert_eq!(records(&sender.store).await.len(), 1);
        }
        for (from, to) in files(&file).iter().zip(files(&away)) {
            std::fs::rename(from, to).unwrap();
            assert_eq!(sender.send().await, 503);
        }
        assert!(sender.store.stats().await.is_err());
        for (from, to) in files(&away).iter().zip(files(&file)) {
            std::fs::rename(from, to).unwrap();
            sender.send().await;
        }
        assert_eq!(sender.send().await, 200);
        sender.check(&file).await;
    }
}

#[tokio::test]
async fn sqlite_file_that_was_replaced_gets_503_until_it_is_opened_again() {
    let directory = Directory::new();
    let file = directory.file();
    let mut sender = Sender::open(&file).await;
    assert_eq!(sender.send().await, 200);
    // The connections that read are open, too.
    assert_eq!(records(&sender.store).await.len(), 1);
    for path in files(&file) {
        std::fs::remove_file(path).unwrap();
    }
    assert_eq!(sender.send().await, 503);
    let mut operator = Sender::open(&file).await;
    assert_eq!(operator.send().await, 200);
    assert_eq!(sender.send().await, 503);
    sender.store.close().await;
    // The files of the new inbox are all there after the other was closed.
    assert_eq!(operator.send().await, 200);
    operator.check(&file).await;
}

#[tokio::test]
async fn log_of_a_sqlite_file_that_was_removed_gets_503_and_loses_no_event() {
    let directory = Directory::new();
    let file = directory.file();
    let mut sender = Sender::open(&file).await;
    for _ in 0..3 {
        assert_eq!(sender.send().await, 200);
    }
    std::fs::remove_file(&files(&file)[1]).unwrap();
    assert_eq!(sender.send().await, 503);
    sender.check(&file).await;
}
