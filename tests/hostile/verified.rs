//! Verified bodies, which may be hostile too: the sender has the token of one portal.

use std::hint::black_box;

use allocation_counter::measure;
use bytes::Bytes;
use tower_bitrix24::{Envelope, Event, EventKind, Value};

use crate::common::TOKEN;
use crate::{LARGE, SHAPES, SMALL, assert_linear, cost, event, verified, with_token};

fn use_all(event: &Event) {
    black_box((event.auth(), event.subject(), event.entity_type_id()));
    black_box((event.data(), event.data_as::<Value>().is_ok()));
    black_box(format!("{event:?}"));
    black_box(serde_json::to_string(event).unwrap());
}

#[test]
fn verified_event_is_read_and_shown_in_linear_time_and_memory() {
    for shape in &SHAPES {
        let [small, large] = [SMALL / 4, LARGE / 4].map(|size| {
            let body = with_token("ONTASKUPDATE", TOKEN, &shape.of(size));
            let (info, _) = cost(&body);
            let read = info.bytes_max / body.len() as u64;
            let event = verified(&body);
            let info = measure(|| use_all(&event));
            let shown = info.bytes_max / body.len() as u64;
            println!(
                "{}, {} bytes: peak {read} times the body to deliver, {shown} times to show",
                shape.name,
                body.len(),
            );
            assert!(read < 200 && shown < 200, "{}", shape.name);
            body
        });
        assert_linear(shape.name, &small, &large, |body| use_all(&verified(body)));
    }
}

