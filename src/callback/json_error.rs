//! `JsonError`: JSON that cannot be read or written.

use std::error::Error;
use std::fmt;

/// JSON of a callback that does not fit a type, or a value that is not JSON.
///
/// The message may quote values of the JSON.
#[derive(Debug)]
pub struct JsonError(serde_json::Error);

impl JsonError {
    pub(super) const fn new(error: serde_json::Error) -> Self {
        Self(error)
    }
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for JsonError {}
