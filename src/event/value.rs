//! The lossless tree of `data`.

use std::collections::HashMap;
use std::fmt;
use std::ops::Index;

use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, percent_encode};
use serde::de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::envelope::REDACTED;
use crate::form::{self, pairs};

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
/// | a key that is not UTF-8 | bytes, and no JSON | its bytes stay percent-encoded: `%FF` |
/// | arrays more than [64](Self::MAX_DEPTH) deep | the pair is dropped | the deeper keys are one key |
/// | `data[]=x` behind `data[9223372036854775807]=y` | the pair is dropped | it has the next index |
/// | NUL in a key, `data[a%00b]=x` | ends the key there | is part of the key |
/// | ` data[a]=x`, `data%00b[a]=x` | is `data[a]=x` | the body is refused |
/// | `[data][a]=x` | is nothing | the body is refused: it is `data[a]` to serde_qs |
/// | more than 1,000 pairs | the rest is dropped | [10,000](crate::Envelope::MAX_PAIRS), then the body is refused |
///
/// What stands under the key of a token or of another secret (`application_token`, `TOKEN`,
/// `password`, `apiKey`, …) at any depth is redacted in `Debug` and in the serialised form, and so
/// is a text under `auth`; [`expose`](Self::expose) shows it.
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
    /// How deep arrays go. The keys below are one key at the last level, brackets and all; PHP
    /// drops such a value.
    pub const MAX_DEPTH: usize = 64;

    /// Reads the pairs of `data`. `None` where there are none.
    pub(crate) fn read(data: &[u8]) -> Option<Self> {
        Tree::read(data).take(ROOT)
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

    /// Whether this must not be shown where it stands under `key`.
    fn is_secret_under(&self, key: &str) -> bool {
        names_secret(key) || self.as_array().is_none() && names_auth(key)
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
        Shown {
            value: self,
            exposed: true,
        }
    }

    /// The same data with replacement characters in what is not UTF-8.
    pub(crate) fn into_utf8(self) -> Self {
        match self {
            Self::Text(text) => Self::Text(text),
            Self::Bytes(bytes) => Self::Text(String::from_utf8_lossy(&bytes).into_owned()),
            Self::Array(Array(entries)) => {
                let entries = entries.into_iter();
                Self::from_entries(
                    entries
                        .map(|(key, value)| (key, value.into_utf8()))
                        .collect(),
                )
            }
        }
    }

    /// The same data as form pairs that every parser reads in one way: `data[FIELDS][ID]=27`.
    pub(crate) fn to_form(&self) -> Vec<u8> {
        let mut form = Vec::new();
        self.write_form(&mut "data".to_owned(), &mut form);
        form
    }

    fn write_form(&self, key: &mut String, form: &mut Vec<u8>) {
        /// What form encoding leaves as it is.
        const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

        if let Some(text) = self.as_bytes() {
            if !form.is_empty() {
                form.push(b'&');
            }
            form.extend_from_slice(key.as_bytes());
            form.push(b'=');
            form.extend(percent_encode(text, ESCAPED).flat_map(str::bytes));
        }
        for (name, value) in self.as_array().into_iter().flat_map(Array::iter) {
            let end = key.len();
            key.push('[');
            // serde_qs would take digits for an index and drop the zeros before it.
            let name = match name.strip_prefix('0') {
                Some(rest) if !rest.is_empty() => {
                    key.push_str("%30");
                    rest
                }
                _ => name,
            };
            key.extend(percent_encode(name.as_bytes(), ESCAPED));
            key.push(']');
            value.write_form(key, form);
            key.truncate(end);
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
            .all(|(i, (key, _))| index_of(key) == Some(i as i128))
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
        Shown {
            value: self,
            exposed: false,
        }
        .serialize(serializer)
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => text.fmt(f),
            Self::Bytes(bytes) => write!(f, "b\"{}\"", bytes.escape_ascii()),
            Self::Array(array) => array.fmt(f),
        }
    }
}

impl fmt::Debug for Array {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut map = f.debug_map();
        for (key, value) in self.iter() {
            match value.is_secret_under(key) {
                true => map.entry(&key, &format_args!("{REDACTED}")),
                false => map.entry(&key, value),
            };
        }
        map.finish()
    }
}

/// Whether something under this key must not be shown: a token, a password, a key, a session's id
/// or another secret, or the text under `auth`, in whichever spelling.
pub(super) fn is_secret(key: &str) -> bool {
    names_secret(key) || names_auth(key)
}

