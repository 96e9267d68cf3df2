//! `VerifyError`: why a token was not accepted.

use std::error::Error;
use std::fmt;

/// Why an envelope is not proven.
#[derive(Debug)]
pub struct VerifyError {
    kind: VerifyErrorKind,
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// The outcomes of a verification that did not succeed. They must stay apart: a store that is down
/// is no wrong token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum VerifyErrorKind {
    /// The request carries no application token.
    Missing,
    /// The token is wrong, or the portal is not known.
    Rejected,
    /// Whether the token is right could not be found out.
    Unavailable,
}

impl VerifyError {
    pub(crate) const fn missing() -> Self {
        Self {
            kind: VerifyErrorKind::Missing,
            source: None,
        }
    }

    /// The token is wrong or the portal unknown; nobody outside can tell which.
    pub const fn rejected() -> Self {
        Self {
            kind: VerifyErrorKind::Rejected,
            source: None,
        }
    }

    /// Whether the token is right could not be found out, because of `source`. The source is for
    /// the application's own logs and never part of an answer.
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

    /// Which of the outcomes it is.
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
    fn each_outcome_says_what_it_is_and_only_the_log_is_told_why() {
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
