//! `array!` and `entries!`: form data as literals.

use crate::form::Value;

/// Values by key, in the order in which they are sent.
pub(super) type Entries = Vec<(String, Value)>;

macro_rules! entries {
    ($($key:tt: $value:expr),* $(,)?) => {
        vec![$((String::from($key), $crate::form::Value::from($value)),)*]
    };
}

macro_rules! array {
    ($($entries:tt)*) => {
        $crate::form::Value::from_entries($crate::testing::literals::entries! { $($entries)* })
    };
}

pub(super) use {array, entries};
