//! The rules of a [`TokenStore`], checked against a store of one's own (features `testing` and
//! `portals`).
//!
//! One call does it. It makes portals of its own, with ids that nobody else has, and removes them
//! again, so it can be run against a database in use:
//!
//! ```
//! use tower_bitrix24::portals::MemoryStore;
//! use tower_bitrix24::testing::store_conformance;
//!
//! # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
//! let store = MemoryStore::new();
//! store_conformance::check(&store).await?;
//! # Ok::<(), token_store::ConformanceError>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod probe;
mod rules;
mod together;

use std::error::Error;
use std::fmt;

use self::probe::Probe;
use crate::portals::TokenStore;

/// Checks every rule that the documentation of [`TokenStore`] has against the store, with calls one
/// after another, at once, and given up half-way.
///
/// It takes some hundred calls. What happens at once does so in the task of the caller, so a store
/// with a pool of connections needs more than one for that to be a test. A store that never answers
/// is waited for: set a limit around the call where that matters.
///
/// Dropped before its end, it leaves portals whose ids begin with `token-store-check-`.
///
/// # Errors
///
/// With every rule that does not hold.
pub async fn check<S: TokenStore + ?Sized>(store: &S) -> Result<(), ConformanceError> {
    let probe = Probe::new(store);
    let mut broken = Vec::new();
    rules::check(&probe, |rule, outcome| {
        if let Err(found) = outcome {
            broken.push(ConformanceFailure { rule, found });
        }
    })
    .await;
    probe.clean_up().await;
    if broken.is_empty() {
        Ok(())
    } else {
        Err(ConformanceError(broken))
    }
}

/// The rules that a store does not keep. It holds no token's text.
///
/// Its `Debug` text is a list for people to read, so that `unwrap` is enough in a test.
#[derive(Clone)]
pub struct ConformanceError(Vec<ConformanceFailure>);

impl ConformanceError {
    /// One at the least.
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

/// A rule that a store does not keep.
#[derive(Clone, Debug)]
pub struct ConformanceFailure {
    rule: &'static str,
    found: String,
}

impl ConformanceFailure {
    /// The rule, in words.
    pub fn rule(&self) -> &'static str {
        self.rule
    }

    /// What was expected, and what was found instead.
    pub fn found(&self) -> &str {
        &self.found
    }
}

impl fmt::Display for ConformanceFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.rule, self.found)
    }
}
