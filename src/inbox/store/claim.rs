//! A worker's claims, and the ends of its attempts.

use std::collections::HashMap;
use std::time::Duration;

use super::record::Record;
use crate::inbox::backoff::Backoff;

/// The error of an entry whose last attempt had no end.
pub(in crate::inbox) const LEASE_ENDED: &str =
    "the lease ended without an outcome: the process ended or stopped while it handled the entry";

/// A worker's request for entries to run.
#[derive(Clone, Debug)]
pub struct ClaimRequest<'a> {
    /// Identifies the worker. It is unique among all workers of the store.
    pub owner: &'a str,
    /// The maximum number of entries. A worker without a free place claims 0 now and then, so that the
    /// store does what it has put off.
    pub limit: usize,
    /// The time after which the entries go back, unless the worker extends it.
    pub lease: Duration,
    /// The pauses for entries whose lease is over.
    pub backoff: &'a Backoff,
    /// `true` if the worker runs a suspect now, should one be due: it runs nothing else, or has waited for
    /// that long enough. `false` if it is the others' turn.
    pub alone: bool,
    /// The maximum number of entries that the worker runs for one portal. Of the places that others
    /// leave, a portal may take three quarters, or the share that this limit is of all places if that
    /// is more; at least one. What is running and the [limit](Self::limit) together are all places.
    pub portal_limit: usize,
    /// The portals that the worker runs entries of now, with their numbers.
    pub running: &'a [(String, usize)],
    /// The portal that was served last.
    pub after: &'a str,
}

/// The entries that a worker has claimed.
#[derive(Clone, Debug, Default)]
pub struct Claims {
    /// The entries.
    pub entries: Vec<Claim>,
    /// `true` if a suspect could be handed out to a worker that runs it [alone](ClaimRequest::alone), which
    /// this one did not ask for.
    pub has_suspect: bool,
    /// The portal that was served last, or looked at last.
    pub after: String,
    /// `true` if the call left a part of the waiting entries out, since it would have taken long: the worker
    /// claims again soon, even if it has no free place.
    pub is_partial: bool,
}

/// A claimed entry.
#[derive(Clone, Debug)]
pub struct Claim {
    /// The entry as it is stored now.
    pub record: Record,
    /// `true` if the entry is a suspect, and should run alone.
    pub alone: bool,
}

/// An attempt that a worker owns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Owned {
    /// The entry's sequence number.
    pub seq: i64,
    /// The attempt, the first being 1.
    pub attempt: u32,
}

/// The end of an attempt.
#[derive(Clone, Debug)]
pub struct Finish {
    /// The attempt.
    pub owned: Owned,
    /// The outcome.
    pub outcome: Outcome,
}

/// The outcome of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The entry is handled.
    Done,
    /// The entry is due again after a pause.
    Retry {
        /// The pause.
        after: Duration,
        /// The error, without secrets.
        error: String,
    },
    /// The entry becomes a dead letter.
    Dead {
        /// The error, without secrets.
        error: String,
    },
    /// The worker stops: the entry is due at once, and the attempt does not count.
    Released,
}

impl Outcome {
    /// Returns the outcome in lower case, for example for a metric.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Retry { .. } => "retry",
            Self::Dead { .. } => "dead",
            Self::Released => "released",
        }
    }

    /// Returns the error of a failed attempt.
    pub fn error(&self) -> Option<&str> {
        match self {
            Self::Retry { error, .. } | Self::Dead { error } => Some(error),
            Self::Done | Self::Released => None,
        }
    }
}

/// Shares the limit of a claim out among portals.
pub(in crate::inbox) struct Quota {
    /// The entries that the worker runs of each portal, with those of this claim.
    running: HashMap<String, usize>,
    total: usize,
    concurrency: usize,
    portal_limit: usize,
    pub(in crate::inbox) left: usize,
}

