//! Inboxes in databases: a table of entries and two of those without a place, created on first use.
//!
//! Accepted entries are stored together in one value, a pack, and their senders get their answer. Before
//! the next claim, and before any call that shows or changes entries, they get their place: as the head
//! of their lane, behind another entry, or merged into one; duplicates are dropped. So no sender waits
//! for the indexes, which cost many times as much, and the places of a portal's entries are those of the
//! order of the commits. Once a backlog waits, entries of a portal that has many are kept apart, and the
//! portals get their places in turn.
//!
//! The statements are the same for SQLite and PostgreSQL. Every transaction that changes a lane runs
//! alone: SQLite has one writer, and in PostgreSQL an advisory lock makes it so. A statement may
//! therefore rely on what an earlier one of its transaction has read, and the sequence numbers of a
//! portal's entries ascend in the order of its commits.

mod accept;
mod backlog;
mod claim;
mod finish;
mod operate;
mod pack;
mod place;
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
