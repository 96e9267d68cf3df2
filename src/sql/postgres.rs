//! PostgreSQL: its sessions, URLs and errors.

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection, PgRow};
use sqlx::{Error, Postgres, Row, SqlStr};

use super::dialect::{self, Dialect, Value};
use super::error::{ResultExt, StoreError};

/// The limits of a session that follow from the timeout of a call.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) call_timeout: Duration,
    pub(crate) behind_pooler: bool,
}

impl Session {
    pub(crate) fn options(&self, options: PgConnectOptions) -> PgConnectOptions {
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
    /// The isolation level is explicit, since a role may have another default. In that, a statement
    /// after the wait for a lock would not see what the lock waited for. An instance that waits for
    /// the lock of a vanished one may vanish as well. The two limits add up, so each is half of the
    /// time of a call.
    pub(crate) fn begin(&self) -> String {
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

/// The URL has a password, so the errors contain nothing of it.
pub(crate) fn parse_url(url: &str) -> Result<PgConnectOptions, StoreError> {
    let rest = url
        .strip_prefix("postgres://")
        .or_else(|| url.strip_prefix("postgresql://"))
        .ok_or_else(|| {
            StoreError::connection("the database URL must start with postgres:// or postgresql://")
        })?;
    // A password with such a character would become another part, which may be logged.
    let authority = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    if rest[authority..].contains('@') {
        return Err(StoreError::connection(
            "the database URL has an @ after the host: percent-encode /, ? and # in its user and \
             password, and @ elsewhere",
        ));
    }
    url.parse()
        .map_err(|_| StoreError::connection("the database URL is invalid"))
}

impl Dialect for Postgres {
    #[cfg(feature = "inbox")]
    fn push_placeholder(sql: &mut String, number: usize) {
        use std::fmt::Write;

        // Writing to a string cannot fail.
        let _ = write!(sql, "${number}");
    }

    fn is_transient(error: &Error) -> bool {
        match error {
            // For example if the server or its network is down.
            Error::Io(_) => true,
            // Too many connections, or the server is starting or stopping.
            Error::Database(error) => {
                matches!(error.code().as_deref(), Some("53300" | "57P01" | "57P03"))
            }
            _ => false,
        }
    }

    type Place = ();
    type Mark = ();

    /// A server ends the sessions that lead nowhere.
    fn check_place(_: &(), _: Option<&()>) -> Result<(), StoreError> {
        Ok(())
    }

    async fn prepare(connection: PgConnection, _: &()) -> Result<(PgConnection, ()), StoreError> {
        Ok((connection, ()))
    }

    const SENDS_SEVERAL: bool = false;

    fn add(arguments: &mut Self::Arguments, value: Value<'_>) -> Result<(), StoreError> {
        dialect::add::<Self>(arguments, value)
    }

    async fn fetch(
        connection: &mut PgConnection,
        sql: SqlStr,
        arguments: Self::Arguments,
    ) -> Result<Vec<PgRow>, StoreError> {
        dialect::fetch::<Self>(connection, sql, arguments).await
    }

    async fn execute(
        connection: &mut PgConnection,
        sql: SqlStr,
        arguments: Self::Arguments,
    ) -> Result<u64, StoreError> {
        let result = dialect::execute::<Self>(connection, sql, arguments).await?;
        Ok(result.rows_affected())
    }

    fn number(row: &PgRow) -> Result<Option<i64>, StoreError> {
        row.try_get(0).store_err()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn database_url_is_parsed_or_rejected_without_quoting_it() {
        for good in [
            "postgres://app:pass%40word@localhost:5432/portals?sslmode=verify-full",
            "postgresql:///portals?host=/run/postgresql",
        ] {
            assert!(parse_url(good).is_ok(), "{good}");
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
            let error = parse_url(bad).unwrap_err();
            assert!(!format!("{error:?} {error}").contains("canary"), "{bad}");
        }
    }
}
