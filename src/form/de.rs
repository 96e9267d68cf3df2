//! Deserializes pairs into a type.

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::sync::OnceLock;

use memchr::memchr2_iter;
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use super::fast_path::{self, Forms};
use super::from_value::{read_pair, read_value};
use super::mismatch::Mismatch;
use super::pairs::{Pair, pairs as form_pairs};
use super::parts;
use super::shape;
use super::tree::{self, TooManyArrays};
use super::value::Value;

/// The tree of `data`, built on first use: by the slow path, by [`Event::data`](crate::Event::data), or
/// for a type of the application.
pub(crate) type LazyTree = OnceLock<Result<Option<Value>, TooManyArrays>>;

/// The pairs of `data`, still encoded, and their tree.
pub(crate) struct FormReader<'a> {
    /// `None` for a body without `data`, which reads as a type without required fields.
    pairs: Option<Cow<'a, [u8]>>,
    tree: &'a LazyTree,
}

/// Data with `FIELDS`. Not generic: each type that is deserialized costs the build some time.
#[derive(Deserialize)]
struct Fields {
    #[serde(rename = "FIELDS")]
    _fields: IgnoredAny,
}

#[derive(Clone, Copy)]
enum Place {
    Data,
    Fields,
}

impl<'a> FormReader<'a> {
    pub(crate) const fn new(pairs: Option<Cow<'a, [u8]>>, tree: &'a LazyTree) -> Self {
        Self { pairs, tree }
    }

    /// Data with a tree of their own.
    #[cfg(test)]
    pub(crate) fn alone(pairs: Option<Cow<'a, [u8]>>) -> Self {
        Self::new(pairs, Box::leak(Box::default()))
    }

    /// Returns the tree, `None` for a body without `data`.
    pub(crate) fn tree(&self) -> Result<Option<&'a Value>, Mismatch> {
        let read = || self.pairs.as_deref().map_or(Ok(None), tree::read);
        match self.tree.get_or_init(read) {
            Ok(tree) => Ok(tree.as_ref()),
            Err(TooManyArrays) => Err(Mismatch::too_many_arrays()),
        }
    }

    /// Returns why the tree cannot be read, if it cannot. Builds it only if there may be too many arrays.
    pub(crate) fn unreadable(&self) -> Option<Mismatch> {
        let data = self.pairs.as_deref()?;
        if brackets(data).sum::<usize>() <= Value::max_arrays(data.len()) {
            return None;
        }
        self.tree().err()
    }

    pub(crate) fn data<T: DeserializeOwned>(&self) -> Result<T, Mismatch> {
        self.read(Place::Data)
    }

    pub(crate) fn fields<T: DeserializeOwned>(&self) -> Result<T, Mismatch> {
        self.read(Place::Fields)
    }

    /// Fast path: returns the id if the data are nothing but `FIELDS` with a plain `ID`.
    pub(crate) fn only_id(&self) -> Option<u64> {
        fast_path::only_id(self.pairs.as_deref()?)
    }

    fn read<T: DeserializeOwned>(&self, place: Place) -> Result<T, Mismatch> {
        match self.read_fast(place) {
            Some(value) => Ok(value),
            None => self.read_from_tree(place),
        }
    }

    /// Reads the payload with `documented`, or from an undocumented place: the platform does not always
    /// send what is documented. `has_id` returns `true` if a payload has the id of its subject.
    pub(crate) fn payload<T: DeserializeOwned>(
        &self,
        documented: impl Fn(&Self) -> Result<T, Mismatch>,
        in_fields: bool,
        has_id: Option<fn(&T) -> bool>,
    ) -> Result<T, Mismatch> {
        let read = documented(self);
        let is_whole = match (&read, has_id) {
            (Ok(payload), Some(has_id)) => has_id(payload),
            (Ok(_), None) => in_fields || !self.is_wrapped(),
            (Err(_), _) => false,
        };
        if is_whole {
            return read;
        }
        match self.elsewhere(in_fields, has_id, read.is_err()) {
            Some(payload) => Ok(payload),
            None => read,
        }
    }

    /// Returns `true` if the data may be wrapped in an undocumented key, `FIELDS` or the first index.
    /// Called after the data are read: without a tree they were read from keys that are canonical.
    fn is_wrapped(&self) -> bool {
        const WRAPPERS: [&str; 2] = ["FIELDS", "0"];

        if let Some(tree) = self.tree.get() {
            let data = tree.as_ref().ok().and_then(Option::as_ref);
            let first = data.and_then(|data| data.as_array()?.iter().next());
            return first.is_some_and(|(name, _)| WRAPPERS.contains(&name));
        }
        let name = self.pairs.as_deref().and_then(fast_path::first_name);
        name.is_some_and(|name| WRAPPERS.iter().any(|wrapper| wrapper.as_bytes() == name))
    }

    /// Reads the payload from an undocumented place.
    #[cold]
    fn elsewhere<T: DeserializeOwned>(
        &self,
        in_fields: bool,
        has_id: Option<fn(&T) -> bool>,
        misfits: bool,
    ) -> Option<T> {
        let tree = self.tree().ok()??;
        let with_nested_ids = misfits || has_id.is_some();
        for data in shape::reshaped(tree, shape::fields_of::<T>(), in_fields, with_nested_ids) {
            match read_value(&data, "data") {
                Ok(payload) if has_id.is_none_or(|has_id| has_id(&payload)) => {
                    return Some(payload);
                }
                _ => {}
            }
        }
        None
    }

    /// Fast path: reads what the platform sends.
    #[inline]
    fn read_fast<T: DeserializeOwned>(&self, place: Place) -> Option<T> {
        match self.plain_pair(place) {
            Some((name, text)) => read_pair(name, text),
            None => self.read_forms(place),
        }
    }

    /// Returns the only pair, if it needs no decoding.
    fn plain_pair(&self, place: Place) -> Option<(&str, &str)> {
        let pair = self.pairs.as_deref()?;
        let mut places = place.spellings().iter();
        places.find_map(|place| fast_path::plain_pair(pair.strip_prefix(*place)?))
    }

    // Kept apart, so that the code for a single pair lies close together.
    #[inline(never)]
    fn read_forms<T: DeserializeOwned>(&self, place: Place) -> Option<T> {
        let pairs = self.prefixed(place.spellings())?;
        let fields = shape::fields_of::<T>();
        if !fields.is_empty() {
            return parts::read_struct(pairs.split()?, fields);
        }
        let form = pairs.strip_prefix()?;
        T::deserialize(parts::parse(&form, matches!(form, Cow::Borrowed(_))).ok()?).ok()
    }

    /// Returns the pairs if the first key has the place as its prefix.
    fn prefixed(&self, places: &[&'static [u8]]) -> Option<PrefixedPairs<'_>> {
        let pairs = self.pairs.as_deref().unwrap_or(NOTHING);
        let first = form_pairs(pairs).next()?;
        let place = places.iter().find(|place| first.key.starts_with(place))?;
        Some(PrefixedPairs {
            pairs,
            first,
            place,
        })
    }

    /// Slow path: builds the tree PHP would and deserializes from it.
    #[cold]
    fn read_from_tree<T: DeserializeOwned>(&self, place: Place) -> Result<T, Mismatch> {
        let (value, root) = self.find(place)?;
        read_value(value, root)
    }

    /// Returns the value of the place, and its path.
    fn find(&self, place: Place) -> Result<(&'a Value, &'static str), Mismatch> {
        static EMPTY: Value = Value::Text(String::new());

        let data = self.tree()?.unwrap_or(&EMPTY);
        match (place, data.get("FIELDS")) {
            (Place::Data, _) => Ok((data, "data")),
            (Place::Fields, Some(fields)) => Ok((fields, "data.FIELDS")),
            (Place::Fields, None) => Err(without_fields(data)),
        }
    }
}

/// Pairs, the first of which has a place as its key's prefix. The prefix is stripped from all keys, since
/// serde_qs builds less for keys with fewer levels.
struct PrefixedPairs<'a> {
    pairs: &'a [u8],
    first: Pair<'a>,
    place: &'static [u8],
}

