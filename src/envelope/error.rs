//! Why a body is not an event.

use std::fmt;

/// Why a body has no envelope that could be verified.
///
/// The message names the check and, where there is one, the key as the platform spells it; nothing
/// of the body.
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
    /// The body has more than [`Envelope::MAX_PAIRS`](crate::Envelope::MAX_PAIRS) pairs.
    TooManyPairs,
    /// The body is 4 GiB or longer.
    TooLong,
}

impl EnvelopeError {
    pub(super) const fn repeated(key: &'static str) -> Self {
        Self {
            kind: EnvelopeErrorKind::DuplicateKey,
            key,
        }
    }

    pub(super) const fn alias(key: &'static str) -> Self {
        Self {
            kind: EnvelopeErrorKind::AmbiguousKey,
            key,
        }
    }

    /// The check that failed.
    pub const fn kind(&self) -> EnvelopeErrorKind {
        self.kind
    }
}

impl From<EnvelopeErrorKind> for EnvelopeError {
    fn from(kind: EnvelopeErrorKind) -> Self {
        Self { kind, key: "" }
    }
}

impl fmt::Display for EnvelopeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = self.key;
        match self.kind {
            EnvelopeErrorKind::NoEvent => f.write_str("the body has no event"),
            EnvelopeErrorKind::DuplicateKey => write!(f, "the key {key} appears twice"),
            EnvelopeErrorKind::AmbiguousKey => write!(f, "a key can be mistaken for {key}"),
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
    fn each_check_says_what_it_found() {
        for (error, text) in [
            (EnvelopeErrorKind::NoEvent.into(), "the body has no event"),
            (EnvelopeError::repeated("ts"), "the key ts appears twice"),
            (EnvelopeError::alias("ts"), "a key can be mistaken for ts"),
            (
                EnvelopeErrorKind::TooManyPairs.into(),
                "the body has too many pairs",
            ),
            (
                EnvelopeErrorKind::TooLong.into(),
                "the body is too long to be read",
            ),
        ] {
            assert_eq!(error.to_string(), text);
        }
    }
}
