//! Reading the fields of a callback from its tree.

use std::str::FromStr;

use crate::form::{Array, Mismatch, Value};

/// A form, or an array in it.
#[derive(Clone, Copy)]
pub(super) struct Fields<'a>(pub(super) &'a Value);

impl Fields<'_> {
    /// Returns the string under `key`, with replacement characters if it is not UTF-8. `None` if there
    /// is none, or an array.
    pub(super) fn text(self, key: &str) -> Option<String> {
        match self.0.get(key)? {
            Value::Text(text) => Some(text.clone()),
            Value::Bytes(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
            Value::Array(_) => None,
        }
    }

    pub(super) fn filled(self, key: &str) -> Option<String> {
        self.text(key).filter(|text| !text.is_empty())
    }

    pub(super) fn required(self, key: &str) -> Result<String, Mismatch> {
        self.filled(key).ok_or_else(|| missing(key))
    }

    pub(super) fn number<N: FromStr>(self, key: &str) -> Option<N> {
        self.text(key)?.parse().ok()
    }

    /// Returns the array under `key`. PHP does not send empty arrays, so that none is one.
    pub(super) fn array(self, key: &str) -> Array {
        let array = self.0.get(key).and_then(Value::as_array);
        array.cloned().unwrap_or_default()
    }
}

pub(super) fn missing(path: &str) -> Mismatch {
    Mismatch::unfit(path, "a string is expected, and there is none")
}
