//! `data` compared with the readings of PHP for hostile keys, entry by entry.

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
const REFUSED: [&str; 3] = [" a=1", "a%00b=1", "[a]=1"];

/// Readers that fill structs in order read a key without a name as any field.
const NAMELESS: &str = "=1";

#[tokio::test]
async fn recorded_php_readings_equal_ours_except_for_rejected_bodies() {
    let php = include_str!("../corpus/php-semantics.json");
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
                assert!(!REFUSED.contains(&form.as_str()), "{form}");
                assert_eq!(data, expected, "{form} as {ours}");
            }
            Err(error) => {
                let field = if form == NAMELESS {
                    "event"
                } else {
                    assert!(REFUSED.contains(&form.as_str()), "{form}: {error}");
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
    let php = include_str!("../corpus/php-semantics.json");
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

// What PHP would encode.

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
    let php = include_str!("../corpus/php-semantics.json");
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

// PHP itself.

#[derive(Debug)]
enum Node {
    Text(Vec<u8>),
    Array(Vec<(Vec<u8>, Node)>),
}

impl Node {
    fn get(&self, key: &str) -> Option<&Node> {
        match self {
            Self::Text(_) => None,
            Self::Array(entries) => {
                let found = entries.iter().find(|(name, _)| name == key.as_bytes());
                found.map(|(_, node)| node)
            }
        }
    }

    fn text(&self) -> Option<&[u8]> {
        match self {
            Self::Text(text) => Some(text),
            Self::Array(_) => None,
        }
    }

    /// Reads the output of PHP's `serialize`.
    fn unserialize(input: &mut &[u8]) -> Self {
        fn until(input: &mut &[u8], end: u8) -> String {
            let at = input.iter().position(|&byte| byte == end).unwrap();
            let text = String::from_utf8(input[..at].to_vec()).unwrap();
            *input = &input[at + 1..];
            text
        }
        let kind = until(input, b':');
        match &*kind {
            "i" => Self::Text(until(input, b';').into_bytes()),
            "s" => {
                let length: usize = until(input, b':').parse().unwrap();
                let text = input[1..=length].to_vec();
                *input = &input[length + 3..];
                Self::Text(text)
            }
            "a" => {
                let length: usize = until(input, b':').parse().unwrap();
                *input = &input[1..];
                let entries = (0..length).map(|_| {
                    let key = Self::unserialize(input).text().unwrap().to_vec();
                    (key, Self::unserialize(input))
                });
                let entries = entries.collect();
                *input = &input[1..];
                Self::Array(entries)
            }
            kind => panic!("PHP has no {kind} in a form"),
        }
    }
}

/// A PHP process that reads forms one after another, without limits except for the depth.
struct Php {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Php {
    fn start() -> Option<Self> {
        const READ: &str = r#"
            while (($line = fgets(STDIN)) !== false) {
                $form = [];
                @parse_str(hex2bin(rtrim($line)), $form);
                $form = serialize($form);
                echo pack('V', strlen($form)), $form;
            }
        "#;
        let mut php = Command::new("php");
        php.args(["-n", "-d", "max_input_vars=100000"])
            .args(["-d", "max_input_nesting_level=64", "-d", "memory_limit=-1"])
            .args(["-r", READ]);
        let process = php.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut process = process.ok()?;
        let input = process.stdin.take()?;
        let output = BufReader::new(process.stdout.take()?);
        Some(Self {
            process,
            input,
            output,
        })
    }

    fn read(&mut self, forms: &[String]) -> Vec<Node> {
        std::thread::scope(|scope| {
            let input = &mut self.input;
            scope.spawn(move || {
                let mut lines = String::new();
                for form in forms {
                    lines.extend(form.bytes().map(|byte| format!("{byte:02x}")));
                    lines.push('\n');
                }
                input.write_all(lines.as_bytes()).unwrap();
                input.flush().unwrap();
            });
            let output = &mut self.output;
            let read = forms.iter().map(|form| {
                let mut length = [0; 4];
                output.read_exact(&mut length).unwrap();
                let mut tree = vec![0; u32::from_le_bytes(length) as usize];
                output.read_exact(&mut tree).unwrap();
                let mut rest = &tree[..];
                let node = Node::unserialize(&mut rest);
                assert!(rest.is_empty(), "{form}");
                node
            });
            read.collect()
        })
    }
}

impl Drop for Php {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Numbers that are the same in each run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % end
    }

    fn one_of<'a>(&mut self, texts: &[&'a str]) -> &'a str {
        texts[self.below(texts.len())]
    }

    /// Returns a form of unusual keys, most of them beneath `data`.
    fn form(&mut self) -> String {
        const ENVELOPE: [&str; 3] = [
            "event=ONCRMDEALADD",
            "auth[application_token]=51856fefc120afa4b628cc82d3935cce",
            "ts=1",
        ];
        let roots = [
            "data", "data", "data", "data", "data", "data", "data", "%64ata", "x", "auth", "da.ta",
            "data_x", "auth[x]", "ts.x", "EVENT",
        ];
        // Mostly rejected.
        let unusual = [
            "+data", "event", "[data]", "data%00", "auth", "ts", "auth.x", "%20event",
        ];
        let names = [
            "FIELDS",
            "FIELDS",
            "ID",
            "ID",
            "a",
            "b",
            "0",
            "1",
            "01",
            "-1",
            "-0",
            "7",
            "",
            "",
            "+",
            "%09",
            "a.b",
            "a+b",
            "%FF",
            "%25FF",
            "%2525FF",
            "%41",
            "%",
            "%5",
            "[",
            "%5B",
            "x=",
            "%26",
            "é",
            "%C3%A9",
            "9223372036854775000",
            "-9223372036854775808",
            "18446744073709551616",
        ];
        let values = [
            "27", "27", "1", "0", "", "x", "027", "+27", "%32%37", "a%26b", "%FF", "%00", "a+b",
            "%", "%5B", "==",
        ];
        let mut pairs: Vec<String> = ENVELOPE.map(str::to_owned).into();
        for _ in 0..self.below(7) {
            let mut key = match self.below(40) {
                0 => self.one_of(&unusual).to_owned(),
                _ => self.one_of(&roots).to_owned(),
            };
            let depth = match self.below(200) {
                0 => 58 + self.below(7),
                _ => self.below(4),
            };
            for _ in 0..depth {
                key += self.one_of(&["[", "[", "[", "%5B", "%5b", "[", "x["]);
                key += self.one_of(&names);
                key += self.one_of(&["]", "]", "]", "]", "%5D", "%5d", "]", "]", "]x", "", "]]"]);
            }
            if self.below(8) == 0 {
                key = self
                    .one_of(&[
                        "data[FIELDS][ID]",
                        "data%5BFIELDS%5D%5BID%5D",
                        "data[%46IELDS][ID%5d",
                        "data[FIELDS][ID]x",
                        "%64ata[FIELDS][ID",
                    ])
                    .to_owned();
            }
            let value = self.one_of(&values);
            let at = self.below(pairs.len() + 1);
            let equals = if self.below(20) == 0 { "" } else { "=" };
            pairs.insert(at, format!("{key}{equals}{value}"));
        }
        pairs.join(self.one_of(&["&", "&", "&", "&&"]))
    }
}

