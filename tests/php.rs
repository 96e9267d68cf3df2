//! `data` against PHP's own answers to hostile keys, entry by entry.

mod common;

use common::TOKEN;
use serde_json::{Value as Json, json};
use tower_bitrix24::{ApplicationToken, Envelope, Event, Value};

/// What the layer makes of the form behind `event` and the token.
async fn read(form: &str) -> Result<Json, String> {
    let body = format!("event=ONAPPTEST&auth[application_token]={TOKEN}&{form}");
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
    let encoded = |name: &str| php["http_build_query"][name].as_str().unwrap().to_owned();
    for (name, value) in [
        ("true", json!("1")),
        ("false", json!("0")),
        ("float_big", json!("1.0E+25")),
        ("empty_string", json!("")),
        ("list", json!(["x", "y"])),
        ("sparse", json!({"7": "x", "9": "y"})),
        ("space_tilde_star", json!("a b~*-_.")),
        ("unicode", json!("Привет")),
        ("plus", json!("+7 (999)")),
        ("brackets_in_value", json!("[b]x[/b]")),
        ("newline", json!("l1\r\nl2")),
        ("emoji", json!("😀")),
        ("backslash", json!("Bitrix\\Tasks\\Task")),
        ("invalid_utf8", json!("\u{FFFD}\u{FFFD}")),
    ] {
        let form = encoded(name)
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
