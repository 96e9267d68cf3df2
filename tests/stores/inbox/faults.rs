//! A disk that is full, or whose syncs fail: an event that cannot be stored gets 503, and one that got
//! 200 is there after a loss of power.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tower_bitrix24::inbox::{Inbox, SqliteInbox};

use super::child::{Role, numbers};
use super::{Directory, form, key, records, rounds, send, shim};

const EVENTS: u64 = 12;

/// The responses of a process, and the events with a 200 that are lost after a loss of power.
struct Report {
    answered: BTreeSet<u64>,
    rejected: BTreeSet<u64>,
    is_opened: bool,
    lost: usize,
}

async fn report(lines: &[String], file: &Path) -> Report {
    let answered = numbers(lines, "answered ");
    let left = if answered.is_empty() {
        Vec::new()
    } else {
        let store = SqliteInbox::open(file).await.unwrap();
        let left = records(&store).await;
        store.close().await;
        left
    };
    let left: BTreeSet<u64> = left
        .iter()
        .map(|record| record.entry.timestamp.unwrap() as u64)
        .collect();
    Report {
        lost: answered.difference(&left).count(),
        answered,
        rejected: numbers(lines, "rejected "),
        is_opened: !lines.iter().any(|line| line.starts_with("not opened")),
    }
}

/// A directory with a copy of what is on the disk.
struct Disk<'a> {
    directory: Directory,
    shim: &'a Path,
}

impl<'a> Disk<'a> {
    fn new(shim: &'a Path) -> Self {
        let directory = Directory::new();
        for name in ["live", "shadow"] {
            std::fs::create_dir(directory.0.path().join(name)).unwrap();
        }
        Self { directory, shim }
    }

    fn file(&self, of: &str) -> PathBuf {
        self.directory.0.path().join(of).join("inbox.sqlite")
    }

    /// Runs a receiver until it has sent all events, and returns its lines.
    fn receive(&self, first: u64, fault: &[(&str, String)]) -> Vec<String> {
        let role = Role {
            senders: 1,
            events: Some(EVENTS),
            first,
            works: false,
        };
        let root = self.directory.0.path();
        let mut environment = vec![
            ("LD_PRELOAD", self.shim.display().to_string()),
            ("POWER_DIR", root.join("live").display().to_string()),
            ("POWER_SHADOW", root.join("shadow").display().to_string()),
        ];
        environment.extend_from_slice(fault);
        role.start(&self.file("live"), &environment).finish()
    }

    async fn lose_power(&self, lines: &[String]) -> Report {
        report(lines, &self.file("shadow")).await
    }
}

/// Runs a receiver on a disk with a fault.
async fn receive(shim: &Path, fault: &[(&str, String)]) -> Report {
    let disk = Disk::new(shim);
    let lines = disk.receive(1, fault);
    disk.lose_power(&lines).await
}

/// Returns the places of a fault that are tried: all in the long form.
fn places(all: usize, short: usize) -> impl Iterator<Item = usize> {
    (0..all).step_by((all / rounds(short).min(all)).max(1))
}

#[tokio::test]
async fn sync_that_fails_once_loses_no_event() {
    let directory = Directory::new();
    let shim = shim::compile(directory.0.path(), "shim.c");
    let (mut answered, mut opened) = (0, 0);
    for place in places(32, 6) {
        let fault = [
            ("POWER_FAIL_SYNC", place.to_string()),
            ("POWER_ONCE", "1".to_owned()),
        ];
        let report = receive(&shim, &fault).await;
        assert_eq!(report.lost, 0, "sync {place}");
        if report.is_opened {
            opened += 1;
            // The transaction was repeated.
            assert_eq!(report.answered.len() as u64, EVENTS, "sync {place}");
        }
        answered += report.answered.len();
    }
    println!("a sync fails once: answered {answered}, lost 0");
    assert!(opened > 0);
}

#[tokio::test]
async fn syncs_that_fail_for_ever_get_503_and_lose_no_event() {
    let directory = Directory::new();
    let shim = shim::compile(directory.0.path(), "shim.c");
    let (mut answered, mut rejected) = (0, 0);
    for place in places(32, 6) {
        let fault = [("POWER_FAIL_SYNC", place.to_string())];
        let report = receive(&shim, &fault).await;
        assert_eq!(report.lost, 0, "sync {place}");
        if let (Some(last), Some(first)) = (report.answered.last(), report.rejected.first()) {
            assert!(last < first, "sync {place}");
        }
        answered += report.answered.len();
        rejected += report.rejected.len();
    }
    println!("syncs fail for ever: answered {answered}, rejected {rejected}, lost 0");
    assert!(answered > 0 && rejected > 0);
}

