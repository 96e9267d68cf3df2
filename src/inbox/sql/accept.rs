//! Stores entries.

use std::collections::{HashMap, HashSet};

use super::row::{Chunk, Columns, LIST, chunks};
use super::store::{Exclusive, InboxDialect, SqlInbox, distinct};
use crate::inbox::entry::Entry;
use crate::inbox::store::Accepted;
use crate::sql::StoreError;
use crate::sql::dialect::Value;
use crate::sql::statement::Statement;

/// Replaces the last entry of the lane, if it waits, was never tried and has the merge key. The code
/// is part of what the body is sealed with, and may be written differently.
const MERGE: &str = "UPDATE bitrix24_inbox \
    SET key = $1, code = $2, subject = $3, ts = $4, received = $5, merged = merged + 1, \
        format = $6, key_id = $7, body = $8 \
    WHERE seq = (SELECT max(e.seq) FROM ( \
        SELECT h.seq FROM bitrix24_inbox h WHERE h.lane = $9 AND h.head = 1 \
        UNION ALL \
        SELECT max(b.seq) FROM bitrix24_inbox b \
        WHERE b.lane = $9 AND b.head = 0 AND b.finished IS NULL) e) \
    AND state = 0 AND attempts = 0 AND merge_key = $10 RETURNING seq";

/// Selects by a table `wanted`: the head of each lane with the merge key of its last entry, the entries
/// of the same lane and key that wait untried, and those that are sent once.
///
/// The subqueries read one row of an index each, however long a lane is. SQLite never changes the order
/// of a cross join: otherwise it scans all that wait for the few that are wanted.
const PRESENT: &str = "ends(lane, key, head, last) AS MATERIALIZED ( \
        SELECT w.lane, w.key, \
            (SELECT h.seq FROM bitrix24_inbox h WHERE h.lane = w.lane AND h.head = 1), \
            (SELECT max(b.seq) FROM bitrix24_inbox b \
             WHERE b.lane = w.lane AND b.head = 0 AND b.finished IS NULL) \
        FROM wanted w WHERE w.lane IS NOT NULL) \
    SELECT e.lane, e.head, CASE WHEN a.state = 0 AND a.attempts = 0 THEN a.merge_key END, \
        CAST(0 AS bigint) \
    FROM ends e CROSS JOIN bitrix24_inbox a \
    WHERE a.seq = CASE WHEN e.last IS NULL OR e.head > e.last THEN e.head ELSE e.last END \
    UNION ALL \
    SELECT d.key, d.seq, NULL, 1 FROM ends e CROSS JOIN bitrix24_inbox d \
    WHERE d.seq = e.head AND d.key = e.key AND d.state = 0 AND d.attempts = 0 \
    UNION ALL \
    SELECT d.key, d.seq, NULL, 1 FROM ends e CROSS JOIN bitrix24_inbox d \
    WHERE e.last IS NOT NULL AND d.lane = e.lane AND d.head = 0 AND d.key = e.key \
    AND d.state = 0 AND d.attempts = 0 \
    UNION ALL \
    SELECT d.key, d.seq, NULL, 1 FROM wanted w CROSS JOIN bitrix24_inbox d \
    WHERE w.lane IS NULL AND d.key = w.key AND d.lane IS NULL AND d.state = 0 AND d.attempts = 0 \
    UNION ALL \
    SELECT d.key, d.seq, NULL, 2 FROM wanted w CROSS JOIN bitrix24_inbox d \
    WHERE w.once = 1 AND d.lane = w.lane AND d.key = w.key AND d.once = 1 \
    UNION ALL \
    SELECT d.key, d.seq, NULL, 2 FROM wanted w CROSS JOIN bitrix24_inbox d \
    WHERE w.once = 1 AND w.lane IS NULL AND d.key = w.key AND d.lane IS NULL AND d.once = 1";

/// Inserts the rows of a table `added`, in their order. It has rows without a key.
const INSERT: &str = " INTO bitrix24_inbox (key, lane, merge_key, once, member_id, code, subject, \
        handler_id, ts, first_received, received, due, head, format, key_id, body, merged) \
    SELECT key, lane, merge_key, once, member_id, code, subject, handler_id, ts, now, now, now, head, \
        format, key_id, body, merged \
    FROM added WHERE key IS NOT NULL";

/// The keys and lanes of a call that the database has already.
#[derive(Default)]
struct Present {
    /// The keys of entries that wait untried, with their sequence numbers.
    untried: HashMap<[u8; 32], i64>,
    once: HashSet<[u8; 32]>,
    /// The lanes with an entry that is waiting or running.
    lanes: HashMap<[u8; 32], Lane>,
}

