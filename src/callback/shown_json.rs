//! `ShownJson`: JSON without its secrets, in the order in which it was sent.

use std::collections::HashMap;
use std::fmt;

use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value as Json;

use crate::secret::{REDACTED, is_secret, without_secrets};

/// serde_json's own map is sorted by its keys, unless a feature is on that is on for every crate.
pub(super) enum ShownJson {
    Leaf(Json),
    Array(Vec<Self>),
    Object(Vec<(String, Self)>),
}

impl ShownJson {
    /// Returns `None` if it is not JSON.
    pub(super) fn read(json: &[u8]) -> Option<Self> {
        Self::read_redacted(json).map(|(shown, _)| shown)
    }

    /// Returns the JSON, and whether something in it is redacted. Returns `None` if it is not JSON.
    pub(super) fn read_redacted(json: &[u8]) -> Option<(Self, bool)> {
        let mut json: Self = serde_json::from_slice(json).ok()?;
        let is_redacted = json.redact();
        Some((json, is_redacted))
    }

    pub(super) fn remove(&mut self, key: &str) {
        if let Self::Object(fields) = self {
            fields.retain(|(name, _)| name != key);
        }
    }

    /// serde_json has read the value, so its depth is bounded.
    fn redact(&mut self) -> bool {
        match self {
            Self::Leaf(Json::String(text)) => {
                let shown = without_secrets(text).into_owned();
                let is_redacted = shown != *text;
                *text = shown;
                is_redacted
            }
            Self::Leaf(_) => false,
            Self::Array(values) => values
                .iter_mut()
                .fold(false, |any, value| value.redact() | any),
            Self::Object(fields) => fields.iter_mut().fold(false, |any, (key, value)| {
                if is_secret(key) && !value.counts_tokens(key) {
                    *value = Self::Leaf(Json::from(REDACTED));
                    true
                } else {
                    value.redact() | any
                }
            }),
        }
    }

    /// `max_tokens` of a request to a provider of AI is a number of tokens.
    fn counts_tokens(&self, key: &str) -> bool {
        matches!(self, Self::Leaf(Json::Number(_))) && key == "max_tokens"
    }
}

impl Serialize for ShownJson {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Leaf(value) => value.serialize(serializer),
            Self::Array(values) => serializer.collect_seq(values),
            Self::Object(fields) => {
                serializer.collect_map(fields.iter().map(|(key, value)| (key, value)))
            }
        }
    }
}

/// Writes the JSON.
impl fmt::Display for ShownJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(self).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for ShownJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<'de> Deserialize<'de> for ShownJson {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = ShownJson;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<ShownJson, E> {
        Ok(ShownJson::Leaf(Json::Null))
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<ShownJson, E> {
        Ok(ShownJson::Leaf(value.into()))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<ShownJson, E> {
        Ok(ShownJson::Leaf(value.into()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<ShownJson, E> {
        Ok(ShownJson::Leaf(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<ShownJson, E> {
        Ok(ShownJson::Leaf(value.into()))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<ShownJson, E> {
        Ok(ShownJson::Leaf(value.into()))
    }

    fn visit_string<E: Error>(self, value: String) -> Result<ShownJson, E> {
        Ok(ShownJson::Leaf(value.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<ShownJson, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = seq.next_element()? {
            values.push(value);
        }
        Ok(ShownJson::Array(values))
    }

    /// A key that appears twice has its last value, as PHP reads it.
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ShownJson, A::Error> {
        let mut fields: Vec<(String, ShownJson)> = Vec::new();
        let mut places = HashMap::new();
        while let Some((key, value)) = map.next_entry::<String, ShownJson>()? {
            let place = *places.entry(key.clone()).or_insert(fields.len());
            match fields.get_mut(place) {
                Some(field) => field.1 = value,
                None => fields.push((key, value)),
            }
        }
        // With serde_json's feature `arbitrary_precision`, a number comes as a map.
        if let [(key, ShownJson::Leaf(Json::String(text)))] = &fields[..] {
            if key == "$serde_json::private::Number" {
                if let Ok(number) = text.parse() {
                    return Ok(ShownJson::Leaf(Json::Number(number)));
                }
            }
        }
        Ok(ShownJson::Object(fields))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_shown_in_its_order_and_without_secrets() {
        for (json, shown) in [
            (
                r#"{"z": [1, -2, 0.5, null, true], "a": {"y": "x", "b": {}}}"#,
                None,
            ),
            (
                r#"{"z": 1, "a": [{"password": 7, "x": 2}], "z": 3}"#,
                Some(r#"{"z":3,"a":[{"password":"[redacted]","x":2}]}"#),
            ),
            (
                r#"{"max_tokens": 1000, "tokens": "canary", "access_tokens": ["canary"]}"#,
                Some(r#"{"max_tokens":1000,"tokens":"[redacted]","access_tokens":"[redacted]"}"#),
            ),
            (
                r#"{"access_tokens": 1234, "x": 1}"#,
                Some(r#"{"access_tokens":"[redacted]","x":1}"#),
            ),
            (
                r#"[{"$serde_json::private::Number": "-1.5"}, {"password": 1}]"#,
                Some(r#"[-1.5,{"password":"[redacted]"}]"#),
            ),
            (
                r#""/d/?auth=canary&x=1""#,
                Some(r#""/d/?auth=[redacted]&x=1""#),
            ),
        ] {
            let (read, is_redacted) = ShownJson::read_redacted(json.as_bytes()).unwrap();
            assert_eq!(is_redacted, shown.is_some(), "{json}");
            let plain = json.replace(": ", ":").replace(", ", ",");
            assert_eq!(read.to_string(), shown.unwrap_or(&plain));
            assert_eq!(format!("{read:?}"), read.to_string());
        }
        for json in ["", "{", "x", r#"{"a": 1} x"#, &"[".repeat(1000)] {
            assert!(ShownJson::read(json.as_bytes()).is_none(), "{json}");
        }
    }
}
