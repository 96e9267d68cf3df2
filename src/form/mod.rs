//! Form bodies the way PHP reads and writes them.

mod de;
mod fast_path;
pub mod field;
mod shape;
mod value;

use std::borrow::Cow;

use memchr::{memchr, memchr2};
use percent_encoding::percent_decode;

pub use self::de::Mismatch;
pub(crate) use self::de::{Data, LazyTree};
pub use self::value::{Array, Value};

/// A `key=value` pair as it stands in the body, still encoded.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pair<'a> {
    pub(crate) key: &'a [u8],
    /// Empty where the pair has no `=`.
    pub(crate) value: &'a [u8],
    /// Where the pair starts in the body, in bytes.
    pub(crate) start: usize,
    /// Where the value starts, behind the `=` if there is one.
    pub(crate) value_start: usize,
    /// Where the pair and its value end, before the `&`.
    pub(crate) end: usize,
}

impl Pair<'_> {
    /// Whether there is a `=` between key and value.
    pub(crate) fn has_equals(&self) -> bool {
        self.start + self.key.len() < self.value_start
    }
}

/// The pairs of `body` in their order; empty ones (`&&`) are left out.
pub(crate) fn pairs(body: &[u8]) -> Pairs<'_> {
    Pairs { body, at: 0 }
}

pub(crate) struct Pairs<'a> {
    body: &'a [u8],
    at: usize,
}

impl<'a> Iterator for Pairs<'a> {
    type Item = Pair<'a>;

    #[inline]
    fn next(&mut self) -> Option<Pair<'a>> {
        let mut start = self.at;
        while *self.body.get(start)? == b'&' {
            start += 1;
        }
        let rest = &self.body[start..];
        let (key, rest) = rest.split_at(memchr2(b'=', b'&', rest).unwrap_or(rest.len()));
        let mut value_start = start + key.len();
        let mut value: &[u8] = &[];
        if let [b'=', rest @ ..] = rest {
            value_start += 1;
            value = &rest[..memchr(b'&', rest).unwrap_or(rest.len())];
        }
        self.at = value_start + value.len();
        Some(Pair {
            key,
            value,
            start,
            value_start,
            end: self.at,
        })
    }
}

/// Decodes `+` and `%XX` once. A `%` that starts no escape stays as it is, as in PHP.
pub(crate) fn decode(text: &[u8]) -> Cow<'_, [u8]> {
    if memchr2(b'%', b'+', text).is_none() {
        return Cow::Borrowed(text);
    }
    let mut decoded = Vec::with_capacity(text.len());
    decoded.extend(decoded_bytes(text));
    Cow::Owned(decoded)
}

/// The decoded bytes of `text` one after another, for readers that need only the first few.
pub(crate) fn decoded_bytes(text: &[u8]) -> impl Iterator<Item = u8> {
    text.split(|&byte| byte == b'+')
        .enumerate()
        .flat_map(|(i, run)| {
            let space = (i > 0).then_some(b' ');
            space.into_iter().chain(percent_decode(run))
        })
}

/// Decodes to text; bytes that are not UTF-8 become U+FFFD.
pub(crate) fn decode_text(text: &[u8]) -> Cow<'_, str> {
    match decode(text) {
        Cow::Borrowed(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) => String::from_utf8_lossy(bytes),
        },
        Cow::Owned(bytes) => Cow::Owned(match String::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_knows_where_it_stands_and_whether_it_has_an_equals_sign() {
        let body = b"&&a=1&b&c=&=d&e==&&f";
        let read: Vec<_> = pairs(body)
            .map(|pair| {
                assert_eq!(
                    &body[pair.value_start..pair.end],
                    pair.value,
                    "the value ends where the pair does"
                );
                let text = |bytes| std::str::from_utf8(bytes).unwrap();
                let whole = text(&body[pair.start..pair.end]);
                (whole, text(pair.key), text(pair.value), pair.has_equals())
            })
            .collect();
        assert_eq!(
            read,
            [
                ("a=1", "a", "1", true),
                ("b", "b", "", false),
                ("c=", "c", "", true),
                ("=d", "", "d", true),
                ("e==", "e", "=", true),
                ("f", "f", "", false),
            ]
        );
    }

    #[test]
    fn one_decoding_takes_plus_and_whole_escapes_and_nothing_else() {
        for (text, decoded) in [
            ("", &b""[..]),
            ("plain", b"plain"),
            ("a+b", b"a b"),
            ("++", b"  "),
            ("%41%6a%6A", b"Ajj"),
            ("%2B%2541", b"+%41"),
            ("%", b"%"),
            ("%4", b"%4"),
            ("%GG+", b"%GG "),
            ("%00%FF", b"\0\xFF"),
        ] {
            assert_eq!(*decode(text.as_bytes()), *decoded, "{text}");
            assert!(
                decoded_bytes(text.as_bytes()).eq(decoded.iter().copied()),
                "{text}"
            );
        }
    }

    #[test]
    fn what_needs_no_decoding_is_not_copied() {
        assert!(matches!(decode(b"plain"), Cow::Borrowed(b"plain")));
        assert!(matches!(decode_text("é".as_bytes()), Cow::Borrowed("é")));
    }

    #[test]
    fn what_is_not_utf8_becomes_the_replacement_character() {
        assert_eq!(decode_text(b"a\xFF"), "a\u{FFFD}");
        assert_eq!(decode_text(b"a%FF+"), "a\u{FFFD} ");
        assert_eq!(decode_text(b"%F0%9F%98%80"), "😀");
    }
}
