//! A map whose first key has been read.

use serde::de::{DeserializeSeed, IntoDeserializer, MapAccess};

/// A map whose first key was read to see what the map is, and which gives that key once more.
pub(super) struct Entered<A> {
    key: Option<String>,
    entries: A,
}

impl<A> Entered<A> {
    pub(super) fn new(key: String, entries: A) -> Self {
        Self {
            key: Some(key),
            entries,
        }
    }

    /// The first key, if nobody asked for it.
    pub(super) fn into_key(self) -> Option<String> {
        self.key
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Entered<A> {
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
