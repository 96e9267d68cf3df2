use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use moka::future::Cache as Entries;
use moka::ops::compute::{CompResult, Op};
use tokio::time::Instant;

use super::PortalToken;
use crate::VerifyError;

/// What [`Portals`](super::Portals) remembers of a store, so that a burst of events from a portal is
/// not a burst of queries.
///
/// Portals that are not known are remembered too. Many events of one portal that come at once wait
/// for one query. Whatever was loaded before the latest change that this process made is loaded
/// again; what **another** process changes in the same database takes effect after
/// [`time_to_live`](Self::time_to_live) at the latest, and a token that it added, after
/// [`refusal_time_to_live`](Self::refusal_time_to_live).
///
/// ```
/// use std::time::Duration;
/// use tower_bitrix24::portals::{MemoryStore, Portals, TokenCache};
///
/// let cache = TokenCache::new().capacity(50_000).time_to_live(Duration::from_secs(10));
/// let portals = Portals::new(MemoryStore::new()).cache(cache);
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct TokenCache {
    capacity: u64,
    time_to_live: Duration,
    refusal_time_to_live: Duration,
}

impl TokenCache {
    /// The default of [`capacity`](Self::capacity): 10,000 portals.
    pub const DEFAULT_CAPACITY: u64 = 10_000;

    /// The default of [`time_to_live`](Self::time_to_live): 60 seconds.
    pub const DEFAULT_TIME_TO_LIVE: Duration = Duration::from_secs(60);

    /// The default of [`refusal_time_to_live`](Self::refusal_time_to_live): 1 second.
    pub const DEFAULT_REFUSAL_TIME_TO_LIVE: Duration = Duration::from_secs(1);

    /// A cache with the defaults.
    pub fn new() -> Self {
        Self {
            capacity: Self::DEFAULT_CAPACITY,
            time_to_live: Self::DEFAULT_TIME_TO_LIVE,
            refusal_time_to_live: Self::DEFAULT_REFUSAL_TIME_TO_LIVE,
        }
    }

    /// How many portals are remembered; [10,000](Self::DEFAULT_CAPACITY) unless set. A portal with
    /// one token takes about half a kilobyte.
    pub fn capacity(mut self, portals: u64) -> Self {
        self.capacity = portals;
        self
    }

    /// How long a token is accepted without asking the store;
    /// [60 seconds](Self::DEFAULT_TIME_TO_LIVE) unless set.
    pub fn time_to_live(mut self, time: Duration) -> Self {
        self.time_to_live = time;
        self
    }

    /// How long a portal's tokens are refused without asking the store;
    /// [1 second](Self::DEFAULT_REFUSAL_TIME_TO_LIVE) unless set. Keep it short: a token that
    /// another process has just recorded is refused for so long, and nobody sends the event again.
    pub fn refusal_time_to_live(mut self, time: Duration) -> Self {
        self.refusal_time_to_live = time;
        self
    }
}

impl Default for TokenCache {
    fn default() -> Self {
        Self::new()
    }
}

pub(super) struct Cache {
    settings: TokenCache,
    entries: Entries<String, Entry>,
    /// How often this process has changed the store.
    changes: AtomicU64,
}

#[derive(Clone)]
struct Entry {
    tokens: Arc<[PortalToken]>,
    /// When the store was asked, and how often it had been changed by then.
    asked: Instant,
    changes: u64,
}

impl Cache {
    pub(super) fn new(settings: TokenCache) -> Self {
        Self {
            entries: Entries::builder()
                .max_capacity(settings.capacity)
                .time_to_live(settings.time_to_live)
                .build(),
            settings,
            changes: AtomicU64::new(0),
        }
    }

    /// The portal's tokens, to accept an event by.
    pub(super) async fn tokens<F>(
        &self,
        member_id: &str,
        load: impl Fn() -> F,
    ) -> Result<Arc<[PortalToken]>, VerifyError>
    where
        F: Future<Output = Result<Arc<[PortalToken]>, VerifyError>>,
    {
        self.within(self.settings.time_to_live, member_id, load)
            .await
    }

    /// The portal's tokens, before an event is refused by them.
    pub(super) async fn tokens_for_a_refusal<F>(
        &self,
        member_id: &str,
        load: impl Fn() -> F,
    ) -> Result<Arc<[PortalToken]>, VerifyError>
    where
        F: Future<Output = Result<Arc<[PortalToken]>, VerifyError>>,
    {
        self.within(self.settings.refusal_time_to_live, member_id, load)
            .await
    }

    /// The portal's tokens as they were at most `age` ago.
    async fn within<F>(
        &self,
        age: Duration,
        member_id: &str,
        load: impl Fn() -> F,
    ) -> Result<Arc<[PortalToken]>, VerifyError>
    where
        F: Future<Output = Result<Arc<[PortalToken]>, VerifyError>>,
    {
        if let Some(entry) = self.entries.get(member_id).await {
            if self.is_fresh(&entry, age) {
                return Ok(entry.tokens);
            }
        }
        // One at a time for each portal; the others find what the first has loaded.
        let computed = self
            .entries
            .entry_by_ref(member_id)
            .and_try_compute_with(async |entry| match entry {
                Some(entry) if self.is_fresh(entry.value(), age) => Ok(Op::Nop),
                _ => {
                    let asked = Instant::now();
                    let changes = self.changes.load(Ordering::SeqCst);
                    let tokens = load().await?;
                    Ok(Op::Put(Entry {
                        tokens,
                        asked,
                        changes,
                    }))
                }
            })
            .await?;
        match computed {
            CompResult::Inserted(entry)
            | CompResult::ReplacedWith(entry)
            | CompResult::Unchanged(entry) => Ok(entry.into_value().tokens),
            CompResult::StillNone(_) | CompResult::Removed(_) => load().await,
        }
    }

    /// Whatever was loaded up to now may be wrong.
    pub(super) fn outdate(&self) {
        self.changes.fetch_add(1, Ordering::SeqCst);
    }

    fn is_fresh(&self, entry: &Entry, age: Duration) -> bool {
        entry.asked.elapsed() < age && entry.changes == self.changes.load(Ordering::SeqCst)
    }
}
