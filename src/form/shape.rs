//! Data in another shape than the table of events says: brought into that shape.
//!
//! The documentation and the platform do not agree on where an id stands. The same event comes as
//! `data[ID]` from one portal and as `data[FIELDS][ID]` from another, a key is `ID` here and `id`
//! there, and an id may be the only element of an array. One rule covers all of them, so that no
//! event needs an exception of its own. It is asked only where the documented shape has no payload,
//! or not the id of what the event is about.

use serde::de::{DeserializeOwned, Deserializer, Error, Visitor};
use serde::forward_to_deserialize_any;

use super::encode::{Escape, FormWriter};
use super::value::{Array, Value};

/// The key that documented events have their fields under.
const FIELDS: &str = "FIELDS";

/// The key of the first element of a list.
const FIRST: &str = "0";

/// Writes the payload of type `T` as the form of `data`, from wherever it is, with the keys spelled as
/// `T` has them. Returns `None` if there is none of them, or the shape is the documented one: with the
/// fields in `FIELDS`, or in `data` itself.
///
/// `with_nested_ids` also spells the ids inside the fields as the fields are spelled.
pub(super) fn reshaped<T: DeserializeOwned>(
    data: &Value,
    in_fields: bool,
    with_nested_ids: bool,
) -> Option<Vec<u8>> {
    let fields = fields_of::<T>();
    if fields.is_empty() {
        return Some(Shape::As(only_text(data)).into_form());
    }
    let count = |(place, _): &(&Array, bool)| {
        let keys = place.iter().filter(|(key, _)| field(fields, key).is_some());
        keys.count()
    };
    // Of those with as many fields it is the last.
    let places = places(data.as_array()?, in_fields).into_iter().rev();
    let best = places.max_by_key(count).filter(|place| count(place) > 0);
    let (place, is_documented) = best?;
    let (object, is_respelled) = respelled(place, fields, with_nested_ids);
    (is_respelled || !is_documented).then(|| Shape::Object(object).into_form())
}

/// A part of the data as it is to be read.
enum Shape<'a> {
    As(&'a Value),
    Object(Vec<(&'a str, Shape<'a>)>),
}

impl Shape<'_> {
    fn into_form(self) -> Vec<u8> {
        let mut writer = FormWriter::new(Escape::MinimalLossy);
        writer.root("data", |writer| self.write(writer));
        writer.into_form()
    }

    fn write(&self, writer: &mut FormWriter) {
        match self {
            Self::As(value) => writer.value(value),
            Self::Object(entries) => {
                for (name, shape) in entries {
                    writer.entry(name, |writer| shape.write(writer));
                }
            }
        }
    }
}

