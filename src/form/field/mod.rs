//! The shapes that PHP gives to values: field types for the payloads, and for types of one's own.
//!
//! Where there is nothing, PHP writes an empty text (`null`), `0` or an empty text (`false`, which
//! its functions return for "none"), and the platform `undefined`. In the place of a list, a map or
//! an object such a text is not taken for a mismatch: a [`List`], an [`IdMap`] and a [`OneOrMany`]
//! are empty then, or without that one of their values, and an [`UndefinedOr`] is undefined. Where a
//! type takes the text it is a value, so that 0 is a number and `0` a flag that says no.
//!
//! Keys that are not known never fail a type: a [`List`], an [`IdMap`] or a [`OneOrMany`] skips
//! those that are no numbers, if there are others.

mod entered;
mod flag;
mod id_map;
mod lenient;
mod list;
mod nothing;
mod number;
mod number_or_name;
mod object;
mod one_or_many;
mod stray;
mod undefined_or;

pub use self::flag::{Flag, optional_flag};
pub use self::id_map::IdMap;
pub(crate) use self::lenient::{ById, FromText, TextOr, lenient, objects, objects_by_id};
pub use self::list::List;
pub use self::number::optional_number;
pub use self::number_or_name::{EmptyCode, NumberOrName};
pub(crate) use self::object::optional_object;
pub use self::one_or_many::OneOrMany;
pub use self::undefined_or::UndefinedOr;
