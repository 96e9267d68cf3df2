use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A yes or no, however the platform spells it: `Y` or `1` is yes; `N`, `0` or an empty text no.
///
/// `true` and `false` are understood as well. It is serialised as a boolean.
///
/// ```
/// use tower_bitrix24::event::field::Flag;
///
/// let flags: Vec<Flag> = ["Y", "1", "N", "0", ""].map(Flag::parse).into_iter().flatten().collect();
/// assert_eq!(flags.iter().filter(|flag| flag.is_yes()).count(), 2);
/// assert_eq!(Flag::parse("undefined"), None);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Flag(bool);

impl Flag {
    /// Whether it is yes.
    pub const fn is_yes(self) -> bool {
        self.0
    }

    /// Reads a spelling; `None` where it is none of a flag's.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "Y" | "y" | "1" | "true" => Some(Self(true)),
            "N" | "n" | "0" | "false" | "" => Some(Self(false)),
            _ => None,
        }
    }
}

impl From<bool> for Flag {
    fn from(yes: bool) -> Self {
        Self(yes)
    }
}

impl From<Flag> for bool {
    fn from(flag: Flag) -> Self {
        flag.0
    }
}

impl fmt::Debug for Flag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Flag {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bool(self.0)
    }
}

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl serde::de::Visitor<'_> for Visitor {
            type Value = Flag;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a flag: `Y`, `N`, `1`, `0` or an empty text")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Flag, E> {
                let unexpected = serde::de::Unexpected::Str(text);
                Flag::parse(text).ok_or_else(|| E::invalid_value(unexpected, &self))
            }

            fn visit_bool<E: serde::de::Error>(self, yes: bool) -> Result<Flag, E> {
                Ok(Flag(yes))
            }
        }

        deserializer.deserialize_str(Visitor)
    }
}