/// The names of the fields that a struct is read from; none where `T` is no struct.
fn fields_of<T: DeserializeOwned>() -> &'static [&'static str] {
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

/// The arrays that may be the payload, and whether they are documented to be it: `data` itself, what is
/// in `FIELDS`, and the first element of either, where the list of a call's arguments is sent in place
/// of the data. The documented one comes first.
fn places(data: &Array, in_fields: bool) -> Vec<(&Array, bool)> {
    let mut places = vec![(data, !in_fields)];
    for (key, outer) in wrapped(data) {
        places.push((outer, in_fields && key == FIELDS));
        places.extend(wrapped(outer).map(|(_, inner)| (inner, false)));
    }
    places.sort_by_key(|(_, is_documented)| !is_documented);
    places
}

/// The arrays under keys that only wrap what is below.
fn wrapped(array: &Array) -> impl Iterator<Item = (&str, &Array)> {
    let wrappers = array
        .iter()
        .filter(|(key, _)| *key == FIRST || is_alike(key, FIELDS));
    wrappers.filter_map(|(key, value)| Some((key, value.as_array()?)))
}

/// The field that a key means, in whichever spelling.
fn field(fields: &[&'static str], key: &str) -> Option<usize> {
    let exact = fields.iter().position(|field| *field == key);
    exact.or_else(|| fields.iter().position(|field| is_alike(field, key)))
}

/// Whether two names differ in nothing but their spelling, as `ENTITY_ID` and `entityId` do.
fn is_alike(left: &str, right: &str) -> bool {
    fn letters(name: &str) -> impl Iterator<Item = u8> {
        let letters = name.bytes().filter(|byte| *byte != b'_');
        letters.map(|byte| byte.to_ascii_lowercase())
    }
    letters(left).eq(letters(right))
}

/// Whether a field of this name has an id, such as `ID`, `POST_ID` or `documentUid`.
fn has_id(field: &str) -> bool {
    let end = field.len().saturating_sub(2);
    field.as_bytes()[end..].eq_ignore_ascii_case(b"id")
}

/// The payload with the keys that `fields` have, and whether anything of it is changed by that.
///
/// What comes in several spellings is taken from the first that says anything, the field's own
/// before the others.
fn respelled<'a>(
    place: &'a Array,
    fields: &[&'static str],
    with_nested_ids: bool,
) -> (Vec<(&'a str, Shape<'a>)>, bool) {
    let mut changed = false;
    let mut entries: Vec<(&str, Shape<'_>)> = Vec::with_capacity(place.len());
    // Where a field is among the entries, and how good it is.
    let mut taken: Vec<Option<(usize, (bool, bool))>> = vec![None; fields.len()];
    for (key, value) in place.iter() {
        let Some(at) = field(fields, key) else {
            entries.push((key, Shape::As(value)));
            continue;
        };
        let field = fields[at];
        let id = if has_id(field) {
            only_id(value, field)
        } else {
            value
        };
        changed |= key != field || !std::ptr::eq(id, value);
        let shape = match id.as_array() {
            Some(object) if with_nested_ids => {
                let (object, respelled) = respelled(object, id_as(field), false);
                changed |= respelled;
                Shape::Object(object)
            }
            _ => Shape::As(id),
        };
        let rank = (says_anything(id, field), key == field);
        match &mut taken[at] {
            Some((entry, before)) => {
                changed = true;
                if rank > *before {
                    *before = rank;
                    entries[*entry].1 = shape;
                }
            }
            unset @ None => {
                *unset = Some((entries.len(), rank));
                entries.push((field, shape));
            }
        }
    }
    (entries, changed)
}

fn says_anything(value: &Value, field: &str) -> bool {
    match value {
        Value::Text(text) => !matches!(&**text, "" | "undefined"),
        Value::Bytes(_) => true,
        Value::Array(_) => !has_id(field),
    }
}

/// The id of a field that has it deeper: under the field's own name or `ID` once more, as the key of
/// a database record comes, or as the one element of a list.
fn only_id<'a>(mut value: &'a Value, field: &str) -> &'a Value {
    let inner = |array: &'a Array| {
        let has_it = |key: &str| {
            is_alike(key, "ID") || is_alike(key, field) || array.len() == 1 && key == FIRST
        };
        let mut entries = array.iter();
        Some(entries.find(|(key, _)| has_it(key))?.1)
    };
    while let Some(inner) = value.as_array().and_then(inner) {
        value = inner;
    }
    value
}

/// The key of the id of an object under a field: in capitals if the field is.
fn id_as(field: &str) -> &'static [&'static str] {
    if field.bytes().any(|byte| byte.is_ascii_lowercase()) {
        &["id"]
    } else {
        &["ID"]
    }
}

