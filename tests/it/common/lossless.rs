//! `assert_typed_equals_tree`: a typed payload loses nothing of the data.

use serde_json::Value as Json;
use tower_bitrix24::Event;
use tower_bitrix24::form::field::Flag;

/// Keys of data that are not in the payload.
const EXCEPTIONS: [(&str, &str); 2] = [
    // Two samples are elements of the response to polling, with the event in their `data`.
    ("ONIMBOTV2CONTEXTGET", "[type]"),
    ("ONIMBOTV2CONTEXTGET", "[data]"),
];

/// Objects that only payloads have, for keys that are beside them on the wire: the tokens of a bot
/// and the parameters of an action.
const GATHERED: [&str; 2] = ["AUTH", "actionParams"];

/// Panics unless the payload has all of the event's data at the same places with the same values,
/// and nothing else.
///
/// Types may normalize a string: a number by its digits, a [`Flag`] by its spellings, and an empty
/// string or `undefined` as absent. A list has its values in the order of their indices, and a
/// single value may be a list of one.
pub(crate) fn assert_typed_equals_tree(event: &Event) {
    let json = |value| serde_json::to_value(value).unwrap();
    let (tree, payload) = (
        json(event.data()),
        serde_json::to_value(event.payload()).unwrap(),
    );
    let code = event.code().to_ascii_uppercase();
    match tree.get("FIELDS") {
        Some(fields) => agree(fields, &payload, &code, "[FIELDS]"),
        None => agree(&tree, &payload, &code, ""),
    }
}

fn agree(tree: &Json, payload: &Json, code: &str, path: &str) {
    let place = format!("{code}{path}");
    match (tree, payload) {
        // The event has no data.
        (Json::Null, _) => assert!(is_nothing(payload), "{place}: {payload}"),
        (Json::String(text), Json::Number(number)) => {
            assert_eq!(number.to_string(), *text, "{place}");
        }
        (Json::String(text), Json::Bool(yes)) => {
            assert_eq!(Flag::parse(text).map(bool::from), Some(*yes), "{place}");
        }
        (Json::String(text), payload) if is_nothing(payload) => {
            assert!(
                matches!(&**text, "" | "undefined"),
                "{place}: {text} is lost"
            );
        }
        (Json::String(_), Json::Array(list)) if list.len() == 1 => {
            agree(tree, &list[0], code, path);
        }
        (Json::String(_), _) => assert_eq!(payload, tree, "{place}"),
        (_, Json::Array(list)) => {
            let values = in_order(tree, &place);
            assert_eq!(values.len(), list.len(), "{place}: {payload}");
            for (value, found) in values.into_iter().zip(list) {
                agree(value, found, code, &format!("{path}[]"));
            }
        }
        (Json::Array(list), _) => {
            let entries = list.iter().enumerate();
            let tree = entries.map(|(index, value)| (index.to_string(), value.clone()));
            agree(&Json::Object(tree.collect()), payload, code, path);
        }
        (Json::Object(entries), _) => {
            for (key, value) in entries {
                let path = format!("{path}[{key}]");
                if EXCEPTIONS.contains(&(code, &path)) {
                    continue;
                }
                let gathered = || GATHERED.iter().find_map(|name| payload.get(name)?.get(key));
                let found = payload.get(key).or_else(gathered);
                let found = found.unwrap_or_else(|| panic!("{code}{path} is lost"));
                agree(value, found, code, &path);
            }
            for (key, found) in payload.as_object().into_iter().flatten() {
                let known = entries.contains_key(key) || GATHERED.contains(&&**key);
                assert!(
                    known || is_nothing(found),
                    "{place}[{key}] is made up: {found}"
                );
            }
        }
        _ => unreachable!("{place}: PHP's trees have texts and arrays"),
    }
}

fn is_nothing(payload: &Json) -> bool {
    match payload {
        Json::Null => true,
        Json::Array(list) => list.is_empty(),
        Json::Object(entries) => entries.values().all(is_nothing),
        _ => false,
    }
}

/// Returns the values of an array, or the single object as a list of one.
fn in_order<'a>(tree: &'a Json, place: &str) -> Vec<&'a Json> {
    match tree {
        Json::Array(list) => list.iter().collect(),
        Json::Object(entries) if entries.keys().all(|key| key.parse::<i64>().is_ok()) => {
            let mut entries: Vec<_> = entries.iter().collect();
            entries.sort_by_key(|(key, _)| key.parse::<i64>().unwrap());
            entries.into_iter().map(|(_, value)| value).collect()
        }
        Json::Object(_) => vec![tree],
        _ => unreachable!("{place} is no array"),
    }
}
