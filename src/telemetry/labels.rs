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

#[cfg(any(feature = "tracing", feature = "metrics"))]
pub(super) fn kind_name(event: &Event) -> &'static str {
    event.kind().map_or("undocumented", EventKind::name)
}
