//! The store in PostgreSQL.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{Error, Postgres, SqlSafeStr, SqlStr};

use super::dialect::{self, Dialect, Row, Value};
use super::pool::{Pool, Settings};
use super::schema::Schema;
use super::store::SqlStore;
use super::{CALL_TIMEOUT, StoreError, impl_token_store};
use crate::portals::store::{PortalToken, TokenStore};

/// A [`TokenStore`] in PostgreSQL (11 or later), for several instances of an application to share.
///
/// Its tables, `bitrix24_portal_tokens` and `bitrix24_portal_schema`, are made on first use in the
/// schema that comes first in the role's `search_path`. Once they are there, the role needs no more
/// than to read and write them. The database's encoding is to be UTF-8.
///
/// Connections are made when they are needed. A read is one statement. A change waits for other
/// changes of the same portal, by an advisory lock that ends with its transaction. A change that is
/// given up costs its connection, so that nothing of it is left.
///
/// # A network that fails
///
/// Every call ends within [`call_timeout`](PostgresStoreBuilder::call_timeout), whatever the network
/// does. A connection that does not answer is replaced: a statement that begins a call is repeated on
/// a new connection, if the one that was idle fails or is silent for a quarter of `call_timeout`.
///
/// If an instance vanishes, the server ends its transaction and its locks after half of
/// `call_timeout` without a statement (`idle_in_transaction_session_timeout`). The same time bounds
/// the wait for a lock (`lock_timeout`), and `call_timeout` bounds a statement
/// (`statement_timeout`). The server looks for the instance after 10 idle seconds
/// (`tcp_keepalives_idle`) and closes the connection 15 seconds later.
///
/// The tokens in the database are live ones unless they are hashed
/// ([`TokenKey`](crate::portals::TokenKey)).
///
/// ```no_run
/// use tower_bitrix24::portals::{PostgresStore, TokenStore};
///
/// # async fn connect() -> Result<(), Box<dyn std::error::Error>> {
/// let store = PostgresStore::connect(&std::env::var("DATABASE_URL")?).await?;
/// let tokens = store.tokens("a223c6b3710f85df22e9377d6c4f7553").await?;
/// println!("the portal has {} tokens", tokens.len());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct PostgresStore {
    store: Arc<SqlStore<Postgres>>,
}

impl PostgresStore {
    /// Returns a builder for other settings than the defaults.
    pub fn builder() -> PostgresStoreBuilder {
        PostgresStoreBuilder {
            max_connections: PostgresStoreBuilder::DEFAULT_MAX_CONNECTIONS,
            call_timeout: CALL_TIMEOUT,
            connect_timeout: PostgresStoreBuilder::DEFAULT_CONNECT_TIMEOUT,
            behind_pooler: false,
        }
    }

    /// Connects to a database and brings its tables up to date, with the default settings.
    ///
    /// # Errors
    ///
    /// As [`PostgresStoreBuilder::connect`].
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub async fn connect(url: &str) -> Result<Self, StoreError> {
        Self::builder().connect(url).await
    }

    /// Closes the connections, once the calls that are running have ended. Calls after it fail.
    ///
    /// It waits no longer than the time-out of a call for these, and as long for each connection.
    pub async fn close(&self) {
        self.store.close().await;
    }
}

/// The settings of a [`PostgresStore`].
///
/// ```no_run
/// use std::time::Duration;
///
/// use tower_bitrix24::portals::PostgresStore;
///
/// # async fn connect() -> Result<(), Box<dyn std::error::Error>> {
/// let store = PostgresStore::builder()
///     .max_connections(10)
///     .call_timeout(Duration::from_secs(2))
///     .connect(&std::env::var("DATABASE_URL")?)
///     .await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct PostgresStoreBuilder {
    max_connections: usize,
    call_timeout: Duration,
    connect_timeout: Duration,
    behind_pooler: bool,
}

impl PostgresStoreBuilder {
    /// The default of [`max_connections`](Self::max_connections): 5.
    pub const DEFAULT_MAX_CONNECTIONS: usize = 5;

