//! `EntryKey`: the identities that are derived from an event.

use std::fmt;

use sha2::{Digest, Sha256};

/// The identity of a delivery: a SHA-256 hash over the portal, the code, the handler's id, the time
/// and the data of an event.
///
/// A retry and a replay of an entry have the same key, so that a handler can store it as a unique key
/// in the transaction of its effect. Tokens are not part of it. `Display` writes 64 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EntryKey([u8; 32]);

impl EntryKey {
    /// Creates a key from its bytes, for a store that reads it back.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Returns the bytes of the key.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for EntryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for EntryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Hashes the parts with their lengths, so that no two lists of parts hash the same bytes.
pub(super) fn hash(domain: &str, parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for part in std::iter::once(domain.as_bytes()).chain(parts.iter().copied()) {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    hasher.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hash_depends_on_where_one_part_ends() {
        assert_ne!(hash("key", &[b"ab", b"c"]), hash("key", &[b"a", b"bc"]));
        assert_ne!(hash("key", &[b"a", b""]), hash("key", &[b"a"]));
        assert_ne!(hash("key", &[b"a"]), hash("lane", &[b"a"]));
    }

    #[test]
    fn key_is_displayed_as_64_hex_digits() {
        let key = EntryKey::from_bytes([0x0f; 32]);
        assert_eq!(key.to_string(), "0f".repeat(32));
        assert_eq!(format!("{key:?}"), key.to_string());
    }
}
