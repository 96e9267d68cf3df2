//! The lossless tree of `data`.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::iter::from_fn;
use std::num::NonZeroU32;
use std::ops::Index;

use memchr::memchr;
use percent_encoding::{AsciiSet, CONTROLS, percent_encode, percent_encode_byte};
use serde::de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::form::{self, pairs};
use crate::secret::{REDACTED, names_auth, names_secret, without_secrets};

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
    pub const MAX_DEPTH: usize = 64;

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

    /// Reads the pairs of `data`. Returns `None` if there are none.
    pub(super) fn read(data: &[u8]) -> Result<Option<Self>, TooManyArrays> {
        let keys = Keys::decode(data);
        Ok(Tree::read(data, &keys)?.value(ROOT))
    }

    /// An array of values whose keys differ.
    pub(crate) fn from_entries(entries: Vec<(String, Value)>) -> Self {
        Self::Array(Array(entries))
    }

    fn from_bytes(text: Vec<u8>) -> Self {
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

    fn shown(&self, exposed: bool) -> Shown<'_> {
        Shown {
            value: self,
            exposed,
            in_auth: false,
        }
    }

    /// The value for a serialiser, tokens and all. Keep it out of logs.
    ///
    /// ```
    /// # use tower_bitrix24::{ApplicationToken, Envelope, Event};
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// # let body = "event=ONAPPMETHODCONFIRM&data[TOKEN]=fkp963yuv1gg&auth[application_token]=192735";
    /// # let event = Event::verify(Envelope::scan(body)?, &ApplicationToken::new("192735")?).await?;
    /// let data = event.data().expect("the event has data");
    /// assert_eq!(serde_json::to_string(data)?, r#"{"TOKEN":"[redacted]"}"#);
    /// assert_eq!(serde_json::to_string(&data.expose())?, r#"{"TOKEN":"fkp963yuv1gg"}"#);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn expose(&self) -> impl Serialize + '_ {
        self.shown(true)
    }

    /// Returns `true` if a text in it is not UTF-8.
    pub(super) fn has_bytes(&self) -> bool {
        match self {
            Self::Text(_) => false,
            Self::Bytes(_) => true,
            Self::Array(array) => array.values().any(Self::has_bytes),
        }
    }

    /// Writes it as the pairs of a form beneath `key`, which serde_qs reads as PHP does:
    /// `data[FIELDS][ID]=27`. If `lossy`, text that is not UTF-8 gets replacement characters.
    pub(super) fn write_form(&self, key: &mut Vec<u8>, lossy: bool, form: &mut Vec<u8>) {
        if let Some(text) = self.as_bytes() {
            if !form.is_empty() {
                form.push(b'&');
            }
            form.extend_from_slice(key);
            form.push(b'=');
            if lossy && matches!(self, Self::Bytes(_)) {
                escape(String::from_utf8_lossy(text).as_bytes(), form);
            } else {
                escape(text, form);
            }
        }
        for (name, value) in self.as_array().into_iter().flat_map(Array::iter) {
            let end = key.len();
            write_name(name, key);
            value.write_form(key, lossy, form);
            key.truncate(end);
        }
    }
}

/// Writes a name in the brackets of a key.
pub(super) fn write_name(name: &str, key: &mut Vec<u8>) {
    key.push(b'[');
    // serde_qs would take digits for an index and drop the zeros before it.
    let name = match name.strip_prefix('0') {
        Some(rest) if !rest.is_empty() => {
            key.extend_from_slice(b"%30");
            rest
        }
        _ => name,
    };
    escape(name.as_bytes(), key);
    key.push(b']');
}

