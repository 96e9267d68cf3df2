//! `IdMap`: values by numeric id.

use std::collections::{BTreeMap, btree_map};
use std::fmt;
use std::marker::PhantomData;

use serde::de::{MapAccess, SeqAccess};
use serde::{Deserialize, Deserializer, Serialize};

use super::php_empty::{self, NonEmpty};
use super::unknown_keys::UnknownKeys;

/// Values by numeric id, as in `data[BOT][571][BOT_CODE]=support`.
///
/// On the wire the ids look like the indices of a list, but an id reserves no memory, however high it
/// is. The values are in the order of their ids. PHP does not send an empty map, or sends one of its
/// [empty values](super): use `#[serde(default)]`.
///
/// ```
/// use serde::Deserialize;
/// use tower_bitrix24::form::field::IdMap;
///
/// #[derive(Deserialize)]
/// struct Mentions {
///     #[serde(rename = "MENTIONED_LIST", default)]
///     mentioned: IdMap<String>,
/// }
///
/// # use tower_bitrix24::{ApplicationToken, Envelope, Event};
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let read = async |data: &str| {
///     let body = format!("event=ONMENTION&{data}&auth[application_token]=192735");
///     let event = Event::verify(Envelope::scan(body)?, &ApplicationToken::new("192735")?).await?;
///     Ok::<_, Box<dyn std::error::Error>>(event.data_as::<Mentions>()?.mentioned)
/// };
/// let mentioned = read("data[MENTIONED_LIST][999999999]=b&data[MENTIONED_LIST][571]=a").await?;
/// assert_eq!(mentioned.iter().map(|(id, _)| id).collect::<Vec<_>>(), [571, 999_999_999]);
/// assert_eq!(mentioned.get(571).map(String::as_str), Some("a"));
/// assert!(read("data[MENTIONED_LIST]=").await?.is_empty());
/// assert!(read("data[MENTIONED_LIST][bot]=a").await.is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct IdMap<V>(BTreeMap<u64, V>);

impl<V> IdMap<V> {
    /// Returns the value of the id.
    pub fn get(&self, id: u64) -> Option<&V> {
        self.0.get(&id)
    }

    /// Returns the ids and their values in the order of the ids.
    pub fn iter(&self) -> Iter<'_, V> {
        Iter(self.0.iter())
    }

    /// Returns the number of values.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns `true` if there are no values.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<V> Default for IdMap<V> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<V> FromIterator<(u64, V)> for IdMap<V> {
    fn from_iter<I: IntoIterator<Item = (u64, V)>>(entries: I) -> Self {
        Self(entries.into_iter().collect())
    }
}

impl<V> IntoIterator for IdMap<V> {
    type Item = (u64, V);
    type IntoIter = btree_map::IntoIter<u64, V>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a, V> IntoIterator for &'a IdMap<V> {
    type Item = (u64, &'a V);
    type IntoIter = Iter<'a, V>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// The iterator of [`IdMap::iter`]: ids and values in the order of the ids.
#[derive(Clone, Debug)]
pub struct Iter<'a, V>(btree_map::Iter<'a, u64, V>);

impl<'a, V> Iterator for Iter<'a, V> {
    type Item = (u64, &'a V);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|(&id, value)| (id, value))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl<V> DoubleEndedIterator for Iter<'_, V> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.0.next_back().map(|(&id, value)| (id, value))
    }
}

impl<V> ExactSizeIterator for Iter<'_, V> {}

impl<V: fmt::Debug> fmt::Debug for IdMap<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<'de, V: Deserialize<'de>> Deserialize<'de> for IdMap<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor<V>(PhantomData<V>);

        impl<'de, V: Deserialize<'de>> serde::de::Visitor<'de> for Visitor<V> {
            type Value = IdMap<V>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("values by numeric id")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<IdMap<V>, A::Error> {
                let mut map = BTreeMap::new();
                let mut unknown = UnknownKeys::default();
                let mut has_ids = false;
                while let Some(key) = entries.next_key::<String>()? {
                    // serde_qs gives a string as a map with an empty key.
                    if key.is_empty() {
                        return php_empty::expect(entries, &self).map(|()| IdMap::default());
                    }
                    let Ok(id) = key.parse() else {
                        unknown.skip(key, &mut entries)?;
                        continue;
                    };
                    has_ids = true;
                    map.extend(
                        entries
                            .next_value_seed(NonEmpty::default())?
                            .map(|value| (id, value)),
                    );
                }
                unknown.reject_if_only(has_ids, "a numeric id")?;
                Ok(IdMap(map))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<IdMap<V>, A::Error> {
                let mut map = BTreeMap::new();
                let mut ids = 0..;
                while let Some(value) = values.next_element_seed(NonEmpty::default())? {
                    map.extend(ids.next().zip(value));
                }
                Ok(IdMap(map))
            }
        }

