//! `VerifyError`: why a token was not accepted.

use std::error::Error;
use std::fmt;

/// The error of a verification.
#[derive(Debug)]
pub struct VerifyError {
    kind: VerifyErrorKind,
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// The kind of a [`VerifyError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum VerifyErrorKind {
    /// The request carries no application token.
    Missing,
    /// The token is wrong, or the portal is unknown.
    Rejected,
    /// The token could not be checked, for example because a store is down.
    Unavailable,
}

impl VerifyErrorKind {
    /// Returns the kind as a short name in snake case, such as `rejected`, for logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Rejected => "rejected",
            Self::Unavailable => "unavailable",
        }
    }
}

impl fmt::Display for VerifyErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl VerifyError {
    pub(crate) const fn missing() -> Self {
        Self {
            kind: VerifyErrorKind::Missing,
            source: None,
        }
    }

    /// Creates the error for a wrong token or an unknown portal. Both are one error, so that a
    /// sender cannot find out which portals are known.
    pub const fn rejected() -> Self {
        Self {
            kind: VerifyErrorKind::Rejected,
            source: None,
        }
    }

    /// Creates the error for a token that could not be checked because of `source`. The source is
    /// for the application's logs and never part of a response.
    pub fn unavailable(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            kind: VerifyErrorKind::Unavailable,
            source: Some(source.into()),
        }
    }

    #[cfg(feature = "portals")]
    pub(crate) fn into_source(self) -> Option<Box<dyn Error + Send + Sync>> {
        self.source
    }

    /// Returns the kind of the error.
    pub const fn kind(&self) -> VerifyErrorKind {
        self.kind
    }
}

impl fmt::Display for VerifyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            VerifyErrorKind::Missing => "the application token is missing",
            VerifyErrorKind::Rejected => "the application token is rejected",
            VerifyErrorKind::Unavailable => "the application token cannot be verified now",
        })
    }
}

impl Error for VerifyError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verify_error_displays_its_kind_and_keeps_its_cause_as_source() {
        for (error, text) in [
            (VerifyError::missing(), "the application token is missing"),
            (VerifyError::rejected(), "the application token is rejected"),
        ] {
            assert_eq!(error.to_string(), text);
            assert!(error.source().is_none());
        }
        let error = VerifyError::unavailable("the database is down");
        assert_eq!(
            error.to_string(),
            "the application token cannot be verified now"
        );
        assert_eq!(error.source().unwrap().to_string(), "the database is down");
    }
}
