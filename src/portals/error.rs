//! `PortalsError`: why tokens of a portal could not be changed.

use std::error::Error;
use std::fmt;

use crate::verify::{VerifyError, VerifyErrorKind};

/// Why [`PortalVerifier`](super::PortalVerifier) could not do what it was asked for. The message holds no token.
#[derive(Debug)]
pub struct PortalsError {
    kind: PortalsErrorKind,
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// The kinds of [`PortalsError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PortalsErrorKind {
    /// The member id is empty, longer than [`PortalVerifier::MAX_MEMBER_ID_LEN`] bytes, or has control
    /// characters.
    ///
    /// [`PortalVerifier::MAX_MEMBER_ID_LEN`]: super::PortalVerifier::MAX_MEMBER_ID_LEN
    InvalidMemberId,
    /// The token is empty, longer than [`PortalVerifier::MAX_TOKEN_LEN`] bytes, or has control characters.
    ///
    /// [`PortalVerifier::MAX_TOKEN_LEN`]: super::PortalVerifier::MAX_TOKEN_LEN
    InvalidToken,
    /// The [policy](super::InstallPolicy) does not take this installation.
    Rejected,
    /// The store, or the authorization server, failed or did not answer in time.
    Unavailable,
}

impl PortalsError {
    /// Which of the kinds it is.
    pub const fn kind(&self) -> PortalsErrorKind {
        self.kind
    }
}

impl From<PortalsErrorKind> for PortalsError {
    fn from(kind: PortalsErrorKind) -> Self {
        Self { kind, source: None }
    }
}

impl From<VerifyError> for PortalsError {
    fn from(error: VerifyError) -> Self {
        match error.kind() {
            VerifyErrorKind::Unavailable => Self {
                kind: PortalsErrorKind::Unavailable,
                source: error.into_source(),
            },
            _ => PortalsErrorKind::Rejected.into(),
        }
    }
}

impl fmt::Display for PortalsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            PortalsErrorKind::InvalidMemberId => "the member id is none that a portal has",
            PortalsErrorKind::InvalidToken => "the token is none that a portal has",
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
