//! Whose turn it is: a suspect's, which runs alone, or that of all others.

use std::time::Duration;

use tokio::task::Id;
use tokio::time::Instant;

/// A suspect that is due waits at most this long for the running handlers, during which the worker claims
/// nothing else.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// A suspect has the worker for itself for at most this long. What ends its process mostly does so at once.
const LONGEST_ALONE: Duration = Duration::from_secs(1);

/// Suspects and the other entries take turns, so that neither waits for long.
#[derive(Clone, Copy, Debug)]
pub(super) enum Turn {
    /// The others run.
    Others {
        /// Before this, no suspect follows while any of them waits.
        until: Instant,
        /// They were not claimed since the last suspect.
        is_owed: bool,
    },
    /// A suspect is due. Nothing is claimed until the others have ended.
    Ending { since: Instant },
    /// A suspect runs alone.
    Suspect {
        task: Id,
        /// The others have waited since then.
        since: Instant,
        until: Instant,
    },
}

/// The wish of a worker that may claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    Nothing,
    Others,
    /// A suspect, or others if none is due.
    Suspect,
}

/// The outcome of a claim.
pub(super) struct Claimed {
    /// The suspect that it started.
    pub(super) suspect: Option<Id>,
    /// A suspect is due that it did not ask for.
    pub(super) has_suspect: bool,
    /// It found nothing, and nothing runs.
    pub(super) is_idle: bool,
}

impl Turn {
    pub(super) const fn new(now: Instant) -> Self {
        Self::Others {
            until: now,
            is_owed: false,
        }
    }

    /// Returns what to claim, given whether nothing runs and whether this task still does.
    ///
    /// The others get their turn for as long as the last suspect has kept them waiting.
    pub(super) fn next(
        &mut self,
        is_idle: bool,
        is_running: impl FnOnce(Id) -> bool,
        now: Instant,
    ) -> Next {
        if let Self::Suspect { task, since, until } = *self {
            if is_running(task) && now < until {
                return Next::Nothing;
            }
            // If all places were taken, the others have waited for those that had them.
            let waited = (now - since).min(LONGEST_WAIT + LONGEST_ALONE);
            *self = Self::Others {
                until: now + waited,
                is_owed: true,
            };
        }
        match *self {
            Self::Others { until, is_owed } if is_idle && now >= until && !is_owed => Next::Suspect,
            Self::Others { .. } => Next::Others,
            Self::Ending { since } if is_idle || now >= since + LONGEST_WAIT => Next::Suspect,
            Self::Ending { .. } | Self::Suspect { .. } => Next::Nothing,
        }
    }

    /// Takes notice of a claim of a free place.
    pub(super) fn claimed(&mut self, claimed: &Claimed, now: Instant) {
        let (since, is_over) = match *self {
            Self::Others { until, .. } => (now, now >= until || claimed.is_idle),
            Self::Ending { since } | Self::Suspect { since, .. } => (since, true),
        };
        *self = match (claimed.suspect, *self) {
            (Some(task), _) => Self::Suspect {
                task,
                since,
                until: now + LONGEST_ALONE,
            },
            (None, _) if is_over && claimed.has_suspect => Self::Ending { since: now },
            (None, Self::Others { until, .. }) => Self::Others {
                until,
                is_owed: false,
            },
            (None, _) => Self::new(now),
        };
    }

    /// A suspect follows as soon as the others have ended.
    pub(super) const fn is_ending(&self) -> bool {
        matches!(self, Self::Ending { .. })
    }

    /// Returns when the turn ends, if it has not.
    pub(super) fn end(&self, now: Instant) -> Option<Instant> {
        let end = match *self {
            Self::Others { until, .. } | Self::Suspect { until, .. } => until,
            Self::Ending { since } => since + LONGEST_WAIT,
        };
        Some(end).filter(|end| *end > now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// Returns the id of a task, and a time to begin with.
    fn start() -> (Id, Instant) {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        let task = runtime.unwrap().spawn(async {}).id();
        (task, Instant::now())
    }

    fn found(suspect: Option<Id>, has_suspect: bool) -> Claimed {
        Claimed {
            suspect,
            has_suspect,
            is_idle: false,
        }
    }

    #[test]
    fn suspect_waits_a_second_at_most_and_is_alone_for_a_second_at_most() {
        let (task, now) = start();
        let mut turn = Turn::new(now);
        turn.claimed(&found(None, true), now);
        assert!(turn.is_ending());
        assert_eq!(turn.end(now), Some(now + SECOND));
        assert_eq!(turn.next(false, |_| false, now), Next::Nothing);
        assert_eq!(turn.next(true, |_| false, now), Next::Suspect);
        assert_eq!(turn.next(false, |_| false, now + SECOND), Next::Suspect);
        let now = now + SECOND;
        turn.claimed(&found(Some(task), false), now);
        assert_eq!(turn.next(false, |_| true, now), Next::Nothing);
        assert_eq!(turn.next(false, |_| true, now + SECOND), Next::Others);
        // As long as both took.
        assert_eq!(turn.end(now + SECOND), Some(now + 3 * SECOND));
    }

    #[test]
    fn others_are_claimed_once_at_least_before_the_next_suspect() {
        let (task, now) = start();
        let mut turn = Turn::new(now);
        assert_eq!(turn.next(true, |_| false, now), Next::Suspect);
        turn.claimed(&found(Some(task), false), now);
        assert_eq!(turn.next(false, |_| true, now + SECOND), Next::Others);
        // It had the only place for a minute.
        let later = now + 60 * SECOND;
        assert_eq!(turn.next(true, |_| false, later), Next::Others);
        turn.claimed(&found(None, true), later);
        assert!(turn.is_ending());
        assert_eq!(turn.next(true, |_| false, later), Next::Suspect);
    }

    #[test]
    fn suspects_follow_each_other_if_nothing_else_is_there() {
        let (task, now) = start();
        let mut turn = Turn::new(now);
        turn.claimed(&found(Some(task), false), now);
        let ended = now + SECOND / 2;
        assert_eq!(turn.next(true, |_| false, ended), Next::Others);
        let nothing = Claimed {
            is_idle: true,
            ..found(None, true)
        };
        turn.claimed(&nothing, ended);
        assert_eq!(turn.next(true, |_| false, ended), Next::Suspect);
    }

    #[test]
    fn suspect_that_waited_for_a_place_keeps_the_others_waiting_no_longer() {
        let (task, now) = start();
        let mut turn = Turn::new(now);
        turn.claimed(&found(None, true), now);
        // All places were taken for a minute.
        let now = now + 60 * SECOND;
        turn.claimed(&found(Some(task), false), now);
        assert_eq!(turn.next(false, |_| false, now), Next::Others);
        assert_eq!(turn.end(now), Some(now + 2 * SECOND));
    }

    #[test]
    fn suspect_that_another_worker_took_leaves_the_others_their_turn() {
        let (_, now) = start();
        let mut turn = Turn::new(now);
        turn.claimed(&found(None, true), now);
        assert_eq!(turn.next(true, |_| false, now), Next::Suspect);
        turn.claimed(&found(None, false), now);
        assert_eq!(turn.next(false, |_| false, now), Next::Others);
        assert_eq!(turn.end(now), None);
    }
}
