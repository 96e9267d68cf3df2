//! `Accept` and `InboxStore`, the stored entries, and the stores.

mod claim;
mod memory;
mod record;

use std::error::Error;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

pub use self::claim::{Claim, ClaimRequest, Claims, Finish, Outcome, Owned};
pub(super) use self::claim::{LEASE_ENDED, Quota};
pub use self::memory::MemoryInbox;
pub use self::record::{BlockedLane, Filter, Record, State, Stats, UnknownState};
use super::entry::Entry;

/// The outcome of accepting an entry, as far as the store knows it by then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Accepted {
    /// It is stored. A store that [decides later](Accept::accept) may still find that it is one of the
    /// others.
    Stored,
    /// It replaced the last entry of its lane, which waits and was never tried.
    Merged,
    /// An equal entry is there.
    Duplicate,
}

impl Accepted {
    /// Returns the outcome in snake case, for example for a metric.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stored => "stored",
            Self::Merged => "merged",
            Self::Duplicate => "duplicate",
        }
    }
}

/// A durable place for entries: a store, or a broker.
///
/// An implementation for a broker publishes each entry and waits for the broker's acknowledgement. An
/// [`EntryHandler`](crate::inbox::EntryHandler) handles what comes back from it; the folder
/// `examples/brokers` has both for NATS JetStream and Redis Streams. [`InboxStore`] is the trait of a
/// store that a worker of this crate takes the entries from.
///
/// The trait returns `impl Future`, so there is no `dyn Accept`. An [`Arc`] of a store is a store.
pub trait Accept: Send + Sync {
    /// The error of the store. It is logged, so it must not contain the body of an entry.
    type Error: Into<Box<dyn Error + Send + Sync>> + Send;

    /// Stores the entries, in this order, and returns an outcome for each.
    ///
    /// It returns `Ok` only **once every entry survives a loss of power**. If it returns an error,
    /// none of the entries was stored, as far as the store can tell. The call may be repeated with the
    /// same entries; in the end their senders get a 503.
    ///
    /// - An entry is a [`Duplicate`](Accepted::Duplicate) if an entry with the same
    ///   [key](Entry::key) waits and was never tried, or if both are sent [once](Entry::once) and the
    ///   first is still stored, in any state.
    /// - Otherwise it is [`Merged`](Accepted::Merged) if the last entry of its lane that is waiting or
    ///   running has the same [merge key](Entry::merge), waits and was never tried. Key, time and body
    ///   become those of the new entry. The place in the lane, the sequence number and the time of the
    ///   first receipt stay.
    /// - Otherwise it is [`Stored`](Accepted::Stored) at the end of its lane, due at once.
    ///
    /// A store may decide this after it returned `Stored`, so that no sender waits for it: in the order of
    /// the calls, and before the next call that hands out, shows or removes entries. A broker that does
    /// not find duplicates returns `Stored`, too. Calls are cancel safe: a dropped future takes full effect
    /// or none.
    fn accept(
        &self,
        entries: &[Entry],
    ) -> impl Future<Output = Result<Vec<Accepted>, Self::Error>> + Send;
}

/// A store of entries that workers take entries from.
///
/// An entry is in one [`State`]. Of each lane at most one entry is running, and entries are handed out
/// in the order in which they were accepted. The oldest waiting or running entry of a lane holds the
/// lane, also while it waits for its next attempt. A done or dead entry frees it. An entry without a
/// lane waits for none.
///
/// Every call is one step: others see all of it or nothing, also in other processes that share the
/// store. What a call changed survives a loss of power once it returns. Calls are cancel safe. Times
/// are measured by one clock, the database's if processes on several machines share it.
///
/// The module `testing::inbox_conformance` (feature `testing`) checks an implementation by every rule
/// here.
pub trait InboxStore: Accept {
    /// Claims entries for a worker, as many as [`ClaimRequest::limit`] at most.
    ///
    /// First, every running entry whose lease is over goes back to waiting and becomes a suspect: the
    /// process may have died of it. It is due after [`ClaimRequest::backoff`], at once after the first
    /// attempt. If that was the last attempt, it is dead.
    ///
    /// A claimed entry is running, has one attempt more and belongs to [`ClaimRequest::owner`] until
    /// its lease ends. The attempt is stored with the claim, so that one that ends the process counts.
    ///
    /// Suspects are handed out alone: if one is due whose portal has room in its
    /// [quota](ClaimRequest::portal_limit), and the worker wants it [alone](ClaimRequest::alone), it is the
    /// only entry returned. If the worker does not, other entries are returned, and
    /// [`Claims::has_suspect`] is set, unless the limit is 0.
    ///
    /// Portals are served in turn, beginning after [`ClaimRequest::after`], each with no more entries
    /// than its [quota](ClaimRequest::portal_limit). Within a portal the earliest due is first. The
    /// time of a call must not depend on the number of done and dead entries, nor on the number of
    /// those that wait behind another.
    ///
    /// Entries of an unknown [format](Entry::format) are not handed out.
    fn claim(
        &self,
        request: &ClaimRequest<'_>,
    ) -> impl Future<Output = Result<Claims, Self::Error>> + Send;

    /// Ends attempts. Returns for each `false` if the attempt is no longer the owner's, in which case
    /// nothing changed: its lease ended, or the entry was removed.
    ///
    /// After [`Outcome::Done`] the body is removed, unless the store is set to keep it.
    fn finish(
        &self,
        owner: &str,
        finishes: &[Finish],
    ) -> impl Future<Output = Result<Vec<bool>, Self::Error>> + Send;

