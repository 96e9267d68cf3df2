//! The shapes that PHP gives to values: field types for the payloads, and for types of one's own.

mod entered;
mod flag;
mod id_map;
mod list;
mod number;
mod object;
mod one_or_many;
mod undefined_or;

pub use self::flag::Flag;
pub use self::id_map::IdMap;
pub use self::list::List;
pub use self::number::optional_number;
pub(crate) use self::object::optional_object;
pub use self::one_or_many::OneOrMany;
pub use self::undefined_or::UndefinedOr;
