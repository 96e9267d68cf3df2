//! `Flag`: a boolean that PHP writes as `Y`, `1`, `true` and their opposites.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A boolean as the platform spells it: `Y` or `1` for yes; `N`, `0` or an empty string for no.
///
/// `true` and `false` are read as well, in upper or lower case. It is serialized as a boolean. Use
/// [`optional_flag`] for a flag that may be absent.
///
/// ```
/// use tower_bitrix24::form::field::Flag;
///
/// let flags: Vec<Flag> = ["Y", "1", "N", "0", ""].map(Flag::parse).into_iter().flatten().collect();
/// assert_eq!(flags.iter().filter(|flag| flag.is_yes()).count(), 2);
/// assert_eq!(Flag::parse("undefined"), None);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Flag(bool);

impl Flag {
    /// Returns `true` if the flag is yes.
    pub const fn is_yes(self) -> bool {
        self.0
    }

    /// Reads a flag. Returns `None` if `text` does not spell one.
    pub fn parse(text: &str) -> Option<Self> {
        let is_one_of = |spellings: &[&str]| {
            let mut spellings = spellings.iter();
            spellings.any(|spelling| text.eq_ignore_ascii_case(spelling))
        };
        if is_one_of(&["Y", "1", "true"]) {
            Some(Self(true))
        } else if is_one_of(&["N", "0", "false", ""]) {
            Some(Self(false))
        } else {
            None
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
                f.write_str("a flag: `Y`, `N`, `1`, `0` or an empty string")
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

/// Reads a flag that may be absent, for `#[serde(default, deserialize_with = "…")]`.
///
/// A string that is not a [`Flag`], such as `undefined` or `null`, counts as absent, so that one
/// optional flag does not cost the payload. [`Event::data`](crate::Event::data) still has the string.
/// An empty string is a flag that is off.
///
/// ```
/// use serde::Deserialize;
/// use tower_bitrix24::form::field::{Flag, optional_flag};
///
/// #[derive(Deserialize)]
/// struct User {
///     #[serde(rename = "ACTIVE", default, deserialize_with = "optional_flag")]
///     active: Option<Flag>,
/// }
///
/// # use tower_bitrix24::{ApplicationToken, Envelope, Event};
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// # let token = ApplicationToken::new("192735")?;
/// for (data, active) in [
///     ("&data[ACTIVE]=Y", Some(true)),
///     ("&data[ACTIVE]=", Some(false)),
///     ("&data[ACTIVE]=undefined", None),
///     ("", None),
/// ] {
///     let body = format!("event=ONUSERADD{data}&auth[application_token]=192735");
///     let event = Event::verify(Envelope::scan(body)?, &token).await?;
///     assert_eq!(event.data_as::<User>()?.active.map(Flag::is_yes), active);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// Returns an error if the value is an array.
pub fn optional_flag<'de, D>(deserializer: D) -> Result<Option<Flag>, D::Error>
where
    D: Deserializer<'de>,
{
    let flag = Option::<Parsed>::deserialize(deserializer)?;
    Ok(flag.and_then(|Parsed(flag)| flag))
}

struct Parsed(Option<Flag>);

impl<'de> Deserialize<'de> for Parsed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl serde::de::Visitor<'_> for Visitor {
            type Value = Parsed;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a flag, in a string")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Parsed, E> {
                Ok(Parsed(Flag::parse(text)))
            }
        }

        deserializer.deserialize_str(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;
    use crate::event::payload::{AppUninstall, ImBotMessageAdd, OpenLineSession, User};
    use crate::form::FormReader;

    #[test]
    fn flag_is_read_in_upper_and_lower_case() {
        for text in ["Y", "y", "1", "true", "TRUE", "True"] {
            assert_eq!(Flag::parse(text), Some(Flag(true)), "{text}");
        }
        for text in ["N", "n", "0", "false", "FALSE", "False", ""] {
            assert_eq!(Flag::parse(text), Some(Flag(false)), "{text}");
        }
        for text in ["undefined", "null", "x", "yes", "2", " "] {
            assert_eq!(Flag::parse(text), None, "{text}");
        }
    }

    #[test]
    fn string_that_is_not_a_flag_is_absent_but_an_array_is_an_error() {
        #[derive(Deserialize)]
        struct Form {
            #[serde(default, deserialize_with = "optional_flag")]
            flag: Option<Flag>,
        }
        let read = |form: &str| serde_qs::from_str(form).map(|Form { flag }| flag);
        assert_eq!(read("flag=Y").unwrap(), Some(Flag(true)));
        assert_eq!(read("flag=").unwrap(), Some(Flag(false)));
        for form in ["flag=undefined", "flag=null", "flag=x", "flag", "other=1"] {
            assert_eq!(read(form).unwrap(), None, "{form}");
        }
        assert!(read("flag[x]=Y").is_err());
    }

    #[test]
    fn string_that_is_not_a_flag_does_not_lose_the_payload() {
        let data = |pairs: &'static str| FormReader::alone(Some(Cow::Borrowed(pairs.as_bytes())));

        let user: User = data("data[ID]=1&data[ACTIVE]=undefined").data().unwrap();
        assert_eq!((user.id, user.active), (1, None));

        let gone: AppUninstall = data("data[CLEAN]=undefined").data().unwrap();
        assert_eq!(gone.clean, None);

        let added = data("data[PARAMS][MESSAGE_ID]=1&data[PARAMS][SYSTEM]=x");
        let added: ImBotMessageAdd = added.data().unwrap();
        assert_eq!((added.params.message_id, added.params.system), (1, None));

        let started = data("data[DATA][session][closed]=x");
        let started: OpenLineSession = started.data().unwrap();
        let session = started.records[0].session.as_ref().unwrap();
        assert_eq!(session.closed, None);
    }
}
