//! `StoreError`: why a database failed.

use std::error::Error;
use std::fmt;

/// Why a database did not do what it should. Neither its texts nor those of its source hold tokens,
/// passwords or the address of the database.
#[derive(Debug)]
pub struct StoreError {
    kind: StoreErrorKind,
    message: &'static str,
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// What a [`StoreError`] is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StoreErrorKind {
    /// The database could not be opened, or there is no connection to it.
    Connection,
    /// The tables were laid out by a later version of this crate, which this one must not write to.
    NewerSchema,
    /// The database could lose what it has committed: an SQLite with the WAL-reset bug, or settings
    /// that the file rejected.
    NotDurable,
    /// The database did not do what it was asked for.
    Query,
}

impl StoreError {
    pub(super) fn connection(message: &'static str) -> Self {
        Self::new(StoreErrorKind::Connection, message)
    }

    pub(super) fn newer_schema() -> Self {
        let message = "the tables of tokens were laid out by a later version of tower-bitrix24";
        Self::new(StoreErrorKind::NewerSchema, message)
    }

    pub(super) fn timed_out() -> Self {
        Self::connection("the database did not answer in time")
    }

    #[cfg(feature = "sqlite")]
    pub(super) fn not_durable(message: &'static str) -> Self {
        Self::new(StoreErrorKind::NotDurable, message)
    }

    pub(super) fn query(message: &'static str) -> Self {
        Self::new(StoreErrorKind::Query, message)
    }

    const fn new(kind: StoreErrorKind, message: &'static str) -> Self {
        Self {
            kind,
            message,
            source: None,
        }
    }

    pub(super) fn because(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What it is about.
    pub const fn kind(&self) -> StoreErrorKind {
        self.kind
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message)
    }
}

impl Error for StoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

/// What a database answered, without its own error, which is no part of this crate's API.
pub(super) trait Answered<T> {
    /// The answer, or why there is none.
    fn answered(self) -> Result<T, StoreError>;
}

impl<T> Answered<T> for Result<T, sqlx::Error> {
    /// Keeps the text of the error alone: its `Debug` has the rows that a database complains of.
    fn answered(self) -> Result<T, StoreError> {
        self.map_err(|error| {
            let failed = match error {
                sqlx::Error::Configuration(_)
                | sqlx::Error::Io(_)
                | sqlx::Error::Tls(_)
                | sqlx::Error::WorkerCrashed => {
                    StoreError::connection("there is no connection to the database")
                }
                _ => StoreError::query("the database did not do what it was asked for"),
            };
            failed.because(error.to_string())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_what_happened_and_why() {
        let rejected = std::io::Error::other("connection refused");
        let error = Err::<(), _>(sqlx::Error::Io(rejected))
            .answered()
            .unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Connection);
        assert_eq!(error.to_string(), "there is no connection to the database");
        assert!(error.source().unwrap().to_string().contains("refused"));

        let error = Err::<(), _>(sqlx::Error::RowNotFound)
            .answered()
            .unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Query);
    }
}
