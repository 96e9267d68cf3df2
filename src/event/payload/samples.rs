//! The documentation's sample bodies, read into payload types. `tests/it/corpus.rs` compares each
//! payload with its sample.

use std::borrow::Cow;

use arbtest::arbtest;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use crate::envelope::Envelope;
use crate::event::definitions::definitions;
use crate::form::from_value::tests::{agree, change};
use crate::form::{FormReader, Mismatch, Value};

pub(super) fn data(form: impl Into<Vec<u8>>) -> FormReader<'static> {
    let data = Envelope::scan(form.into())
        .unwrap()
        .data()
        .map(Cow::into_owned);
    FormReader::alone(data.map(Cow::Owned))
}

pub(super) fn parse<T: DeserializeOwned>(form: impl Into<Vec<u8>>) -> Result<T, Mismatch> {
    data(form).data()
}

/// Returns the payloads of the samples with these codes, in the order of the corpus.
///
/// # Panics
///
/// Panics if a code has no sample, or if a sample does not fit.
pub(super) fn read<T>(
    codes: &[&str],
    place: impl Fn(&FormReader<'static>) -> Result<T, Mismatch>,
) -> Vec<T> {
    let mut payloads = Vec::new();
    for code in codes {
        let before = payloads.len();
        for sample in corpus().filter(|sample| is_of(sample, code)) {
            let name = sample["name"].as_str().unwrap();
            let payload = place(&data(sample["form"].as_str().unwrap()))
                .unwrap_or_else(|mismatch| panic!("{name}: {mismatch}"));
            payloads.push(payload);
        }
        assert!(payloads.len() > before, "{code} has no sample");
    }
    payloads
}

pub(super) fn sample<T: DeserializeOwned>(name: &str) -> T {
    with_tree(name).0
}

/// Returns the payload of the sample with this name, and its `data` as PHP reads them.
pub(super) fn with_tree<T: DeserializeOwned>(name: &str) -> (T, Json) {
    let mut sample = corpus().find(|sample| sample["name"] == name).unwrap();
    let payload = parse(sample["form"].as_str().unwrap());
    let payload = payload.unwrap_or_else(|mismatch| panic!("{name}: {mismatch}"));
    (payload, sample["tree"]["data"].take())
}

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

#[test]
fn payload_of_a_changed_sample_is_read_as_serde_qs_reads_it() {
    macro_rules! readers {
        ($(
            scope $scope:literal {$(
                $variant:ident {
                    code: $code:literal,
                    name: $name:literal,
                    payload: $place:ident($payload:ident),
                    $($rest:tt)*
                }
            )+}
        )+) => {
            [$($(($code, agree::<super::$payload> as fn(&Value)),)+)+]
        };
    }

    let readers = definitions!(readers);
    let samples = corpus().filter_map(|sample| {
        let code = sample["tree"]["event"].as_str()?.to_uppercase();
        let (_, reader) = readers.iter().find(|(known, _)| *known == code)?;
        let tree = data(sample["form"].as_str()?).tree().unwrap()?;
        Some((reader, tree))
    });
    let samples: Vec<_> = samples.collect();
    assert!(samples.len() > 150, "{} samples", samples.len());
    arbtest(|u| {
        let (reader, tree) = *u.choose(&samples)?;
        let mut tree = tree.clone();
        for _ in 0..u.int_in_range(0..=3)? {
            change(u, &mut tree)?;
        }
        reader(&tree);
        tree.get("FIELDS").into_iter().for_each(reader);
        Ok(())
    });
}