struct Lane {
    has_head: bool,
    /// The merge key of its last entry, if that waits untried.
    mergeable: Option<[u8; 32]>,
}

impl Present {
    fn has(&self, entry: &Entry) -> bool {
        let key = entry.key.as_bytes();
        self.untried.contains_key(key) || (entry.once && self.once.contains(key))
    }

    fn mergeable(&self, lane: &[u8; 32]) -> Option<[u8; 32]> {
        self.lanes.get(lane).and_then(|lane| lane.mergeable)
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
    /// The entry is the only one of its lane.
    is_head: bool,
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
        let mut headless = Vec::new();
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
                } else if present.mergeable(&lane) == Some(merge) {
                    if let Some(seq) = exclusive.merge(entry).await? {
                        present.merged(entry, seq);
                        outcomes[place] = Accepted::Merged;
                        continue;
                    }
                }
            }
            let mut is_head = true;
            if let Some(lane) = entry.lane {
                let is_first = last_of_lane.insert(lane, new.len()).is_none();
                let present = present.lanes.get(&lane);
                is_head = is_first && present.is_none();
                headless.extend(present.filter(|lane| !lane.has_head).map(|_| lane));
            }
            keys.insert(entry.key);
            new.push(New {
                entry,
                is_head,
                places: vec![place],
            });
        }
        for chunk in chunks(&new, LIST) {
            exclusive.insert(&chunk).await?;
        }
        for New { places, .. } in &new {
            outcomes[places[0]] = Accepted::Stored;
            for place in &places[1..] {
                outcomes[*place] = Accepted::Merged;
            }
        }
        // Another version of the program may leave a lane without a head for a moment.
        exclusive.promote(&distinct(headless)).await?;
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
            let wanted = chunk.padded().map(|entry| {
                [
                    Value::from(Some(&entry.key.as_bytes()[..])),
                    entry.lane.as_ref().map(|lane| &lane[..]).into(),
                    i64::from(entry.once).into(),
                ]
            });
            let statement = Statement::<D>::new("WITH wanted(key, lane, once) AS MATERIALIZED (")
                .rows(wanted)
                .sql("), ")
                .sql(PRESENT);
            for row in &self.transaction.fetch_statement(&statement).await? {
                let Some(hash) = row.hash(0)? else { continue };
                match row.required(3)? {
                    0 => {
                        let lane = Lane {
                            has_head: row.number(1)?.is_some(),
                            mergeable: row.hash(2)?,
                        };
                        present.lanes.insert(hash, lane);
                    }
                    1 => {
                        present.untried.insert(hash, row.required(1)?);
                    }
                    _ => {
                        present.once.insert(hash);
                    }
                }
            }
        }
        Ok(present)
    }

    /// Makes the commit wait for the disk although nothing changes: the entries that are there already
    /// may be those of a commit that failed to reach it.
    async fn sync(&mut self) -> Result<(), StoreError> {
        match D::WRITE {
            Some(write) => self.transaction.queue(&Statement::new(write)).await,
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
        let now = self.now;
        let rows = chunk.padded().enumerate().map(|(row, new)| {
            let entry = new.entry;
            let key = Some(&entry.key.as_bytes()[..]);
            // Those of the call that were merged into it before it was stored.
            let merged = i64::try_from(new.places.len() - 1).unwrap_or(i64::MAX);
            [
                Value::from(key.filter(|_| row < chunk.items.len())),
                entry.lane.as_ref().map(|lane| &lane[..]).into(),
                entry.merge.as_ref().map(|merge| &merge[..]).into(),
                i64::from(entry.once).into(),
                entry.member_id.as_str().into(),
                entry.code.as_str().into(),
                entry.subject.as_str().into(),
                entry.handler_id.into(),
                entry.timestamp.into(),
                now.into(),
                i64::from(new.is_head).into(),
                entry.format.into(),
                entry.key_id.into(),
                Some(&entry.body[..]).into(),
                merged.into(),
            ]
        });
        let new = "WITH added(key, lane, merge_key, once, member_id, code, subject, handler_id, ts, now, \
                   head, format, key_id, body, merged) AS (";
        let statement = Statement::<D>::new(new)
            .rows(rows)
            .sql(") INSERT")
            .sql(D::OR_ROLLBACK)
            .sql(INSERT);
        self.transaction.queue(&statement).await
    }
}
