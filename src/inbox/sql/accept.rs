//! Accepts entries. They get their place later.

use std::collections::{BTreeMap, HashMap};

use super::pack::{FORMAT, pack, weight};
use super::store::{Exclusive, InboxDialect, SqlInbox};
use crate::inbox::entry::Entry;
use crate::inbox::store::Accepted;
use crate::sql::StoreError;
use crate::sql::dialect::Value;
use crate::sql::statement::Statement;

/// The largest number of entries of a pack.
const MAX_LEN: usize = 256;

/// The largest size of the bodies of a pack with several entries. A transaction that places entries has
/// whole packs, and must end in time also on a slow disk.
const MAX_BYTES: usize = 1024 * 1024;

/// The next sequence number of both tables. A pack that is divided leaves its parts behind it.
const NEXT: &str = "(SELECT COALESCE(max(last), 0) / 1024 * 1024 + 1024 FROM ( \
    SELECT max(seq) AS last FROM bitrix24_inbox_accepted \
    UNION ALL SELECT max(seq) FROM bitrix24_inbox_backlog) packs)";

const INTO_ACCEPTED: &str =
    " INTO bitrix24_inbox_accepted (seq, received, format, weight, entries) ";

/// Inserts the rows of a table `added` from the sequence number of a table `next` on, if a condition
/// holds.
const SHARE: &str = "SELECT n.seq + 1024 * a.number, a.received, a.format, a.weight, a.entries \
    FROM added a CROSS JOIN next n WHERE ";

/// The same, apart from the packs of several portals.
const KEEP_APART: &str = " INTO bitrix24_inbox_backlog \
        (seq, member_id, received, format, weight, entries) \
    SELECT n.seq + 1024 * a.number, a.member_id, a.received, a.format, a.weight, a.entries \
    FROM added a CROSS JOIN next n WHERE ";

/// Eight packs or more wait, by their sequence numbers.
const HAS_BACKLOG: &str = "(EXISTS (SELECT 1 FROM bitrix24_inbox_backlog) \
    OR COALESCE((SELECT max(seq) FROM bitrix24_inbox_accepted) \
        - (SELECT min(seq) FROM bitrix24_inbox_accepted), 0) > 7 * 1024)";

/// A pack of one portal, or of several.
struct Packed<'e> {
    portal: &'e str,
    weight: i64,
    entries: Vec<u8>,
}

fn packed<'e>(portal: &'e str, entries: &[&Entry]) -> Vec<Packed<'e>> {
    let packed = split(entries).map(|entries| {
        let pack = pack(entries);
        Packed {
            portal,
            weight: weight(entries, &pack),
            entries: pack,
        }
    });
    packed.collect()
}

impl<D: InboxDialect> SqlInbox<D> {
    /// Stores many entries in one value. A row for each would change a page of three indexes for nearly
    /// every entry, and the senders would wait until those are written.
    pub(super) async fn accept(&self, entries: &[Entry]) -> Result<Vec<Accepted>, StoreError> {
        if entries.is_empty() {
            return Ok(Vec::new());
        }
        if !entries.iter().all(is_storable) {
            return Err(StoreError::query(
                "a text of an entry has a NUL or more than 1 KiB: databases cannot hold or index it",
            ));
        }
        let all: Vec<&Entry> = entries.iter().collect();
        let mut exclusive = self.exclusive().await?;
        let portals = crowding(entries);
        if portals.is_empty() {
            exclusive.share(&all).await?;
        } else {
            exclusive.share_or_keep_apart(&all, &portals).await?;
        }
        exclusive.commit().await?;
        Ok(vec![Accepted::Stored; entries.len()])
    }
}

/// Returns the portals that can fill packs of a call, with their entries: one that has more than half of
/// the call, and those with a tenth of it. More packs of fewer entries would not be worth their rows.
fn crowding(entries: &[Entry]) -> BTreeMap<&str, Vec<&Entry>> {
    let mut counts = HashMap::<&str, usize>::new();
    for entry in entries {
        *counts.entry(&entry.member_id).or_default() += 1;
    }
    let all = entries.len();
    counts.retain(|_, count| *count * 2 > all || (*count >= 8 && *count * 10 >= all));
    let mut crowding = BTreeMap::<&str, Vec<&Entry>>::new();
    for entry in entries {
        if counts.contains_key(&*entry.member_id) {
            crowding.entry(&entry.member_id).or_default().push(entry);
        }
    }
    crowding
}

