//! Fast path: keys that serde_qs and PHP read alike, written so that serde_qs reads them quickly, and single
//! pairs that need no map.
//!
//! Optimization only: deleting this file and the calls in `de.rs` changes no result. The tests
//! `fast_path_and_tree_give_the_same_type` and `plain_pair_gives_the_same_type_as_the_tree` in `de.rs` prove it.

use std::ops::Range;

use memchr::memchr3;

use super::value::Value;

/// Returns the name and the text of a single pair `[ID]=27` of letters and digits, which is read without
/// the map that serde_qs builds.
pub(super) fn plain_pair(pair: &[u8]) -> Option<(&str, &str)> {
    let ([b'[', inner @ ..] | [b'%', b'5', b'B', inner @ ..]) = pair else {
        return None;
    };
    let is_letter = |byte: &u8| byte.is_ascii_alphabetic() || *byte == b'_';
    let end = inner.iter().position(|byte| !is_letter(byte))?;
    let (name, close) = inner.split_at(end);
    let ([b']', b'=', text @ ..] | [b'%', b'5', b'D', b'=', text @ ..]) = close else {
        return None;
    };
    if name.is_empty() || text.is_empty() || !text.iter().all(u8::is_ascii_alphanumeric) {
        return None;
    }
    let ascii = |bytes| std::str::from_utf8(bytes).ok();
    Some((ascii(name)?, ascii(text)?))
}

/// Returns `true` if serde_qs decodes the values as PHP does. After a `%` that does not start an escape,
/// serde_qs skips what may start one, and a space: `%%5D`, `5%+`.
pub(super) fn percent_decoding_agrees(pairs: &[u8]) -> bool {
    let begins = |byte: &u8| (*byte == b'%') | (*byte == b'+');
    // Branchless, so that the compiler vectorizes it.
    let from = |at: usize| pairs.get(at..).unwrap_or_default().iter();
    let bytes = from(0).zip(from(1)).zip(from(2));
    let differs = bytes.fold(false, |differs, ((byte, next), after)| {
        differs | (*byte == b'%') & (begins(next) | begins(after))
    });
    !differs && !matches!(pairs, [.., b'%', b'%' | b'+'])
}

/// Returns the maximum number of names in a key beneath a place that is `levels` arrays deep.
pub(super) const fn max_names(levels: usize) -> usize {
    Value::MAX_DEPTH + 1 - levels
}

/// Returns `true` if serde_qs reads a key of at most `depth` names as PHP does: it must consist only of
/// [names](next_segment) in brackets.
pub(super) fn is_canonical(mut key: &[u8], depth: usize) -> bool {
    for _ in 0..depth {
        if key.is_empty() {
            break;
        }
        match next_segment(key, FNV_OFFSET) {
            Some((.., behind)) => key = behind,
            None => return false,
        }
    }
    key.is_empty()
}

/// Returns the pairs with `prefix` stripped from their keys, without escaped brackets, and with values
/// decoded as far as serde_qs reads the decoded bytes unchanged. `levels` is the number of arrays that
/// `prefix` takes in the tree.
///
/// Returns `None` if a key has another prefix, is not [canonical](is_canonical) or too deep,
/// appears twice, or has both a value and keys beneath it. Also if there may be more arrays than
/// are read.
pub(super) fn strip_prefix(prefix: &[u8], levels: usize, mut pairs: &[u8]) -> Option<Vec<u8>> {
    let mut form = KeyRewriter::new(levels, pairs.len());
    while let [first, behind @ ..] = pairs {
        if *first == b'&' {
            pairs = behind;
            continue;
        }
        // A pair without `=` is an empty string to PHP, and no value to serde_qs.
        let [b'=', behind @ ..] = form.write_key(pairs.strip_prefix(prefix)?)? else {
            return None;
        };
        pairs = form.write_value(behind);
    }
    form.finish()
}

