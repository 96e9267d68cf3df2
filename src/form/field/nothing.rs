//! What PHP writes where there is nothing.

use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{DeserializeSeed, EnumAccess, Error, Expected, MapAccess, SeqAccess, Unexpected};
use serde::{Deserialize, Deserializer};

/// Whether a text says that there is nothing: PHP writes an empty text for `null` and `0` or an
/// empty text for `false`, which its functions return for "none", and the platform `undefined`.
///
/// Where an array is expected such a text is no mismatch: lists and maps are empty then, and of
/// their values those that are nothing are left out.
pub(super) fn is_nothing(text: &str) -> bool {
    matches!(text, "" | "0" | "false" | "undefined")
}

/// Expects nothing in the text that serde_qs gave as a map with an empty key.
pub(super) fn expect<'de, A: MapAccess<'de>>(
    mut text: A,
    expected: &dyn Expected,
) -> Result<(), A::Error> {
    let text: String = text.next_value()?;
    match is_nothing(&text) {
        true => Ok(()),
        false => Err(A::Error::invalid_type(Unexpected::Str(&text), expected)),
    }
}

/// Reads a `T`; `None` where there is nothing that is not a `T` either: `0` is a number.
pub(super) struct Item<T>(PhantomData<T>);

impl<T> Default for Item<T> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<'de, T: Deserialize<'de>> DeserializeSeed<'de> for Item<T> {
    type Value = Option<T>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<T>, D::Error> {
        let found_nothing = Cell::new(false);
        let read = T::deserialize(Watched {
            inner: deserializer,
            asks_for_object: false,
            found_nothing: &found_nothing,
        });
        match found_nothing.get() {
            true => Ok(None),
            false => read.map(Some),
        }
    }
}

/// A deserializer, the visitor that it calls, or the entries that it gives: they tell when the
/// visitor rejects a text that says that there is nothing, or asks for an object where there is an
/// empty text, which serde_qs gives as one without entries.
struct Watched<'a, T> {
    inner: T,
    asks_for_object: bool,
    found_nothing: &'a Cell<bool>,
}

impl<'a, T> Watched<'a, T> {
    fn with<U>(&self, inner: U) -> Watched<'a, U> {
        Watched {
            inner,
            asks_for_object: self.asks_for_object,
            found_nothing: self.found_nothing,
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

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Watched<'_, D> {
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

impl<'de, V: serde::de::Visitor<'de>> serde::de::Visitor<'de> for Watched<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.expecting(f)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<V::Value, E> {
        let read = self.inner.visit_str(text);
        self.found_nothing.set(read.is_err() && is_nothing(text));
        read
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<V::Value, E> {
        let read = self.inner.visit_borrowed_str(text);
        self.found_nothing.set(read.is_err() && is_nothing(text));
        read
    }

    fn visit_string<E: Error>(self, text: String) -> Result<V::Value, E> {
        let nothing = is_nothing(&text);
        let read = self.inner.visit_string(text);
        self.found_nothing.set(read.is_err() && nothing);
        read
    }

    /// serde_qs gives no text where there is a key alone.
    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        let read = self.inner.visit_unit();
        self.found_nothing.set(read.is_err());
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

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Watched<'_, A> {
    type Error = A::Error;

    fn next_key_seed<K>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error>
    where
        K: DeserializeSeed<'de>,
    {
        let key = self.inner.next_key_seed(seed)?;
        if std::mem::take(&mut self.asks_for_object) {
            self.found_nothing.set(key.is_none());
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
