//! The store in PostgreSQL.

use std::fmt;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection, PgPoolOptions};
use sqlx::{Error, Postgres};

use super::dialect::{self, Dialect, Row, Value};
use super::error::Answered;
use super::schema::Schema;
use super::store::SqlStore;
use super::{StoreError, impl_token_store};
use crate::Secret;
use crate::portals::{PortalToken, TokenStore};

/// How long a call waits for a connection.
const PATIENCE: Duration = Duration::from_secs(5);

const MAX_CONNECTIONS: u32 = 5;

/// A [`TokenStore`] in PostgreSQL (11 or later), for several instances of an application to share.
///
/// Its tables, `bitrix24_portal_tokens` and `bitrix24_portal_schema`, are made on first use in the
/// schema that comes first in the role's `search_path`. Once they are there, the role needs no more
/// than to read and write them. The database's encoding is to be UTF-8.
///
/// Each store has 5 connections at the most, made when they are needed; a call waits 5 seconds for
/// one. A read is one statement. A change waits for other changes of the same portal, by an
/// advisory lock that ends with its transaction. A change that is given up costs its connection, so
/// that nothing of it is left.
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
    store: SqlStore<Postgres>,
}

impl PostgresStore {
    /// Connects to a database and brings its tables up to date.
    ///
    /// The address has the form `postgres://user:password@host:5432/database`, with the letters of
    /// the password that mean something in an address percent-encoded. Its parameter `sslmode` is
    /// `prefer` unless it is set: **set it to `verify-full`** where the network is not your own.
    /// The certificates that are trusted are the system's, or those of `sslrootcert`. Behind a
    /// pooler that gives a connection to others between transactions, set
    /// `statement-cache-capacity=0`.
    ///
    /// # Errors
    ///
    /// Where the address cannot be used, the server cannot be reached or refuses, or the tables
    /// were laid out by a later version of this crate.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub async fn connect(url: &str) -> Result<Self, StoreError> {
        let pool = PgPoolOptions::new()
            .max_connections(MAX_CONNECTIONS)
            .acquire_timeout(PATIENCE)
            .connect_with(options(url)?)
            .await
            .answered()?;
        let store = SqlStore {
            readers: pool.clone(),
            writers: pool,
        };
        store.migrate().await?;
        Ok(Self { store })
    }

    /// Closes the connections, once the calls that are running have ended. Calls after it fail.
    pub async fn close(&self) {
        self.store.close().await;
    }
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
    /// A role may have another level set, in which nothing new is seen after a wait for a lock.
    const BEGIN: &'static str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE";

    const LOCK_PORTAL: Option<&'static str> =
        Some("SELECT pg_advisory_xact_lock(hashtextextended($1, 7091327123016135220))");

    const LOCK_SCHEMA: Option<&'static str> =
        Some("SELECT pg_advisory_xact_lock(7091327123016135220)");

    const HAS_SCHEMA: &'static str = "SELECT count(to_regclass('bitrix24_portal_schema'))";

    const CREATE_SCHEMA: &'static str =
        "CREATE TABLE bitrix24_portal_schema (version bigint PRIMARY KEY)";

    const SCHEMA: Schema = Schema(&[include_str!("../migrations/postgres/001_tokens.sql")]);

    async fn execute(
        connection: &mut PgConnection,
        sql: &'static str,
        values: &[Value<'_>],
    ) -> Result<u64, Error> {
        let result = dialect::execute::<Self>(connection, sql, values).await?;
        Ok(result.rows_affected())
    }

    async fn tokens(
        connection: &mut PgConnection,
        sql: &'static str,
        values: &[Value<'_>],
    ) -> Result<Vec<Row>, Error> {
        dialect::fetch::<Self, Row>(connection, sql, values).await
    }

    async fn number(
        connection: &mut PgConnection,
        sql: &'static str,
    ) -> Result<Option<i64>, Error> {
        let rows = dialect::fetch::<Self, (Option<i64>,)>(connection, sql, &[]).await?;
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
    fn an_address_is_read_or_refused_without_being_repeated() {
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
