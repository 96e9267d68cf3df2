//! Hashed tokens, and the comparison of a presented token with the stored ones.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::Choice;

use super::token::{PortalToken, TokenKind};
use crate::error::ConfigError;
use crate::secret::Secret;

/// A key that hashes tokens by HMAC-SHA-256 before a store gets them.
///
/// Without the key, nobody who reads the database can forge an event. The cost is a hash of about a
/// microsecond for each event, and one more secret to keep. There is no way back: if the key is lost
/// or changed, no stored hash is recognized, and every portal has to install the application again.
///
/// The hash also covers the portal's member id, so equal tokens of two portals have different hashes.
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
    /// The minimum length of a key, in bytes.
    pub const MIN_LEN: usize = 32;

    /// Creates a key from random bytes.
    ///
    /// # Errors
    ///
    /// Returns an error if the key is shorter than [`MIN_LEN`](Self::MIN_LEN).
    pub fn new(key: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        let key = key.as_ref();
        if key.len() < Self::MIN_LEN {
            return Err(ConfigError::new(format!(
                "the token key has {} bytes, but must have at least {}",
                key.len(),
                Self::MIN_LEN
            )));
        }
        Ok(Self(hmac(key)))
    }

    fn hash(&self, member_id: &str, token: &[u8]) -> String {
        let mut hmac = self.0.clone();
        // The length, so that bytes cannot move between the two strings.
        hmac.update(&(member_id.len() as u64).to_be_bytes());
        hmac.update(member_id.as_bytes());
        hmac.update(token);
        let hash = hmac.finalize().into_bytes();
        let mut encoded = String::from("hmac-sha256:");
        for byte in hash {
            fmt::Write::write_fmt(&mut encoded, format_args!("{byte:02x}"))
                .expect("a String can always be written to");
        }
        encoded
    }
}

fn hmac(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes keys of every length")
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenKey([redacted])")
    }
}

/// The strings by which a store may keep the token of a request.
pub(in crate::portals) struct PresentedToken {
    plain: Secret,
    hashed: Option<Secret>,
}

/// So many comparisons take as long for an unknown portal as for one with a few tokens.
const MIN_COMPARISONS: usize = 4;

impl PresentedToken {
    pub(in crate::portals) fn new(key: Option<&TokenKey>, member_id: &str, token: &Secret) -> Self {
        let token = token.expose();
        Self {
            // With a prefix, so that no hash from a stolen database is ever a token.
            plain: Secret::new(format!("plain:{token}")),
            hashed: key.map(|key| Secret::new(key.hash(member_id, token.as_bytes()))),
        }
    }

    pub(in crate::portals) fn to_store(&self) -> Secret {
        self.hashed.as_ref().unwrap_or(&self.plain).clone()
    }

    pub(in crate::portals) fn forms(&self) -> impl Iterator<Item = &Secret> {
        self.hashed.iter().chain([&self.plain])
    }

    /// Returns the stored token that is the presented one and valid. Compares with all of them,
    /// so that the time does not depend on which it is.
    pub(in crate::portals) fn find<'a>(
        &self,
        tokens: &'a [PortalToken],
        now: i64,
    ) -> Option<&'a PortalToken> {
        let mut matched = None;
        for at in 0..tokens.len().max(MIN_COMPARISONS) {
            let token = tokens.get(at);
            let encoded = token.map_or(&self.plain, PortalToken::encoded);
            // Compared first, whether there is a token or not.
            let is_presented = bool::from(self.is(encoded)) & token.is_some();
            if let Some(token) = token.filter(|_| is_presented) {
                if token.kind() != TokenKind::Pending && token.is_valid(now) {
                    matched = Some(token);
                }
            }
        }
        matched
    }

    /// Tokens from before there was a key are stored unhashed.
    fn is(&self, encoded: &Secret) -> Choice {
        let encoded = encoded.expose().as_bytes();
        let is = |form: &Secret| form.is(encoded);
        is(&self.plain) | self.hashed.as_ref().map_or(Choice::from(0), is)
    }
}

#[cfg(test)]
mod tests {
    use super::super::token::pending;
    use super::*;

    fn presented(key: Option<&TokenKey>, member_id: &str, token: &str) -> PresentedToken {
        PresentedToken::new(key, member_id, &Secret::new(token))
    }

    fn application(stored: Secret) -> PortalToken {
        PortalToken::new(TokenKind::Application, stored)
    }

    #[test]
    fn presented_token_is_found_hashed_or_not() {
        let key = TokenKey::new([7; 32]).unwrap();
        for key in [None, Some(&key)] {
            let stored = |token| application(presented(key, "a", token).to_store());
            let tokens: Vec<_> = ["1", "2", "3", "4", "5", "6"].map(stored).into();
            for token in ["1", "6"] {
                let found = presented(key, "a", token).find(&tokens, 0).unwrap();
                assert_eq!(*found, stored(token));
            }
            for wrong in ["", "7", "plain:1", "12"] {
                assert!(presented(key, "a", wrong).find(&tokens, 0).is_none());
            }
            assert!(presented(key, "a", "1").find(&[], 0).is_none());
        }
    }

    #[test]
    fn encoded_token_of_a_stolen_database_is_not_a_token() {
        let key = TokenKey::new([7; 32]).unwrap();
        let hash = presented(Some(&key), "a", "secret").to_store();
        assert!(!hash.expose().contains("secret"));
        let tokens = [application(hash.clone())];
        for key in [None, Some(&key)] {
            assert!(
                presented(key, "a", hash.expose())
                    .find(&tokens, 0)
                    .is_none()
            );
        }
        let other = TokenKey::new([8; 32]).unwrap();
        assert!(
            presented(Some(&other), "a", "secret")
                .find(&tokens, 0)
                .is_none()
        );
    }

    #[test]
    fn equal_tokens_of_two_portals_have_different_hashes() {
        let key = TokenKey::new([7; 32]).unwrap();
        let hash = |member_id, token| presented(Some(&key), member_id, token).to_store();
        assert_ne!(hash("a", "secret"), hash("b", "secret"));
        assert_ne!(hash("a", "bsecret"), hash("ab", "secret"));
        assert_eq!(hash("a", "secret"), hash("a", "secret"));
    }

    #[test]
    fn token_stored_before_there_was_a_key_is_recognized() {
        let key = TokenKey::new([7; 32]).unwrap();
        let tokens = [application(presented(None, "a", "secret").to_store())];
        assert!(
            presented(Some(&key), "a", "secret")
                .find(&tokens, 0)
                .is_some()
        );
    }

    #[test]
    fn expired_token_is_not_found() {
        let tokens = [application(presented(None, "a", "secret").to_store()).with_expires_at(10)];
        assert!(presented(None, "a", "secret").find(&tokens, 9).is_some());
        assert!(presented(None, "a", "secret").find(&tokens, 10).is_none());
    }

    #[test]
    fn pending_installation_is_not_a_token() {
        let text = pending(100).encoded().clone();
        assert!(
            PresentedToken {
                plain: text,
                hashed: None
            }
            .find(&[pending(100)], 0)
            .is_none()
        );
    }
}
