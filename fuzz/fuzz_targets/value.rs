//! The tree of any pairs against a model of PHP.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tower_bitrix24::Value;
use tower_bitrix24_fuzz::php::{self, Dialect, Node};
use tower_bitrix24_fuzz::{TOKEN, verified};

/// A key as the tree shows it: the bytes of one that is not UTF-8 stay percent-encoded, and percent
/// signs are encoded too if the key could be taken for such a one.
fn key(bytes: &[u8]) -> String {
    let escape = |&byte: &u8| match byte {
        b'%' => "%25".to_owned(),
        b' '..=b'~' => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    match std::str::from_utf8(bytes) {
        Err(_) => bytes.iter().map(escape).collect(),
        Ok(text) if text.split('%').skip(1).any(is_escape) => text.replace('%', "%25"),
        Ok(text) => text.to_owned(),
    }
}

/// Returns `true` if the text behind a `%` begins with an escape of a byte beyond ASCII, which may be
/// escaped itself.
fn is_escape(behind: &str) -> bool {
    let digits = behind.trim_start_matches("25").get(..2);
    digits.is_some_and(|digits| u8::from_str_radix(digits, 16).is_ok_and(|byte| byte >= 0x80))
}

fn assert_same(value: &Value, node: &Node) {
    match (value, node) {
        (Value::Array(array), Node::Array(entries)) => {
            assert_eq!(array.len(), entries.len());
            for ((name, value), (bytes, node)) in array.iter().zip(entries) {
                assert_eq!(name, key(bytes));
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
    // Too many arrays are not read.
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
