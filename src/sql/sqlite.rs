//! SQLite: its files, their durability, and its errors.

use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sqlx::sqlite::{
    SqliteArguments, SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteRow,
    SqliteSynchronous,
};
use sqlx::{Decode, Error, Row, SqlSafeStr, SqlStr, Sqlite, Type};

use super::dialect::{self, Dialect, Value};
use super::error::{ResultExt, StoreError};
use super::pool::{Pool, PoolConfig};
use super::write_ahead_log;

fn file_options(path: &Path, busy_timeout: Duration) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        // The log is copied to the file at 4 MB. The commits wait for that, a hundredth of the senders for
        // 10 ms. With 12 MB it is 20 ms, but a tenth less is written, since many commits change the same
        // page of an index. The cache of a connection grows to 16 MB.
        .pragma("wal_autocheckpoint", "1000")
        .pragma("cache_size", "-16000")
        // A log that grew beside a long backup shrinks again.
        .pragma("journal_size_limit", "16000000")
        // The thread of the connection does not wait until rows are taken.
        .row_buffer_size(1024)
        // The journal for undoing a single statement stays in memory.
        .pragma("temp_store", "MEMORY")
        // On macOS a plain fsync does not reach the disk. Other systems ignore this.
        .pragma("fullfsync", "ON")
        .busy_timeout(busy_timeout)
}

/// Returns the pool of the connections that only read, at most this number of them, and that of the one
/// that writes: changes wait for each other in order, and not for the file.
pub(crate) fn file_pools(
    path: &Path,
    max_readers: usize,
    call_timeout: Duration,
) -> (Pool<Sqlite>, Pool<Sqlite>) {
    let file = file_id(path);
    let pool = |options, max_connections, writes| {
        Pool::new(PoolConfig {
            options,
            place: Place {
                path: path.into(),
                file,
                writes,
            },
            max_connections,
            connect_timeout: call_timeout,
            idle_timeout: None,
        })
    };
    let writes = file_options(path, call_timeout);
    let reads = writes.clone().pragma("query_only", "ON");
    (pool(reads, max_readers, false), pool(writes, 1, true))
}

/// The file that a store has opened.
#[derive(Clone)]
pub(crate) struct Place {
    path: Arc<Path>,
    file: Option<FileId>,
    /// The connections write.
    writes: bool,
}

/// The write-ahead log that a connection has opened. SQLite removes it only after the last connection.
pub(crate) struct Log {
    path: PathBuf,
    file: Option<FileId>,
}

/// The device and the inode of a file.
type FileId = (u64, u64);

/// Returns `None` if there is no file.
#[cfg(unix)]
fn file_id(path: &Path) -> Option<FileId> {
    use std::os::unix::fs::MetadataExt;

    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.dev(), metadata.ino()))
}

/// Elsewhere SQLite keeps open files from being moved or removed.
#[cfg(not(unix))]
fn file_id(_: &Path) -> Option<FileId> {
    None
}

fn moved() -> StoreError {
    StoreError::connection(
        "the SQLite file or its log was moved, removed or replaced while it was open: put it back, or \
         restart",
    )
}

