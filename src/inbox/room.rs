//! The room for events that wait to be committed, of which no portal takes all.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::entry::Entry;

/// Counts the events that wait, and the bytes of those that are not committed yet.
#[derive(Debug)]
pub(super) struct Room {
    max_events: usize,
    max_bytes: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    bytes: usize,
    portals: HashMap<String, Share>,
}

#[derive(Debug, Default)]
struct Share {
    events: usize,
    bytes: usize,
}

/// The part that one portal may take, so that its flood leaves room for the events of others.
const fn share_of(limit: usize) -> usize {
    limit - limit / 4
}

impl Room {
    pub(super) fn new(max_events: usize, max_bytes: usize) -> Self {
        Self {
            max_events,
            max_bytes,
            taken: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes room for an entry. Returns `false` if there is none. A single entry may be larger than the
    /// limit.
    ///
    /// All events together are bounded by the queue.
    pub(super) fn take(&self, entry: &Entry) -> bool {
        let bytes = entry.body.len();
        let mut taken = self.lock();
        let exceeds = |taken: usize, limit: usize| taken > 0 && taken.saturating_add(bytes) > limit;
        if exceeds(taken.bytes, self.max_bytes) {
            return false;
        }
        if let Some(share) = taken.portals.get(&entry.member_id) {
            if share.events >= share_of(self.max_events)
                || exceeds(share.bytes, share_of(self.max_bytes))
            {
                return false;
            }
        }
        taken.bytes += bytes;
        if let Some(share) = taken.portals.get_mut(&entry.member_id) {
            share.events += 1;
            share.bytes += bytes;
        } else {
            let share = Share { events: 1, bytes };
            taken.portals.insert(entry.member_id.clone(), share);
        }
        true
    }

    /// The entries wait no longer: their transaction begins, or they were rejected.
    pub(super) fn begin(&self, entries: &[Entry]) {
        let mut taken = self.lock();
        for entry in entries {
            if let Some(share) = taken.portals.get_mut(&entry.member_id) {
                share.events -= 1;
            }
        }
    }

    /// Gives the bytes of entries back after [`begin`](Self::begin).
    pub(super) fn end(&self, entries: &[Entry]) {
        let mut taken = self.lock();
        for entry in entries {
            taken.bytes -= entry.body.len();
            if let Some(share) = taken.portals.get_mut(&entry.member_id) {
                share.bytes -= entry.body.len();
                if share.events == 0 && share.bytes == 0 {
                    taken.portals.remove(&entry.member_id);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::slice::from_ref;

    use super::*;
    use crate::event::DedupKey;
    use crate::inbox::entry::FORMAT;

    fn entry(portal: &str, bytes: usize) -> Entry {
        Entry {
            key: DedupKey::from_bytes([0; 32]),
            lane: None,
            merge: None,
            once: false,
            member_id: portal.to_owned(),
            code: String::new(),
            subject: String::new(),
            handler_id: None,
            timestamp: None,
            format: FORMAT,
            key_id: None,
            body: vec![0; bytes].into(),
        }
    }

    #[test]
    fn flood_of_one_portal_leaves_room_for_others() {
        let room = Room::new(8, 1000);
        let small = entry("flood", 10);
        assert_eq!((0..20).filter(|_| room.take(&small)).count(), 6);
        assert!(room.take(&entry("other", 10)));
        room.begin(from_ref(&small));
        assert!(room.take(&small) && !room.take(&small));

        let room = Room::new(8, 1000);
        let large = entry("flood", 300);
        assert_eq!((0..20).filter(|_| room.take(&large)).count(), 2);
        assert!(room.take(&entry("other", 300)) && !room.take(&entry("third", 300)));
        room.begin(from_ref(&large));
        assert!(!room.take(&large));
        room.end(from_ref(&large));
        assert!(room.take(&large));
    }

    #[test]
    fn entry_larger_than_the_limit_is_taken_alone_and_nothing_is_left_behind() {
        let room = Room::new(8, 1000);
        let huge = entry("a", 5000);
        assert!(room.take(&huge) && !room.take(&entry("b", 1)));
        room.begin(from_ref(&huge));
        room.end(from_ref(&huge));
        let taken = room.lock();
        assert!(taken.bytes == 0 && taken.portals.is_empty());
    }
}
