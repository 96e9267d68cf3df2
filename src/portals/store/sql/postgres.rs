//! `PostgresStore`: tokens in PostgreSQL.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::PgRow;
use sqlx::{FromRow, Postgres};

use super::super::TokenStore;
use super::super::token::PortalToken;
use super::queries::{CALL_TIMEOUT, Columns, SqlStore, TokenDialect, impl_token_store};
use crate::sql::migrations::Migrations;
use crate::sql::pool::{Pool, PoolConfig};
use crate::sql::{Session, StoreError, parse_url};

/// A [`TokenStore`] in PostgreSQL (11 or later), which several instances of an application can share.
///
/// It creates its tables on first use: `bitrix24_portal_tokens` and `bitrix24_portal_schema`, in the
/// first schema of the role's `search_path`. After that the role only needs to read and write them.
/// The database's encoding must be UTF-8.
///
/// Connections are opened on demand. A read is one statement. A change waits for other changes of the
/// same portal, by an advisory lock that ends with its transaction. A change whose future is dropped
/// closes its connection, so that the server rolls back.
///
/// # Network failures
///
/// Every call ends within [`call_timeout`](PostgresStoreBuilder::call_timeout), whatever the network
/// does. A dead connection is replaced: if an idle connection fails, or does not respond for a
/// quarter of `call_timeout`, the first statement of the call is repeated on a new one.
///
/// If an instance vanishes, the server ends its transaction and its locks after half of
/// `call_timeout` without a statement (`idle_in_transaction_session_timeout`). The same time bounds
/// the wait for a lock (`lock_timeout`), and `call_timeout` bounds a statement
/// (`statement_timeout`). The server probes the instance after 10 idle seconds
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
    /// Returns a builder with the defaults.
    pub fn builder() -> PostgresStoreBuilder {
        PostgresStoreBuilder {
            max_connections: PostgresStoreBuilder::DEFAULT_MAX_CONNECTIONS,
            connect_timeout: PostgresStoreBuilder::DEFAULT_CONNECT_TIMEOUT,
            session: Session {
                call_timeout: PostgresStoreBuilder::DEFAULT_CALL_TIMEOUT,
                behind_pooler: false,
            },
        }
    }

    /// Connects to a database with the defaults, and brings its tables up to date.
    ///
    /// # Errors
    ///
    /// Returns an error if [`PostgresStoreBuilder::connect`] does.
    ///
    /// # Panics
    ///
    /// Panics outside a tokio runtime.
    pub async fn connect(url: &str) -> Result<Self, StoreError> {
        Self::builder().connect(url).await
    }

    /// Closes the connections after the running calls. Later calls return an error.
    ///
    /// It waits for the calls no longer than the timeout of one, and as long for each connection.
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
    connect_timeout: Duration,
    session: Session,
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
    #[track_caller]
    pub fn max_connections(mut self, connections: usize) -> Self {
        assert!(connections > 0, "a store needs at least 1 connection");
        self.max_connections = connections;
        self
    }

    /// Sets the maximum time of a call, from the wait for a connection to the response to the commit.
    ///
    /// The limits of the server and the timeout of an idle connection follow from it. Defaults to
    /// 4 seconds.
    pub fn call_timeout(mut self, timeout: Duration) -> Self {
        self.session.call_timeout = timeout;
        self
    }

    /// Sets the maximum time of one attempt to connect. A call repeats the attempt within its own
    /// timeout. Defaults to 2 seconds.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Connects through a pooler, such as PgBouncer, that shares connections between transactions.
    ///
    /// Sessions then keep no state: statements are not cached, and the server's limits are set in
    /// each transaction. Defaults to sessions of the server itself.
    pub fn behind_pooler(mut self) -> Self {
        self.session.behind_pooler = true;
        self
    }

    /// Connects to a database and brings its tables up to date.
    ///
    /// The URL has the form `postgres://user:password@host:5432/database`. Percent-encode reserved
    /// characters in the password. The parameter `sslmode` defaults to `prefer`: **set it to
    /// `verify-full`** if the network is not your own. The trusted certificates are the system's, or
    /// those of `sslrootcert`.
    ///
    /// # Errors
    ///
    /// Returns an error if the URL is invalid, if the server rejects the connection or cannot be
    /// reached within the timeout of a call, or if a later version of this crate created the tables.
    ///
    /// # Panics
    ///
    /// Panics outside a tokio runtime.
    pub async fn connect(self, url: &str) -> Result<PostgresStore, StoreError> {
        let call_timeout = self.session.call_timeout;
        let pool = Pool::new(PoolConfig {
            options: self.session.options(parse_url(url)?),
            place: (),
            max_connections: self.max_connections,
            connect_timeout: self.connect_timeout,
            idle_timeout: Some(call_timeout / 4),
        });
        let store = SqlStore {
            readers: pool.clone(),
            writers: pool,
            begin: self.session.begin().into(),
            call_timeout,
        };
        let store = Arc::new(store.open().await?);
        Ok(PostgresStore { store })
    }
}

impl_token_store!(PostgresStore);

/// The number in the advisory locks is `bitrix24` in bytes.
impl TokenDialect for Postgres {
    const LOCK_PORTAL: Option<&'static str> =
        Some("SELECT pg_advisory_xact_lock(hashtextextended($1, 7091327123016135220))");

    const MIGRATIONS: Migrations = Migrations {
        lock: Some("SELECT pg_advisory_xact_lock(7091327123016135220)"),
        has_versions: "SELECT count(to_regclass('bitrix24_portal_schema'))",
        create_versions: "CREATE TABLE bitrix24_portal_schema (version bigint PRIMARY KEY)",
        version: "SELECT max(version) FROM bitrix24_portal_schema",
        insert_version: "INSERT INTO bitrix24_portal_schema (version) VALUES ($1)",
        patience: Some("SET LOCAL statement_timeout = '10min'"),
        steps: &[
            include_str!("../migrations/postgres/001_tokens.sql"),
            include_str!("../migrations/postgres/002_use.sql"),
        ],
        // An older program could accept a token that a newer one has restricted.
        additive_until: 0,
    };

    fn columns(row: &PgRow) -> Result<Columns, sqlx::Error> {
        Columns::from_row(row)
    }
}

/// Omits the URL.
impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStore").finish_non_exhaustive()
    }
}