/// Escapes what has a meaning in a form, and nothing else: a byte becomes three only if it must.
fn escape(mut text: &[u8], form: &mut Vec<u8>) {
    let special = |byte: &u8| matches!(byte, b'%' | b'+' | b'&' | b'=' | b'[' | b']');
    while let Some(at) = text.iter().position(special) {
        form.extend_from_slice(&text[..at]);
        form.extend_from_slice(percent_encode_byte(text[at]).as_bytes());
        text = &text[at + 1..];
    }
    form.extend_from_slice(text);
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
            .all(|(i, (key, _))| index_of(key) == Some(i as i64))
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

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.shown(false).serialize(serializer)
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shown(false).fmt(f)
    }
}

impl fmt::Debug for Array {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = Value::Array(self.clone());
        value.fmt(f)
    }
}

/// A value on its way to a serialiser or a log.
struct Shown<'a> {
    value: &'a Value,
    exposed: bool,
    /// It stands under `auth`, with nothing but indices in between.
    in_auth: bool,
}

impl<'a> Shown<'a> {
    /// The value under `key` of this one; `None` if it must not be shown.
    fn entry(&self, key: &str, value: &'a Value) -> Option<Self> {
        let in_auth = names_auth(key) || self.in_auth && index_of(key).is_some();
        let hidden = names_secret(key) || in_auth && value.as_array().is_none();
        (self.exposed || !hidden).then_some(Self {
            value,
            exposed: self.exposed,
            in_auth,
        })
    }
}

impl Serialize for Shown<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.value {
            Value::Text(text) if self.exposed => serializer.serialize_str(text),
            Value::Text(text) => serializer.serialize_str(&without_secrets(text)),
            Value::Bytes(bytes) => {
                let text = String::from_utf8_lossy(bytes);
                if self.exposed {
                    serializer.serialize_str(&text)
                } else {
                    serializer.serialize_str(&without_secrets(&text))
                }
            }
            Value::Array(array) if array.is_list() => {
                let mut list = serializer.serialize_seq(Some(array.len()))?;
                for (key, value) in array.iter() {
                    match self.entry(key, value) {
                        None => list.serialize_element(REDACTED)?,
                        Some(value) => list.serialize_element(&value)?,
                    }
                }
                list.end()
            }
            Value::Array(array) => {
                let mut map = serializer.serialize_map(Some(array.len()))?;
                for (key, value) in array.iter() {
                    match self.entry(key, value) {
                        None => map.serialize_entry(key, REDACTED)?,
                        Some(value) => map.serialize_entry(key, &value)?,
                    }
                }
                map.end()
            }
        }
    }
}

impl fmt::Debug for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.value {
            Value::Text(text) => without_secrets(text).fmt(f),
            Value::Bytes(bytes) => {
                let text = bytes.escape_ascii().to_string();
                write!(f, "b\"{}\"", without_secrets(&text))
            }
            Value::Array(array) => {
                let mut map = f.debug_map();
                for (key, value) in array.iter() {
                    match self.entry(key, value) {
                        None => map.entry(&key, &format_args!("{REDACTED}")),
                        Some(value) => map.entry(&key, &value),
                    };
                }
                map.finish()
            }
        }
    }
}

/// Reads any form data, as part of a type for [`Event::data_as`](crate::Event::data_as). The keys of
/// its arrays are sorted then.
impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Asked for a map, serde_qs gives a text as a map with an empty key, and an empty text as
        // an empty map; asked for anything, it takes a map of ids for a list.
        deserializer.deserialize_map(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text or an array")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(value) = values.next_element()? {
            entries.push((entries.len().to_string(), value));
        }
        Ok(Value::Array(Array(entries)))
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

/// A text, UTF-8 or not.
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
        f.write_str("a text")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.to_owned()))
    }

    fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Value, E> {
        Ok(Value::from_bytes(bytes.to_owned()))
    }
}

/// Data with more arrays than [`Value::max_arrays`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooManyArrays;

/// The keys of all pairs, decoded, one behind another: what the tree is built of, without an
/// allocation for each.
struct Keys {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Keys {
    fn decode(data: &[u8]) -> Self {
        let lengths = pairs(data).map(|pair| pair.key.len());
        let (count, length) = lengths.fold((0, 0), |(count, sum), len| (count + 1, sum + len));
        let mut keys = Self {
            bytes: Vec::with_capacity(length),
            ends: Vec::with_capacity(count),
        };
        for pair in pairs(data) {
            keys.bytes.extend_from_slice(&form::decode(pair.key));
            keys.ends.push(keys.bytes.len());
        }
        keys
    }

    fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let mut start = 0;
        self.ends.iter().map(move |&end| {
            let key = &self.bytes[start..end];
            start = end;
            key
        })
    }
}

/// The tree while it is built: nodes by number, and one index over the keys of all arrays, so that
/// the work grows with the pairs and not with how many of them are siblings.
struct Tree<'a> {
    nodes: Vec<Node<'a>>,
    /// A hash table of nodes' numbers, at most half full. 0, which is the root, marks a free slot.
    index: Vec<u32>,
    hasher: RandomState,
    arrays: u32,
    max_arrays: u32,
}

struct Node<'a> {
    /// The number of the array that it is in.
    array: u32,
    key: Key<'a>,
    /// The node behind it in the same array.
    next: Option<NonZeroU32>,
    content: Content<'a>,
}

enum Content<'a> {
    Empty,
    Text(&'a [u8]),
    Array {
        /// The array's own number: one that takes the place of another has other keys.
        number: u32,
        first: Option<NonZeroU32>,
        last: u32,
        len: u32,
        /// The greatest index, which `[]` comes behind.
        greatest: Option<i64>,
    },
}

/// A key as PHP has it: a number if it is written as PHP would write it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Key<'a> {
    Name(&'a [u8]),
    Index(i64),
}

impl<'a> Key<'a> {
    fn new(name: &'a [u8]) -> Self {
        let index = match name {
            [b'-' | b'0'..=b'9', ..] => std::str::from_utf8(name).ok().and_then(index_of),
            _ => None,
        };
        index.map_or(Self::Name(name), Self::Index)
    }

    /// The index behind the greatest, as of PHP's forms: behind -5 comes -4. There is none behind
    /// PHP's greatest; it is a name here.
    fn behind(greatest: Option<i64>) -> Self {
        let next = greatest.map_or(Some(0), |greatest| greatest.checked_add(1));
        next.map_or(Self::Name(b"9223372036854775808"), Self::Index)
    }

    fn to_text(self) -> String {
        match self {
            Self::Name(name) => key_text(name),
            Self::Index(index) => index.to_string(),
        }
    }
}

const ROOT: usize = 0;

impl<'a> Tree<'a> {
    fn read(data: &'a [u8], keys: &'a Keys) -> Result<Self, TooManyArrays> {
        let max_arrays = Value::max_arrays(data.len());
        // Each pair adds one text at most, and each node takes two brackets.
        let most = (keys.ends.len() + max_arrays).min(keys.bytes.len() / 2) + 1;
        let mut tree = Self {
            nodes: Vec::with_capacity(most),
            index: vec![0; (2 * most).next_power_of_two()],
            hasher: RandomState::new(),
            arrays: 0,
            max_arrays: max_arrays as u32,
        };
        tree.nodes.push(Node {
            array: 0,
            key: Key::Name(&[]),
            next: None,
            content: Content::Empty,
        });
        for (pair, key) in pairs(data).zip(keys.iter()) {
            let mut node = ROOT;
            for name in segments(key) {
                node = tree.enter(node, name)?;
            }
            tree.nodes[node].content = Content::Text(pair.value);
        }
        Ok(tree)
    }