impl<D: InboxDialect> Exclusive<D> {
    /// Stores the entries in packs of several portals.
    async fn share(&mut self, entries: &[&Entry]) -> Result<(), StoreError> {
        for pack in packed("", entries) {
            // Not as below: SQLite would copy the pack to a temporary table.
            let statement = Statement::<D>::new("INSERT")
                .sql(INTO_ACCEPTED)
                .sql("VALUES (")
                .sql(NEXT)
                .sql(", ")
                .bind(self.now)
                .sql(", ")
                .bind(FORMAT)
                .sql(", ")
                .bind(pack.weight)
                .sql(", ")
                .bind(Some(&pack.entries[..]))
                .sql(")");
            self.transaction.queue(&statement).await?;
        }
        Ok(())
    }

    /// Stores the entries of these portals apart from the others if there is a backlog. Then no other
    /// portal waits until they have their place.
    ///
    /// No insert changes the condition, so that either the first two insert or the last one does.
    async fn share_or_keep_apart(
        &mut self,
        all: &[&Entry],
        portals: &BTreeMap<&str, Vec<&Entry>>,
    ) -> Result<(), StoreError> {
        let apart = portals.iter();
        let apart = apart.flat_map(|(portal, entries)| packed(portal, entries));
        let apart: Vec<Packed<'_>> = apart.collect();
        let others = all.iter().copied();
        let others = others.filter(|entry| !portals.contains_key(&*entry.member_id));
        let others: Vec<&Entry> = others.collect();
        let shared = [INTO_ACCEPTED, SHARE].concat();
        self.insert_if("", &apart, KEEP_APART).await?;
        self.insert_if("", &packed("", &others), &shared).await?;
        if others.is_empty() && portals.len() == 1 {
            return self.insert_if("NOT ", &apart, &shared).await;
        }
        self.insert_if("NOT ", &packed("", all), &shared).await
    }

    async fn insert_if(
        &mut self,
        not: &str,
        packs: &[Packed<'_>],
        into: &str,
    ) -> Result<(), StoreError> {
        if packs.is_empty() {
            return Ok(());
        }
        let rows = packs.iter().zip(0_i64..).map(|(pack, number)| {
            [
                Value::from(number),
                pack.portal.into(),
                self.now.into(),
                FORMAT.into(),
                pack.weight.into(),
                Some(&pack.entries[..]).into(),
            ]
        });
        let statement = Statement::<D>::new("WITH next(seq) AS MATERIALIZED ")
            .sql(NEXT)
            .sql(", added(number, member_id, received, format, weight, entries) AS (")
            .rows(rows)
            .sql(") INSERT")
            .sql(into)
            .sql(not)
            .sql(HAS_BACKLOG);
        self.transaction.queue(&statement).await
    }
}

/// Splits entries into those of each pack.
fn split<'a, 'e>(mut entries: &'a [&'e Entry]) -> impl Iterator<Item = &'a [&'e Entry]> {
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let fitting = entries.iter().take(MAX_LEN).take_while(|entry| {
            bytes += entry.body.len();
            bytes <= MAX_BYTES
        });
        // A larger entry has a pack of its own.
        let len = fitting.count().max(1).min(entries.len());
        let (pack, rest) = entries.split_at(len);
        entries = rest;
        Some(pack).filter(|pack| !pack.is_empty())
    })
}

/// Returns `true` if the entry can get a row. What a pack holds, and no row can, would be in the way of
/// all that were accepted after it.
fn is_storable(entry: &Entry) -> bool {
    let texts = [&entry.member_id, &entry.code, &entry.subject];
    texts
        .iter()
        .all(|text| text.len() <= 1024 && !text.contains('\0'))
}
