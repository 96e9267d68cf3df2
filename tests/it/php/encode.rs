//! Trees that are encoded as PHP would, and read back equal.

use super::*;

/// An input of PHP's `http_build_query`.
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

/// PHP's `urlencode`: a space is `+`, and of the signs only `-`, `_` and `.` stay.
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
                assert_eq!(key, key_text(expected.as_bytes()));
                assert_same(value, tree);
            }
        }
    }
}

#[test]
fn test_encoder_equals_http_build_query() {
    let php = include_str!("../../corpus/php-semantics.json");
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

fn assert_read_equal(tree: &Tree) {
    let data = http_build_query("data", tree);
    let body = format!("event=ONAPPTEST&{data}&auth%5Bapplication_token%5D={TOKEN}");
    let token = ApplicationToken::new(TOKEN).unwrap();
    let event = Event::verify(Envelope::scan(body).unwrap(), &token);
    let event = event.now_or_never().unwrap().unwrap();
    assert_same(event.data().unwrap(), tree);
}

proptest! {
    #[test]
    fn tree_encoded_by_php_is_read_equal_and_in_order(tree in tree()) {
        assert_read_equal(&tree);
    }
}

#[test]
fn key_that_looks_like_bytes_is_encoded_once_more() {
    for key in [
        "a%aa", "%FF", "%25c3", "%%2580", "i%af[", "%2541", "%7f", "100%",
    ] {
        assert_read_equal(&Tree::Array(vec![(
            key.to_owned(),
            Tree::Text("1".to_owned()),
        )]));
    }
}
