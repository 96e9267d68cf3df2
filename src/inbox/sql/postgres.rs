//! `PostgresInbox`: an inbox in PostgreSQL.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sqlx::Postgres;
use sqlx::postgres::PgRow;

use super::row::Columns;
use super::store::{ADDITIVE_UNTIL, CALL_TIMEOUT, InboxDialect, SqlInbox};
use crate::inbox::entry::Entry;
use crate::inbox::store::{
    Accept, Accepted, BlockedLane, ClaimRequest, Claims, Filter, Finish, InboxStore, Owned, Record,
    Stats,
};
use crate::sql::migrations::Migrations;
use crate::sql::pool::{Pool, PoolConfig};
use crate::sql::{Session, StoreError, parse_url};

/// An [`InboxStore`] in PostgreSQL (12 or later), which receivers and workers on several machines
/// share.
///
/// It creates its tables on first use: `bitrix24_inbox`, `bitrix24_inbox_accepted`,
/// `bitrix24_inbox_backlog` and `bitrix24_inbox_schema`, in the first schema of the role's `search_path`.
/// Leases and due times go by the server's clock. If it is set back, entries wait until it has caught up.
/// A transaction that changes entries holds an advisory lock, so that the order of a lane is that of the
/// commits.
///
/// A server with `fsync=off` or `full_page_writes=off` is rejected, since it can lose what it has
/// committed. If `synchronous_commit` is off for the server, the database or the role, each transaction
/// of the inbox turns it on for itself.
///
/// ```no_run
/// use tower_bitrix24::inbox::{InboxStore, PostgresInbox};
///
/// # async fn connect() -> Result<(), Box<dyn std::error::Error>> {
/// let store = PostgresInbox::connect(&std::env::var("DATABASE_URL")?).await?;
/// println!("{} entries wait", store.stats().await?.waiting);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct PostgresInbox {
    store: Arc<SqlInbox<Postgres>>,
}

impl PostgresInbox {
    /// Returns a builder with the defaults.
    pub const fn builder() -> PostgresInboxBuilder {
        PostgresInboxBuilder {
            max_connections: 5,
            call_timeout: CALL_TIMEOUT,
            behind_pooler: false,
            keep_bodies: false,
            atomic_page_writes: false,
        }
    }

    /// Connects to a database with the defaults, and brings its tables up to date.
    ///
    /// # Errors
    ///
    /// Returns an error if [`PostgresInboxBuilder::connect`] does.
    ///
    /// # Panics
    ///
    /// Panics outside a tokio runtime.
    pub async fn connect(url: &str) -> Result<Self, StoreError> {
        Self::builder().connect(url).await
    }

    /// Closes the connections after the running calls. Later calls return an error.
    pub async fn close(&self) {
        self.store.close().await;
    }
}

/// The settings of a [`PostgresInbox`].
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct PostgresInboxBuilder {
    max_connections: usize,
    call_timeout: Duration,
    behind_pooler: bool,
    keep_bodies: bool,
    atomic_page_writes: bool,
}

impl PostgresInboxBuilder {
    /// Sets the maximum number of connections. Further calls wait for one. Defaults to 5.
    ///
    /// # Panics
    ///
    /// Panics if `connections` is 0.
    #[track_caller]
    pub const fn max_connections(mut self, connections: usize) -> Self {
        assert!(connections > 0, "an inbox needs at least 1 connection");
        self.max_connections = connections;
        self
    }

    /// Sets the maximum time of a call, from the wait for a connection to the response to the commit.
    /// Defaults to 5 seconds. A migration of the tables may take 10 minutes.
    pub const fn call_timeout(mut self, timeout: Duration) -> Self {
        self.call_timeout = timeout;
        self
    }

    /// Connects through a pooler, such as PgBouncer, that shares connections between transactions.
    /// Defaults to sessions of the server itself.
    pub const fn behind_pooler(mut self) -> Self {
        self.behind_pooler = true;
        self
    }

    /// Keeps the bodies of done entries until they are purged, so that they can be replayed. By
    /// default a body is removed once its entry is done.
    pub const fn keep_bodies(mut self) -> Self {
        self.keep_bodies = true;
        self
    }

    /// Accepts a server with `full_page_writes=off`. **Use this only** if the server's file system
    /// writes a page of 8 KiB as a whole or not at all, as ZFS does. Otherwise a loss of power can
    /// destroy pages that were committed. By default such a server is rejected.
    pub const fn atomic_page_writes(mut self) -> Self {
        self.atomic_page_writes = true;
        self
    }

