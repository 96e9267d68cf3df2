//! Deserializes a `Value` as serde_qs deserializes the form that it was read from.
//!
//! Each payload type compiles this code anew. What does not depend on the type is in functions that are
//! not generic.

/// Reads what the type asks for, or passes the string on, so that the type says what it expects.
macro_rules! parse {
    ($($method:ident => $visit:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
            match self.parse() {
                Some(parsed) => visitor.$visit(parsed),
                None => self.deserialize_any(visitor),
            }
        }
    )*};
}

mod access;
mod misfit;
#[cfg(test)]
pub(crate) mod tests;

use std::borrow::Cow;
use std::str::FromStr;

use serde::de::{DeserializeOwned, Deserializer, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;

pub(super) use self::access::Key;
use self::access::{Elements, Entries, is_list};
pub(super) use self::misfit::Misfit;
use super::mismatch::Mismatch;
use super::value::{Array, Value};

/// Deserializes a value that stands under `root` in its form.
pub(crate) fn read_value<T: DeserializeOwned>(value: &Value, root: &str) -> Result<T, Mismatch> {
    match T::deserialize(Node::new(value)) {
        Ok(read) => Ok(read),
        Err(misfit) => Err(misfit.into_mismatch(value, root)),
    }
}

/// Deserializes an array of one string that is not empty, under a name.
pub(super) fn read_pair<T: DeserializeOwned>(name: &str, text: &str) -> Option<T> {
    T::deserialize(Node::Pair(name, text)).ok()
}

#[derive(Clone, Copy)]
pub(super) enum Node<'a> {
    /// An empty string inside an option.
    Nothing,
    /// An empty string, or an array without entries, which a form cannot have.
    Empty,
    Text(&'a str),
    Bytes(&'a [u8]),
    Array(&'a Array),
    /// An array of one string that is not empty, under a name.
    Pair(&'a str, &'a str),
}

impl<'a> Node<'a> {
    fn new(value: &'a Value) -> Self {
        match value {
            Value::Array(array) if !array.is_empty() => Self::Array(array),
            Value::Bytes(bytes) => Self::Bytes(bytes),
            Value::Text(text) => Self::of_text(text),
            Value::Array(_) => Self::Empty,
        }
    }

    pub(super) fn of_text(text: &'a str) -> Self {
        if text.is_empty() {
            Self::Empty
        } else {
            Self::Text(text)
        }
    }

    /// Returns the string, with replacement characters if it is not UTF-8.
    fn text(self) -> Cow<'a, str> {
        match self {
            Self::Nothing | Self::Empty | Self::Array(_) | Self::Pair(..) => Cow::Borrowed(""),
            Self::Text(text) => Cow::Borrowed(text),
            Self::Bytes(bytes) => String::from_utf8_lossy(bytes),
        }
    }

    fn bytes(self) -> &'a [u8] {
        match self {
            Self::Nothing | Self::Empty | Self::Array(_) | Self::Pair(..) => b"",
            Self::Text(text) => text.as_bytes(),
            Self::Bytes(bytes) => bytes,
        }
    }

    fn parse<N: FromStr>(self) -> Option<N> {
        self.text().parse().ok()
    }
}

impl<'de> Deserializer<'de> for Node<'_> {
    type Error = Misfit;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match self {
            Self::Nothing => visitor.visit_unit(),
            Self::Array(array) if is_list(array) => visitor.visit_seq(Elements::new(self)),
            Self::Array(_) | Self::Pair(..) => visitor.visit_map(Entries::new(self, &[])),
            Self::Empty | Self::Text(_) | Self::Bytes(_) => visitor.visit_str(&self.text()),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match (self, self.parse()) {
            // A key that is there is a yes.
            (Self::Nothing | Self::Empty, _) => visitor.visit_bool(true),
            (_, Some(parsed)) => visitor.visit_bool(parsed),
            (_, None) => self.deserialize_any(visitor),
        }
    }

    parse! {
        deserialize_i8 => visit_i8
        deserialize_i16 => visit_i16
        deserialize_i32 => visit_i32
        deserialize_i64 => visit_i64
        deserialize_u8 => visit_u8
        deserialize_u16 => visit_u16
        deserialize_u32 => visit_u32
        deserialize_u64 => visit_u64
        deserialize_f32 => visit_f32
        deserialize_f64 => visit_f64
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match self {
            Self::Array(_) | Self::Pair(..) => self.deserialize_any(visitor),
            _ => visitor.visit_str(&self.text()),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        self.deserialize_str(visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match self {
            Self::Array(_) | Self::Pair(..) => self.deserialize_any(visitor),
            _ => visitor.visit_bytes(self.bytes()),
        }
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match self {
            Self::Nothing => visitor.visit_none(),
            Self::Empty => visitor.visit_some(Self::Nothing),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match self {
            Self::Empty => visitor.visit_unit(),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match self {
            Self::Array(_) | Self::Pair(..) => self.deserialize_any(visitor),
            _ => visitor.visit_seq(Elements::new(self)),
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Misfit> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_map(Entries::new(self, &[]))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        match self {
            Self::Text(_) | Self::Bytes(_) => visitor.visit_str(&self.text()),
            _ => visitor.visit_map(Entries::new(self, fields)),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        match self {
            Self::Nothing | Self::Empty => self.deserialize_any(visitor),
            Self::Text(_) | Self::Bytes(_) => visitor.visit_enum(self.text().into_deserializer()),
            Self::Array(_) | Self::Pair(..) => visitor.visit_enum(Entries::new(self, &[])),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        char identifier
    }
}
