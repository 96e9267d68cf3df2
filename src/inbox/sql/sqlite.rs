//! `SqliteInbox`: an inbox in a SQLite file.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sqlx::Sqlite;

use super::store::{ADDITIVE_UNTIL, CALL_TIMEOUT, InboxDialect, SqlInbox};
use crate::inbox::entry::Entry;
use crate::inbox::store::{
    Accept, Accepted, BlockedLane, ClaimRequest, Claims, Filter, Finish, InboxStore, Owned, Record,
    Stats,
};
use crate::sql::migrations::Migrations;
use crate::sql::{StoreError, create_file, file_pools, reject_network_file};

const MAX_READERS: usize = 2;

/// An [`InboxStore`] in a SQLite file, for an application on one machine. It needs no setup: the file
/// and its tables are created on first use.
///
/// The file is in write-ahead mode with `synchronous=FULL`, so that what was committed survives a loss
/// of power. Every connection sets both and checks them. Several processes can use the file at the
/// same time if it is on a local disk: a process that serves, and an operator's commands. A network
/// file system is rejected if the system reports it. SQLite must be free of the
/// [WAL-reset bug](https://sqlite.org/wal.html), as 3.51.3 is.
///
/// The connection that writes is opened with the store, after a failure and every 30 minutes. It writes
/// the log of SQLite anew before its first commit, 4 MB at most unless a long backup runs, since the
/// system may not have kept what it has in memory after a sync that failed, and syncs the directory. If
/// that fails too, events get 503.
///
/// If the file or its log (`-wal`) is moved, removed or replaced by another while it is open, every call
/// returns an error, and events get 503, until it is back or the inbox is opened again. Each call looks
/// for that on unix; other systems do not allow it. A file that is overwritten in place is not noticed.
///
/// Leases and due times go by the system's clock. If it is set back, entries wait until it has caught up.
///
/// On unix a new file is readable for its owner alone.
///
/// ```
/// use tower_bitrix24::inbox::{InboxStore, SqliteInbox};
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// # let directory = std::env::temp_dir().join(format!("sqlite-inbox-{}", std::process::id()));
/// # std::fs::create_dir_all(&directory)?;
/// let store = SqliteInbox::open(directory.join("inbox.sqlite")).await?;
/// assert_eq!(store.stats().await?.waiting, 0);
///
/// assert!(SqliteInbox::open(directory.join("missing/inbox.sqlite")).await.is_err());
/// # store.close().await;
/// # std::fs::remove_dir_all(&directory)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct SqliteInbox {
    store: Arc<SqlInbox<Sqlite>>,
    path: PathBuf,
}

impl SqliteInbox {
    /// Returns a builder with the defaults.
    pub const fn builder() -> SqliteInboxBuilder {
        SqliteInboxBuilder {
            call_timeout: CALL_TIMEOUT,
            keep_bodies: false,
        }
    }

    /// Opens the file with the defaults, creates it if it is missing, and brings its tables up to
    /// date.
    ///
    /// # Errors
    ///
    /// Returns an error if [`SqliteInboxBuilder::open`] does.
    ///
    /// # Panics
    ///
    /// Panics outside a tokio runtime.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::builder().open(path).await
    }

    /// Closes the connections after the running calls. Later calls return an error.
    ///
    /// If nothing else has the file open, all data is in the one file again.
    pub async fn close(&self) {
        self.store.close().await;
    }
}

/// The settings of a [`SqliteInbox`].
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct SqliteInboxBuilder {
    call_timeout: Duration,
    keep_bodies: bool,
}

impl SqliteInboxBuilder {
    /// Sets the maximum time of a call, which includes the wait for other calls and processes.
    /// Defaults to 5 seconds.
    pub const fn call_timeout(mut self, timeout: Duration) -> Self {
        self.call_timeout = timeout;
        self
    }

    /// Keeps the bodies of done entries until they are purged, so that they can be replayed. By
    /// default a body is removed once its entry is done.
    pub const fn keep_bodies(mut self) -> Self {
        self.keep_bodies = true;
        self
    }

