//! The store in a SQLite file.

use std::fmt;
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteRow, SqliteSynchronous,
};
use sqlx::{Error, FromRow, SqlSafeStr, SqlStr, Sqlite};

use super::dialect::{self, Dialect, Row, Value};
use super::pool::{Pool, Settings};
use super::schema::Schema;
use super::store::SqlStore;
use super::{CALL_TIMEOUT, StoreError, impl_token_store};
use crate::portals::store::{PortalToken, TokenStore};

/// A [`TokenStore`] in a SQLite file, for an application on one machine. It wants no set-up: the
/// file and its table are made on first use.
///
/// Several stores and processes may share the file, as long as it is on a local disk. It is in
/// write-ahead mode, so two more files (`-wal`, `-shm`) stand beside it. What a call has done is
/// still there after a loss of power (`synchronous=FULL`); every connection sets both and reads them
/// back. One call writes at a time, and every call ends within
/// [`call_timeout`](SqliteStoreBuilder::call_timeout), its wait for other processes included.
///
/// On unix a new file is made readable for its owner alone; one that is there stays as it is. The
/// tokens in it are live ones unless they are hashed ([`TokenKey`](crate::portals::TokenKey)), so
/// back it up as the secret that it is.
///
/// SQLite is compiled in, by crate `libsqlite3-sys`, of which a program can have only one version.
/// It must be 3.51.3 or later, 3.50.7 or a later 3.50, or 3.44.6 or a later 3.44: all others have the
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
    /// Returns a builder for other settings than the defaults.
    pub fn builder() -> SqliteStoreBuilder {
        SqliteStoreBuilder {
            max_readers: SqliteStoreBuilder::DEFAULT_MAX_READERS,
            call_timeout: CALL_TIMEOUT,
        }
    }

    /// Opens the file, makes it where it is missing, and brings its tables up to date, with the
    /// default settings.
    ///
    /// # Errors
    ///
    /// As [`SqliteStoreBuilder::open`].
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::builder().open(path).await
    }

    /// Closes the connections, once the calls that are running have ended. Calls after it fail.
    ///
    /// With the last of the file's stores closed, all of it is in the one file again.
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

    /// Sets the maximum number of calls that read at once; each has a connection and a thread of its
    /// own. Defaults to 4.
    ///
    /// # Panics
    ///
    /// Panics if `readers` is 0.
    pub fn max_readers(mut self, readers: usize) -> Self {
        assert!(readers > 0, "a store needs a connection");
        self.max_readers = readers;
        self
    }

    /// Sets the maximum time of a call, which includes the wait for other calls and processes.
    /// Defaults to 4 seconds.
    pub fn call_timeout(mut self, timeout: Duration) -> Self {
        self.call_timeout = timeout;
        self
    }

    /// Opens the file, makes it where it is missing, and brings its tables up to date.
    ///
    /// # Errors
    ///
    /// Returns an error if the directory is missing, or if the file cannot be opened, is not a
    /// database, or was laid out by a later version of this crate. Returns one of the kind
    /// [`NotDurable`](crate::portals::StoreErrorKind::NotDurable) if the SQLite in the program has
    /// the WAL-reset bug, or if the file cannot be put in write-ahead mode.
    ///
    /// # Panics
    ///
    /// Panics outside a tokio runtime.
    pub async fn open(self, path: impl AsRef<Path>) -> Result<SqliteStore, StoreError> {
        // Also keeps `:memory:` and `file:…` from meaning anything but files.
        let path = std::path::absolute(path).map_err(unopened)?;
        create(&path)?;
        let options = SqliteConnectOptions::new()
            .filename(&path)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(self.call_timeout);
        let pool = |max_connections| {
            Pool::new(Settings {
                options: options.clone(),
                max_connections,
                connect_timeout: self.call_timeout,
                idle_timeout: None,
            })
        };
        let store = SqlStore {
            readers: pool(self.max_readers),
            // One connection, so that changes wait for each other here, in the order in which they
            // came, and not for the file.
            writers: pool(1),
            begin: "BEGIN IMMEDIATE".into(),
            call_timeout: self.call_timeout,
        };
        let store = Arc::new(store.open().await?);
        Ok(SqliteStore { store, path })
    }
}

/// Returns `true` if the version lacks the WAL-reset bug.
fn is_mended(version: &str) -> bool {
    let mut numbers = version.split('.').map(|number| number.parse().ok());
    let mut number = || numbers.next().flatten().unwrap_or(0);
    let version: (u32, u32, u32) = (number(), number(), number());
    match version {
        (3, 44, patch) => patch >= 6,
        (3, 50, patch) => patch >= 7,
        version => version >= (3, 51, 3),
    }
}

/// Creates the file where there is none, for nobody else to read: it is going to hold secrets.
fn create(path: &Path) -> Result<(), StoreError> {
    if path.parent().is_some_and(|directory| !directory.is_dir()) {
        return Err(StoreError::connection(
            "the directory of the SQLite file does not exist",
        ));
    }
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop).map_err(unopened)
}

