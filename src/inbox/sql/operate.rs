//! The statements of the operations: list, retry, discard, purge.

use std::time::Duration;

use sqlx::AssertSqlSafe;

use super::row::{COLUMNS, Columns, LIST, chunks, record};
use super::store::{Exclusive, InboxDialect, SqlInbox, distinct};
use crate::inbox::clock::{millis, unix_millis};
use crate::inbox::store::{BlockedLane, Filter, Record, State, Stats};
use crate::sql::StoreError;
use crate::sql::dialect::Value;
use crate::sql::statement::Statement;

/// The number of rows that one transaction changes, so that receivers wait briefly.
const STEP: i64 = 500;

const CONDITIONS: &str = "seq > $1 AND seq <= $2 AND state >= $3 AND state <= $4 \
    AND member_id >= $5 AND (member_id = $5 OR $6 = 0) AND code >= $7 AND (code = $7 OR $8 = 0)";

/// No row, if the entry waits untried or is due anyway.
const REOPENABLE: &str = "body IS NOT NULL AND (state = 3 \
    OR ($9 = 1 AND state = 2) OR ($9 = 0 AND state = 0 AND attempts > 0 AND due > $10))";

/// Reopens the entries of a table `wanted`.
const REOPEN: &str = ") UPDATE bitrix24_inbox SET state = 0, owner = NULL, suspect = 0, \
    attempts = CASE WHEN attempts = 0 THEN 1 ELSE attempts END, \
    forgiven = CASE WHEN attempts = 0 THEN 1 ELSE attempts END, failing_since = NULL, \
    finished = NULL, head = CASE WHEN lane IS NULL THEN 1 ELSE head END, due = ";

const DISCARD: &str = "UPDATE bitrix24_inbox SET state = 2, head = 0, owner = NULL, suspect = 0, \
    body = NULL, finished = $1, error = 'discarded' \
    WHERE seq = $2 AND (state = 0 OR state = 3) RETURNING lane";

const PURGE: &str = "DELETE FROM bitrix24_inbox WHERE seq IN (SELECT seq FROM bitrix24_inbox \
    WHERE state >= 2 AND state = $1 AND finished <= $2 ORDER BY finished LIMIT $3) RETURNING seq";

const REMOVE: &str = "DELETE FROM bitrix24_inbox WHERE seq IN (SELECT seq FROM bitrix24_inbox \
    WHERE member_id = $1 LIMIT $2) RETURNING lane";

const STATS: &str =
    "SELECT state, count(*), min(first_received) FROM bitrix24_inbox GROUP BY state";

const BLOCKED: &str = "SELECT count(*) FROM bitrix24_inbox \
    WHERE state = 0 AND head = 1 AND failing_since IS NOT NULL AND lane IS NOT NULL";

/// The condition is that of an index.
const BLOCKED_LANES: &str = "WHERE state = 0 AND head = 1 AND failing_since IS NOT NULL \
    AND lane IS NOT NULL AND seq > $1 ORDER BY seq LIMIT $2";

const BEHIND: &str =
    "SELECT count(*) FROM bitrix24_inbox WHERE lane = $1 AND head = 0 AND finished IS NULL";

/// The values of [`CONDITIONS`].
fn values(filter: &Filter) -> [Value<'_>; 8] {
    let after = filter.after.unwrap_or(i64::MIN);
    let until = filter.until.unwrap_or(i64::MAX);
    let (first, last) = match filter.seq {
        Some(seq) => (after.max(seq.saturating_sub(1)), until.min(seq)),
        None => (after, until),
    };
    let state = filter.state.map(|state| match state {
        State::Waiting => 0,
        State::Running => 1,
        State::Done => 2,
        State::Dead => 3,
    });
    let is_set = |text: &Option<String>| i64::from(text.is_some());
    [
        first.into(),
        last.into(),
        state.unwrap_or(0).into(),
        state.unwrap_or(3).into(),
        filter.member_id.as_deref().unwrap_or_default().into(),
        is_set(&filter.member_id).into(),
        filter.code.as_deref().unwrap_or_default().into(),
        is_set(&filter.code).into(),
    ]
}

