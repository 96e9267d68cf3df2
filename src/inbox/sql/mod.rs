//! Inboxes in databases: one table of entries, created on first use.
//!
//! The statements are the same for SQLite and PostgreSQL. Every transaction that changes a lane runs
//! alone: SQLite has one writer, and in PostgreSQL an advisory lock makes it so. A statement may
//! therefore rely on what an earlier one of its transaction has read, and sequence numbers ascend in
//! the order of commits.

mod accept;
mod claim;
mod finish;
mod operate;
#[cfg(feature = "postgres")]
mod postgres;
mod row;
#[cfg(feature = "sqlite")]
mod sqlite;
mod store;

#[cfg(feature = "postgres")]
pub use self::postgres::{PostgresInbox, PostgresInboxBuilder};
#[cfg(feature = "sqlite")]
pub use self::sqlite::{SqliteInbox, SqliteInboxBuilder};
