//! Every payload type: the first two bytes choose the event, the rest are the pairs of its data. The
//! type is the same however the pairs are spelled.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tower_bitrix24::{Event, EventKind, Value};
use tower_bitrix24_fuzz::encode::{Spelling, to_form};
use tower_bitrix24_fuzz::php::Node;
use tower_bitrix24_fuzz::{TOKEN, exercise, verified};

fn event(kind: EventKind, data: &[u8]) -> Option<Event> {
    let head = format!("event={kind}&auth[application_token]={TOKEN}&");
    verified([head.as_bytes(), data].concat())
}

/// Returns `None` if no form can represent the tree.
fn tree(value: &Value) -> Option<Node> {
    Some(match value {
        Value::Text(text) => Node::Text(text.clone().into_bytes()),
        Value::Bytes(_) => return None,
        Value::Array(array) => {
            let entries = array.iter().map(|(key, value)| {
                let plain = key
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
                (plain && !key.is_empty()).then_some((key.as_bytes().to_vec(), tree(value)?))
            });
            Node::Array(entries.collect::<Option<_>>()?)
        }
    })
}

fuzz_target!(|input: &[u8]| {
    let [first, second, data @ ..] = input else {
        return;
    };
    let index = usize::from(u16::from_le_bytes([*first, *second]));
    let kind = EventKind::ALL[index % EventKind::ALL.len()];

    let Some(read) = event(kind, data) else {
        return;
    };
    exercise(&read);
    let Some(tree) = read.data().and_then(tree) else {
        return;
    };
    for spelling in [
        Spelling::Upper,
        Spelling::Lower,
        Spelling::Plain,
        Spelling::All,
    ] {
        let again = event(kind, &to_form(&tree, spelling)).expect("the form of a tree is read");
        exercise(&again);
        // A shorter form may have fewer arrays, so this one may be unreadable; then it says so.
        if again.data().is_none() {
            continue;
        }
        assert_eq!(read.payload(), again.payload(), "{spelling:?}");
        assert_eq!(read.mismatch(), again.mismatch(), "{spelling:?}");
    }
});
