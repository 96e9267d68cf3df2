//! Conformance tests for your own [`TokenStore`] (features `testing` and `portals`).
//!
//! [`check`] runs all of them. It creates portals with random ids and removes them afterwards, so
//! it can run against a database in use:
//!
//! ```
//! use tower_bitrix24::portals::MemoryStore;
//! use tower_bitrix24::testing::store_conformance;
//!
//! # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
//! let store = MemoryStore::new();
//! store_conformance::check(&store).await?;
//! # Ok::<(), store_conformance::ConformanceError>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod concurrent;
mod harness;
mod report;
mod rules;

use self::harness::Harness;
pub use self::report::{ConformanceError, ConformanceFailure};
use crate::portals::TokenStore;

/// Checks the store against every rule that [`TokenStore`] documents, with sequential, concurrent
/// and cancelled calls.
///
/// This makes several hundred calls. Concurrent calls are polled in the caller's task. A store with
/// a pool needs at least two connections for them to overlap. A call that never completes blocks the
/// check: wrap it in a timeout if that matters.
///
/// If the future is dropped early, portals whose ids start with `token-store-check-` remain.
///
/// # Errors
///
/// Returns an error if the store breaks a rule. It lists every broken rule.
pub async fn check<S: TokenStore + ?Sized>(store: &S) -> Result<(), ConformanceError> {
    let harness = Harness::new(store);
    let mut broken = Vec::new();
    rules::check(&harness, |rule, outcome| {
        if let Err(details) = outcome {
            broken.push(ConformanceFailure { rule, details });
        }
    })
    .await;
    harness.clean_up().await;
    if broken.is_empty() {
        Ok(())
    } else {
        Err(ConformanceError(broken))
    }
}
