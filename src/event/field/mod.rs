//! The shapes that PHP gives to values: field types for the payloads, and for types of one's own.

mod flag;
mod list;
mod number;
mod undefined_or;

pub use self::flag::Flag;
pub use self::list::List;
pub(crate) use self::number::optional_number;
pub use self::undefined_or::UndefinedOr;
