//! Keys that are not indices or ids.

use serde::de::{Error, IgnoredAny, MapAccess};

/// The keys of an array that are none of a list or a map of ids: beside those that are, they are
/// skipped like any other key that is not known.
#[derive(Default)]
pub(super) struct Stray {
    first: Option<String>,
}

impl Stray {
    /// Skips what is under the key.
    pub(super) fn skip<'de, A: MapAccess<'de>>(
        &mut self,
        key: String,
        entries: &mut A,
    ) -> Result<(), A::Error> {
        self.first.get_or_insert(key);
        entries.next_value().map(|IgnoredAny| ())
    }

    /// Rejects an array that has no other keys.
    pub(super) fn refuse_alone<E: Error>(self, found_other: bool, expected: &str) -> Result<(), E> {
        match self.first {
            Some(key) if !found_other => Err(rejected(&key, expected)),
            _ => Ok(()),
        }
    }
}

/// The error of a key that is not what is expected.
pub(super) fn rejected<E: Error>(key: &str, expected: &str) -> E {
    E::custom(format_args!("found the key {key:?}, expected {expected}"))
}
