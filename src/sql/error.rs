//! `StoreError`: why a database failed.

use std::error::Error;
use std::fmt;

/// The error of a store in a database. Its message and those of its sources never contain tokens,
/// passwords or the database's URL.
#[derive(Debug)]
pub struct StoreError {
    kind: StoreErrorKind,
    message: &'static str,
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// The kinds of [`StoreError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StoreErrorKind {
    /// The database could not be opened, or there is no connection to it.
    Connection,
    /// A later version of this crate created the tables, so this one must not write to them.
    NewerSchema,
    /// The database could lose what it has committed: SQLite has the WAL-reset bug, or the file does
    /// not accept the settings.
    NotDurable,
    /// A statement failed.
    Query,
}

impl StoreErrorKind {
    /// Returns the kind as a snake_case string, for example for a log or a metric.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connection => "connection",
            Self::NewerSchema => "newer_schema",
            Self::NotDurable => "not_durable",
            Self::Query => "query",
        }
    }
}

/// Writes [`as_str`](StoreErrorKind::as_str).
impl fmt::Display for StoreErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl StoreError {
    pub(crate) fn connection(message: &'static str) -> Self {
        Self::new(StoreErrorKind::Connection, message)
    }

    pub(crate) fn newer_schema() -> Self {
        let message =
            "a later version of tower-bitrix24 created the tables: update this application";
        Self::new(StoreErrorKind::NewerSchema, message)
    }

    pub(crate) fn timed_out() -> Self {
        Self::connection("the database did not respond in time")
    }

    #[cfg(any(feature = "sqlite", feature = "inbox"))]
    pub(crate) fn not_durable(message: &'static str) -> Self {
        Self::new(StoreErrorKind::NotDurable, message)
    }

    pub(crate) fn query(message: &'static str) -> Self {
        Self::new(StoreErrorKind::Query, message)
    }

    const fn new(kind: StoreErrorKind, message: &'static str) -> Self {
        Self {
            kind,
            message,
            source: None,
        }
    }

    pub(crate) fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Returns the kind of this error.
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

pub(crate) trait ResultExt<T> {
    /// Keeps only the message of the database's error, which is not part of this crate's API. Its
    /// `Debug` has the rows that the database complains about.
    fn store_err(self) -> Result<T, StoreError>;
}

impl<T> ResultExt<T> for Result<T, sqlx::Error> {
    fn store_err(self) -> Result<T, StoreError> {
        self.map_err(|error| {
            let failed = match error {
                sqlx::Error::Configuration(_)
                | sqlx::Error::Io(_)
                | sqlx::Error::Tls(_)
                | sqlx::Error::WorkerCrashed => {
                    StoreError::connection("there is no connection to the database")
                }
                _ => StoreError::query("the statement failed"),
            };
            failed.with_source(error.to_string())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn store_error_has_a_kind_and_the_message_of_its_source() {
        let rejected = std::io::Error::other("connection refused");
        let error = Err::<(), _>(sqlx::Error::Io(rejected))
            .store_err()
            .unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Connection);
        assert_eq!(error.to_string(), "there is no connection to the database");
        assert!(error.source().unwrap().to_string().contains("refused"));

        let error = Err::<(), _>(sqlx::Error::RowNotFound)
            .store_err()
            .unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Query);
    }
}
