//! A map whose first key has been read.

use serde::de::{DeserializeSeed, IntoDeserializer, MapAccess};

/// A map that returns its first key again after that key was read to see what the map is.
pub(super) struct Peeked<A> {
    key: Option<String>,
    entries: A,
}

impl<A> Peeked<A> {
    pub(super) fn new(key: String, entries: A) -> Self {
        Self {
            key: Some(key),
            entries,
        }
    }

    /// Returns the first key unless it was read again.
    pub(super) fn into_key(self) -> Option<String> {
        self.key
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Peeked<A> {
    type Error = A::Error;

    fn next_key_seed<K>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error>
    where
        K: DeserializeSeed<'de>,
    {
        match self.key.take() {
            Some(key) => seed.deserialize(key.into_deserializer()).map(Some),
            None => self.entries.next_key_seed(seed),
        }
    }

    fn next_value_seed<V>(&mut self, seed: V) -> Result<V::Value, A::Error>
    where
        V: DeserializeSeed<'de>,
    {
        self.entries.next_value_seed(seed)
    }
}
