//! Accepts entries. They get their place later.

use super::pack::{FORMAT, pack, weight};
use super::store::{InboxDialect, SqlInbox};
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

const ACCEPT: &str = "INSERT INTO bitrix24_inbox_accepted (received, format, weight, entries) ";

impl<D: InboxDialect> SqlInbox<D> {
    /// Stores the entries in one value. A row for each would change a page of three indexes for nearly
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
        let mut exclusive = self.exclusive().await?;
        for entries in split(entries) {
            let pack = pack(entries);
            let row = [
                exclusive.now.into(),
                FORMAT.into(),
                weight(entries, &pack).into(),
                Value::from(Some(&pack[..])),
            ];
            let statement = Statement::<D>::new(ACCEPT).rows([row]);
            exclusive.transaction.queue(&statement).await?;
        }
        exclusive.commit().await?;
        Ok(vec![Accepted::Stored; entries.len()])
    }
}

/// Splits entries into those of each pack.
fn split(mut entries: &[Entry]) -> impl Iterator<Item = &[Entry]> {
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