/// Returns the name in the brackets at the start of `key`, its digest continued from `digest`, and the
/// rest of the key. Returns `None` if there is no bracket, or if the name is escaped, empty, or padded
/// with zeros or white space.
fn next_segment(key: &[u8], digest: u64) -> Option<(&[u8], u64, &[u8])> {
    let ([b'[', inner @ ..] | [b'%', b'5', b'B', inner @ ..]) = key else {
        return None;
    };
    let mut digest = fnv1a(digest, b'[');
    let end = inner.iter().position(|&byte| {
        let special = matches!(byte, b'%' | b'&' | b'+' | b'=' | b'[' | b']');
        if !special {
            digest = fnv1a(digest, byte);
        }
        special
    });
    let (name, close) = inner.split_at(end?);
    let ([b']', behind @ ..] | [b'%', b'5', b'D', behind @ ..]) = close else {
        return None;
    };
    let is_odd = matches!(
        name,
        [] | [b'0', b'0'..=b'9', ..] | [b' ' | b'\t'..=b'\r', ..]
    );
    (!is_odd).then_some((name, digest, behind))
}

struct KeyRewriter<'a> {
    /// The maximum number of names in a key.
    depth: usize,
    /// The number of arrays that may still follow.
    arrays: usize,
    written: Vec<u8>,
    parent: Parent<'a>,
    /// The digests of all keys, with [`LEAF`] set if they have values.
    digests: Vec<u64>,
}

/// The previous key without its last name: most keys start with it.
struct Parent<'a> {
    key: &'a [u8],
    depth: usize,
    /// Its range in `KeyRewriter::written`.
    written: Range<usize>,
    digest: u64,
}

/// The bit of a digest that marks a key with a value.
const LEAF: u64 = 1;

impl<'a> KeyRewriter<'a> {
    fn new(levels: usize, bytes: usize) -> Self {
        Self {
            depth: max_names(levels),
            arrays: Value::max_arrays(bytes) - levels,
            written: Vec::with_capacity(bytes),
            parent: Parent {
                key: &[],
                depth: 0,
                written: 0..0,
                digest: FNV_OFFSET,
            },
            digests: Vec::with_capacity(128),
        }
    }

