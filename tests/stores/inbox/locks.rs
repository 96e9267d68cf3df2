//! A file that a process opens twice while another opens and closes it: locks and log stay.

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

/// Returns the process that holds SQLite's lock on the open file, as another process sees it.
fn holder(directory: &Directory) -> u32 {
    let program = directory.0.path().join("locked");
    if !program.exists() {
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/locked.c");
        let mut compiler = Command::new("cc");
        let compiled = compiler.arg("-o").arg(&program).arg(source).status();
        assert!(compiled.unwrap().success());
    }
    let output = Command::new(program)
        .arg(directory.file())
        .output()
        .unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    text.trim().parse().unwrap()
}

/// The locks of SQLite are those of the process and the file: whoever opens the file by other means and
/// closes it drops them. A process with an SQLite before 3.51 would then take itself for the last one,
/// and remove the log that this process still writes to.
#[tokio::test]
async fn second_handle_of_a_process_does_not_drop_the_locks_of_the_first() {
    let directory = Directory::new();
    let store = SqliteInbox::open(directory.file()).await.unwrap();
    let own = std::process::id();
    assert_eq!(holder(&directory), own);
    let second = SqliteInbox::open(directory.file()).await.unwrap();
    assert_eq!(holder(&directory), own, "the lock is dropped");
    // The control: a file that was opened so that it is created if it is missing, and closed.
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true);
    drop(options.open(directory.file()).unwrap());
    let third = SqliteInbox::open(directory.file()).await.unwrap();
    assert_eq!(
        holder(&directory),
        0,
        "the test sees that a lock is dropped"
    );
    for store in [store, second, third] {
        store.close().await;
    }
}

#[tokio::test]
async fn log_stays_while_a_process_has_the_file_open_twice_and_another_closes_it() {
    let directory = Directory::new();
    let file = directory.file();
    let store = SqliteInbox::open(&file).await.unwrap();
    let inbox = Inbox::builder(store.clone(), key()).build();
    assert_eq!(send(&inbox, form("ONCRMDEALADD", 1, 1, "a")).await, 200);
    for round in 0..3 {
        let second = SqliteInbox::open(&file).await.unwrap();
        let id = 2 + 2 * round;
        assert_eq!(entries_of_another_process(&file), id as usize - 1);
        assert!(file.with_extension("sqlite-wal").exists());
        assert_eq!(send(&inbox, form("ONCRMDEALADD", id, id, "a")).await, 200);
        // Once more after this process has closed some of its own connections.
        second.close().await;
        assert_eq!(entries_of_another_process(&file), id as usize);
        let id = id + 1;
        assert_eq!(send(&inbox, form("ONCRMDEALADD", id, id, "a")).await, 200);
        assert_eq!(entries_of_another_process(&file), id as usize);
    }
    store.close().await;
    assert_eq!(entries_of_another_process(&file), 7);
}