/// Returns bodies with as many arrays or pairs as their length allows, or more.
pub(super) fn expensive_bodies(code: &str, bytes: usize) -> Vec<(&'static str, Bytes)> {
    type Unit = fn(usize) -> String;
    let deep = |levels: usize| "[]".repeat(levels);
    let filler = "x".repeat(50 * 64);
    let shapes: [(&'static str, Unit); 11] = [
        ("chains in data", |_| format!("data{}=", "[]".repeat(63))),
        ("chains in FIELDS", |_| {
            format!("data[FIELDS]{}=", "[]".repeat(62))
        }),
        ("chains in QUERY", |_| {
            format!("data[QUERY]{}=", "[]".repeat(62))
        }),
        ("plain chains", |at| {
            format!("data[FIELDS][{at}]{}=", "[a]".repeat(40))
        }),
        ("one chain", |_| {
            format!("data[FIELDS]{}=%FF", "[a]".repeat(62))
        }),
        ("arrays of one", |at| {
            format!("data[QUERY][{at}][a]={}", "x".repeat(48))
        }),
        ("arrays of one, escaped", |at| {
            format!("data%5BFIELDS%5D%5B{at}%5D%5Ba%5D=%FF{}", "x".repeat(32))
        }),
        ("many texts", |at| {
            format!("data[QUERY][{at}]={}", "x".repeat(90))
        }),
        ("many bytes", |_| {
            format!("data[FIELDS][ID]={}", "\u{e9}%FF".repeat(20_000))
        }),
        ("percent signs", |_| {
            format!("data[FIELDS][NAME]={}", "%".repeat(60_000))
        }),
        ("many keys", |at| format!("data[{at}{}]=", "%FF".repeat(25))),
    ];
    let mut bodies: Vec<_> = shapes
        .iter()
        .map(|(name, unit)| {
            let mut body = format!("event={code}&auth[application_token]={TOKEN}");
            for at in 0..Envelope::MAX_PAIRS - 2 {
                let pair = unit(at);
                if body.len() + pair.len() >= bytes {
                    break;
                }
                body = body + "&" + &pair;
            }
            (*name, Bytes::from(body))
        })
        .collect();
    // The strings allow so many arrays.
    let mut rest = String::new();
    for _ in 0..bytes / (50 * 64 + 200) {
        rest += &format!("data[QUERY]{}=1&data[T]={filler}&", deep(50));
    }
    bodies.push(("chains that texts allow", with_token(code, TOKEN, &rest)));
    bodies
}

/// The maximum heap for each byte of a body, besides the maximum of a small body.
const HEAP_PER_BYTE: u64 = 16;
const HEAP_OF_THE_LEAST: u64 = 512 * 1024;

fn assert_cheap(name: &str, code: &str, body: &Bytes) -> f64 {
    let read = measure(|| drop(verified(body)));
    let event = verified(body);
    let tree = measure(|| {
        black_box(event.data());
    });
    let typed = measure(|| drop(black_box(event.data_as::<Value>())));
    let most = [&read, &tree, &typed].map(|info| info.bytes_max);
    let most = most.into_iter().max().unwrap();
    let bound = HEAP_PER_BYTE * body.len() as u64 + HEAP_OF_THE_LEAST;
    assert!(
        most <= bound,
        "{code}, {name}: {most} bytes for {}",
        body.len()
    );
    most as f64 / body.len() as f64
}

#[test]
fn verified_body_takes_at_most_sixteen_bytes_of_heap_for_each_byte() {
    for bytes in [64 << 10, 1 << 20] {
        for (name, body) in expensive_bodies("ONAPPTEST", bytes) {
            let ratio = assert_cheap(name, "ONAPPTEST", &body);
            println!(
                "{} bytes, {name}: {ratio:.1} bytes of heap for a byte",
                body.len()
            );
        }
    }
    for &kind in EventKind::ALL {
        for (name, body) in expensive_bodies(kind.as_str(), 4 << 10) {
            let read = measure(|| drop(verified(&body)));
            let bound = HEAP_PER_BYTE * body.len() as u64 + HEAP_OF_THE_LEAST;
            assert!(read.bytes_max <= bound, "{kind}, {name}: {read:?}");
        }
    }
}

#[test]
fn event_with_too_many_arrays_is_delivered_with_its_data_as_bytes() {
    for code in [
        "ONCRMDEALADD",
        "ONSONETGROUPSUBJECTADD",
        "ONAPPTEST",
        "ONUNKNOWN",
    ] {
        let data = format!("data[FIELDS]{}=1", "[]".repeat(60));
        let data = vec![&*data; 200].join("&");
        let body = with_token(code, TOKEN, &data);
        let (info, response) = cost(&body);
        let event = event(&response);
        assert_eq!(event.body(), &body);
        assert_eq!(event.raw_data().as_deref(), Some(data.as_bytes()));
        assert!(event.data().is_none() && event.subject().is_none());
        assert_eq!(*event.payload(), tower_bitrix24::Payload::Unknown);
        let reason = "data: more than 256 arrays, and one for each 64 bytes, are not read";
        assert_eq!(event.mismatch().unwrap().to_string(), reason);
        assert_eq!(event.data_as::<Value>().unwrap_err().to_string(), reason);
        assert!(info.bytes_max < 16 * body.len() as u64, "{code}: {info:?}");
        use_all(event);
    }
}

#[test]
fn body_with_the_maximum_number_of_pairs_is_read_in_linear_time() {
    const PAIRS: usize = Envelope::MAX_PAIRS - 2;
    for (name, pair) in [
        ("different keys", "data[{}]=1"),
        ("different keys in brackets", "data[FIELDS][{}][ID]=1"),
        ("escaped keys", "data%5BFIELDS%5D%5B{}%5D=1"),
        ("data and others", "data[{}]=1&x{}=1"),
        ("one key", "data[ID]=1"),
    ] {
        let at_once = pair.matches('&').count() + 1;
        let [few, many] = [PAIRS / 8, PAIRS].map(|pairs| {
            let pairs = (0..pairs / at_once).map(|at| pair.replace("{}", &at.to_string()));
            let pairs: Vec<_> = pairs.collect();
            with_token("ONTASKUPDATE", TOKEN, &pairs.join("&"))
        });
        assert_linear(name, &few, &many, |body| use_all(&verified(body)));
    }
}

#[test]
fn large_index_reserves_no_memory_in_any_payload() {
    let index = "999999999";
    for &kind in EventKind::ALL {
        for data in [
            format!("data[{index}]=1"),
            format!("data[{index}][ID]=1"),
            format!("data[FIELDS][{index}]=1"),
            format!("data[FIELDS_AFTER][{index}][ID]=1&data[BOT][{index}][BOT_ID]=1"),
            format!("data[UF_DEPARTMENT][{index}]=1&data[ID]=1&data[PARAMS][{index}]=1"),
            format!("data[message][{index}]=1&data[messages][{index}][{index}]=1"),
            "data[18446744073709551615][9223372036854775807][]=1".to_owned(),
        ] {
            let body = with_token(kind.as_str(), TOKEN, &data);
            let info = measure(|| use_all(&verified(&body)));
            assert!(info.bytes_max < 32 * 1024, "{kind}, {data}: {info:?}");
        }
    }
}

#[test]
fn key_of_ten_thousand_brackets_is_read_to_the_maximum_depth() {
    for brackets in ["[a]", "[]", "[0]", "%5B1%5D", "[a%5D"] {
        let deep = brackets.repeat(10_000);
        let body = with_token("ONUSERADD", TOKEN, &format!("data{deep}=x&data{deep}=y"));
        let event = verified(&body);
        let (mut value, mut depth) = (event.data().unwrap(), 0);
        while let Some(array) = value.as_array() {
            (value, depth) = (array.values().last().unwrap(), depth + 1);
        }
        assert_eq!((value.as_str(), depth), (Some("y"), Value::MAX_DEPTH));
        use_all(&event);
    }
}

#[test]
fn nul_and_invalid_utf8_are_kept() {
    let read = |data: &str| {
        let event = verified(&with_token("ONUSERADD", TOKEN, data));
        use_all(&event);
        let value = event.data().unwrap().as_array().unwrap().iter().next();
        let (key, value) = value.unwrap();
        (key.to_owned(), value.as_bytes().unwrap().to_vec())
    };
    let pair = |key: &str, value: &[u8]| (key.to_owned(), value.to_vec());
    assert_eq!(read("data[a\0b]=\0"), pair("a\0b", b"\0"));
    assert_eq!(read("data[a%00]=%00x"), pair("a\0", b"\0x"));
    assert_eq!(read("data[a]=%ED%A0%80"), pair("a", b"\xED\xA0\x80"));
    assert_eq!(read("data[%ED%A0%80]=1"), pair("%ED%A0%80", b"1"));
    assert_eq!(read("data[a]=%FF%FE"), pair("a", b"\xFF\xFE"));
    assert_eq!(read("data[a]=%"), pair("a", b"%"));
    assert_eq!(read("data[a]=="), pair("a", b"="));
    assert_eq!(read("&&data[a]&&"), pair("a", b""));
    assert_eq!(read("data[]=%F0%9F%98%80"), pair("0", "😀".as_bytes()));
}
