//! Splits a body into `key=value` pairs without decoding.

use memchr::{memchr, memchr2};

/// A `key=value` pair of the body, still encoded.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pair<'a> {
    pub(crate) key: &'a [u8],
    /// Empty if the pair has no `=`.
    pub(crate) value: &'a [u8],
    /// The offset of the pair in the body.
    pub(crate) start: usize,
    /// The offset of the value, after the `=` if there is one.
    pub(crate) value_start: usize,
    /// The end of the pair and its value, before the `&`.
    pub(crate) end: usize,
}

impl Pair<'_> {
    pub(crate) fn has_equals(&self) -> bool {
        self.start + self.key.len() < self.value_start
    }
}

/// Returns the pairs of `body` in order, without empty ones (`&&`).
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_have_the_offsets_of_their_parts() {
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
}