/// The text that data are which should be no array: that of an id, wherever it is.
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
    use crate::form::de::Data;
    use crate::form::mismatch::Mismatch;

    fn data(pairs: &str) -> Data<'_> {
        Data::alone(Some(Cow::Borrowed(pairs.as_bytes())))
    }

    fn item(pairs: &str) -> Result<u64, Mismatch> {
        let item = data(pairs).payload(Data::fields::<ItemId>, true, Some(|_| true));
        item.map(|item| item.id)
    }

    #[test]
    fn an_id_is_found_in_every_shape() {
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
        ] {
            assert_eq!(item(pairs), Ok(27), "{pairs}");
        }
    }

    #[test]
    fn what_has_no_id_is_a_mismatch_that_tells_of_the_documented_place() {
        for (pairs, path) in [
            ("data=27", "data"),
            ("data[0]=27", "data"),
            ("data[x]=27", "data"),
            ("data[FIELDS]=27", "data.FIELDS"),
            ("data[FIELDS][]=27", "data.FIELDS"),
            ("data[FIELDS][x]=27", "data.FIELDS"),
            ("data[FIELDS][ID]=x", "data.FIELDS.ID"),
            ("data[FIELDS][ID]=x&data[ID]=27", "data.FIELDS.ID"),
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
    fn a_key_is_known_in_the_spelling_of_another_event() {
        let pairs = "data[id]=6977&data[entityId]=CRM_13&data[fieldName]=UF_CRM_13_1742999523";
        let field = data(pairs).payload(Data::fields::<UserField>, true, Some(|_| true));
        let field = field.unwrap();
        assert_eq!(
            (field.id, field.entity_id.as_deref()),
            (6977, Some("CRM_13"))
        );
        assert_eq!(field.field_name.as_deref(), Some("UF_CRM_13_1742999523"));

        let pairs = "data[FIELDS][ID]=7&data[FIELDS][ENTITY_ID]=CRM_INVOICE&data[FIELDS][id]=";
        let field = data(pairs).payload(Data::fields::<InvoiceUserField>, true, Some(|_| true));
        let field = field.unwrap();
        assert_eq!(
            (field.id, field.entity_id.as_deref()),
            (7, Some("CRM_INVOICE"))
        );

        let post = data("data[postId]=9").payload(Data::fields::<FeedPost>, true, Some(|_| true));
        assert_eq!(post.unwrap().post_id, 9);
        let item = data("data[FIELDS][ID]=9");
        let item = item.payload(Data::data::<CalendarItem>, false, Some(|_| true));
        assert_eq!(item.unwrap().id, 9);
    }

    #[test]
    fn a_list_stays_a_list_and_a_wrapper_s_other_fields_are_read() {
        let pairs = "data[FIELDS][ID]=5&data[FIELDS][NAME]=A&data[FIELDS][UF_DEPARTMENT][0]=1";
        let user = data(pairs).payload(Data::data::<User>, false, Some(|_| true));
        let user = user.unwrap();
        assert_eq!((user.id, user.name.as_deref()), (5, Some("A")));
        assert_eq!(*user.departments, [1]);
    }

    #[test]
    fn an_id_inside_a_field_is_found_where_the_type_could_do_without() {
        for pairs in [
            "data[FIELDS_AFTER][ID]=5",
            "data[FIELDS_AFTER][id]=5",
            "data[FIELDS_AFTER][ID][ID]=5",
            "data[fieldsAfter][Id]=5",
            "data[FIELDS][FIELDS_AFTER][ID]=5&data[FIELDS][FIELDS_BEFORE]=undefined",
            "data[0][FIELDS_AFTER][ID]=5",
        ] {
            let has_id: fn(&TaskChange) -> bool = |task| task.id().is_some();
            let task = data(pairs).payload(Data::data::<TaskChange>, false, Some(has_id));
            assert_eq!(task.unwrap().id(), Some(5), "{pairs}");
        }
    }

    #[test]
    fn a_text_alone_is_found_where_the_type_is_one() {
        for pairs in [
            "data=107",
            "data[0]=107",
            "data[ID]=107",
            "data[FIELDS][id]=107",
            "data[FIELDS][ID][0]=107",
        ] {
            let line = data(pairs).payload(Data::data::<ConnectorLineId>, false, Some(|_| true));
            assert_eq!(line.unwrap().0, 107, "{pairs}");
        }
        for pairs in [
            "data=x",
            "data[x]=107",
            "data[0]=1&data[1]=2",
            "data[FIELDS]=",
        ] {
            let line = data(pairs).payload(Data::data::<ConnectorLineId>, false, Some(|_| true));
            assert!(line.is_err(), "{pairs}");
        }
    }

    #[test]
    fn what_is_not_documented_stays_as_it_came() {
        let action = data("data[FIELDS][id]=a&data[FIELDS][rows][Id]=1&data[FIELDS][my_id][0]=2")
            .payload(Data::data::<CrmTimelineAction>, false, None)
            .unwrap();
        assert_eq!(action.id, "a");
        let params = action.action_params.unwrap();
        assert_eq!(params["rows"]["Id"].as_str(), Some("1"));
        assert_eq!(params["my_id"]["0"].as_str(), Some("2"));
    }

    #[test]
    fn the_documented_shape_is_left_alone() {
        for pairs in ["data[FIELDS][ID]=x", "data[FIELDS][ID]=0&data[x]=1"] {
            let tree = crate::form::tree::read(pairs.as_bytes()).unwrap().unwrap();
            assert_eq!(reshaped::<ItemId>(&tree, true, true), None, "{pairs}");
        }
    }
}
