//! Takes accepted entries out of their packs, those of the portals in turn.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::pack::{FORMAT, pack, unpack, weight};
use super::place::Received;
use super::row::{Columns, LIST, chunks};
use super::store::{Exclusive, InboxDialect, SqlInbox};
use crate::inbox::entry::Entry;
use crate::sql::StoreError;
use crate::sql::dialect::Value;
use crate::sql::pool::within;
use crate::sql::statement::Statement;
use crate::telemetry;

/// A transaction places packs until they weigh so much, so that receivers wait briefly.
const STEP: i64 = 512;

/// The number of portals that one transaction places packs of.
const PORTALS: usize = 16;

/// The sequence numbers from one pack to the next. The parts of a pack that is divided have those between.
const SPACING: i64 = 1024;

/// A pack of either table.
const HAS_PACKS: &str = "SELECT seq FROM bitrix24_inbox_accepted WHERE format <= $1 \
    UNION ALL SELECT seq FROM bitrix24_inbox_backlog WHERE format <= $1 LIMIT 1";

/// The first and the last pack. SQLite would scan for both ends in one select.
const ENDS: &str = "SELECT min(first), max(last) FROM ( \
    SELECT (SELECT min(seq) FROM bitrix24_inbox_accepted WHERE format <= $1) AS first, \
        (SELECT max(seq) FROM bitrix24_inbox_accepted WHERE format <= $1) AS last \
    UNION ALL \
    SELECT (SELECT min(seq) FROM bitrix24_inbox_backlog WHERE format <= $1), \
        (SELECT max(seq) FROM bitrix24_inbox_backlog WHERE format <= $1)) packs";

/// The first pack of several portals.
const FIRST_SHARED: &str = "SELECT min(seq) FROM bitrix24_inbox_accepted WHERE format <= $1";

/// Portals with packs that are kept apart, from `$1` on. Each step reads one row of the index, however many
/// packs the portal has.
const APART: &str = "WITH RECURSIVE portals(member_id, n) AS ( \
        SELECT (SELECT b.member_id FROM bitrix24_inbox_backlog b \
                WHERE b.member_id >= $1 ORDER BY b.member_id LIMIT 1), 1 \
        UNION ALL \
        SELECT (SELECT b.member_id FROM bitrix24_inbox_backlog b \
                WHERE b.member_id > p.member_id ORDER BY b.member_id LIMIT 1), p.n + 1 \
        FROM portals p WHERE p.member_id IS NOT NULL AND p.n < 16) \
    SELECT member_id FROM portals WHERE member_id IS NOT NULL";

/// Selects the portals of a table `wanted` with the sequence number of the first pack that is kept apart,
/// or none. The greatest format follows.
const FIRST_APART: &str = "SELECT w.member_id, (SELECT b.seq FROM bitrix24_inbox_backlog b \
        WHERE b.member_id = w.member_id AND b.format <= ";

const FROM_WANTED: &str = " ORDER BY b.seq LIMIT 1) FROM wanted w";

const INSERT_APART: &str = "INSERT INTO bitrix24_inbox_backlog \
    (seq, member_id, received, format, weight, entries) ";

/// Keeps a pack that no program can read from the others' way: no format is greater.
const SET_ASIDE: &str = " SET format = 9223372036854775807 WHERE seq = ";

/// The packs that a transaction takes out.
struct Selection<'a> {
    /// `None` for those of several portals.
    portal: Option<&'a str>,
    /// They have lower sequence numbers.
    before: i64,
    /// They are taken until they weigh so much, the first one in any case. At most [`STEP`].
    weight: i64,
}

struct Pack {
    seq: i64,
    /// Unix milliseconds.
    received: i64,
    weight: i64,
    entries: Vec<Entry>,
}

/// The entries of one portal in a pack of several.
struct Divided {
    seq: i64,
    portal: String,
    received: i64,
    weight: i64,
    entries: Vec<u8>,
}

impl<D: InboxDialect> SqlInbox<D> {
    fn lock_turn(&self) -> MutexGuard<'_, String> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a transaction in which every accepted entry has its place. After a long backlog a quarter of
    /// the call's time may not suffice; then [`Exclusive::has_packs`] is set, and the next call goes on.
    pub(super) async fn exclusive_and_placed(&self) -> Result<Exclusive<D>, StoreError> {
        self.placed_within(self.call_timeout / 4).await
    }