    /// The default of [`call_timeout`](Self::call_timeout): 4 seconds.
    pub const DEFAULT_CALL_TIMEOUT: Duration = CALL_TIMEOUT;

    /// The default of [`connect_timeout`](Self::connect_timeout): 2 seconds.
    pub const DEFAULT_CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

    /// Sets the maximum number of connections. Further calls wait for one. Defaults to 5.
    ///
    /// # Panics
    ///
    /// Panics if `connections` is 0.
    pub fn max_connections(mut self, connections: usize) -> Self {
        assert!(connections > 0, "a store needs a connection");
        self.max_connections = connections;
        self
    }

    /// Sets the maximum time of a call, from the wait for a connection to the answer of the commit.
    ///
    /// The limits that the server keeps, and the one of a connection that was idle, follow from it.
    /// Defaults to 4 seconds.
    pub fn call_timeout(mut self, timeout: Duration) -> Self {
        self.call_timeout = timeout;
        self
    }

    /// Sets the maximum time of one attempt to connect. A call repeats the attempt within its own
    /// time-out. Defaults to 2 seconds.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Connects through a pooler, such as PgBouncer, that gives a connection to others between
    /// transactions.
    ///
    /// Nothing is then kept or set in a session: statements are not prepared for later, and the
    /// server's limits are set in each transaction alone. Defaults to a server's own sessions.
    pub fn behind_pooler(mut self) -> Self {
        self.behind_pooler = true;
        self
    }

    /// Connects to a database and brings its tables up to date.
    ///
    /// The address has the form `postgres://user:password@host:5432/database`, with the letters of
    /// the password that mean something in an address percent-encoded. Its parameter `sslmode` is
    /// `prefer` unless it is set: **set it to `verify-full`** where the network is not your own.
    /// The certificates that are trusted are the system's, or those of `sslrootcert`.
    ///
    /// # Errors
    ///
    /// Returns an error if the address cannot be used, if the server cannot be reached within the
    /// time of a call or rejects, or if the tables were laid out by a later version of this crate.
    ///
    /// # Panics
    ///
    /// Panics outside a tokio runtime.
    pub async fn connect(self, url: &str) -> Result<PostgresStore, StoreError> {
        let pool = Pool::new(Settings {
            options: self.session(options(url)?),
            max_connections: self.max_connections,
            connect_timeout: self.connect_timeout,
            idle_timeout: Some(self.call_timeout / 4),
        });
        let store = SqlStore {
            readers: pool.clone(),
            writers: pool,
            begin: self.begin().into(),
            call_timeout: self.call_timeout,
        };
        let store = Arc::new(store.open().await?);
        Ok(PostgresStore { store })
    }

    fn session(&self, options: PgConnectOptions) -> PgConnectOptions {
        // Nothing here is a float, and PgBouncer rejects the parameter.
        let options = options.extra_float_digits(None);
        if self.behind_pooler {
            return options.statement_cache_capacity(0);
        }
        options.options([
            ("statement_timeout", milliseconds(self.call_timeout)),
            // An aborted transaction has lost what was set in it.
            (
                "idle_in_transaction_session_timeout",
                milliseconds(self.call_timeout / 2),
            ),
            ("tcp_keepalives_idle", 10),
            ("tcp_keepalives_interval", 5),
            ("tcp_keepalives_count", 3),
        ])
    }

    /// Begins a transaction that does not outlive an instance that vanished.
    ///
    /// A role may have another isolation level set, in which nothing new is seen after a wait for a
    /// lock. An instance that waits for the lock of a vanished one may vanish as well, so that the
    /// two limits add up: each is half of the time that a call has.
    fn begin(&self) -> String {
        let half = milliseconds(self.call_timeout / 2);
        format!(
            "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; \
             SET LOCAL idle_in_transaction_session_timeout = {half}; \
             SET LOCAL lock_timeout = {half}; \
             SET LOCAL statement_timeout = {}",
            milliseconds(self.call_timeout)
        )
    }
}

