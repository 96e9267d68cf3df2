//! The inbox that the databases share: transactions, their clock, and the order of lanes.

use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sqlx::SqlSafeStr;
use tokio::time::Instant;

use super::row::{Columns, LIST, chunks, hashes};
use crate::inbox::clock::unix_millis;
use crate::sql::StoreError;
use crate::sql::dialect::{Dialect, Value};
use crate::sql::migrations::Migrations;
use crate::sql::pool::{Pool, within};
use crate::sql::statement::Statement;
use crate::sql::transaction::Transaction;
use crate::telemetry;

/// The default timeout of a call.
pub(super) const CALL_TIMEOUT: Duration = Duration::from_secs(5);

/// Until the next minor version of this crate, which counts from 1000, migrations only add columns with
/// a default, tables, and indexes that are not unique.
pub(super) const ADDITIVE_UNTIL: i64 = 999;

const PROMOTE: &str = " bitrix24_inbox SET head = 1 WHERE seq IN ( \
        SELECT (SELECT a.seq FROM bitrix24_inbox a \
                WHERE a.lane = l.lane AND a.head = 0 AND a.finished IS NULL ORDER BY a.seq LIMIT 1) \
        FROM lanes l \
        WHERE NOT EXISTS (SELECT 1 FROM bitrix24_inbox h \
                          WHERE h.lane = l.lane AND h.head = 1))";

/// A database with the tables of an inbox.
pub(super) trait InboxDialect: Dialect<Row: Columns> {
    /// Waits until no other transaction changes entries, if the begin does not wait.
    const LOCK: Option<&'static str>;

    /// Selects the time in unix milliseconds. `None` if the process has the same clock.
    const NOW: Option<&'static str>;

    /// The conflict clause of statements that change many rows, after whose error the transaction ends.
    /// By default SQLite copies each page first, to undo the statement alone.
    const OR_ROLLBACK: &'static str;

    const MIGRATIONS: Migrations;
}

/// An inbox in a database.
pub(super) struct SqlInbox<D: InboxDialect> {
    pub(super) readers: Pool<D>,
    pub(super) writers: Pool<D>,
    /// Begins a transaction that may write.
    pub(super) begin: Arc<str>,
    pub(super) call_timeout: Duration,
    pub(super) keep_bodies: bool,
    /// The portal from which packs that are kept apart get their place next.
    pub(super) turn: Mutex<String>,
}

/// A transaction that no other one that changes entries overlaps.
pub(super) struct Exclusive<D: InboxDialect> {
    pub(super) transaction: Transaction<D>,
    /// The time in unix milliseconds.
    pub(super) now: i64,
    /// The entries that it merged into others.
    pub(super) merged: usize,
    pub(super) duplicates: usize,
    /// Accepted entries have no place yet.
    pub(super) has_packs: bool,
}

impl<D: InboxDialect> SqlInbox<D> {
    pub(super) async fn migrate(&self) -> Result<(), StoreError> {
        D::MIGRATIONS.run(self.begin()).await
    }

    /// Bounds a call. At the limit it is dropped, which closes its connection.
    ///
    /// The call is boxed: it holds several statements, and callers would hold it several times over.
    pub(super) async fn with_timeout<T>(
        &self,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        within(Some(self.call_timeout), Box::pin(call)).await
    }

    pub(super) async fn close(&self) {
        self.readers.close(self.call_timeout).await;
        self.writers.close(self.call_timeout).await;
    }

    pub(super) fn deadline(&self) -> Instant {
        Instant::now() + self.call_timeout
    }

    pub(super) async fn begin(&self) -> Result<Transaction<D>, StoreError> {
        Transaction::begin(&self.writers, &self.begin, self.deadline()).await
    }

    pub(super) async fn exclusive(&self) -> Result<Exclusive<D>, StoreError> {
        let mut transaction = Box::pin(self.begin()).await?;
        if let Some(lock) = D::LOCK {
            transaction.execute(lock, &[]).await?;
        }
        let now = match D::NOW {
            Some(now) => transaction.number(now).await?,
            None => Some(unix_millis()),
        };
        let now = now.ok_or_else(|| StoreError::query("the database returned no time"))?;
        Ok(Exclusive {
            transaction,
            now,
            merged: 0,
            duplicates: 0,
            has_packs: false,
        })
    }

    /// Executes a statement that reads, outside a transaction.
    pub(super) async fn read(
        &self,
        sql: impl SqlSafeStr,
        values: &[Value<'_>],
    ) -> Result<Vec<D::Row>, StoreError> {
        let mut lease = self.readers.lease(self.deadline()).await?;
        let rows = lease.fetch_first(sql.into_sql_str(), values).await?;
        lease.release();
        Ok(rows)
    }
}

impl<D: InboxDialect> Exclusive<D> {
    /// Gives each of the lanes that has no head its oldest active entry as the head.
    ///
    /// The subqueries read one row of an index each, however long a lane is.
    pub(super) async fn promote(&mut self, lanes: &[[u8; 32]]) -> Result<(), StoreError> {
        for lanes in chunks(lanes, LIST) {
            let statement = Statement::<D>::new("WITH lanes(lane) AS (")
                .rows(hashes(lanes.padded().map(Some)))
                .sql(") UPDATE")
                .sql(D::OR_ROLLBACK)
                .sql(PROMOTE);
            self.transaction.queue(&statement).await?;
        }
        Ok(())
    }

