//! Reads the rows of the table.

use sqlx::{ColumnIndex, Database, Decode, Row, Type};

use crate::event::DedupKey;
use crate::inbox::entry::Entry;
use crate::inbox::store::{Record, State};
use crate::sql::dialect::Value;
use crate::sql::{ResultExt, StoreError};

/// The columns that [`record`] reads, in its order.
pub(super) const COLUMNS: &str = "seq, key, lane, merge_key, once, member_id, code, subject, \
    handler_id, ts, first_received, received, merged, state, head, due, attempts, forgiven, suspect, \
    replayed, error, format, key_id, body, failing_since";

/// The largest number of values in a statement that selects by a list.
pub(super) const LIST: usize = 128;

/// A row whose columns are read by their place.
pub(super) trait Columns {
    fn number(&self, at: usize) -> Result<Option<i64>, StoreError>;
    fn text(&self, at: usize) -> Result<Option<String>, StoreError>;
    fn bytes(&self, at: usize) -> Result<Option<Vec<u8>>, StoreError>;

    fn required(&self, at: usize) -> Result<i64, StoreError> {
        let number = self.number(at)?;
        number.ok_or_else(|| StoreError::query("a column of the inbox is NULL"))
    }

    fn hash(&self, at: usize) -> Result<Option<[u8; 32]>, StoreError> {
        let Some(bytes) = self.bytes(at)? else {
            return Ok(None);
        };
        let hash = bytes.try_into();
        hash.map(Some)
            .map_err(|_| StoreError::query("a hash in the inbox does not have 32 bytes"))
    }
}

impl<R> Columns for R
where
    R: Row,
    usize: ColumnIndex<R>,
    for<'r> Option<i64>: Decode<'r, R::Database> + Type<R::Database>,
    for<'r> Option<String>: Decode<'r, R::Database> + Type<R::Database>,
    for<'r> Option<Vec<u8>>: Decode<'r, R::Database> + Type<R::Database>,
    R::Database: Database,
{
    fn number(&self, at: usize) -> Result<Option<i64>, StoreError> {
        self.try_get(at).store_err()
    }

    fn text(&self, at: usize) -> Result<Option<String>, StoreError> {
        self.try_get(at).store_err()
    }

    fn bytes(&self, at: usize) -> Result<Option<Vec<u8>>, StoreError> {
        self.try_get(at).store_err()
    }
}

pub(super) fn record(row: &impl Columns) -> Result<Record, StoreError> {
    let count = |at| -> Result<u32, StoreError> {
        let number = row.required(at)?;
        u32::try_from(number).map_err(|_| StoreError::query("a count in the inbox is out of range"))
    };
    let key = row.hash(1)?;
    let key = key.ok_or_else(|| StoreError::query("a column of the inbox is NULL"))?;
    Ok(Record {
        seq: row.required(0)?,
        entry: Entry {
            key: DedupKey::from_bytes(key),
            lane: row.hash(2)?,
            merge: row.hash(3)?,
            once: row.required(4)? == 1,
            member_id: row.text(5)?.unwrap_or_default(),
            code: row.text(6)?.unwrap_or_default(),
            subject: row.text(7)?.unwrap_or_default(),
            handler_id: row.number(8)?,
            timestamp: row.number(9)?,
            format: row.required(21)?,
            key_id: row.number(22)?,
            body: row.bytes(23)?.unwrap_or_default().into(),
        },
        first_received: row.required(10)?,
        received: row.required(11)?,
        merged: count(12)?,
        state: match row.required(13)? {
            0 => State::Waiting,
            1 => State::Running,
            2 => State::Done,
            3 => State::Dead,
            _ => return Err(StoreError::query("an entry has an unknown state")),
        },
        head: row.required(14)? == 1,
        due: row.required(15)?,
        attempts: count(16)?,
        forgiven: count(17)?,
        suspect: row.required(18)? == 1,
        replayed: row.required(19)? == 1,
        failing_since: row.number(24)?,
        error: row.text(20)?,
    })
}

/// Returns rows of one hash each.
pub(super) fn hashes<'v>(
    hashes: impl Iterator<Item = Option<&'v [u8; 32]>>,
) -> impl Iterator<Item = [Value<'v>; 1]> {
    hashes.map(|hash| [hash.map(|hash| &hash[..]).into()])
}

/// A part of a slice, whose last item is repeated up to a power of two.
///
/// Each statement is a round trip, and each text of a statement is prepared once: a batch of any
/// length takes few of both.
pub(super) struct Chunk<'a, T> {
    pub(super) items: &'a [T],
    /// The number of items with the repetitions.
    pub(super) len: usize,
}

impl<'a, T> Chunk<'a, T> {
    /// Returns the items with the repetitions.
    pub(super) fn padded(&self) -> impl Iterator<Item = &'a T> + use<'a, T> {
        let last = self.items.last().into_iter();
        let missing = self.len - self.items.len();
        self.items.iter().chain(last.cycle().take(missing))
    }
}

/// Splits a slice into chunks of at most `max` items, a power of two.
pub(super) fn chunks<T>(all: &[T], max: usize) -> impl Iterator<Item = Chunk<'_, T>> {
    all.chunks(max).map(|items| Chunk {
        items,
        len: items.len().next_power_of_two(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_padded_to_a_power_of_two_and_leave_nothing_out() {
        let all: Vec<u32> = (0..300).collect();
        let chunks: Vec<_> = chunks(&all, 128).collect();
        let lengths: Vec<_> = chunks.iter().map(|c| (c.items.len(), c.len)).collect();
        assert_eq!(lengths, [(128, 128), (128, 128), (44, 64)]);
        let padded: Vec<u32> = chunks.iter().flat_map(Chunk::padded).copied().collect();
        assert_eq!(padded[..300], all);
        assert_eq!(padded[300..], [299; 20]);
        assert_eq!(super::chunks::<u32>(&[], 128).count(), 0);
    }
}