    /// Opens the file, creates it if it is missing, and brings its tables up to date.
    ///
    /// # Errors
    ///
    /// Returns an error if the directory is missing, if the file cannot be opened or is not a
    /// database. Returns one of the kind [`NewerSchema`](crate::inbox::StoreErrorKind::NewerSchema) if a
    /// later minor version of this crate created its tables, and of the kind
    /// [`NotDurable`](crate::inbox::StoreErrorKind::NotDurable) if the file is on a network file
    /// system, if the program's SQLite has the WAL-reset bug, or if the file cannot be put in
    /// write-ahead mode.
    ///
    /// # Panics
    ///
    /// Panics outside a tokio runtime.
    pub async fn open(self, path: impl AsRef<Path>) -> Result<SqliteInbox, StoreError> {
        let path = create_file(path.as_ref())?;
        reject_network_file(&path)?;
        let (readers, writers) = file_pools(&path, MAX_READERS, self.call_timeout);
        let store = SqlInbox {
            readers,
            writers,
            begin: "BEGIN IMMEDIATE".into(),
            call_timeout: self.call_timeout,
            keep_bodies: self.keep_bodies,
            turn: Mutex::default(),
        };
        store.migrate().await?;
        let store = Arc::new(store);
        Ok(SqliteInbox { store, path })
    }
}

super::store::impl_inbox_store!(SqliteInbox);

impl InboxDialect for Sqlite {
    const LOCK: Option<&'static str> = None;

    const NOW: Option<&'static str> = None;

    const OR_ROLLBACK: &'static str = " OR ROLLBACK";

    const MIGRATIONS: Migrations = Migrations {
        lock: None,
        has_versions: "SELECT count(*) FROM sqlite_schema WHERE name = 'bitrix24_inbox_schema'",
        create_versions: "CREATE TABLE bitrix24_inbox_schema (version INTEGER PRIMARY KEY) STRICT",
        version: "SELECT max(version) FROM bitrix24_inbox_schema",
        insert_version: "INSERT INTO bitrix24_inbox_schema (version) VALUES ($1)",
        patience: None,
        steps: &[
            include_str!("migrations/sqlite/001_inbox.sql"),
            include_str!("migrations/sqlite/002_failing_since.sql"),
            include_str!("migrations/sqlite/003_due.sql"),
        ],
        additive_until: ADDITIVE_UNTIL,
    };
}

