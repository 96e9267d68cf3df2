//! Compares with serde_qs, which reads the value from a form.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;

use arbtest::arbitrary::{self, Unstructured};
use arbtest::arbtest;
use percent_encoding::{NON_ALPHANUMERIC, percent_encode};
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use super::read_value;
use crate::form::field::{
    Flag, IdMap, List, NumberOrName, OneOrMany, UndefinedOr, lenient, objects, objects_by_id,
    optional_flag, optional_number, optional_object,
};
use crate::form::mismatch::Mismatch;
use crate::form::value::{Array, Value};
use crate::secret::Secret;

const TEXTS: [&str; 20] = [
    "",
    "0",
    "1",
    "27",
    "-5",
    "300",
    "1.5",
    "true",
    "false",
    "Y",
    "N",
    "x",
    "undefined",
    "a b&=%[+]",
    "é",
    "A",
    "B",
    "ID",
    "18446744073709551615",
    "+7",
];

const KEYS: [&str; 24] = [
    "0",
    "1",
    "2",
    "3",
    "01",
    "7",
    "-1",
    "4294967295",
    "4294967296",
    "a",
    "b",
    "c",
    "d",
    "ID",
    "id",
    "A",
    "B",
    "C",
    "type",
    "content",
    "é",
    "a b",
    "%41",
    "x.y",
];

fn text(u: &mut Unstructured<'_>) -> arbitrary::Result<Value> {
    if u.ratio(1, 30)? {
        return Ok(Value::Bytes(b"x\xCF".to_vec()));
    }
    Ok(Value::from(*u.choose(&TEXTS)?))
}

fn tree(u: &mut Unstructured<'_>, depth: usize) -> arbitrary::Result<Value> {
    if depth == 0 || u.ratio(1, 3)? {
        return text(u);
    }
    let is_list: bool = u.arbitrary()?;
    let mut array = Vec::new();
    for at in 0..u.int_in_range(1..=4)? {
        let key = u.choose(if is_list { &KEYS[at..][..1] } else { &KEYS })?;
        array.push((String::from(*key), tree(u, depth - 1)?));
    }
    Ok(Value::Array(array.into_iter().collect()))
}

/// Changes something in the value.
pub(crate) fn change(u: &mut Unstructured<'_>, value: &mut Value) -> arbitrary::Result<()> {
    match value {
        Value::Array(Array(entries)) if u.ratio(3, 4)? => {
            let at = u.choose_index(entries.len())?;
            match u.int_in_range(0..=9)? {
                0 if entries.len() > 1 => drop(entries.remove(at)),
                1 => {
                    let key = *u.choose(&KEYS)?;
                    if entries.iter().all(|(taken, _)| taken != key) {
                        entries.push((key.to_owned(), tree(u, 2)?));
                    }
                }
                _ => change(u, &mut entries[at].1)?,
            }
        }
        _ => {
            *value = match u.int_in_range(0..=3)? {
                0 => tree(u, 2)?,
                1 => Value::from_entries(vec![((*u.choose(&KEYS)?).to_owned(), value.clone())]),
                _ => text(u)?,
            }
        }
    }
    Ok(())
}

pub(crate) fn encode(key: &str, value: &Value, form: &mut String) {
    let escaped = |bytes| percent_encode(bytes, NON_ALPHANUMERIC).to_string();
    match value {
        Value::Text(text) => *form += &format!("{key}={}&", escaped(text.as_bytes())),
        Value::Bytes(bytes) => *form += &format!("{key}={}&", escaped(bytes)),
        Value::Array(array) => {
            for (name, value) in array.iter() {
                // serde_qs would take digits for an index and drop the zeros before it.
                let escaped = match name.strip_prefix('0') {
                    Some(rest) if !rest.is_empty() => format!("%30{}", escaped(rest.as_bytes())),
                    _ => escaped(name.as_bytes()),
                };
                encode(&format!("{key}[{escaped}]"), value, form);
            }
        }
    }
}

#[derive(Deserialize)]
struct Root<T> {
    data: T,
}