impl Quota {
    pub(in crate::inbox) fn new(request: &ClaimRequest<'_>) -> Self {
        let mut running = HashMap::<String, usize>::new();
        for (portal, entries) in request.running {
            *running.entry(portal.clone()).or_default() += entries;
        }
        let total = running.values().sum();
        let concurrency = request.limit.saturating_add(total);
        Self {
            running,
            total,
            concurrency,
            portal_limit: request.portal_limit.min(concurrency),
            left: request.limit,
        }
    }

    /// Returns the number of entries of a portal that the worker may still run. Of the places that the
    /// other portals leave it, the portal gets three quarters, or the same share as of all if that is
    /// more; at least one, and never more than the limit.
    pub(in crate::inbox) fn room(&self, portal: &str) -> usize {
        let own = self.running.get(portal).copied().unwrap_or(0);
        let available = self.concurrency.saturating_sub(self.total - own);
        let same_share = self.portal_limit.saturating_mul(available) / self.concurrency.max(1);
        let share = same_share.max((available * 3).div_ceil(4));
        share.min(self.portal_limit).saturating_sub(own)
    }

    /// Returns the number of entries to claim from a portal if `portals` wait, this one included.
    pub(in crate::inbox) fn of(&self, portal: &str, portals: usize) -> usize {
        let share = (self.left / portals.max(1)).max(1);
        share.min(self.room(portal)).min(self.left)
    }

    /// Counts the entries that were claimed.
    pub(in crate::inbox) fn claimed(&mut self, portal: &str, entries: usize) {
        *self.running.entry(portal.to_owned()).or_default() += entries;
        self.total += entries;
        self.left = self.left.saturating_sub(entries);
    }

    /// Takes back the count of entries that were not there.
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    pub(in crate::inbox) fn give_back(&mut self, portal: &str, entries: usize) {
        let running = self.running.entry(portal.to_owned()).or_default();
        *running = running.saturating_sub(entries);
        self.total = self.total.saturating_sub(entries);
        self.left += entries;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quota(limit: usize, portal_limit: usize, running: &[(String, usize)]) -> Quota {
        Quota::new(&ClaimRequest {
            owner: "w",
            limit,
            lease: Duration::ZERO,
            backoff: &Backoff::new(),
            alone: running.is_empty(),
            portal_limit,
            running,
            after: "",
        })
    }

    #[test]
    fn quota_shares_the_limit_and_leaves_a_full_portal_out() {
        let running = [("a".to_owned(), 12), ("b".to_owned(), 10)];
        let mut quota = quota(4, 12, &running);
        assert_eq!(quota.room("a"), 0);
        // Of the 26 places, `a` leaves 14 to `b`, and both leave 4 to another.
        assert_eq!((quota.room("b"), quota.room("c")), (1, 3));
        assert_eq!(quota.of("c", 2), 2);
        quota.claimed("c", 2);
        assert_eq!((quota.of("c", 1), quota.of("d", 1)), (1, 2));
        quota.claimed("d", 1);
        assert_eq!((quota.left, quota.of("e", 9)), (1, 1));
    }

    #[test]
    fn portals_that_fill_their_quota_leave_a_place_for_another() {
        for concurrency in 1..=64_usize {
            let portal_limit = (concurrency * 3).div_ceil(4);
            let mut shared = quota(concurrency, portal_limit, &[]);
            for portal in ["a", "b"] {
                let room = shared.room(portal);
                shared.claimed(portal, room);
            }
            // Three quarters, and three quarters of the rest.
            let left = concurrency / 16;
            assert!(shared.left >= left && shared.room("c") >= left.min(1));
            // A portal alone gets all that it may.
            let alone = quota(concurrency, portal_limit, &[]);
            assert_eq!(alone.room("a"), portal_limit);
        }
    }

    #[test]
    fn small_limit_of_a_portal_leaves_no_place_empty() {
        let mut quota = quota(64, 2, &[]);
        for portal in 0..31 {
            let portal = portal.to_string();
            assert_eq!(quota.room(&portal), 2, "{portal}");
            quota.claimed(&portal, 2);
        }
    }
}
