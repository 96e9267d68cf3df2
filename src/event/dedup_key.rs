//! `DedupKey`: the identity of a delivery.

use std::fmt;

use sha2::{Digest, Sha256};

use super::Event;

/// The identity of a delivery: a SHA-256 hash over the portal, the code, the handler's id, the time
/// and the data of an event.
///
/// A request that arrives twice has the same key, and so have the retries and replays of an inbox. A
/// handler can therefore store it as a unique key in the transaction of its effect. Tokens in `auth`
/// are not part of it. `Display` writes 64 hex digits.
///
/// Two changes of an object within one second have the same key if their data are the same. That does
/// no harm if the handler reads the object's state, but such an event must not count as done before
/// the object was read.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DedupKey([u8; 32]);

impl DedupKey {
    /// Creates a key from its bytes, for a store that reads it back.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Returns the bytes of the key.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl Event {
    /// Returns the identity of the delivery, to detect an event that arrives twice.
    ///
    /// Each of two handler registrations gets a request of its own with its own
    /// [`handler_id`](Self::handler_id), and so with a key of its own.
    ///
    /// ```
    /// use std::collections::HashSet;
    /// use tower_bitrix24::event::DedupKey;
    /// use tower_bitrix24::{ApplicationToken, Envelope, Event};
    ///
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// let event = async |body: String| {
    ///     let token = ApplicationToken::new("192735").unwrap();
    ///     Event::verify(Envelope::scan(body).unwrap(), &token).await.unwrap()
    /// };
    /// let body = "event=ONCRMDEALUPDATE&data[FIELDS][ID]=42&ts=1466439714&auth[member_id]=riga\
    ///             &auth[application_token]=192735";
    /// let later = body.replace("1466439714", "1466439790");
    ///
    /// let mut seen: HashSet<DedupKey> = HashSet::new();
    /// assert!(seen.insert(event(body.to_owned()).await.dedup_key()));
    /// assert!(!seen.insert(event(body.to_owned()).await.dedup_key()), "it is a duplicate");
    /// assert!(seen.insert(event(later).await.dedup_key()), "it changed again");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn dedup_key(&self) -> DedupKey {
        let member_id = self.member_id().unwrap_or_default();
        let code = self.code().to_ascii_uppercase();
        // Ids that no database holds are as good as none.
        let handler_id = self.handler_id().and_then(|id| i64::try_from(id).ok());
        let handler_id = handler_id.map_or(String::new(), |id| id.to_string());
        let timestamp = self.timestamp().map_or(String::new(), |ts| ts.to_string());
        let data = self.raw_data().unwrap_or_default();
        DedupKey(hash(
            "key",
            &[
                member_id.as_bytes(),
                code.as_bytes(),
                handler_id.as_bytes(),
                timestamp.as_bytes(),
                &data,
            ],
        ))
    }
}

impl fmt::Display for DedupKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for DedupKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Hashes the parts with their lengths, so that no two lists of parts hash the same bytes.
pub(crate) fn hash(domain: &str, parts: &[&[u8]]) -> [u8; 32] {
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
    use crate::envelope::Envelope;

    #[test]
    fn hash_depends_on_where_one_part_ends() {
        assert_ne!(hash("key", &[b"ab", b"c"]), hash("key", &[b"a", b"bc"]));
        assert_ne!(hash("key", &[b"a", b""]), hash("key", &[b"a"]));
        assert_ne!(hash("key", &[b"a"]), hash("lane", &[b"a"]));
    }

    #[test]
    fn key_is_displayed_as_64_hex_digits() {
        let key = DedupKey::from_bytes([0x0f; 32]);
        assert_eq!(key.to_string(), "0f".repeat(32));
        assert_eq!(format!("{key:?}"), key.to_string());
    }

    #[test]
    fn dedup_key_depends_on_everything_but_the_tokens_of_auth() {
        const DEAL: &str = "event=ONCRMDEALUPDATE&event_handler_id=1&data[FIELDS][ID]=42&ts=9\
                            &auth[member_id]=a&auth[access_token]=t&auth[application_token]=t";
        let key = |from: &str, to: &str| {
            let body = DEAL.replace(from, to);
            Event::from_verified(Envelope::scan(body).unwrap()).dedup_key()
        };
        let deal = key("", "");
        assert_eq!(key("access_token]=t", "access_token]=u"), deal);
        assert_eq!(key("application_token]=t", "application_token]=u"), deal);
        assert_eq!(key("ONCRMDEALUPDATE", "onCrmDealUpdate"), deal);
        for (from, to) in [
            ("ONCRMDEALUPDATE", "ONCRMDEALADD"),
            ("handler_id=1", "handler_id=2"),
            ("&event_handler_id=1", ""),
            ("[ID]=42", "[ID]=43"),
            ("ts=9", "ts=8"),
            ("&ts=9", ""),
            ("member_id]=a", "member_id]=b"),
        ] {
            assert_ne!(key(from, to), deal, "{from} {to}");
        }
    }

    /// A changed definition would handle again what a store has seen.
    #[test]
    fn dedup_key_of_an_event_stays_the_same_between_versions() {
        let body = "event=ONAPPTEST&data[A]=1&ts=9&auth[member_id]=a&auth[application_token]=t";
        let event = Event::from_verified(Envelope::scan(body).unwrap());
        let mut text = Vec::new();
        for part in ["key", "a", "ONAPPTEST", "", "9", "data[A]=1"] {
            text.extend_from_slice(&(part.len() as u64).to_be_bytes());
            text.extend_from_slice(part.as_bytes());
        }
        let expected: [u8; 32] = Sha256::digest(&text).into();
        assert_eq!(event.dedup_key().as_bytes(), &expected);
    }
}
