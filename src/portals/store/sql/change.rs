//! A transaction that is safe to drop.

use std::sync::Arc;

use sqlx::{AssertSqlSafe, SqlSafeStr};
use tokio::time::Instant;

use super::StoreError;
use super::dialect::{Dialect, Row, Value};
use super::pool::{Lease, Pool, within};

/// A transaction whose connection is closed when it is dropped before its end: whatever the
/// connection was about, the database undoes it.
///
/// That of `sqlx` goes back among the others, with the transaction still open where it was dropped
/// while it began.
pub(super) struct Change<D: Dialect>(Lease<D>);

impl<D: Dialect> Change<D> {
    /// Begins a transaction with the statements, on another connection if the first one is dead.
    pub(super) async fn begin(
        pool: &Pool<D>,
        begin: &Arc<str>,
        deadline: Instant,
    ) -> Result<Self, StoreError> {
        let begin = || AssertSqlSafe(Arc::clone(begin)).into_sql_str();
        let mut lease = pool.lease(deadline).await?;
        let limit = lease.first_limit();
        let begun = within(limit, D::execute(lease.connection(), begin(), &[])).await;
        if lease.reconnect_if_dead(&begun).await? {
            D::execute(lease.connection(), begin(), &[]).await?;
        } else {
            begun?;
        }
        Ok(Self(lease))
    }

    /// Executes a statement, or several if there are no values, and returns the number of rows that
    /// it changed.
    pub(super) async fn execute(
        &mut self,
        sql: &'static str,
        values: &[Value<'_>],
    ) -> Result<u64, StoreError> {
        D::execute(self.0.connection(), sql.into_sql_str(), values).await
    }

    /// Returns the one number that the statement selects.
    pub(super) async fn number(&mut self, sql: &'static str) -> Result<Option<i64>, StoreError> {
        D::number(self.0.connection(), sql).await
    }

    /// Returns the tokens that the statement selects.
    pub(super) async fn tokens(
        &mut self,
        sql: &'static str,
        values: &[Value<'_>],
    ) -> Result<Vec<Row>, StoreError> {
        D::tokens(self.0.connection(), sql.into_sql_str(), values).await
    }

    pub(super) async fn commit(mut self) -> Result<(), StoreError> {
        self.execute("COMMIT", &[]).await?;
        self.0.release();
        Ok(())
    }
}
