//! The parts of a form: what stands under each first name.
//!
//! Optimization only, as `fast_path.rs` is.

#[cfg(test)]
mod tests;

use std::ops::Range;

use memchr::{memchr, memchr_iter, memchr2};

use super::key::php_index;
use super::near::find;
use super::pairs::end_of_value;

pub(super) struct Part<'a> {
    pub(super) name: &'a str,
    /// Its range in the form.
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) kind: Kind,
    /// Its place among the parts, `u64::MAX` if it depends on the name alone.
    place: u64,
}

impl<'a> Part<'a> {
    pub(super) fn new(name: &'a str, range: Range<usize>, kind: Kind) -> Self {
        Self {
            name,
            start: range.start,
            end: range.end,
            kind,
            place: u64::MAX,
        }
    }

    fn key(&self) -> (u64, &'a str) {
        (self.place, self.name)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A decoded value.
    Text,
    /// A value with [escapes](super::fast_path::unescape).
    EscapedText,
    /// Pairs, without the name.
    Form,
    /// Several pairs, each of which has the name in front.
    NamedForm,
}

/// More are rarely in one array.
const MANY_PARTS: usize = 64;

/// Splits a form that is [rewritten](super::fast_path::strip_prefix) and not split yet.
///
/// Returns `None` if there are no names, or if the pairs under one do not stand together.
pub(super) fn split_sorted<'a>(form: &'a str, fields: &[&str]) -> Option<Vec<Part<'a>>> {
    let bytes = form.as_bytes();
    let pairs = 1 + memchr_iter(b'&', bytes).count();
    let mut parts = Vec::with_capacity(pairs.min(MANY_PARTS));
    let mut start = 0;
    while let Some([b'[', named @ ..]) = bytes.get(start..) {
        let name_len = find(named, [b']'], |text| memchr(b']', text));
        let name = &form[start + 1..][..name_len];
        let after_name = start + name_len + "[]".len();
        let (range, kind) = match bytes.get(after_name..) {
            Some([b'=', text @ ..]) => {
                let (len, kind) = measure_text(text);
                (after_name + 1..after_name + 1 + len, kind)
            }
            _ => measure_form(bytes, start, after_name),
        };
        start = range.end + "&".len();
        parts.push(Part::new(name, range, kind));
    }
    sort(&mut parts, fields);
    let mut neighbours = parts.windows(2);
    let stand_together = !neighbours.any(|pair| pair[0].key() == pair[1].key());
    (stand_together && !parts.is_empty()).then_some(parts)
}

/// Returns the length of the value at the start of `text`.
#[inline]
fn measure_text(text: &[u8]) -> (usize, Kind) {
    let end = find(text, [b'&', b'%'], |text| memchr2(b'&', b'%', text));
    match text.get(end..) {
        Some([b'%', escaped @ ..]) => (end + 1 + end_of_value(escaped), Kind::EscapedText),
        _ => (end, Kind::Text),
    }
}

/// Returns the range of all pairs from `start` on that have the same name as the first.
fn measure_form(form: &[u8], start: usize, after_name: usize) -> (Range<usize>, Kind) {
    let prefix = &form[start..after_name];
    let first_end = after_name + end_of_value(&form[after_name..]);
    let mut end = first_end;
    while let Some([b'&', next @ ..]) = form.get(end..) {
        let Some(behind) = next.strip_prefix(prefix) else {
            break;
        };
        end = form.len() - behind.len() + end_of_value(behind);
    }
    if end == first_end {
        (after_name..end, Kind::Form)
    } else {
        (start..end, Kind::NamedForm)
    }
}

/// Sorts the parts as the tree's are read: the fields of a struct, then indices, then names.
pub(super) fn sort(parts: &mut [Part<'_>], fields: &[&str]) {
    let mut next = 0;
    let mut is_sorted = true;
    let mut last = (0, "");
    for part in parts.iter_mut() {
        // Most follow in the order of the fields, so that the search ends soon.
        let (behind, ahead) = fields.split_at(next);
        let is_name = |field: &&str| *field == part.name;
        let following = ahead.iter().position(is_name).map(|at| next + at);
        part.place = match following.or_else(|| behind.iter().position(is_name)) {
            Some(field) => {
                next = field + 1;
                field as u64
            }
            None => {
                index(part.name).map_or(u64::MAX, |index| fields.len() as u64 + u64::from(index))
            }
        };
        is_sorted &= last <= part.key();
        last = part.key();
    }
    if !is_sorted {
        parts.sort_unstable_by_key(Part::key);
    }
}

/// Returns the index that a name is to serde_qs.
fn index(name: &str) -> Option<u32> {
    if !name.starts_with(|first: char| first.is_ascii_digit()) {
        return None;
    }
    php_index(name).and_then(|index| index.try_into().ok())
}
