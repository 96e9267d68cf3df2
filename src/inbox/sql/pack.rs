//! Packs: the accepted entries of a transaction in one value.

use bytes::{Buf, BufMut, Bytes};

use crate::event::DedupKey;
use crate::inbox::entry::Entry;

/// The newest format of a pack that this version of the crate reads, and the one that it writes. A later
/// one is left for a process that knows it.
///
/// The first version that reads a new format must not write it yet. Entries hold their lanes once they have
/// their places: an older process that cannot read a pack would hand out later entries of its lanes.
pub(super) const FORMAT: i64 = 1;

// The parts that an entry may lack.
const LANE: u8 = 1;
const MERGE: u8 = 1 << 1;
const HANDLER_ID: u8 = 1 << 2;
const TIMESTAMP: u8 = 1 << 3;
const KEY_ID: u8 = 1 << 4;

/// The entry is sent once.
const ONCE: u8 = 1 << 5;

/// Returns the number of the entries, and one more for each 8 KiB of the pack.
pub(super) fn weight(entries: &[&Entry], pack: &[u8]) -> i64 {
    i64::try_from(entries.len() + pack.len() / 8192).unwrap_or(i64::MAX)
}

pub(super) fn pack(entries: &[&Entry]) -> Vec<u8> {
    // The hashes and the numbers of an entry take 140 bytes.
    let len = entries.iter().map(|entry| {
        let texts = [&entry.member_id, &entry.code, &entry.subject];
        140 + entry.body.len() + texts.iter().map(|text| text.len()).sum::<usize>()
    });
    let mut pack = Vec::with_capacity(len.sum());
    for entry in entries {
        let flag = |is_set, flag| if is_set { flag } else { 0 };
        pack.put_u8(
            flag(entry.lane.is_some(), LANE)
                | flag(entry.merge.is_some(), MERGE)
                | flag(entry.handler_id.is_some(), HANDLER_ID)
                | flag(entry.timestamp.is_some(), TIMESTAMP)
                | flag(entry.key_id.is_some(), KEY_ID)
                | flag(entry.once, ONCE),
        );
        pack.put_slice(entry.key.as_bytes());
        for hash in [&entry.lane, &entry.merge].into_iter().flatten() {
            pack.put_slice(hash);
        }
        let numbers = [entry.handler_id, entry.timestamp, entry.key_id];
        numbers
            .iter()
            .flatten()
            .for_each(|number| pack.put_i64(*number));
        pack.put_i64(entry.format);
        for text in [&entry.member_id, &entry.code, &entry.subject] {
            put(&mut pack, text.as_bytes());
        }
        put(&mut pack, &entry.body);
    }
    pack
}

fn put(pack: &mut Vec<u8>, bytes: &[u8]) {
    pack.put_u64(bytes.len() as u64);
    pack.put_slice(bytes);
}

/// Returns `None` if that is no pack.
pub(super) fn unpack(mut pack: Bytes) -> Option<Vec<Entry>> {
    let mut entries = Vec::new();
    while pack.has_remaining() {
        let flags = pack.try_get_u8().ok()?;
        if flags >= ONCE << 1 {
            return None;
        }
        let has = |flag| flags & flag != 0;
        let key = DedupKey::from_bytes(hash(&mut pack)?);
        let lane = if has(LANE) {
            Some(hash(&mut pack)?)
        } else {
            None
        };
        let merge = if has(MERGE) {
            Some(hash(&mut pack)?)
        } else {
            None
        };
        let mut number = |flag| {
            if has(flag) {
                pack.try_get_i64().map(Some)
            } else {
                Ok(None)
            }
        };
        let handler_id = number(HANDLER_ID).ok()?;
        let timestamp = number(TIMESTAMP).ok()?;
        let key_id = number(KEY_ID).ok()?;
        entries.push(Entry {
            key,
            lane,
            merge,
            once: has(ONCE),
            handler_id,
            timestamp,
            key_id,
            format: pack.try_get_i64().ok()?,
            member_id: text(&mut pack)?,
            code: text(&mut pack)?,
            subject: text(&mut pack)?,
            body: bytes(&mut pack)?,
        });
    }
    Some(entries)
}

fn hash(pack: &mut Bytes) -> Option<[u8; 32]> {
    let mut hash = [0; 32];
    pack.try_copy_to_slice(&mut hash).ok()?;
    Some(hash)
}

fn bytes(pack: &mut Bytes) -> Option<Bytes> {
    let len = usize::try_from(pack.try_get_u64().ok()?).ok()?;
    (len <= pack.len()).then(|| pack.split_to(len))
}

fn text(pack: &mut Bytes) -> Option<String> {
    String::from_utf8(bytes(pack)?.into()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries() -> [Entry; 3] {
        let full = Entry {
            key: DedupKey::from_bytes([1; 32]),
            lane: Some([2; 32]),
            merge: Some([3; 32]),
            once: true,
            member_id: "a223c6b3710f85df22e9377d6c4f7553".to_owned(),
            code: "ONCRMDEALUPDATE".to_owned(),
            subject: "crm.deal 4 \u{1F600}".to_owned(),
            handler_id: Some(i64::MIN),
            timestamp: Some(-1),
            format: i64::MAX,
            key_id: Some(0),
            body: Bytes::from_static(b"\0sealed\xff"),
        };
        let bare = Entry {
            lane: None,
            merge: None,
            once: false,
            member_id: String::new(),
            code: String::new(),
            subject: String::new(),
            handler_id: None,
            timestamp: None,
            key_id: None,
            body: Bytes::new(),
            ..full.clone()
        };
        let mixed = Entry {
            lane: full.lane,
            timestamp: full.timestamp,
            ..bare.clone()
        };
        [full, bare, mixed]
    }

    #[test]
    fn packed_entries_come_back() {
        assert_eq!(unpack(pack(&[]).into()), Some(vec![]));
        let entries = entries();
        let packed = pack(&entries.each_ref());
        assert_eq!(unpack(packed.into()), Some(entries.to_vec()));
    }

    #[test]
    fn cut_pack_is_none_unless_it_is_cut_between_two_entries() {
        let entries = entries();
        let whole = Bytes::from(pack(&entries.each_ref()));
        let ends = [0, 1, 2].map(|number| pack(&entries.each_ref()[..number]).len());
        for cut in 0..whole.len() {
            let number = ends.iter().position(|end| *end == cut);
            let expected = number.map(|number| entries[..number].to_vec());
            assert_eq!(unpack(whole.slice(..cut)), expected, "cut at {cut}");
        }
    }

    #[test]
    fn changed_pack_is_unpacked_without_a_panic() {
        let whole = pack(&entries().each_ref());
        for at in 0..whole.len() {
            for byte in 0..=255 {
                let mut changed = whole.clone();
                changed[at] = byte;
                let _ = unpack(changed.into());
            }
        }
    }
}
