//! The values of fields and labels that are not part of a request.

#[cfg(any(feature = "tracing", feature = "metrics"))]
use crate::event::{Event, EventKind};

#[derive(Clone, Copy)]
pub(super) enum Outcome {
    #[cfg(any(feature = "tracing", feature = "metrics"))]
    Accepted,
    #[cfg(any(feature = "tracing", feature = "metrics"))]
    Rejected,
    Passed,
    Probed,
}

#[cfg(any(feature = "tracing", feature = "metrics"))]
impl Outcome {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Rejected => "rejected",
            Self::Passed => "passed",
            Self::Probed => "probed",
        }
    }
}

/// The end of the handling of a verified event.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(
    not(all(feature = "tracing", feature = "metrics", feature = "background")),
    allow(dead_code, reason = "each feature uses its part")
)]
pub(crate) enum HandlingOutcome {
    /// A 2xx response.
    Completed,
    /// An error, or another status.
    Failed,
    /// The data do not fit the handler.
    Mismatch,
    /// The route is for another kind of event.
    UnexpectedKind,
    TimedOut,
    Panicked,
    /// The call was dropped.
    Cancelled,
    QueueFull,
    ShuttingDown,
    /// A shutdown aborted it, or the end of the runtime.
    Aborted,
    /// There is no memory to wait for the inner service.
    Overloaded,
    /// Another recorder follows the event from now on.
    Deferred,
}

#[cfg(any(feature = "tracing", feature = "metrics"))]
impl HandlingOutcome {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Mismatch => "mismatch",
            Self::UnexpectedKind => "unexpected_kind",
            Self::TimedOut => "timed_out",
            Self::Panicked => "panicked",
            Self::Cancelled => "cancelled",
            Self::QueueFull => "queue_full",
            Self::ShuttingDown => "shutting_down",
            Self::Aborted => "aborted",
            Self::Overloaded => "overloaded",
            Self::Deferred => "deferred",
        }
    }
}

#[cfg(any(feature = "tracing", feature = "metrics"))]
pub(super) fn kind_name(event: &Event) -> &'static str {
    event.kind().map_or("undocumented", EventKind::name)
}
