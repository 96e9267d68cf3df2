//! Deserializes a struct from a form for each of its fields.
//!
//! Optimization only, as `fast_path.rs` is: serde_qs builds its maps for each field alone, so that it reads one name
//! fewer of each key, and none of what the struct ignores.

use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, Error, MapAccess, Visitor};
use serde_qs::Error as QsError;

use super::fast_path::{Content, Forms, plain_pair};
use super::from_value::{Misfit, Node};
use super::value::Value;

/// Deserializes a struct of these fields. Returns `None` if it does not fit, or if a value is not UTF-8.
pub(super) fn read_struct<T: DeserializeOwned>(mut forms: Forms<'_>, fields: &[&str]) -> Option<T> {
    forms.sort(fields);
    let fields = Fields {
        parts: forms.iter(),
        content: None,
    };
    T::deserialize(MapAccessDeserializer::new(fields)).ok()
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

struct Fields<'a, I> {
    parts: I,
    /// The content of the part whose name was read.
    content: Option<Content<'a>>,
}

impl<'de, I> MapAccess<'de> for Fields<'de, I>
where
    I: Iterator<Item = (&'de [u8], Content<'de>)>,
{
    type Error = Misfit;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Misfit> {
        let Some((name, content)) = self.parts.next() else {
            return Ok(None);
        };
        self.content = Some(content);
        seed.deserialize(Node::of_utf8(name)?).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Misfit> {
        let field = match self.content.take() {
            Some(Content::Text(text)) => Field::Node(Node::of_utf8(text)?),
            Some(Content::Form(form)) => match plain_pair(form) {
                Some((name, text)) => Field::Node(Node::Pair(name, text)),
                None => Field::Form(form),
            },
            None => {
                return Err(Misfit::custom(
                    "the name of a field must be read before its value",
                ));
            }
        };
        seed.deserialize(field)
    }
}

#[derive(Clone, Copy)]
enum Field<'a> {
    Node(Node<'a>),
    Form(&'a [u8]),
}

macro_rules! deserialize {
    ($($method:ident($($name:ident: $type:ty),*))*) => {$(
        fn $method<V: Visitor<'de>>(self, $($name: $type,)* visitor: V) -> Result<V::Value, Misfit> {
            match self {
                Self::Node(node) => node.$method($($name,)* visitor),
                Self::Form(form) => {
                    let read = parse(form, false).and_then(|form| form.$method($($name,)* visitor));
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
        deserialize_option()
        deserialize_unit()
        deserialize_unit_struct(name: &'static str)
        deserialize_newtype_struct(name: &'static str)
        deserialize_seq()
        deserialize_tuple(len: usize)
        deserialize_tuple_struct(name: &'static str, len: usize)
        deserialize_map()
        deserialize_struct(name: &'static str, fields: &'static [&'static str])
        deserialize_enum(name: &'static str, variants: &'static [&'static str])
        deserialize_identifier()
    }
}
