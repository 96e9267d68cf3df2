//! `NumberOrName`: a number in one place and its name in another.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize};

/// A code that the platform sends as a number in one event and by its name in another: the kind of
/// an address is `1` or `PRIMARY`.
///
/// It is serialized as it was sent.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(untagged)]
pub enum NumberOrName {
    /// The number.
    Number(u64),
    /// The name, as it was sent.
    Name(Box<str>),
}

impl NumberOrName {
    /// Returns the number unless it is a name.
    pub const fn number(&self) -> Option<u64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Name(_) => None,
        }
    }

    /// Returns the name unless it is a number.
    pub const fn name(&self) -> Option<&str> {
        match self {
            Self::Number(_) => None,
            Self::Name(name) => Some(name),
        }
    }

    /// Returns `true` if it is the code with this number and this name, however it was sent. The
    /// case of letters does not matter.
    ///
    /// ```
    /// use tower_bitrix24::form::field::NumberOrName;
    ///
    /// for sent in ["8", "REQUISITE"] {
    ///     let kind: NumberOrName = sent.parse()?;
    ///     assert!(kind.is(8, "REQUISITE") && !kind.is(1, "LEAD"));
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn is(&self, number: u64, name: &str) -> bool {
        match self {
            Self::Number(sent) => *sent == number,
            Self::Name(sent) => sent.eq_ignore_ascii_case(name),
        }
    }
}

impl fmt::Display for NumberOrName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Name(name) => name.fmt(f),
        }
    }
}

impl From<u64> for NumberOrName {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}

/// Reads a number if the string is one as PHP writes it, and a name otherwise.
///
/// # Errors
///
/// Returns an error if the string is empty.
impl FromStr for NumberOrName {
    type Err = EmptyCode;

    fn from_str(text: &str) -> Result<Self, EmptyCode> {
        if text.is_empty() {
            return Err(EmptyCode(()));
        }
        let number = text
            .parse()
            .ok()
            .filter(|number: &u64| number.to_string() == text);
        Ok(number.map_or_else(|| Self::Name(text.into()), Self::Number))
    }
}

/// A [`NumberOrName`] cannot be read from an empty string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EmptyCode(());

impl fmt::Display for EmptyCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an empty string is neither a number nor a name")
    }
}

impl std::error::Error for EmptyCode {}

impl<'de> Deserialize<'de> for NumberOrName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl serde::de::Visitor<'_> for Visitor {
            type Value = NumberOrName;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number or a name, in a string")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<NumberOrName, E> {
                let unexpected = serde::de::Unexpected::Str(text);
                text.parse()
                    .map_err(|_| E::invalid_value(unexpected, &self))
            }

            fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<NumberOrName, E> {
                Ok(NumberOrName::Number(number))
            }
        }

        deserializer.deserialize_str(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn number_or_name_is_a_number_only_as_php_writes_it() {
        let read = |text: &str| text.parse::<NumberOrName>();
        assert_eq!(read("8"), Ok(NumberOrName::Number(8)));
        for name in [
            "PRIMARY",
            "08",
            "+8",
            "-1",
            "1.5",
            "18446744073709551616",
            " ",
        ] {
            assert_eq!(read(name), Ok(NumberOrName::Name(name.into())), "{name}");
        }
        assert_eq!(read(""), Err(EmptyCode(())));
    }

    #[test]
    fn number_or_name_is_serialized_as_sent() {
        for (text, json) in [("8", "8"), ("LEAD", r#""LEAD""#)] {
            let code: NumberOrName = text.parse().unwrap();
            assert_eq!(serde_json::to_string(&code).unwrap(), json);
            assert_eq!(
                serde_json::from_str::<NumberOrName>(r#""8""#)
                    .unwrap()
                    .number(),
                Some(8)
            );
            assert_eq!(code.to_string(), text);
        }
    }
}
