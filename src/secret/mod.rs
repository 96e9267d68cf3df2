//! Values that must not leak, and the keys that name them.

mod keys;
mod link;

use std::fmt;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use subtle::{Choice, ConstantTimeEq};

pub(crate) use self::keys::{is_secret, is_secret_key, names_auth};
pub(crate) use self::link::without_secrets;

/// A string that must not leak, such as a token.
///
/// It has no `Display`, and `Debug` and `Serialize` write `[redacted]`. Two secrets are compared in
/// constant time. Only [`expose`](Self::expose) returns the string.
///
/// A serialized secret cannot be deserialized: reading `[redacted]` is an error, so that a round trip
/// does not store it as a token.
///
/// ```
/// use tower_bitrix24::Secret;
///
/// let token = Secret::new("51856fefc120afa4b628cc82d3935cce");
/// assert_eq!(format!("{token:?}"), "[redacted]");
/// assert_eq!(token.expose(), "51856fefc120afa4b628cc82d3935cce");
/// ```
#[derive(Clone)]
pub struct Secret(Box<str>);

/// Replaces a secret in every output.
pub(crate) const REDACTED: &str = "[redacted]";

impl Secret {
    /// Creates a secret.
    pub fn new(secret: impl Into<String>) -> Self {
        Self(secret.into().into_boxed_str())
    }

    /// Returns the string. Keep it out of logs, errors and responses.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Compares in a time that depends only on the lengths.
    pub(crate) fn is(&self, text: &[u8]) -> Choice {
        let secret = self.0.as_bytes();
        if secret.len() != text.len() {
            return Choice::from(0);
        }
        // `subtle` compares slices byte by byte, with an optimization barrier for each byte. Whole
        // words need an eighth of the barriers, and a layer may have many tokens.
        // `benches/counts.rs` counts the instructions, `benches/constant_time.rs` tests the times.
        let word = |bytes: &[u8]| u64::from_ne_bytes(std::array::from_fn(|at| bytes[at]));
        let (secret, text) = (secret.chunks_exact(8), text.chunks_exact(8));
        let rest = secret.remainder().ct_eq(text.remainder());
        let words = secret.zip(text);
        words.fold(rest, |same, (a, b)| same & word(a).ct_eq(&word(b)))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

impl From<String> for Secret {
    fn from(secret: String) -> Self {
        Self::new(secret)
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.is(other.0.as_bytes()).into()
    }
}

impl Eq for Secret {}

/// Writes `[redacted]`.
impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(REDACTED)
    }
}

/// Reads any string but `[redacted]`.
impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let secret = String::deserialize(deserializer)?;
        if secret == REDACTED {
            return Err(D::Error::custom(
                "a redacted secret cannot be read back: store what `expose` returns",
            ));
        }
        Ok(Self::new(secret))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_equal_if_every_byte_is() {
        let secret = Secret::new("secret");
        assert_eq!(secret, Secret::new("secret"));
        for other in ["", "secre", "secrets", "Secret", "secreT", "terces"] {
            assert_ne!(secret, Secret::new(other), "{other}");
        }
        for length in 0..34 {
            let secret = Secret::new("s".repeat(length));
            assert_eq!(secret, secret.clone());
            for at in 0..length {
                let mut other = "s".repeat(length);
                other.replace_range(at..=at, "r");
                assert_ne!(secret, Secret::new(other), "{at} of {length}");
            }
        }
    }

    #[test]
    fn secret_is_serialized_redacted_and_cannot_be_read_back() {
        let secret: Secret = serde_json::from_str("\"secret\"").unwrap();
        assert_eq!(secret.expose(), "secret");
        assert_eq!(format!("{secret:?} {secret:#?}"), "[redacted] [redacted]");
        let json = serde_json::to_string(&secret).unwrap();
        assert_eq!(json, "\"[redacted]\"");
        assert!(serde_json::from_str::<Secret>(&json).is_err());
    }
}