/// Whether nothing under this key may be shown. `authId`, `AUTH_ID` and `auth-id` are one key.
fn names_secret(key: &str) -> bool {
    const PARTS: [&str; 10] = [
        "token",
        "secret",
        "password",
        "passwd",
        "apikey",
        "accesskey",
        "privatekey",
        "authorization",
        "credential",
        "sessid",
    ];

    names(key).any(|name| {
        // Of the short ones, the whole name: a compass is no password.
        matches!(&*name, "authid" | "refreshid" | "pass" | "pwd")
            || PARTS.iter().any(|part| name.contains(part))
    })
}

/// Whether a text under this key is an access token: `auth` is what REST calls the parameter.
fn names_auth(key: &str) -> bool {
    names(key).any(|name| name == "auth")
}

/// The names in a key, in lower case and without `-` and `_`: more than one where it holds the
/// brackets that are below [`Value::MAX_DEPTH`].
fn names(key: &str) -> impl Iterator<Item = String> {
    key.split(['[', ']']).map(|name| {
        let name = name.replace(['-', '_'], "");
        name.to_ascii_lowercase()
    })
}

/// A value on its way to a serialiser.
struct Shown<'a> {
    value: &'a Value,
    exposed: bool,
}

impl Serialize for Shown<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let show = |value| Shown {
            value,
            exposed: self.exposed,
        };
        match self.value {
            Value::Text(text) => serializer.serialize_str(text),
            Value::Bytes(bytes) => serializer.serialize_str(&String::from_utf8_lossy(bytes)),
            Value::Array(array) if array.is_list() => {
                let mut list = serializer.serialize_seq(Some(array.len()))?;
                for value in array.values() {
                    list.serialize_element(&show(value))?;
                }
                list.end()
            }
            Value::Array(array) => {
                let mut map = serializer.serialize_map(Some(array.len()))?;
                for (key, value) in array.iter() {
                    match !self.exposed && value.is_secret_under(key) {
                        true => map.serialize_entry(key, REDACTED)?,
                        false => map.serialize_entry(key, &show(value))?,
                    }
                }
                map.end()
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
        match entries.is_empty() {
            true => Ok(Value::Text(String::new())),
            false => Ok(Value::Array(Array(entries))),
        }
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

/// The tree while it is built: nodes by number, and one index over the keys of all arrays, so that
/// the work grows with the pairs and not with how many of them are siblings.
struct Tree<'a> {
    nodes: Vec<Node<'a>>,
    index: HashMap<(usize, Vec<u8>), usize>,
    arrays: usize,
}

enum Node<'a> {
    Empty,
    Text(&'a [u8]),
    Array {
        /// The array's own number: one that takes the place of another has other keys.
        number: usize,
        entries: Vec<(Vec<u8>, usize)>,
        /// The index that `[]` stands for.
        next: i128,
    },
}

const ROOT: usize = 0;

impl<'a> Tree<'a> {
    fn read(data: &'a [u8]) -> Self {
        let mut tree = Self {
            nodes: vec![Node::Empty],
            index: HashMap::new(),
            arrays: 0,
        };
        for pair in pairs(data) {
            let mut node = ROOT;
            for key in segments(&form::decode(pair.key)) {
                node = tree.enter(node, key);
            }
            tree.nodes[node] = Node::Text(pair.value);
        }
        tree
    }

    /// The node under `key` of `parent`, which becomes an array if it was none. `None` asks for the
    /// next free index.
    fn enter(&mut self, parent: usize, key: Option<Vec<u8>>) -> usize {
        let new = self.nodes.len();
        let parent = &mut self.nodes[parent];
        if !matches!(parent, Node::Array { .. }) {
            *parent = Node::Array {
                number: self.arrays,
                entries: Vec::new(),
                next: 0,
            };
            self.arrays += 1;
        }
        let Node::Array {
            number,
            entries,
            next,
        } = parent
        else {
            unreachable!()
        };

        let key = key.unwrap_or_else(|| next.to_string().into_bytes());
        let node = *self.index.entry((*number, key.clone())).or_insert(new);
        if node == new {
            if let Some(index) = std::str::from_utf8(&key).ok().and_then(index_of) {
                *next = (*next).max(index + 1);
            }
            entries.push((key, new));
            self.nodes.push(Node::Empty);
        }
        node
    }

    fn take(&mut self, node: usize) -> Option<Value> {
        match std::mem::replace(&mut self.nodes[node], Node::Empty) {
            Node::Empty => None,
            Node::Text(text) => Some(Value::from_bytes(form::decode(text).into_owned())),
            Node::Array { entries, .. } => {
                let entries = entries
                    .into_iter()
                    .filter_map(|(key, node)| Some((key_text(key), self.take(node)?)));
                Some(Value::Array(Array(entries.collect())))
            }
        }
    }
}

/// A key as text. The bytes of one that is not UTF-8 stay percent-encoded, so that two such keys are
/// not one.
fn key_text(key: Vec<u8>) -> String {
    String::from_utf8(key)
        .unwrap_or_else(|error| percent_encode(error.as_bytes(), CONTROLS).to_string())
}

/// The keys in the brackets behind `data`, `None` for an empty pair. What stands behind a closed
/// bracket and is no bracket counts for nothing, and neither does a bracket that is never closed.
fn segments(key: &[u8]) -> Vec<Option<Vec<u8>>> {
    let open = key
        .iter()
        .position(|&byte| byte == b'[')
        .unwrap_or(key.len());
    let mut rest = &key[open..];
    let mut segments = Vec::new();
    while let [b'[', inner @ ..] = rest {
        let Some(close) = inner.iter().position(|&byte| byte == b']') else {
            break;
        };
        if segments.len() + 1 == Value::MAX_DEPTH && inner.get(close + 1) == Some(&b'[') {
            segments.push(Some(inner.to_vec()));
            break;
        }
        let name = &inner[..close];
        let append = matches!(name, [] | [b' ' | b'\t'..=b'\r']);
        segments.push((!append).then(|| name.to_vec()));
        rest = &inner[close + 1..];
    }
    segments
}

/// The integer that PHP makes of a key: one written as PHP itself would write it.
fn index_of(key: &str) -> Option<i128> {
    let index: i64 = key.parse().ok()?;
    let digits = key.strip_prefix('-').unwrap_or(key);
    let plain = digits == "0" && key == "0" || !digits.starts_with(['0', '+']);
    plain.then_some(index.into())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value as Json, json};

    use super::*;

    fn read(data: &str) -> Json {
        serde_json::to_value(Value::read(data.as_bytes())).unwrap()
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
        assert_eq!(read("data[-5]=x&data[]=y"), json!({"-5": "x", "0": "y"}));
    }

    #[test]
    fn depth_is_bounded_and_nothing_is_lost() {
        let form = format!("data{}=x", "[a]".repeat(10_000));
        let mut value = &Value::read(form.as_bytes()).unwrap();
        let mut depth = 0;
        while let Some(array) = value.as_array() {
            value = array.values().next().unwrap();
            depth += 1;
        }
        assert_eq!((depth, value.as_str()), (Value::MAX_DEPTH, Some("x")));
    }

    #[test]
    fn bytes_that_are_not_utf8_are_kept() {
        let value = Value::read(b"data[a]=%CF%F0").unwrap();
        assert_eq!(value["a"].as_bytes(), Some(&b"\xCF\xF0"[..]));
        assert_eq!(value["a"].as_str(), None);
        assert_eq!(
            read("data[%FF]=1&data[%FE]=2"),
            json!({"%FF": "1", "%FE": "2"})
        );
    }

    #[test]
    fn tokens_are_redacted_at_any_depth() {
        let value = Value::read(
            b"data[BOT][7][AUTH][access_token]=s3&data[TOKEN]=s3&data[a][auth_id][x]=s3&data[b]=ok",
        )
        .unwrap();
        for shown in [format!("{value:?}"), serde_json::to_string(&value).unwrap()] {
            assert!(!shown.contains("s3") && shown.contains("ok"), "{shown}");
        }
        assert_eq!(value["TOKEN"].as_str(), Some("s3"));
    }

    /// Keys of secrets, each with no other word that makes it one.
    const SECRET: [&str; 31] = [
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
            assert_hidden(&format!("data[{key}][access_token]=canary"));
            assert_hidden(&format!("data[{key}][{key}]=canary"));
            assert_shown(&format!("data[{key}][domain]=canary"));
        }
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
        let value = Value::read(form.as_bytes()).unwrap();
        [format!("{value:?}"), serde_json::to_string(&value).unwrap()]
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
            prop_assert_eq!(Value::read(&value.to_form()), Some(value));
        }

        #[test]
        fn any_bytes_are_read_without_panic(data in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = Value::read(&data).map(|value| (value.to_form(), format!("{value:?}")));
        }
    }
}
