//! The tree of any pairs against a model of PHP.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tower_bitrix24::Value;
use tower_bitrix24_fuzz::php::{self, Dialect, Node};
use tower_bitrix24_fuzz::{TOKEN, key_text, verified};

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

fuzz_target!(|pairs: &[u8]| {
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
