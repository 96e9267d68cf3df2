use sqlx::pool::PoolConnection;
use sqlx::{Database, Executor, Pool};

use super::StoreError;
use super::error::Answered;

/// A transaction whose connection is closed when it is dropped before its end: whatever the
/// connection was about, the database undoes it.
///
/// That of `sqlx` goes back among the others, with the transaction still open where it was dropped
/// while it began.
pub(super) struct Change<D: Database> {
    connection: Option<PoolConnection<D>>,
}

impl<D: Database> Change<D>
where
    for<'c> &'c mut D::Connection: Executor<'c, Database = D>,
{
    /// Begins one with the statement.
    pub(super) async fn begin(pool: &Pool<D>, begin: &'static str) -> Result<Self, StoreError> {
        let mut change = Self {
            connection: Some(pool.acquire().await.answered()?),
        };
        change.connection().execute(begin).await.answered()?;
        Ok(change)
    }

    pub(super) async fn commit(self) -> Result<(), StoreError> {
        self.end("COMMIT").await
    }

    pub(super) async fn roll_back(self) -> Result<(), StoreError> {
        self.end("ROLLBACK").await
    }

    async fn end(mut self, statement: &'static str) -> Result<(), StoreError> {
        self.connection().execute(statement).await.answered()?;
        self.connection = None;
        Ok(())
    }
}

impl<D: Database> Change<D> {
    pub(super) fn connection(&mut self) -> &mut D::Connection {
        self.connection.as_mut().expect("it is there until the end")
    }
}

impl<D: Database> Drop for Change<D> {
    fn drop(&mut self) {
        if let Some(connection) = &mut self.connection {
            connection.close_on_drop();
        }
    }
}
