//! Reads a `Value` as a part of a type.

use std::fmt;

use serde::de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::value::Value;

/// Reads any form data as part of a type for [`Event::data_as`](crate::Event::data_as), with the keys of
/// arrays sorted.
impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // If asked for a map, serde_qs gives a string as a map with an empty key, and an empty string as
        // an empty map; if asked for anything, it takes a map of ids for a list.
        deserializer.deserialize_map(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string or an array")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(value) = values.next_element()? {
            entries.push((entries.len().to_string(), value));
        }
        Ok(Value::from_entries(entries))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut values: A) -> Result<Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(key) = values.next_key::<String>()? {
            if key.is_empty() {
                return values.next_value_seed(Leaf);
            }
            entries.push((key, values.next_value()?));
        }
        if entries.is_empty() {
            return Ok(Value::Text(String::new()));
        }
        Ok(Value::from_entries(entries))
    }
}

/// A string, UTF-8 or not.
struct Leaf;

impl<'de> DeserializeSeed<'de> for Leaf {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_bytes(self)
    }
}

impl<'de> Visitor<'de> for Leaf {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.to_owned()))
    }

    fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Value, E> {
        Ok(Value::from_bytes(bytes.to_owned()))
    }
}
