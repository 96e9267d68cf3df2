//! Fast path: keys that serde_qs and PHP read alike, written so that serde_qs reads them quickly, a form for
//! each field of a struct, and single pairs that need no map.
//!
//! Optimization only: deleting this file, `parts.rs`, `split.rs`, `Node::Pair` and the calls in `de.rs` changes no
//! result. The tests `fast_path_and_tree_give_the_same_type`, `any_field_in_parts_gives_the_same_type_as_the_tree`,
//! `plain_pair_gives_the_same_type_as_the_tree` and `only_id_is_that_of_the_tree` of `de.rs` prove it.

#[cfg(test)]
mod tests;

use std::ops::Range;

use memchr::{memchr, memchr3};

use super::pairs::pairs;
use super::split::{Kind, Part};
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

/// Returns the id of pairs that are nothing but `data[FIELDS][ID]=27`, as those of most events are.
pub(super) fn only_id(pairs: &[u8]) -> Option<u64> {
    /// Any number of so many digits fits.
    const MAX_DIGITS: usize = u64::MAX.ilog10() as usize;

    let encoded = pairs.strip_prefix(b"data%5BFIELDS%5D%5BID%5D=");
    let digits = match encoded {
        Some(digits) => digits,
        None => pairs.strip_prefix(b"data[FIELDS][ID]=")?,
    };
    if digits.is_empty() || digits.len() > MAX_DIGITS {
        return None;
    }
    let mut id = 0;
    for digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        id = 10 * id + u64::from(digit - b'0');
    }
    Some(id)
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
        match next_segment(key, NO_DIGEST) {
            Some((.., behind)) => key = behind,
            None => return false,
        }
    }
    key.is_empty()
}

/// Returns the first name in the pairs of `data`, if its key is canonical so far.
pub(super) fn first_name(data: &[u8]) -> Option<&[u8]> {
    let key = pairs(data).next()?.key.strip_prefix(b"data")?;
    next_segment(key, NO_DIGEST).map(|(name, ..)| name)
}

/// Returns the pairs with `prefix` stripped from their keys, without escaped brackets, and with values
/// decoded as far as serde_qs reads the decoded bytes unchanged. `levels` is the number of arrays that
/// `prefix` takes in the tree.
///
/// Returns `None` if a key has another prefix, is not [canonical](is_canonical) or too deep,
/// appears twice, or has both a value and keys beneath it. Also if there may be more arrays than
/// are read.
pub(super) fn strip_prefix(prefix: &[u8], levels: usize, pairs: &[u8]) -> Option<Vec<u8>> {
    let form = rewrite(KeyRewriter::new(levels, pairs.len()), prefix, pairs)?;
    Some(form.written)
}

/// Returns the same, with the pairs under each first name in a form of their own, without that name.
///
/// Returns `None` also if the pairs under a name do not stand together, or if a name or a value is not UTF-8.
pub(super) fn split<'a>(prefix: &[u8], levels: usize, pairs: &'a [u8]) -> Option<Forms<'a>> {
    let form = rewrite(KeyRewriter::splitting(levels, pairs.len()), prefix, pairs)?;
    let (written, mut parts) = (String::from_utf8(form.written).ok()?, form.parts?);
    parts.last_mut()?.end = written.len();
    Some(Forms { written, parts })
}

/// The forms that [`split`] returns.
pub(super) struct Forms<'a> {
    pub(super) written: String,
    /// Their ranges are of `written`.
    pub(super) parts: Vec<Part<'a>>,
}

fn rewrite<'a>(
    mut form: KeyRewriter<'a>,
    prefix: &[u8],
    mut pairs: &'a [u8],
) -> Option<KeyRewriter<'a>> {
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
    form.has_no_clash().then_some(form)
}

/// Returns the name in the brackets at the start of `key`, its digest continued from `digest`, and the
/// rest of the key. Returns `None` if there is no bracket, or if the name is escaped, empty, or padded
/// with zeros or white space.
fn next_segment(key: &[u8], digest: u64) -> Option<(&[u8], u64, &[u8])> {
    let ([b'[', inner @ ..] | [b'%', b'5', b'B', inner @ ..]) = key else {
        return None;
    };
    let end = inner.iter().position(|&byte| ENDS_NAME[byte as usize]);
    let (name, close) = inner.split_at(end?);
    let ([b']', behind @ ..] | [b'%', b'5', b'D', behind @ ..]) = close else {
        return None;
    };
    let is_odd = matches!(
        name,
        [] | [b'0', b'0'..=b'9', ..] | [b' ' | b'\t'..=b'\r', ..]
    );
    (!is_odd).then(|| (name, mix(digest, name), behind))
}