/// At least 1, since 0 is no limit.
fn milliseconds(limit: Duration) -> i32 {
    i32::try_from(limit.as_millis()).unwrap_or(i32::MAX).max(1)
}

/// What the address says. Nothing of it goes into an error, since it has a password.
fn options(url: &str) -> Result<PgConnectOptions, StoreError> {
    let rest = url
        .strip_prefix("postgres://")
        .or_else(|| url.strip_prefix("postgresql://"))
        .ok_or_else(|| StoreError::connection("the address does not begin with postgres://"))?;
    // A password with such a letter would be taken for another part, which may be logged.
    let authority = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    if rest[authority..].contains('@') {
        return Err(StoreError::connection(
            "the address has an @ after the host: in a user or password /, ? and # are to be \
             percent-encoded, and elsewhere @",
        ));
    }
    url.parse()
        .map_err(|_| StoreError::connection("the address of the database cannot be read"))
}

impl_token_store!(PostgresStore);

/// `bitrix24` in bytes, as a number, stands for our tables among the advisory locks of a database.
impl Dialect for Postgres {
    const LOCK_PORTAL: Option<&'static str> =
        Some("SELECT pg_advisory_xact_lock(hashtextextended($1, 7091327123016135220))");

    const LOCK_SCHEMA: Option<&'static str> =
        Some("SELECT pg_advisory_xact_lock(7091327123016135220)");

    const HAS_SCHEMA: &'static str = "SELECT count(to_regclass('bitrix24_portal_schema'))";

    const CREATE_SCHEMA: &'static str =
        "CREATE TABLE bitrix24_portal_schema (version bigint PRIMARY KEY)";

    const SCHEMA: Schema = Schema(&[
        include_str!("../migrations/postgres/001_tokens.sql"),
        include_str!("../migrations/postgres/002_use.sql"),
    ]);

    fn is_transient(error: &Error) -> bool {
        match error {
            // Among them: the server or its network is not there, for now.
            Error::Io(_) => true,
            // Too many connections; the server is starting or stopping.
            Error::Database(error) => {
                matches!(error.code().as_deref(), Some("53300" | "57P01" | "57P03"))
            }
            _ => false,
        }
    }

    /// The address and the first statement say all there is to know.
    async fn prepare(_: &mut PgConnection) -> Result<(), StoreError> {
        Ok(())
    }

    async fn execute(
        connection: &mut PgConnection,
        sql: SqlStr,
        values: &[Value<'_>],
    ) -> Result<u64, StoreError> {
        let result = dialect::execute::<Self>(connection, sql, values).await?;
        Ok(result.rows_affected())
    }

    async fn tokens(
        connection: &mut PgConnection,
        sql: SqlStr,
        values: &[Value<'_>],
    ) -> Result<Vec<Row>, StoreError> {
        dialect::fetch::<Self, Row>(connection, sql, values).await
    }

    async fn number(
        connection: &mut PgConnection,
        sql: &'static str,
    ) -> Result<Option<i64>, StoreError> {
        let rows =
            dialect::fetch::<Self, (Option<i64>,)>(connection, sql.into_sql_str(), &[]).await?;
        Ok(rows.first().and_then(|row| row.0))
    }
}

/// Shows nothing of the address.
impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStore").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_or_rejected_without_being_repeated() {
        for good in [
            "postgres://app:pass%40word@localhost:5432/portals?sslmode=verify-full",
            "postgresql:///portals?host=/run/postgresql",
        ] {
            assert!(options(good).is_ok(), "{good}");
        }
        for bad in [
            "mysql://app:canary@localhost/portals",
            "app:canary@localhost",
            "postgres://app:12/canary@localhost/portals",
            "postgres://app:12?canary@localhost/portals",
            "postgres://app:12#canary@localhost/portals",
            "postgres://app:canary@localhost:port/portals",
            "postgres://app:canary@localhost/portals?sslmode=canary",
        ] {
            let error = options(bad).unwrap_err();
            assert!(!format!("{error:?} {error}").contains("canary"), "{bad}");
        }
    }
}
