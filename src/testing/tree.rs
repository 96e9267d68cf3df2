//! Form data as a tree, written as PHP's `http_build_query` writes it.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Values by key, in the order in which they are sent.
pub(super) type Entries = Vec<(String, Tree)>;

/// A text or an array.
#[derive(Clone, PartialEq)]
pub(super) enum Tree {
    Text(String),
    Array(Entries),
}

impl Tree {
    /// Puts `text` at the path. What is in the way makes room, as in PHP; a new key comes last, and
    /// an empty one (`[]`) is the next index.
    pub(super) fn set(&mut self, path: &[&str], text: &str) {
        let Some((key, rest)) = path.split_first() else {
            *self = Self::Text(text.to_owned());
            return;
        };
        if let Self::Text(_) = self {
            *self = Self::Array(Vec::new());
        }
        let Self::Array(entries) = self else {
            unreachable!("it was made an array");
        };
        let key = match *key {
            "" => next_index(entries).to_string(),
            key => key.to_owned(),
        };
        let at = entries.iter().position(|(name, _)| *name == key);
        let at = at.unwrap_or_else(|| {
            entries.push((key, Self::Array(Vec::new())));
            entries.len() - 1
        });
        entries[at].1.set(rest, text);
    }

    /// Takes what is at the path away. PHP sends no empty array, so a parent left empty goes unseen
    /// as well.
    pub(super) fn remove(&mut self, path: &[&str]) {
        match (path, self) {
            ([], tree) => *tree = Self::Array(Vec::new()),
            ([key], Self::Array(entries)) => entries.retain(|(name, _)| name != key),
            ([key, rest @ ..], Self::Array(entries)) => {
                let found = entries.iter_mut().find(|(name, _)| name == key);
                found.into_iter().for_each(|(_, tree)| tree.remove(rest));
            }
            (_, Self::Text(_)) => {}
        }
    }

    /// Adds the pairs of this tree, which stands under `key`, to `form`.
    pub(super) fn write(&self, key: &str, form: &mut String) {
        match self {
            Self::Text(text) => write_pair(key, text, form),
            Self::Array(entries) => {
                for (name, tree) in entries {
                    tree.write(&format!("{key}[{name}]"), form);
                }
            }
        }
    }
}

fn next_index(entries: &[(String, Tree)]) -> u64 {
    let indices = entries.iter().filter_map(|(name, _)| name.parse().ok());
    indices.max().map_or(0, |last: u64| last + 1)
}

/// Adds a pair, encoded.
pub(super) fn write_pair(key: &str, text: &str, form: &mut String) {
    if !form.is_empty() {
        form.push('&');
    }
    form.push_str(&encode(key));
    form.push('=');
    form.push_str(&encode(text));
}

/// Encodes a text as PHP's `urlencode` does.
pub(super) fn encode(text: &str) -> String {
    const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
        .remove(b'-')
        .remove(b'_')
        .remove(b'.')
        .remove(b' ');

    let escaped = utf8_percent_encode(text, ESCAPED).to_string();
    escaped.replace(' ', "+")
}

impl From<&str> for Tree {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Tree {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

/// Values by the given keys, in their order.
macro_rules! entries {
    ($($key:tt: $value:expr),* $(,)?) => {
        vec![$(
            (String::from($key), $crate::testing::tree::Tree::from($value)),
        )*]
    };
}

/// An array of [`entries`].
macro_rules! array {
    ($($entries:tt)*) => {
        $crate::testing::tree::Tree::Array($crate::testing::tree::entries! { $($entries)* })
    };
}

pub(super) use {array, entries};
