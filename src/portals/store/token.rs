//! Tokens as a store keeps them, and the comparison with a presented one.

use std::fmt;

use hmac::{Hmac, Mac};
use sha2::Sha256;
use subtle::Choice;

use crate::error::ConfigError;

use crate::secret::Secret;

/// One token that a portal may send, as a [`TokenStore`](super::TokenStore) keeps it.
///
/// A portal has several: the application's, earlier ones of it for a while, and one for each
/// outgoing webhook that calls the same address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortalToken {
    kind: TokenKind,
    stored: Secret,
    issued: Option<i64>,
    expires: Option<i64>,
    added: Option<i64>,
    used: Option<i64>,
}

/// What a [`PortalToken`] belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TokenKind {
    /// An installation of the application. It alone proves an event of the installation's life
    /// cycle, and a newer one takes its place.
    Application,
    /// An outgoing webhook of the portal. It stays until it is removed.
    Webhook,
    /// No token yet: an installation that the application waits for.
    Pending,
}

impl TokenKind {
    /// The kinds by the names under which stores keep them.
    const NAMES: [(Self, &str); 3] = [
        (Self::Application, "application"),
        (Self::Webhook, "webhook"),
        (Self::Pending, "pending"),
    ];

    /// The name for a store to keep: `application`, `webhook` or `pending`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Application => "application",
            Self::Webhook => "webhook",
            Self::Pending => "pending",
        }
    }

    /// The kind of this [name](Self::as_str); `None` where there is none.
    pub fn from_name(name: &str) -> Option<Self> {
        let (kind, _) = Self::NAMES.into_iter().find(|(_, known)| *known == name)?;
        Some(kind)
    }
}

impl PortalToken {
    /// A token of this kind, without an end, from the text that a store keeps of it.
    ///
    /// Stores make tokens only of what they were given before: the text is not the token as the
    /// portal sends it, but a form of it that says itself whether it is hashed.
    pub fn new(kind: TokenKind, stored: Secret) -> Self {
        Self {
            kind,
            stored,
            issued: None,
            expires: None,
            added: None,
            used: None,
        }
    }

    /// Sets when it was issued, in unix seconds by the portal's clock.
    #[must_use]
    pub fn with_issued_at(mut self, time: impl Into<Option<i64>>) -> Self {
        self.issued = time.into();
        self
    }

    /// Sets when it ends, in unix seconds.
    #[must_use]
    pub fn with_expires_at(mut self, time: impl Into<Option<i64>>) -> Self {
        self.expires = time.into();
        self
    }

    /// Sets when it became known, in unix seconds by the application's clock.
    #[must_use]
    pub fn added_at(mut self, time: impl Into<Option<i64>>) -> Self {
        self.added = time.into();
        self
    }

    /// Sets when it first verified an event, in unix seconds by the application's clock.
    #[must_use]
    pub fn used_at(mut self, time: impl Into<Option<i64>>) -> Self {
        self.used = time.into();
        self
    }

    /// What it belongs to.
    pub fn kind(&self) -> TokenKind {
        self.kind
    }

    /// The text for a store to keep. A portal has each text once.
    pub fn encoded(&self) -> &Secret {
        &self.stored
    }

    /// When it was issued, in unix seconds by the portal's clock: the `ts` of the event that
    /// brought it, or when the application recorded it. `None` if that is not known.
    pub fn issued_at(&self) -> Option<i64> {
        self.issued
    }

    /// When it ends, in unix seconds. `None` where it does not.
    pub fn expires_at(&self) -> Option<i64> {
        self.expires
    }

    /// When it became known, in unix seconds by the application's clock, and later than any other
    /// token of the application that the portal then had. `None` if that is not known: the token is
    /// taken for older than all others.
    pub fn added(&self) -> Option<i64> {
        self.added
    }

    /// When it first verified an event other than an installation, in unix seconds by the
    /// application's clock. `None` if it has not. Written once for each token of the application.
    pub fn used(&self) -> Option<i64> {
        self.used
    }

    /// Returns `true` if both have the same tokens, with all that is known of each, in any order.
    /// This is how [`compare_exchange`](super::TokenStore::compare_exchange) compares.
    pub fn are_same(tokens: &[Self], others: &[Self]) -> bool {
        tokens.len() == others.len()
            && tokens.iter().all(|token| others.contains(token))
            && others.iter().all(|token| tokens.contains(token))
    }

