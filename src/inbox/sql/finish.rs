//! Ends attempts and extends leases.

use std::collections::HashSet;
use std::time::Duration;

use sqlx::AssertSqlSafe;

use super::row::{Chunk, Columns, LIST, chunks};
use super::store::{Exclusive, InboxDialect, SqlInbox, distinct};
use crate::inbox::clock::millis;
use crate::inbox::store::{Finish, Outcome, Owned};
use crate::sql::StoreError;
use crate::sql::dialect::Value;
use crate::sql::statement::Statement;

/// Only the owner of the attempt ends it: the sequence number is `$1`, the owner `$2`, the attempt
/// `$3`.
const FENCE: &str = "WHERE seq = $1 AND owner = $2 AND attempts = $3 AND state = 1 RETURNING lane";

impl<D: InboxDialect> SqlInbox<D> {
    pub(super) async fn finish(
        &self,
        owner: &str,
        finishes: &[Finish],
    ) -> Result<Vec<bool>, StoreError> {
        let mut exclusive = self.exclusive().await?;
        let finished = exclusive.finish(owner, finishes, self.keep_bodies).await?;
        exclusive.commit().await?;
        Ok(finished)
    }

    pub(super) async fn extend(
        &self,
        owner: &str,
        running: &[Owned],
        lease: Duration,
    ) -> Result<Vec<bool>, StoreError> {
        let mut exclusive = self.exclusive().await?;
        let due = exclusive.now.saturating_add(millis(lease));
        let mut extended = HashSet::new();
        for chunk in chunks(running, LIST) {
            let rows = exclusive.update_owned("due = ", due, owner, chunk).await?;
            extended.extend(rows.into_iter().map(|(owned, _)| owned));
        }
        exclusive.commit().await?;
        Ok(running
            .iter()
            .map(|owned| extended.contains(owned))
            .collect())
    }
}

impl<D: InboxDialect> Exclusive<D> {
    pub(super) async fn finish(
        &mut self,
        owner: &str,
        finishes: &[Finish],
        keep_bodies: bool,
    ) -> Result<Vec<bool>, StoreError> {
        let is_done = |finish: &&Finish| finish.outcome == Outcome::Done;
        let done: Vec<Owned> = finishes.iter().filter(is_done).map(|f| f.owned).collect();
        let now = self.now;
        let body = if keep_bodies { "body" } else { "NULL" };
        let set = format!(
            "state = 2, head = 0, owner = NULL, suspect = 0, error = NULL, failing_since = NULL, \
             body = {body}, finished = "
        );
        let mut ended = HashSet::new();
        let mut freed = Vec::new();
        for chunk in chunks(&done, LIST) {
            let rows = self.update_owned(&set, now, owner, chunk).await?;
            for (owned, lane) in rows {
                ended.insert(owned);
                freed.extend(lane);
            }
        }
        for finish in finishes.iter().filter(|finish| !is_done(finish)) {
            if let Some(lane) = self.fail(owner, finish).await? {
                ended.insert(finish.owned);
                freed.extend(lane);
            }
        }
        self.promote(&distinct(freed)).await?;
        let finished = |finish: &Finish| ended.contains(&finish.owned);
        Ok(finishes.iter().map(finished).collect())
    }

    /// Updates the attempts that the owner still owns, the last column of `set` to the time, and returns
    /// them with their lanes. A call may have several attempts of one entry, of which one can be
    /// current.
    async fn update_owned(
        &mut self,
        set: &str,
        time: i64,
        owner: &str,
        owned: Chunk<'_, Owned>,
    ) -> Result<Vec<(Owned, Option<[u8; 32]>)>, StoreError> {
        let pairs = owned.padded();
        let pairs = pairs.map(|owned| [owned.seq.into(), i64::from(owned.attempt).into()]);
        let statement = Statement::<D>::new("WITH owned(seq, attempt) AS (")
            .rows(pairs)
            .sql(") UPDATE")
            .sql(D::OR_ROLLBACK)
            .sql(" bitrix24_inbox SET ")
            .sql(set)
            .bind(time)
            .sql(" WHERE seq IN (SELECT o.seq FROM owned o) AND owner = ")
            .bind(owner)
            .sql(
                " AND state = 1 AND (seq, attempts) IN (SELECT o.seq, o.attempt FROM owned o) \
                 RETURNING seq, attempts, lane",
            );
        let rows = self.transaction.fetch_statement(&statement).await?;
        let rows = rows.iter().map(|row| {
            let owned = Owned {
                seq: row.required(0)?,
                attempt: u32::try_from(row.required(1)?).unwrap_or(u32::MAX),
            };
            Ok((owned, row.hash(2)?))
        });
        rows.collect()
    }

    /// Ends an attempt that did not succeed. Returns the lane that is free now, `Some(None)` if none
    /// is, and `None` if the attempt is not the owner's.
    async fn fail(
        &mut self,
        owner: &str,
        finish: &Finish,
    ) -> Result<Option<Option<[u8; 32]>>, StoreError> {
        let now = self.now;
        let (set, time, error, is_freed) = match &finish.outcome {
            Outcome::Retry { after, error } => (
                "state = 0, owner = NULL, suspect = 0, due = $4, error = $5, \
                 failing_since = COALESCE(failing_since, $6)",
                now.saturating_add(millis(*after)),
                Some(error.as_str()),
                false,
            ),
            Outcome::Dead { error } => (
                "state = 3, head = 0, owner = NULL, suspect = 0, finished = $4, error = $5, \
                 failing_since = COALESCE(failing_since, $4)",
                now,
                Some(error.as_str()),
                true,
            ),
            Outcome::Released | Outcome::Done => (
                "state = 0, owner = NULL, forgiven = forgiven + 1, due = $4",
                now,
                None,
                false,
            ),
        };
        let mut values: Vec<Value<'_>> = vec![
            finish.owned.seq.into(),
            owner.into(),
            i64::from(finish.owned.attempt).into(),
            time.into(),
        ];
        values.extend(error.map(Value::from));
        if matches!(finish.outcome, Outcome::Retry { .. }) {
            values.push(now.into());
        }
        let sql = format!("UPDATE bitrix24_inbox SET {set} {FENCE}");
        let rows = self.transaction.fetch(AssertSqlSafe(sql), &values).await?;
        let Some(row) = rows.first() else {
            return Ok(None);
        };
        let lane = row.hash(0)?;
        Ok(Some(lane.filter(|_| is_freed)))
    }
}
