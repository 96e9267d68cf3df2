//! The documentation's sample bodies, for the tests of the payloads.

use serde::Serialize;
use serde_json::Value as Json;

use crate::Envelope;
use crate::event::data::{Data, Mismatch};
use crate::event::field::Flag;

/// Reads `data` out of a form.
pub(super) fn data(form: impl Into<Vec<u8>>) -> Data {
    Data::new(Envelope::scan(form.into()).unwrap().data())
}

/// The payloads of the samples of each of the `codes`, in the corpus's order. Every value of a
/// sample is in its payload.
///
/// # Panics
///
/// Where there is no sample, or one does not fit, or a value is lost or another.
pub(super) fn read<T: Serialize>(
    codes: &[&str],
    place: impl Fn(&Data) -> Result<T, Mismatch>,
) -> Vec<T> {
    let corpus = include_str!("../../../tests/corpus/docs.jsonl");
    let samples: Vec<Json> = corpus
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let mut payloads = Vec::new();
    for code in codes {
        let before = payloads.len();
        for sample in &samples {
            let event = sample["tree"]["event"].as_str().unwrap();
            if !event.eq_ignore_ascii_case(code) {
                continue;
            }
            let name = sample["name"].as_str().unwrap();
            let payload = place(&data(sample["form"].as_str().unwrap()))
                .unwrap_or_else(|mismatch| panic!("{name}: {mismatch}"));
            let sent = &sample["tree"]["data"];
            let sent = sent.get("FIELDS").unwrap_or(sent);
            compare(&serde_json::to_value(&payload).unwrap(), sent, name);
            payloads.push(payload);
        }
        assert!(payloads.len() > before, "{code} has no sample");
    }
    payloads
}

fn compare(read: &Json, sent: &Json, path: &str) {
    let same = match (read, sent) {
        (Json::Object(read), Json::Object(sent)) => {
            return sent.iter().for_each(|(key, sent)| {
                // An id is read under either spelling of its key.
                let read = read.iter().find(|(name, _)| name.eq_ignore_ascii_case(key));
                let (_, read) = read.unwrap_or_else(|| panic!("{path}: {key} is lost"));
                compare(read, sent, &format!("{path}.{key}"));
            });
        }
        (Json::Null, Json::String(sent)) => sent == "undefined",
        (Json::Bool(read), Json::String(sent)) => Flag::parse(sent) == Some((*read).into()),
        (Json::Number(read), Json::String(sent)) => read.to_string() == *sent,
        (read, sent) => read == sent,
    };
    assert!(same, "{path}: {read} is not {sent}");
}
