//! The rules that a store breaks, as an error.

use std::error::Error;
use std::fmt;

/// The error of [`check`](super::check): the rules that a store breaks. It contains no token.
///
/// `Debug` prints the same readable list as `Display`, so a test can simply `unwrap`.
#[derive(Clone)]
pub struct ConformanceError(pub(super) Vec<ConformanceFailure>);

impl ConformanceError {
    /// Returns the broken rules, at least one.
    pub fn rules(&self) -> &[ConformanceFailure] {
        &self.0
    }
}

impl fmt::Display for ConformanceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the store breaks {} of the rules:", self.0.len())?;
        self.0.iter().try_for_each(|rule| write!(f, "\n- {rule}"))
    }
}

impl fmt::Debug for ConformanceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error for ConformanceError {}

/// A rule that a store breaks.
#[derive(Clone, Debug)]
pub struct ConformanceFailure {
    pub(super) rule: &'static str,
    pub(super) details: String,
}

impl ConformanceFailure {
    /// Returns the rule as a sentence.
    pub fn rule(&self) -> &'static str {
        self.rule
    }

    /// Returns what was expected and what was found instead.
    pub fn details(&self) -> &str {
        &self.details
    }
}

impl fmt::Display for ConformanceFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.rule, self.details)
    }
}
