//! `SqliteInbox`: an inbox in a SQLite file.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sqlx::Sqlite;

use super::store::{CALL_TIMEOUT, InboxDialect, SqlInbox};
use crate::inbox::entry::Entry;
use crate::inbox::store::{
    Accept, Accepted, BlockedLane, ClaimRequest, Claims, Filter, Finish, InboxStore, Owned, Record,
    Stats,
};
use crate::sql::migrations::Migrations;
use crate::sql::{StoreError, create_file, file_pool, reject_network_file};

/// An [`InboxStore`] in a SQLite file, for an application on one machine. It needs no setup: the file
/// and its tables are created on first use.
///
/// The file is in write-ahead mode with `synchronous=FULL`, so that what was committed survives a loss
/// of power. Every connection sets both and checks them. Several processes can use the file at the
/// same time if it is on a local disk: a process that serves, and an operator's commands. A network
/// file system is rejected if the system reports it. SQLite must be free of the
/// [WAL-reset bug](https://sqlite.org/wal.html), as 3.51.3 is.
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
    /// database, or if a later version of this crate created its tables. Returns one of the kind
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
        let pool = |max_connections| file_pool(&path, max_connections, self.call_timeout);
        let store = SqlInbox {
            readers: pool(2),
            // One connection, so that changes wait for each other in order, and not for the file.
            writers: pool(1),
            begin: "BEGIN IMMEDIATE".into(),
            call_timeout: self.call_timeout,
            keep_bodies: self.keep_bodies,
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

    const MIGRATIONS: Migrations = Migrations {
        lock: None,
        has_versions: "SELECT count(*) FROM sqlite_schema WHERE name = 'bitrix24_inbox_schema'",
        create_versions: "CREATE TABLE bitrix24_inbox_schema (version INTEGER PRIMARY KEY) STRICT",
        version: "SELECT max(version) FROM bitrix24_inbox_schema",
        insert_version: "INSERT INTO bitrix24_inbox_schema (version) VALUES ($1)",
        steps: &[
            include_str!("migrations/sqlite/001_inbox.sql"),
            include_str!("migrations/sqlite/002_failing_since.sql"),
        ],
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
