//! `List`: a list whose indices may have gaps.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use serde::de::{MapAccess, SeqAccess};
use serde::{Deserialize, Deserializer, Serialize};

use super::php_empty::{self, NonEmpty};
use super::unknown_keys::UnknownKeys;

/// A list whose indices may have gaps, as in `data[UF_DEPARTMENT][0]=1&data[UF_DEPARTMENT][7]=12`.
///
/// PHP writes a list with its keys, and a removed value leaves a gap. The values are in the order of
/// their indices, those with negative indices last. The indices are not kept. PHP does not send an
/// empty list, or sends one of its [empty values](super): use `#[serde(default)]`.
///
/// ```
/// use serde::Deserialize;
/// use tower_bitrix24::form::field::List;
///
/// #[derive(Deserialize)]
/// struct User {
///     #[serde(rename = "UF_DEPARTMENT", default)]
///     departments: List<u64>,
/// }
///
/// # use tower_bitrix24::{ApplicationToken, Envelope, Event};
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let body = "event=ONUSERADD&data[UF_DEPARTMENT][0]=1&data[UF_DEPARTMENT][7]=12\
///             &auth[application_token]=192735";
/// let event = Event::verify(Envelope::scan(body)?, &ApplicationToken::new("192735")?).await?;
/// assert_eq!(*event.data_as::<User>()?.departments, [1, 12]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct List<T>(Vec<T>);

impl<T> List<T> {
    /// Returns the values.
    pub fn into_vec(self) -> Vec<T> {
        self.0
    }
}

impl<T> Deref for List<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T> Default for List<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> AsRef<[T]> for List<T> {
    fn as_ref(&self) -> &[T] {
        &self.0
    }
}

impl<T> FromIterator<T> for List<T> {
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Self {
        Self(values.into_iter().collect())
    }
}

impl<T> From<List<T>> for Vec<T> {
    fn from(values: List<T>) -> Self {
        values.0
    }
}

impl<T> From<Vec<T>> for List<T> {
    fn from(values: Vec<T>) -> Self {
        Self(values)
    }
}

impl<T> IntoIterator for List<T> {
    type Item = T;
    type IntoIter = std::vec::IntoIter<T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a, T> IntoIterator for &'a List<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl<T: fmt::Debug> fmt::Debug for List<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> serde::de::Visitor<'de> for Visitor<T> {
            type Value = List<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<List<T>, A::Error> {
                let mut list = Vec::new();
                while let Some(value) = values.next_element_seed(NonEmpty::default())? {
                    list.extend(value);
                }
                Ok(List(list))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<List<T>, A::Error> {
                let mut list = Vec::new();
                let mut unknown = UnknownKeys::default();
                let mut is_list = false;
                while let Some(key) = entries.next_key::<String>()? {
                    // serde_qs gives a string as a map with an empty key.
                    if key.is_empty() {
                        return php_empty::expect(entries, &self).map(|()| List::default());
                    }
                    if key.parse::<i64>().is_err() {
                        unknown.skip(key, &mut entries)?;
                        continue;
                    }
                    is_list = true;
                    list.extend(entries.next_value_seed(NonEmpty::default())?);
                }
                unknown.reject_if_only(is_list, "the index of a list")?;
                Ok(List(list))
            }
        }

        // If asked for a sequence, serde_qs rejects a gap.
        deserializer.deserialize_map(Visitor(PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<T: serde::de::DeserializeOwned>(form: &str) -> Result<Vec<T>, serde_qs::Error> {
        #[derive(Deserialize)]
        struct Form<T> {
            #[serde(default = "List::default")]
            list: List<T>,
        }
        serde_qs::from_str(form).map(|Form { list }| list.into_vec())
    }

    #[test]
    fn list_is_in_the_order_of_its_indices() {
        let form = "list[7]=c&list[-2]=d&list[0]=a&list[5]=b";
        assert_eq!(read::<String>(form).unwrap(), ["a", "b", "c", "d"]);
    }

    #[test]
    fn list_reads_php_empty_values_as_empty_and_rejects_other_strings() {
        for form in ["list=", "list=0", "list=false", "list=undefined", "other=1"] {
            assert!(read::<u64>(form).unwrap().is_empty(), "{form}");
            assert!(read::<String>(form).unwrap().is_empty(), "{form}");
        }
        for form in ["list=7", "list=x", "list[x]=7"] {
            assert!(read::<u64>(form).is_err(), "{form}");
        }
    }

    #[test]
    fn list_skips_other_keys_if_one_is_an_index() {
        for form in [
            "list[0]=5&list[x]=7",
            "list[x]=7&list[0]=5",
            "list[3]=5&list[total]=x&list[page][a][b]=1",
            "list[!]=7&list[-2]=5",
        ] {
            assert_eq!(read::<u64>(form).unwrap(), [5], "{form}");
        }
        assert!(read::<u64>("list[0]=&list[x]=7").unwrap().is_empty());
        let reason = read::<u64>("list[x]=7&list[y]=8").unwrap_err().to_string();
        let expected = "found the key \"x\", expected the index of a list";
        assert!(reason.contains(expected), "{reason}");
    }

    #[test]
    fn list_omits_empty_values_unless_the_type_reads_them() {
        assert_eq!(read::<u64>("list[0]=&list[1]=5&list[2]=0").unwrap(), [5, 0]);
        assert_eq!(read::<String>("list[0]=&list[1]=0").unwrap(), ["", "0"]);
        assert!(read::<u64>("list[0]=x").is_err());
        assert!(read::<u64>("list[0][x]=1").is_err());
    }

    #[test]
    fn list_values_may_be_arrays() {
        use std::collections::BTreeMap;

        let ids = "list[3][9]=a&list[3][7]=b";
        let map = BTreeMap::from([(7, "b".to_owned()), (9, "a".to_owned())]);
        assert_eq!(read::<BTreeMap<u64, String>>(ids).unwrap(), [map]);
        let pair = "list[3][0]=a&list[3][1]=b";
        assert_eq!(read::<Vec<String>>(pair).unwrap(), [["a", "b"]]);
        assert_eq!(
            read::<Option<(String, char)>>(pair).unwrap(),
            [Some(("a".to_owned(), 'b'))]
        );
        assert_eq!(read::<Vec<u64>>("list[0]=5").unwrap(), [[5]]);
    }
}
