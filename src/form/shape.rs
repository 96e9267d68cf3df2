//! Rearranges data of an undocumented shape into the documented one.
//!
//! The documentation and the platform disagree about the place of an id. One portal sends `data[ID]`
//! and another `data[FIELDS][ID]` for the same event. A key is `ID` or `id`, and an id may be the only
//! element of an array. One rule covers all of them, so that no event needs its own exception. It is
//! used only if the documented shape has no payload, or lacks the id of the subject.

use std::cmp::Reverse;

use serde::de::{DeserializeOwned, Deserializer, Error, Visitor};
use serde::forward_to_deserialize_any;

use super::value::{Array, Value};

const FIELDS: &str = "FIELDS";

const FIRST: &str = "0";

/// Each attempt reads the whole payload.
const MAX_PLACES: usize = 3;

/// Returns the payload in `data` with the keys spelled as in `fields`. There is one for each place that
/// has such fields, the most likely first, except for the documented shape. A payload without fields is a
/// string.
///
/// `with_nested_ids` also spells the ids inside the fields as the fields are spelled.
pub(super) fn reshaped(
    data: &Value,
    fields: &'static [&'static str],
    in_fields: bool,
    with_nested_ids: bool,
) -> impl Iterator<Item = Value> {
    let text = fields.is_empty().then(|| only_text(data).clone());
    let mut places: Vec<_> = data
        .as_array()
        .filter(|_| !fields.is_empty())
        .map_or_else(Vec::new, |data| places(data, in_fields))
        .into_iter()
        .map(|(place, is_documented)| {
            let keys = place.iter().filter(|(key, _)| field(fields, key).is_some());
            (keys.count(), place, is_documented)
        })
        .filter(|(count, ..)| *count > 0)
        .collect();
    // Stable: of places with as many fields, the documented one comes first.
    places.sort_by_key(|(count, ..)| Reverse(*count));
    let objects =
        places
            .into_iter()
            .take(MAX_PLACES)
            .filter_map(move |(_, place, is_documented)| {
                let (object, is_respelled) = respelled(place, fields, with_nested_ids);
                (is_respelled || !is_documented).then_some(object)
            });
    text.into_iter().chain(objects)
}

/// Returns the field names of a struct, or none if `T` is not a struct.
pub(super) fn fields_of<T: DeserializeOwned>() -> &'static [&'static str] {
    struct Probe<'a>(&'a mut &'static [&'static str]);

    impl<'de> Deserializer<'de> for Probe<'_> {
        type Error = serde::de::value::Error;

        fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Self::Error> {
            Err(Error::custom(""))
        }

        fn deserialize_struct<V: Visitor<'de>>(
            self,
            _: &'static str,
            fields: &'static [&'static str],
            visitor: V,
        ) -> Result<V::Value, Self::Error> {
            *self.0 = fields;
            self.deserialize_any(visitor)
        }

        forward_to_deserialize_any! {
            bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit
            unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
        }
    }

    let mut fields: &[&str] = &[];
    let _ = T::deserialize(Probe(&mut fields));
    fields
}

/// Returns the arrays that may be the payload, and whether the documentation says so. Candidates are
/// `data`, `FIELDS`, and the first element of either: some portals send the list of a call's arguments
/// as the data. The documented one comes first.
fn places(data: &Array, in_fields: bool) -> Vec<(&Array, bool)> {
    let mut places = vec![(data, !in_fields)];
    for (key, outer) in wrapped(data) {
        places.push((outer, in_fields && key == FIELDS));
        places.extend(wrapped(outer).map(|(_, inner)| (inner, false)));
    }
    places.sort_by_key(|(_, is_documented)| !is_documented);
    places
}

/// Returns the arrays under keys that only wrap others. The first of several objects is not a wrapper:
/// it would hide the others.
fn wrapped(array: &Array) -> impl Iterator<Item = (&str, &Array)> {
    let is_only_object = |key: &str| {
        let mut others = array.iter().filter(|(other, _)| *other != key);
        key == FIRST && others.all(|(_, value)| value.as_array().is_none())
    };
    let arrays = array
        .iter()
        .filter_map(|(key, value)| Some((key, value.as_array()?)));
    arrays.filter(move |(key, _)| is_alike(key, FIELDS) || is_only_object(key))
}

