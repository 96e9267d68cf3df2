//! Objects that may be absent or empty.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{IgnoredAny, MapAccess};
use serde::{Deserialize, Deserializer};

use super::peeked::Peeked;

/// Reads an object that may be absent. A string instead of it is PHP's `null`, `false` or empty array,
/// and counts as absent.
pub(crate) fn optional_object<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    struct Visitor<T>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>> serde::de::Visitor<'de> for Visitor<T> {
        type Value = Option<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Option<T>, A::Error> {
            let Some(key) = entries.next_key::<String>()? else {
                return Ok(None);
            };
            if key.is_empty() {
                return entries.next_value().map(|IgnoredAny| None);
            }
            T::deserialize(MapAccessDeserializer::new(Peeked::new(key, entries))).map(Some)
        }
    }

    // If asked for a map, serde_qs gives a string as a map with an empty key, and an empty string as an
    // empty map.
    deserializer.deserialize_map(Visitor(PhantomData))
}