struct KeyRewriter<'a> {
    /// The maximum number of names in a key.
    depth: usize,
    /// The number of arrays that may still follow.
    arrays: usize,
    written: Vec<u8>,
    parent: Parent<'a>,
    /// The digests of all keys, with a [mark](MARK).
    digests: Vec<u64>,
    /// `None` if the form is not split.
    parts: Option<Vec<Part<'a>>>,
}

/// The previous key without its last name: most keys start with it.
struct Parent<'a> {
    key: &'a [u8],
    depth: usize,
    /// Its range in `KeyRewriter::written`.
    written: Range<usize>,
    digest: u64,
}

impl Parent<'_> {
    const NONE: Self = Self {
        key: &[],
        depth: 0,
        written: 0..0,
        digest: NO_DIGEST,
    };
}

/// The bits of a digest that say what kind of key it is of: one with a value, the first name of a form of
/// its own, or another key with keys beneath it. Only the last may appear several times.
const MARK: u64 = LEAF | PART;
const LEAF: u64 = 1;
const PART: u64 = 2;

impl<'a> KeyRewriter<'a> {
    fn new(levels: usize, bytes: usize) -> Self {
        Self {
            depth: max_names(levels),
            arrays: Value::max_arrays(bytes) - levels,
            written: Vec::with_capacity(bytes),
            parent: Parent::NONE,
            digests: Vec::with_capacity(128),
            parts: None,
        }
    }

    fn splitting(levels: usize, bytes: usize) -> Self {
        Self {
            parts: Some(Vec::with_capacity(16)),
            ..Self::new(levels, bytes)
        }
    }

    /// Writes the key at the start of `pair` and returns the rest.
    fn write_key(&mut self, pair: &'a [u8]) -> Option<&'a [u8]> {
        let mut depth = 0;
        let mut digest = NO_DIGEST;
        let mut rest = pair;
        let parent = pair.strip_prefix(self.parent.key);
        if let (true, Some(parts)) = (parent.is_none() || self.parent.depth == 0, &mut self.parts) {
            let (name, with_name, behind) = next_segment(pair, NO_DIGEST)?;
            let is_text = !matches!(behind, [b'[' | b'%', ..]);
            let is_new = parts
                .last()
                .is_none_or(|part| part.kind == Kind::Text || part.name.as_bytes() != name);
            if is_new || is_text {
                let mark = if is_text { LEAF } else { PART };
                self.digests.push(with_name & !MARK | mark);
                let start = self.written.len();
                if let Some(last) = parts.last_mut() {
                    last.end = start;
                }
                let kind = if is_text { Kind::Text } else { Kind::Form };
                let name = std::str::from_utf8(name).ok()?;
                parts.push(Part::new(name, start..start, kind));
                self.parent = Parent::NONE;
                self.arrays = self.arrays.checked_sub(usize::from(!is_text))?;
            } else {
                self.written.push(b'&');
            }
            if is_text {
                return Some(behind);
            }
            (depth, digest, rest) = (1, with_name, behind);
        } else if !self.written.is_empty() {
            self.written.push(b'&');
        }
        let start = self.written.len();
        if let (0, Some(behind)) = (depth, parent) {
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
                self.digests.push(digest & !MARK | LEAF);
                return Some(rest);
            }
            // An array is counted again if other keys came in between.
            self.arrays = self.arrays.checked_sub(1)?;
            self.digests.push(digest & !MARK);
        }
        None
    }