    /// Connects to a database and brings its tables up to date.
    ///
    /// The URL has the form `postgres://user:password@host:5432/database`. Percent-encode reserved
    /// characters in the password. **Set the parameter `sslmode` to `verify-full`** if the network is
    /// not your own.
    ///
    /// # Errors
    ///
    /// Returns an error if the URL is invalid, if the server cannot be reached or rejects the
    /// connection, if it is older than PostgreSQL 12, or if the database's encoding is not UTF-8.
    /// Returns one of the kind [`NewerSchema`](crate::inbox::StoreErrorKind::NewerSchema) if a later minor
    /// version of this crate created the tables, and of the kind
    /// [`NotDurable`](crate::inbox::StoreErrorKind::NotDurable) if the server runs with `fsync=off` or
    /// `full_page_writes=off`.
    ///
    /// # Panics
    ///
    /// Panics outside a tokio runtime.
    pub async fn connect(self, url: &str) -> Result<PostgresInbox, StoreError> {
        let session = Session {
            call_timeout: self.call_timeout,
            behind_pooler: self.behind_pooler,
        };
        let pool = Pool::new(PoolConfig {
            options: session.options(parse_url(url)?),
            place: (),
            max_connections: self.max_connections,
            connect_timeout: self.call_timeout / 2,
            idle_timeout: Some(self.call_timeout / 4),
        });
        let begin = format!(
            "{}; SELECT set_config('synchronous_commit', 'on', true) \
             WHERE current_setting('synchronous_commit') = 'off'",
            session.begin()
        );
        let store = SqlInbox {
            readers: pool.clone(),
            writers: pool,
            begin: begin.into(),
            call_timeout: self.call_timeout,
            keep_bodies: self.keep_bodies,
            turn: Mutex::default(),
        };
        let rows = store.with_timeout(store.read(SETTINGS, &[])).await?;
        self.check(rows.first())?;
        store.migrate().await?;
        Ok(PostgresInbox {
            store: Arc::new(store),
        })
    }
}

const SETTINGS: &str = "SELECT current_setting('fsync'), current_setting('full_page_writes'), \
    current_setting('server_encoding'), current_setting('server_version_num')";

/// The first with `AS MATERIALIZED`.
const OLDEST_VERSION: u32 = 120_000;

impl PostgresInboxBuilder {
    /// Checks [`SETTINGS`].
    fn check(self, settings: Option<&PgRow>) -> Result<(), StoreError> {
        let setting = |at| settings.map_or(Ok(None), |row| row.text(at));
        if setting(0)?.as_deref() != Some("on") {
            return Err(StoreError::not_durable(
                "the server runs with fsync=off and can lose what it committed: turn it on",
            ));
        }
        if setting(1)?.as_deref() != Some("on") && !self.atomic_page_writes {
            return Err(StoreError::not_durable(
                "the server runs with full_page_writes=off, so that a loss of power can destroy what \
                 it committed: turn it on, or set `atomic_page_writes` if its file system never tears \
                 a page",
            ));
        }
        let version = setting(3)?.and_then(|version| version.parse().ok());
        if version.is_none_or(|version: u32| version < OLDEST_VERSION) {
            return Err(StoreError::connection(
                "the server is older than PostgreSQL 12: upgrade it",
            ));
        }
        let encoding = setting(2)?.unwrap_or_default();
        // A text that the database cannot hold would fail the transaction of all that are stored with
        // it.
        if !matches!(&*encoding, "UTF8" | "SQL_ASCII") {
            return Err(StoreError::connection(
                "the database's encoding cannot hold every text: create one with ENCODING 'UTF8'",
            )
            .with_source(format!("the encoding is {encoding}")));
        }
        Ok(())
    }
}

super::store::impl_inbox_store!(PostgresInbox);

/// The number of the migrations' advisory lock is `bitrix24` in bytes, plus 2.
impl InboxDialect for Postgres {
    /// A lock of the table, not of the database: an inbox in another schema does not wait.
    const LOCK: Option<&'static str> =
        Some("SELECT pg_advisory_xact_lock(1651078258, 'bitrix24_inbox'::regclass::oid::integer)");

    const NOW: Option<&'static str> =
        Some("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint");

    const OR_ROLLBACK: &'static str = "";

    const MIGRATIONS: Migrations = Migrations {
        lock: Some("SELECT pg_advisory_xact_lock(7091327123016135222)"),
        has_versions: "SELECT count(to_regclass('bitrix24_inbox_schema'))",
        create_versions: "CREATE TABLE bitrix24_inbox_schema (version bigint PRIMARY KEY)",
        version: "SELECT max(version) FROM bitrix24_inbox_schema",
        insert_version: "INSERT INTO bitrix24_inbox_schema (version) VALUES ($1)",
        patience: Some("SET LOCAL statement_timeout = '10min'"),
        steps: &[
            include_str!("migrations/postgres/001_inbox.sql"),
            include_str!("migrations/postgres/002_failing_since.sql"),
            include_str!("migrations/postgres/003_due.sql"),
        ],
        additive_until: ADDITIVE_UNTIL,
    };
}

/// Omits the URL.
impl fmt::Debug for PostgresInbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresInbox").finish_non_exhaustive()
    }
}
