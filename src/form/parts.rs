//! Deserializes a struct from a form for each of its fields, and a field that is an object from its parts.
//!
//! Optimization only, as `fast_path.rs` is: serde_qs builds its maps only for arrays in the objects of a struct, and
//! for fields that are no objects.

use std::fmt;
use std::vec;

use serde::de::value::MapAccessDeserializer;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Visitor,
};
use serde_qs::Error as QsError;

use super::fast_path::{Forms, plain_pair, unescape};
use super::from_value::{Key, Misfit, Node};
use super::split::{Kind, Part, sort, split_sorted};
use super::value::Value;

/// Deserializes a struct of these fields. Returns `None` if it does not fit.
pub(super) fn read_struct<T: DeserializeOwned>(forms: Forms<'_>, fields: &[&str]) -> Option<T> {
    let Forms { written, mut parts } = forms;
    sort(&mut parts, fields);
    let entries = Entries::new(&written, parts);
    T::deserialize(MapAccessDeserializer::new(entries)).ok()
}

/// Returns the deserializer of a form that is [rewritten](super::fast_path::strip_prefix), or of a single
/// pair.
pub(super) fn parse(
    form: &[u8],
    has_escaped_brackets: bool,
) -> Result<serde_qs::Deserializer<'_>, QsError> {
    let config = serde_qs::Config::new()
        .max_depth(Value::MAX_DEPTH + 1)
        .use_form_encoding(has_escaped_brackets);
    serde_qs::Deserializer::with_config(config, form)
}

struct Entries<'a> {
    form: &'a str,
    parts: vec::IntoIter<Part<'a>>,
    /// The part whose name was read.
    current: Option<Part<'a>>,
}

impl<'a> Entries<'a> {
    fn new(form: &'a str, parts: Vec<Part<'a>>) -> Self {
        Self {
            form,
            parts: parts.into_iter(),
            current: None,
        }
    }

    fn of_form(form: &'a str, fields: &[&str]) -> Option<Self> {
        Some(Self::new(form, split_sorted(form, fields)?))
    }
}

impl<'de> MapAccess<'de> for Entries<'de> {
    type Error = Misfit;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Misfit> {
        self.current = self.parts.next();
        match &self.current {
            Some(part) => seed.deserialize(Key(part.name)).map(Some),
            None => Ok(None),
        }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Misfit> {
        let Some(part) = self.current.take() else {
            return Err(Misfit::custom(
                "the name of a field must be read before its value",
            ));
        };
        let written = &self.form[part.start..part.end];
        let field = match part.kind {
            Kind::Text => Field::Node(Node::of_text(written)),
            Kind::EscapedText => Field::Text(unescape(written)),
            Kind::Form => match plain_pair(written.as_bytes()) {
                Some((name, text)) => Field::Node(Node::Pair(name, text)),
                None => Field::Form(written),
            },
            Kind::NamedForm => {
                let form = parse(written.as_bytes(), false);
                let read = form.and_then(|form| form.deserialize_map(OnlyValue(seed)));
                return read.map_err(Misfit::custom);
            }
        };
        seed.deserialize(field)
    }
}

/// Deserializes the value of a map with a single key.
struct OnlyValue<S>(S);

impl<'de, S: DeserializeSeed<'de>> Visitor<'de> for OnlyValue<S> {
    type Value = S::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map with a single key")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<S::Value, A::Error> {
        entries.next_key::<IgnoredAny>()?;
        entries.next_value_seed(self.0)
    }
}

enum Field<'a> {
    Node(Node<'a>),
    /// A string that is not empty.
    Text(String),
    Form(&'a str),
}

/// `=> object` reads a form as one, with the fields of a struct first.
macro_rules! deserialize {
    ($($method:ident($($name:ident: $type:ty),*) $(=> object($fields:expr))?)*) => {$(
        fn $method<V: Visitor<'de>>(self, $($name: $type,)* visitor: V) -> Result<V::Value, Misfit> {
            match self {
                Self::Node(node) => node.$method($($name,)* visitor),
                Self::Text(text) => Node::Text(&text).$method($($name,)* visitor),
                Self::Form(form) => {
                    $(
                        if let Some(entries) = Entries::of_form(form, $fields) {
                            return visitor.visit_map(entries);
                        }
                    )?
                    let read = parse(form.as_bytes(), false).and_then(|form| form.$method($($name,)* visitor));
                    read.map_err(Misfit::custom)
                }
            }
        }
    )*};
}

impl<'de> Deserializer<'de> for Field<'de> {
    type Error = Misfit;

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_unit()
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match self {
            Self::Node(node) => node.deserialize_option(visitor),
            Self::Text(_) | Self::Form(_) => visitor.visit_some(self),
        }
    }

    deserialize! {
        deserialize_any()
        deserialize_bool()
        deserialize_i8()
        deserialize_i16()
        deserialize_i32()
        deserialize_i64()
        deserialize_u8()
        deserialize_u16()
        deserialize_u32()
        deserialize_u64()
        deserialize_f32()
        deserialize_f64()
        deserialize_char()
        deserialize_str()
        deserialize_string()
        deserialize_bytes()
        deserialize_byte_buf()
        deserialize_unit()
        deserialize_unit_struct(name: &'static str)
        deserialize_newtype_struct(name: &'static str)
        deserialize_seq()
        deserialize_tuple(len: usize)
        deserialize_tuple_struct(name: &'static str, len: usize)
        deserialize_map() => object(&[])
        deserialize_struct(name: &'static str, fields: &'static [&'static str]) => object(fields)
        deserialize_enum(name: &'static str, variants: &'static [&'static str])
        deserialize_identifier()
    }
}