/// Shows the file's path.
impl fmt::Debug for SqliteInbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteInbox")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use sqlx::AssertSqlSafe;

    use super::*;
    use crate::event::DedupKey;
    use crate::inbox::backoff::Backoff;
    use crate::inbox::entry::FORMAT;
    use crate::inbox::store::Outcome;

    fn entry(number: u64) -> Entry {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&number.to_be_bytes());
        Entry {
            key: DedupKey::from_bytes(key),
            lane: Some([u8::try_from(number % 40).unwrap(); 32]),
            merge: None,
            once: false,
            member_id: format!("portal {}", number % 5),
            code: "ONCRMDEALUPDATE".to_owned(),
            subject: String::new(),
            handler_id: None,
            timestamp: None,
            format: FORMAT,
            key_id: None,
            body: vec![1].into(),
        }
    }

    async fn execute(inbox: &SqliteInbox, sql: String) {
        let mut transaction = inbox.store.begin().await.unwrap();
        let sql = AssertSqlSafe(sql);
        transaction.execute(sql, &[]).await.unwrap();
        transaction.commit().await.unwrap();
    }

    /// Accepts, claims, extends and ends entries, and returns the instructions of SQLite's virtual
    /// machine that each of the four took.
    async fn cycle(inbox: &SqliteInbox, count: &AtomicU64, first: u64) -> [u64; 4] {
        let taken = || count.swap(0, Ordering::Relaxed);
        let backoff = Backoff::new();
        let request = ClaimRequest {
            owner: "w",
            limit: 16,
            lease: Duration::from_secs(60),
            backoff: &backoff,
            alone: true,
            portal_limit: 16,
            running: &[],
            after: "",
        };
        let entries: Vec<Entry> = (first..first + 40).map(entry).collect();
        taken();
        inbox.accept(&entries).await.unwrap();
        let accepted = taken();
        let claims = inbox.claim(&request).await.unwrap();
        let claimed = taken();
        assert_eq!(claims.entries.len(), 16);
        let finish = |claim: &crate::inbox::store::Claim| Finish {
            owned: Owned {
                seq: claim.record.seq,
                attempt: claim.record.attempts,
            },
            outcome: Outcome::Done,
        };
        let finishes: Vec<Finish> = claims.entries.iter().map(finish).collect();
        let owned: Vec<Owned> = finishes.iter().map(|finish| finish.owned).collect();
        inbox.extend("w", &owned, request.lease).await.unwrap();
        let extended = taken();
        let ended = inbox.finish("w", &finishes).await.unwrap();
        assert!(ended.iter().all(|ended| *ended));
        [accepted, claimed, extended, taken()]
    }

    #[tokio::test]
    async fn purge_waits_until_every_entry_has_its_place() {
        let path = format!("bitrix24-purge-{}", std::process::id());
        let path = std::env::temp_dir().join(path);
        std::fs::create_dir_all(&path).unwrap();
        let mut inbox = SqliteInbox::open(path.join("inbox.sqlite")).await.unwrap();
        let entries: Vec<Entry> = (0..3000).map(entry).collect();
        inbox.accept(&entries).await.unwrap();
        // Each transaction has no time for more than one step.
        Arc::get_mut(&mut inbox.store).unwrap().call_timeout = Duration::ZERO;
        let purged = inbox.purge(Duration::ZERO, Duration::ZERO).await.unwrap();
        Arc::get_mut(&mut inbox.store).unwrap().call_timeout = CALL_TIMEOUT;
        let packs = "SELECT (SELECT count(*) FROM bitrix24_inbox_accepted) \
            + (SELECT count(*) FROM bitrix24_inbox_backlog)";
        let mut transaction = inbox.store.begin().await.unwrap();
        let waiting = transaction.number(packs).await.unwrap();
        transaction.commit().await.unwrap();
        inbox.close().await;
        assert_eq!((purged, waiting), (0, Some(0)));
        std::fs::remove_dir_all(path).unwrap();
    }

    #[tokio::test]
    async fn removed_portal_leaves_nothing_in_a_pack_that_was_divided() {
        let path = format!("bitrix24-divided-{}", std::process::id());
        let path = std::env::temp_dir().join(path);
        for apart in 8..12 {
            std::fs::create_dir_all(&path).unwrap();
            let mut inbox = SqliteInbox::open(path.join("inbox.sqlite")).await.unwrap();
            let count = 256 * (9 + apart);
            let of_portal = |number| Entry {
                member_id: "flood".to_owned(),
                ..entry(number)
            };
            let flood: Vec<Entry> = (0..count).map(of_portal).collect();
            for batch in flood.chunks(256) {
                inbox.accept(batch).await.unwrap();
            }
            // One of the portal, with many of others.
            let mut mixed: Vec<Entry> = (count + 1..count + 21).map(entry).collect();
            mixed.push(of_portal(count));
            inbox.accept(&mixed).await.unwrap();
            // A quarter of that is over before a transaction makes a second step.
            Arc::get_mut(&mut inbox.store).unwrap().call_timeout = Duration::from_millis(4);
            let removed = inbox.remove_portal("flood").await.unwrap();
            Arc::get_mut(&mut inbox.store).unwrap().call_timeout = CALL_TIMEOUT;
            inbox.close().await;
            assert_eq!(removed, count + 1);
            std::fs::remove_dir_all(&path).unwrap();
        }
    }

    #[tokio::test]
    async fn portal_is_removed_also_if_its_backlog_takes_longer_than_a_call_may() {
        let path = format!("bitrix24-remove-{}", std::process::id());
        let path = std::env::temp_dir().join(path);
        std::fs::create_dir_all(&path).unwrap();
        let file = path.join("inbox.sqlite");
        let mut inbox = SqliteInbox::open(&file).await.unwrap();
        let entries: Vec<Entry> = (0..3000).map(entry).collect();
        inbox.accept(&entries).await.unwrap();
        // Each transaction has no time for more than one step.
        Arc::get_mut(&mut inbox.store).unwrap().call_timeout = Duration::ZERO;
        let removed = inbox.remove_portal("portal 1").await.unwrap();
        inbox.close().await;
        let inbox = SqliteInbox::open(&file).await.unwrap();
        assert_eq!(removed, 600);
        assert_eq!(inbox.stats().await.unwrap().waiting, 2400);
        inbox.close().await;
        std::fs::remove_dir_all(path).unwrap();
    }

    #[tokio::test]
    async fn work_of_a_claim_does_not_depend_on_200_000_finished_rows_in_sqlite() {
        let path = format!("bitrix24-claims-{}", std::process::id());
        let path = std::env::temp_dir().join(path);
        std::fs::create_dir_all(&path).unwrap();
        let inbox = SqliteInbox::builder().call_timeout(Duration::from_secs(120));
        let inbox = inbox.open(path.join("inbox.sqlite")).await.unwrap();
        let count = Arc::new(AtomicU64::new(0));
        let counted = count.clone();
        // There is one connection that writes, so that this counts every call.
        let deadline = inbox.store.deadline();
        let mut lease = inbox.store.writers.lease(deadline).await.unwrap();
        let mut handle = lease.connection().lock_handle().await.unwrap();
        handle.set_progress_handler(1, move || {
            counted.fetch_add(1, Ordering::Relaxed);
            true
        });
        drop(handle);
        lease.release();

        cycle(&inbox, &count, 0).await;
        let before = cycle(&inbox, &count, 1000).await;
        // Done and dead rows of the same lanes and portals, and rows that wait behind another, tried and
        // untried.
        let columns = "key, lane, once, member_id, code, subject, first_received, received, state, \
                       due, finished, format, attempts";
        let rows = "WITH RECURSIVE n(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM n WHERE n < 200000) \
                    SELECT randomblob(32), (SELECT lane FROM bitrix24_inbox WHERE head = 1 LIMIT 1), \
                    0, 'portal ' || (n % 5), 'ONCRMDEALUPDATE', '', 1, 1,";
        for state in [
            "2 + n % 2, 1, 9e15, 1, 1 FROM n",
            "0, 1, NULL, 1, n % 2 FROM n LIMIT 20000",
        ] {
            let sql = format!("INSERT INTO bitrix24_inbox ({columns}) {rows} {state}");
            execute(&inbox, sql.replace("9e15", "9000000000000000")).await;
        }
        // Portals whose only entry waits for a retry.
        let retried = format!(
            "INSERT INTO bitrix24_inbox ({columns}, head) {} 0, 9000000000000000, NULL, 1, n % 2, 1 \
             FROM n LIMIT 20000",
            rows.replace(
                "(SELECT lane FROM bitrix24_inbox WHERE head = 1 LIMIT 1)",
                "NULL"
            )
            .replace("(n % 5)", "(5 + n)")
        );
        execute(&inbox, retried).await;
        let after = cycle(&inbox, &count, 2000).await;
        println!("instructions to accept, claim, extend and end: {before:?}, then {after:?}");
        for (before, after) in before.iter().zip(after) {
            assert!(
                *before > 0 && after < before * 2,
                "{before} before, {after} after"
            );
        }
        // The control: one scan is seen.
        count.store(0, Ordering::Relaxed);
        execute(&inbox, "SELECT max(subject) FROM bitrix24_inbox".to_owned()).await;
        assert!(count.load(Ordering::Relaxed) > 200_000);
        inbox.close().await;
        std::fs::remove_dir_all(path).unwrap();
    }
}
