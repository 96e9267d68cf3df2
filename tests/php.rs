//! `data` against PHP's own answers to hostile keys, entry by entry.

mod common;

use common::TOKEN;
use futures_util::FutureExt;
use proptest::prelude::*;
use serde_json::{Value as Json, json};
use tower_bitrix24::{ApplicationToken, Envelope, Event, Value};

/// What the layer makes of the form behind `event` and the token.
async fn read(form: &str) -> Result<Json, String> {
    let event = match form.starts_with("event=") {
        true => "",
        false => "event=ONAPPTEST&",
    };
    let body = format!("{event}auth[application_token]={TOKEN}&{form}");
    let envelope = Envelope::scan(body).map_err(|error| error.to_string())?;
    let token = ApplicationToken::new(TOKEN).unwrap();
    let event = Event::verify(envelope, &token).await.unwrap();
    Ok(json!(event.data().map(Value::expose)))
}

/// Where we deliberately differ: these bodies are refused, because parsers disagree on whether the
/// key is `data`.
const REFUSED: [&str; 3] = [" a=1", "a%00b=1", "[a]=1"];

#[tokio::test]
async fn every_answer_of_php_is_ours_but_for_the_bodies_we_refuse() {
    let php = include_str!("corpus/php-semantics.json");
    let php: Json = serde_json::from_str(php).unwrap();
    let answers = php["parse_str"].as_object().unwrap();
    assert_eq!(answers.len(), 41);
    for (form, tree) in answers {
        // PHP was asked about a root `a`; ours is `data`.
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
                assert!(!REFUSED.contains(&form.as_str()), "{form}");
                assert_eq!(data, expected, "{form} as {ours}");
            }
            Err(error) => {
                assert!(REFUSED.contains(&form.as_str()), "{form}: {error}");
                assert_eq!(error, "a key can be mistaken for data", "{form}");
            }
        }
    }
}

#[tokio::test]
async fn a_value_is_decoded_once_and_never_read_for_brackets() {
    let php = include_str!("corpus/php-semantics.json");
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
async fn where_php_would_lose_a_value_we_keep_it() {
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

// What PHP would encode.

/// What PHP's `http_build_query` takes.
#[derive(Clone, Debug)]
enum Tree {
    Text(String),
    Array(Vec<(String, Tree)>),
}

fn http_build_query(name: &str, tree: &Tree) -> String {
    match tree {
        Tree::Text(text) => format!("{name}={}", urlencode(text)),
        Tree::Array(entries) => {
            let pairs = entries.iter().map(|(key, tree)| {
                let name = format!("{name}%5B{}%5D", urlencode(key));
                http_build_query(&name, tree)
            });
            pairs.collect::<Vec<_>>().join("&")
        }
    }
}

/// PHP's `urlencode`: a space is `+`, and of the signs `-`, `_` and `.` stay.
fn urlencode(text: &str) -> String {
    let bytes = text.bytes().map(|byte| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => char::from(byte).into(),
        b' ' => "+".to_owned(),
        _ => format!("%{byte:02X}"),
    });
    bytes.collect()
}

/// Trees whose keys PHP reads as it wrote them: neither empty, nor white space, nor with a closing
/// bracket.
fn tree() -> impl Strategy<Value = Tree> {
    let text = prop_oneof![
        any::<String>(),
        "[a-z0-9 +&=%~*_.\\[\\]-]{0,8}",
        "[а-я ]{0,4}"
    ];
    text.prop_map(Tree::Text).prop_recursive(5, 40, 6, |inner| {
        let key = prop_oneof![
            "[0-9]{1,3}",
            "[A-Za-z_]{1,6}",
            "[a-z][a-z +&=%~*.\\[-]{1,5}",
            "[^\\[\\]\\s\\x00]{1,4}",
        ];
        prop::collection::btree_map(key, inner, 1..6)
            .prop_map(|entries| entries.into_iter().collect::<Vec<_>>())
            .prop_shuffle()
            .prop_map(Tree::Array)
    })
}

fn assert_same(value: &Value, tree: &Tree) {
    match tree {
        Tree::Text(text) => assert_eq!(value.as_str(), Some(text.as_str())),
        Tree::Array(entries) => {
            let array = value.as_array().unwrap();
            assert_eq!(array.len(), entries.len());
            for ((key, value), (expected, tree)) in array.iter().zip(entries) {
                assert_eq!(key, expected);
                assert_same(value, tree);
            }
        }
    }
}

#[test]
fn what_the_tests_encode_is_what_php_does() {
    let php = include_str!("corpus/php-semantics.json");
    let php: Json = serde_json::from_str(php).unwrap();
    let text = |text: &str| Tree::Text(text.to_owned());
    let array = |entries: [(&str, &str); 2]| {
        Tree::Array(
            entries
                .map(|(key, value)| (key.to_owned(), text(value)))
                .into(),
        )
    };
    for (name, tree) in [
        ("list", array([("0", "x"), ("1", "y")])),
        ("sparse", array([("7", "x"), ("9", "y")])),
        ("space_tilde_star", text("a b~*-_.")),
        ("unicode", text("Привет")),
        ("plus", text("+7 (999)")),
        ("brackets_in_value", text("[b]x[/b]")),
        ("newline", text("l1\r\nl2")),
        ("emoji", text("😀")),
        ("backslash", text("Bitrix\\Tasks\\Task")),
    ] {
        assert_eq!(http_build_query("a", &tree), php["http_build_query"][name]);
    }
}

proptest! {
    #[test]
    fn a_tree_that_php_encoded_comes_back_equal_and_in_order(tree in tree()) {
        let data = http_build_query("data", &tree);
        let body = format!("event=ONAPPTEST&{data}&auth%5Bapplication_token%5D={TOKEN}");
        let token = ApplicationToken::new(TOKEN).unwrap();
        let event = Event::verify(Envelope::scan(body).unwrap(), &token);
        let event = event.now_or_never().unwrap().unwrap();
        assert_same(event.data().unwrap(), &tree);
    }
}