    pub(super) async fn commit(self) -> Result<(), StoreError> {
        self.transaction.commit().await?;
        telemetry::inbox::placed(self.merged, self.duplicates);
        Ok(())
    }
}

/// Sorts the lanes and removes repetitions.
pub(super) fn distinct(mut lanes: Vec<[u8; 32]>) -> Vec<[u8; 32]> {
    lanes.sort_unstable();
    lanes.dedup();
    lanes
}

/// Implements the traits for a type by its field `store`, with the timeout of a call.
macro_rules! impl_inbox_store {
    ($type:ty) => {
        impl Accept for $type {
            type Error = StoreError;

            async fn accept(&self, entries: &[Entry]) -> Result<Vec<Accepted>, StoreError> {
                let store = &self.store;
                store.with_timeout(store.accept(entries)).await
            }
        }

        impl InboxStore for $type {
            async fn claim(&self, request: &ClaimRequest<'_>) -> Result<Claims, StoreError> {
                let store = &self.store;
                store.with_timeout(store.claim(request)).await
            }

            async fn finish(
                &self,
                owner: &str,
                finishes: &[Finish],
            ) -> Result<Vec<bool>, StoreError> {
                let store = &self.store;
                store.with_timeout(store.finish(owner, finishes)).await
            }

            async fn finish_and_claim(
                &self,
                finishes: &[Finish],
                request: &ClaimRequest<'_>,
            ) -> Result<(Vec<bool>, Claims), StoreError> {
                let store = &self.store;
                store
                    .with_timeout(store.finish_and_claim(finishes, request))
                    .await
            }

            async fn extend(
                &self,
                owner: &str,
                running: &[Owned],
                lease: Duration,
            ) -> Result<Vec<bool>, StoreError> {
                let store = &self.store;
                store
                    .with_timeout(store.extend(owner, running, lease))
                    .await
            }

            async fn list(&self, filter: &Filter, limit: usize) -> Result<Vec<Record>, StoreError> {
                let store = &self.store;
                store.with_timeout(store.list(filter, limit)).await
            }

            async fn blocked_lanes(
                &self,
                after: i64,
                limit: usize,
            ) -> Result<Vec<BlockedLane>, StoreError> {
                let store = &self.store;
                store.with_timeout(store.blocked_lanes(after, limit)).await
            }

            // In steps, each of which is bounded by the timeout of its connection.
            async fn reopen(&self, filter: &Filter, replay: bool) -> Result<u64, StoreError> {
                self.store.reopen(filter, replay).await
            }

            async fn discard(&self, seq: i64) -> Result<bool, StoreError> {
                let store = &self.store;
                store.with_timeout(store.discard(seq)).await
            }

            async fn purge(&self, done: Duration, dead: Duration) -> Result<u64, StoreError> {
                self.store.purge(done, dead).await
            }

            async fn remove_portal(&self, member_id: &str) -> Result<u64, StoreError> {
                self.store.remove_portal(member_id).await
            }

            async fn stats(&self) -> Result<Stats, StoreError> {
                let store = &self.store;
                store.with_timeout(store.stats()).await
            }
        }
    };
}
pub(super) use impl_inbox_store;

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the statements after the first version that an older program would not survive.
    fn breaking(steps: &[&'static str]) -> Vec<String> {
        let later = steps.iter().skip(1).flat_map(|step| {
            let lines = step.lines().filter(|line| !line.starts_with("--"));
            let statements = lines.collect::<Vec<_>>().join(" ");
            statements.split(';').map(str::to_owned).collect::<Vec<_>>()
        });
        let is_additive = |sql: &str| {
            let adds = [
                "ALTER TABLE bitrix24_inbox ADD COLUMN ",
                "CREATE INDEX ",
                "CREATE TABLE ",
            ];
            let demands = sql.contains(" NOT NULL") && !sql.contains(" DEFAULT ");
            sql.is_empty()
                || adds.iter().any(|add| sql.starts_with(add))
                    && (sql.starts_with("CREATE") || !demands)
        };
        later
            .map(|sql| sql.trim().to_owned())
            .filter(|sql| !is_additive(sql))
            .collect()
    }

    #[test]
    fn migrations_of_the_inbox_only_add_until_the_next_minor_version() {
        #[cfg(feature = "sqlite")]
        assert_eq!(
            breaking(sqlx::Sqlite::MIGRATIONS.steps),
            Vec::<String>::new()
        );
        #[cfg(feature = "postgres")]
        assert_eq!(
            breaking(sqlx::Postgres::MIGRATIONS.steps),
            Vec::<String>::new()
        );
        for step in [
            "DROP INDEX i",
            "-- Comment.\nALTER TABLE bitrix24_inbox ADD COLUMN c bigint NOT NULL",
            "CREATE UNIQUE INDEX i ON bitrix24_inbox (c)",
            "ALTER TABLE bitrix24_inbox ADD COLUMN c bigint; UPDATE bitrix24_inbox SET c = 1",
        ] {
            assert_eq!(breaking(&["", step]).len(), 1, "{step}");
        }
    }
}