    /// Returns the node under `name` in `parent`, which becomes an array if it is none. `None` asks
    /// for the next free index.
    fn enter(&mut self, parent: usize, name: Option<&'a [u8]>) -> Result<usize, TooManyArrays> {
        let new = self.nodes.len();
        if !matches!(self.nodes[parent].content, Content::Array { .. }) {
            if self.arrays == self.max_arrays {
                return Err(TooManyArrays);
            }
            self.arrays += 1;
            self.nodes[parent].content = Content::Array {
                number: self.arrays,
                first: None,
                last: 0,
                len: 0,
                greatest: None,
            };
        }
        let Content::Array {
            number, greatest, ..
        } = self.nodes[parent].content
        else {
            unreachable!("it is made an array above")
        };

        let key = name.map_or_else(|| Key::behind(greatest), Key::new);
        let slot = self.slot(number, key);
        if self.index[slot] != 0 {
            return Ok(self.index[slot] as usize);
        }
        let added = new as u32;
        self.index[slot] = added;
        self.nodes.push(Node {
            array: number,
            key,
            next: None,
            content: Content::Empty,
        });
        let Content::Array {
            first,
            last,
            len,
            greatest,
            ..
        } = &mut self.nodes[parent].content
        else {
            unreachable!("it is made an array above")
        };
        *len += 1;
        if let Key::Index(index) = key {
            *greatest = (*greatest).max(Some(index));
        }
        let before = std::mem::replace(last, added) as usize;
        if first.is_none() {
            *first = NonZeroU32::new(added);
        } else {
            self.nodes[before].next = NonZeroU32::new(added);
        }
        Ok(new)
    }

    /// Returns the slot of the index that has the node under `key` in an array, or is free for it.
    fn slot(&self, array: u32, key: Key<'_>) -> usize {
        let mask = self.index.len() - 1;
        let mut slot = self.hasher.hash_one((array, key)) as usize & mask;
        loop {
            let found = &self.nodes[self.index[slot] as usize];
            if self.index[slot] == 0 || found.array == array && found.key == key {
                return slot;
            }
            slot = (slot + 1) & mask;
        }
    }

    fn value(&self, node: usize) -> Option<Value> {
        match self.nodes[node].content {
            Content::Empty => None,
            Content::Text(text) => Some(Value::from_bytes(form::decode(text).into_owned())),
            Content::Array { first, len, .. } => {
                let mut entries = Vec::with_capacity(len as usize);
                let mut next = first;
                while let Some(entry) = next {
                    let entry = entry.get() as usize;
                    let key = self.nodes[entry].key.to_text();
                    entries.extend(self.value(entry).map(|value| (key, value)));
                    next = self.nodes[entry].next;
                }
                Some(Value::Array(Array(entries)))
            }
        }
    }
}

/// Returns a key as text. The bytes of one that is not UTF-8 stay percent-encoded. So that no two
/// keys get one text, the percent signs of a key that looks like such a one are encoded too.
fn key_text(key: &[u8]) -> String {
    const PERCENT_AND_CONTROLS: &AsciiSet = &CONTROLS.add(b'%');

    match std::str::from_utf8(key) {
        Err(_) => percent_encode(key, PERCENT_AND_CONTROLS).to_string(),
        Ok(text) if looks_encoded(key) => text.replace('%', "%25"),
        Ok(text) => text.to_owned(),
    }
}

/// Returns `true` if there is the escape of a byte that is not ASCII in it, escaped itself any number
/// of times: `%FF`, `%25FF`, `%2525FF`.
fn looks_encoded(mut key: &[u8]) -> bool {
    while let Some(percent) = memchr(b'%', key) {
        key = &key[percent + 1..];
        let mut escape = key;
        while let [b'2', b'5', behind @ ..] = escape {
            escape = behind;
        }
        if let [b'8'..=b'9' | b'A'..=b'F' | b'a'..=b'f', second, ..] = escape {
            if second.is_ascii_hexdigit() {
                return true;
            }
        }
    }
    false
}

