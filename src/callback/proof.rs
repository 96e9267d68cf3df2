//! `Proof`: what proves a callback's origin, and how much that is worth.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::verify::TokenOwner;

/// The proof of a callback's origin.
///
/// | proof | who can produce it | what it is good for |
/// |---|---|---|
/// | [`UrlSecret`](Self::UrlSecret) | whoever sees the settings of the portal, or a log with the URL | somebody who was given the URL. It does not prove a portal |
/// | [`ApplicationToken`](Self::ApplicationToken) | Bitrix24, and every employee of the portal who has opened the application: current builds print the token into each of its pages | the request is about this portal. It does not prove a user, nor that the queue of the platform sent it |
/// | [`Introspected`](Self::Introspected) | the user, or an application of the same portal that holds the user's access token | this user of this portal has opened the application, with these rights |
///
/// A stronger proof replaces a weaker one: a page with an application token whose access token was
/// introspected has the proof `Introspected`.
///
/// Below `Introspected`, take the user of a placement, its rights and its tokens as claims. Never call
/// an address from a callback before its portal is proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Proof {
    /// A [secret of the application's own](crate::EventLayer::url_secret) in the URL.
    UrlSecret,
    /// The application's token: `auth[application_token]`, or `APPLICATION_TOKEN` of a placement.
    ApplicationToken,
    /// The access token, introspected by the authorization server and then by the portal that it names.
    Introspected {
        /// The id of the user.
        user: u64,
        /// `true` if the user is an administrator of the portal.
        is_admin: bool,
    },
}

/// The worth of a [`Proof`], from the weakest to the strongest.
///
/// ```
/// use tower_bitrix24::callback::{Proof, ProofLevel};
///
/// let employee = Proof::Introspected { user: 7, is_admin: false };
/// assert!(employee.level() > Proof::ApplicationToken.level());
/// assert!(employee.level() < ProofLevel::Administrator);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum ProofLevel {
    /// A secret in the URL.
    UrlSecret,
    /// The application's token, which proves the portal.
    ApplicationToken,
    /// A user of the portal.
    User,
    /// An administrator of the portal.
    Administrator,
}

impl Proof {
    /// Returns the name of the proof in snake case, such as `application_token`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UrlSecret => "url_secret",
            Self::ApplicationToken => "application_token",
            Self::Introspected { .. } => "introspected",
        }
    }

    /// Returns how much the proof is worth.
    pub const fn level(self) -> ProofLevel {
        match self {
            Self::UrlSecret => ProofLevel::UrlSecret,
            Self::ApplicationToken => ProofLevel::ApplicationToken,
            Self::Introspected {
                is_admin: false, ..
            } => ProofLevel::User,
            Self::Introspected { is_admin: true, .. } => ProofLevel::Administrator,
        }
    }

    /// Returns the user whom it verifies.
    pub const fn user(self) -> Option<u64> {
        match self {
            Self::Introspected { user, .. } => Some(user),
            Self::UrlSecret | Self::ApplicationToken => None,
        }
    }
}

impl ProofLevel {
    /// Returns the name of the level in snake case, such as `administrator`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UrlSecret => "url_secret",
            Self::ApplicationToken => "application_token",
            Self::User => "user",
            Self::Administrator => "administrator",
        }
    }
}

impl From<TokenOwner> for Proof {
    fn from(owner: TokenOwner) -> Self {
        Self::Introspected {
            user: owner.user,
            is_admin: owner.is_admin,
        }
    }
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for ProofLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Writes the name.
impl Serialize for Proof {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proof_levels_rise_from_the_url_to_the_administrator() {
        let introspected = |is_admin| Proof::from(TokenOwner { user: 7, is_admin });
        let levels = [
            Proof::UrlSecret.level(),
            Proof::ApplicationToken.level(),
            introspected(false).level(),
            introspected(true).level(),
        ];
        assert!(levels.is_sorted_by(|a, b| a < b), "{levels:?}");
        assert_eq!(introspected(false).user(), Some(7));
        assert_eq!(Proof::ApplicationToken.user(), None);
    }
}
