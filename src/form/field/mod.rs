//! Field types for the shapes that PHP gives to values.
//!
//! PHP has no null on the wire: it sends an empty string, `0` or `false`, and the platform sends
//! `undefined`. [`List`], [`IdMap`] and [`OneOrMany`] read such a string as empty, or skip it among
//! their values. [`UndefinedOr`] reads it as undefined. If the type itself accepts the string, it is a
//! value: `0` is a number, and also a flag that is off.
//!
//! Unknown keys never fail a type: [`List`], [`IdMap`] and [`OneOrMany`] skip keys that are not
//! numbers if there are others that are.

mod flag;
mod id_map;
mod lenient;
mod list;
mod number;
mod number_or_name;
mod object;
mod one_or_many;
mod peeked;
mod php_empty;
mod undefined_or;
mod unknown_keys;

pub use self::flag::{Flag, optional_flag};
pub use self::id_map::{IdMap, Iter as IdMapIter};
pub(crate) use self::lenient::{ById, FromText, TextOr, lenient, objects, objects_by_id};
pub use self::list::List;
pub use self::number::optional_number;
pub use self::number_or_name::{EmptyCode, NumberOrName};
pub(crate) use self::object::optional_object;
pub use self::one_or_many::OneOrMany;
pub use self::undefined_or::UndefinedOr;