/// Creates the file if it is missing, readable for its owner alone: it will hold secrets. Returns the
/// absolute path, so that `:memory:` and `file:…` are files too.
pub(crate) fn create_file(path: &Path) -> Result<PathBuf, StoreError> {
    let path = std::path::absolute(path).map_err(open_error)?;
    if path.parent().is_some_and(|directory| !directory.is_dir()) {
        return Err(StoreError::connection(
            "the directory of the SQLite file does not exist",
        ));
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let _creating = CREATING.lock().unwrap_or_else(PoisonError::into_inner);
    match options.open(&path) {
        // An existing file must not be opened here: to close it drops the locks that connections of
        // this process hold on it. Another process would take itself for the last one, and remove the
        // write-ahead log that this one still writes to.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(path),
        Err(error) => Err(open_error(error)),
        Ok(_) => Ok(path),
    }
}

/// While a new file is open here, no other thread of this process opens it.
static CREATING: Mutex<()> = Mutex::new(());

fn open_error(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> StoreError {
    StoreError::connection("the SQLite file cannot be opened").with_source(source)
}

/// Returns `true` if the version lacks the WAL-reset bug.
fn is_fixed(version: &str) -> bool {
    let mut numbers = version.split('.').map(|number| number.parse().ok());
    let mut number = || numbers.next().flatten().unwrap_or(0);
    let version: (u32, u32, u32) = (number(), number(), number());
    match version {
        (3, 44, patch) => patch >= 6,
        (3, 50, patch) => patch >= 7,
        version => version >= (3, 51, 3),
    }
}

async fn one<T>(connection: &mut SqliteConnection, sql: &'static str) -> Result<T, StoreError>
where
    T: for<'r> Decode<'r, Sqlite> + Type<Sqlite>,
{
    let rows = dialect::fetch::<Sqlite>(connection, sql.into_sql_str(), SqliteArguments::default())
        .await?;
    match rows.first() {
        Some(row) => row.try_get(0).store_err(),
        None => Err(StoreError::query("the database returned no row")),
    }
}

async fn execute(connection: &mut SqliteConnection, sql: &'static str) -> Result<(), StoreError> {
    dialect::execute::<Sqlite>(connection, sql.into_sql_str(), SqliteArguments::default()).await?;
    Ok(())
}

/// Checks that nothing that is committed can be lost.
async fn check_durable(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    let version = one::<String>(connection, "SELECT sqlite_version()").await?;
    if !is_fixed(&version) {
        return Err(StoreError::not_durable(
            "this program's SQLite has the WAL-reset bug and can lose what it committed: \
             update libsqlite3-sys to 0.37 or later, or link SQLite 3.51.3 or later",
        )
        .with_source(format!("its version is {version}")));
    }
    let mode = one::<String>(connection, "PRAGMA journal_mode").await?;
    // 2 is FULL.
    let synchronous = one::<i64>(connection, "PRAGMA synchronous").await?;
    if mode != "wal" || synchronous != 2 {
        return Err(StoreError::not_durable(
            "the SQLite file cannot be put in write-ahead mode with synchronous=FULL",
        )
        .with_source(format!(
            "journal_mode is {mode}, synchronous is {synchronous}"
        )));
    }
    Ok(())
}

/// Makes the commits durable that the connection reads in the write-ahead log.
async fn rewrite_log(
    mut connection: SqliteConnection,
    place: &Place,
    path: &Path,
) -> Result<SqliteConnection, StoreError> {
    // Until it ends, nobody else writes to the log.
    execute(&mut connection, "BEGIN IMMEDIATE").await?;
    let (place, path) = (place.clone(), path.to_owned());
    // The task has the connection, so that the transaction does not end before it even if the caller
    // goes.
    let rewrite = move || {
        let failed =
            |text| move |error: std::io::Error| StoreError::connection(text).with_source(error);
        let not_written = failed("the write-ahead log cannot be written anew");
        let not_synced = failed("the directory of the SQLite file cannot be synced");
        let mut options = OpenOptions::new();
        let opened = options.read(true).write(true).open(&path);
        let mut log = opened.map_err(not_written)?;
        // Otherwise it may be the log of another file, without the lock of that.
        Sqlite::check_place(&place, None)?;
        write_ahead_log::rewrite(&mut log).map_err(not_written)?;
        write_ahead_log::sync_directory(&path).map_err(not_synced)?;
        Ok(connection)
    };
    let rewritten = tokio::task::spawn_blocking(rewrite).await;
    let mut connection = rewritten
        .unwrap_or_else(|_| Err(StoreError::connection("the runtime of the store has ended")))?;
    execute(&mut connection, "ROLLBACK").await?;
    Ok(connection)
}

impl Dialect for Sqlite {
    /// Not `$1`: that is a name, which sqlx looks up among all others for each value.
    #[cfg(feature = "inbox")]
    fn push_placeholder(sql: &mut String, _: usize) {
        sql.push('?');
    }

    /// SQLite does not wait while another process puts a new file in write-ahead mode.
    fn is_transient(error: &Error) -> bool {
        const SQLITE_BUSY: i32 = 5;
        let code = error
            .as_database_error()
            .and_then(sqlx::error::DatabaseError::code);
        // The lowest byte is the primary code.
        code.and_then(|code| code.parse::<i32>().ok())
            .is_some_and(|code| code & 0xff == SQLITE_BUSY)
    }

    type Place = Place;
    type Mark = Log;

    fn check_place(place: &Place, log: Option<&Log>) -> Result<(), StoreError> {
        let is_there = file_id(&place.path) == place.file
            && log.is_none_or(|log| file_id(&log.path) == log.file);
        if is_there { Ok(()) } else { Err(moved()) }
    }

    async fn prepare(
        mut connection: SqliteConnection,
        place: &Place,
    ) -> Result<(SqliteConnection, Log), StoreError> {
        check_durable(&mut connection).await?;
        // Behind a link the log is beside the file.
        let file = "SELECT file FROM pragma_database_list WHERE name = 'main'";
        let path = PathBuf::from(one::<String>(&mut connection, file).await? + "-wal");
        if place.writes {
            connection = rewrite_log(connection, place, &path).await?;
        }
        let file = file_id(&path);
        Ok((connection, Log { path, file }))
    }

    const SENDS_SEVERAL: bool = true;

    fn add(arguments: &mut Self::Arguments, value: Value<'_>) -> Result<(), StoreError> {
        dialect::add::<Self>(arguments, value)
    }

    async fn fetch(
        connection: &mut SqliteConnection,
        sql: SqlStr,
        arguments: Self::Arguments,
    ) -> Result<Vec<SqliteRow>, StoreError> {
        dialect::fetch::<Self>(connection, sql, arguments).await
    }

    async fn execute(
        connection: &mut SqliteConnection,
        sql: SqlStr,
        arguments: Self::Arguments,
    ) -> Result<u64, StoreError> {
        let result = dialect::execute::<Self>(connection, sql, arguments).await?;
        Ok(result.rows_affected())
    }

    fn number(row: &SqliteRow) -> Result<Option<i64>, StoreError> {
        row.try_get(0).store_err()
    }
}

#[cfg(test)]
mod tests {
    use sqlx::{ConnectOptions, Connection};
    use tokio::time::Instant;

    use super::super::error::StoreErrorKind;
    use super::*;

    #[test]
    fn sqlite_versions_with_the_wal_reset_bug_are_rejected() {
        for fixed in ["3.44.6", "3.50.7", "3.51.3", "3.52.0", "4.0.0"] {
            assert!(is_fixed(fixed), "{fixed}");
        }
        for faulty in [
            "3.7.0", "3.44.5", "3.45.9", "3.46.0", "3.49.99", "3.50.6", "3.51.2", "", "x",
        ] {
            assert!(!is_fixed(faulty), "{faulty}");
        }
    }

    fn path(name: &str) -> PathBuf {
        let file = format!("bitrix24-{name}-{}.db", std::process::id());
        create_file(&std::env::temp_dir().join(file)).unwrap()
    }

    #[tokio::test]
    async fn every_connection_of_a_sqlite_file_is_durable() {
        let path = path("durable");
        let limit = Duration::from_secs(5);
        let (readers, writers) = file_pools(&path, 2, limit);
        for pool in [&writers, &readers] {
            let mut lease = pool.lease(Instant::now() + limit).await.unwrap();
            check_durable(lease.connection()).await.unwrap();
            lease.release();
        }
        readers.close(limit).await;
        writers.close(limit).await;
        std::fs::remove_file(path).unwrap();
    }

    #[tokio::test]
    async fn log_of_a_sqlite_connection_is_the_same_as_long_as_it_is_open() {
        let path = path("log");
        let limit = Duration::from_secs(5);
        // Each time the first connection creates the log, and the last one removes it.
        for first in [1, 0, 0, 1] {
            let (readers, writers) = file_pools(&path, 1, limit);
            let pools = [&readers, &writers];
            for pool in [pools[first], pools[1 - first], pools[first]] {
                let lease = pool.lease(Instant::now() + limit).await.unwrap();
                lease.release();
            }
            readers.close(limit).await;
            writers.close(limit).await;
            assert!(!path.with_extension("db-wal").exists());
        }
        std::fs::remove_file(path).unwrap();
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn sqlite_file_behind_a_link_is_opened() {
        let path = path("linked");
        let link = path.with_extension("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        let limit = Duration::from_secs(5);
        // The log is beside the file, not beside the link.
        let (_, writers) = file_pools(&link, 1, limit);
        let lease = writers.lease(Instant::now() + limit).await.unwrap();
        lease.release();
        writers.close(limit).await;
        std::fs::remove_file(link).unwrap();
        std::fs::remove_file(path).unwrap();
    }

    #[tokio::test]
    async fn sqlite_connection_that_reads_does_not_write() {
        let path = path("query-only");
        let limit = Duration::from_secs(5);
        let (readers, writers) = file_pools(&path, 2, limit);
        let create = "CREATE TABLE t (n INTEGER)";
        for (pool, is_writer) in [(&readers, false), (&writers, true)] {
            let mut lease = pool.lease(Instant::now() + limit).await.unwrap();
            let created = execute(lease.connection(), create).await;
            assert_eq!(created.is_ok(), is_writer);
            check_durable(lease.connection()).await.unwrap();
            lease.release();
        }
        readers.close(limit).await;
        writers.close(limit).await;
        std::fs::remove_file(path).unwrap();
    }

    #[tokio::test]
    async fn sqlite_connection_with_less_than_full_synchronous_is_rejected() {
        let path = path("synchronous");
        let options = file_options(&path, Duration::from_secs(1));
        let mut connection = options.connect().await.unwrap();
        check_durable(&mut connection).await.unwrap();

        let less = "PRAGMA synchronous = NORMAL".into_sql_str();
        dialect::fetch::<Sqlite>(&mut connection, less, SqliteArguments::default())
            .await
            .unwrap();
        let error = check_durable(&mut connection).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::NotDurable);
        connection.close().await.unwrap();
        std::fs::remove_file(path).unwrap();
    }

    #[tokio::test]
    async fn sqlite_connection_without_write_ahead_mode_is_rejected() {
        let mut connection = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        let error = check_durable(&mut connection).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::NotDurable);
        assert!(
            std::error::Error::source(&error)
                .unwrap()
                .to_string()
                .contains("memory")
        );
    }
}
