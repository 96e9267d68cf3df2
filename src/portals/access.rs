//! Reads the tokens of portals through the cache, and changes them in one step of the store.

use std::collections::HashSet;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::clock::unix_now;
use super::store::TokenStore;
use super::store::cache::{Cache, Lookup};
use super::store::hash::PresentedToken;
use super::store::token::PortalToken;
use super::tokens::PortalTokens;
use super::turns::{Attempts, Turns};
use super::uninstalls::VerifiedUninstalls;
use crate::verify::VerifyError;

pub(super) struct TokenAccess<S> {
    store: Arc<S>,
    pub(super) timeout: Duration,
    pub(super) cache: Option<Arc<Cache>>,
    marking: MarkedPortals,
    pub(super) turns: Turns,
    pub(super) uninstalls: VerifiedUninstalls,
}

impl<S> TokenAccess<S> {
    pub(super) fn new(store: S, timeout: Duration) -> Self {
        Self {
            store: Arc::new(store),
            timeout,
            cache: None,
            marking: MarkedPortals::default(),
            turns: Turns::default(),
            uninstalls: VerifiedUninstalls::default(),
        }
    }

    /// Begins the attempts to change a portal's tokens, which have one deadline.
    pub(super) fn attempts(&self) -> Attempts {
        Attempts::new(self.timeout)
    }

    /// Returns a guard for a change, which updates the cache when it is dropped, so also if the
    /// change fails or is cancelled.
    pub(super) fn guard<'a>(&'a self, member_id: &'a str, removal: Removal<'a>) -> CacheGuard<'a> {
        CacheGuard {
            cache: self.cache.as_deref(),
            member_id,
            removal,
            stored: None,
        }
    }
}

impl<S: TokenStore> TokenAccess<S> {
    /// Returns the tokens from the store. A cache lacks what another process has changed.
    pub(super) async fn load(&self, member_id: &str) -> Result<Arc<[PortalToken]>, VerifyError> {
        let tokens = self
            .with_timeout(None, self.store.tokens(member_id))
            .await?;
        Ok(tokens.into())
    }

    pub(super) async fn load_until(
        &self,
        deadline: Instant,
        member_id: &str,
    ) -> Result<Arc<[PortalToken]>, VerifyError> {
        let call = self.store.tokens(member_id);
        Ok(self.with_timeout(Some(deadline), call).await?.into())
    }

    /// Returns the tokens from the cache, if those match the presented token.
    pub(super) async fn look_up(
        &self,
        member_id: &str,
        presented: &PresentedToken,
    ) -> Result<PortalTokens, VerifyError> {
        let Some(cache) = &self.cache else {
            return Ok(PortalTokens::new(self.load(member_id).await?, presented));
        };
        let cached = |lookup| cache.tokens(member_id, lookup, || self.load(member_id));
        let portal = match cached(Lookup::Positive).await {
            Ok(tokens) => PortalTokens::new(tokens, presented),
            Err(error) => {
                let Some(stale) = cache.stale(member_id) else {
                    return Err(error);
                };
                let portal = PortalTokens::new(stale, presented);
                if portal.matched.is_none() {
                    return Err(error);
                }
                crate::telemetry::accepted_stale(member_id, &error);
                return Ok(portal);
            }
        };
        if portal.matched.is_some() {
            return Ok(portal);
        }
        let tokens = cached(Lookup::Negative).await?;
        Ok(PortalTokens::new(tokens, presented))
    }

    /// Changes the portal's tokens in one step. Repeats `change` if another process has changed them
    /// in the meantime. If it fails, the cache keeps the tokens for an outage.
    pub(super) async fn change<T>(
        &self,
        member_id: &str,
        change: impl Fn(&mut Vec<PortalToken>) -> T,
    ) -> Result<T, VerifyError> {
        let guard = self.guard(member_id, &|_| {});
        self.exchange_changed(guard, change).await
    }

    /// Removes tokens as [`change`](Self::change) does, and from the cache even if it fails.
    pub(super) async fn remove<T>(
        &self,
        member_id: &str,
        removal: impl Fn(&mut Vec<PortalToken>) -> T + Sync,
    ) -> Result<T, VerifyError> {
        let without_outcome = |tokens: &mut Vec<PortalToken>| {
            removal(tokens);
        };
        let guard = self.guard(member_id, &without_outcome);
        self.exchange_changed(guard, &removal).await
    }

