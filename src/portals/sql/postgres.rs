use std::fmt;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{Executor, Postgres};

use super::change::Change;
use super::error::Answered;
use super::schema::Schema;
use super::{StoreError, token};
use crate::Secret;
use crate::portals::{PortalToken, TokenKind, TokenStore};

const SCHEMA: Schema = Schema(&[include_str!("../migrations/postgres/001_tokens.sql")]);

/// The number that stands for our tables among the advisory locks of a database: `bitrix24`.
const LOCK: i64 = i64::from_be_bytes(*b"bitrix24");

/// A role may have another level set, in which nothing new is seen after a wait for a lock.
const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE";

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
    pool: PgPool,
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
        let store = Self { pool };
        store.migrate().await?;
        Ok(store)
    }

    /// Closes the connections, once the calls that are running have ended. Calls after it fail.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    async fn migrate(&self) -> Result<(), StoreError> {
        let mut change = Change::begin(&self.pool, BEGIN).await?;
        sqlx::query("SELECT pg_advisory_xact_lock($1)")
            .bind(LOCK)
            .execute(change.connection())
            .await
            .answered()?;
        // Not IF NOT EXISTS: a role that may not create anything may use what is there.
        let is_there =
            sqlx::query_scalar("SELECT to_regclass('bitrix24_portal_schema') IS NOT NULL")
                .fetch_one(change.connection())
                .await
                .answered()?;
        let version: Option<i64> = if is_there {
            sqlx::query_scalar("SELECT max(version) FROM bitrix24_portal_schema")
                .fetch_one(change.connection())
                .await
                .answered()?
        } else {
            change
                .connection()
                .execute("CREATE TABLE bitrix24_portal_schema (version bigint PRIMARY KEY)")
                .await
                .answered()?;
            None
        };
        for (version, statements) in SCHEMA.after(version.unwrap_or(0))? {
            change.connection().execute(statements).await.answered()?;
            sqlx::query("INSERT INTO bitrix24_portal_schema (version) VALUES ($1)")
                .bind(version)
                .execute(change.connection())
                .await
                .answered()?;
        }
        change.commit().await
    }

    /// Begins a change of the portal, after those that others have begun.
    async fn change(&self, member_id: &str) -> Result<Change<Postgres>, StoreError> {
        let mut change = Change::begin(&self.pool, BEGIN).await?;
        // By itself: a later statement sees what was there when it began, so after the wait.
        sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended($1, $2))")
            .bind(member_id)
            .bind(LOCK)
            .execute(change.connection())
            .await
            .answered()?;
        Ok(change)
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

impl TokenStore for PostgresStore {
    type Error = StoreError;

    async fn tokens(&self, member_id: &str) -> Result<Vec<PortalToken>, StoreError> {
        let rows = sqlx::query_as(
            "SELECT stored, kind, issued, expires FROM bitrix24_portal_tokens \
             WHERE member_id = $1",
        )
        .bind(member_id)
        .fetch_all(&self.pool)
        .await
        .answered()?;
        rows.into_iter().map(token).collect()
    }

    async fn add(&self, member_id: &str, token: PortalToken) -> Result<(), StoreError> {
        let mut change = self.change(member_id).await?;
        put(&mut change, member_id, &token).await?;
        change.commit().await
    }

    async fn add_first(&self, member_id: &str, token: PortalToken) -> Result<bool, StoreError> {
        let mut change = self.change(member_id).await?;
        let is_known = sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM bitrix24_portal_tokens WHERE member_id = $1)",
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
        let mut change = self.change(member_id).await?;
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
        let mut change = self.change(member_id).await?;
        let removed = sqlx::query(
            "DELETE FROM bitrix24_portal_tokens WHERE member_id = $1 AND stored = \
             (SELECT stored FROM bitrix24_portal_tokens \
              WHERE member_id = $1 AND kind = $2 AND (expires IS NULL OR expires > $3) LIMIT 1)",
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
        let mut change = self.change(member_id).await?;
        let removed =
            sqlx::query("DELETE FROM bitrix24_portal_tokens WHERE member_id = $1 AND stored = $2")
                .bind(member_id)
                .bind(stored.expose())
                .execute(change.connection())
                .await
                .answered()?;
        change.commit().await?;
        Ok(removed.rows_affected() > 0)
    }

    async fn remove(&self, member_id: &str) -> Result<bool, StoreError> {
        let mut change = self.change(member_id).await?;
        let removed = sqlx::query("DELETE FROM bitrix24_portal_tokens WHERE member_id = $1")
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
    change: &mut Change<Postgres>,
    member_id: &str,
    token: &PortalToken,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO bitrix24_portal_tokens (member_id, stored, kind, issued, expires) \
         VALUES ($1, $2, $3, $4, $5) ON CONFLICT (member_id, stored) DO UPDATE \
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
    change: &mut Change<Postgres>,
    member_id: &str,
    token: &PortalToken,
    end: i64,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE bitrix24_portal_tokens SET expires = $1 \
         WHERE member_id = $2 AND kind = $3 AND (expires IS NULL OR expires > $1)",
    )
    .bind(end)
    .bind(member_id)
    .bind(token.kind().as_str())
    .execute(change.connection())
    .await
    .answered()?;
    put(change, member_id, token).await
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
