//! Percent-decoding, once.

use std::borrow::Cow;

use memchr::memchr2;
use percent_encoding::percent_decode;

use super::near::find;

/// Decodes `+` and `%XX` once. Like PHP, keeps a `%` that does not start an escape.
pub(crate) fn decode(text: &[u8]) -> Cow<'_, [u8]> {
    if find(text, [b'%', b'+'], |text| memchr2(b'%', b'+', text)) == text.len() {
        return Cow::Borrowed(text);
    }
    Cow::Owned(decode_escapes(text))
}

// Not inlined, so that text without escapes, such as a token, takes little code.
#[inline(never)]
fn decode_escapes(text: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(text.len());
    decoded.extend(decoded_bytes(text));
    decoded
}

/// Decodes lazily, for callers that need only the first bytes.
pub(crate) fn decoded_bytes(text: &[u8]) -> impl Iterator<Item = u8> {
    text.split(|&byte| byte == b'+')
        .enumerate()
        .flat_map(|(i, run)| {
            let space = (i > 0).then_some(b' ');
            space.into_iter().chain(percent_decode(run))
        })
}

/// Decodes to a string. Invalid UTF-8 becomes U+FFFD.
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
    fn decoding_replaces_plus_and_complete_escapes_once() {
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
    fn decoding_borrows_if_nothing_changes() {
        assert!(matches!(decode(b"plain"), Cow::Borrowed(b"plain")));
        assert!(matches!(decode_text("é".as_bytes()), Cow::Borrowed("é")));
    }

    #[test]
    fn decoding_to_text_replaces_invalid_utf8() {
        assert_eq!(decode_text(b"a\xFF"), "a\u{FFFD}");
        assert_eq!(decode_text(b"a%FF+"), "a\u{FFFD} ");
        assert_eq!(decode_text(b"%F0%9F%98%80"), "😀");
    }
}
