//! Reads the tokens of portals through the cache, and changes them in one step of the store.

use std::collections::HashSet;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::timeout;

use super::clock::unix_now;
use super::store::TokenStore;
use super::store::cache::{Cache, Lookup};
use super::store::hash::PresentedToken;
use super::store::token::PortalToken;
use super::tokens::PortalTokens;
use super::uninstalls::VerifiedUninstalls;
use crate::verify::VerifyError;

/// Attempts to make a change while others change the same portal.
pub(super) const MAX_ATTEMPTS: usize = 32;

pub(super) struct TokenAccess<S> {
    store: Arc<S>,
    pub(super) timeout: Duration,
    pub(super) cache: Option<Arc<Cache>>,
    marking: MarkedPortals,
    pub(super) uninstalls: VerifiedUninstalls,
}

impl<S> TokenAccess<S> {
    pub(super) fn new(store: S, timeout: Duration) -> Self {
        Self {
            store: Arc::new(store),
            timeout,
            cache: None,
            marking: MarkedPortals::default(),
            uninstalls: VerifiedUninstalls::default(),
        }
    }

    /// Returns a guard for a change. It invalidates the cache when it is dropped, so also if the
    /// change is cancelled.
    pub(super) fn invalidate_on_drop<'a>(&'a self, member_id: &'a str) -> InvalidateGuard<'a> {
        InvalidateGuard {
            cache: self.cache.as_deref(),
            member_id,
        }
    }
}

impl<S: TokenStore> TokenAccess<S> {
    /// Returns the tokens from the store. A cache lacks what another process has changed.
    pub(super) async fn load(&self, member_id: &str) -> Result<Arc<[PortalToken]>, VerifyError> {
        let tokens = self.with_timeout(self.store.tokens(member_id)).await?;
        Ok(tokens.into())
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

    /// Changes the portal's tokens in one step. Repeats `change` if others have changed them in the
    /// meantime.
    pub(super) async fn change<T>(
        &self,
        member_id: &str,
        change: impl Fn(&mut Vec<PortalToken>) -> T,
    ) -> Result<T, VerifyError> {
        let _guard = self.invalidate_on_drop(member_id);
        for _ in 0..MAX_ATTEMPTS {
            let before = self.load(member_id).await?;
            let mut after = before.to_vec();
            let outcome = change(&mut after);
            if self.exchange(member_id, &before, &after).await? {
                return Ok(outcome);
            }
        }
        Err(contended())
    }

    pub(super) async fn exchange(
        &self,
        member_id: &str,
        expected: &[PortalToken],
        tokens: &[PortalToken],
    ) -> Result<bool, VerifyError> {
        if PortalToken::are_same(expected, tokens) {
            return Ok(true);
        }
        let exchange = self.store.compare_exchange(member_id, expected, tokens);
        self.with_timeout(exchange).await
    }

    async fn with_timeout<T>(
        &self,
        call: impl Future<Output = Result<T, S::Error>>,
    ) -> Result<T, VerifyError> {
        let limit = self.timeout;
        match timeout(limit, call).await {
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
            let exchanged = access.exchange(member_id, &before, &after).await;
            let Some(cache) = &access.cache else { return };
            match exchanged {
                Ok(true) => cache.renew(member_id, &before, after.into()),
                Ok(false) => cache.invalidate(member_id),
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
            uninstalls: self.uninstalls.clone(),
        }
    }
}

pub(super) fn contended() -> VerifyError {
    VerifyError::unavailable("the portal's tokens changed during every attempt to change them")
}

pub(super) struct InvalidateGuard<'a> {
    cache: Option<&'a Cache>,
    member_id: &'a str,
}

impl Drop for InvalidateGuard<'_> {
    fn drop(&mut self) {
        if let Some(cache) = self.cache {
            cache.invalidate(self.member_id);
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
