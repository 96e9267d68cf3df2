//! Values that must not leak, and the keys that name them.

mod keys;
mod link;

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use subtle::{Choice, ConstantTimeEq};

pub(crate) use self::keys::{is_secret, names_auth, names_secret};
pub(crate) use self::link::without_secrets;

/// A text that must not leak: a token.
///
/// It has no `Display`, its `Debug` and its serialised form say `[redacted]`, and two secrets are
/// compared in constant time. [`expose`](Self::expose) is the only way to the text.
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

/// What stands in a secret's place wherever it would be shown.
pub(crate) const REDACTED: &str = "[redacted]";

impl Secret {
    /// Takes a text into safe keeping.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into().into_boxed_str())
    }

    /// The text. Keep it out of logs, errors and answers.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether it is `text`, in a time that tells of the texts whether they are equally long.
    pub(crate) fn is(&self, text: &[u8]) -> Choice {
        let secret = self.0.as_bytes();
        if secret.len() != text.len() {
            return Choice::from(0);
        }
        // Eight bytes at a time: each comparison has a barrier, and a layer may have many tokens.
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

/// Reads any text.
impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_equal_where_every_byte_is() {
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
    fn a_secret_is_shown_and_written_redacted_and_read_as_it_is() {
        let secret: Secret = serde_json::from_str("\"secret\"").unwrap();
        assert_eq!(secret.expose(), "secret");
        assert_eq!(format!("{secret:?} {secret:#?}"), "[redacted] [redacted]");
        assert_eq!(serde_json::to_string(&secret).unwrap(), "\"[redacted]\"");
    }
}
