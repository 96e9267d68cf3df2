//! Shared parts of SQL stores: connections, transactions that are safe to drop, migrations, errors.

pub(crate) mod dialect;
mod error;
pub(crate) mod migrations;
#[cfg(all(feature = "sqlite", feature = "inbox"))]
mod network_file;
pub(crate) mod pool;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "sqlite")]
mod sqlite;
#[cfg(feature = "inbox")]
pub(crate) mod statement;
pub(crate) mod transaction;
#[cfg(feature = "sqlite")]
mod write_ahead_log;

pub(crate) use self::error::ResultExt;
pub use self::error::{StoreError, StoreErrorKind};
#[cfg(all(feature = "sqlite", feature = "inbox"))]
pub(crate) use self::network_file::reject_network_file;
#[cfg(feature = "postgres")]
pub(crate) use self::postgres::{Session, parse_url};
#[cfg(feature = "sqlite")]
pub(crate) use self::sqlite::{create_file, file_pools};
