//! Form bodies the way PHP reads and writes them.

mod de;
#[cfg(feature = "testing")]
mod edit;
#[cfg(feature = "testing")]
pub(crate) mod encode;
mod fast_path;
pub mod field;
pub(crate) mod from_value;
pub(crate) mod key;
mod mismatch;
mod near;
pub(crate) mod pairs;
mod parts;
pub(crate) mod percent;
mod redact;
mod shape;
mod split;
mod tree;
mod value;
mod value_de;

#[cfg(feature = "background")]
pub(crate) use self::de::max_arrays;
pub(crate) use self::de::{FormReader, LazyTree, read_form};
pub(crate) use self::from_value::read_value;
pub use self::mismatch::Mismatch;
pub use self::value::{Array, Value};
