//! Bracketed keys: segments, PHP's folding of names, array indices.

use std::iter::from_fn;

use memchr::memchr;
use percent_encoding::{AsciiSet, CONTROLS, percent_encode};

/// The maximum depth of arrays.
pub(super) const MAX_DEPTH: usize = 64;

/// A key as PHP stores it: a number if PHP would write it the same way.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Key<'a> {
    Name(&'a [u8]),
    Index(i64),
}

impl<'a> Key<'a> {
    pub(super) fn new(name: &'a [u8]) -> Self {
        let index = match name {
            [b'-' | b'0'..=b'9', ..] => std::str::from_utf8(name).ok().and_then(php_index),
            _ => None,
        };
        index.map_or(Self::Name(name), Self::Index)
    }

    /// The index behind the greatest, as of PHP's forms: behind -5 comes -4. There is none behind
    /// PHP's greatest; it is a name here.
    pub(super) fn behind(greatest: Option<i64>) -> Self {
        let next = greatest.map_or(Some(0), |greatest| greatest.checked_add(1));
        next.map_or(Self::Name(b"9223372036854775808"), Self::Index)
    }

    pub(super) fn to_text(self) -> String {
        match self {
            Self::Name(name) => key_text(name),
            Self::Index(index) => index.to_string(),
        }
    }
}

/// Returns a key as text. The bytes of one that is not UTF-8 stay percent-encoded. So that no two
/// keys get one text, the percent signs of a key that looks like such a one are encoded too.
fn key_text(key: &[u8]) -> String {
    const PERCENT_AND_CONTROLS: &AsciiSet = &CONTROLS.add(b'%');

    match std::str::from_utf8(key) {
        Err(_) => percent_encode(key, PERCENT_AND_CONTROLS).to_string(),
        Ok(text) if looks_encoded(key) => text.replace('%', "%25"),
        Ok(text) => text.to_owned(),
    }
}

/// Returns `true` if there is the escape of a byte that is not ASCII in it, escaped itself any number
/// of times: `%FF`, `%25FF`, `%2525FF`.
fn looks_encoded(mut key: &[u8]) -> bool {
    while let Some(percent) = memchr(b'%', key) {
        key = &key[percent + 1..];
        let mut escape = key;
        while let [b'2', b'5', behind @ ..] = escape {
            escape = behind;
        }
        if let [b'8'..=b'9' | b'A'..=b'F' | b'a'..=b'f', second, ..] = escape {
            if second.is_ascii_hexdigit() {
                return true;
            }
        }
    }
    false
}

/// Returns the keys in the brackets behind `data`, `None` for an empty pair. Like PHP,
/// ignores text after a closing bracket and brackets that are never closed.
pub(super) fn segments(key: &[u8]) -> impl Iterator<Item = Option<&[u8]>> {
    let open = memchr(b'[', key).unwrap_or(key.len());
    let mut rest = &key[open..];
    let mut depth = 0;
    from_fn(move || {
        let [b'[', inner @ ..] = rest else {
            return None;
        };
        let close = memchr(b']', inner)?;
        let (name, behind) = (&inner[..close], &inner[close + 1..]);
        rest = behind;
        depth += 1;
        if depth == MAX_DEPTH && behind.first() == Some(&b'[') {
            rest = &[];
            return Some(Some(inner));
        }
        let append = matches!(name, [] | [b' ' | b'\t'..=b'\r']);
        Some((!append).then_some(name))
    })
}

/// Returns the integer that PHP makes of a key.
pub(super) fn php_index(key: &str) -> Option<i64> {
    let index: i64 = key.parse().ok()?;
    let digits = key.strip_prefix('-').unwrap_or(key);
    let plain = digits == "0" && key == "0" || !digits.starts_with(['0', '+']);
    plain.then_some(index)
}
