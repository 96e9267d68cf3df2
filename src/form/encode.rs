//! Writes a `Value` as a form.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode, percent_encode_byte};

use super::value::{Array, Value};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Escape {
    /// Only what has a meaning in a form: a byte becomes three only if it must. serde_qs reads the
    /// result as PHP does.
    Minimal,
    /// As `Minimal`, with replacement characters in strings that are not UTF-8.
    MinimalLossy,
    /// As PHP's `http_build_query`.
    #[cfg_attr(not(any(test, feature = "testing")), allow(dead_code))]
    UrlEncode,
}

pub(crate) struct FormWriter {
    escape: Escape,
    key: Vec<u8>,
    form: Vec<u8>,
}

impl FormWriter {
    pub(crate) fn new(escape: Escape) -> Self {
        Self::with_capacity(escape, 0)
    }

    pub(crate) fn with_capacity(escape: Escape, bytes: usize) -> Self {
        Self {
            escape,
            key: Vec::new(),
            form: Vec::with_capacity(bytes),
        }
    }

    /// Runs `write` with `key` as the root of the keys, which is written as it is: `data[FIELDS]`.
    pub(crate) fn root(&mut self, key: &str, write: impl FnOnce(&mut Self)) {
        self.key.clear();
        self.key.extend_from_slice(key.as_bytes());
        write(self);
    }

    /// Runs `write` with `name` in brackets after the current key.
    pub(crate) fn entry(&mut self, name: &str, write: impl FnOnce(&mut Self)) {
        let end = self.key.len();
        write_segment(self.escape, name, &mut self.key);
        write(self);
        self.key.truncate(end);
    }

    pub(crate) fn value(&mut self, value: &Value) {
        match value {
            Value::Text(string) => self.text(string),
            Value::Bytes(bytes) if self.escape == Escape::MinimalLossy => {
                self.pair(String::from_utf8_lossy(bytes).as_bytes());
            }
            Value::Bytes(bytes) => self.pair(bytes),
            Value::Array(array) => self.array(array),
        }
    }

    pub(crate) fn text(&mut self, string: &str) {
        self.pair(string.as_bytes());
    }

    fn array(&mut self, array: &Array) {
        for (name, value) in array.iter() {
            self.entry(name, |writer| writer.value(value));
        }
    }

    fn pair(&mut self, string: &[u8]) {
        if !self.form.is_empty() {
            self.form.push(b'&');
        }
        self.form.extend_from_slice(&self.key);
        self.form.push(b'=');
        write_escaped(self.escape, string, &mut self.form);
    }

    pub(crate) fn into_form(self) -> Vec<u8> {
        self.form
    }
}

fn write_segment(escape: Escape, name: &str, key: &mut Vec<u8>) {
    if escape == Escape::UrlEncode {
        key.extend_from_slice(b"%5B");
        write_url_encoded(name.as_bytes(), key);
        key.extend_from_slice(b"%5D");
        return;
    }
    key.push(b'[');
    // serde_qs would take digits for an index and drop the zeros before it.
    let name = match name.strip_prefix('0') {
        Some(rest) if !rest.is_empty() => {
            key.extend_from_slice(b"%30");
            rest
        }
        _ => name,
    };
    write_minimal(name.as_bytes(), key);
    key.push(b']');
}

fn write_escaped(escape: Escape, string: &[u8], form: &mut Vec<u8>) {
    match escape {
        Escape::Minimal | Escape::MinimalLossy => write_minimal(string, form),
        Escape::UrlEncode => write_url_encoded(string, form),
    }
}

fn write_minimal(mut string: &[u8], form: &mut Vec<u8>) {
    let special = |byte: &u8| matches!(byte, b'%' | b'+' | b'&' | b'=' | b'[' | b']');
    while let Some(at) = string.iter().position(special) {
        form.extend_from_slice(&string[..at]);
        form.extend_from_slice(percent_encode_byte(string[at]).as_bytes());
        string = &string[at + 1..];
    }
    form.extend_from_slice(string);
}

fn write_url_encoded(string: &[u8], form: &mut Vec<u8>) {
    const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

    for (at, word) in string.split(|&byte| byte == b' ').enumerate() {
        if at > 0 {
            form.push(b'+');
        }
        percent_encode(word, ESCAPED).for_each(|part| form.extend_from_slice(part.as_bytes()));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::ops::RangeInclusive;

    use arbtest::arbitrary::{self, Unstructured};
    use arbtest::arbtest;

    use super::super::tree;
    use super::*;

    fn form(escape: Escape, value: &Value) -> Vec<u8> {
        let mut writer = FormWriter::new(escape);
        writer.root("data", |writer| writer.value(value));
        writer.into_form()
    }

    /// A tree whose keys are read as they are written: neither empty nor with brackets. One with an
    /// escape such as `%FF` would be escaped.
    fn tree(u: &mut Unstructured<'_>, depth: usize) -> arbitrary::Result<Value> {
        if depth == 0 || u.ratio(1, 3)? {
            let text = if u.arbitrary()? {
                u.arbitrary()?
            } else {
                letters(u, "aZ09 +&=%[]", 0..=8)?
            };
            return Ok(Value::Text(text));
        }
        let mut entries = BTreeMap::new();
        for _ in 0..u.int_in_range(1..=6)? {
            let alphabet = u.choose(&["0123456789", "azAZ_", "a\u{1}~*+&=#\"é😀", "017GZ%"])?;
            entries.insert(letters(u, alphabet, 1..=4)?, tree(u, depth - 1)?);
        }
        Ok(Value::from_entries(entries.into_iter().collect()))
    }

    fn letters(
        u: &mut Unstructured<'_>,
        alphabet: &str,
        length: RangeInclusive<usize>,
    ) -> arbitrary::Result<String> {
        let alphabet: Vec<char> = alphabet.chars().collect();
        let length = u.int_in_range(length)?;
        (0..length).map(|_| u.choose(&alphabet).copied()).collect()
    }

    #[test]
    fn url_encoding_is_that_of_http_build_query() {
        let strings = Value::from_entries(vec![("A b".into(), Value::Text("1 &é~.-_".into()))]);
        assert_eq!(
            form(Escape::UrlEncode, &strings),
            b"data%5BA+b%5D=1+%26%C3%A9%7E.-_"
        );
    }

    #[test]
    fn tree_encoded_as_a_form_is_read_back_equal() {
        arbtest(|u| {
            let value = tree(u, 5)?;
            for escape in [Escape::Minimal, Escape::UrlEncode] {
                let form = form(escape, &value);
                assert_eq!(tree::read(&form), Ok(Some(value.clone())));
            }
            Ok(())
        });
    }

    #[test]
    fn form_of_any_bytes_is_read_without_panic() {
        arbtest(|u| {
            let data: Vec<u8> = u.arbitrary()?;
            if let Ok(Some(value)) = tree::read(&data) {
                let _ = (form(Escape::MinimalLossy, &value), format!("{value:?}"));
            }
            Ok(())
        });
    }
}
