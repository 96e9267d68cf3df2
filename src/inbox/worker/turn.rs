//! Whose turn it is: a suspect's, which runs alone, or that of all others.

use std::time::Duration;

use tokio::task::Id;
use tokio::time::Instant;

use super::running::Running;

/// A suspect that is due waits at most this long for the running handlers, during which the worker claims
/// nothing else.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// A suspect has the worker for itself for at most this long. What ends its process mostly does so at once.
const LONGEST_ALONE: Duration = Duration::from_secs(1);

/// Suspects and the other entries take turns, so that neither waits for long.
pub(super) enum Turn {
    /// The others run. If more of them wait, a suspect follows from this time on only.
    Others { until: Instant },
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

impl Turn {
    pub(super) fn new() -> Self {
        Self::Others {
            until: Instant::now(),
        }
    }

    /// Returns whether the next claim takes a suspect, or `None` if nothing is claimed now.
    ///
    /// The others get their turn for as long as the last suspect has kept them waiting.
    pub(super) fn next(&mut self, running: &Running, now: Instant) -> Option<bool> {
        if let Self::Suspect { task, since, until } = *self {
            if running.is_held(task) && now < until {
                return None;
            }
            *self = Self::Others {
                until: now + (now - since),
            };
        }
        let is_idle = !running.holds_any();
        match *self {
            Self::Others { until } => Some(is_idle && now >= until),
            Self::Ending { since } if is_idle || now >= since + LONGEST_WAIT => Some(true),
            Self::Ending { .. } | Self::Suspect { .. } => None,
        }
    }

    /// Takes notice of a claim that started this suspect, or left one that is due.
    pub(super) fn claimed(&mut self, suspect: Option<Id>, has_suspect: bool, now: Instant) {
        let (since, is_over) = match *self {
            Self::Others { until } => (now, now >= until),
            Self::Ending { since } | Self::Suspect { since, .. } => (since, true),
        };
        if let Some(task) = suspect {
            let until = now + LONGEST_ALONE;
            *self = Self::Suspect { task, since, until };
        } else if is_over && has_suspect {
            *self = Self::Ending { since: now };
        } else if is_over {
            *self = Self::Others { until: now };
        }
    }

    /// A suspect follows as soon as the others have ended.
    pub(super) fn is_ending(&self) -> bool {
        matches!(self, Self::Ending { .. })
    }

    /// Returns when the turn ends, if it has not.
    pub(super) fn end(&self, now: Instant) -> Option<Instant> {
        let end = match *self {
            Self::Others { until } | Self::Suspect { until, .. } => until,
            Self::Ending { since } => since + LONGEST_WAIT,
        };
        Some(end).filter(|end| *end > now)
    }
}