/// The commit whose sync failed is in the memory of the system, not on the disk: the next process reads it.
#[tokio::test]
async fn sync_that_failed_before_a_restart_loses_no_event() {
    let directory = Directory::new();
    let shim = shim::compile(directory.0.path(), "shim.c");
    let (mut answered, mut rejected) = (0, 0);
    for place in places(32, 6) {
        let disk = Disk::new(&shim);
        let mut lines = disk.receive(1, &[("POWER_FAIL_SYNC", place.to_string())]);
        lines.extend(disk.receive(1 + EVENTS, &[]));
        let report = disk.lose_power(&lines).await;
        assert_eq!(report.lost, 0, "sync {place}");
        assert!(report.answered.len() as u64 >= EVENTS, "sync {place}");
        answered += report.answered.len();
        rejected += report.rejected.len();
    }
    println!("syncs fail until a restart: answered {answered}, rejected {rejected}, lost 0");
    assert!(rejected > 0);
}

/// After a loss of power a log is gone whose name is not in the directory.
#[tokio::test]
async fn directory_that_cannot_be_synced_gets_no_200() {
    let directory = Directory::new();
    let shim = shim::compile(directory.0.path(), "shim.c");
    let report = receive(&shim, &[("POWER_FAIL_DIRECTORY", "1".to_owned())]).await;
    assert_eq!(report.lost, 0);
    assert!(!report.is_opened);
}

/// SQLite copies the log into the file as the last connection is closed.
#[tokio::test]
async fn log_that_cannot_be_written_anew_does_not_damage_the_file() {
    let directory = Directory::new();
    let shim = shim::compile(directory.0.path(), "shim.c");
    for place in 1..5 {
        let disk = Disk::new(&shim);
        let file = disk.file("live");
        let lines = {
            let store = SqliteInbox::open(&file).await.unwrap();
            let inbox = Inbox::builder(store.clone(), key()).build();
            for ts in 1..=EVENTS {
                assert_eq!(send(&inbox, form("ONCRMDEALADD", ts, ts, "a")).await, 200);
            }
            store.close().await;
            (1..=EVENTS).map(|ts| format!("answered {ts}"))
        };
        std::fs::copy(&file, disk.file("shadow")).unwrap();
        // While this process has the file open, the next one copies nothing.
        let holder = Role::default().start(&file, &[]);
        while !file.with_extension("sqlite-wal").exists() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let padding = ("CHILD_PADDING", "30000".to_owned());
        let fails = ("POWER_FAIL_SYNC", place.to_string());
        disk.receive(101, &[fails, padding]);
        holder.kill_after(0);
        let fault = [
            ("POWER_FAIL_SYNC", "0"),
            ("POWER_ONCE", "1"),
            ("POWER_EARLY", "2"),
        ];
        disk.receive(201, &fault.map(|(name, value)| (name, value.to_owned())));
        let report = disk.lose_power(&lines.collect::<Vec<_>>()).await;
        assert_eq!(report.lost, 0, "sync {place}");
    }
}

#[tokio::test]
async fn full_disk_gets_503_until_there_is_space_and_loses_no_event() {
    let directory = Directory::new();
    let shim = shim::compile(directory.0.path(), "shim.c");
    let (mut answered, mut rejected, mut recovered) = (0, 0, 0);
    for place in places(64, 6) {
        for space in [None, Some(4)] {
            let mut fault = vec![("POWER_FULL", place.to_string())];
            fault.extend(space.map(|writes: u32| ("POWER_FULL_FOR", writes.to_string())));
            let report = receive(&shim, &fault).await;
            assert_eq!(report.lost, 0, "write {place}");
            answered += report.answered.len();
            rejected += report.rejected.len();
            if space.is_some() && report.is_opened {
                recovered += 1;
                assert!(report.answered.contains(&EVENTS), "write {place}");
            }
        }
    }
    println!("disk full: answered {answered}, rejected {rejected}, lost 0");
    assert!(answered > 0 && rejected > 0 && recovered > 0);
}

#[tokio::test]
async fn file_that_may_not_grow_gets_503_and_loses_no_event() {
    let directory = Directory::new();
    let file = directory.file();
    let role = Role {
        senders: 4,
        events: Some(600),
        first: 1,
        works: false,
    };
    // Blocks of 512 bytes. Without the signal, a write beyond the limit fails.
    let mut command = Command::new("sh");
    command
        .args(["-c", "trap '' XFSZ; ulimit -f 512; exec \"$@\"", "sh"])
        .arg(std::env::current_exe().unwrap())
        .args(["child::process", "--exact", "--nocapture"]);
    let lines = role.start_as(command, &file, &[]).finish();
    let report = report(&lines, &file).await;
    println!(
        "file limit: answered {}, rejected {}, lost {}",
        report.answered.len(),
        report.rejected.len(),
        report.lost
    );
    assert!(!report.answered.is_empty() && !report.rejected.is_empty());
    assert_eq!(report.lost, 0);
}