fn read_by_serde_qs<T: DeserializeOwned>(value: &Value) -> Result<T, serde_qs::Error> {
    let mut form = String::new();
    encode("data", value, &mut form);
    let config = serde_qs::Config::new()
        .max_depth(99)
        .use_form_encoding(false);
    config.deserialize_str(&form).map(|Root { data }| data)
}

fn lossy(value: &Value) -> Value {
    match value {
        Value::Text(_) => value.clone(),
        Value::Bytes(bytes) => Value::Text(String::from_utf8_lossy(bytes).into_owned()),
        Value::Array(array) => {
            let entries = array
                .iter()
                .map(|(key, value)| (key.to_owned(), lossy(value)));
            Value::Array(entries.collect())
        }
    }
}

/// Asserts that the value is read as serde_qs reads it, and for the same reason if it is not.
pub(crate) fn agree<T: DeserializeOwned + PartialEq + Debug>(value: &Value) {
    let read = read_value::<T>(value, "data");
    let is_read = read.is_ok();
    let (read, expected) = match read_by_serde_qs::<T>(value) {
        Err(_) if lossy(value) != *value => {
            let lossy = lossy(value);
            (read_value(&lossy, "data"), read_by_serde_qs(&lossy))
        }
        expected => (read, expected),
    };
    assert_eq!(read.is_ok(), is_read, "{value:?}");
    match (read, expected) {
        (Err(mismatch), Err(_)) if mismatch.reason().ends_with("is not shown") => {}
        (Err(mismatch), Err(error)) => {
            let expected = Mismatch::at(String::new(), &error.to_string(), false);
            assert_eq!(mismatch.reason(), expected.reason(), "{value:?}");
        }
        (read, expected) => assert_eq!(read.ok(), expected.ok(), "{value:?}"),
    }
}

#[derive(Debug, PartialEq, Deserialize)]
struct Unit;

#[derive(Debug, PartialEq, Deserialize)]
struct Newtype(Option<u8>);

#[derive(Debug, PartialEq, Deserialize)]
struct Pair(u64, String);

