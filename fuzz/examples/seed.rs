//! Writes the seeds of the targets to `fuzz/corpus`, and a dictionary of the forms' words to
//! `fuzz/form.dict`, from the bodies of `tests/corpus`.

use std::collections::BTreeSet;
use std::path::Path;
use std::{fs, io};

use serde_json::Value as Json;
use tower_bitrix24::EventKind;

fn main() -> io::Result<()> {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR"));
    let samples = fs::read_to_string(fuzz.join("../tests/corpus/docs.jsonl"))?;
    let php = fs::read_to_string(fuzz.join("../tests/corpus/php-semantics.json"))?;

    let mut words: BTreeSet<String> = [
        "%5B",
        "%5b",
        "%5D",
        "%5d",
        "[]",
        "%00",
        "%FF",
        "+",
        "undefined",
        "auth%5Bapplication_token%5D",
        "OnAppSettingsInstall",
    ]
    .map(str::to_owned)
    .into();
    for (i, line) in samples.lines().enumerate() {
        let sample: Json = serde_json::from_str(line)?;
        let form = sample["form"].as_str().expect("a form");
        let kind = sample["tree"]["event"]
            .as_str()
            .and_then(EventKind::from_code);
        gather(&sample["tree"], &mut words);

        write(fuzz, "scan", i, form.as_bytes())?;
        write(fuzz, "verify", i, without_token(form).as_bytes())?;
        let data: Vec<&str> = form
            .split('&')
            .filter(|pair| pair.starts_with("data"))
            .collect();
        let data = data.join("&");
        write(fuzz, "value", i, data.as_bytes())?;
        if let Some(index) = EventKind::ALL.iter().position(|&each| Some(each) == kind) {
            let index = u16::try_from(index).expect("few kinds").to_le_bytes();
            write(fuzz, "payloads", i, &[&index, data.as_bytes()].concat())?;
        }
    }

    let callbacks = fs::read_to_string(fuzz.join("../tests/corpus/callbacks.jsonl"))?;
    for (i, line) in callbacks.lines().enumerate() {
        let sample: Json = serde_json::from_str(line)?;
        let form = sample["form"].as_str().expect("a form");
        let is_form = sample["content_type"] == "application/x-www-form-urlencoded";
        if form.is_empty() || !is_form {
            continue;
        }
        gather(&sample["tree"], &mut words);
        let i = 2000 + i;
        write(fuzz, "scan", i, form.as_bytes())?;
        write(fuzz, "verify", i, without_token(form).as_bytes())?;
        write(fuzz, "value", i, without_token(form).as_bytes())?;
    }

    let php: Json = serde_json::from_str(&php)?;
    for (i, form) in php["parse_str"]
        .as_object()
        .expect("forms")
        .keys()
        .enumerate()
    {
        let form = form.replacen('a', "data", 1).replace("&a", "&data");
        write(fuzz, "value", 1000 + i, form.as_bytes())?;
    }

    let word = |word: &String| format!("\"{}\"\n", word.escape_default());
    let ascii = words
        .iter()
        .filter(|word| word.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
    fs::write(fuzz.join("form.dict"), ascii.map(word).collect::<String>())
}

/// Adds the names of the documented fields, which a fuzzer does not guess.
fn gather(tree: &Json, words: &mut BTreeSet<String>) {
    for (key, value) in tree.as_object().into_iter().flatten() {
        if key.len() > 1 {
            words.insert(key.clone());
        }
        gather(value, words);
    }
    tree.as_array()
        .into_iter()
        .flatten()
        .for_each(|value| gather(value, words));
}

fn without_token(form: &str) -> String {
    let pairs = form.split('&').filter(|pair| {
        !pair.contains("application_token") && !pair.starts_with("APPLICATION_TOKEN")
    });
    pairs.collect::<Vec<_>>().join("&")
}

fn write(fuzz: &Path, target: &str, number: usize, seed: &[u8]) -> io::Result<()> {
    let corpus = fuzz.join("corpus").join(target);
    fs::create_dir_all(&corpus)?;
    fs::write(corpus.join(format!("seed-{number}")), seed)
}
