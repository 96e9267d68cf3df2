//! Gives accepted entries their place: in their lane, in an earlier entry, or none.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::row::{Chunk, Columns, LIST, chunks};
use super::store::{Exclusive, InboxDialect, distinct};
use crate::inbox::entry::Entry;
use crate::sql::StoreError;
use crate::sql::dialect::Value;
use crate::sql::statement::Statement;

/// Replaces entries by those of a table `newer`. The code is part of what the body is sealed with, and
/// may be written differently.
const MERGE: &str = " bitrix24_inbox \
    SET key = n.key, once = n.once, code = n.code, subject = n.subject, ts = n.ts, \
        received = n.received, merged = bitrix24_inbox.merged + n.count, format = n.format, \
        key_id = n.key_id, body = n.body \
    FROM newer n WHERE bitrix24_inbox.seq = n.seq";

/// Selects by a table `wanted`: the last entry of each lane with its merge key, 0, or 3 if the lane has
/// no head; 1 for the entries of the same lane and key that wait untried, and 2 for those that are sent
/// once.
///
/// The subqueries read one row of an index each, however long a lane is. SQLite never changes the order
/// of a cross join: otherwise it scans all that wait for the few that are wanted.
const PRESENT: &str = "ends(lane, key, head, last) AS MATERIALIZED ( \
        SELECT w.lane, w.key, \
            (SELECT h.seq FROM bitrix24_inbox h WHERE h.lane = w.lane AND h.head = 1), \
            (SELECT max(b.seq) FROM bitrix24_inbox b \
             WHERE b.lane = w.lane AND b.head = 0 AND b.finished IS NULL) \
        FROM wanted w WHERE w.lane IS NOT NULL) \
    SELECT e.lane, a.seq, CASE WHEN a.state = 0 AND a.attempts = 0 THEN a.merge_key END, \
        CAST(CASE WHEN e.head IS NULL THEN 3 ELSE 0 END AS bigint) \
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
    SELECT key, lane, merge_key, once, member_id, code, subject, handler_id, ts, first, last, first, \
        head, format, key_id, body, merged \
    FROM added WHERE key IS NOT NULL";

/// An entry with the time of its receipt, in unix milliseconds.
pub(super) struct Received<'a> {
    pub(super) entry: &'a Entry,
    pub(super) at: i64,
}

/// The keys and lanes of a step that the table has already.
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
    /// The sequence number of its last entry.
    last: i64,
    /// The merge key of its last entry, if that waits untried.
    mergeable: Option<[u8; 32]>,
}

impl Present {
    fn has(&self, entry: &Entry) -> bool {
        let key = entry.key.as_bytes();
        self.untried.contains_key(key) || (entry.once && self.once.contains(key))
    }

    /// Returns the sequence number of the entry that one of this lane and merge key replaces.
    fn replaced(&self, lane: &[u8; 32], merge: [u8; 32]) -> Option<i64> {
        let lane = self.lanes.get(lane)?;
        (lane.mergeable == Some(merge)).then_some(lane.last)
    }

    /// An entry was merged into the one with this sequence number.
    fn merged(&mut self, entry: &Entry, seq: i64) {
        self.untried.retain(|_, other| *other != seq);
        self.untried.insert(*entry.key.as_bytes(), seq);
    }
}

/// An entry of the step that gets a row.
struct New<'a> {
    received: &'a Received<'a>,
    /// The time of the first receipt, of the entry that came first if some were merged.
    first: i64,
    merged: i64,
    /// The entry is the only one of its lane.
    is_head: bool,
}

/// The replacement of an entry that has a row.
struct Newer<'a> {
    seq: i64,
    received: &'a Received<'a>,
    merged: i64,
}

