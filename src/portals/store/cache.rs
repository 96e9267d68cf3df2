//! `TokenCache`: a cache of tokens in front of a store.

use std::collections::HashMap;
use std::error::Error;
use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use moka::sync::Cache as Entries;
use tokio::sync::OnceCell;
use tokio::time::Instant;

use super::token::PortalToken;
use crate::verify::VerifyError;

/// A cache of the tokens in a store, so that a burst of events from a portal is not a burst of
/// queries.
///
/// Unknown portals are cached too; errors are not. Concurrent lookups of a portal share one query,
/// whatever its outcome. While the store fails, known tokens are still accepted
/// [for a time](Self::stale_if_error).
///
/// Changes by this process take effect at once. If **another** process changes the same database,
/// a removal takes effect within [`ttl`](Self::ttl), and a new token within
/// [`negative_ttl`](Self::negative_ttl). Installations and uninstallations are decided by the store
/// alone.
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
    pub const DEFAULT_TTL: Duration = Duration::from_secs(60);

    /// The default of [`negative_ttl`](Self::negative_ttl): 1 second.
    pub const DEFAULT_NEGATIVE_TTL: Duration = Duration::from_secs(1);

    /// The default of [`stale_if_error`](Self::stale_if_error): 1 hour.
    pub const DEFAULT_STALE_IF_ERROR: Duration = Duration::from_secs(60 * 60);

    /// Creates a cache with the defaults.
    pub fn new() -> Self {
        Self {
            capacity: Self::DEFAULT_CAPACITY,
            ttl: Self::DEFAULT_TTL,
            negative_ttl: Self::DEFAULT_NEGATIVE_TTL,
            stale_if_error: Self::DEFAULT_STALE_IF_ERROR,
        }
    }

    /// Sets the maximum number of cached portals. A portal with one token takes about half a
    /// kilobyte. Defaults to [10,000](Self::DEFAULT_CAPACITY).
    pub fn capacity(mut self, portals: u64) -> Self {
        self.capacity = portals;
        self
    }

    /// Sets how long a token is accepted without a query. Defaults to
    /// [60 seconds](Self::DEFAULT_TTL).
    pub fn ttl(mut self, time: Duration) -> Self {
        self.ttl = time;
        self
    }

    /// Sets how long unknown tokens of a portal are rejected without a query.
    ///
    /// Keep it short: a token that another process has just stored is rejected for so long, and the
    /// event is never repeated. Defaults to [1 second](Self::DEFAULT_NEGATIVE_TTL).
    pub fn negative_ttl(mut self, time: Duration) -> Self {
        self.negative_ttl = time;
        self
    }

    /// Sets how long after its [`ttl`](Self::ttl) a token is still accepted while the store fails or
    /// does not respond in time. Zero turns this off.
    ///
    /// Bitrix24 never repeats an event, so a rejection during an outage loses it. The cost: a token
    /// that **another** process removed just before the outage, or during it, is accepted for so
    /// long. A token that this process removed is not accepted, even if the removal failed, and neither
    /// is an expired one. An addition that fails leaves the other tokens of the portal accepted.
    ///
    /// Stale entries never reject anything, and never decide about installations and
    /// uninstallations. Each event that is accepted by one is logged and counted
    /// ([`telemetry`](crate::telemetry)).
    ///
    /// Defaults to [1 hour](Self::DEFAULT_STALE_IF_ERROR).
    pub fn stale_if_error(mut self, time: Duration) -> Self {
        self.stale_if_error = time;
        self
    }
}

impl TokenCache {
    fn max_age(&self) -> Duration {
        self.ttl.saturating_add(self.stale_if_error)
    }
}

impl Default for TokenCache {
    fn default() -> Self {
        Self::new()
    }
}

pub(in crate::portals) struct Cache {
    config: TokenCache,
    entries: Entries<String, Entry>,
    /// The queries that run. The lock also keeps their results apart from changes. It is never held
    /// across an await.
    flights: Mutex<HashMap<String, Arc<Query>>>,
}

#[derive(Clone)]
struct Entry {
    tokens: Tokens,
    fetched_at: Instant,
    /// `true` after a change: the entry is for a failing store alone.
    is_invalidated: bool,
}

pub(in crate::portals) type Tokens = Arc<[PortalToken]>;

type Query = OnceCell<Result<Tokens, SharedError>>;

#[derive(Clone, Copy)]
pub(in crate::portals) enum Lookup {
    /// An event is accepted by them.
    Positive,
    /// An event is rejected by them.
    Negative,
}

/// An error of the store for several callers, with the messages of the store's own.
#[derive(Clone, Debug)]
struct SharedError(Arc<VerifyError>);

impl fmt::Display for SharedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Error::source(&*self.0) {
            Some(source) => write!(f, "{source}"),
            None => write!(f, "{}", self.0),
        }
    }
}

impl Error for SharedError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()?.source()
    }
}

/// A hundred years; moka panics above a thousand.
const MAX_TTL: Duration = Duration::from_secs(100 * 365 * 86_400);

