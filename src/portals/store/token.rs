//! `PortalToken`: a token as a store keeps it.

use std::fmt;
use std::str::FromStr;

use crate::secret::Secret;

/// One token of a portal, as a [`TokenStore`](super::TokenStore) keeps it.
///
/// A portal has several: that of the application, previous ones of it for a while, and one for each
/// outgoing webhook that calls the same URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortalToken {
    kind: TokenKind,
    encoded: Secret,
    issued_at: Option<i64>,
    expires_at: Option<i64>,
    added_at: Option<i64>,
    used_at: Option<i64>,
}

/// The owner of a [`PortalToken`].
///
/// Stores keep a kind by [`as_str`](Self::as_str) and parse it back:
///
/// ```
/// use tower_bitrix24::portals::TokenKind;
///
/// assert_eq!(TokenKind::Webhook.as_str(), "webhook");
/// assert_eq!("webhook".parse(), Ok(TokenKind::Webhook));
/// assert!("other".parse::<TokenKind>().is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TokenKind {
    /// An installation of the application. Only such a token verifies the events of the
    /// installation's life cycle. A newer one replaces it.
    Application,
    /// An outgoing webhook of the portal. It stays until it is removed.
    Webhook,
    /// Not a token: an installation that the application expects.
    Pending,
}

impl TokenKind {
    const ALL: [Self; 3] = [Self::Application, Self::Webhook, Self::Pending];

    /// Returns the kind as a string: `application`, `webhook` or `pending`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Application => "application",
            Self::Webhook => "webhook",
            Self::Pending => "pending",
        }
    }
}

/// Writes [`as_str`](TokenKind::as_str).
impl fmt::Display for TokenKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Parses [`as_str`](TokenKind::as_str).
impl FromStr for TokenKind {
    type Err = UnknownTokenKind;

    fn from_str(string: &str) -> Result<Self, UnknownTokenKind> {
        let kind = Self::ALL.into_iter().find(|kind| kind.as_str() == string);
        kind.ok_or(UnknownTokenKind(()))
    }
}

/// The error of parsing a [`TokenKind`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownTokenKind(());

impl fmt::Display for UnknownTokenKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the kind of the token is unknown")
    }
}

impl std::error::Error for UnknownTokenKind {}

impl PortalToken {
    /// Creates a token of this kind that does not expire.
    ///
    /// `encoded` is what [`encoded`](Self::encoded) returned before, not the token that the portal
    /// sends. It contains whether the token is hashed.
    pub fn new(kind: TokenKind, encoded: Secret) -> Self {
        Self {
            kind,
            encoded,
            issued_at: None,
            expires_at: None,
            added_at: None,
            used_at: None,
        }
    }

    /// Sets when the token was issued, in unix seconds of the portal's clock. Defaults to unknown.
    #[must_use]
    pub fn with_issued_at(mut self, time: impl Into<Option<i64>>) -> Self {
        self.issued_at = time.into();
        self
    }

    /// Sets when the token expires, in unix seconds. Defaults to never.
    #[must_use]
    pub fn with_expires_at(mut self, time: impl Into<Option<i64>>) -> Self {
        self.expires_at = time.into();
        self
    }

    /// Sets when the token was added, in unix seconds of the application's clock. Defaults to
    /// unknown.
    #[must_use]
    pub fn with_added_at(mut self, time: impl Into<Option<i64>>) -> Self {
        self.added_at = time.into();
        self
    }

    /// Sets when the token first verified an event, in unix seconds of the application's clock.
    /// Defaults to never.
    #[must_use]
    pub fn with_used_at(mut self, time: impl Into<Option<i64>>) -> Self {
        self.used_at = time.into();
        self
    }

    /// Returns what the token belongs to.
    pub fn kind(&self) -> TokenKind {
        self.kind
    }

    /// Returns the string for a store to keep. It is unique within a portal.
    pub fn encoded(&self) -> &Secret {
        &self.encoded
    }

    /// Returns when the token was issued, in unix seconds of the portal's clock. This is the `ts` of
    /// the event that carried it, or when the application set it. `None` if unknown.
    pub fn issued_at(&self) -> Option<i64> {
        self.issued_at
    }

    /// Returns when the token expires, in unix seconds. `None` if it does not.
    pub fn expires_at(&self) -> Option<i64> {
        self.expires_at
    }

    /// Returns when the token was added, in unix seconds of the application's clock.
    ///
    /// It is later than that of every other token of the application that the portal then had. Another
    /// installation with the current token moves it, if nothing else would change: the times have
    /// whole seconds. `None` if unknown: the token counts as older than all others.
    pub fn added_at(&self) -> Option<i64> {
        self.added_at
    }

    /// Returns when the token first verified an event other than an installation, in unix seconds of
    /// the application's clock. `None` if it has not. It is set once for each token of the
    /// application.
    pub fn used_at(&self) -> Option<i64> {
        self.used_at
    }

    /// Returns `true` if both have the same tokens, with all fields of each, in any order. This is
    /// how [`compare_exchange`](super::TokenStore::compare_exchange) compares.
    pub fn are_same(tokens: &[Self], others: &[Self]) -> bool {
        tokens.len() == others.len()
            && tokens.iter().all(|token| others.contains(token))
            && others.iter().all(|token| tokens.contains(token))
    }

    pub(in crate::portals) fn is_valid(&self, now: i64) -> bool {
        self.expires_at.is_none_or(|expires_at| now < expires_at)
    }

    pub(in crate::portals) fn is_current(&self) -> bool {
        self.kind == TokenKind::Application && self.expires_at.is_none()
    }

    pub(in crate::portals) fn is_pending(&self, now: i64) -> bool {
        self.kind == TokenKind::Pending && self.is_valid(now)
    }

    pub(in crate::portals) fn is_issued_after(&self, time: Option<i64>) -> bool {
        time.zip(self.issued_at)
            .is_some_and(|(time, issued_at)| time < issued_at)
    }
}

/// Returns an expected installation. No token has its string: those begin with `plain:` or a hash.
pub(in crate::portals) fn pending(until: i64) -> PortalToken {
    PortalToken::new(TokenKind::Pending, Secret::new("pending")).with_expires_at(until)
}

pub(in crate::portals) fn upsert(tokens: &mut Vec<PortalToken>, token: PortalToken) {
    tokens.retain(|other| other.encoded() != token.encoded());
    tokens.push(token);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_kind_round_trips_through_its_string() {
        for kind in TokenKind::ALL {
            assert_eq!(kind.as_str().parse(), Ok(kind));
            assert_eq!(kind.to_string(), kind.as_str());
        }
        assert_eq!(TokenKind::from_str("other"), Err(UnknownTokenKind(())));
    }
}