/// Returns the keys in the brackets behind `data`, `None` for an empty pair. What stands behind a
/// closed bracket and is no bracket counts for nothing, and neither does a bracket that is never
/// closed.
fn segments(key: &[u8]) -> impl Iterator<Item = Option<&[u8]>> {
    let open = memchr(b'[', key).unwrap_or(key.len());
    let mut rest = &key[open..];
    let mut depth = 0;
    from_fn(move || {
        let [b'[', inner @ ..] = rest else {
            return None;
        };
        let close = memchr(b']', inner)?;
        let (name, behind) = (&inner[..close], &inner[close + 1..]);
        rest = behind;
        depth += 1;
        if depth == Value::MAX_DEPTH && behind.first() == Some(&b'[') {
            rest = &[];
            return Some(Some(inner));
        }
        let append = matches!(name, [] | [b' ' | b'\t'..=b'\r']);
        Some((!append).then_some(name))
    })
}

/// The integer that PHP makes of a key: one written as PHP itself would write it.
fn index_of(key: &str) -> Option<i64> {
    let index: i64 = key.parse().ok()?;
    let digits = key.strip_prefix('-').unwrap_or(key);
    let plain = digits == "0" && key == "0" || !digits.starts_with(['0', '+']);
    plain.then_some(index)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value as Json, json};

    use super::*;

    fn tree_of(data: &[u8]) -> Value {
        Value::read(data).unwrap().unwrap()
    }

    fn read(data: &str) -> Json {
        serde_json::to_value(tree_of(data.as_bytes())).unwrap()
    }

    #[test]
    fn a_later_value_takes_the_place_of_an_earlier_one() {
        assert_eq!(
            read("data[a]=1&data[b]=2&data[a]=3"),
            json!({"a": "3", "b": "2"})
        );
        assert_eq!(
            read("data[a][x]=1&data[a]=2&data[a][y]=3"),
            json!({"a": {"y": "3"}})
        );
        assert_eq!(read("data=1&data[a]=2&data=3"), json!("3"));
    }

    #[test]
    fn an_index_is_a_key_and_reserves_nothing() {
        assert_eq!(read("data[999999999]=x"), json!({"999999999": "x"}));
        assert_eq!(read("data[1]=x&data[0]=y"), json!({"1": "x", "0": "y"}));
        assert_eq!(
            read("data[9223372036854775807]=x&data[]=y"),
            json!({"9223372036854775807": "x", "9223372036854775808": "y"})
        );
        assert_eq!(read("data[-5]=x&data[]=y"), json!({"-5": "x", "-4": "y"}));
    }

    #[test]
    fn depth_is_bounded_and_nothing_is_lost() {
        let form = format!("data{}=x", "[a]".repeat(10_000));
        let mut value = &tree_of(form.as_bytes());
        let mut depth = 0;
        while let Some(array) = value.as_array() {
            value = array.values().next().unwrap();
            depth += 1;
        }
        assert_eq!((depth, value.as_str()), (Value::MAX_DEPTH, Some("x")));
    }

    #[test]
    fn more_arrays_than_the_length_allows_are_not_read() {
        for unit in ["[]", "[a]", "%5B%5D"] {
            let pair = |at: usize| format!("data[{at}]{}=&", unit.repeat(10));
            let mut counts = [0, 0];
            for pairs in 1..40 {
                let form: String = (0..pairs).map(pair).collect();
                // Ten beneath each index, and the root.
                let fits = 10 * pairs + 1 <= Value::max_arrays(form.len());
                let read = Value::read(form.as_bytes());
                assert_eq!(read.is_ok(), fits, "{pairs} pairs");
                counts[usize::from(fits)] += 1;
            }
            assert!(!counts.contains(&0), "{unit}: {counts:?}");
        }
        // An array that gave way to a text counts, and one that is there already does not.
        let form = "data[a][b]=1&data[a]=1&".repeat(1000);
        assert_eq!(Value::read(form.as_bytes()), Err(TooManyArrays));
        let form = format!("data{}=1&", "[a]".repeat(60)).repeat(150);
        assert!(Value::read(form.as_bytes()).is_ok());
    }

    #[test]
    fn bytes_that_are_not_utf8_are_kept() {
        let value = tree_of(b"data[a]=%CF%F0");
        assert_eq!(value["a"].as_bytes(), Some(&b"\xCF\xF0"[..]));
        assert_eq!(value["a"].as_str(), None);
        assert_eq!(
            read("data[%FF]=1&data[%FE]=2"),
            json!({"%FF": "1", "%FE": "2"})
        );
    }

    #[test]
    fn no_two_keys_of_an_array_are_one_text() {
        let level = |times: usize| format!("%{}FF", "25".repeat(times));
        let form: Vec<_> = (0..6)
            .map(|times| format!("data[{}]={times}", level(times)))
            .collect();
        let value = tree_of(form.join("&").as_bytes());
        let keys: Vec<_> = value.as_array().unwrap().iter().collect();
        assert_eq!(keys.len(), 6);
        let expected: Vec<_> = (0..6)
            .map(|times| (level(times), times.to_string()))
            .collect();
        for ((key, value), (name, text)) in keys.into_iter().zip(&expected) {
            assert_eq!((key, value.as_str()), (name.as_str(), Some(text.as_str())));
        }
        // What only resembles an escape is as it came.
        for key in ["100%", "%41", "%7F", "%2541", "%GG", "%8", "50%25"] {
            let form = format!("data[{}]=1", key.replace('%', "%25"));
            assert_eq!(tree_of(form.as_bytes())[key].as_str(), Some("1"));
        }
    }

    #[test]
    fn tokens_are_redacted_at_any_depth() {
        let value = tree_of(
            b"data[BOT][7][AUTH][access_token]=s3&data[TOKEN]=s3&data[a][auth_id][x]=s3&data[b]=ok",
        );
        for shown in [format!("{value:?}"), serde_json::to_string(&value).unwrap()] {
            assert!(!shown.contains("s3") && shown.contains("ok"), "{shown}");
        }
        assert_eq!(value["TOKEN"].as_str(), Some("s3"));
    }

    /// Keys of secrets, each with no other word that makes it one.
    const SECRET: [&str; 53] = [
        "application_token",
        "TOKEN",
        "client_secret",
        "password",
        "PASS_WORD",
        "passwd",
        "DB_PASSWD",
        "apikey",
        "api_key",
        "API-KEY",
        "apiKey",
        "accessKey",
        "access-key",
        "private_key",
        "privateKey",
        "authorization",
        "Proxy-Authorization",
        "credential",
        "credentials",
        "sessid",
        "PHPSESSID",
        "bitrix_sessid",
        "AUTH_ID",
        "authId",
        "auth-id",
        "REFRESH_ID",
        "refreshId",
        "pass",
        "PASS",
        "pwd",
        "PWD",
        "auth.id",
        "auth id",
        "auth/id",
        "api key",
        "api.key",
        "API:KEY",
        "access key",
        "APP_SID",
        "appSid",
        "app.sid",
        "cookie",
        "Set-Cookie",
        "COOKIES",
        "jwt",
        "JWT_ASSERTION",
        "passphrase",
        "pass phrase",
        "KEY_PASSPHRASE",
        "signature",
        "X-Signature",
        "hub.signature",
        "pass.word",
    ];

    /// Keys that look like those of secrets.
    const PUBLIC: [&str; 14] = [
        "passive",
        "compass",
        "PASSPORT",
        "bypass",
        "cpwd",
        "author",
        "AUTHOR_ID",
        "external_auth_id",
        "authority",
        "PROCESS_ID",
        "SESSION_ID",
        "refresh",
        "key",
        "KEYBOARD",
    ];

    #[test]
    fn every_key_of_a_secret_hides_the_text_or_the_array_under_it() {
        for key in SECRET {
            for place in ["", "[x]", "[x][y]"] {
                assert_hidden(&format!("data[{key}]{place}=canary"));
                assert_hidden(&format!("data[a][0][{key}]{place}=canary"));
            }
            assert_hidden(&format!("data{}[{key}]=canary", "[a]".repeat(70)));
        }
    }

    #[test]
    fn a_key_that_looks_like_that_of_a_secret_hides_nothing() {
        for key in PUBLIC {
            assert_shown(&format!("data[{key}]=canary"));
            assert_shown(&format!("data[{key}][x]=canary"));
        }
    }

    #[test]
    fn a_text_under_auth_is_hidden_and_an_array_is_judged_by_its_keys() {
        for key in ["auth", "AUTH", "Auth"] {
            assert_hidden(&format!("data[{key}]=canary"));
            assert_hidden(&format!("data[{key}]=canary%FF"));
            assert_hidden(&format!("data[bot][{key}]=canary"));
            assert_hidden(&format!("data{}[{key}]=canary", "[a]".repeat(70)));
            assert_hidden(&format!("data[{key}][0]=canary"));
            assert_hidden(&format!("data[{key}][]=x&data[{key}][][7]=canary"));
            assert_hidden(&format!("data[{key}][x]=1&data[{key}][5]=canary"));
            assert_shown(&format!("data[{key}][0][domain]=canary"));
            assert_hidden(&format!("data[{key}][access_token]=canary"));
            assert_hidden(&format!("data[{key}][{key}]=canary"));
            assert_shown(&format!("data[{key}][domain]=canary"));
        }
    }

    #[test]
    fn the_token_in_a_link_is_hidden_and_the_rest_of_the_link_is_not() {
        for name in ["auth", "token", "_esd", "access_token", "sessid"] {
            for place in ["data[a]", "data[FILES][7][urlShow]", "data[a][0]"] {
                assert_hidden(&format!("{place}=https://p/dl%3F{name}%3Dcanary"));
                assert_hidden(&format!(
                    "{place}=%FF/dl%3Fid%3D1%26{name}%3Dcanary%26x%3Dy"
                ));
                assert_shown(&format!("{place}=https://p/canary%3F{name}%3Ds3"));
            }
        }
        assert_shown("data[a]=https://p/dl%3Fid%3Dcanary%26author%3Dx");
        let value = Value::read(b"data=/dl%3Fauth%3Dcanary").unwrap().unwrap();
        assert_eq!(
            serde_json::to_value(value.expose()).unwrap(),
            "/dl?auth=canary"
        );
    }

    fn assert_hidden(form: &str) {
        for shown in shown(form) {
            assert!(!shown.contains("canary"), "{form}: {shown}");
        }
    }

    fn assert_shown(form: &str) {
        for shown in shown(form) {
            assert!(shown.contains("canary"), "{form}: {shown}");
        }
    }

    /// In `Debug` and as JSON.
    fn shown(form: &str) -> [String; 2] {
        let value = tree_of(form.as_bytes());
        [format!("{value:?}"), serde_json::to_string(&value).unwrap()]
    }

    fn form(value: &Value) -> Vec<u8> {
        let mut form = Vec::new();
        value.write_form(&mut b"data".to_vec(), false, &mut form);
        form
    }

    fn tree() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<String>().prop_map(Value::Text),
            "[a-zA-Z0-9 +&=%\\[\\]]{0,8}".prop_map(Value::Text),
        ];
        leaf.prop_recursive(5, 40, 6, |inner| {
            // PHP's own keys: whatever is not empty and has no closing bracket.
            let key = prop_oneof!["[0-9]{1,3}", "[A-Za-z_]{1,6}", "[^\\[\\]\\s\\x00]{1,4}"];
            prop::collection::btree_map(key, inner, 1..6)
                .prop_map(|entries| Value::Array(Array(entries.into_iter().collect())))
        })
    }

    proptest! {
        #[test]
        fn a_tree_written_as_a_form_comes_back_equal(value in tree()) {
            prop_assert_eq!(Value::read(&form(&value)), Ok(Some(value)));
        }

        #[test]
        fn any_bytes_are_read_without_panic(data in prop::collection::vec(any::<u8>(), 0..300)) {
            if let Ok(Some(value)) = Value::read(&data) {
                let _ = (form(&value), format!("{value:?}"));
            }
        }
    }
}
