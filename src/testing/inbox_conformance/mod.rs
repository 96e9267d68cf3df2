//! Conformance tests for your own [`InboxStore`] (features `testing` and `inbox`).
//!
//! [`check`] runs all of them against an **empty** store that nothing else uses, since a worker claims
//! whatever is due:
//!
//! ```
//! use tower_bitrix24::inbox::MemoryInbox;
//! use tower_bitrix24::testing::inbox_conformance;
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
//! inbox_conformance::check(&MemoryInbox::new()).await?;
//! # Ok::<(), inbox_conformance::ConformanceError>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod accepting;
mod claiming;
mod finishing;
mod harness;
mod operating;

use std::error::Error;
use std::fmt;

use self::harness::Harness;
use crate::inbox::InboxStore;

/// Checks the store against the rules that [`Accept`](crate::inbox::Accept) and [`InboxStore`]
/// document.
///
/// This takes about a second, since leases have to end. All entries are removed afterwards.
///
/// # Errors
///
/// Returns an error if the store breaks a rule. It lists every broken rule.
pub async fn check<S: InboxStore>(store: &S) -> Result<(), ConformanceError> {
    let harness = Harness::new(store);
    let mut broken = Vec::new();
    macro_rules! rules {
        ($($rule:literal: $check:expr;)+) => {$(
            // Boxed, since the futures of all rules together are larger than a thread's stack.
            if let Err(details) = Box::pin($check(&harness)).await {
                broken.push(ConformanceFailure { rule: $rule, details });
            }
            harness.clean_up().await;
        )+};
    }
    rules! {
        "an accepted entry is stored as it is": accepting::stored_as_it_is;
        "an equal entry that waits untried is a duplicate": accepting::duplicate;
        "an equal entry that was tried is none, unless it comes once": accepting::once;
        "an update merges into the last untried entry of its lane alone": accepting::merged;
        "a batch is the same as its entries one after another": accepting::batch;
        "a claim hands out the heads of lanes in order, one at a time": claiming::order_of_a_lane;
        "an entry without a lane waits for none": claiming::without_lane;
        "portals are served in turn and within their limit": claiming::portals_in_turn;
        "a head that waits for its retry holds its lane and no other": claiming::retried_head;
        "an entry whose lease ended is handed out again, alone": claiming::ended_lease;
        "a suspect holds nothing back but its lane": claiming::others_beside_a_suspect;
        "an entry whose lease ended after its last attempt is dead": claiming::poison;
        "an entry of a later format is left alone": claiming::later_format;
        "only the owner of the attempt ends it": finishing::fenced;
        "a call that ends and claims hands out what it frees": finishing::together;
        "an extended lease does not end": finishing::extended;
        "a dead entry frees its lane": finishing::dead_frees_the_lane;
        "a released attempt does not count": finishing::released;
        "a retried entry has all attempts and its place": operating::reopened;
        "a discarded entry frees its lane": operating::discarded;
        "entries are listed by filter and page": operating::listed;
        "a removed portal leaves nothing": operating::portal_removed;
        "old entries are purged, others stay": operating::purged;
        "concurrent claims hand an entry out once": claiming::concurrent;
    }
    if broken.is_empty() {
        Ok(())
    } else {
        Err(ConformanceError(broken))
    }
}

/// The error of [`check`]: the rules that a store breaks.
///
/// `Debug` prints the same readable list as `Display`, so a test can simply `unwrap`.
#[derive(Clone)]
pub struct ConformanceError(Vec<ConformanceFailure>);

impl ConformanceError {
    /// Returns the broken rules, at least one.
    pub fn rules(&self) -> &[ConformanceFailure] {
        &self.0
    }
}

impl fmt::Display for ConformanceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the store breaks {} of the rules:", self.0.len())?;
        let mut rules = self.0.iter();
        rules.try_for_each(|rule| write!(f, "\n- {}: {}", rule.rule, rule.details))
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
    rule: &'static str,
    details: String,
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