        // If asked for anything, serde_qs takes ids for the indices of a list and drops them.
        deserializer.deserialize_map(Visitor(PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(form: &str) -> Result<IdMap<String>, serde_qs::Error> {
        #[derive(Deserialize)]
        struct Form {
            #[serde(default)]
            map: IdMap<String>,
        }
        serde_qs::from_str(form).map(|Form { map }| map)
    }

    fn map<const N: usize>(entries: [(u64, &str); N]) -> IdMap<String> {
        let entries = entries.into_iter();
        entries.map(|(id, value)| (id, value.to_owned())).collect()
    }

    #[test]
    fn id_map_keeps_the_largest_ids() {
        let high = read("map[18446744073709551615]=b&map[0]=a").unwrap();
        assert_eq!(high, map([(0, "a"), (u64::MAX, "b")]));
        assert_eq!(
            read("map[0]=a&map[1]=b").unwrap(),
            map([(0, "a"), (1, "b")])
        );
    }

    #[test]
    fn id_map_of_a_list_counts_from_zero() {
        assert_eq!(read("map[]=a&map[]=b").unwrap(), map([(0, "a"), (1, "b")]));
    }

    #[test]
    fn id_map_reads_php_empty_values_as_empty_and_rejects_other_strings() {
        for form in ["map=", "map=0", "map=false", "map=undefined", "other=1"] {
            assert_eq!(read(form).unwrap(), IdMap::default(), "{form}");
        }
        let reason = |form: &str| read(form).unwrap_err().to_string();
        let text = reason("map=7");
        assert!(
            text.contains("string \"7\", expected values by numeric id"),
            "{text}"
        );
        for key in ["7a", "-7", "x"] {
            let reason = reason(&format!("map[{key}]=x"));
            let expected = format!("found the key {key:?}, expected a numeric id");
            assert!(reason.contains(&expected), "{reason}");
        }
    }

    #[test]
    fn id_map_skips_other_keys_if_one_is_an_id() {
        for form in [
            "map[7]=a&map[x]=b",
            "map[x]=b&map[7]=a",
            "map[7]=a&map[-7]=b&map[7a][c]=d",
        ] {
            assert_eq!(read(form).unwrap(), map([(7, "a")]), "{form}");
        }
    }

    #[test]
    fn id_map_omits_empty_values_unless_the_type_reads_them() {
        #[derive(Debug, PartialEq, Deserialize)]
        struct Bot {
            code: Option<String>,
        }
        #[derive(Deserialize)]
        struct Form {
            map: IdMap<Bot>,
        }
        let form = "map[5]=&map[6]=0&map[7][code]=a&map[8]=false";
        let bots = serde_qs::from_str::<Form>(form).unwrap().map;
        let bots: Vec<_> = bots.into_iter().map(|(id, bot)| (id, bot.code)).collect();
        assert_eq!(bots, [(7, Some("a".to_owned()))]);
        assert!(serde_qs::from_str::<Form>("map[5]=x").is_err());
        assert_eq!(read("map[5]=&map[6]=0").unwrap(), map([(5, ""), (6, "0")]));
    }

    #[test]
    fn id_map_round_trips_through_serde() {
        let bots = map([(571, "a"), (7, "b")]);
        let json = serde_json::to_string(&bots).unwrap();
        assert_eq!(json, r#"{"7":"b","571":"a"}"#);
        assert_eq!(serde_json::from_str::<IdMap<String>>(&json).unwrap(), bots);
        assert_eq!(format!("{bots:?}"), r#"{7: "b", 571: "a"}"#);
        assert_eq!((&bots).into_iter().count(), bots.len());
        assert_eq!(bots.into_iter().next(), Some((7, "b".to_owned())));
    }
}