    /// The same within another time, if that is less. Packs of several portals and those that are kept
    /// apart get their place alternately, so that no portal waits for the backlog of one that crowds
    /// the calls.
    pub(super) async fn placed_within(&self, time: Duration) -> Result<Exclusive<D>, StoreError> {
        let until = Instant::now() + time.min(self.call_timeout / 4);
        loop {
            let mut exclusive = self.exclusive().await?;
            let (is_shared, is_apart) = exclusive.place_shared().await?;
            if is_shared && is_apart {
                exclusive.commit().await?;
                exclusive = self.exclusive().await?;
            }
            if is_apart {
                let from = self.lock_turn().clone();
                let next = exclusive.place_apart(&from).await?;
                *self.lock_turn() = next;
            }
            exclusive.has_packs = is_shared || is_apart;
            if !exclusive.has_packs || Instant::now() >= until {
                return Ok(exclusive);
            }
            exclusive.commit().await?;
        }
    }

    /// Places what was accepted before the call, however long that takes.
    pub(super) async fn place_accepted(&self) -> Result<(), StoreError> {
        let mut newest = None;
        loop {
            let mut exclusive = self.exclusive_and_placed().await?;
            let ends = exclusive.transaction.fetch(ENDS, &[FORMAT.into()]).await?;
            exclusive.commit().await?;
            let Some(row) = ends.first() else {
                return Ok(());
            };
            let (Some(first), Some(last)) = (row.number(0)?, row.number(1)?) else {
                return Ok(());
            };
            if first / SPACING > *newest.get_or_insert(last) / SPACING {
                return Ok(());
            }
        }
    }

    /// Places what a call is about to show. If that fails or takes too long, as on a full disk, the call
    /// does not show it.
    pub(super) async fn place(&self) -> Result<(), StoreError> {
        if self.read(HAS_PACKS, &[FORMAT.into()]).await?.is_empty() {
            return Ok(());
        }
        let place = async {
            let exclusive = self.exclusive_and_placed().await?;
            exclusive.commit().await
        };
        if let Err(error) = within(Some(self.call_timeout / 2), place).await {
            telemetry::inbox::not_placed(&error);
        }
        Ok(())
    }
}

impl<D: InboxDialect> Exclusive<D> {
    /// Places the first packs of several portals. Entries of a portal with older packs that are kept apart
    /// come behind those. Returns `true` if there may be more packs of several, and if some are apart.
    async fn place_shared(&mut self) -> Result<(bool, bool), StoreError> {
        let shared = Selection {
            portal: None,
            before: i64::MAX,
            weight: STEP,
        };
        let (mut packs, is_apart) = self.take_packs(&shared).await?;
        if is_apart {
            self.keep_apart(&mut packs).await?;
        }
        let is_shared = self.place_packs(&packs).await? >= STEP;
        Ok((is_shared, is_apart))
    }

    /// Keeps entries of these packs apart if older ones of their portals are.
    async fn keep_apart(&mut self, packs: &mut [Pack]) -> Result<(), StoreError> {
        let entries = packs.iter().flat_map(|pack| &pack.entries);
        let portals: BTreeSet<&str> = entries.map(|entry| &*entry.member_id).collect();
        let portals: Vec<&str> = portals.into_iter().collect();
        let mut first = HashMap::new();
        for chunk in chunks(&portals, LIST) {
            let statement = Statement::<D>::new("WITH wanted(member_id) AS (")
                .rows(chunk.padded().map(|portal| [(*portal).into()]))
                .sql(") ")
                .sql(FIRST_APART)
                .bind(FORMAT)
                .sql(FROM_WANTED);
            for row in &self.transaction.fetch_statement(&statement).await? {
                if let (Some(portal), Some(seq)) = (row.text(0)?, row.number(1)?) {
                    first.insert(portal, seq);
                }
            }
        }
        let is_behind = |entry: &Entry, seq| {
            first
                .get(&entry.member_id)
                .is_some_and(|first| *first < seq)
        };
        let mut divided = Vec::new();
        for taken in packs {
            let entries = std::mem::take(&mut taken.entries).into_iter();
            let (behind, entries): (Vec<Entry>, Vec<Entry>) =
                entries.partition(|entry| is_behind(entry, taken.seq));
            taken.entries = entries;
            let mut portals = BTreeMap::<&str, Vec<&Entry>>::new();
            for entry in &behind {
                portals.entry(&entry.member_id).or_default().push(entry);
            }
            for (seq, (portal, entries)) in (taken.seq + 1..).zip(portals) {
                let packed = pack(&entries);
                divided.push(Divided {
                    seq,
                    portal: portal.to_owned(),
                    received: taken.received,
                    weight: weight(&entries, &packed),
                    entries: packed,
                });
            }
        }
        for chunk in divided.chunks(LIST) {
            let rows = chunk.iter().map(|divided| {
                [
                    Value::from(divided.seq),
                    divided.portal.as_str().into(),
                    divided.received.into(),
                    FORMAT.into(),
                    divided.weight.into(),
                    Some(&divided.entries[..]).into(),
                ]
            });
            let statement = Statement::<D>::new(INSERT_APART).rows(rows);
            self.transaction.queue(&statement).await?;
        }
        Ok(())
    }

