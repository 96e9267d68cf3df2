//! Writes a `Value` as a form, as PHP's `http_build_query` does.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

use super::value::{Array, Value};

#[derive(Default)]
pub(crate) struct FormWriter {
    key: Vec<u8>,
    form: Vec<u8>,
}

impl FormWriter {
    /// Runs `write` with `key` as the root of the keys, which is written as it is: `data[FIELDS]`.
    pub(crate) fn root(&mut self, key: &str, write: impl FnOnce(&mut Self)) {
        self.key.clear();
        self.key.extend_from_slice(key.as_bytes());
        write(self);
    }

    /// Runs `write` with `name` in brackets after the current key.
    pub(crate) fn entry(&mut self, name: &str, write: impl FnOnce(&mut Self)) {
        let end = self.key.len();
        self.key.extend_from_slice(b"%5B");
        write_encoded(name.as_bytes(), &mut self.key);
        self.key.extend_from_slice(b"%5D");
        write(self);
        self.key.truncate(end);
    }

    pub(crate) fn value(&mut self, value: &Value) {
        match value {
            Value::Text(string) => self.text(string),
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
        write_encoded(string, &mut self.form);
    }

    pub(crate) fn into_form(self) -> Vec<u8> {
        self.form
    }
}

fn write_encoded(string: &[u8], form: &mut Vec<u8>) {
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

    fn form(value: &Value) -> Vec<u8> {
        let mut writer = FormWriter::default();
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
        assert_eq!(form(&strings), b"data%5BA+b%5D=1+%26%C3%A9%7E.-_");
    }

    #[test]
    fn tree_encoded_as_a_form_is_read_back_equal() {
        arbtest(|u| {
            let value = tree(u, 5)?;
            assert_eq!(tree::read(&form(&value)), Ok(Some(value)));
            Ok(())
        });
    }

    #[test]
    fn form_of_any_bytes_is_read_without_panic() {
        arbtest(|u| {
            let data: Vec<u8> = u.arbitrary()?;
            if let Ok(Some(value)) = tree::read(&data) {
                let _ = (form(&value), format!("{value:?}"));
            }
            Ok(())
        });
    }
}