    /// Ends attempts of [`ClaimRequest::owner`], then claims entries. A worker calls it if it has both to
    /// do, so that a store that does both in one step syncs once instead of twice.
    ///
    /// The default calls [`finish`](Self::finish) and [`claim`](Self::claim). If it returns an error, the
    /// attempts may have ended all the same.
    fn finish_and_claim(
        &self,
        finishes: &[Finish],
        request: &ClaimRequest<'_>,
    ) -> impl Future<Output = Result<(Vec<bool>, Claims), Self::Error>> + Send {
        async {
            let finished = self.finish(request.owner, finishes).await?;
            Ok((finished, self.claim(request).await?))
        }
    }

    /// Extends the leases of running entries to `lease` from now. Returns for each `false` if the
    /// attempt is no longer the owner's.
    fn extend(
        &self,
        owner: &str,
        running: &[Owned],
        lease: Duration,
    ) -> impl Future<Output = Result<Vec<bool>, Self::Error>> + Send;

    /// Returns the entries that match, by ascending sequence number, `limit` at most.
    fn list(
        &self,
        filter: &Filter,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<Record>, Self::Error>> + Send;

    /// Returns the lanes whose oldest entry has failed and waits for its next attempt, by ascending
    /// sequence number of that entry, which is above `after`; `limit` at most.
    fn blocked_lanes(
        &self,
        after: i64,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<BlockedLane>, Self::Error>> + Send;

    /// Makes matching entries wait again, due at once and with all attempts: dead ones, and those that
    /// wait for their next attempt. With `replay` also done ones, and [`Record::replayed`] is set.
    /// Entries without a body stay as they are. Returns the number of entries.
    ///
    /// An entry takes its old place in its lane, but never overtakes the entry that holds the lane.
    fn reopen(
        &self,
        filter: &Filter,
        replay: bool,
    ) -> impl Future<Output = Result<u64, Self::Error>> + Send;

    /// Discards a waiting or dead entry: it is done, without a body. Returns `false` if there is no such
    /// entry.
    fn discard(&self, seq: i64) -> impl Future<Output = Result<bool, Self::Error>> + Send;

    /// Deletes entries that have been done or dead for longer. Returns the number of entries.
    fn purge(
        &self,
        done: Duration,
        dead: Duration,
    ) -> impl Future<Output = Result<u64, Self::Error>> + Send;

    /// Deletes all entries of a portal, in any state. Returns the number of entries.
    fn remove_portal(
        &self,
        member_id: &str,
    ) -> impl Future<Output = Result<u64, Self::Error>> + Send;

    /// Returns the number of entries in each state.
    fn stats(&self) -> impl Future<Output = Result<Stats, Self::Error>> + Send;
}

impl<A: Accept + ?Sized> Accept for Arc<A> {
    type Error = A::Error;

    fn accept(
        &self,
        entries: &[Entry],
    ) -> impl Future<Output = Result<Vec<Accepted>, Self::Error>> + Send {
        (**self).accept(entries)
    }
}

impl<S: InboxStore + ?Sized> InboxStore for Arc<S> {
    fn claim(
        &self,
        request: &ClaimRequest<'_>,
    ) -> impl Future<Output = Result<Claims, Self::Error>> + Send {
        (**self).claim(request)
    }

    fn finish(
        &self,
        owner: &str,
        finishes: &[Finish],
    ) -> impl Future<Output = Result<Vec<bool>, Self::Error>> + Send {
        (**self).finish(owner, finishes)
    }

    fn finish_and_claim(
        &self,
        finishes: &[Finish],
        request: &ClaimRequest<'_>,
    ) -> impl Future<Output = Result<(Vec<bool>, Claims), Self::Error>> + Send {
        (**self).finish_and_claim(finishes, request)
    }

    fn extend(
        &self,
        owner: &str,
        running: &[Owned],
        lease: Duration,
    ) -> impl Future<Output = Result<Vec<bool>, Self::Error>> + Send {
        (**self).extend(owner, running, lease)
    }

    fn list(
        &self,
        filter: &Filter,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<Record>, Self::Error>> + Send {
        (**self).list(filter, limit)
    }

    fn blocked_lanes(
        &self,
        after: i64,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<BlockedLane>, Self::Error>> + Send {
        (**self).blocked_lanes(after, limit)
    }

    fn reopen(
        &self,
        filter: &Filter,
        replay: bool,
    ) -> impl Future<Output = Result<u64, Self::Error>> + Send {
        (**self).reopen(filter, replay)
    }

    fn discard(&self, seq: i64) -> impl Future<Output = Result<bool, Self::Error>> + Send {
        (**self).discard(seq)
    }

    fn purge(
        &self,
        done: Duration,
        dead: Duration,
    ) -> impl Future<Output = Result<u64, Self::Error>> + Send {
        (**self).purge(done, dead)
    }

    fn remove_portal(
        &self,
        member_id: &str,
    ) -> impl Future<Output = Result<u64, Self::Error>> + Send {
        (**self).remove_portal(member_id)
    }

    fn stats(&self) -> impl Future<Output = Result<Stats, Self::Error>> + Send {
        (**self).stats()
    }
}
