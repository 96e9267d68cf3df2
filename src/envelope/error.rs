//! Why a body is not an event.

use std::fmt;

/// Why a body has no envelope that could be verified.
///
/// The message names the check and the key if there is one, as the platform spells it. It contains
/// nothing of the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EnvelopeError {
    kind: EnvelopeErrorKind,
    key: &'static str,
}

/// The check that a body failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EnvelopeErrorKind {
    /// There is no `event`, or it is empty: the request may be another kind of callback.
    NoEvent,
    /// An envelope key appears twice.
    DuplicateKey,
    /// A key is spelled so that some parsers take it for an envelope key and others do not.
    AmbiguousKey,
    /// There is no callback: the request may be an event. Only
    /// [`CallbackEnvelope::scan`](super::CallbackEnvelope::scan) returns this.
    NoCallback,
    /// The keys of different kinds of request stand together, such as `event` and `event_token`. Only
    /// a scan for callbacks returns this.
    MixedKinds,
    /// The body has more than [`Envelope::MAX_PAIRS`](crate::Envelope::MAX_PAIRS) pairs.
    TooManyPairs,
    /// The body is 4 GiB or longer.
    TooLong,
}

impl EnvelopeErrorKind {
    /// Returns the name of the check in snake case, such as `no_event`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoEvent => "no_event",
            Self::DuplicateKey => "duplicate_key",
            Self::AmbiguousKey => "ambiguous_key",
            Self::NoCallback => "no_callback",
            Self::MixedKinds => "mixed_kinds",
            Self::TooManyPairs => "too_many_pairs",
            Self::TooLong => "too_long",
        }
    }
}

impl fmt::Display for EnvelopeErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl EnvelopeError {
    pub(crate) const fn new(kind: EnvelopeErrorKind) -> Self {
        Self { kind, key: "" }
    }

    pub(super) const fn duplicate_key(key: &'static str) -> Self {
        Self {
            kind: EnvelopeErrorKind::DuplicateKey,
            key,
        }
    }

    pub(super) const fn ambiguous_key(key: &'static str) -> Self {
        Self {
            kind: EnvelopeErrorKind::AmbiguousKey,
            key,
        }
    }

    /// Returns the check that failed.
    pub const fn kind(&self) -> EnvelopeErrorKind {
        self.kind
    }
}

impl fmt::Display for EnvelopeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = self.key;
        match self.kind {
            EnvelopeErrorKind::NoEvent => f.write_str("the body has no event"),
            EnvelopeErrorKind::DuplicateKey => write!(f, "the key {key} appears twice"),
            EnvelopeErrorKind::AmbiguousKey => write!(f, "a key can be mistaken for {key}"),
            EnvelopeErrorKind::NoCallback => f.write_str("the body has no callback"),
            EnvelopeErrorKind::MixedKinds => {
                f.write_str("the body mixes the keys of different kinds of request")
            }
            EnvelopeErrorKind::TooManyPairs => f.write_str("the body has too many pairs"),
            EnvelopeErrorKind::TooLong => f.write_str("the body is too long to be read"),
        }
    }
}

impl std::error::Error for EnvelopeError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn envelope_errors_name_the_failed_check() {
        for (error, text) in [
            (
                EnvelopeError::new(EnvelopeErrorKind::NoEvent),
                "the body has no event",
            ),
            (
                EnvelopeError::duplicate_key("ts"),
                "the key ts appears twice",
            ),
            (
                EnvelopeError::ambiguous_key("ts"),
                "a key can be mistaken for ts",
            ),
            (
                EnvelopeError::new(EnvelopeErrorKind::NoCallback),
                "the body has no callback",
            ),
            (
                EnvelopeError::new(EnvelopeErrorKind::MixedKinds),
                "the body mixes the keys of different kinds of request",
            ),
            (
                EnvelopeError::new(EnvelopeErrorKind::TooManyPairs),
                "the body has too many pairs",
            ),
            (
                EnvelopeError::new(EnvelopeErrorKind::TooLong),
                "the body is too long to be read",
            ),
        ] {
            assert_eq!(error.to_string(), text);
        }
    }
}
