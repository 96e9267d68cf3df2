//! Bracketed keys: segments, PHP's folding of names, array indices.

use std::borrow::Cow;
use std::iter::from_fn;

use memchr::memchr;
use percent_encoding::{AsciiSet, CONTROLS, percent_encode};

use super::percent::decoded_bytes;

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

    /// Returns the index after the greatest one, as PHP does: -4 after -5. PHP has none after its
    /// maximum; here it is a name.
    pub(super) fn next_index(greatest: Option<i64>) -> Self {
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

/// Returns the keys in the brackets after `data`, `None` for an empty pair. Like PHP, ignores text
/// after a closing bracket and brackets that are never closed.
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

/// Returns a decoded key with its name as PHP makes it: without leading spaces, and with underscores
/// for what a name cannot hold. A NUL stays, as it does in brackets. A key without a name stays
/// without one.
pub(super) fn root_name(key: Cow<'_, [u8]>) -> Cow<'_, [u8]> {
    let open = memchr(b'[', &key);
    let open = open.filter(|&open| memchr(b']', &key[open..]).is_some());
    let name = &key[..open.unwrap_or(key.len())];
    if !name.iter().any(|byte| matches!(byte, b' ' | b'.' | b'[')) {
        return key;
    }
    let spaces = name.iter().take_while(|&&byte| byte == b' ').count();
    let end = name.len() - spaces;
    let mut key = key[spaces..].to_vec();
    // Not folded: a bracket at the start leaves no name, even if it is never closed.
    if key.first() == Some(&b'[') {
        return Cow::Owned(key);
    }
    for byte in &mut key[..end] {
        if matches!(byte, b' ' | b'.' | b'[') {
            *byte = b'_';
        }
    }
    Cow::Owned(key)
}

/// Returns the name of a key of [`root_name`], and the keys in the brackets behind it. Returns `None`
/// for a key without a name, whose pair PHP drops.
pub(super) fn form_segments(key: &[u8]) -> Option<impl Iterator<Item = Option<&[u8]>>> {
    let open = memchr(b'[', key).unwrap_or(key.len());
    let (name, brackets) = key.split_at(open);
    if name.is_empty() {
        return None;
    }
    Some(std::iter::once(Some(name)).chain(segments(brackets)))
}

pub(super) fn php_index(key: &str) -> Option<i64> {
    let index: i64 = key.parse().ok()?;
    let digits = key.strip_prefix('-').unwrap_or(key);
    let plain = digits == "0" && key == "0" || !digits.starts_with(['0', '+']);
    plain.then_some(index)
}

/// The beginning of a key, decoded and split at the first bracket.
///
/// PHP drops leading spaces and cuts the name at NUL. serde_qs reads a name in brackets as a name.
/// A key that either of them would change is not canonical.
pub(crate) struct LooseKey {
    head: [u8; Self::MAX_LEN],
    len: usize,
    name_len: usize,
    has_brackets: bool,
    is_canonical: bool,
}

impl LooseKey {
    /// Longer than the keys of the envelope, so that the rest of a key does not matter.
    const MAX_LEN: usize = 64;

    pub(crate) fn split(key: &[u8]) -> Self {
        let mut head = [0; Self::MAX_LEN];
        let mut len = 0;
        let mut is_canonical = true;
        for byte in decoded_bytes(key) {
            if len == 0 && matches!(byte, b' ' | b'[') {
                is_canonical = false;
            } else if byte == 0 && !head[..len].contains(&b'[') {
                is_canonical = false;
                break;
            } else if len < head.len() {
                head[len] = byte;
                len += 1;
            } else {
                break;
            }
        }
        let bracket = |&byte: &u8| byte == b'[' || !is_canonical && byte == b']';
        let bracket = head[..len].iter().position(bracket);
        // PHP reads a bracket that is never closed as a part of the name.
        let bracket = bracket.filter(|_| decoded_bytes(key).any(|byte| byte == b']'));
        Self {
            head,
            len,
            name_len: bracket.unwrap_or(len),
            has_brackets: bracket.is_some(),
            is_canonical,
        }
    }

    /// Returns `true` if neither PHP nor serde_qs changes the name, except by folding.
    pub(crate) fn is_canonical(&self) -> bool {
        self.is_canonical
    }

    pub(crate) fn name(&self) -> &[u8] {
        &self.head[..self.name_len]
    }

    /// Returns the text after the first bracket, if there is one.
    pub(crate) fn brackets(&self) -> Option<&[u8]> {
        self.has_brackets
            .then(|| &self.head[self.name_len + 1..self.len])
    }
}

/// Returns `true` if PHP makes `name` of `spelled`: it replaces spaces, dots and unclosed brackets.
pub(crate) fn folds_into(spelled: &[u8], name: &[u8]) -> bool {
    let fold = |byte: &u8| match byte {
        b' ' | b'.' | b'[' => b'_',
        byte => *byte,
    };
    spelled.iter().map(fold).eq(name.iter().copied())
}

/// Returns `true` if an encoded key begins with `[]` or with digits in brackets. serde_qs makes a list
/// of a form with such keys.
pub(crate) fn is_index(key: &[u8]) -> bool {
    let mut bytes = decoded_bytes(key);
    bytes.next() == Some(b'[') && bytes.find(|byte| !byte.is_ascii_digit()) == Some(b']')
}

/// Returns the text between the first and the last bracket, if `end` is in brackets. `end` is the
/// encoded rest of a key.
#[inline]
pub(crate) fn in_brackets(end: &[u8]) -> Option<&[u8]> {
    let ([b'[', inner @ ..] | [b'%', b'5', b'B' | b'b', inner @ ..]) = end else {
        return None;
    };
    match inner {
        [inner @ .., b']'] | [inner @ .., b'%', b'5', b'D' | b'd'] => Some(inner),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loose_key_is_split_at_the_first_closed_bracket() {
        for (key, name, brackets, is_canonical) in [
            ("event", "event", None, true),
            ("auth[ts]", "auth", Some("ts]"), true),
            ("auth%5Bts%5D", "auth", Some("ts]"), true),
            ("auth[ts", "auth[ts", None, true),
            ("+event", "event", None, false),
            ("event%00x", "event", None, false),
            ("data[%00]", "data", Some("\0]"), true),
            ("[auth][ts]", "auth", Some("[ts]"), false),
        ] {
            let split = LooseKey::split(key.as_bytes());
            assert_eq!(split.name(), name.as_bytes(), "{key}");
            assert_eq!(split.brackets(), brackets.map(str::as_bytes), "{key}");
            assert_eq!(split.is_canonical(), is_canonical, "{key}");
        }
    }

    #[test]
    fn spaces_dots_and_brackets_fold_into_underscores() {
        for spelled in ["event_id", "event id", "event.id", "event[id"] {
            assert!(folds_into(spelled.as_bytes(), b"event_id"), "{spelled}");
        }
        for spelled in ["event", "event_id_", "event-id", "Event_id"] {
            assert!(!folds_into(spelled.as_bytes(), b"event_id"), "{spelled}");
        }
    }
}
