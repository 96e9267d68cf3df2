//! The documentation's sample bodies, read into payload types.

use std::borrow::Cow;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use crate::Envelope;
use crate::event::data::{Data, Mismatch};
use crate::event::field::Flag;

/// The `data` of a form.
pub(super) fn data(form: impl Into<Vec<u8>>) -> Data<'static> {
    let data = Envelope::scan(form.into())
        .unwrap()
        .data()
        .map(Cow::into_owned);
    Data::new(data.map(Cow::Owned))
}

/// Reads the type that the `data` of a form is.
pub(super) fn parse<T: DeserializeOwned>(form: impl Into<Vec<u8>>) -> Result<T, Mismatch> {
    data(form).data()
}

/// The payloads of the samples of each of the `codes`, in the corpus's order. Every value of a
/// sample is in its payload.
///
/// # Panics
///
/// Where there is no sample, or one does not fit, or a value is lost or another.
pub(super) fn read<T: Serialize>(
    codes: &[&str],
    place: impl Fn(&Data<'static>) -> Result<T, Mismatch>,
) -> Vec<T> {
    let mut payloads = Vec::new();
    for code in codes {
        let before = payloads.len();
        for sample in corpus().filter(|sample| is_of(sample, code)) {
            let name = sample["name"].as_str().unwrap();
            let payload = place(&data(sample["form"].as_str().unwrap()))
                .unwrap_or_else(|mismatch| panic!("{name}: {mismatch}"));
            let tree = &sample["tree"]["data"];
            let tree = tree.get("FIELDS").unwrap_or(tree);
            agrees(tree, &serde_json::to_value(&payload).unwrap(), name);
            payloads.push(payload);
        }
        assert!(payloads.len() > before, "{code} has no sample");
    }
    payloads
}

/// The payload of the sample with this name. Every value of the sample is in it.
pub(super) fn sample<T: DeserializeOwned + Serialize>(name: &str) -> T {
    let (payload, tree) = with_tree(name);
    agrees(&tree, &serde_json::to_value(&payload).unwrap(), name);
    payload
}

/// The payload of the sample with this name, and what PHP reads in its `data`.
pub(super) fn with_tree<T: DeserializeOwned>(name: &str) -> (T, Json) {
    let mut sample = corpus().find(|sample| sample["name"] == name).unwrap();
    let payload = parse(sample["form"].as_str().unwrap());
    let payload = payload.unwrap_or_else(|mismatch| panic!("{name}: {mismatch}"));
    (payload, sample["tree"]["data"].take())
}

/// How many samples there are of an event.
pub(super) fn count(code: &str) -> usize {
    corpus().filter(|sample| is_of(sample, code)).count()
}

fn corpus() -> impl Iterator<Item = Json> {
    let corpus = include_str!("../../../tests/corpus/docs.jsonl");
    corpus
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
}

fn is_of(sample: &Json, code: &str) -> bool {
    sample["tree"]["event"]
        .as_str()
        .unwrap()
        .eq_ignore_ascii_case(code)
}

/// Whether the payload says of everything in the tree what the tree says.
fn agrees(tree: &Json, payload: &Json, path: &str) {
    match (tree, payload) {
        (Json::String(text), Json::Number(number)) => {
            assert_eq!(number.to_string(), *text, "{path}")
        }
        (Json::String(text), Json::Bool(yes)) => {
            assert_eq!(Flag::parse(text).map(bool::from), Some(*yes), "{path}");
        }
        (Json::String(_), Json::Array(list)) if list.len() == 1 => agrees(tree, &list[0], path),
        (Json::String(text), Json::Null) => {
            assert!(
                matches!(text.as_str(), "" | "undefined"),
                "{path}: {text} is lost"
            );
        }
        (Json::String(_), Json::String(shown)) if shown == "[redacted]" => {}
        (Json::String(_), _) => assert_eq!(payload, tree, "{path}"),
        (Json::Array(list), _) => {
            for (index, value) in list.iter().enumerate() {
                agrees(value, &payload[index], &format!("{path}[{index}]"));
            }
        }
        (Json::Object(entries), _) => {
            for (key, value) in entries {
                let path = format!("{path}[{key}]");
                let found = entry(payload, key).unwrap_or_else(|| panic!("{path} is lost"));
                agrees(value, found, &path);
            }
        }
        _ => unreachable!("{path}: PHP's trees have texts and arrays"),
    }
}

/// What the payload has under `key`: an id is read under either spelling of its key, and the tokens
/// of a bot stand in its entry and once more in its `AUTH`.
fn entry<'a>(payload: &'a Json, key: &str) -> Option<&'a Json> {
    let here = || {
        payload
            .as_object()?
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(key))
    };
    let here = here().map(|(_, value)| value);
    here.or_else(|| payload.get("AUTH")?.get(key))
}
