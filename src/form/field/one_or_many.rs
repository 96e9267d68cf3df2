//! `OneOrMany`: one value or a list of them.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, SeqAccess};
use serde::{Deserialize, Deserializer, Serialize};

use super::peeked::Peeked;
use super::php_empty::NonEmpty;
use super::unknown_keys::{self, UnknownKeys};

/// A single value or a list of them: the same field is `data[id]=a` in one event and
/// `data[id][0]=a` in another.
///
/// Either way it dereferences to a slice. An empty string is read as no value. So are an absent field
/// with `#[serde(default)]`, and another of PHP's [empty values](super) that is not a `T`. The value
/// may itself be an array if its keys are names: numeric keys make a list. It is serialized as a list.
///
/// ```
/// use serde::Deserialize;
/// use tower_bitrix24::form::field::OneOrMany;
///
/// #[derive(Deserialize)]
/// struct Message {
///     #[serde(default)]
///     id: OneOrMany<String>,
/// }
///
/// # use tower_bitrix24::{ApplicationToken, Envelope, Event};
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let read = async |data: &str| {
///     let body = format!("event=ONMESSAGE&{data}&auth[application_token]=192735");
///     let event = Event::verify(Envelope::scan(body)?, &ApplicationToken::new("192735")?).await?;
///     Ok::<_, Box<dyn std::error::Error>>(event.data_as::<Message>()?.id)
/// };
/// assert_eq!(*read("data[id]=ext-5").await?, ["ext-5"]);
/// assert_eq!(*read("data[id][0]=ext-5&data[id][7]=ext-6").await?, ["ext-5", "ext-6"]);
/// assert!(read("data[id]=").await?.is_empty());
/// assert!(read("data[id][name]=ext-5").await.is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct OneOrMany<T>(Vec<T>);

impl<T> OneOrMany<T> {
    /// Returns the values.
    pub fn into_vec(self) -> Vec<T> {
        self.0
    }
}

impl<T> Deref for OneOrMany<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T> Default for OneOrMany<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> AsRef<[T]> for OneOrMany<T> {
    fn as_ref(&self) -> &[T] {
        &self.0
    }
}

impl<T> FromIterator<T> for OneOrMany<T> {
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Self {
        Self(values.into_iter().collect())
    }
}

impl<T> From<OneOrMany<T>> for Vec<T> {
    fn from(values: OneOrMany<T>) -> Self {
        values.0
    }
}

impl<T> From<Vec<T>> for OneOrMany<T> {
    fn from(values: Vec<T>) -> Self {
        Self(values)
    }
}

impl<T> IntoIterator for OneOrMany<T> {
    type Item = T;
    type IntoIter = std::vec::IntoIter<T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a, T> IntoIterator for &'a OneOrMany<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl<T: fmt::Debug> fmt::Debug for OneOrMany<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for OneOrMany<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> serde::de::Visitor<'de> for Visitor<T> {
            type Value = OneOrMany<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value or a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<OneOrMany<T>, A::Error> {
                let mut list = Vec::new();
                while let Some(value) = values.next_element_seed(NonEmpty::default())? {
                    list.extend(value);
                }
                Ok(OneOrMany(list))
            }

            fn visit_map<A: MapAccess<'de>>(
                self,
                mut entries: A,
            ) -> Result<OneOrMany<T>, A::Error> {
                let Some(key) = entries.next_key::<String>()? else {
                    return Ok(OneOrMany::default());
                };
                if key.is_empty() {
                    let value = entries.next_value_seed(NonEmpty::default())?;
                    return Ok(OneOrMany(Vec::from_iter(value)));
                }
                if key.parse::<i64>().is_err() {
                    let mut entries = Peeked::new(key, entries);
                    let read = T::deserialize(MapAccessDeserializer::new(&mut entries));
                    let read = read.map_err(|error| match entries.into_key() {
                        // It is a type without keys.
                        Some(key) => unknown_keys::rejected(&key, "the index of a list"),
                        None => error,
                    });
                    return Ok(OneOrMany(vec![read?]));
                }
                let mut list = Vec::from_iter(entries.next_value_seed(NonEmpty::default())?);
                while let Some(key) = entries.next_key::<String>()? {
                    match key.parse::<i64>() {
                        Ok(_) => list.extend(entries.next_value_seed(NonEmpty::default())?),
                        Err(_) => UnknownKeys::default().skip(key, &mut entries)?,
                    }
                }
                Ok(OneOrMany(list))
            }
        }

        // If asked for a sequence, serde_qs rejects a gap; if asked for a map, it gives a string as a map
        // with an empty key, and an empty string as an empty map.
        deserializer.deserialize_map(Visitor(PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Debug, PartialEq, Deserialize)]
    struct Message {
        id: u64,
        text: Option<String>,
    }

    fn read<T: serde::de::DeserializeOwned>(form: &str) -> Result<Vec<T>, serde_qs::Error> {
        #[derive(Deserialize)]
        struct Form<T> {
            #[serde(default = "OneOrMany::default")]
            value: OneOrMany<T>,
        }
        serde_qs::from_str(form).map(|Form { value }| value.into_vec())
    }

    #[test]
    fn one_or_many_reads_a_string_like_a_list_of_one() {
        for form in ["value=7", "value[0]=7", "value[9]=7", "value[]=7"] {
            assert_eq!(read::<u64>(form).unwrap(), [7], "{form}");
            assert_eq!(read::<String>(form).unwrap(), ["7"], "{form}");
        }
        for form in ["value=", "other=1"] {
            assert!(read::<u64>(form).unwrap().is_empty(), "{form}");
        }
    }

    #[test]
    fn one_or_many_distinguishes_an_object_from_a_list_by_its_keys() {
        let message = |id, text: &str| Message {
            id,
            text: Some(text.to_owned()),
        };
        let one = read::<Message>("value[text]=a&value[id]=1").unwrap();
        assert_eq!(one, [message(1, "a")]);
        let form = "value[3][id]=1&value[3][text]=a&value[5][id]=2&value[5][text]=b";
        let many = read::<Message>(form).unwrap();
        assert_eq!(many, [message(1, "a"), message(2, "b")]);
    }

    #[test]
    fn one_or_many_reads_empty_values_as_none_unless_the_type_reads_them() {
        for form in [
            "value=0",
            "value=false",
            "value=undefined",
            "value[0]=0",
            "value[3]=",
        ] {
            assert!(read::<Message>(form).unwrap().is_empty(), "{form}");
        }
        assert_eq!(read::<String>("value=0").unwrap(), ["0"]);
        assert_eq!(read::<u64>("value[0]=&value[1]=0").unwrap(), [0]);
    }

    #[test]
    fn one_or_many_rejects_other_values() {
        assert!(read::<u64>("value=x").is_err());
        assert!(read::<u64>("value[x]=1").is_err());
        assert!(read::<Message>("value=x").is_err());
        assert!(read::<Message>("value[text]=a").is_err());
    }

    #[test]
    fn one_or_many_skips_unknown_keys() {
        assert_eq!(read::<u64>("value[0]=1&value[x]=2").unwrap(), [1]);
        assert_eq!(read::<u64>("value[x][y]=2&value[5]=1").unwrap(), [1]);
        let message = Message { id: 1, text: None };
        for form in [
            "value[0][id]=1&value[total]=1",
            "value[0][id]=1&value[id]=x",
            "value[id]=1&value[total]=1",
        ] {
            assert_eq!(
                read::<Message>(form).unwrap(),
                std::slice::from_ref(&message),
                "{form}"
            );
        }
    }

    #[test]
    fn one_or_many_error_names_a_single_unknown_key() {
        let reason = read::<String>("value[x]=1").unwrap_err().to_string();
        let expected = "found the key \"x\", expected the index of a list";
        assert!(reason.contains(expected), "{reason}");
        let reason = read::<Message>("value[total]=1").unwrap_err().to_string();
        assert!(reason.contains("missing field `id`"), "{reason}");
    }

    #[test]
    fn one_or_many_is_serialized_and_iterated_as_a_list() {
        let ids = OneOrMany::from(vec!["a".to_owned()]);
        assert_eq!(serde_json::to_string(&ids).unwrap(), r#"["a"]"#);
        assert_eq!(format!("{ids:?}"), r#"["a"]"#);
        assert_eq!((&ids).into_iter().count(), 1);
        assert_eq!(ids.into_iter().next().as_deref(), Some("a"));
    }
}