    /// Writes the key at the start of `pair` and returns the rest.
    fn write_key(&mut self, pair: &'a [u8]) -> Option<&'a [u8]> {
        if !self.written.is_empty() {
            self.written.push(b'&');
        }
        let start = self.written.len();
        let mut depth = 0;
        let mut digest = FNV_OFFSET;
        let mut rest = pair;
        if let Some(behind) = pair.strip_prefix(self.parent.key) {
            self.written.extend_from_within(self.parent.written.clone());
            depth = self.parent.depth;
            digest = self.parent.digest;
            rest = behind;
        }
        while depth < self.depth {
            let (name, with_name, behind) = next_segment(rest, digest)?;
            self.parent = Parent {
                key: &pair[..pair.len() - rest.len()],
                depth,
                written: start..self.written.len(),
                digest,
            };
            self.written.push(b'[');
            self.written.extend_from_slice(name);
            self.written.push(b']');
            depth += 1;
            digest = with_name;
            rest = behind;
            if !matches!(behind, [b'[' | b'%', ..]) {
                self.digests.push(digest | LEAF);
                return Some(rest);
            }
            // An array is counted again if other keys came in between.
            self.arrays = self.arrays.checked_sub(1)?;
            self.digests.push(digest & !LEAF);
        }
        None
    }

    /// Writes the value at the start of `rest` and returns what follows it.
    fn write_value(&mut self, mut rest: &'a [u8]) -> &'a [u8] {
        self.written.push(b'=');
        loop {
            match *rest {
                [] | [b'&', ..] => return rest,
                [b'+', ref behind @ ..] => {
                    self.written.push(b' ');
                    rest = behind;
                }
                [b'%', ref behind @ ..] => rest = self.write_escape(behind),
                _ => {
                    let end = memchr3(b'&', b'%', b'+', rest).unwrap_or(rest.len());
                    let (run, behind) = rest.split_at(end);
                    self.written.extend_from_slice(run);
                    rest = behind;
                }
            }
        }
    }

    /// Writes the byte whose escape is at the start of `rest`, or a percent sign that starts none.
    #[inline]
    fn write_escape(&mut self, rest: &'a [u8]) -> &'a [u8] {
        if let [high, low, ref behind @ ..] = *rest {
            let (high, low) = (HEX_DIGITS[high as usize], HEX_DIGITS[low as usize]);
            if (high | low) < 16 {
                match (high << 4) | low {
                    b'%' => self.written.extend_from_slice(b"%25"),
                    b'&' => self.written.extend_from_slice(b"%26"),
                    b'+' => self.written.extend_from_slice(b"%2B"),
                    byte => self.written.push(byte),
                }
                return behind;
            }
        }
        self.written.extend_from_slice(b"%25");
        rest
    }

    /// Returns the form, or `None` if two keys may collide. A hash collision only costs the slow path.
    fn finish(mut self) -> Option<Vec<u8>> {
        self.digests.sort_unstable();
        let mut neighbours = self.digests.windows(2);
        let clash = neighbours.any(|pair| pair[1] & LEAF == LEAF && pair[0] | LEAF == pair[1]);
        (!clash).then_some(self.written)
    }
}

/// The value of each hexadecimal digit, and 255 for other bytes.
const HEX_DIGITS: [u8; 256] = {
    let mut digits = [u8::MAX; 256];
    let mut value = 0;
    while value < 16 {
        digits[b"0123456789abcdef"[value] as usize] = value as u8;
        digits[b"0123456789ABCDEF"[value] as usize] = value as u8;
        value += 1;
    }
    digits
};

/// FNV-1a of 64 bits, since it is fast for names of a few letters.
const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;

const fn fnv1a(digest: u64, byte: u8) -> u64 {
    (digest ^ byte as u64).wrapping_mul(0x0100_0000_01b3)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &str) -> Option<String> {
        let form = strip_prefix(b"data", 1, pairs.as_bytes())?;
        Some(String::from_utf8(form).unwrap())
    }

    #[test]
    fn fast_path_strips_the_prefix_and_unescapes_brackets() {
        for (pairs, form) in [
            (
                "data[a]=1&data[b][c]=2&data[b][d]=%5B",
                "[a]=1&[b][c]=2&[b][d]=[",
            ),
            (
                "data%5Ba%5D=1&data%5Bb%5D%5Bc%5D=+&data%5Bb%5D%5Bd%5D=",
                "[a]=1&[b][c]= &[b][d]=",
            ),
            ("data[a%5D=1&data%5Bb]=2", "[a]=1&[b]=2"),
            ("&&data[a]==&&data[b]=[", "[a]==&[b]=["),
            // In another order than in a tree.
            (
                "data[a][b]=1&data[c]=2&data[a][d]=3&data[a][e][f]=4",
                "[a][b]=1&[c]=2&[a][d]=3&[a][e][f]=4",
            ),
            // Names that are prefixes of others, or whose keys go on in other brackets.
            (
                "data[a]=1&data[ab]=2&data[abc][d]=3&data[abc][de]=4&data[abcd][e]=5",
                "[a]=1&[ab]=2&[abc][d]=3&[abc][de]=4&[abcd][e]=5",
            ),
            ("data[0]=1&data[10]=2&data[x0]=3", "[0]=1&[10]=2&[x0]=3"),
        ] {
            assert_eq!(read(pairs).as_deref(), Some(form), "{pairs}");
        }
    }

    #[test]
    fn fast_path_decodes_values_except_for_what_serde_qs_would_decode_again() {
        for (value, written) in [
            ("", ""),
            ("a+%41%d0%9F", "a A\u{41f}"),
            ("%25%26%2B%2b%3D%5B", "%25%26%2B%2B=["),
            ("%2541", "%2541"),
            ("%", "%25"),
            ("100%", "100%25"),
            ("%4", "%254"),
            ("%zz%4g", "%25zz%254g"),
            ("%%41", "%25A"),
            ("5%+a", "5%25 a"),
            ("%4%31", "%2541"),
        ] {
            let form = read(&format!("data[a]={value}&data[b]={value}"));
            assert_eq!(
                form,
                Some(format!("[a]={written}&[b]={written}")),
                "{value}"
            );
        }
    }

    #[test]
    fn fast_path_leaves_colliding_keys_in_every_spelling_to_the_tree() {
        for pairs in [
            "data[a]=1&data[a]=2",
            "data[a]=1&data%5Ba%5D=2",
            "data[a]=1&data[b]=2&data[a%5D=3",
            "data[a][b]=1&data[c]=2&data[a]=3",
            "data[a]=1&data[c]=2&data%5Ba%5D[b]=3",
            "data[a][b][c]=1&data[a]=2",
            "data[a]=1&data[a][b][c]=2",
            "data[a][b]=1&data[a][c]=2&data[a][b]=3",
        ] {
            assert_eq!(read(pairs), None, "{pairs}");
        }
    }

    #[test]
    fn fast_path_leaves_other_than_canonical_keys_to_the_tree() {
        for key in [
            "data",
            "data[]",
            "data[a][]",
            "data[a",
            "data[a]b",
            "data[a]]",
            "data[[a]]",
            "data[a]%5",
            "data[%61]",
            "data%5ba%5d",
            "data[a+b]",
            "data[00]",
            "data[01]",
            "data[ a]",
            "data[\ta]",
            "data[a][ b]",
            "dat[a]",
            "ts",
            "",
        ] {
            for pairs in [format!("data[x]=1&{key}=2"), format!("{key}=1&data[x]=2")] {
                assert_eq!(read(&pairs), None, "{pairs}");
            }
            let rest = key.strip_prefix("data").unwrap_or(key);
            assert_eq!(is_canonical(rest.as_bytes(), 64), rest.is_empty(), "{key}");
        }
        for pairs in ["data[a]&data[b]=1", "data[b]=1&data[a]", "data[a]&"] {
            assert_eq!(read(pairs), None, "a pair without `=`: {pairs}");
        }
    }

    #[test]
    fn fast_path_leaves_too_deep_keys_to_the_tree() {
        assert_eq!(max_names(62), 3);
        for (deep, fits) in [(3, true), (4, false)] {
            let key = "[a]".repeat(deep);
            assert_eq!(is_canonical(key.as_bytes(), 3), fits);
            // As the first key, and after keys with more and fewer names in common.
            for before in ["", "data[b]=1&", "data[a][b]=1&", "data[a][a][b]=1&"] {
                let pairs = format!("{before}data{key}=1");
                let read = strip_prefix(b"data", 62, pairs.as_bytes());
                assert_eq!(read.is_some(), fits, "{pairs}");
            }
        }
    }

    #[test]
    fn fast_path_leaves_percent_signs_that_serde_qs_misreads_to_the_tree() {
        for (value, alike) in [
            ("", true),
            ("%", true),
            ("%4", true),
            ("100%", true),
            ("%5D%5D++", true),
            ("+%41+", true),
            ("%zz+", true),
            ("%%", false),
            ("%+", false),
            ("5%+a", false),
            ("%%5Dx", false),
            ("%5%5B", false),
            ("%5+", false),
            ("%++", false),
            ("%+aa%+aa", false),
        ] {
            assert_eq!(percent_decoding_agrees(value.as_bytes()), alike, "{value}");
            let within = format!("data[a]=b{value}&data[c]=d");
            assert_eq!(
                percent_decoding_agrees(within.as_bytes()),
                alike,
                "{within}"
            );
        }
    }
}