fn field(fields: &[&'static str], key: &str) -> Option<usize> {
    let exact = fields.iter().position(|field| *field == key);
    exact.or_else(|| fields.iter().position(|field| is_alike(field, key)))
}

/// Returns `true` if the names differ only in spelling, as `ENTITY_ID` and `entityId` do.
fn is_alike(left: &str, right: &str) -> bool {
    fn letters(name: &str) -> impl Iterator<Item = u8> {
        let letters = name.bytes().filter(|byte| *byte != b'_');
        letters.map(|byte| byte.to_ascii_lowercase())
    }
    // Names have fewer `_` than letters, so a longer key need not be read.
    left.len() <= 2 * right.len()
        && right.len() <= 2 * left.len()
        && letters(left).eq(letters(right))
}

/// Returns `true` for names such as `ID`, `POST_ID` or `documentUid`.
fn has_id(field: &str) -> bool {
    let end = field.len().saturating_sub(2);
    field.as_bytes()[end..].eq_ignore_ascii_case(b"id")
}

/// Returns the payload with the keys spelled as in `fields`, and whether that changed anything.
///
/// If a field comes in several spellings, the first that is not empty counts, and the field's own
/// spelling takes precedence.
fn respelled(place: &Array, fields: &[&'static str], with_nested_ids: bool) -> (Value, bool) {
    let mut changed = false;
    let mut entries: Vec<(String, Value)> = Vec::with_capacity(place.len());
    // The index of each field among the entries, and its rank.
    let mut taken: Vec<Option<(usize, (bool, bool))>> = vec![None; fields.len()];
    for (key, value) in place.iter() {
        let Some(at) = field(fields, key) else {
            entries.push((key.to_owned(), value.clone()));
            continue;
        };
        let field = fields[at];
        let id = if has_id(field) {
            only_id(value, field)
        } else {
            value
        };
        changed |= key != field || !std::ptr::eq(id, value);
        let value = match id.as_array() {
            Some(object) if with_nested_ids => {
                let (object, respelled) = respelled(object, id_as(field), false);
                changed |= respelled;
                object
            }
            _ => id.clone(),
        };
        let rank = (says_anything(id, field), key == field);
        match &mut taken[at] {
            Some((entry, before)) => {
                changed = true;
                if rank > *before {
                    *before = rank;
                    entries[*entry].1 = value;
                }
            }
            unset @ None => {
                *unset = Some((entries.len(), rank));
                entries.push((field.to_owned(), value));
            }
        }
    }
    (Value::from_entries(entries), changed)
}

fn says_anything(value: &Value, field: &str) -> bool {
    match value {
        Value::Text(text) => !matches!(&**text, "" | "undefined"),
        Value::Bytes(_) => true,
        Value::Array(_) => !has_id(field),
    }
}

/// Returns the id nested in a field: under the field's own name or `ID`, as in the key of a database
/// record, or as the only element of a list.
fn only_id<'a>(mut value: &'a Value, field: &str) -> &'a Value {
    let inner = |array: &'a Array| {
        let has_it = |key: &str| {
            is_alike(key, "ID") || is_alike(key, field) || array.len() == 1 && key == FIRST
        };
        let exact = array.get(field).or_else(|| array.get("ID"));
        exact.or_else(|| Some(array.iter().find(|(key, _)| has_it(key))?.1))
    };
    while let Some(inner) = value.as_array().and_then(inner) {
        value = inner;
    }
    value
}

/// Returns the key of an id in the case of the field.
fn id_as(field: &str) -> &'static [&'static str] {
    if field.bytes().any(|byte| byte.is_ascii_lowercase()) {
        &["id"]
    } else {
        &["ID"]
    }
}

