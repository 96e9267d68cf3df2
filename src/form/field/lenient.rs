//! Reads optional parts of a payload: a value that does not fit counts as absent.
//!
//! For fields that only the platform's source or a few captures show. The whole data stay in
//! [`Event::data`](crate::Event::data).

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{IgnoredAny, MapAccess, SeqAccess};
use serde::{Deserialize, Deserializer};

use super::peeked::Peeked;
use super::{Flag, IdMap, List, OneOrMany};
use crate::secret::{REDACTED, Secret};

/// A value that is one string on the wire.
pub(crate) trait FromText: Sized {
    /// Returns `None` if the string is not such a value.
    fn from_text(text: Cow<'_, str>) -> Option<Self>;
}

impl FromText for String {
    fn from_text(text: Cow<'_, str>) -> Option<Self> {
        Some(text.into_owned())
    }
}

impl FromText for Secret {
    fn from_text(text: Cow<'_, str>) -> Option<Self> {
        (text != REDACTED).then(|| Self::new(text))
    }
}

impl FromText for u64 {
    fn from_text(text: Cow<'_, str>) -> Option<Self> {
        text.parse().ok()
    }
}

impl FromText for i64 {
    fn from_text(text: Cow<'_, str>) -> Option<Self> {
        text.parse().ok()
    }
}

impl FromText for Flag {
    fn from_text(text: Cow<'_, str>) -> Option<Self> {
        Self::parse(&text)
    }
}

/// Reads a string. An array or a string that is not a `T` counts as absent.
pub(crate) fn lenient<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: FromText,
{
    let leaf = Option::<Leaf<T>>::deserialize(deserializer)?;
    Ok(leaf.and_then(|Leaf(value)| value))
}

/// Reads the objects of a list, or a single one. Other values are skipped.
pub(crate) fn objects<'de, D, T>(deserializer: D) -> Result<List<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    let values = OneOrMany::<TextOr<T>>::deserialize(deserializer)?;
    let objects = values.into_iter().filter_map(TextOr::object);
    Ok(objects.collect::<Vec<_>>().into())
}

/// Reads objects by their ids. Other values are skipped.
pub(crate) fn objects_by_id<'de, D, T>(deserializer: D) -> Result<IdMap<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    let ById(entries) = ById::deserialize(deserializer)?;
    let entries = entries.into_iter();
    Ok(entries
        .filter_map(|(id, value)| Some((id, value.object()?)))
        .collect())
}

struct Leaf<T>(Option<T>);

impl<'de, T: FromText> Deserialize<'de> for Leaf<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor<T>(PhantomData<T>);

        impl<'de, T: FromText> serde::de::Visitor<'de> for Visitor<T> {
            type Value = Leaf<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Leaf<T>, E> {
                Ok(Leaf(T::from_text(Cow::Borrowed(text))))
            }

            fn visit_string<E: serde::de::Error>(self, text: String) -> Result<Leaf<T>, E> {
                Ok(Leaf(T::from_text(Cow::Owned(text))))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Leaf<T>, A::Error> {
                while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Leaf(None))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<Leaf<T>, A::Error> {
                while values.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Leaf(None))
            }
        }

        deserializer.deserialize_str(Visitor(PhantomData))
    }
}

/// A string, or an object instead of it.
pub(crate) enum TextOr<T> {
    Text(String),
    Object(T),
}

