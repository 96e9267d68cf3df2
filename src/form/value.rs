//! `Value` and `Array`: a decoded form as a tree.

use std::ops::Index;

use super::key::{self, php_index};

/// A value of an event's `data`, as PHP's `parse_str` would give it.
///
/// Everything on the wire is a text or an array, and an array's keys are texts in the order in
/// which they came. As JSON, an array whose keys are 0, 1, 2, … is a list and any other an object,
/// as PHP's `json_encode` has it.
///
/// It differs from PHP where PHP would lose something, or where two parsers could disagree:
///
/// | body | PHP | here |
/// |---|---|---|
/// | a text that is not UTF-8 | bytes, and no JSON | [`Bytes`](Self::Bytes), with replacement characters in JSON |
/// | a key that is not UTF-8 | bytes, and no JSON | its bytes stay percent-encoded: `%FF`. A key that says `%FF` itself is `%25FF` then |
/// | arrays more than [64](Self::MAX_DEPTH) deep | the pair is dropped, and all of `data` that came before it | the deeper keys are one key |
/// | many arrays for its length | so many arrays | [not read](Self::MAX_ARRAYS) |
/// | `data[]=x` behind `data[9223372036854775807]=y` | the pair is dropped | it has the next index |
/// | NUL in a key, `data[a%00b]=x` | ends the key there | is part of the key |
/// | ` data[a]=x`, `data%00b[a]=x` | is `data[a]=x` | the body is rejected |
/// | `[data][a]=x` | is nothing | the body is rejected: it is `data[a]` to serde_qs |
/// | more than 1,000 pairs | the rest is dropped | [10,000](crate::Envelope::MAX_PAIRS), then the body is rejected |
///
/// What stands under the key of a token or of another secret (`application_token`, `TOKEN`,
/// `password`, `apiKey`, `cookie`, …) at any depth is redacted in `Debug` and in the serialised form,
/// and so is a text, or a list of them, under `auth`, and the value of such a parameter in a link
/// (`https://…?auth=…`); [`expose`](Self::expose) shows it.
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
    /// A text.
    Text(String),
    /// A text that is not UTF-8, as its bytes.
    Bytes(Vec<u8>),
    /// Values by key.
    Array(Array),
}

/// The values of an array by their keys, in the order in which they came.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Array(Vec<(String, Value)>);

impl Value {
    /// The maximum depth of arrays. Deeper keys are one key at the last level, brackets included.
    ///
    /// PHP's `max_input_nesting_level` has the same default. PHP drops a deeper pair and, with it,
    /// everything that came before under the same root: all of `data`.
    pub const MAX_DEPTH: usize = key::MAX_DEPTH;

    /// The number of arrays that the data of an event may have, plus one for each
    /// [64 bytes](Self::BYTES_PER_ARRAY) of them.
    ///
    /// An array costs far more memory and time than the two brackets that make one, so this bounds
    /// what a body costs by its length. No documented event has more than 7 arrays. The data of an
    /// event with more are not read: its payload is [`Unknown`](crate::Payload::Unknown), its
    /// [`mismatch`](crate::Event::mismatch) says so, and [`raw_data`](crate::Event::raw_data)
    /// returns them as they came.
    pub const MAX_ARRAYS: usize = 256;

    /// The bytes of data that allow an array beyond [`MAX_ARRAYS`](Self::MAX_ARRAYS).
    pub const BYTES_PER_ARRAY: usize = 64;

    /// The number of arrays that so many bytes of data may have.
    pub(super) const fn max_arrays(bytes: usize) -> usize {
        Self::MAX_ARRAYS + bytes / Self::BYTES_PER_ARRAY
    }

    /// An array of values whose keys differ.
    pub(crate) fn from_entries(entries: Vec<(String, Value)>) -> Self {
        Self::Array(Array(entries))
    }

    pub(super) fn from_bytes(text: Vec<u8>) -> Self {
        String::from_utf8(text).map_or_else(|error| Self::Bytes(error.into_bytes()), Self::Text)
    }

    /// The text, unless it is an array or not UTF-8.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The bytes of the text, whether UTF-8 or not.
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Text(text) => Some(text.as_bytes()),
            Self::Bytes(bytes) => Some(bytes),
            Self::Array(_) => None,
        }
    }

    /// The array, unless it is a text.
    pub fn as_array(&self) -> Option<&Array> {
        match self {
            Self::Array(array) => Some(array),
            _ => None,
        }
    }

    /// The value under `key`, if this is an array that has it.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.as_array()?.get(key)
    }

    /// Returns `true` if a text in it is not UTF-8.
    pub(super) fn has_bytes(&self) -> bool {
        match self {
            Self::Text(_) => false,
            Self::Bytes(_) => true,
            Self::Array(array) => array.values().any(Self::has_bytes),
        }
    }
}

impl Array {
    /// How many values there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none. PHP sends no empty arrays.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the keys are 0, 1, 2, … in this order.
    pub fn is_list(&self) -> bool {
        self.0
            .iter()
            .enumerate()
            .all(|(i, (key, _))| php_index(key) == Some(i as i64))
    }

    /// The value under `key`.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.0
            .iter()
            .find(|(name, _)| name == key)
            .map(|(_, value)| value)
    }

    /// The keys and their values.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Value)> + DoubleEndedIterator {
        self.0.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// The values.
    pub fn values(&self) -> impl ExactSizeIterator<Item = &Value> + DoubleEndedIterator {
        self.0.iter().map(|(_, value)| value)
    }
}

/// The value under `key`, as [`Value::get`] has it.
///
/// # Panics
///
/// Where there is none.
impl Index<&str> for Value {
    type Output = Value;

    fn index(&self, key: &str) -> &Value {
        self.get(key)
            .unwrap_or_else(|| panic!("the value has no key {key:?}"))
    }
}