#[derive(Debug, PartialEq, Deserialize)]
struct Fields {
    b: u64,
    #[serde(default, alias = "ID", alias = "id")]
    a: Option<String>,
    #[serde(rename = "0", default)]
    first: Option<Box<Fields>>,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Strict {
    a: Option<i8>,
    b: Option<bool>,
}

#[derive(Debug, PartialEq, Deserialize)]
struct Flat {
    a: Option<String>,
    #[serde(flatten)]
    rest: HashMap<String, Value>,
}

#[derive(Debug, PartialEq, Deserialize)]
enum External {
    A,
    B(u64),
    C(u64, String),
    #[serde(rename = "0")]
    D {
        a: Option<String>,
        b: u64,
    },
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(tag = "type")]
enum Internal {
    A,
    B { a: String },
    C(Fields),
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(tag = "type", content = "content")]
enum Adjacent {
    A,
    B(u64),
    C { a: String },
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(untagged)]
enum Untagged {
    Number(u64),
    Fields(Fields),
    Text(String),
    List(Vec<Untagged>),
    Map(BTreeMap<String, Untagged>),
}

#[derive(Debug, PartialEq, Deserialize)]
struct Lenient {
    #[serde(default, deserialize_with = "optional_number")]
    a: Option<i64>,
    #[serde(default, deserialize_with = "optional_flag")]
    b: Option<Flag>,
    #[serde(default, deserialize_with = "lenient")]
    c: Option<String>,
    #[serde(default, deserialize_with = "objects")]
    d: List<Fields>,
    #[serde(default, deserialize_with = "objects_by_id", rename = "ID")]
    by_id: IdMap<Fields>,
    #[serde(default, deserialize_with = "optional_object", rename = "A")]
    object: Option<Fields>,
    #[serde(default, rename = "0")]
    undefined: UndefinedOr<Fields>,
    #[serde(default, rename = "1")]
    many: OneOrMany<Fields>,
    #[serde(default, rename = "2")]
    lists: List<List<u64>>,
}

/// A check of how a value is read as each of the types.
pub(crate) trait Check {
    fn check<T: DeserializeOwned + PartialEq + Debug>(&mut self, value: &Value);
}

/// Checks a random value.
pub(crate) fn check(u: &mut Unstructured<'_>, check: &mut impl Check) -> arbitrary::Result<()> {
    macro_rules! check_as {
        ($value:expr; $($type:ty,)+) => {{$(check.check::<$type>($value);)+}};
    }

    let value = &tree(u, 4)?;
    check_as! { value;
        Value, u8, i16, u64, i64, f64, bool, char, String, Secret, (), Unit, Newtype, Pair,
        Option<u64>, Option<String>, Option<Value>, Option<Option<String>>, Option<bool>, Option<()>,
        Vec<Value>, Vec<u64>, Vec<String>, Option<Vec<String>>, (u8, String), [String; 2],
        BTreeMap<String, Value>, BTreeMap<u64, Vec<String>>, BTreeMap<i8, Value>,
        BTreeMap<char, Option<u64>>, BTreeMap<bool, String>, Option<BTreeMap<String, String>>,
        Fields, Option<Fields>, Vec<Fields>, BTreeMap<String, Fields>, Strict, Flat,
        External, Option<External>, Vec<External>, BTreeMap<String, External>, Internal, Adjacent,
        Untagged, Lenient, Vec<Lenient>,
        Flag, NumberOrName, List<Value>, List<u64>, List<Fields>, List<Option<String>>, IdMap<Value>,
        IdMap<Flag>, IdMap<Fields>, OneOrMany<Value>, OneOrMany<u64>, OneOrMany<Fields>,
        OneOrMany<List<u64>>, UndefinedOr<u64>, UndefinedOr<Fields>, UndefinedOr<List<Flag>>,
    }
    Ok(())
}

#[test]
fn any_value_is_read_as_serde_qs_reads_it() {
    struct Agree;

    impl Check for Agree {
        fn check<T: DeserializeOwned + PartialEq + Debug>(&mut self, value: &Value) {
            agree::<T>(value);
            read_value::<IgnoredAny>(value, "data").unwrap();
        }
    }

    arbtest(|u| check(u, &mut Agree));
}

#[test]
fn bytes_are_kept_beside_a_string_that_is_not_utf8() {
    #[derive(Deserialize)]
    struct Mixed {
        text: String,
        value: Value,
    }
    let bytes = || Value::Bytes(b"\xCF".to_vec());
    let value = Value::from_entries(vec![("text".into(), bytes()), ("value".into(), bytes())]);
    let Mixed { text, value } = read_value(&value, "data").unwrap();
    assert_eq!((&*text, value), ("\u{FFFD}", bytes()));
}

#[test]
fn path_of_a_mismatch_leads_to_the_value() {
    let list = |value: Value| Value::from_entries(vec![("0".into(), value)]);
    let under = |key: &str, value| Value::from_entries(vec![(key.into(), value)]);
    let path = |mismatch: Mismatch| mismatch.path().to_owned();

    let value = under("a", list(under("b", "x".into())));
    let read = read_value::<BTreeMap<String, Vec<Fields>>>(&value, "properties");
    assert_eq!(path(read.unwrap_err()), "properties.a[0].b");

    let read = read_value::<BTreeMap<u64, String>>(&under("x", "y".into()), "data");
    assert_eq!(path(read.unwrap_err()), "data.x");

    let read = read_value::<External>(&under("0", under("b", "x".into())), "data");
    assert_eq!(path(read.unwrap_err()), "data.0.b");

    let read = read_value::<Vec<u64>>(&under("1", "5".into()), "data").unwrap_err();
    assert_eq!(read.to_string(), "data: missing index, expected: 0 got 1");
}

#[test]
fn mismatch_under_a_secret_key_quotes_nothing() {
    let read = |key: &str| {
        let value = Value::from_entries(vec![("x".into(), "hunter2".into())]);
        let value = Value::from_entries(vec![(key.to_owned(), value)]);
        read_value::<BTreeMap<String, BTreeMap<String, u64>>>(&value, "data").unwrap_err()
    };
    assert!(read("a").reason().contains("hunter2"));
    for key in ["application_token", "password"] {
        assert_eq!(read(key).path(), format!("data.{key}.x"));
        assert!(!read(key).to_string().contains("hunter2"), "{key}");
    }
}

/// Returns the mismatch of a form, of which serde buffers some for the type.
fn buffered<T: DeserializeOwned + Debug>(form: &str) -> Mismatch {
    let value = crate::form::read_form(form.as_bytes()).unwrap();
    read_value::<T>(&value, "data").unwrap_err()
}

#[test]
fn mismatch_of_a_buffered_value_quotes_no_secret() {
    #[derive(Debug, Deserialize)]
    struct Account {
        #[serde(flatten)]
        #[expect(dead_code)]
        login: Login,
    }

    #[derive(Debug, Deserialize)]
    #[expect(dead_code)]
    struct Login {
        password: u64,
        id: Option<Vec<u64>>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(tag = "type")]
    enum Tagged {
        #[serde(rename = "login")]
        #[expect(dead_code)]
        Login { password: u64, id: Option<Vec<u64>> },
        #[serde(rename = "nested")]
        #[expect(dead_code)]
        Nested { cookies: Vec<u64> },
    }

    #[derive(Debug, Deserialize)]
    struct Custom {
        #[serde(flatten)]
        #[expect(dead_code)]
        pin: HashMap<String, Pin>,
    }

    /// Its error quotes the text in its own way.
    #[derive(Debug, Deserialize)]
    #[serde(try_from = "String")]
    struct Pin;

    impl TryFrom<String> for Pin {
        type Error = String;

        fn try_from(text: String) -> Result<Self, String> {
            Err(format!("{text} is not a pin"))
        }
    }

    // Short, long, with what `Debug` escapes, and not UTF-8.
    let long = "s".repeat(200);
    for (secret, shown) in [
        ("hunter2", "hunter2"),
        ("x", "\"x\""),
        ("%22a%5Cb%0A%22", r#"\"a\\b\n\""#),
        ("hunter2%FF", "hunter2"),
        ("%D1%81%D0%B5%D0%BA%D1%80%D0%B5%D1%82", "секрет"),
        (&long, &long[..20]),
    ] {
        for mismatch in [
            buffered::<Account>(&format!("password={secret}")),
            buffered::<Account>(&format!("name=1&PASSWORD=&password={secret}")),
            buffered::<Tagged>(&format!("type=login&password={secret}")),
            buffered::<Tagged>(&format!("type=nested&cookies[0]={secret}")),
            buffered::<HashMap<String, Tagged>>(&format!("a[type]=login&a[password]={secret}")),
        ] {
            let text = mismatch.to_string();
            assert!(!text.contains(shown), "{text}");
            assert!(text.ends_with("is not shown"), "{text}");
        }
        // Beside a secret the reason is shown.
        let public = buffered::<Account>(&format!("password=12345&id={secret}"));
        assert!(public.reason().contains(shown), "{public}");
    }
    let custom = buffered::<Custom>("password=hunter2");
    assert!(!custom.reason().contains("hunter2"), "{custom}");
}

#[test]
fn short_or_empty_secret_hides_no_reason() {
    #[derive(Debug, Deserialize)]
    struct Id {
        #[expect(dead_code)]
        id: u64,
    }

    for secrets in ["password=", "TOKEN=y&pass=u64&pwd=x1", "auth[token]=str"] {
        let mismatch = buffered::<Id>(&format!("{secrets}&id=x"));
        assert!(mismatch.reason().contains("\"x\""), "{secrets}: {mismatch}");
    }
}

#[test]
fn reason_that_is_too_long_for_the_number_of_secrets_is_hidden() {
    let read = |secrets: usize| {
        let secrets: String = (0..secrets)
            .map(|at| format!("&token[{at}]=s3cret"))
            .collect();
        let form = format!("id={}{secrets}", "a".repeat(100_000));
        buffered::<BTreeMap<String, u64>>(&form).reason().to_owned()
    };
    assert!(read(3).ends_with("a…\", expected u64"));
    assert!(read(1_000).ends_with("is not shown"));
}
