//! The tree of any pairs against a model of PHP: as the data of an event, and as the whole form of a
//! callback.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tower_bitrix24::Value;
use tower_bitrix24_fuzz::php::{self, Dialect, Node};
use tower_bitrix24_fuzz::{TOKEN, key_text, verified, verified_callback};

fn assert_same(value: &Value, node: &Node) {
    match (value, node) {
        (Value::Array(array), Node::Array(entries)) => {
            assert_eq!(array.len(), entries.len());
            for ((name, value), (bytes, node)) in array.iter().zip(entries) {
                assert_eq!(name, key_text(bytes));
                assert_same(value, node);
            }
        }
        (Value::Text(text), Node::Text(bytes)) => assert_eq!(text.as_bytes(), bytes),
        (Value::Bytes(text), Node::Text(bytes)) => {
            assert_eq!(text, bytes);
            assert!(std::str::from_utf8(bytes).is_err(), "UTF-8 is a text");
        }
        _ => panic!("{value:?} is not {node:?}"),
    }
}

/// A callback has every pair of its form but those of `auth`.
fn callback(pairs: &[u8]) {
    let body = [
        pairs,
        b"&auth[application_token]=",
        TOKEN.as_bytes(),
        b"&x=1",
    ]
    .concat();
    let Some(callback) = verified_callback(body.clone()) else {
        return;
    };
    let Some(Value::Array(data)) = callback.data() else {
        assert!(callback.mismatch().is_some(), "data that are not read");
        return;
    };
    let Node::Array(mut model) = php::read(&body, Dialect::Lossless) else {
        panic!("a form is an array");
    };
    model.retain(|(key, _)| key != b"auth");
    assert_eq!(data.len(), model.len());
    assert_same(&Value::Array(data.clone()), &Node::Array(model));
}

fuzz_target!(|pairs: &[u8]| {
    callback(pairs);
    let head = format!("event=E&auth[application_token]={TOKEN}&");
    let body = [head.as_bytes(), pairs].concat();
    let Some(event) = verified(body.clone()) else {
        return;
    };
    // Data with too many arrays are not read.
    if event.mismatch().is_some() {
        return;
    }
    let model = php::read(&body, Dialect::Lossless);
    match (event.data(), model.get(b"data")) {
        (None, None) => {}
        (Some(value), Some(node)) => assert_same(value, node),
        (value, node) => panic!("{value:?} is not {node:?}"),
    }
});
