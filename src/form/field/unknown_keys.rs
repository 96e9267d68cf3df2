//! Keys that are not indices or ids.

use serde::de::{Error, IgnoredAny, MapAccess};

/// Keys that are not indices or ids. They are ignored if the array also has valid keys.
#[derive(Default)]
pub(super) struct UnknownKeys {
    first: Option<String>,
}

impl UnknownKeys {
    pub(super) fn skip<'de, A: MapAccess<'de>>(
        &mut self,
        key: String,
        entries: &mut A,
    ) -> Result<(), A::Error> {
        self.first.get_or_insert(key);
        entries.next_value().map(|IgnoredAny| ())
    }

    pub(super) fn reject_if_only<E: Error>(
        self,
        found_other: bool,
        expected: &str,
    ) -> Result<(), E> {
        match self.first {
            Some(key) if !found_other => Err(rejected(&key, expected)),
            _ => Ok(()),
        }
    }
}

pub(super) fn rejected<E: Error>(key: &str, expected: &str) -> E {
    E::custom(format_args!("found the key {key:?}, expected {expected}"))
}
