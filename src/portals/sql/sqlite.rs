//! The store in a SQLite file.

use std::fmt;
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePoolOptions};
use sqlx::{Error, Sqlite};
use tokio::time::{Instant, sleep};

use super::dialect::{self, Dialect, Row, Value};
use super::schema::Schema;
use super::store::SqlStore;
use super::{StoreError, impl_token_store};
use crate::Secret;
use crate::portals::{PortalToken, TokenStore};

/// How long a call waits for a connection, and for others that write to the file.
const PATIENCE: Duration = Duration::from_secs(5);

/// How many calls read at once.
const READERS: u32 = 4;

/// A [`TokenStore`] in a SQLite file, for an application on one machine. It wants no set-up: the
/// file and its table are made on first use.
///
/// Several stores and processes may share the file, as long as it is on a local disk. It is in
/// write-ahead mode, so two more files (`-wal`, `-shm`) stand beside it. What a call has done is
/// still there after a loss of power. Four calls read at once and one writes; a call waits 5
/// seconds at the most for those before it, and 5 for another process that writes.
///
/// On unix a new file is made readable for its owner alone; one that is there stays as it is. The
/// tokens in it are live ones unless they are hashed ([`TokenKey`](crate::portals::TokenKey)), so
/// back it up as the secret that it is.
///
/// SQLite is compiled in, by crate `libsqlite3-sys`, of which a program can have only one version.
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
/// assert!(store.add_first("a223c6b3710f85df22e9377d6c4f7553", token.clone()).await?);
/// assert!(!store.add_first("a223c6b3710f85df22e9377d6c4f7553", token.clone()).await?);
/// assert_eq!(store.tokens("a223c6b3710f85df22e9377d6c4f7553").await?, [token]);
/// assert_eq!(store.tokens("another portal").await?, []);
/// # store.close().await;
/// # std::fs::remove_dir_all(&directory)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct SqliteStore {
    store: SqlStore<Sqlite>,
    path: PathBuf,
}

impl SqliteStore {
    /// Opens the file, makes it where it is missing, and brings its tables up to date.
    ///
    /// # Errors
    ///
    /// Where the directory is missing or the file cannot be opened, is no database, or was laid out
    /// by a later version of this crate.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        // Also keeps `:memory:` and `file:…` from meaning anything but files.
        let path = std::path::absolute(path).map_err(unopened)?;
        create(&path)?;
        let options = SqliteConnectOptions::new()
            .filename(&path)
            .journal_mode(SqliteJournalMode::Wal)
            .busy_timeout(PATIENCE);
        let pool = |connections| {
            SqlitePoolOptions::new()
                .max_connections(connections)
                .acquire_timeout(PATIENCE)
        };
        let began = Instant::now();
        // One connection, so that changes wait for each other here, in the order in which they came,
        // and not for the file.
        let writers = loop {
            match pool(1).connect_with(options.clone()).await {
                // SQLite does not wait when another process, too, puts a new file in write-ahead
                // mode.
                Err(error) if is_busy(&error) && began.elapsed() < PATIENCE => {
                    sleep(Duration::from_millis(20)).await;
                }
                opened => break opened.map_err(|error| unopened(error.to_string()))?,
            }
        };
        let readers = pool(READERS).connect_lazy_with(options);
        let store = SqlStore { readers, writers };
        store.migrate().await?;
        Ok(Self { store, path })
    }

    /// Closes the connections, once the calls that are running have ended. Calls after it fail.
    ///
    /// With the last of the file's stores closed, all of it is in the one file again.
    pub async fn close(&self) {
        self.store.close().await;
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

/// Whether another process is in the way, for now.
fn is_busy(error: &sqlx::Error) -> bool {
    const SQLITE_BUSY: i32 = 5;
    let code = error.as_database_error().and_then(|error| error.code());
    // The lowest byte is the primary code.
    code.and_then(|code| code.parse::<i32>().ok())
        .is_some_and(|code| code & 0xff == SQLITE_BUSY)
}

fn unopened(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> StoreError {
    StoreError::connection("the SQLite file cannot be opened").because(source)
}

impl_token_store!(SqliteStore);

impl Dialect for Sqlite {
    /// A transaction is alone from its begin on.
    const BEGIN: &'static str = "BEGIN IMMEDIATE";

    const LOCK_PORTAL: Option<&'static str> = None;

    const LOCK_SCHEMA: Option<&'static str> = None;

    const HAS_SCHEMA: &'static str =
        "SELECT count(*) FROM sqlite_schema WHERE name = 'bitrix24_portal_schema'";

    const CREATE_SCHEMA: &'static str =
        "CREATE TABLE bitrix24_portal_schema (version INTEGER PRIMARY KEY) STRICT";

    const SCHEMA: Schema = Schema(&[include_str!("../migrations/sqlite/001_tokens.sql")]);

    async fn execute(
        connection: &mut SqliteConnection,
        sql: &'static str,
        values: &[Value<'_>],
    ) -> Result<u64, Error> {
        let result = dialect::execute::<Self>(connection, sql, values).await?;
        Ok(result.rows_affected())
    }

    async fn tokens(
        connection: &mut SqliteConnection,
        sql: &'static str,
        values: &[Value<'_>],
    ) -> Result<Vec<Row>, Error> {
        dialect::fetch::<Self, Row>(connection, sql, values).await
    }

    async fn number(
        connection: &mut SqliteConnection,
        sql: &'static str,
    ) -> Result<Option<i64>, Error> {
        let rows = dialect::fetch::<Self, (Option<i64>,)>(connection, sql, &[]).await?;
        Ok(rows.first().and_then(|row| row.0))
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
