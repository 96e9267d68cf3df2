//! Builds a `Value` from pairs.

use std::borrow::Cow;
use std::hash::{BuildHasher, RandomState};
use std::num::NonZeroU32;

use super::key::{Key, form_segments, root_name, segments};
use super::pairs::pairs;
use super::percent::decode;
use super::value::Value;

/// Builds the tree of the pairs of `data`. Returns `None` if there are none.
pub(super) fn read(data: &[u8]) -> Result<Option<Value>, TooManyArrays> {
    let keys = Keys::decode(data);
    Ok(Tree::read(data, &keys, 0, |key| Some(segments(key)))?.value(ROOT))
}

/// Builds the tree of a whole form, with the names before the brackets as its first level. Returns
/// `None` if there are no pairs.
pub(super) fn read_form(form: &[u8]) -> Result<Option<Value>, TooManyArrays> {
    let keys = Keys::decode_with(form, root_name);
    let names = keys.ends.len();
    Ok(Tree::read(form, &keys, names, form_segments)?.value(ROOT))
}

/// Data with more arrays than [`Value::max_arrays`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooManyArrays;

/// The decoded keys of all pairs in one buffer, without an allocation for each.
struct Keys {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Keys {
    fn decode(data: &[u8]) -> Self {
        Self::decode_with(data, |key| key)
    }

    fn decode_with<'k>(data: &'k [u8], change: impl Fn(Cow<'k, [u8]>) -> Cow<'k, [u8]>) -> Self {
        let lengths = pairs(data).map(|pair| pair.key.len());
        let (count, length) = lengths.fold((0, 0), |(count, sum), len| (count + 1, sum + len));
        let mut keys = Self {
            bytes: Vec::with_capacity(length),
            ends: Vec::with_capacity(count),
        };
        for pair in pairs(data) {
            keys.bytes.extend_from_slice(&change(decode(pair.key)));
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

/// The tree under construction. One index serves the keys of all arrays, so that the work grows with
/// the number of pairs, however many are siblings.
struct Tree<'a> {
    nodes: Vec<Node<'a>>,
    /// A hash table of nodes' numbers, at most half full. 0, which is the root, marks a free slot.
    index: Vec<u32>,
    hasher: RandomState,
    arrays: u32,
    max_arrays: u32,
}

struct Node<'a> {
    /// The number of the array that contains the node.
    array: u32,
    key: Key<'a>,
    /// The next node of the same array.
    next: Option<NonZeroU32>,
    content: Content<'a>,
}

enum Content<'a> {
    Empty,
    Text(&'a [u8]),
    Array {
        /// The array's own number: an array that replaces another has other keys.
        number: u32,
        first: Option<NonZeroU32>,
        last: u32,
        len: u32,
        /// The greatest index. `[]` is the next one.
        greatest: Option<i64>,
    },
}

const ROOT: usize = 0;

impl<'a> Tree<'a> {
    /// `names` is the number of keys that begin with a name, which is a node without brackets. Pairs
    /// without `segments` are dropped.
    fn read<S>(
        data: &'a [u8],
        keys: &'a Keys,
        names: usize,
        segments: fn(&'a [u8]) -> Option<S>,
    ) -> Result<Self, TooManyArrays>
    where
        S: Iterator<Item = Option<&'a [u8]>>,
    {
        let max_arrays = Value::max_arrays(data.len());
        // Each pair adds at most one string, and each other node takes two brackets.
        let most = (keys.ends.len() + max_arrays).min(keys.bytes.len() / 2 + names) + 1;
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
            let Some(segments) = segments(key) else {
                continue;
            };
            let mut node = ROOT;
            for name in segments {
                node = tree.enter(node, name)?;
            }
            tree.nodes[node].content = Content::Text(pair.value);
        }
        Ok(tree)
    }

    /// Returns the node under `name` in `parent`, which becomes an array if it is not one. `None` is the
    /// next free index.
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

        let key = name.map_or_else(|| Key::next_index(greatest), Key::new);
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

