//! `UndefinedOr`: a value, or the string `undefined` in its place.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{IntoDeserializer, MapAccess};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::php_empty::is_php_empty;

/// A value that the platform may replace with the string `undefined`.
///
/// The events of tasks do so: `data[FIELDS_BEFORE]` is a map of fields in one event and `undefined`
/// in the next. An absent value (with `#[serde(default)]`) and an empty string are undefined too, and
/// so is another of PHP's [empty values](super) that is not a `T`. `T` is a struct, or a type that
/// reads itself from a string, such as a [`Flag`](super::Flag). A value is serialized alone, and
/// `Undefined` as `null`.
///
/// ```
/// use serde::Deserialize;
/// use tower_bitrix24::form::field::{Flag, UndefinedOr};
///
/// #[derive(Deserialize)]
/// #[serde(rename_all = "SCREAMING_SNAKE_CASE")]
/// struct Change {
///     fields_before: UndefinedOr<Fields>,
///     fields_after: UndefinedOr<Fields>,
///     is_accessible_before: UndefinedOr<Flag>,
///     #[serde(default)]
///     is_accessible_after: UndefinedOr<Flag>,
/// }
///
/// #[derive(Debug, PartialEq, Deserialize)]
/// struct Fields {
///     #[serde(rename = "ID")]
///     id: u64,
/// }
///
/// # use tower_bitrix24::{ApplicationToken, Envelope, Event};
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let body = "event=ONTASKADD&data[FIELDS_BEFORE]=undefined&data[FIELDS_AFTER][ID]=123\
///             &data[IS_ACCESSIBLE_BEFORE]=N&auth[application_token]=192735";
/// let event = Event::verify(Envelope::scan(body)?, &ApplicationToken::new("192735")?).await?;
/// let change: Change = event.data_as()?;
/// assert_eq!(change.fields_before, UndefinedOr::Undefined);
/// assert_eq!(change.fields_after.value().map(|fields| fields.id), Some(123));
/// assert_eq!(change.is_accessible_before.into_value().map(Flag::is_yes), Some(false));
/// assert_eq!(change.is_accessible_after.into_value(), None);
///
/// #[derive(Debug, Deserialize)]
/// #[serde(rename_all = "SCREAMING_SNAKE_CASE")]
/// struct Swapped {
///     #[allow(dead_code)]
///     fields_after: UndefinedOr<Flag>,
/// }
/// let error = event.data_as::<Swapped>().unwrap_err();
/// assert_eq!(error.path(), "data.FIELDS_AFTER");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum UndefinedOr<T> {
    /// The value is undefined, empty or absent.
    #[default]
    Undefined,
    /// The value as it was sent.
    Value(T),
}

impl<T> UndefinedOr<T> {
    /// Returns the value unless it is undefined.
    pub const fn value(&self) -> Option<&T> {
        match self {
            Self::Undefined => None,
            Self::Value(value) => Some(value),
        }
    }

    /// Returns the value unless it is undefined.
    pub fn into_value(self) -> Option<T> {
        match self {
            Self::Undefined => None,
            Self::Value(value) => Some(value),
        }
    }
}

impl<T: Serialize> Serialize for UndefinedOr<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value().serialize(serializer)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for UndefinedOr<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> serde::de::Visitor<'de> for Visitor<T> {
            type Value = UndefinedOr<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`undefined` or a value")
            }

            fn visit_unit<E: serde::de::Error>(self) -> Result<UndefinedOr<T>, E> {
                Ok(UndefinedOr::Undefined)
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<UndefinedOr<T>, E> {
                match text {
                    "" | "undefined" => Ok(UndefinedOr::Undefined),
                    text => match T::deserialize(text.into_deserializer()) {
                        Err(_) if is_php_empty(text) => Ok(UndefinedOr::Undefined),
                        read => read.map(UndefinedOr::Value),
                    },
                }
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<UndefinedOr<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(UndefinedOr::Value)
            }
        }

        // If asked for a string, serde_qs gives a map if there is one; if asked for a map, it would
        // make one of a string. A list is rejected, since a struct would take its values for fields
        // in their order.
        deserializer.deserialize_str(Visitor(PhantomData))
    }
}
