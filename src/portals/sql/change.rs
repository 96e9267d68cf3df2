//! A transaction that is safe to drop.

use sqlx::Pool;
use sqlx::pool::PoolConnection;

use super::StoreError;
use super::dialect::{Dialect, Value};
use super::error::Answered;

/// A transaction whose connection is closed when it is dropped before its end: whatever the
/// connection was about, the database undoes it.
///
/// That of `sqlx` goes back among the others, with the transaction still open where it was dropped
/// while it began.
pub(super) struct Change<D: Dialect> {
    connection: Option<PoolConnection<D>>,
}

impl<D: Dialect> Change<D> {
    pub(super) async fn begin(pool: &Pool<D>) -> Result<Self, StoreError> {
        let mut change = Self {
            connection: Some(pool.acquire().await.answered()?),
        };
        change.execute(D::BEGIN, &[]).await?;
        Ok(change)
    }

    /// Executes a statement, or several if there are no values, and returns the number of rows that
    /// it changed.
    pub(super) async fn execute(
        &mut self,
        sql: &'static str,
        values: &[Value<'_>],
    ) -> Result<u64, StoreError> {
        D::execute(self.connection(), sql, values).await.answered()
    }

    /// Returns the one number that the statement selects.
    pub(super) async fn number(&mut self, sql: &'static str) -> Result<Option<i64>, StoreError> {
        D::number(self.connection(), sql).await.answered()
    }

    pub(super) async fn commit(mut self) -> Result<(), StoreError> {
        self.execute("COMMIT", &[]).await?;
        self.connection = None;
        Ok(())
    }

    fn connection(&mut self) -> &mut D::Connection {
        self.connection.as_mut().expect("it is there until the end")
    }
}

impl<D: Dialect> Drop for Change<D> {
    fn drop(&mut self) {
        if let Some(connection) = &mut self.connection {
            connection.close_on_drop();
        }
    }
}
