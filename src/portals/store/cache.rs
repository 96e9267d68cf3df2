//! A cache of tokens in front of a store.

use std::collections::HashMap;
use std::error::Error;
use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use moka::sync::Cache as Entries;
use tokio::sync::OnceCell;
use tokio::time::Instant;

use super::PortalToken;
use crate::verify::VerifyError;

/// What [`PortalVerifier`](super::PortalVerifier) remembers of a store, so that a burst of events from a portal is
/// not a burst of queries.
///
/// PortalVerifier that are not known are remembered too, failures are not. While the store fails, known
/// tokens are still accepted [for a time](Self::stale_if_error). Many events of one portal that
/// come at once wait for one query, whatever its outcome. What this process changes takes effect at
/// once; what **another** process changes in the same database, after
/// [`ttl`](Self::ttl) at the latest, and a token that it added, after
/// [`negative_ttl`](Self::negative_ttl). Installations and uninstallations are
/// decided by the store alone.
///
/// ```
/// use std::time::Duration;
/// use tower_bitrix24::portals::{MemoryStore, PortalVerifier, TokenCache};
///
/// let cache = TokenCache::new().capacity(50_000).ttl(Duration::from_secs(10));
/// let portals = PortalVerifier::new(MemoryStore::new()).cache(cache);
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct TokenCache {
    capacity: u64,
    ttl: Duration,
    negative_ttl: Duration,
    stale_if_error: Duration,
}

impl TokenCache {
    /// The default of [`capacity`](Self::capacity): 10,000 portals.
    pub const DEFAULT_CAPACITY: u64 = 10_000;

    /// The default of [`ttl`](Self::ttl): 60 seconds.
    pub const DEFAULT_TIME_TO_LIVE: Duration = Duration::from_secs(60);

    /// The default of [`negative_ttl`](Self::negative_ttl): 1 second.
    pub const DEFAULT_REFUSAL_TIME_TO_LIVE: Duration = Duration::from_secs(1);

    /// The default of [`stale_if_error`](Self::stale_if_error): 1 hour.
    pub const DEFAULT_STALE_IF_ERROR: Duration = Duration::from_secs(60 * 60);

    /// A cache with the defaults.
    pub fn new() -> Self {
        Self {
            capacity: Self::DEFAULT_CAPACITY,
            ttl: Self::DEFAULT_TIME_TO_LIVE,
            negative_ttl: Self::DEFAULT_REFUSAL_TIME_TO_LIVE,
            stale_if_error: Self::DEFAULT_STALE_IF_ERROR,
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
    pub fn ttl(mut self, time: Duration) -> Self {
        self.ttl = time;
        self
    }

    /// How long a portal's tokens are rejected without asking the store;
    /// [1 second](Self::DEFAULT_REFUSAL_TIME_TO_LIVE) unless set. Keep it short: a token that
    /// another process has just recorded is rejected for so long, and nobody sends the event again.
    pub fn negative_ttl(mut self, time: Duration) -> Self {
        self.negative_ttl = time;
        self
    }

    /// Sets how long after its [`ttl`](Self::ttl) a token is still accepted while
    /// the store fails or does not answer in time.
    ///
    /// Bitrix24 never repeats an event, so what is rejected during an outage is lost: this is on
    /// unless it is set to zero. It costs that a token which **another** process removed just before
    /// the outage, or during it, is accepted for so long. A token that this process removed is not,
    /// nor is one whose own end has come. Nothing is ever rejected by what is stale, and
    /// installations and uninstallations are never decided by it. Each event that is accepted so
    /// is logged and counted ([`observe`](crate::telemetry)).
    ///
    /// Defaults to [1 hour](Self::DEFAULT_STALE_IF_ERROR).
    pub fn stale_if_error(mut self, time: Duration) -> Self {
        self.stale_if_error = time;
        self
    }
}

impl TokenCache {
    /// How long anything is of use.
    fn longest(&self) -> Duration {
        self.ttl.saturating_add(self.stale_if_error)
    }
}

impl Default for TokenCache {
    fn default() -> Self {
        Self::new()
    }
}

pub(in crate::portals) struct Cache {
    settings: TokenCache,
    entries: Entries<String, Entry>,
    /// The queries that are on their way. The lock also keeps what they found apart from changes;
    /// it is never held across an await.
    queries: Mutex<HashMap<String, Arc<Query>>>,
}

#[derive(Clone)]
struct Entry {
    tokens: Tokens,
    /// When the store had answered.
    answered: Instant,
}

pub(in crate::portals) type Tokens = Arc<[PortalToken]>;

/// What those that wait for the same query share.
type Query = OnceCell<Result<Tokens, Failure>>;

/// What an event is done with by the tokens.
#[derive(Clone, Copy)]
pub(in crate::portals) enum Use {
    Accept,
    Reject,
}

/// A failure of the store that several are told of, in its own words.
#[derive(Clone, Debug)]
struct Failure(Arc<VerifyError>);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Error::source(&*self.0) {
            Some(source) => write!(f, "{source}"),
            None => write!(f, "{}", self.0),
        }
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()?.source()
    }
}

