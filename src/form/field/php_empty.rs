//! PHP's empty values.

use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{DeserializeSeed, EnumAccess, Error, Expected, MapAccess, SeqAccess, Unexpected};
use serde::{Deserialize, Deserializer};

pub(super) fn is_php_empty(text: &str) -> bool {
    matches!(text, "" | "0" | "false" | "undefined")
}

/// Expects an empty value in a string, which serde_qs gives as a map with an empty key.
pub(super) fn expect<'de, A: MapAccess<'de>>(
    mut text: A,
    expected: &dyn Expected,
) -> Result<(), A::Error> {
    let text: String = text.next_value()?;
    if is_php_empty(&text) {
        Ok(())
    } else {
        Err(A::Error::invalid_type(Unexpected::Str(&text), expected))
    }
}

/// Reads a `T`, or `None` if the value is empty and not a `T`: `0` is a number.
pub(super) struct NonEmpty<T>(PhantomData<T>);

impl<T> Default for NonEmpty<T> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<'de, T: Deserialize<'de>> DeserializeSeed<'de> for NonEmpty<T> {
    type Value = Option<T>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<T>, D::Error> {
        let found_empty = Cell::new(false);
        let read = T::deserialize(Tracked {
            inner: deserializer,
            asks_for_object: false,
            found_empty: &found_empty,
        });
        if found_empty.get() {
            return Ok(None);
        }
        read.map(Some)
    }
}

/// Wraps a deserializer, visitor or map and records whether the input was one of PHP's empty values.
///
/// serde_qs gives an empty string as an object without entries.
struct Tracked<'a, T> {
    inner: T,
    asks_for_object: bool,
    found_empty: &'a Cell<bool>,
}

impl<'a, T> Tracked<'a, T> {
    fn with<U>(&self, inner: U) -> Tracked<'a, U> {
        Tracked {
            inner,
            asks_for_object: self.asks_for_object,
            found_empty: self.found_empty,
        }
    }
}

macro_rules! forward_deserialize {
    ($($method:ident($($name:ident: $type:ty),*))+) => {$(
        fn $method<V: serde::de::Visitor<'de>>(
            self,
            $($name: $type,)*
            visitor: V,
        ) -> Result<V::Value, D::Error> {
            let visitor = self.with(visitor);
            self.inner.$method($($name,)* visitor)
        }
    )+};
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Tracked<'_, D> {
    type Error = D::Error;

    forward_deserialize! {
        deserialize_any()
        deserialize_bool()
        deserialize_i8()
        deserialize_i16()
        deserialize_i32()
        deserialize_i64()
        deserialize_i128()
        deserialize_u8()
        deserialize_u16()
        deserialize_u32()
        deserialize_u64()
        deserialize_u128()
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
        deserialize_enum(name: &'static str, variants: &'static [&'static str])
        deserialize_identifier()
        deserialize_ignored_any()
    }

    fn deserialize_struct<V: serde::de::Visitor<'de>>(
        mut self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.asks_for_object = true;
        let visitor = self.with(visitor);
        self.inner.deserialize_struct(name, fields, visitor)
    }

    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

macro_rules! forward_visit {
    ($($method:ident($type:ty))+) => {$(
        fn $method<E: Error>(self, value: $type) -> Result<V::Value, E> {
            self.inner.$method(value)
        }
    )+};
}

impl<'de, V: serde::de::Visitor<'de>> serde::de::Visitor<'de> for Tracked<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.expecting(f)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<V::Value, E> {
        let read = self.inner.visit_str(text);
        self.found_empty.set(read.is_err() && is_php_empty(text));
        read
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<V::Value, E> {
        let read = self.inner.visit_borrowed_str(text);
        self.found_empty.set(read.is_err() && is_php_empty(text));
        read
    }

    fn visit_string<E: Error>(self, text: String) -> Result<V::Value, E> {
        let is_empty = is_php_empty(&text);
        let read = self.inner.visit_string(text);
        self.found_empty.set(read.is_err() && is_empty);
        read
    }

    /// serde_qs gives a unit for a key without `=`.
    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        let read = self.inner.visit_unit();
        self.found_empty.set(read.is_err());
        read
    }

    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.inner.visit_none()
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<V::Value, D::Error> {
        let deserializer = self.with(deserializer);
        self.inner.visit_some(deserializer)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> Result<V::Value, D::Error> {
        let deserializer = self.with(deserializer);
        self.inner.visit_newtype_struct(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, values: A) -> Result<V::Value, A::Error> {
        self.inner.visit_seq(values)
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<V::Value, A::Error> {
        let entries = self.with(entries);
        self.inner.visit_map(entries)
    }

    fn visit_enum<A: EnumAccess<'de>>(self, variant: A) -> Result<V::Value, A::Error> {
        self.inner.visit_enum(variant)
    }

    forward_visit! {
        visit_bool(bool)
        visit_i8(i8)
        visit_i16(i16)
        visit_i32(i32)
        visit_i64(i64)
        visit_i128(i128)
        visit_u8(u8)
        visit_u16(u16)
        visit_u32(u32)
        visit_u64(u64)
        visit_u128(u128)
        visit_f32(f32)
        visit_f64(f64)
        visit_char(char)
        visit_bytes(&[u8])
        visit_borrowed_bytes(&'de [u8])
        visit_byte_buf(Vec<u8>)
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Tracked<'_, A> {
    type Error = A::Error;

    fn next_key_seed<K>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error>
    where
        K: DeserializeSeed<'de>,
    {
        let key = self.inner.next_key_seed(seed)?;
        if std::mem::take(&mut self.asks_for_object) {
            self.found_empty.set(key.is_none());
        }
        Ok(key)
    }

    fn next_value_seed<V>(&mut self, seed: V) -> Result<V::Value, A::Error>
    where
        V: DeserializeSeed<'de>,
    {
        self.inner.next_value_seed(seed)
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}
