//! `PortalsError`: why tokens of a portal could not be changed.

use std::error::Error;
use std::fmt;

use crate::verify::{VerifyError, VerifyErrorKind};

/// Why [`Portals`](super::Portals) could not do what it was asked for. The message holds no token.
#[derive(Debug)]
pub struct PortalsError {
    kind: PortalsErrorKind,
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// The kinds of [`PortalsError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PortalsErrorKind {
    /// The member id is empty, longer than [`Portals::MAX_MEMBER_ID`] bytes, or has control
    /// characters.
    ///
    /// [`Portals::MAX_MEMBER_ID`]: super::Portals::MAX_MEMBER_ID
    InvalidMemberId,
    /// The token is empty, longer than [`Portals::MAX_TOKEN`] bytes, or has control characters.
    ///
    /// [`Portals::MAX_TOKEN`]: super::Portals::MAX_TOKEN
    InvalidToken,
    /// The [policy](super::InstallPolicy) does not take this installation.
    Refused,
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
            _ => PortalsErrorKind::Refused.into(),
        }
    }
}

impl fmt::Display for PortalsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            PortalsErrorKind::InvalidMemberId => "the member id is none that a portal has",
            PortalsErrorKind::InvalidToken => "the token is none that a portal has",
            PortalsErrorKind::Refused => "the installation is refused",
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