    /// Places packs that are kept apart, of portals from this one on. Returns the next one.
    async fn place_apart(&mut self, from: &str) -> Result<String, StoreError> {
        // An older pack of several portals may have entries of theirs.
        let shared = self
            .transaction
            .fetch(FIRST_SHARED, &[FORMAT.into()])
            .await?;
        let shared = shared.first().map(|row| row.number(0)).transpose()?;
        let before = shared.flatten().unwrap_or(i64::MAX);
        let mut portals = self.transaction.fetch(APART, &[from.into()]).await?;
        if portals.is_empty() {
            portals = self.transaction.fetch(APART, &["".into()]).await?;
        }
        let mut portals_left = portals.len();
        let mut left = STEP;
        for row in &portals {
            let portal = row.text(0)?.unwrap_or_default();
            let share = left / i64::try_from(portals_left).unwrap_or(STEP);
            let apart = Selection {
                portal: Some(&portal),
                before,
                weight: share.max(1),
            };
            let (packs, _) = self.take_packs(&apart).await?;
            left -= self.place_packs(&packs).await?;
            portals_left -= 1;
            if left <= 0 || (portals_left == 0 && portals.len() == PORTALS) {
                // No text between the two can be stored, since it would have a NUL.
                return Ok(format!("{portal}\u{1}"));
            }
        }
        Ok(String::new())
    }

    /// Takes packs out, the oldest first, and returns `true` with those of several portals if others are
    /// kept apart.
    async fn take_packs(
        &mut self,
        selection: &Selection<'_>,
    ) -> Result<(Vec<Pack>, bool), StoreError> {
        let table = match selection.portal {
            Some(_) => "bitrix24_inbox_backlog",
            None => "bitrix24_inbox_accepted",
        };
        let mut select = Statement::<D>::new(
            "WITH packs(seq, before) AS MATERIALIZED ( \
                SELECT seq, CAST(sum(weight) OVER (ORDER BY seq) - weight AS bigint) \
                FROM (SELECT seq, weight FROM ",
        );
        select = select.sql(table).sql(" WHERE format <= ").bind(FORMAT);
        select = select.sql(" AND seq < ").bind(selection.before);
        if let Some(portal) = selection.portal {
            select = select.sql(" AND member_id = ").bind(portal);
        }
        select = select.sql(
            " ORDER BY seq LIMIT 512) oldest) \
            SELECT t.seq, t.received, t.weight, t.entries FROM packs p CROSS JOIN ",
        );
        select = select
            .sql(table)
            .sql(" t WHERE t.seq = p.seq AND p.before < ");
        select = select.bind(selection.weight);
        if selection.portal.is_none() {
            select = select.sql(
                " UNION ALL SELECT -1, 0, 0, NULL \
                WHERE EXISTS (SELECT 1 FROM bitrix24_inbox_backlog WHERE format <= ",
            );
            select = select.bind(FORMAT).sql(")");
        }
        let mut packs = Vec::new();
        let mut is_apart = false;
        for row in &self.transaction.fetch_statement(&select).await? {
            let (seq, received, weight) = (row.required(0)?, row.required(1)?, row.required(2)?);
            let Some(bytes) = row.bytes(3)? else {
                is_apart = true;
                continue;
            };
            let entries = match unpack(bytes.into()) {
                Some(entries) => entries,
                None => {
                    telemetry::inbox::unreadable(table, seq);
                    let set_aside = Statement::<D>::new("UPDATE ").sql(table).sql(SET_ASIDE);
                    self.transaction.queue(&set_aside.bind(seq)).await?;
                    Vec::new()
                }
            };
            packs.push(Pack {
                seq,
                received,
                weight,
                entries,
            });
        }
        packs.sort_unstable_by_key(|pack| pack.seq);
        if let Some(last) = packs.last() {
            let mut delete = Statement::<D>::new("DELETE FROM ").sql(table);
            delete = delete.sql(" WHERE format <= ").bind(FORMAT);
            delete = delete.sql(" AND seq <= ").bind(last.seq);
            if let Some(portal) = selection.portal {
                delete = delete.sql(" AND member_id = ").bind(portal);
            }
            self.transaction.queue(&delete).await?;
        }
        Ok((packs, is_apart))
    }

    /// Places the entries of packs. Returns the weight of the packs.
    async fn place_packs(&mut self, packs: &[Pack]) -> Result<i64, StoreError> {
        let received = packs.iter().flat_map(|pack| {
            let entries = pack.entries.iter();
            entries.map(|entry| Received {
                entry,
                at: pack.received,
            })
        });
        let received: Vec<Received<'_>> = received.collect();
        if !received.is_empty() {
            self.place_entries(&received).await?;
        }
        Ok(packs.iter().map(|pack| pack.weight).sum())
    }
}
