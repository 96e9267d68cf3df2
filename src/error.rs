//! `ConfigError`: a setting that cannot be used.

use std::fmt;

/// A setting that cannot be used.
///
/// The message names the setting and the reason. It never contains a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError(String);

impl ConfigError {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }

    pub(crate) fn of(self, variable: &str) -> Self {
        Self(format!("{variable}: {self}"))
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ConfigError {}