    /// Writes the value at the start of `rest` and returns what follows it.
    fn write_value(&mut self, rest: &'a [u8]) -> &'a [u8] {
        let part = self.parts.as_ref().and_then(|parts| parts.last());
        if part.is_some_and(|part| part.kind == Kind::Text) {
            return self.write_decoded::<true>(rest);
        }
        self.written.push(b'=');
        self.write_decoded::<false>(rest)
    }

    /// Decodes the value at the start of `rest`, except for what serde_qs would decode again in a form.
    #[inline]
    fn write_decoded<const IS_TEXT: bool>(&mut self, mut rest: &'a [u8]) -> &'a [u8] {
        loop {
            match *rest {
                [] | [b'&', ..] => return rest,
                [b'+', ref behind @ ..] => {
                    self.written.push(b' ');
                    rest = behind;
                }
                [b'%', ..] => rest = self.write_escapes::<IS_TEXT>(rest),
                _ => {
                    let end = memchr3(b'&', b'%', b'+', rest).unwrap_or(rest.len());
                    let (run, behind) = rest.split_at(end);
                    self.written.extend_from_slice(run);
                    rest = behind;
                }
            }
        }
    }

    /// Writes the bytes whose escapes are at the start of `rest`, or a percent sign that starts none.
    fn write_escapes<const IS_TEXT: bool>(&mut self, rest: &'a [u8]) -> &'a [u8] {
        let mut run = [0; ESCAPES];
        let mut len = 0;
        for (escape, byte) in rest.chunks_exact(3).zip(&mut run) {
            match decode_escape(escape) {
                Some(b'%' | b'&' | b'+') if !IS_TEXT => break,
                Some(decoded) => *byte = decoded,
                None => break,
            }
            len += 1;
        }
        match run[..len] {
            [] => return self.write_first::<IS_TEXT>(rest),
            // A call of memcpy would take longer.
            [byte] => self.written.push(byte),
            ref run => self.written.extend_from_slice(run),
        }
        &rest[3 * len..]
    }

    fn write_first<const IS_TEXT: bool>(&mut self, rest: &'a [u8]) -> &'a [u8] {
        let (byte, len) = match rest.get(..3).and_then(decode_escape) {
            Some(byte) => (byte, 3),
            None => (b'%', 1),
        };
        self.write_byte::<IS_TEXT>(byte);
        &rest[len..]
    }

    #[inline]
    fn write_byte<const IS_TEXT: bool>(&mut self, byte: u8) {
        match byte {
            b'%' if !IS_TEXT => self.written.extend_from_slice(b"%25"),
            b'&' if !IS_TEXT => self.written.extend_from_slice(b"%26"),
            b'+' if !IS_TEXT => self.written.extend_from_slice(b"%2B"),
            byte => self.written.push(byte),
        }
    }

    /// Returns `false` if two keys may collide. A hash collision only costs the slow path.
    fn has_no_clash(&mut self) -> bool {
        self.digests.sort_unstable();
        let mut neighbours = self.digests.windows(2);
        !neighbours.any(|pair| pair[0] | MARK == pair[1] | MARK && pair[1] & MARK != 0)
    }
}

/// As many escapes in a row are decoded at once.
const ESCAPES: usize = 64;

/// Returns the byte whose escape the text is.
#[inline]
fn decode_escape(text: &[u8]) -> Option<u8> {
    let &[b'%', high, low] = text else {
        return None;
    };
    let (high, low) = (HEX_DIGITS[usize::from(high)], HEX_DIGITS[usize::from(low)]);
    ((high | low) < 16).then_some((high << 4) | low)
}

/// Decodes what [`KeyRewriter::write_byte`] encodes. A form that is rewritten has no other escapes.
pub(super) fn unescape(mut text: &str) -> String {
    let mut decoded = String::with_capacity(text.len());
    while let Some(at) = memchr(b'%', text.as_bytes()) {
        let (run, escape) = text.split_at(at);
        decoded.push_str(run);
        decoded.push(match escape.get(..3) {
            Some("%26") => '&',
            Some("%2B") => '+',
            _ => '%',
        });
        text = escape.get(3..).unwrap_or_default();
    }
    decoded.push_str(text);
    decoded
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

/// The bytes that end a name in brackets, or have no place in it.
const ENDS_NAME: [bool; 256] = {
    let mut ends = [false; 256];
    let mut at = 0;
    while at < 6 {
        ends[b"%&+=[]"[at] as usize] = true;
        at += 1;
    }
    ends
};

const NO_DIGEST: u64 = 0;

/// Returns the digest of a key from that of the key above it and its last name. Collisions only cost the
/// slow path, so it takes eight bytes at a time.
#[inline]
fn mix(digest: u64, name: &[u8]) -> u64 {
    let step = |digest: u64, bytes: u64| {
        let product = (digest ^ bytes).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        product ^ (product >> 32)
    };
    let mut chunks = name.chunks_exact(8);
    let mut digest = step(digest, name.len() as u64);
    for chunk in &mut chunks {
        let chunk = chunk.try_into().expect("a chunk has eight bytes");
        digest = step(digest, u64::from_le_bytes(chunk));
    }
    let rest = chunks.remainder().iter();
    step(
        digest,
        rest.fold(0, |bytes, &byte| bytes << 8 | u64::from(byte)),
    )
}