impl<D: InboxDialect> SqlInbox<D> {
    pub(super) async fn list(
        &self,
        filter: &Filter,
        limit: usize,
    ) -> Result<Vec<Record>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM bitrix24_inbox WHERE {CONDITIONS} ORDER BY seq LIMIT $9"
        );
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let values = [&values(filter)[..], &[limit.into()]].concat();
        self.place().await?;
        let rows = self.read(AssertSqlSafe(sql), &values).await?;
        rows.iter().map(record).collect()
    }

    pub(super) async fn blocked_lanes(
        &self,
        after: i64,
        limit: usize,
    ) -> Result<Vec<BlockedLane>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM bitrix24_inbox {BLOCKED_LANES}");
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.place().await?;
        let heads = self
            .read(AssertSqlSafe(sql), &[after.into(), limit.into()])
            .await?;
        let mut lanes = Vec::new();
        for head in heads.iter().map(record) {
            let head = head?;
            let lane = head.entry.lane.as_ref().map(|lane| &lane[..]);
            let counted = self.read(BEHIND, &[lane.into()]).await?;
            let behind = counted.first().map_or(Ok(0), |row| row.required(0))?;
            lanes.push(BlockedLane {
                head,
                // It may have been handled since the first statement.
                behind: u64::try_from(behind).unwrap_or_default(),
            });
        }
        Ok(lanes)
    }

    pub(super) async fn reopen(&self, filter: &Filter, replay: bool) -> Result<u64, StoreError> {
        let mut filter = filter.clone();
        let mut reopened = 0;
        loop {
            let mut exclusive = self.exclusive_and_placed().await?;
            let seqs = exclusive.reopen(&filter, replay).await?;
            exclusive.commit().await?;
            reopened += seqs.len() as u64;
            match seqs.last() {
                Some(last) if seqs.len() as i64 == STEP => filter.after = Some(*last),
                _ => return Ok(reopened),
            }
        }
    }

    pub(super) async fn discard(&self, seq: i64) -> Result<bool, StoreError> {
        let mut exclusive = self.exclusive_and_placed().await?;
        let values = [exclusive.now.into(), seq.into()];
        let rows = exclusive.transaction.fetch(DISCARD, &values).await?;
        if let Some(row) = rows.first() {
            exclusive.promote(row.hash(0)?.as_slice()).await?;
        }
        // Also if there is nothing to discard: entries were placed.
        exclusive.commit().await?;
        Ok(!rows.is_empty())
    }

    pub(super) async fn purge(&self, done: Duration, dead: Duration) -> Result<u64, StoreError> {
        let mut purged = 0;
        // An equal entry may wait for its place.
        self.place_accepted().await?;
        for (state, kept) in [(2_i64, done), (3, dead)] {
            loop {
                let mut exclusive = self.exclusive().await?;
                let until = exclusive.now.saturating_sub(millis(kept));
                let values = [state.into(), until.into(), STEP.into()];
                let rows = exclusive.transaction.fetch(PURGE, &values).await?;
                exclusive.commit().await?;
                purged += rows.len() as u64;
                if (rows.len() as i64) < STEP {
                    break;
                }
            }
        }
        Ok(purged)
    }

    pub(super) async fn remove_portal(&self, member_id: &str) -> Result<u64, StoreError> {
        let mut removed = 0;
        self.place_accepted().await?;
        loop {
            let mut exclusive = self.exclusive().await?;
            let values = [member_id.into(), STEP.into()];
            let rows = exclusive.transaction.fetch(REMOVE, &values).await?;
            let mut lanes = Vec::new();
            for row in &rows {
                lanes.extend(row.hash(0)?);
            }
            // The step may be the last one, or be followed by a crash, so that each leaves every lane with
            // a head.
            exclusive.promote(&distinct(lanes)).await?;
            exclusive.commit().await?;
            removed += rows.len() as u64;
            if (rows.len() as i64) < STEP {
                return Ok(removed);
            }
        }
    }

    pub(super) async fn stats(&self) -> Result<Stats, StoreError> {
        self.place().await?;
        let now = match D::NOW {
            Some(now) => match self.read(now, &[]).await?.first() {
                Some(row) => row.required(0)?,
                None => 0,
            },
            None => unix_millis(),
        };
        let mut stats = Stats::new();
        for row in &self.read(STATS, &[]).await? {
            let count = u64::try_from(row.required(1)?).unwrap_or_default();
            match row.required(0)? {
                0 => {
                    stats.waiting = count;
                    let age = now.saturating_sub(row.required(2)?);
                    stats.oldest_waiting_ms = Some(u64::try_from(age).unwrap_or_default());
                }
                1 => stats.running = count,
                2 => stats.done = count,
                _ => stats.dead = count,
            }
        }
        if let Some(row) = self.read(BLOCKED, &[]).await?.first() {
            stats.blocked_lanes = u64::try_from(row.required(0)?).unwrap_or_default();
        }
        Ok(stats)
    }
}

impl<D: InboxDialect> Exclusive<D> {
    /// Reopens one step of entries and returns their sequence numbers.
    async fn reopen(&mut self, filter: &Filter, replay: bool) -> Result<Vec<i64>, StoreError> {
        let sql = format!(
            "SELECT seq, lane FROM bitrix24_inbox WHERE {CONDITIONS} AND {REOPENABLE} \
             ORDER BY seq LIMIT $11"
        );
        let replay = i64::from(replay);
        let now = self.now;
        let values = [
            &values(filter)[..],
            &[replay.into(), now.into(), STEP.into()],
        ]
        .concat();
        let rows = self.transaction.fetch(AssertSqlSafe(sql), &values).await?;
        let mut seqs = Vec::new();
        let mut lanes = Vec::new();
        for row in &rows {
            seqs.push(row.required(0)?);
            lanes.extend(row.hash(1)?);
        }
        for chunk in chunks(&seqs, LIST) {
            let statement = Statement::<D>::new("WITH wanted(seq) AS (")
                .rows(chunk.padded().map(|seq| [(*seq).into()]))
                .sql(REOPEN)
                .bind(now)
                .sql(", replayed = CASE WHEN ")
                .bind(replay)
                .sql(" = 1 THEN 1 ELSE replayed END WHERE seq IN (SELECT w.seq FROM wanted w)");
            self.transaction.queue(&statement).await?;
        }
        self.promote(&distinct(lanes)).await?;
        Ok(seqs)
    }
}