    /// Returns the slot of the node under `key` in an array, or a free slot for it.
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
            Content::Text(text) => Some(Value::from_bytes(decode(text).into_owned())),
            Content::Array { first, len, .. } => {
                let mut entries = Vec::with_capacity(len as usize);
                let mut next = first;
                while let Some(entry) = next {
                    let entry = entry.get() as usize;
                    let key = self.nodes[entry].key.to_text();
                    entries.extend(self.value(entry).map(|value| (key, value)));
                    next = self.nodes[entry].next;
                }
                Some(Value::from_entries(entries))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::{read as read_value, *};

    fn tree_of(data: &[u8]) -> Value {
        read_value(data).unwrap().unwrap()
    }

    fn read(data: &str) -> Json {
        serde_json::to_value(tree_of(data.as_bytes())).unwrap()
    }

    #[test]
    fn tree_replaces_an_earlier_value_by_a_later_one() {
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
    fn tree_of_a_form_drops_pairs_without_a_name() {
        let read = |form: &str| {
            let value = read_form(form.as_bytes()).unwrap();
            value.map(|value| serde_json::to_value(value).unwrap())
        };
        // The readings of PHP 8.2.
        for nameless in [
            "=1", "+=1", "%20=1", "[a]=1", "+[a]=1", "[]=1", "[=1", "[a=1", "+[b=1",
        ] {
            assert_eq!(read(nameless), None, "{nameless}");
            let form = format!("x=1&{nameless}&y=2");
            assert_eq!(read(&form), Some(json!({"x": "1", "y": "2"})), "{form}");
        }
        assert_eq!(
            read("++a=3&]=5&.=1&a[b=6"),
            Some(json!({"a": "3", "]": "5", "_": "1", "a_b": "6"}))
        );
    }

    #[test]
    fn tree_index_is_a_key_and_reserves_no_memory() {
        assert_eq!(read("data[999999999]=x"), json!({"999999999": "x"}));
        assert_eq!(read("data[1]=x&data[0]=y"), json!({"1": "x", "0": "y"}));
        assert_eq!(
            read("data[9223372036854775807]=x&data[]=y"),
            json!({"9223372036854775807": "x", "9223372036854775808": "y"})
        );
        assert_eq!(read("data[-5]=x&data[]=y"), json!({"-5": "x", "-4": "y"}));
    }

    #[test]
    fn tree_depth_is_bounded_without_loss() {
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
    fn tree_rejects_more_arrays_than_its_length_allows() {
        for unit in ["[]", "[a]", "%5B%5D"] {
            let pair = |at: usize| format!("data[{at}]{}=&", unit.repeat(10));
            let mut counts = [0, 0];
            for pairs in 1..40 {
                let form: String = (0..pairs).map(pair).collect();
                // Ten arrays under each index, and the root.
                let fits = 10 * pairs < Value::max_arrays(form.len());
                let read = read_value(form.as_bytes());
                assert_eq!(read.is_ok(), fits, "{pairs} pairs");
                counts[usize::from(fits)] += 1;
            }
            assert!(!counts.contains(&0), "{unit}: {counts:?}");
        }
        // An array that a string replaced counts; one that exists already does not.
        let form = "data[a][b]=1&data[a]=1&".repeat(1000);
        assert_eq!(read_value(form.as_bytes()), Err(TooManyArrays));
        let form = format!("data{}=1&", "[a]".repeat(60)).repeat(150);
        assert!(read_value(form.as_bytes()).is_ok());
    }

    #[test]
    fn tree_keeps_invalid_utf8() {
        let value = tree_of(b"data[a]=%CF%F0");
        assert_eq!(value["a"].as_bytes(), Some(&b"\xCF\xF0"[..]));
        assert_eq!(value["a"].as_str(), None);
        assert_eq!(
            read("data[%FF]=1&data[%FE]=2"),
            json!({"%FF": "1", "%FE": "2"})
        );
    }

    #[test]
    fn tree_keys_of_an_array_have_distinct_texts() {
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
        // A key that only resembles an escape stays as it is.
        for key in ["100%", "%41", "%7F", "%2541", "%GG", "%8", "50%25"] {
            let form = format!("data[{}]=1", key.replace('%', "%25"));
            assert_eq!(tree_of(form.as_bytes())[key].as_str(), Some("1"));
        }
    }
}
