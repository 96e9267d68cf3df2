//! `MemoryInbox`: entries in memory, for tests.

mod entries;

use std::convert::Infallible;
use std::fmt;
use std::future::{Future, ready};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use self::entries::Entries;
use super::{
    Accept, Accepted, BlockedLane, ClaimRequest, Claims, Filter, Finish, InboxStore, Owned, Record,
    Stats,
};
use crate::inbox::clock::{millis, unix_millis};
use crate::inbox::entry::Entry;

/// An [`InboxStore`] in memory, **for tests alone**: what it has accepted is lost with the process.
///
/// It is simple rather than fast: every call looks at every entry. A clone shares the entries.
#[derive(Clone, Default)]
pub struct MemoryInbox {
    state: Arc<Mutex<Entries>>,
}

impl MemoryInbox {
    /// Creates an empty store.
    pub fn new() -> Self {
        Self::default()
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Accept for MemoryInbox {
    type Error = Infallible;

    fn accept(
        &self,
        entries: &[Entry],
    ) -> impl Future<Output = Result<Vec<Accepted>, Infallible>> + Send {
        let now = unix_millis();
        let mut state = self.lock();
        let accepted = entries.iter().map(|entry| state.accept(entry, now));
        let accepted = accepted.collect();
        state.promote();
        ready(Ok(accepted))
    }
}

impl InboxStore for MemoryInbox {
    fn claim(
        &self,
        request: &ClaimRequest<'_>,
    ) -> impl Future<Output = Result<Claims, Infallible>> + Send {
        ready(Ok(self.lock().claim(request, unix_millis())))
    }

    fn finish(
        &self,
        owner: &str,
        finishes: &[Finish],
    ) -> impl Future<Output = Result<Vec<bool>, Infallible>> + Send {
        let now = unix_millis();
        let mut state = self.lock();
        let finished = finishes
            .iter()
            .map(|finish| state.finish(owner, finish, now));
        let finished = finished.collect();
        state.promote();
        ready(Ok(finished))
    }

    fn extend(
        &self,
        owner: &str,
        running: &[Owned],
        lease: Duration,
    ) -> impl Future<Output = Result<Vec<bool>, Infallible>> + Send {
        let due = unix_millis().saturating_add(millis(lease));
        let mut state = self.lock();
        let extended = running.iter().map(|owned| state.extend(owner, *owned, due));
        ready(Ok(extended.collect()))
    }

    fn list(
        &self,
        filter: &Filter,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<Record>, Infallible>> + Send {
        ready(Ok(self.lock().list(filter, limit)))
    }

    fn blocked_lanes(
        &self,
        after: i64,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<BlockedLane>, Infallible>> + Send {
        ready(Ok(self.lock().blocked_lanes(after, limit)))
    }

    fn reopen(
        &self,
        filter: &Filter,
        replay: bool,
    ) -> impl Future<Output = Result<u64, Infallible>> + Send {
        ready(Ok(self.lock().reopen(filter, replay, unix_millis())))
    }

    fn discard(&self, seq: i64) -> impl Future<Output = Result<bool, Infallible>> + Send {
        ready(Ok(self.lock().discard(seq, unix_millis())))
    }

    fn purge(
        &self,
        done: Duration,
        dead: Duration,
    ) -> impl Future<Output = Result<u64, Infallible>> + Send {
        ready(Ok(self.lock().purge(done, dead, unix_millis())))
    }

    fn remove_portal(
        &self,
        member_id: &str,
    ) -> impl Future<Output = Result<u64, Infallible>> + Send {
        ready(Ok(self.lock().remove_portal(member_id)))
    }

    fn stats(&self) -> impl Future<Output = Result<Stats, Infallible>> + Send {
        ready(Ok(self.lock().stats(unix_millis())))
    }
}

/// Shows the stats.
impl fmt::Debug for MemoryInbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("MemoryInbox")
            .field(&self.lock().stats(unix_millis()))
            .finish()
    }
}
