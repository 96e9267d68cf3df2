//! Stores entries.

use std::collections::{HashMap, HashSet};

use sqlx::AssertSqlSafe;

use super::row::{Chunk, Columns, LIST, chunks, placeholders};
use super::store::{Exclusive, InboxDialect, SqlInbox, distinct};
use crate::inbox::entry::Entry;
use crate::inbox::store::Accepted;
use crate::sql::StoreError;
use crate::sql::dialect::Value;

/// Replaces the last entry of the lane, if it waits, was never tried and has the merge key. The code
/// is part of what the body is sealed with, and may be written differently.
const MERGE: &str = "UPDATE bitrix24_inbox \
    SET key = $1, code = $2, subject = $3, ts = $4, received = $5, merged = merged + 1, \
        format = $6, key_id = $7, body = $8 \
    WHERE seq = (SELECT l.seq FROM bitrix24_inbox l \
                 WHERE l.lane = $9 AND l.state < 2 ORDER BY l.seq DESC LIMIT 1) \
    AND state = 0 AND attempts = 0 AND merge_key = $10 RETURNING seq";

const COLUMNS: &str = "key, lane, merge_key, once, member_id, code, subject, handler_id, ts, \
    first_received, received, due, head, format, key_id, body, merged";

/// The largest number of entries that one statement inserts. SQLite looks each placeholder up among
/// all others.
const ROWS: usize = 32;

/// The keys and lanes of a call that the database has already.
#[derive(Default)]
struct Present {
    /// The keys of entries that wait untried, with their sequence numbers.
    untried: HashMap<[u8; 32], i64>,
    once: HashSet<[u8; 32]>,
    /// The lanes whose last entry waits untried, with its merge key.
    mergeable: HashMap<[u8; 32], [u8; 32]>,
}

impl Present {
    fn has(&self, entry: &Entry) -> bool {
        let key = entry.key.as_bytes();
        self.untried.contains_key(key) || (entry.once && self.once.contains(key))
    }

    /// An entry was merged into the one with this sequence number.
    fn merged(&mut self, entry: &Entry, seq: i64) {
        self.untried.retain(|_, other| *other != seq);
        self.untried.insert(*entry.key.as_bytes(), seq);
    }
}

/// An entry of the call that is not in the database yet.
struct New<'a> {
    entry: &'a Entry,
    /// The places in the call of the entries that were merged into it, the last being `entry`, after
    /// that of the one that came first.
    places: Vec<usize>,
}

impl<D: InboxDialect> SqlInbox<D> {
    pub(super) async fn accept(&self, entries: &[Entry]) -> Result<Vec<Accepted>, StoreError> {
        if entries.is_empty() {
            return Ok(Vec::new());
        }
        let mut exclusive = self.exclusive().await?;
        let mut present = exclusive.present(entries).await?;
        let mut outcomes = vec![Accepted::Duplicate; entries.len()];
        // Those of a lane in the order of the call, so that a merge sees what comes before it.
        let mut new: Vec<New<'_>> = Vec::with_capacity(entries.len());
        let mut last_of_lane = HashMap::new();
        let mut keys = HashSet::new();
        for (place, entry) in entries.iter().enumerate() {
            // Its outcome is that of a duplicate already.
            if keys.contains(&entry.key) || present.has(entry) {
                continue;
            }
            if let (Some(lane), Some(merge)) = (entry.lane, entry.merge) {
                if let Some(&last) = last_of_lane.get(&lane) {
                    let last: &mut New<'_> = &mut new[last];
                    if last.entry.merge == Some(merge) {
                        keys.remove(&last.entry.key);
                        keys.insert(entry.key);
                        last.entry = entry;
                        last.places.push(place);
                        continue;
                    }
                } else if present.mergeable.get(&lane) == Some(&merge) {
                    if let Some(seq) = exclusive.merge(entry).await? {
                        present.merged(entry, seq);
                        outcomes[place] = Accepted::Merged;
                        continue;
                    }
                }
            }
            if let Some(lane) = entry.lane {
                last_of_lane.insert(lane, new.len());
            }
            keys.insert(entry.key);
            new.push(New {
                entry,
                places: vec![place],
            });
        }
        for chunk in chunks(&new, ROWS) {
            exclusive.insert(&chunk).await?;
        }
        for New { places, .. } in &new {
            outcomes[places[0]] = Accepted::Stored;
            for place in &places[1..] {
                outcomes[*place] = Accepted::Merged;
            }
        }
        let lanes = new.iter().filter_map(|new| new.entry.lane).collect();
        exclusive.promote(&distinct(lanes)).await?;
        if outcomes
            .iter()
            .all(|outcome| *outcome == Accepted::Duplicate)
        {
            exclusive.sync().await?;
        }
        exclusive.commit().await?;
        Ok(outcomes)
    }
}

