//! `Text`: a string of a form.

use std::fmt;

/// A string for a [`TestEvent`](super::TestEvent), converted from a value as PHP does it: `true` is
/// `1` and `false` is `0`. For a flag that is `Y` or `N` on the wire, pass that string.
///
/// ```
/// use tower_bitrix24::testing::Text;
///
/// assert_eq!(Text::from(27).to_string(), "27");
/// assert_eq!(Text::from(true).to_string(), "1");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Text(String);

impl Text {
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<bool> for Text {
    fn from(yes: bool) -> Self {
        Self(u8::from(yes).to_string())
    }
}

macro_rules! from_displayed {
    ($($type:ty)+) => {$(
        impl From<$type> for Text {
            fn from(value: $type) -> Self {
                Self(value.to_string())
            }
        }
    )+};
}

from_displayed! { &str &String u8 u16 u32 u64 usize i32 i64 }

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(text)
    }
}
