use std::fmt;
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions};
use sqlx::{Executor, Sqlite};
use tokio::time::{Instant, sleep};

use super::change::Change;
use super::error::Answered;
use super::schema::Schema;
use super::{StoreError, token};
use crate::Secret;
use crate::portals::{PortalToken, TokenKind, TokenStore};

const SCHEMA: Schema = Schema(&[include_str!("../migrations/sqlite/001_tokens.sql")]);

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
    readers: SqlitePool,
    /// One connection, so that changes wait for each other here, in the order in which they came,
    /// and not for the file.
    writer: SqlitePool,
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
        let writer = loop {
            match pool(1).connect_with(options.clone()).await {
                // SQLite does not wait when another process, too, puts a new file in write-ahead
                // mode.
                Err(error) if is_busy(&error) && began.elapsed() < PATIENCE => {
                    sleep(Duration::from_millis(20)).await;
                }
                opened => break opened.map_err(|error| unopened(error.to_string()))?,
            }
        };
        let store = Self {
            writer,
            readers: pool(READERS).connect_lazy_with(options),
            path,
        };
        store.migrate().await?;
        Ok(store)
    }

    /// Closes the connections, once the calls that are running have ended. Calls after it fail.
    ///
    /// With the last of the file's stores closed, all of it is in the one file again.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }

    async fn migrate(&self) -> Result<(), StoreError> {
        let mut change = self.change().await?;
        sqlx::query(
            "CREATE TABLE IF NOT EXISTS bitrix24_portal_schema \
             (version INTEGER PRIMARY KEY) STRICT",
        )
        .execute(change.connection())
        .await
        .answered()?;
        let version = sqlx::query_scalar("SELECT max(version) FROM bitrix24_portal_schema")
            .fetch_one(change.connection())
            .await
            .answered()?;
        let version: Option<i64> = version;
        for (version, statements) in SCHEMA.after(version.unwrap_or(0))? {
            change.connection().execute(statements).await.answered()?;
            sqlx::query("INSERT INTO bitrix24_portal_schema (version) VALUES (?)")
                .bind(version)
                .execute(change.connection())
                .await
                .answered()?;
        }
        change.commit().await
    }

    /// Begins a change: it is alone from its begin on, and undone if it is dropped before its end.
    async fn change(&self) -> Result<Change<Sqlite>, StoreError> {
        Change::begin(&self.writer, "BEGIN IMMEDIATE").await
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

impl TokenStore for SqliteStore {
    type Error = StoreError;

    async fn tokens(&self, member_id: &str) -> Result<Vec<PortalToken>, StoreError> {
        let rows = sqlx::query_as(
            "SELECT stored, kind, issued, expires FROM bitrix24_portal_tokens \
             WHERE member_id = ?",
        )
        .bind(member_id)
        .fetch_all(&self.readers)
        .await
        .answered()?;
        rows.into_iter().map(token).collect()
    }

    async fn add(&self, member_id: &str, token: PortalToken) -> Result<(), StoreError> {
        let mut change = self.change().await?;
        put(&mut change, member_id, &token).await?;
        change.commit().await
    }

    async fn add_first(&self, member_id: &str, token: PortalToken) -> Result<bool, StoreError> {
        let mut change = self.change().await?;
        let is_known = sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM bitrix24_portal_tokens WHERE member_id = ?)",
        )
        .bind(member_id)
        .fetch_one(change.connection())
        .await
        .answered()?;
        if is_known {
            change.roll_back().await?;
            return Ok(false);
        }
        put(&mut change, member_id, &token).await?;
        change.commit().await?;
        Ok(true)
    }

    async fn replace(
        &self,
        member_id: &str,
        token: PortalToken,
        end: i64,
    ) -> Result<(), StoreError> {
        let mut change = self.change().await?;
        supersede(&mut change, member_id, &token, end).await?;
        change.commit().await
    }

    async fn complete(
        &self,
        member_id: &str,
        token: PortalToken,
        end: i64,
        now: i64,
    ) -> Result<bool, StoreError> {
        let mut change = self.change().await?;
        let removed = sqlx::query(
            "DELETE FROM bitrix24_portal_tokens WHERE member_id = ?1 AND stored = \
             (SELECT stored FROM bitrix24_portal_tokens \
              WHERE member_id = ?1 AND kind = ?2 AND (expires IS NULL OR expires > ?3) LIMIT 1)",
        )
        .bind(member_id)
        .bind(TokenKind::Pending.as_str())
        .bind(now)
        .execute(change.connection())
        .await
        .answered()?;
        if removed.rows_affected() == 0 {
            change.roll_back().await?;
            return Ok(false);
        }
        supersede(&mut change, member_id, &token, end).await?;
        change.commit().await?;
        Ok(true)
    }

    async fn remove_token(&self, member_id: &str, stored: &Secret) -> Result<bool, StoreError> {
        let mut change = self.change().await?;
        let removed =
            sqlx::query("DELETE FROM bitrix24_portal_tokens WHERE member_id = ? AND stored = ?")
                .bind(member_id)
                .bind(stored.expose())
                .execute(change.connection())
                .await
                .answered()?;
        change.commit().await?;
        Ok(removed.rows_affected() > 0)
    }

    async fn remove(&self, member_id: &str) -> Result<bool, StoreError> {
        let mut change = self.change().await?;
        let removed = sqlx::query("DELETE FROM bitrix24_portal_tokens WHERE member_id = ?")
            .bind(member_id)
            .execute(change.connection())
            .await
            .answered()?;
        change.commit().await?;
        Ok(removed.rows_affected() > 0)
    }
}

/// Adds the token in place of the one with its text.
async fn put(
    change: &mut Change<Sqlite>,
    member_id: &str,
    token: &PortalToken,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO bitrix24_portal_tokens (member_id, stored, kind, issued, expires) \
         VALUES (?, ?, ?, ?, ?) ON CONFLICT (member_id, stored) DO UPDATE \
         SET kind = excluded.kind, issued = excluded.issued, expires = excluded.expires",
    )
    .bind(member_id)
    .bind(token.stored().expose())
    .bind(token.kind().as_str())
    .bind(token.issued())
    .bind(token.expires())
    .execute(change.connection())
    .await
    .answered()?;
    Ok(())
}

/// Adds the token and lets the others of its kind end.
async fn supersede(
    change: &mut Change<Sqlite>,
    member_id: &str,
    token: &PortalToken,
    end: i64,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE bitrix24_portal_tokens SET expires = ?1 \
         WHERE member_id = ?2 AND kind = ?3 AND (expires IS NULL OR expires > ?1)",
    )
    .bind(end)
    .bind(member_id)
    .bind(token.kind().as_str())
    .execute(change.connection())
    .await
    .answered()?;
    put(change, member_id, token).await
}

/// Shows the file's path.
impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}