impl<D: InboxDialect> Exclusive<D> {
    /// Decides in the order of the receipt, each as if those before it had their place.
    pub(super) async fn place_entries(&mut self, all: &[Received<'_>]) -> Result<(), StoreError> {
        let mut present = self.present(all).await?;
        // Those of a lane in their order, so that a merge sees what comes before it.
        let mut new: Vec<New<'_>> = Vec::with_capacity(all.len());
        let mut newer = BTreeMap::new();
        let mut last_of_lane = HashMap::new();
        let mut headless = Vec::new();
        let mut keys = HashSet::new();
        for received in all {
            let entry = received.entry;
            if keys.contains(&entry.key) || present.has(entry) {
                self.duplicates += 1;
                continue;
            }
            if let (Some(lane), Some(merge)) = (entry.lane, entry.merge) {
                if let Some(&last) = last_of_lane.get(&lane) {
                    let last: &mut New<'_> = &mut new[last];
                    if last.received.entry.merge == Some(merge) {
                        keys.remove(&last.received.entry.key);
                        keys.insert(entry.key);
                        last.received = received;
                        last.merged += 1;
                        self.merged += 1;
                        continue;
                    }
                } else if let Some(seq) = present.replaced(&lane, merge) {
                    present.merged(entry, seq);
                    self.merged += 1;
                    let merged = newer
                        .get(&seq)
                        .map_or(1, |newer: &Newer<'_>| newer.merged + 1);
                    newer.insert(
                        seq,
                        Newer {
                            seq,
                            received,
                            merged,
                        },
                    );
                    continue;
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
                received,
                first: received.at,
                merged: 0,
                is_head,
            });
        }
        let newer: Vec<_> = newer.into_values().collect();
        for chunk in chunks(&newer, LIST) {
            self.merge(&chunk).await?;
        }
        for chunk in chunks(&new, LIST) {
            self.insert(&chunk).await?;
        }
        // Another version of the program may leave a lane without a head for a moment.
        self.promote(&distinct(headless)).await
    }

    async fn present(&mut self, all: &[Received<'_>]) -> Result<Present, StoreError> {
        let mut present = Present::default();
        for chunk in chunks(all, LIST) {
            let wanted = chunk.padded().map(|Received { entry, .. }| {
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
                    kind @ (0 | 3) => {
                        let lane = Lane {
                            has_head: kind == 0,
                            last: row.required(1)?,
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

    /// One statement for many, since each may be a round trip.
    async fn merge(&mut self, chunk: &Chunk<'_, Newer<'_>>) -> Result<(), StoreError> {
        let rows = chunk.padded().map(|newer| {
            let entry = newer.received.entry;
            [
                Value::from(newer.seq),
                Some(&entry.key.as_bytes()[..]).into(),
                i64::from(entry.once).into(),
                entry.code.as_str().into(),
                entry.subject.as_str().into(),
                entry.timestamp.into(),
                newer.received.at.into(),
                entry.format.into(),
                entry.key_id.into(),
                Some(&entry.body[..]).into(),
                newer.merged.into(),
            ]
        });
        let newer = "WITH newer(seq, key, once, code, subject, ts, received, format, key_id, body, count) AS (";
        let statement = Statement::<D>::new(newer)
            .rows(rows)
            .sql(") UPDATE")
            .sql(D::OR_ROLLBACK)
            .sql(MERGE);
        self.transaction.queue(&statement).await
    }

    /// Inserts entries that are [no duplicates](Present::has).
    async fn insert(&mut self, chunk: &Chunk<'_, New<'_>>) -> Result<(), StoreError> {
        let rows = chunk.padded().enumerate().map(|(row, new)| {
            let entry = new.received.entry;
            let key = Some(&entry.key.as_bytes()[..]);
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
                new.first.into(),
                new.received.at.into(),
                i64::from(new.is_head).into(),
                entry.format.into(),
                entry.key_id.into(),
                Some(&entry.body[..]).into(),
                new.merged.into(),
            ]
        });
        let new = "WITH added(key, lane, merge_key, once, member_id, code, subject, handler_id, ts, first, \
                   last, head, format, key_id, body, merged) AS (";
        let statement = Statement::<D>::new(new)
            .rows(rows)
            .sql(") INSERT")
            .sql(D::OR_ROLLBACK)
            .sql(INSERT);
        self.transaction.queue(&statement).await
    }
}
