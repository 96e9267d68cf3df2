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
        let packs: Vec<_> = entries
            .chunks(MAX_LEN)
            .map(|entries| {
                let pack = pack(entries);
                (weight(entries, &pack), pack)
            })
            .collect();
        let rows = packs.iter().map(|(weight, pack)| {
            [
                exclusive.now.into(),
                FORMAT.into(),
                (*weight).into(),
                Value::from(Some(&pack[..])),
            ]
        });
        let statement = Statement::<D>::new(ACCEPT).rows(rows);
        exclusive.transaction.queue(&statement).await?;
        exclusive.commit().await?;
        Ok(vec![Accepted::Stored; entries.len()])
    }
}

/// Returns `true` if the entry can get a row. What a pack holds, and no row can, would be in the way of
/// all that were accepted after it.
fn is_storable(entry: &Entry) -> bool {
    let texts = [&entry.member_id, &entry.code, &entry.subject];
    texts
        .iter()
        .all(|text| text.len() <= 1024 && !text.contains('\0'))
}