/// Longer than anybody waits, and shorter than what moka takes.
const FOREVER: Duration = Duration::from_secs(100 * 365 * 86_400);

impl Cache {
    pub(in crate::portals) fn new(settings: TokenCache) -> Self {
        Self {
            entries: Entries::builder()
                .max_capacity(settings.capacity)
                .time_to_live(settings.longest().min(FOREVER))
                .build(),
            settings,
            queries: Mutex::default(),
        }
    }

    /// The portal's tokens, as fresh as their use wants them.
    pub(in crate::portals) async fn tokens<F>(
        &self,
        member_id: &str,
        to: Use,
        load: impl FnOnce() -> F,
    ) -> Result<Tokens, VerifyError>
    where
        F: Future<Output = Result<Tokens, VerifyError>>,
    {
        if let Some(tokens) = self.remembered(member_id, to) {
            return Ok(tokens);
        }
        let waiting = {
            let mut queries = self.queries();
            // A query may have been answered since.
            if let Some(tokens) = self.remembered(member_id, to) {
                return Ok(tokens);
            }
            Waiting {
                cache: self,
                member_id,
                query: queries.entry(member_id.to_owned()).or_default().clone(),
            }
        };
        let answer = waiting.query.get_or_init(async || {
            let answer = load().await.map_err(|error| Failure(Arc::new(error)));
            waiting.answered(&answer);
            answer
        });
        answer.await.clone().map_err(VerifyError::unavailable)
    }

    fn remembered(&self, member_id: &str, to: Use) -> Option<Tokens> {
        let age = match to {
            Use::Accept => self.settings.ttl,
            Use::Reject => self.settings.negative_ttl,
        };
        let entry = self.entries.get(member_id)?;
        (entry.answered.elapsed() < age).then_some(entry.tokens)
    }

    /// The portal's tokens as the store last said while it could, to accept an event by when it
    /// cannot.
    pub(in crate::portals) fn stale(&self, member_id: &str) -> Option<Tokens> {
        let entry = self.entries.get(member_id)?;
        let is_recent = entry.answered.elapsed() < self.settings.longest();
        let is_on = !self.settings.stale_if_error.is_zero();
        (is_on && is_recent).then_some(entry.tokens)
    }

    /// Whatever the store said of the portal up to now may be wrong.
    pub(in crate::portals) fn outdate(&self, member_id: &str) {
        let mut queries = self.queries();
        queries.remove(member_id);
        self.entries.invalidate(member_id);
    }

    /// Remembers `after` in place of `before`, if it is still that which is remembered.
    pub(in crate::portals) fn renew(&self, member_id: &str, before: &Tokens, after: Tokens) {
        let _queries = self.queries();
        if let Some(entry) = self.entries.get(member_id) {
            if Arc::ptr_eq(&entry.tokens, before) {
                let renewed = Entry {
                    tokens: after,
                    answered: entry.answered,
                };
                self.entries.insert(member_id.to_owned(), renewed);
            }
        }
    }

    fn queries(&self) -> MutexGuard<'_, HashMap<String, Arc<Query>>> {
        self.queries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One that waits for a query. The last to leave takes the query along.
struct Waiting<'a> {
    cache: &'a Cache,
    member_id: &'a str,
    query: Arc<Query>,
}

impl Waiting<'_> {
    /// Remembers what the store said, unless the portal was changed since it was asked.
    fn answered(&self, answer: &Result<Tokens, Failure>) {
        let mut queries = self.cache.queries();
        if !self.is_current(&queries) {
            return;
        }
        queries.remove(self.member_id);
        if let Ok(tokens) = answer {
            let entry = Entry {
                tokens: tokens.clone(),
                answered: Instant::now(),
            };
            self.cache.entries.insert(self.member_id.to_owned(), entry);
        }
    }

    fn is_current(&self, queries: &HashMap<String, Arc<Query>>) -> bool {
        let current = queries.get(self.member_id);
        current.is_some_and(|query| Arc::ptr_eq(query, &self.query))
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut queries = self.cache.queries();
        // The map has one, and this one has one.
        if self.is_current(&queries) && Arc::strong_count(&self.query) == 2 {
            queries.remove(self.member_id);
        }
    }
}
