//! `Value` and `Array`: a decoded form as a tree.

use std::collections::HashMap;
use std::ops::Index;

use super::key::{self, php_index};

/// A value of an event's `data`, as PHP's `parse_str` returns it.
///
/// Everything on the wire is a string or an array. The keys of an array are strings in the order of
/// the form. In JSON, an array with the keys 0, 1, 2, … is a list and any other is an object,
/// as in PHP's `json_encode`.
///
/// It differs from PHP if PHP would lose something or if two parsers could disagree:
///
/// | body | PHP | here |
/// |---|---|---|
/// | a string that is not UTF-8 | bytes, and no JSON | [`Bytes`](Self::Bytes), with replacement characters in JSON |
/// | a key that is not UTF-8 | bytes, and no JSON | its bytes stay percent-encoded: `%FF`. A literal key `%FF` is `%25FF` then |
/// | arrays more than [64](Self::MAX_DEPTH) deep | the pair is dropped, and all of `data` before it | the deeper keys are one key |
/// | many arrays for its length | so many arrays | [not read](Self::MAX_ARRAYS) |
/// | `data[]=x` behind `data[9223372036854775807]=y` | the pair is dropped | it has the next index |
/// | NUL in a key, `data[a%00b]=x` | ends the key there | is part of the key |
/// | ` data[a]=x`, `data%00b[a]=x` | is `data[a]=x` | the body is rejected |
/// | `[data][a]=x` | is nothing | the body is rejected: it is `data[a]` to serde_qs |
/// | more than 1,000 pairs | the rest is dropped | [10,000](crate::Envelope::MAX_PAIRS), then the body is rejected |
///
/// `Debug` and `Serialize` redact secrets at any depth:
///
/// - everything under the key of a secret (`application_token`, `TOKEN`, `password`, `apiKey`,
///   `cookie`, …);
/// - a string, or a list of strings, under `auth`;
/// - the value of such a parameter in a link (`https://…?auth=…`).
///
/// [`expose`](Self::expose) includes them.
///
/// ```
/// use tower_bitrix24::{ApplicationToken, Envelope, Event};
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let body = "event=ONIMBOTDELETE&data[BOT][7][BOT_ID]=7&data[BOT][7][access_token]=s6p6eclrvim6da22\
///             &data[TAGS][0]=a&data[TAGS][1]=b&auth[application_token]=192735";
/// let token = ApplicationToken::new("192735")?;
/// let event = Event::verify(Envelope::scan(body)?, &token).await?;
///
/// let data = event.data().expect("the event has data");
/// assert_eq!(data["BOT"]["7"]["BOT_ID"].as_str(), Some("7"));
/// assert_eq!(
///     serde_json::to_value(data)?,
///     serde_json::json!({"BOT": {"7": {"BOT_ID": "7", "access_token": "[redacted]"}}, "TAGS": ["a", "b"]}),
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub enum Value {
    /// A string.
    Text(String),
    /// A string that is not UTF-8, as its bytes.
    Bytes(Vec<u8>),
    /// Values by key.
    Array(Array),
}

/// The values of an array by their keys, in the order of the form. In a field of a payload they are
/// sorted, indices first.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Array(pub(super) Vec<(String, Value)>);

impl Value {
    /// The maximum depth of arrays. Deeper keys are one key at the last level, brackets included.
    ///
    /// PHP's `max_input_nesting_level` has the same default. PHP drops a deeper pair and, with it,
    /// everything before it under the same root: all of `data`.
    pub const MAX_DEPTH: usize = key::MAX_DEPTH;

    /// The maximum number of arrays in the data of an event, plus one for each
    /// [64 bytes](Self::BYTES_PER_ARRAY) of them.
    ///
    /// An array costs far more memory and time than the two brackets that make one, so this bounds
    /// what a body costs by its length. No documented event has more than 7 arrays. The data of an
    /// event with more are not read: its payload is [`Unknown`](crate::Payload::Unknown), its
    /// [`mismatch`](crate::Event::mismatch) says so, and [`raw_data`](crate::Event::raw_data)
    /// returns them unchanged.
    pub const MAX_ARRAYS: usize = 256;

