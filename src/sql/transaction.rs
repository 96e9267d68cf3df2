//! A transaction that is safe to drop.

use std::sync::Arc;

use sqlx::{Arguments, AssertSqlSafe, SqlSafeStr, SqlStr};
use tokio::time::Instant;

use super::dialect::{self, Dialect, Value};
use super::error::StoreError;
use super::pool::{Lease, Pool};
#[cfg(feature = "inbox")]
use super::statement::Statement;

/// A transaction that closes its connection if dropped before [`commit`](Self::commit), so that the
/// database rolls back.
///
/// If the transaction of sqlx is dropped while it begins, its connection is used again with the
/// transaction still open.
pub(crate) struct Transaction<D: Dialect> {
    lease: Lease<D>,
    /// The begin and other statements without rows, which are sent with the next one. Each message to
    /// the thread of a SQLite connection costs two changes of the thread.
    queued: Vec<String>,
    queued_arguments: D::Arguments,
}

impl<D: Dialect> Transaction<D> {
    /// Begins with the given statements, on another connection if the first one is dead.
    pub(crate) async fn begin(
        pool: &Pool<D>,
        begin: &Arc<str>,
        deadline: Instant,
    ) -> Result<Self, StoreError> {
        let mut lease = pool.lease(deadline).await?;
        let mut queued = Vec::new();
        if D::SENDS_SEVERAL {
            queued.push(begin.to_string());
        } else {
            let begin = AssertSqlSafe(Arc::clone(begin)).into_sql_str();
            lease.fetch_first(begin, &[]).await?;
        }
        Ok(Self {
            lease,
            queued,
            queued_arguments: D::Arguments::default(),
        })
    }

    /// Executes a statement, or several if there are no values. Returns the number of changed rows.
    pub(crate) async fn execute(
        &mut self,
        sql: impl SqlSafeStr,
        values: &[Value<'_>],
    ) -> Result<u64, StoreError> {
        // SQLite counts the rows of the last statement that changed any, also for a begin.
        self.send().await?;
        let arguments = dialect::arguments::<D>(values)?;
        D::execute(self.lease.connection(), sql.into_sql_str(), arguments).await
    }

    pub(crate) async fn fetch(
        &mut self,
        sql: impl SqlSafeStr,
        values: &[Value<'_>],
    ) -> Result<Vec<D::Row>, StoreError> {
        if self.queued_arguments.len() > 0 {
            // The numbers of the placeholders would be those of the queued statements.
            self.send().await?;
        }
        let arguments = dialect::arguments::<D>(values)?;
        let sql = self.with_queued(sql.into_sql_str());
        D::fetch(self.lease.connection(), sql, arguments).await
    }

    #[cfg(feature = "inbox")]
    pub(crate) async fn fetch_statement(
        &mut self,
        statement: &Statement<'_, D>,
    ) -> Result<Vec<D::Row>, StoreError> {
        let sql = self.with_queued(statement.text());
        let mut arguments = std::mem::take(&mut self.queued_arguments);
        for value in statement.values() {
            D::add(&mut arguments, *value)?;
        }
        D::fetch(self.lease.connection(), sql, arguments).await
    }

    /// Executes a statement that returns no rows, at the latest with the commit. If it fails, so does
    /// the next call.
    #[cfg(feature = "inbox")]
    pub(crate) async fn queue(&mut self, statement: &Statement<'_, D>) -> Result<(), StoreError> {
        if !D::SENDS_SEVERAL {
            let values = statement.values();
            return self.execute(statement.text(), values).await.map(drop);
        }
        self.queued.push(statement.text().as_str().to_owned());
        for value in statement.values() {
            D::add(&mut self.queued_arguments, *value)?;
        }
        Ok(())
    }

    pub(crate) async fn number(&mut self, sql: &'static str) -> Result<Option<i64>, StoreError> {
        let rows = self.fetch(sql, &[]).await?;
        match rows.first() {
            Some(row) => D::number(row),
            None => Ok(None),
        }
    }

    pub(crate) async fn commit(mut self) -> Result<(), StoreError> {
        let sql = self.with_queued("COMMIT".into_sql_str());
        self.execute_queued(sql).await?;
        self.lease.release();
        Ok(())
    }

    async fn send(&mut self) -> Result<(), StoreError> {
        let Some(last) = self.queued.pop() else {
            return Ok(());
        };
        let sql = self.with_queued(AssertSqlSafe(last).into_sql_str());
        self.execute_queued(sql).await
    }

    async fn execute_queued(&mut self, sql: SqlStr) -> Result<(), StoreError> {
        let arguments = std::mem::take(&mut self.queued_arguments);
        let executed = D::execute(self.lease.connection(), sql, arguments).await;
        executed.map(drop)
    }

    fn with_queued(&mut self, sql: SqlStr) -> SqlStr {
        if self.queued.is_empty() {
            return sql;
        }
        self.queued.push(sql.as_str().to_owned());
        let sql = self.queued.join("; ");
        self.queued.clear();
        AssertSqlSafe(sql).into_sql_str()
    }
}