fn assert_is(value: &Value, node: &Node, form: &str) {
    match node {
        Node::Text(text) => assert_eq!(value.as_bytes(), Some(&text[..]), "{form}"),
        Node::Array(entries) => {
            let array = value.as_array().unwrap_or_else(|| panic!("{form}"));
            let keys: Vec<_> = array.iter().map(|(key, _)| key.to_owned()).collect();
            let php: Vec<_> = entries.iter().map(|(key, _)| key_text(key)).collect();
            assert_eq!(keys, php, "{form}");
            for (value, (_, node)) in array.values().zip(entries) {
                assert_is(value, node, form);
            }
        }
    }
}

/// Returns `true` for a form that is documented to be read otherwise than by PHP: what a NUL ends,
/// and values below the 64th level, which drop others too.
fn is_read_otherwise(form: &str) -> bool {
    form.split('&').any(|pair| {
        let key = pair.split('=').next().unwrap();
        let brackets = key.matches('[').count() + key.to_uppercase().matches("%5B").count();
        key.contains("%00") || brackets > Value::MAX_DEPTH
    })
}

/// `BITRIX24_PHP_BODIES` sets the number of forms.
#[test]
fn scan_tree_and_ids_are_those_of_php_itself() {
    let bodies = std::env::var("BITRIX24_PHP_BODIES").map(|bodies| bodies.parse().unwrap());
    let (bodies, wanted) = bodies.map_or((4_000, false), |bodies: usize| (bodies, true));
    let Some(mut php) = Php::start() else {
        assert!(!wanted, "there is no `php` to compare with");
        println!("SKIPPED: there is no `php` to compare with");
        return;
    };
    let token = ApplicationToken::new(TOKEN).unwrap();
    let mut numbers = Numbers(0x9E37_79B9_7F4A_7C15);
    let (mut forms_read, mut accepted, mut typed) = (0, 0, 0);
    while forms_read < bodies {
        let forms: Vec<_> = (0..1000.min(bodies - forms_read))
            .map(|_| numbers.form())
            .collect();
        forms_read += forms.len();
        for (form, node) in forms.iter().zip(php.read(&forms)) {
            let Ok(envelope) = Envelope::scan(form.clone()) else {
                continue;
            };
            let text = |path: &[&str]| {
                let node = path.iter().try_fold(&node, |node, key| node.get(key));
                node.and_then(Node::text)
            };
            // The scan.
            let code = envelope.code().into_owned();
            assert_eq!(text(&["event"]), Some(code.as_bytes()), "{form}");
            let seen = text(&["auth", "application_token"]);
            assert_eq!(envelope.application_token().as_deref(), seen, "{form}");
            let event = Event::verify(envelope, &token)
                .now_or_never()
                .unwrap()
                .unwrap();
            if is_read_otherwise(form) {
                continue;
            }
            // The tree.
            match (event.data(), node.get("data")) {
                (Some(value), Some(node)) => assert_is(value, node, form),
                (value, node) => assert!(value.is_none() && node.is_none(), "{form}"),
            }
            accepted += 1;
            // The id.
            let id = text(&["data", "FIELDS", "ID"]).and_then(|id| std::str::from_utf8(id).ok());
            if let Some(id) = id.and_then(|id| id.parse::<u64>().ok()) {
                let deal = event.payload_of::<kind::CrmDealAdd>();
                assert_eq!(
                    deal.map(|deal| deal.id),
                    Some(id),
                    "{form}: {:?}",
                    event.mismatch()
                );
                typed += 1;
            }
        }
    }
    println!("{forms_read} bodies: {accepted} accepted and read alike, {typed} with an id");
    assert!(
        accepted > bodies / 2 && typed > bodies / 100,
        "{accepted}, {typed}"
    );
}
