//! Splits a body into `key=value` pairs without decoding.

use memchr::{memchr, memchr2};

use super::near::find;

/// A `key=value` pair of the body, still encoded. `K` is what was made of its key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pair<'a, K = &'a [u8]> {
    pub(crate) key: K,
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
pub(crate) fn pairs(body: &[u8]) -> impl Iterator<Item = Pair<'_>> {
    pairs_by(body, split_key)
}

/// Returns the pairs with what `split_key` makes of their keys. It returns what follows the key and its `=`,
/// as [`split_key`] does.
#[inline(always)]
pub(crate) fn pairs_by<'a, K>(
    body: &'a [u8],
    split_key: impl Fn(&'a [u8]) -> (K, &'a [u8]),
) -> impl Iterator<Item = Pair<'a, K>> {
    let mut rest = body;
    std::iter::from_fn(move || {
        while let [b'&', behind @ ..] = rest {
            rest = behind;
        }
        if rest.is_empty() {
            return None;
        }
        let start = body.len() - rest.len();
        let (key, behind) = split_key(rest);
        let value_start = body.len() - behind.len();
        let value;
        (value, rest) = behind.split_at(end_of_value(behind));
        Some(Pair {
            key,
            value,
            start,
            value_start,
            end: body.len() - rest.len(),
        })
    })
}

/// Splits a form at the first `=`. A key without one ends before the `&`, and the rest has both.
#[inline]
pub(crate) fn split_key(form: &[u8]) -> (&[u8], &[u8]) {
    let (key, behind) = form.split_at(end_of_key(form));
    (key, behind.strip_prefix(b"=").unwrap_or(behind))
}

/// Returns the place of the first `=` or `&`, or the length of `text`.
#[inline]
fn end_of_key(text: &[u8]) -> usize {
    find(text, [b'=', b'&'], |text| memchr2(b'=', b'&', text))
}

/// Returns the place of the first `&`, or the length of `text`.
#[inline]
pub(crate) fn end_of_value(text: &[u8]) -> usize {
    find(text, [b'&'], |text| memchr(b'&', text))
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
