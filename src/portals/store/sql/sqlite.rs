//! `SqliteStore`: tokens in a SQLite file.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sqlx::sqlite::SqliteRow;
use sqlx::{FromRow, Sqlite};

use super::super::TokenStore;
use super::super::token::PortalToken;
use super::queries::{CALL_TIMEOUT, Columns, SqlStore, TokenDialect, impl_token_store};
use crate::sql::migrations::Migrations;
use crate::sql::{StoreError, create_file, file_pools};

/// A [`TokenStore`] in a SQLite file, for an application on one machine. It needs no setup: the file
/// and its tables are created on first use.
///
/// Several stores and processes can share the file if it is on a local disk. It is in write-ahead
/// mode, with two more files (`-wal`, `-shm`) beside it. Committed changes survive a loss of power
/// (`synchronous=FULL`). Every connection sets both and checks them. One call writes at a time. Every
/// call ends within [`call_timeout`](SqliteStoreBuilder::call_timeout), which includes the wait for
/// other processes.
///
/// On unix a new file is readable for its owner alone. The permissions of an existing one stay. The
/// tokens in it are live ones unless they are hashed ([`TokenKey`](crate::portals::TokenKey)), so
/// treat backups as secrets.
///
/// The connection that writes is opened with the store, after a failure and every 30 minutes. It writes
/// the log of SQLite anew before its first commit, since the system may not have kept what it has in
/// memory after a sync that failed. If the file or its log is moved, removed or replaced by another while
/// it is open, every call returns an error until it is back or the store is opened again; only unix
/// allows that.
///
/// The crate `libsqlite3-sys` compiles SQLite in. A program can have only one version of it. SQLite
/// must be 3.51.3 or later, 3.50.7 or a later 3.50, or 3.44.6 or a later 3.44. All others have the
/// [WAL-reset bug](https://sqlite.org/wal.html), which can lose committed writes, and are rejected.
///
/// ```
/// use tower_bitrix24::Secret;
/// use tower_bitrix24::portals::{PortalToken, SqliteStore, TokenKind, TokenStore};
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// # let directory = std::env::temp_dir().join(format!("sqlite-store-{}", std::process::id()));
/// # std::fs::create_dir_all(&directory)?;
/// let store = SqliteStore::open(directory.join("portals.db")).await?;
///
/// let token = PortalToken::new(TokenKind::Application, Secret::new("plain:192735"));
/// let portal = "a223c6b3710f85df22e9377d6c4f7553";
/// assert!(store.compare_exchange(portal, &[], &[token.clone()]).await?);
/// assert!(!store.compare_exchange(portal, &[], &[]).await?);
/// assert_eq!(store.tokens(portal).await?, [token]);
/// assert_eq!(store.tokens("another portal").await?, []);
/// # store.close().await;
/// # std::fs::remove_dir_all(&directory)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct SqliteStore {
    store: Arc<SqlStore<Sqlite>>,
    path: PathBuf,
}

impl SqliteStore {
    /// Returns a builder with the defaults.
    pub fn builder() -> SqliteStoreBuilder {
        SqliteStoreBuilder {
            max_readers: SqliteStoreBuilder::DEFAULT_MAX_READERS,
            call_timeout: SqliteStoreBuilder::DEFAULT_CALL_TIMEOUT,
        }
    }

    /// Opens the file with the defaults, creates it if it is missing, and brings its tables up to
    /// date.
    ///
    /// # Errors
    ///
    /// Returns an error if [`SqliteStoreBuilder::open`] does.
    ///
    /// # Panics
    ///
    /// Panics outside a tokio runtime.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::builder().open(path).await
    }

    /// Closes the connections after the running calls. Later calls return an error.
    ///
    /// If this is the last open store of the file, all data is in the one file again.
    pub async fn close(&self) {
        self.store.close().await;
    }
}

/// The settings of a [`SqliteStore`].
///
/// ```
/// use std::time::Duration;
///
/// use tower_bitrix24::portals::SqliteStore;
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// # let directory = std::env::temp_dir().join(format!("sqlite-built-{}", std::process::id()));
/// # std::fs::create_dir_all(&directory)?;
/// let store = SqliteStore::builder()
///     .max_readers(8)
///     .call_timeout(Duration::from_secs(2))
///     .open(directory.join("portals.db"))
///     .await?;
/// # store.close().await;
/// # std::fs::remove_dir_all(&directory)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct SqliteStoreBuilder {
    max_readers: usize,
    call_timeout: Duration,
}

impl SqliteStoreBuilder {
    /// The default of [`max_readers`](Self::max_readers): 4.
    pub const DEFAULT_MAX_READERS: usize = 4;

    /// The default of [`call_timeout`](Self::call_timeout): 4 seconds.
    pub const DEFAULT_CALL_TIMEOUT: Duration = CALL_TIMEOUT;

    /// Sets the maximum number of concurrent reads. Each has its own connection and thread. Defaults
    /// to 4.
    ///
    /// # Panics
    ///
    /// Panics if `readers` is 0.
    #[track_caller]
    pub fn max_readers(mut self, readers: usize) -> Self {
        assert!(readers > 0, "a store needs at least 1 connection");
        self.max_readers = readers;
        self
    }

    /// Sets the maximum time of a call, which includes the wait for other calls and processes.
    /// Defaults to 4 seconds.
    pub fn call_timeout(mut self, timeout: Duration) -> Self {
        self.call_timeout = timeout;
        self
    }

    /// Opens the file, creates it if it is missing, and brings its tables up to date.
    ///
    /// # Errors
    ///
    /// Returns an error if the directory is missing, if the file cannot be opened or is not a
    /// database, or if a later version of this crate created its tables. Returns one of the kind
    /// [`NotDurable`](crate::portals::StoreErrorKind::NotDurable) if the program's SQLite has the
    /// WAL-reset bug, or if the file cannot be put in write-ahead mode.
    ///
    /// # Panics
    ///
    /// Panics outside a tokio runtime.
    pub async fn open(self, path: impl AsRef<Path>) -> Result<SqliteStore, StoreError> {
        let path = create_file(path.as_ref())?;
        let (readers, writers) = file_pools(&path, self.max_readers, self.call_timeout);
        let store = SqlStore {
            readers,
            writers,
            begin: "BEGIN IMMEDIATE".into(),
            call_timeout: self.call_timeout,
        };
        let store = Arc::new(store.open().await?);
        Ok(SqliteStore { store, path })
    }
}

impl_token_store!(SqliteStore);

impl TokenDialect for Sqlite {
    const LOCK_PORTAL: Option<&'static str> = None;

    const MIGRATIONS: Migrations = Migrations {
        lock: None,
        has_versions: "SELECT count(*) FROM sqlite_schema WHERE name = 'bitrix24_portal_schema'",
        create_versions: "CREATE TABLE bitrix24_portal_schema (version INTEGER PRIMARY KEY) STRICT",
        version: "SELECT max(version) FROM bitrix24_portal_schema",
        insert_version: "INSERT INTO bitrix24_portal_schema (version) VALUES ($1)",
        patience: None,
        steps: &[
            include_str!("../migrations/sqlite/001_tokens.sql"),
            include_str!("../migrations/sqlite/002_use.sql"),
        ],
        // An older program could accept a token that a newer one has restricted.
        additive_until: 0,
    };

    fn columns(row: &SqliteRow) -> Result<Columns, sqlx::Error> {
        Columns::from_row(row)
    }
}

/// Shows the file's path.
impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}