impl<'a> PrefixedPairs<'a> {
    /// `FIELDS` is one of the levels that the tree counts.
    fn levels(&self) -> usize {
        if self.place == b"data" { 1 } else { 2 }
    }

    /// Returns `None` if a key has another prefix, or if serde_qs would read the keys otherwise
    /// than PHP. An owned form has no escaped brackets, so that serde_qs need not look for them, and
    /// decoded values.
    fn strip_prefix(&self) -> Option<Cow<'a, [u8]>> {
        let Self {
            pairs,
            first,
            place,
        } = self;
        if first.end == pairs.len() {
            let key = &first.key[place.len()..];
            let agrees = first.has_equals()
                && fast_path::is_canonical(key, fast_path::max_names(self.levels()))
                && fast_path::percent_decoding_agrees(first.value);
            return agrees.then(|| Cow::Borrowed(&pairs[first.start + place.len()..]));
        }
        fast_path::strip_prefix(place, self.levels(), pairs).map(Cow::Owned)
    }

    /// Returns a form for each name, or `None` as [`strip_prefix`](Self::strip_prefix) does.
    fn split(&self) -> Option<Forms<'a>> {
        fast_path::split(self.place, self.levels(), self.pairs)
    }
}

/// Returns the number of opening brackets in each key of a form, every one of which may make an array.
fn brackets(form: &[u8]) -> impl Iterator<Item = usize> {
    let opens = |key: &[u8], at: usize| match key[at..] {
        [b'%', ref escape @ ..] => matches!(escape, [b'5', b'B' | b'b', ..]),
        _ => true,
    };
    form_pairs(form).map(move |pair| {
        let found = memchr2_iter(b'[', b'%', pair.key);
        found.filter(|&at| opens(pair.key, at)).count()
    })
}

/// Returns the maximum number of arrays in the `data` of a form. The first brackets of all keys are of
/// one array.
#[cfg(feature = "background")]
pub(crate) fn max_arrays(form: &[u8]) -> usize {
    let nested = brackets(form).map(|brackets| brackets.saturating_sub(1));
    (1 + nested.sum::<usize>()).min(Value::max_arrays(form.len()))
}

/// Returns why data without `FIELDS` have no fields.
#[cold]
fn without_fields(data: &Value) -> Mismatch {
    match read_value::<Fields>(data, "data") {
        Ok(Fields { .. }) => Mismatch::unfit("data", "missing field `FIELDS`"),
        Err(mismatch) => mismatch,
    }
}

pub(crate) fn read_form(form: &[u8]) -> Result<Value, Mismatch> {
    match tree::read_form(form) {
        Ok(tree) => Ok(tree.unwrap_or_else(|| Value::from_entries(Vec::new()))),
        Err(TooManyArrays) => Err(Mismatch::too_many_arrays()),
    }
}

/// A body without `data` reads as this.
const NOTHING: &[u8] = b"data=";

impl Place {
    const fn spellings(self) -> &'static [&'static [u8]] {
        match self {
            Self::Data => &[b"data"],
            Self::Fields => &[b"data%5BFIELDS%5D", b"data[FIELDS]"],
        }
    }
}