    /// The bytes of data that allow an array beyond [`MAX_ARRAYS`](Self::MAX_ARRAYS).
    pub const BYTES_PER_ARRAY: usize = 64;

    pub(super) const fn max_arrays(bytes: usize) -> usize {
        Self::MAX_ARRAYS + bytes / Self::BYTES_PER_ARRAY
    }

    /// Creates an array. The keys must differ.
    pub(crate) fn from_entries(entries: Vec<(String, Value)>) -> Self {
        Self::Array(Array(entries))
    }

    pub(super) fn from_bytes(text: Vec<u8>) -> Self {
        String::from_utf8(text).map_or_else(|error| Self::Bytes(error.into_bytes()), Self::Text)
    }

    /// Returns the string, or `None` if this is an array or not UTF-8.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Returns the bytes of the string, or `None` if this is an array.
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Text(text) => Some(text.as_bytes()),
            Self::Bytes(bytes) => Some(bytes),
            Self::Array(_) => None,
        }
    }

    /// Returns the array, or `None` if this is a string.
    pub fn as_array(&self) -> Option<&Array> {
        match self {
            Self::Array(array) => Some(array),
            _ => None,
        }
    }

    /// Returns the value under `key`, or `None` if this is not an array or has no such key.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.as_array()?.get(key)
    }
}

impl From<&str> for Value {
    fn from(string: &str) -> Self {
        Self::Text(string.to_owned())
    }
}

impl From<String> for Value {
    fn from(string: String) -> Self {
        Self::Text(string)
    }
}

impl FromIterator<(String, Value)> for Array {
    /// A later value replaces an earlier one with the same key, in its place.
    fn from_iter<I: IntoIterator<Item = (String, Value)>>(entries: I) -> Self {
        let mut places: HashMap<String, usize> = HashMap::new();
        let mut array: Vec<(String, Value)> = Vec::new();
        for (key, value) in entries {
            if let Some(&place) = places.get(&key) {
                array[place].1 = value;
                continue;
            }
            places.insert(key.clone(), array.len());
            array.push((key, value));
        }
        Self(array)
    }
}

impl IntoIterator for Array {
    type Item = (String, Value);
    type IntoIter = std::vec::IntoIter<(String, Value)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

/// Returns the value under `key`. Panics if the array has no such key.
impl Index<&str> for Array {
    type Output = Value;

    fn index(&self, key: &str) -> &Value {
        match self.get(key) {
            Some(value) => value,
            None => panic!("the array has no key {key:?}"),
        }
    }
}

impl Array {
    /// Returns the number of values.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns `true` if there are no values. PHP does not send empty arrays.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns `true` if the keys are 0, 1, 2, … in this order.
    pub fn is_list(&self) -> bool {
        self.0
            .iter()
            .enumerate()
            .all(|(i, (key, _))| php_index(key) == Some(i as i64))
    }

    /// Returns the value under `key`.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.0
            .iter()
            .find(|(name, _)| name == key)
            .map(|(_, value)| value)
    }

    pub(crate) fn get_mut(&mut self, key: &str) -> Option<&mut Value> {
        let mut entries = self.0.iter_mut();
        entries.find_map(|(name, value)| (name == key).then_some(value))
    }

    pub(crate) fn remove(&mut self, key: &str) {
        self.0.retain(|(name, _)| name != key);
    }

    /// Returns the keys and their values in the order of the form.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Value)> + DoubleEndedIterator {
        self.0.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// Returns the values in the order of the form.
    pub fn values(&self) -> impl ExactSizeIterator<Item = &Value> + DoubleEndedIterator {
        self.0.iter().map(|(_, value)| value)
    }
}

/// Returns the value under `key`.
///
/// # Panics
///
/// Panics if the value is not an array or has no such key.
impl Index<&str> for Value {
    type Output = Value;

    fn index(&self, key: &str) -> &Value {
        self.get(key)
            .unwrap_or_else(|| panic!("the value has no key {key:?}"))
    }
}