/// Returns the string that the data should be, wherever it is nested.
fn only_text(mut data: &Value) -> &Value {
    loop {
        data = only_id(data, "ID");
        let mut entries = data.as_array().into_iter().flat_map(Array::iter);
        match entries.find(|(key, _)| is_alike(key, FIELDS)) {
            Some((_, fields)) => data = fields,
            None => return data,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;
    use crate::event::payload::{
        CalendarItem, ConnectorLineId, CrmTimelineAction, FeedPost, InvoiceUserField, ItemId,
        TaskChange, User, UserField,
    };
    use crate::form::de::FormReader;
    use crate::form::mismatch::Mismatch;

    fn data(pairs: &str) -> FormReader<'_> {
        FormReader::alone(Some(Cow::Borrowed(pairs.as_bytes())))
    }

    fn item(pairs: &str) -> Result<u64, Mismatch> {
        let item = data(pairs).payload(FormReader::fields::<ItemId>, true, Some(|_| true));
        item.map(|item| item.id)
    }

    #[test]
    fn id_is_found_in_every_shape_of_the_payload() {
        for pairs in [
            "data[FIELDS][ID]=27",
            "data[ID]=27",
            "data[id]=27",
            "data[Id]=27",
            "data[fields][id]=27",
            "data[Fields][ID]=27",
            "data[FIELDS][Id]=27",
            "data[FIELDS][ID][ID]=27",
            "data[FIELDS][ID][id]=27",
            "data[FIELDS][id][0]=27",
            "data[FIELDS][ID][]=27",
            "data[FIELDS][ID][0][ID]=27",
            "data[FIELDS][ID][ID]=27&data[FIELDS][ID][x]=1",
            "data[FIELDS][0][ID]=27",
            "data[0][ID]=27",
            "data[0][FIELDS][ID]=27",
            "data%5B0%5D%5Bid%5D=27&data[1]=x",
            "data[FIELDS]=&data[ID]=27",
            "data[FIELDS]=undefined&data[ID]=27",
            "data[FIELDS][x]=1&data[ID]=27",
            "data[FIELDS][ID]=&data[FIELDS][id]=27",
            "data[FIELDS][ID][x]=1&data[FIELDS][id]=27",
            "data[FIELDS][ID]=27&data[ID]=28",
            "data[FIELDS][ID]=27&data[FIELDS][id]=28",
            "data[FIELDS][NAME]=%FF&data[FIELDS][id]=27",
            "data[FIELDS][ID]=&data[ID]=27",
            "data[FIELDS][ID]=x&data[ID]=27",
            "data[FIELDS][ID][id]=28&data[FIELDS][ID][ID]=27",
        ] {
            assert_eq!(item(pairs), Ok(27), "{pairs}");
        }
    }

    #[test]
    fn payload_without_an_id_is_a_mismatch_of_the_documented_place() {
        for (pairs, path) in [
            ("data=27", "data"),
            ("data[0]=27", "data"),
            ("data[x]=27", "data"),
            ("data[FIELDS]=27", "data.FIELDS"),
            ("data[FIELDS][]=27", "data.FIELDS"),
            ("data[FIELDS][x]=27", "data.FIELDS"),
            ("data[FIELDS][ID]=x", "data.FIELDS.ID"),
            // Of several objects, none is the payload.
            (
                "data[FIELDS][0][ID]=27&data[FIELDS][1][ID]=28",
                "data.FIELDS",
            ),
            ("data[0][ID]=27&data[1][ID]=28", "data"),
            ("data[0][FIELDS][ID]=27&data[1][FIELDS][ID]=28", "data"),
            ("data[FIELDS][ID][x]=27", "data.FIELDS.ID"),
            (
                "data[FIELDS][ID][]=27&data[FIELDS][ID][]=28",
                "data.FIELDS.ID",
            ),
            ("data[FIELDS][FIELDS][FIELDS][ID]=27", "data.FIELDS"),
        ] {
            assert_eq!(item(pairs).unwrap_err().path(), path, "{pairs}");
        }
        assert_eq!(
            item("data[FIELDS][x]=1").unwrap_err().reason(),
            "missing field `ID`"
        );
    }

    #[test]
    fn key_is_read_in_the_spelling_of_another_event() {
        let pairs = "data[id]=6977&data[entityId]=CRM_13&data[fieldName]=UF_CRM_13_1742999523";
        let field = data(pairs).payload(FormReader::fields::<UserField>, true, Some(|_| true));
        let field = field.unwrap();
        assert_eq!(
            (field.id, field.entity_id.as_deref()),
            (6977, Some("CRM_13"))
        );
        assert_eq!(field.field_name.as_deref(), Some("UF_CRM_13_1742999523"));

        let pairs = "data[FIELDS][ID]=7&data[FIELDS][ENTITY_ID]=CRM_INVOICE&data[FIELDS][id]=";
        let field =
            data(pairs).payload(FormReader::fields::<InvoiceUserField>, true, Some(|_| true));
        let field = field.unwrap();
        assert_eq!(
            (field.id, field.entity_id.as_deref()),
            (7, Some("CRM_INVOICE"))
        );

        let post =
            data("data[postId]=9").payload(FormReader::fields::<FeedPost>, true, Some(|_| true));
        assert_eq!(post.unwrap().post_id, 9);
        let item = data("data[FIELDS][ID]=9");
        let item = item.payload(FormReader::data::<CalendarItem>, false, Some(|_| true));
        assert_eq!(item.unwrap().id, 9);
    }

    #[test]
    fn reshaping_keeps_lists_and_the_fields_beside_an_id() {
        let pairs = "data[FIELDS][ID]=5&data[FIELDS][NAME]=A&data[FIELDS][UF_DEPARTMENT][0]=1";
        let user = data(pairs).payload(FormReader::data::<User>, false, Some(|_| true));
        let user = user.unwrap();
        assert_eq!((user.id, user.name.as_deref()), (5, Some("A")));
        assert_eq!(*user.departments, [1]);
    }

    #[test]
    fn nested_id_is_found_even_if_the_field_is_optional() {
        for pairs in [
            "data[FIELDS_AFTER][ID]=5",
            "data[FIELDS_AFTER][id]=5",
            "data[FIELDS_AFTER][ID][ID]=5",
            "data[fieldsAfter][Id]=5",
            "data[FIELDS][FIELDS_AFTER][ID]=5&data[FIELDS][FIELDS_BEFORE]=undefined",
            "data[0][FIELDS_AFTER][ID]=5",
        ] {
            let has_id: fn(&TaskChange) -> bool = |task| task.id().is_some();
            let task = data(pairs).payload(FormReader::data::<TaskChange>, false, Some(has_id));
            assert_eq!(task.unwrap().id(), Some(5), "{pairs}");
        }
    }

    #[test]
    fn string_payload_is_found_at_any_depth() {
        for pairs in [
            "data=107",
            "data[0]=107",
            "data[ID]=107",
            "data[FIELDS][id]=107",
            "data[FIELDS][ID][0]=107",
        ] {
            let line =
                data(pairs).payload(FormReader::data::<ConnectorLineId>, false, Some(|_| true));
            assert_eq!(line.unwrap().0, 107, "{pairs}");
        }
        for pairs in [
            "data=x",
            "data[x]=107",
            "data[0]=1&data[1]=2",
            "data[FIELDS]=",
        ] {
            let line =
                data(pairs).payload(FormReader::data::<ConnectorLineId>, false, Some(|_| true));
            assert!(line.is_err(), "{pairs}");
        }
    }

    #[test]
    fn reshaping_keeps_undocumented_fields() {
        let action = data("data[FIELDS][id]=a&data[FIELDS][rows][Id]=1&data[FIELDS][my_id][0]=2")
            .payload(FormReader::data::<CrmTimelineAction>, false, None)
            .unwrap();
        assert_eq!(action.id, "a");
        let params = action.action_params.unwrap();
        assert_eq!(params["rows"]["Id"].as_str(), Some("1"));
        assert_eq!(params["my_id"]["0"].as_str(), Some("2"));
    }

    #[test]
    fn documented_shape_is_not_reshaped() {
        for pairs in ["data[FIELDS][ID]=x", "data[FIELDS][ID]=0&data[x]=1"] {
            let tree = crate::form::tree::read(pairs.as_bytes()).unwrap().unwrap();
            assert_eq!(
                reshaped(&tree, fields_of::<ItemId>(), true, true).next(),
                None,
                "{pairs}"
            );
        }
    }
}
