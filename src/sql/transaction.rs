//! A transaction that is safe to drop.

use std::sync::Arc;

use sqlx::{AssertSqlSafe, SqlSafeStr};
use tokio::time::Instant;

use super::dialect::{Dialect, Value};
use super::error::StoreError;
use super::pool::{Lease, Pool};

/// A transaction that closes its connection if dropped before [`commit`](Self::commit), so that the
/// database rolls back.
///
/// If the transaction of sqlx is dropped while it begins, its connection is used again with the
/// transaction still open.
pub(crate) struct Transaction<D: Dialect>(Lease<D>);

impl<D: Dialect> Transaction<D> {
    /// Begins with the given statements, on another connection if the first one is dead.
    pub(crate) async fn begin(
        pool: &Pool<D>,
        begin: &Arc<str>,
        deadline: Instant,
    ) -> Result<Self, StoreError> {
        let mut lease = pool.lease(deadline).await?;
        let begin = AssertSqlSafe(Arc::clone(begin)).into_sql_str();
        lease.fetch_first(begin, &[]).await?;
        Ok(Self(lease))
    }

    /// Executes a statement, or several if there are no values. Returns the number of changed rows.
    pub(crate) async fn execute(
        &mut self,
        sql: impl SqlSafeStr,
        values: &[Value<'_>],
    ) -> Result<u64, StoreError> {
        D::execute(self.0.connection(), sql.into_sql_str(), values).await
    }

    pub(crate) async fn fetch(
        &mut self,
        sql: impl SqlSafeStr,
        values: &[Value<'_>],
    ) -> Result<Vec<D::Row>, StoreError> {
        D::fetch(self.0.connection(), sql.into_sql_str(), values).await
    }

    pub(crate) async fn number(&mut self, sql: &'static str) -> Result<Option<i64>, StoreError> {
        let rows = self.fetch(sql, &[]).await?;
        match rows.first() {
            Some(row) => D::number(row),
            None => Ok(None),
        }
    }

    pub(crate) async fn commit(mut self) -> Result<(), StoreError> {
        self.execute("COMMIT", &[]).await?;
        self.0.release();
        Ok(())
    }
}