impl<T> TextOr<T> {
    fn object(self) -> Option<T> {
        match self {
            Self::Text(_) => None,
            Self::Object(object) => Some(object),
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for TextOr<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> serde::de::Visitor<'de> for Visitor<T> {
            type Value = TextOr<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or an object")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<TextOr<T>, E> {
                Ok(TextOr::Text(text.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<TextOr<T>, A::Error> {
                let Some(key) = entries.next_key::<String>()? else {
                    return Ok(TextOr::Text(String::new()));
                };
                if key.is_empty() {
                    return entries.next_value().map(TextOr::Text);
                }
                let entries = MapAccessDeserializer::new(Peeked::new(key, entries));
                T::deserialize(entries).map(TextOr::Object)
            }
        }

        // If asked for a map, serde_qs gives a string as a map with an empty key, and an empty string as an
        // empty map.
        deserializer.deserialize_map(Visitor(PhantomData))
    }
}

/// Strings and objects by numeric keys, in the order of the wire.
pub(crate) struct ById<T>(pub(crate) Vec<(u64, TextOr<T>)>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for ById<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> serde::de::Visitor<'de> for Visitor<T> {
            type Value = ById<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("values by numeric id")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<ById<T>, A::Error> {
                let mut by_id = Vec::new();
                while let Some(key) = entries.next_key::<String>()? {
                    match key.parse() {
                        Ok(id) => by_id.push((id, entries.next_value()?)),
                        Err(_) => entries.next_value().map(|IgnoredAny| ())?,
                    }
                }
                Ok(ById(by_id))
            }
        }

        // As above.
        deserializer.deserialize_map(Visitor(PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    struct File {
        #[serde(default, deserialize_with = "lenient")]
        name: Option<String>,
        #[serde(default, deserialize_with = "lenient")]
        size: Option<u64>,
    }

    #[derive(Deserialize)]
    struct Form {
        #[serde(default, deserialize_with = "objects")]
        list: List<File>,
        #[serde(default, deserialize_with = "objects_by_id")]
        map: IdMap<File>,
        #[serde(default, deserialize_with = "lenient")]
        text: Option<String>,
        #[serde(default, deserialize_with = "lenient")]
        flag: Option<Flag>,
    }

    fn read(form: &str) -> Form {
        serde_qs::from_str(form).unwrap_or_else(|error| panic!("{form}: {error}"))
    }

    fn names<'a>(files: impl IntoIterator<Item = &'a File>) -> Vec<&'a str> {
        let names = files.into_iter().map(|file| file.name.as_deref());
        names.map(Option::unwrap_or_default).collect()
    }

    #[test]
    fn lenient_value_that_does_not_fit_is_absent() {
        assert_eq!(read("text=a").text.as_deref(), Some("a"));
        assert_eq!(read("text=").text.as_deref(), Some(""));
        assert_eq!(read("flag=Y").flag, Some(true.into()));
        for form in ["text[a]=b", "text[0]=a", "text[a][b][c]=d", "other=1"] {
            assert_eq!(read(form).text, None, "{form}");
        }
        for form in ["flag=x", "flag[0]=Y"] {
            assert_eq!(read(form).flag, None, "{form}");
        }
    }

    #[test]
    fn lenient_list_keeps_only_objects() {
        let form = "list[0][name]=a&list[0][size][x]=1&list[1]=x&list[7][name]=b&list[y]=z";
        let list = read(form).list;
        assert_eq!(names(&list), ["a", "b"]);
        assert_eq!(list[0].size, None);
        assert_eq!(names(&read("list[name]=a&list[size]=5").list), ["a"]);
        for form in [
            "list=",
            "list=0",
            "list=x",
            "list[0]=x",
            "list[0]=",
            "other=1",
        ] {
            assert!(read(form).list.is_empty(), "{form}");
        }
    }

    #[test]
    fn lenient_map_keeps_only_objects_by_id() {
        let form = "map[7][name]=a&map[18446744073709551615][name]=b&map[8]=x&map[x][name]=c";
        let map = read(form).map;
        assert_eq!(names(map.iter().map(|(_, file)| file)), ["a", "b"]);
        assert_eq!(map.get(u64::MAX).unwrap().name.as_deref(), Some("b"));
        for form in [
            "map=",
            "map=7",
            "map[x]=y",
            "map[x][name]=a",
            "map[7]=x",
            "other=1",
        ] {
            assert!(read(form).map.is_empty(), "{form}");
        }
    }
}