impl Cache {
    pub(in crate::portals) fn new(config: TokenCache) -> Self {
        Self {
            entries: Entries::builder()
                .max_capacity(config.capacity)
                .time_to_live(config.max_age().min(MAX_TTL))
                .build(),
            config,
            flights: Mutex::default(),
        }
    }

    /// Returns the portal's tokens, as fresh as the lookup needs them.
    pub(in crate::portals) async fn tokens<F>(
        &self,
        member_id: &str,
        lookup: Lookup,
        load: impl FnOnce() -> F,
    ) -> Result<Tokens, VerifyError>
    where
        F: Future<Output = Result<Tokens, VerifyError>>,
    {
        if let Some(tokens) = self.get(member_id, lookup) {
            return Ok(tokens);
        }
        let flight = {
            let mut flights = self.flights();
            // A query may have finished since.
            if let Some(tokens) = self.get(member_id, lookup) {
                return Ok(tokens);
            }
            Flight {
                cache: self,
                member_id,
                query: flights.entry(member_id.to_owned()).or_default().clone(),
            }
        };
        let loaded = flight.query.get_or_init(async || {
            let loaded = load().await.map_err(|error| SharedError(Arc::new(error)));
            flight.finish(&loaded);
            loaded
        });
        loaded.await.clone().map_err(VerifyError::unavailable)
    }

    fn get(&self, member_id: &str, lookup: Lookup) -> Option<Tokens> {
        let max_age = match lookup {
            Lookup::Positive => self.config.ttl,
            Lookup::Negative => self.config.negative_ttl,
        };
        let entry = self.entries.get(member_id)?;
        let is_fresh = !entry.is_invalidated && entry.fetched_at.elapsed() < max_age;
        is_fresh.then_some(entry.tokens)
    }

    /// Returns the portal's tokens to accept an event by while the store fails.
    pub(in crate::portals) fn stale(&self, member_id: &str) -> Option<Tokens> {
        if self.config.stale_if_error.is_zero() {
            return None;
        }
        let entry = self.entries.get(member_id)?;
        (entry.fetched_at.elapsed() < self.config.max_age()).then_some(entry.tokens)
    }

    /// Invalidates the entry and the results of queries that run, after a change that may have taken
    /// effect or not. The entry loses what `removal` removes.
    pub(in crate::portals) fn invalidate(
        &self,
        member_id: &str,
        removal: &dyn Fn(&mut Vec<PortalToken>),
    ) {
        let mut flights = self.flights();
        flights.remove(member_id);
        let Some(entry) = self.entries.get(member_id) else {
            return;
        };
        let mut left = entry.tokens.to_vec();
        removal(&mut left);
        self.insert_outdated(member_id, left.into(), entry.fetched_at);
    }

    /// Replaces the entry by what the store has now, for the case that it fails later. Otherwise the
    /// next lookup makes a query.
    pub(in crate::portals) fn keep_for_outage(&self, member_id: &str, tokens: Tokens) {
        let mut flights = self.flights();
        flights.remove(member_id);
        self.insert_outdated(member_id, tokens, Instant::now());
    }

    fn insert_outdated(&self, member_id: &str, tokens: Tokens, fetched_at: Instant) {
        if tokens.is_empty() {
            self.entries.invalidate(member_id);
            return;
        }
        let entry = Entry {
            tokens,
            fetched_at,
            is_invalidated: true,
        };
        self.entries.insert(member_id.to_owned(), entry);
    }

    /// Replaces the entry's tokens, if it still has those from `before`. Its age stays.
    pub(in crate::portals) fn renew(&self, member_id: &str, before: &Tokens, after: Tokens) {
        let _flights = self.flights();
        let Some(entry) = self.entries.get(member_id) else {
            return;
        };
        if Arc::ptr_eq(&entry.tokens, before) {
            let renewed = Entry {
                tokens: after,
                ..entry
            };
            self.entries.insert(member_id.to_owned(), renewed);
        }
    }

    fn flights(&self) -> MutexGuard<'_, HashMap<String, Arc<Query>>> {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A caller sharing a query. Dropping the last one removes the query.
struct Flight<'a> {
    cache: &'a Cache,
    member_id: &'a str,
    query: Arc<Query>,
}

impl Flight<'_> {
    /// Caches the tokens, unless the portal has changed since the query began.
    fn finish(&self, loaded: &Result<Tokens, SharedError>) {
        let mut flights = self.cache.flights();
        if !self.is_current(&flights) {
            return;
        }
        flights.remove(self.member_id);
        if let Ok(tokens) = loaded {
            let entry = Entry {
                tokens: tokens.clone(),
                fetched_at: Instant::now(),
                is_invalidated: false,
            };
            self.cache.entries.insert(self.member_id.to_owned(), entry);
        }
    }

    fn is_current(&self, flights: &HashMap<String, Arc<Query>>) -> bool {
        let current = flights.get(self.member_id);
        current.is_some_and(|query| Arc::ptr_eq(query, &self.query))
    }
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        let mut flights = self.cache.flights();
        // The map has one reference, and this caller the other.
        if self.is_current(&flights) && Arc::strong_count(&self.query) == 2 {
            flights.remove(self.member_id);
        }
    }
}