    pub(in crate::portals) fn is_valid(&self, now: i64) -> bool {
        self.expires.is_none_or(|expires| now < expires)
    }
}

/// A key that tokens are hashed with before a store gets them, by HMAC-SHA-256.
///
/// Whoever reads the database then has no token that an event could be forged with, as long as the
/// key is not in it. What it costs: a hash of about a microsecond for each event, one more secret
/// to keep, and no way back: with the key lost or changed, no stored hash is recognised, so every
/// portal has to install the application again.
///
/// The hash covers the portal's member id too, so equal tokens of two portals are not seen to be
/// equal.
///
/// ```
/// use tower_bitrix24::portals::TokenKey;
///
/// assert!(TokenKey::new(b"too short").is_err());
/// let key = TokenKey::new(b"32 random bytes, from a safe place")?;
/// assert_eq!(format!("{key:?}"), "TokenKey([redacted])");
/// # Ok::<(), tower_bitrix24::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct TokenKey(Hmac<Sha256>);

impl TokenKey {
    /// The least length of a key, in bytes.
    pub const MIN_LENGTH: usize = 32;

    /// Takes a key of random bytes.
    ///
    /// # Errors
    ///
    /// Where it is shorter than [`MIN_LENGTH`](Self::MIN_LENGTH).
    pub fn new(key: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        let key = key.as_ref();
        if key.len() < Self::MIN_LENGTH {
            return Err(ConfigError::new(format!(
                "a token key has {} bytes, and needs {}",
                key.len(),
                Self::MIN_LENGTH
            )));
        }
        let hmac = Hmac::new_from_slice(key).expect("HMAC takes keys of every length");
        Ok(Self(hmac))
    }

    fn hash(&self, member_id: &str, token: &[u8]) -> String {
        let mut hmac = self.0.clone();
        // The length keeps the end of the one and the beginning of the other apart.
        hmac.update(&(member_id.len() as u64).to_be_bytes());
        hmac.update(member_id.as_bytes());
        hmac.update(token);
        let hash = hmac.finalize().into_bytes();
        let mut stored = String::from("hmac-sha256:");
        for byte in hash {
            fmt::Write::write_fmt(&mut stored, format_args!("{byte:02x}"))
                .expect("a String takes all");
        }
        stored
    }
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenKey([redacted])")
    }
}

/// The forms in which a store may keep the token that a request claims to have.
pub(in crate::portals) struct Claimed {
    plain: Secret,
    hashed: Option<Secret>,
}

/// How many tokens are compared at the least, so that a portal without any takes as long as one
/// with a few.
const LEAST_COMPARED: usize = 4;

impl Claimed {
    pub(in crate::portals) fn new(key: Option<&TokenKey>, member_id: &str, token: &Secret) -> Self {
        let token = token.expose();
        Self {
            // Marked, so that no hash from a stolen database is ever a token.
            plain: Secret::new(format!("plain:{token}")),
            hashed: key.map(|key| Secret::new(key.hash(member_id, token.as_bytes()))),
        }
    }

    /// The form to store: hashed if there is a key.
    pub(in crate::portals) fn to_store(&self) -> Secret {
        self.hashed.as_ref().unwrap_or(&self.plain).clone()
    }

    /// Every form in which a store may have it.
    pub(in crate::portals) fn forms(&self) -> impl Iterator<Item = &Secret> {
        self.hashed.iter().chain([&self.plain])
    }

    /// The token that is the claimed one, of those that are valid `now`. All are compared, whichever
    /// it is.
    pub(in crate::portals) fn find<'a>(
        &self,
        tokens: &'a [PortalToken],
        now: i64,
    ) -> Option<&'a PortalToken> {
        let mut found = None;
        for at in 0..tokens.len().max(LEAST_COMPARED) {
            let token = tokens.get(at);
            let stored = token.map_or(&self.plain, PortalToken::encoded);
            // A token that is not there is compared, and then is not there.
            let is_claimed = bool::from(self.is(stored)) & token.is_some();
            if let Some(token) = token.filter(|_| is_claimed) {
                if token.kind != TokenKind::Pending && token.is_valid(now) {
                    found = Some(token);
                }
            }
        }
        found
    }

    /// Tokens from before there was a key are kept as they were.
    fn is(&self, stored: &Secret) -> Choice {
        let stored = stored.expose().as_bytes();
        let is = |form: &Secret| form.is(stored);
        is(&self.plain) | self.hashed.as_ref().map_or(Choice::from(0), is)
    }
}