fn unopened(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> StoreError {
    StoreError::connection("the SQLite file cannot be opened").because(source)
}

/// Returns the one value that the statement selects.
async fn one<T>(connection: &mut SqliteConnection, sql: &'static str) -> Result<T, StoreError>
where
    (T,): for<'r> FromRow<'r, SqliteRow>,
{
    let rows = dialect::fetch::<Sqlite, (T,)>(connection, sql.into_sql_str(), &[]).await?;
    let row = rows.into_iter().next();
    row.map(|(value,)| value)
        .ok_or_else(|| StoreError::query("the database returned no row"))
}

impl_token_store!(SqliteStore);

impl Dialect for Sqlite {
    const LOCK_PORTAL: Option<&'static str> = None;

    const LOCK_SCHEMA: Option<&'static str> = None;

    const HAS_SCHEMA: &'static str =
        "SELECT count(*) FROM sqlite_schema WHERE name = 'bitrix24_portal_schema'";

    const CREATE_SCHEMA: &'static str =
        "CREATE TABLE bitrix24_portal_schema (version INTEGER PRIMARY KEY) STRICT";

    const SCHEMA: Schema = Schema(&[
        include_str!("../migrations/sqlite/001_tokens.sql"),
        include_str!("../migrations/sqlite/002_use.sql"),
    ]);

    /// SQLite does not wait when another process, too, puts a new file in write-ahead mode.
    fn is_transient(error: &Error) -> bool {
        const SQLITE_BUSY: i32 = 5;
        let code = error.as_database_error().and_then(|error| error.code());
        // The lowest byte is the primary code.
        code.and_then(|code| code.parse::<i32>().ok())
            .is_some_and(|code| code & 0xff == SQLITE_BUSY)
    }

    /// Checks that nothing that is committed can be lost.
    async fn prepare(connection: &mut SqliteConnection) -> Result<(), StoreError> {
        let version = one::<String>(connection, "SELECT sqlite_version()").await?;
        if !is_mended(&version) {
            return Err(StoreError::not_durable(
                "the SQLite of this program has the WAL-reset bug and can lose what it committed: \
                 update libsqlite3-sys to 0.37 or later, or link SQLite 3.51.3 or later",
            )
            .because(format!("its version is {version}")));
        }
        let mode = one::<String>(connection, "PRAGMA journal_mode").await?;
        // 2 is FULL.
        let synchronous = one::<i64>(connection, "PRAGMA synchronous").await?;
        if mode != "wal" || synchronous != 2 {
            return Err(StoreError::not_durable(
                "the SQLite file cannot be put in write-ahead mode with synchronous=FULL",
            )
            .because(format!(
                "its mode is {mode}, with synchronous={synchronous}"
            )));
        }
        Ok(())
    }

    async fn execute(
        connection: &mut SqliteConnection,
        sql: SqlStr,
        values: &[Value<'_>],
    ) -> Result<u64, StoreError> {
        let result = dialect::execute::<Self>(connection, sql, values).await?;
        Ok(result.rows_affected())
    }

    async fn tokens(
        connection: &mut SqliteConnection,
        sql: SqlStr,
        values: &[Value<'_>],
    ) -> Result<Vec<Row>, StoreError> {
        dialect::fetch::<Self, Row>(connection, sql, values).await
    }

    async fn number(
        connection: &mut SqliteConnection,
        sql: &'static str,
    ) -> Result<Option<i64>, StoreError> {
        one(connection, sql).await
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

#[cfg(test)]
mod tests {
    use sqlx::Connection;

    use super::*;
    use crate::portals::StoreErrorKind;

    #[test]
    fn versions_with_the_wal_reset_bug_are_rejected() {
        for mended in ["3.44.6", "3.50.7", "3.51.3", "3.52.0", "4.0.0"] {
            assert!(is_mended(mended), "{mended}");
        }
        for faulty in [
            "3.7.0", "3.44.5", "3.45.9", "3.46.0", "3.49.99", "3.50.6", "3.51.2", "", "x",
        ] {
            assert!(!is_mended(faulty), "{faulty}");
        }
    }

    #[tokio::test]
    async fn every_connection_of_a_store_commits_for_good() {
        let file = format!("bitrix24-commits-{}.db", std::process::id());
        let file = std::env::temp_dir().join(file);
        let store = SqliteStore::open(&file).await.unwrap();
        for pool in [&store.store.readers, &store.store.writers] {
            let deadline = tokio::time::Instant::now() + CALL_TIMEOUT;
            let mut lease = pool.lease(deadline).await.unwrap();
            let connection = lease.connection();
            let mode: String = one(connection, "PRAGMA journal_mode").await.unwrap();
            assert_eq!(mode, "wal");
            let synchronous: i64 = one(connection, "PRAGMA synchronous").await.unwrap();
            assert_eq!(synchronous, 2);
            Sqlite::prepare(connection).await.unwrap();

            let less = "PRAGMA synchronous = NORMAL";
            dialect::execute::<Sqlite>(connection, less.into_sql_str(), &[])
                .await
                .unwrap();
            let error = Sqlite::prepare(connection).await.unwrap_err();
            assert_eq!(error.kind(), StoreErrorKind::NotDurable);
        }
        store.close().await;
        std::fs::remove_file(file).unwrap();
    }

    #[tokio::test]
    async fn a_connection_without_write_ahead_mode_is_rejected() {
        let mut connection = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        let error = Sqlite::prepare(&mut connection).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::NotDurable);
        assert!(
            std::error::Error::source(&error)
                .unwrap()
                .to_string()
                .contains("memory")
        );
    }
}