    async fn exchange_changed<T>(
        &self,
        mut guard: CacheGuard<'_>,
        change: impl Fn(&mut Vec<PortalToken>) -> T,
    ) -> Result<T, VerifyError> {
        let member_id = guard.member_id;
        let mut attempts = self.attempts();
        let deadline = attempts.deadline;
        let _turn = self.turns.take(member_id, deadline).await?;
        loop {
            let before = self.load_until(deadline, member_id).await?;
            let mut after = before.to_vec();
            let outcome = change(&mut after);
            let exchange = self.exchange(Some(deadline), member_id, &before, &after);
            if exchange.await? {
                guard.stored(after);
                return Ok(outcome);
            }
            attempts.pause().await?;
        }
    }

    pub(super) async fn exchange(
        &self,
        deadline: Option<Instant>,
        member_id: &str,
        expected: &[PortalToken],
        tokens: &[PortalToken],
    ) -> Result<bool, VerifyError> {
        if PortalToken::are_same(expected, tokens) {
            return Ok(true);
        }
        let exchange = self.store.compare_exchange(member_id, expected, tokens);
        self.with_timeout(deadline, exchange).await
    }

    async fn with_timeout<T>(
        &self,
        deadline: Option<Instant>,
        call: impl Future<Output = Result<T, S::Error>>,
    ) -> Result<T, VerifyError> {
        let limit = self.timeout;
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        // In a box, since the calls of databases are large and all futures here would contain them.
        let call = Box::pin(call);
        match timeout(left.map_or(limit, |left| left.min(limit)), call).await {
            Ok(result) => result.map_err(VerifyError::unavailable),
            Err(_) => Err(VerifyError::unavailable(format!(
                "the token store did not respond within {limit:?}"
            ))),
        }
    }
}

impl<S: TokenStore + 'static> TokenAccess<S> {
    /// Stores, once for each token, that events use it. The event does not wait for it. If it fails,
    /// the next event repeats it.
    pub(super) fn mark_used(&self, member_id: &str, portal: &PortalTokens) {
        let unused = portal
            .application()
            .filter(|token| token.used_at().is_none());
        let Some(unused) = unused else { return };
        let Some(marking) = MarkGuard::begin(&self.marking, member_id) else {
            return;
        };
        let before = portal.tokens.clone();
        let mut after = before.to_vec();
        for token in &mut after {
            if token.encoded() == unused.encoded() {
                *token = token.clone().with_used_at(unix_now());
            }
        }
        let access = self.clone();
        tokio::spawn(async move {
            let member_id = &*marking.member_id;
            let exchanged = access.exchange(None, member_id, &before, &after).await;
            let Some(cache) = &access.cache else { return };
            match exchanged {
                Ok(true) => cache.renew(member_id, &before, after.into()),
                Ok(false) => cache.invalidate(member_id, &|_| {}),
                // The entry is right, and may be needed while the store is down.
                Err(_) => {}
            }
        });
    }
}

impl<S> Clone for TokenAccess<S> {
    fn clone(&self) -> Self {
        Self {
            store: self.store.clone(),
            timeout: self.timeout,
            cache: self.cache.clone(),
            marking: self.marking.clone(),
            turns: self.turns.clone(),
            uninstalls: self.uninstalls.clone(),
        }
    }
}

type Removal<'a> = &'a (dyn Fn(&mut Vec<PortalToken>) + Sync);

/// A change may have taken effect or not, unless its tokens are [`stored`](Self::stored).
pub(super) struct CacheGuard<'a> {
    cache: Option<&'a Cache>,
    member_id: &'a str,
    removal: Removal<'a>,
    stored: Option<Vec<PortalToken>>,
}

impl CacheGuard<'_> {
    pub(super) fn stored(&mut self, tokens: Vec<PortalToken>) {
        self.stored = Some(tokens);
    }
}

impl Drop for CacheGuard<'_> {
    fn drop(&mut self) {
        let Some(cache) = self.cache else { return };
        match self.stored.take() {
            Some(tokens) => cache.keep_for_outage(self.member_id, tokens.into()),
            None => cache.invalidate(self.member_id, self.removal),
        }
    }
}

/// The portals of which a token is being marked as used.
type MarkedPortals = Arc<Mutex<HashSet<Box<str>>>>;

struct MarkGuard {
    all: MarkedPortals,
    member_id: Box<str>,
}

impl MarkGuard {
    /// Returns `None` if the portal is being marked already.
    fn begin(all: &MarkedPortals, member_id: &str) -> Option<Self> {
        let is_first = all
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(member_id.into());
        is_first.then(|| Self {
            all: all.clone(),
            member_id: member_id.into(),
        })
    }
}

impl Drop for MarkGuard {
    fn drop(&mut self) {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.remove(&self.member_id);
    }
}
