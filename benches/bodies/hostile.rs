//! Verified bodies that are expensive to read: what a hostile tenant sends.

use bytes::Bytes;
use tower_bitrix24::Envelope;

/// The name of a shape, and a function that returns its pair at a position.
type Shape = (&'static str, fn(usize) -> String);

const SHAPES: [Shape; 4] = [
    ("chains", |_| format!("data[FIELDS]{}=", "[]".repeat(62))),
    ("named chains", |at| {
        format!("data[FIELDS][{at}]{}=", "[a]".repeat(40))
    }),
    ("arrays of one", |at| {
        format!("data%5BFIELDS%5D%5B{at}%5D%5Ba%5D=%FF{}", "x".repeat(32))
    }),
    ("texts", |at| {
        format!("data[FIELDS][{at}]={}", "x".repeat(90))
    }),
];

/// Returns a body of each shape with its name. `bytes` is the maximum length.
pub fn hostile(token: &str, bytes: usize) -> Vec<(&'static str, Bytes)> {
    let body = |pair: fn(usize) -> String| {
        let mut body = format!("event=ONCRMREQUISITEADD&auth[application_token]={token}");
        for pair in (0..Envelope::MAX_PAIRS - 2).map(pair) {
            if body.len() + pair.len() >= bytes {
                break;
            }
            body = body + "&" + &pair;
        }
        Bytes::from(body)
    };
    SHAPES.map(|(name, pair)| (name, body(pair))).into()
}
