//! `PortalsError`: why the tokens of a portal could not be changed.

use std::error::Error;
use std::fmt;

use crate::verify::{VerifyError, VerifyErrorKind};

/// The error of the methods of [`PortalVerifier`](super::PortalVerifier). Its message never contains
/// a token.
#[derive(Debug)]
pub struct PortalsError {
    kind: PortalsErrorKind,
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// The kinds of [`PortalsError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PortalsErrorKind {
    /// The member id is empty, has control characters, or is longer than
    /// [`PortalVerifier::MAX_MEMBER_ID_LEN`](super::PortalVerifier::MAX_MEMBER_ID_LEN) bytes.
    InvalidMemberId,
    /// The token is empty, has control characters, or is longer than
    /// [`PortalVerifier::MAX_TOKEN_LEN`](super::PortalVerifier::MAX_TOKEN_LEN) bytes.
    InvalidToken,
    /// The [policy](super::InstallPolicy) rejects this installation.
    Rejected,
    /// The store or the authorization server failed or did not respond in time.
    Unavailable,
}

impl PortalsErrorKind {
    /// Returns the kind as a snake_case string, for example for a log or a metric.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidMemberId => "invalid_member_id",
            Self::InvalidToken => "invalid_token",
            Self::Rejected => "rejected",
            Self::Unavailable => "unavailable",
        }
    }
}

/// Writes [`as_str`](PortalsErrorKind::as_str).
impl fmt::Display for PortalsErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl PortalsError {
    pub(crate) const fn new(kind: PortalsErrorKind) -> Self {
        Self { kind, source: None }
    }

    pub(crate) fn from_verify(error: VerifyError) -> Self {
        if error.kind() == VerifyErrorKind::Unavailable {
            Self {
                kind: PortalsErrorKind::Unavailable,
                source: error.into_source(),
            }
        } else {
            Self::new(PortalsErrorKind::Rejected)
        }
    }

    /// Returns the kind of this error.
    pub const fn kind(&self) -> PortalsErrorKind {
        self.kind
    }
}

impl fmt::Display for PortalsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            PortalsErrorKind::InvalidMemberId => {
                "the member id must have 1 to 128 bytes and no control characters"
            }
            PortalsErrorKind::InvalidToken => {
                "the token must have 1 to 256 bytes and no control characters"
            }
            PortalsErrorKind::Rejected => "the installation is rejected",
            PortalsErrorKind::Unavailable => {
                "the token store or the authorization server is not available"
            }
        })
    }
}

impl Error for PortalsError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
