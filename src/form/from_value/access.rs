//! The elements and the entries of an array, and their keys.

use std::iter::Chain;
use std::str::FromStr;
use std::{option, vec};

use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, IntoDeserializer, MapAccess, SeqAccess,
    VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use super::Node;
use super::misfit::Misfit;
use crate::form::key::php_index;
use crate::form::value::Array;

pub(super) struct Elements<'a> {
    entries: Sorted<'a>,
    next: u32,
}

impl<'a> Elements<'a> {
    pub(super) fn new(node: Node<'a>) -> Self {
        Self {
            entries: entries(node, "0", &[]),
            next: 0,
        }
    }

    fn advance(&mut self) -> Result<Option<Node<'a>>, Misfit> {
        let Some(Entry { index, key, node }) = self.entries.next() else {
            return Ok(None);
        };
        let expected = self.next;
        if index != Some(expected) {
            return Err(Misfit::custom(format_args!(
                "missing index, expected: {expected} got {key}"
            )));
        }
        self.next += 1;
        Ok(Some(node))
    }
}

impl<'de> SeqAccess<'de> for Elements<'_> {
    type Error = Misfit;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Misfit> {
        let Some(node) = self.advance()? else {
            return Ok(None);
        };
        match seed.deserialize(node) {
            Ok(value) => Ok(Some(value)),
            Err(misfit) => Err(misfit.at(self.next - 1)),
        }
    }
}

pub(super) struct Entries<'a> {
    entries: Sorted<'a>,
    /// The entry whose key has been read.
    current: Option<Entry<'a>>,
}

impl<'a> Entries<'a> {
    #[inline]
    pub(super) fn new(node: Node<'a>, fields: &[&str]) -> Self {
        let entries = match node {
            // Its place among others does not matter.
            Node::Pair(key, text) => only(Entry {
                index: None,
                key,
                node: Node::Text(text),
            }),
            node => entries(node, "", fields),
        };
        Self {
            entries,
            current: None,
        }
    }

    fn advance(&mut self) -> Option<&'a str> {
        self.current = self.entries.next();
        self.current.as_ref().map(|entry| entry.key)
    }

    fn current(&mut self) -> Result<Entry<'a>, Misfit> {
        let current = self.current.take();
        current.ok_or_else(|| Misfit::custom("the key of an entry must be read before its value"))
    }
}

impl<'de> MapAccess<'de> for Entries<'_> {
    type Error = Misfit;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Misfit> {
        let Some(key) = self.advance() else {
            return Ok(None);
        };
        match seed.deserialize(Key(key)) {
            Ok(read) => Ok(Some(read)),
            Err(misfit) => Err(misfit.under(key)),
        }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Misfit> {
        let Entry { key, node, .. } = self.current()?;
        match seed.deserialize(node) {
            Err(misfit) => Err(misfit.under(key)),
            read => read,
        }
    }
}

/// The first key is the variant.
impl<'a, 'de> EnumAccess<'de> for Entries<'a> {
    type Error = Misfit;
    type Variant = Entry<'a>;

    fn variant_seed<V: DeserializeSeed<'de>>(
        mut self,
        seed: V,
    ) -> Result<(V::Value, Entry<'a>), Misfit> {
        self.advance();
        let variant = self.current()?;
        Ok((seed.deserialize(Key(variant.key))?, variant))
    }
}

impl<'de> VariantAccess<'de> for Entry<'_> {
    type Error = Misfit;

    fn unit_variant(self) -> Result<(), Misfit> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Misfit> {
        seed.deserialize(self.node)
            .map_err(|misfit| misfit.under(self.key))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Misfit> {
        let read = self.node.deserialize_seq(visitor);
        read.map_err(|misfit| misfit.under(self.key))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        let read = self.node.deserialize_map(visitor);
        read.map_err(|misfit| misfit.under(self.key))
    }
}

pub(super) struct Entry<'a> {
    /// `None` for a name, and for an index that serde_qs takes for one.
    index: Option<u32>,
    key: &'a str,
    node: Node<'a>,
}

impl<'a> Entry<'a> {
    fn new(key: &'a str, node: Node<'a>) -> Self {
        let index = php_index(key).and_then(|index| index.try_into().ok());
        Self { index, key, node }
    }
}

/// The only entry, or those of an array.
type Sorted<'a> = Chain<option::IntoIter<Entry<'a>>, vec::IntoIter<Entry<'a>>>;

/// Returns the entries in the order in which serde_qs visits them: the fields of a struct, then indices,
/// then names. A string is one entry, under the key `alone`.
fn entries<'a>(node: Node<'a>, alone: &'static str, fields: &[&str]) -> Sorted<'a> {
    match node {
        Node::Nothing | Node::Empty => None.into_iter().chain(Vec::new()),
        Node::Text(_) | Node::Bytes(_) => only(Entry::new(alone, node)),
        Node::Pair(name, text) => only(Entry::new(name, Node::Text(text))),
        Node::Array(array) => None.into_iter().chain(sorted(array, fields)),
    }
}

fn only(entry: Entry<'_>) -> Sorted<'_> {
    Some(entry).into_iter().chain(Vec::new())
}

fn sorted<'a>(array: &'a Array, fields: &[&str]) -> Vec<Entry<'a>> {
    let entries = array
        .iter()
        .map(|(key, value)| Entry::new(key, Node::new(value)));
    let mut entries: Vec<_> = entries.collect();
    entries.sort_by_cached_key(|entry| {
        let field = fields.iter().position(|field| *field == entry.key);
        let index = entry.index.map_or(u64::MAX, u64::from);
        (field.unwrap_or(fields.len()), index, entry.key)
    });
    entries
}

/// serde_qs takes an array for a list if all keys are indices, and then rejects gaps.
pub(super) fn is_list(array: &Array) -> bool {
    array
        .iter()
        .all(|(key, _)| Entry::new(key, Node::Empty).index.is_some())
}

/// A key of an array: a string that is parsed if the type asks for a number.
pub(in crate::form) struct Key<'a>(pub(in crate::form) &'a str);

impl Key<'_> {
    fn parse<N: FromStr>(&self) -> Option<N> {
        self.0.parse().ok()
    }
}

impl<'de> Deserializer<'de> for Key<'_> {
    type Error = Misfit;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_str(self.0)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        visitor.visit_enum(self.0.into_deserializer())
    }

    parse! {
        deserialize_bool => visit_bool
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

    forward_to_deserialize_any! {
        char str string bytes byte_buf option unit unit_struct newtype_struct seq tuple tuple_struct map
        struct identifier ignored_any
    }
}
