//! The cache without the feature `cache`: there is never one.

use std::future::Future;
use std::sync::Arc;

use super::token::PortalToken;
use crate::verify::VerifyError;

pub(in crate::portals) type Tokens = Arc<[PortalToken]>;

pub(in crate::portals) enum Cache {}

#[derive(Clone, Copy)]
pub(in crate::portals) enum Lookup {
    Positive,
    Negative,
}

impl Cache {
    #[allow(clippy::unused_async, reason = "the cache waits for the store")]
    pub(in crate::portals) async fn tokens<F>(
        &self,
        _member_id: &str,
        _lookup: Lookup,
        _load: impl FnOnce() -> F,
    ) -> Result<Tokens, VerifyError>
    where
        F: Future<Output = Result<Tokens, VerifyError>>,
    {
        match *self {}
    }

    pub(in crate::portals) fn stale(&self, _member_id: &str) -> Option<Tokens> {
        match *self {}
    }

    pub(in crate::portals) fn invalidate(
        &self,
        _member_id: &str,
        _removal: &dyn Fn(&mut Vec<PortalToken>),
    ) {
        match *self {}
    }

    pub(in crate::portals) fn keep_for_outage(&self, _member_id: &str, _tokens: Tokens) {
        match *self {}
    }

    pub(in crate::portals) fn renew(&self, _member_id: &str, _before: &Tokens, _after: Tokens) {
        match *self {}
    }
}
