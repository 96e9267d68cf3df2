//! A worker's claims, and the ends of its attempts.

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
    /// The maximum number of entries.
    pub limit: usize,
    /// The time after which the entries go back, unless the worker extends it.
    pub lease: Duration,
    /// The pauses for entries whose lease is over.
    pub backoff: &'a Backoff,
    /// `true` if the worker runs nothing.
    pub idle: bool,
    /// The maximum number of entries that the worker runs for one portal.
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
    /// `true` if an entry is due that must run alone: claim again once the worker is idle.
    pub wait_for_idle: bool,
    /// The portal that was served last.
    pub after: String,
}

/// A claimed entry.
#[derive(Clone, Debug)]
pub struct Claim {
    /// The entry as it is stored now.
    pub record: Record,
    /// `true` if the entry must run alone.
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

/// A portal with due entries, and how many more of them a worker may run.
pub(in crate::inbox) struct Portal {
    pub(in crate::inbox) member_id: String,
    room: usize,
}

#[cfg(any(feature = "sqlite", feature = "postgres"))]
impl Portal {
    pub(in crate::inbox) const fn has_room(&self) -> bool {
        self.room > 0
    }
}

/// Shares the limit of a claim out among portals.
pub(in crate::inbox) struct Quota<'a> {
    request: &'a ClaimRequest<'a>,
    pub(in crate::inbox) left: usize,
}

impl<'a> Quota<'a> {
    pub(in crate::inbox) fn new(request: &'a ClaimRequest<'a>) -> Self {
        Self {
            request,
            left: request.limit,
        }
    }

    /// Returns `None` if the worker runs as many of the portal as it may.
    pub(in crate::inbox) fn portal(&self, member_id: String) -> Option<Portal> {
        let running = self.request.running.iter();
        let running = running
            .filter(|(portal, _)| *portal == member_id)
            .map(|(_, running)| running)
            .sum();
        let room = self.request.portal_limit.saturating_sub(running);
        (room > 0).then_some(Portal { member_id, room })
    }

    /// Returns the number of entries to claim from a portal if `portals` wait, this one included.
    pub(in crate::inbox) fn of(&self, portal: &Portal, portals: usize) -> usize {
        let share = (self.left / portals.max(1)).max(1);
        share.min(portal.room).min(self.left)
    }

    /// Counts the entries that were claimed.
    pub(in crate::inbox) fn claimed(&mut self, portal: &mut Portal, entries: usize) {
        portal.room = portal.room.saturating_sub(entries);
        self.left = self.left.saturating_sub(entries);
    }

    /// Takes back the count of entries that were not there.
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    pub(in crate::inbox) const fn give_back(&mut self, portal: &mut Portal, entries: usize) {
        portal.room += entries;
        self.left += entries;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quota_shares_the_limit_and_leaves_a_full_portal_out() {
        let running = [("a".to_owned(), 12), ("b".to_owned(), 10)];
        let request = ClaimRequest {
            owner: "w",
            limit: 4,
            lease: Duration::ZERO,
            backoff: &Backoff::new(),
            idle: false,
            portal_limit: 12,
            running: &running,
            after: "",
        };
        let mut quota = Quota::new(&request);
        assert!(quota.portal("a".to_owned()).is_none());
        let mut b = quota.portal("b".to_owned()).unwrap();
        let mut c = quota.portal("c".to_owned()).unwrap();
        assert_eq!((quota.of(&b, 2), quota.of(&c, 2)), (2, 2));
        quota.claimed(&mut b, 2);
        assert_eq!((quota.of(&b, 1), quota.of(&c, 1)), (0, 2));
        quota.claimed(&mut c, 2);
        assert_eq!(quota.left, 0);
        assert_eq!(quota.of(&c, 9), 0);
    }
}