/// The text that marks a pending installation, in place of a token. No token has it: those are
/// marked as plain or hashed.
pub(in crate::portals) fn pending(until: i64) -> PortalToken {
    PortalToken::new(TokenKind::Pending, Secret::new("pending")).with_expires_at(until)
}

/// Adds the token in place of the one with its text.
pub(in crate::portals) fn put(tokens: &mut Vec<PortalToken>, token: PortalToken) {
    tokens.retain(|other| other.encoded() != token.encoded());
    tokens.push(token);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claimed(key: Option<&TokenKey>, member_id: &str, token: &str) -> Claimed {
        Claimed::new(key, member_id, &Secret::new(token))
    }

    fn application(stored: Secret) -> PortalToken {
        PortalToken::new(TokenKind::Application, stored)
    }

    #[test]
    fn a_token_is_found_among_others_whether_it_is_hashed_or_not() {
        let key = TokenKey::new([7; 32]).unwrap();
        for key in [None, Some(&key)] {
            let stored = |token| application(claimed(key, "a", token).to_store());
            let tokens: Vec<_> = ["1", "2", "3", "4", "5", "6"].map(stored).into();
            for token in ["1", "6"] {
                let found = claimed(key, "a", token).find(&tokens, 0).unwrap();
                assert_eq!(*found, stored(token));
            }
            for wrong in ["", "7", "plain:1", "12"] {
                assert!(claimed(key, "a", wrong).find(&tokens, 0).is_none());
            }
            assert!(claimed(key, "a", "1").find(&[], 0).is_none());
        }
    }

    #[test]
    fn what_a_stolen_database_holds_is_no_token() {
        let key = TokenKey::new([7; 32]).unwrap();
        let hash = claimed(Some(&key), "a", "secret").to_store();
        assert!(!hash.expose().contains("secret"));
        let tokens = [application(hash.clone())];
        for key in [None, Some(&key)] {
            assert!(claimed(key, "a", hash.expose()).find(&tokens, 0).is_none());
        }
        let other = TokenKey::new([8; 32]).unwrap();
        assert!(
            claimed(Some(&other), "a", "secret")
                .find(&tokens, 0)
                .is_none()
        );
    }

    #[test]
    fn the_same_token_of_two_portals_has_two_hashes() {
        let key = TokenKey::new([7; 32]).unwrap();
        let hash = |member_id, token| claimed(Some(&key), member_id, token).to_store();
        assert_ne!(hash("a", "secret"), hash("b", "secret"));
        assert_ne!(hash("a", "bsecret"), hash("ab", "secret"));
        assert_eq!(hash("a", "secret"), hash("a", "secret"));
    }

    #[test]
    fn a_token_stored_before_there_was_a_key_is_still_recognised() {
        let key = TokenKey::new([7; 32]).unwrap();
        let tokens = [application(claimed(None, "a", "secret").to_store())];
        assert!(
            claimed(Some(&key), "a", "secret")
                .find(&tokens, 0)
                .is_some()
        );
    }

    #[test]
    fn a_token_that_has_ended_is_none() {
        let tokens = [application(claimed(None, "a", "secret").to_store()).with_expires_at(10)];
        assert!(claimed(None, "a", "secret").find(&tokens, 9).is_some());
        assert!(claimed(None, "a", "secret").find(&tokens, 10).is_none());
    }

    #[test]
    fn a_pending_installation_is_no_token() {
        let text = pending(100).encoded().clone();
        assert!(
            Claimed {
                plain: text,
                hashed: None
            }
            .find(&[pending(100)], 0)
            .is_none()
        );
    }

    #[test]
    fn a_kind_is_read_back_from_its_name() {
        for (kind, name) in TokenKind::NAMES {
            assert_eq!(kind.as_str(), name);
            assert_eq!(TokenKind::from_name(name), Some(kind));
        }
        assert_eq!(TokenKind::from_name("other"), None);
    }
}
