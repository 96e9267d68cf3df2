//! `data` compared with the readings of PHP for hostile keys, entry by entry.

mod encode;
mod live;

use std::io::{BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::common::TOKEN;
use futures_util::FutureExt;
use proptest::prelude::*;
use serde_json::{Value as Json, json};
use tower_bitrix24::event::kind;
use tower_bitrix24::{ApplicationToken, Envelope, Event, Value};

async fn read(form: &str) -> Result<Json, String> {
    let event = if form.starts_with("event=") {
        ""
    } else {
        "event=ONAPPTEST&"
    };
    let body = format!("{event}auth[application_token]={TOKEN}&{form}");
    let envelope = Envelope::scan(body).map_err(|error| error.to_string())?;
    let token = ApplicationToken::new(TOKEN).unwrap();
    let event = Event::verify(envelope, &token).await.unwrap();
    Ok(json!(event.data().map(Value::expose)))
}

/// Bodies that are rejected, unlike in PHP, because parsers disagree on whether the key is `data`.
const REJECTED: [&str; 3] = [" a=1", "a%00b=1", "[a]=1"];

/// Readers that fill structs in order read a key without a name as any field.
const NAMELESS: &str = "=1";

#[tokio::test]
async fn recorded_php_readings_equal_ours_except_for_rejected_bodies() {
    let php = include_str!("../../corpus/php-semantics.json");
    let php: Json = serde_json::from_str(php).unwrap();
    let readings = php["parse_str"].as_object().unwrap();
    assert_eq!(readings.len(), 41);
    for (form, tree) in readings {
        // The recorded root is `a`; ours is `data`.
        let ours = form
            .replace('+', "%2B")
            .replacen('a', "data", 1)
            .replace("&a", "&data");
        let ours = match form.as_str() {
            "data=&auth[x]=1" => form.clone(),
            _ => ours,
        };
        let expected = tree
            .get("a")
            .or(tree.get("data"))
            .cloned()
            .unwrap_or(Json::Null);
        match read(&ours).await {
            Ok(data) => {
                assert!(!REJECTED.contains(&form.as_str()), "{form}");
                assert_eq!(data, expected, "{form} as {ours}");
            }
            Err(error) => {
                let field = if form == NAMELESS {
                    "event"
                } else {
                    assert!(REJECTED.contains(&form.as_str()), "{form}: {error}");
                    "data"
                };
                assert_eq!(
                    error,
                    format!("a key can be mistaken for {field}"),
                    "{form}"
                );
            }
        }
    }
}

#[tokio::test]
async fn value_is_decoded_once_and_its_brackets_are_text() {
    let php = include_str!("../../corpus/php-semantics.json");
    let php: Json = serde_json::from_str(php).unwrap();
    let encoded = php["http_build_query"].as_object().unwrap();
    let values = [
        // PHP sends nothing for these.
        ("null", Json::Null),
        ("empty_array", Json::Null),
        ("nested_empty", Json::Null),
        ("all_null_data", Json::Null),
        ("true", json!("1")),
        ("false", json!("0")),
        ("int", json!("5")),
        ("float", json!("1.5")),
        ("float_big", json!("1.0E+25")),
        ("float_int", json!("3")),
        ("empty_string", json!("")),
        ("list", json!(["x", "y"])),
        ("sparse", json!({"7": "x", "9": "y"})),
        ("space_tilde_star", json!("a b~*-_.")),
        ("unicode", json!("Привет")),
        ("plus", json!("+7 (999)")),
        ("brackets_in_value", json!("[b]x[/b]")),
        // The first closing bracket ends the key, as in PHP.
        ("brackets_in_key", json!({"x[y": "1"})),
        ("newline", json!("l1\r\nl2")),
        ("emoji", json!("😀")),
        ("backslash", json!("Bitrix\\Tasks\\Task")),
        ("invalid_utf8", json!("\u{FFFD}\u{FFFD}")),
    ];
    assert_eq!(values.len(), encoded.len());
    for (name, value) in values {
        let form = encoded[name]
            .as_str()
            .unwrap()
            .replacen('a', "data", 1)
            .replace("&a", "&data");
        assert_eq!(read(&form).await.unwrap(), value, "{name}");
    }
}

#[tokio::test]
async fn values_that_php_loses_are_kept() {
    let deep = format!("data{}=x", "[a]".repeat(65));
    let mut value = &read(&deep).await.unwrap();
    let mut depth = 0;
    while let Some(array) = value.as_object() {
        (value, depth) = (array.values().next().unwrap(), depth + 1);
    }
    assert_eq!((value, depth), (&json!("x"), 64));

    let full = "data[9223372036854775807]=x&data[]=y";
    let kept = json!({"9223372036854775807": "x", "9223372036854775808": "y"});
    assert_eq!(read(full).await.unwrap(), kept);

    assert_eq!(read("data[a%00b]=x").await.unwrap(), json!({"a\0b": "x"}));
}

/// Returns a key as the tree shows it. Invalid UTF-8 stays encoded, and a key that looks like that
/// is encoded once more.
fn key_text(key: &[u8]) -> String {
    let escaped = |byte: &u8| match byte {
        b'%' | 0..=0x1F | 0x7F.. => format!("%{byte:02X}"),
        byte => char::from(*byte).to_string(),
    };
    match std::str::from_utf8(key) {
        Err(_) => key.iter().map(escaped).collect(),
        Ok(text) => {
            let mut decoded = text.to_owned();
            while decoded.contains("%25") {
                decoded = decoded.replace("%25", "%");
            }
            let looks_encoded = decoded.as_bytes().windows(3).any(|escape| {
                escape[0] == b'%'
                    && matches!(escape[1].to_ascii_uppercase(), b'8' | b'9' | b'A'..=b'F')
                    && escape[2].is_ascii_hexdigit()
            });
            if looks_encoded {
                text.replace('%', "%25")
            } else {
                text.to_owned()
            }
        }
    }
}
