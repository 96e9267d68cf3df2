use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use subtle::ConstantTimeEq;

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
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
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
    }

    #[test]
    fn a_secret_is_shown_and_written_redacted_and_read_as_it_is() {
        let secret: Secret = serde_json::from_str("\"secret\"").unwrap();
        assert_eq!(secret.expose(), "secret");
        assert_eq!(format!("{secret:?} {secret:#?}"), "[redacted] [redacted]");
        assert_eq!(serde_json::to_string(&secret).unwrap(), "\"[redacted]\"");
    }
}