impl<D: InboxDialect> Exclusive<D> {
    async fn present(&mut self, entries: &[Entry]) -> Result<Present, StoreError> {
        let mut present = Present::default();
        for chunk in chunks(entries, LIST) {
            let sql = format!(
                "WITH wanted(key) AS (VALUES {}) \
                 SELECT d.key, d.seq, CAST(0 AS bigint) FROM wanted w JOIN bitrix24_inbox d ON d.key = w.key \
                 WHERE d.state = 0 AND d.attempts = 0 \
                 UNION ALL \
                 SELECT d.key, d.seq, d.once FROM wanted w JOIN bitrix24_inbox d ON d.key = w.key \
                 WHERE d.once = 1",
                placeholders(0, chunk.len, 1)
            );
            let keys = chunk.padded().map(|entry| &entry.key.as_bytes()[..]);
            let values: Vec<Value<'_>> = keys.map(|key| Some(key).into()).collect();
            for row in &self.transaction.fetch(AssertSqlSafe(sql), &values).await? {
                let Some(key) = row.hash(0)? else { continue };
                match row.required(2)? {
                    0 => {
                        present.untried.insert(key, row.required(1)?);
                    }
                    _ => {
                        present.once.insert(key);
                    }
                }
            }
        }
        let merging = entries.iter().filter(|entry| entry.merge.is_some());
        let lanes = distinct(merging.filter_map(|entry| entry.lane).collect());
        for chunk in chunks(&lanes, LIST) {
            let sql = format!(
                "WITH wanted(lane) AS (VALUES {}) \
                 SELECT a.lane, a.merge_key FROM wanted w JOIN bitrix24_inbox a ON a.seq = ( \
                     SELECT l.seq FROM bitrix24_inbox l \
                     WHERE l.lane = w.lane AND l.state < 2 ORDER BY l.seq DESC LIMIT 1) \
                 WHERE a.state = 0 AND a.attempts = 0 AND a.merge_key IS NOT NULL",
                placeholders(0, chunk.len, 1)
            );
            let lanes = chunk.padded().map(|lane| &lane[..]);
            let values: Vec<Value<'_>> = lanes.map(|lane| Some(lane).into()).collect();
            for row in &self.transaction.fetch(AssertSqlSafe(sql), &values).await? {
                if let (Some(lane), Some(merge)) = (row.hash(0)?, row.hash(1)?) {
                    present.mergeable.insert(lane, merge);
                }
            }
        }
        Ok(present)
    }

    /// Makes the commit wait for the disk although nothing changes: the entries that are there already
    /// may be those of a commit that failed to reach it.
    async fn sync(&mut self) -> Result<(), StoreError> {
        match D::WRITE {
            Some(write) => self.transaction.execute(write, &[]).await.map(drop),
            None => Ok(()),
        }
    }

    /// Returns the sequence number of the entry that it was merged into.
    async fn merge(&mut self, entry: &Entry) -> Result<Option<i64>, StoreError> {
        let values = [
            Some(&entry.key.as_bytes()[..]).into(),
            entry.code.as_str().into(),
            entry.subject.as_str().into(),
            entry.timestamp.into(),
            self.now.into(),
            entry.format.into(),
            entry.key_id.into(),
            Some(&entry.body[..]).into(),
            entry.lane.as_ref().map(|lane| &lane[..]).into(),
            entry.merge.as_ref().map(|merge| &merge[..]).into(),
        ];
        let merged = self.transaction.fetch(MERGE, &values).await?;
        merged.first().map(|row| row.required(0)).transpose()
    }

    /// Inserts entries that are [no duplicates](Present::has).
    async fn insert(&mut self, chunk: &Chunk<'_, New<'_>>) -> Result<(), StoreError> {
        const VALUES: usize = 14;
        let rows = (0..chunk.len).map(|row| {
            let at = |column: usize| format!("${}", 2 + row * VALUES + column);
            let before: Vec<_> = (0..9).map(at).collect();
            let after: Vec<_> = (9..VALUES).map(at).collect();
            format!("({}, $1, $1, $1, {})", before.join(", "), after.join(", "))
        });
        // In order, so that the sequence numbers are those of the call. The conflicts are those of the
        // repetitions with the last entry.
        let sql = format!(
            "INSERT INTO bitrix24_inbox ({COLUMNS}) VALUES {} ON CONFLICT DO NOTHING",
            rows.collect::<Vec<_>>().join(", ")
        );
        let mut values: Vec<Value<'_>> = vec![self.now.into()];
        for New { entry, places } in chunk.padded() {
            // Those of the call that were merged into it before it was stored.
            let merged = i64::try_from(places.len() - 1).unwrap_or(i64::MAX);
            values.extend([
                Value::from(Some(&entry.key.as_bytes()[..])),
                entry.lane.as_ref().map(|lane| &lane[..]).into(),
                entry.merge.as_ref().map(|merge| &merge[..]).into(),
                i64::from(entry.once).into(),
                entry.member_id.as_str().into(),
                entry.code.as_str().into(),
                entry.subject.as_str().into(),
                entry.handler_id.into(),
                entry.timestamp.into(),
                i64::from(entry.lane.is_none()).into(),
                entry.format.into(),
                entry.key_id.into(),
                Some(&entry.body[..]).into(),
                merged.into(),
            ]);
        }
        let inserted = self
            .transaction
            .execute(AssertSqlSafe(sql), &values)
            .await?;
        if inserted != chunk.items.len() as u64 {
            return Err(StoreError::query(
                "an entry conflicts with one that was not there before",
            ));
        }
        Ok(())
    }
}
