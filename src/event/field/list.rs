use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use serde::de::{Error, MapAccess, SeqAccess};
use serde::{Deserialize, Deserializer, Serialize};

/// A list whose indices may have gaps, as in `data[UF_DEPARTMENT][0]=1&data[UF_DEPARTMENT][7]=12`.
///
/// PHP writes a list with its keys, and what was taken out of it leaves a gap. The values come in
/// the order of their indices, which themselves are not kept. A list that is empty is not sent at
/// all: let it be absent with `#[serde(default)]`.
///
/// ```
/// use serde::Deserialize;
/// use tower_bitrix24::event::field::List;
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
    /// The values.
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
                while let Some(value) = values.next_element()? {
                    list.push(value);
                }
                Ok(List(list))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<List<T>, A::Error> {
                let mut list = Vec::new();
                while let Some(key) = entries.next_key::<String>()? {
                    // serde_qs gives a text as a map with an empty key.
                    if key.is_empty() {
                        return Err(A::Error::custom("found a text, expected a list"));
                    }
                    if key.parse::<i64>().is_err() {
                        let message =
                            format!("found the key {key:?}, expected the index of a list");
                        return Err(A::Error::custom(message));
                    }
                    list.push(entries.next_value()?);
                }
                Ok(List(list))
            }
        }

        // Asked for a sequence, serde_qs refuses a gap.
        deserializer.deserialize_map(Visitor(PhantomData))
    }
}
