//! Changes a `Value` by path, for the test kit.

use super::key::{Key, php_index};
use super::value::{Array, Value};

impl Value {
    /// Sets the string at `path`. As in PHP, a string on the way becomes an array. A new key comes
    /// last, and an empty one (`[]`) is the next index.
    pub(crate) fn set(&mut self, path: &[&str], string: &str) {
        let Some((key, rest)) = path.split_first() else {
            *self = string.into();
            return;
        };
        self.entry(key).set(rest, string);
    }

    /// Removes the value at `path`. An array left empty stays, but is not written to a form.
    pub(crate) fn remove(&mut self, path: &[&str]) {
        let Some((key, rest)) = path.split_first() else {
            *self = Self::Array(Array::default());
            return;
        };
        let Self::Array(Array(entries)) = self else {
            return;
        };
        if rest.is_empty() {
            entries.retain(|(name, _)| name != key);
        } else if let Some((_, value)) = entries.iter_mut().find(|(name, _)| name == key) {
            value.remove(rest);
        }
    }

    fn entry(&mut self, key: &str) -> &mut Self {
        if !matches!(self, Self::Array(_)) {
            *self = Self::Array(Array::default());
        }
        let Self::Array(Array(entries)) = self else {
            unreachable!("it is made an array above")
        };
        let key = if key.is_empty() {
            let greatest = entries.iter().filter_map(|(name, _)| php_index(name)).max();
            Key::next_index(greatest).to_text()
        } else {
            key.to_owned()
        };
        let place = entries.iter().position(|(name, _)| *name == key);
        let place = place.unwrap_or(entries.len());
        if place == entries.len() {
            entries.push((key, Self::Array(Array::default())));
        }
        &mut entries[place].1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::form::tree;

    fn changed(form: &str, change: impl FnOnce(&mut Value)) -> Value {
        let mut value = tree::read(form.as_bytes()).unwrap().unwrap();
        change(&mut value);
        value
    }

    #[test]
    fn set_replaces_appends_and_makes_arrays_as_php_does() {
        for (form, path, same) in [
            ("data[a]=1&data[b]=2", &["a"][..], "data[a]=x&data[b]=2"),
            ("data[a]=1", &["b"], "data[a]=1&data[b]=x"),
            ("data[a]=1", &["a", "b"], "data[a][b]=x"),
            (
                "data[5]=1&data[01]=2",
                &[""],
                "data[5]=1&data[01]=2&data[]=x",
            ),
            ("data[-5]=1", &[""], "data[-5]=1&data[]=x"),
            ("data[a]=1", &["b", ""], "data[a]=1&data[b][]=x"),
            ("data[a]=1", &[], "data=x"),
        ] {
            let same = tree::read(same.as_bytes()).unwrap().unwrap();
            let value = changed(form, |value| value.set(path, "x"));
            assert_eq!(value, same, "{form} {path:?}");
        }
    }

    #[test]
    fn remove_takes_a_value_out_and_ignores_a_missing_one() {
        let form = "data[a][b]=1&data[c]=2";
        let without = changed(form, |value| value.remove(&["a", "b"]));
        assert!(without["a"].as_array().unwrap().is_empty());
        assert_eq!(without["c"].as_str(), Some("2"));
        for missing in [&["x"][..], &["a", "x"], &["c", "x"]] {
            let same = changed(form, |value| value.remove(missing));
            assert_eq!(same, changed(form, |_| ()), "{missing:?}");
        }
    }
}
