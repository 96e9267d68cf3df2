use std::collections::HashMap;
use std::convert::Infallible;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{PortalToken, TokenKind, TokenStore};
use crate::Secret;

/// A [`TokenStore`] in memory, for development and tests: what it knows is gone when the process
/// ends, and with it every portal's events.
#[derive(Default)]
pub struct MemoryStore {
    portals: Mutex<HashMap<Box<str>, Vec<PortalToken>>>,
}

impl MemoryStore {
    /// A store without portals.
    pub fn new() -> Self {
        Self::default()
    }

    fn portals(&self) -> MutexGuard<'_, HashMap<Box<str>, Vec<PortalToken>>> {
        // Nothing that may panic happens under the lock.
        self.portals.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TokenStore for MemoryStore {
    type Error = Infallible;

    async fn tokens(&self, member_id: &str) -> Result<Vec<PortalToken>, Infallible> {
        Ok(self.portals().get(member_id).cloned().unwrap_or_default())
    }

    async fn add(&self, member_id: &str, token: PortalToken) -> Result<(), Infallible> {
        put(self.portals().entry(member_id.into()).or_default(), token);
        Ok(())
    }

    async fn add_first(&self, member_id: &str, token: PortalToken) -> Result<bool, Infallible> {
        let mut portals = self.portals();
        let is_first = !portals.contains_key(member_id);
        if is_first {
            portals.insert(member_id.into(), vec![token]);
        }
        Ok(is_first)
    }

    async fn replace(
        &self,
        member_id: &str,
        token: PortalToken,
        end: i64,
    ) -> Result<(), Infallible> {
        let mut portals = self.portals();
        supersede(portals.entry(member_id.into()).or_default(), token, end);
        Ok(())
    }

    async fn complete(
        &self,
        member_id: &str,
        token: PortalToken,
        end: i64,
        now: i64,
    ) -> Result<bool, Infallible> {
        let mut portals = self.portals();
        let Some(tokens) = portals.get_mut(member_id) else {
            return Ok(false);
        };
        let pending =
            |token: &PortalToken| token.kind() == TokenKind::Pending && token.is_valid(now);
        let Some(at) = tokens.iter().position(pending) else {
            return Ok(false);
        };
        tokens.remove(at);
        supersede(tokens, token, end);
        Ok(true)
    }

    async fn remove_token(&self, member_id: &str, stored: &Secret) -> Result<bool, Infallible> {
        let mut portals = self.portals();
        let Some(tokens) = portals.get_mut(member_id) else {
            return Ok(false);
        };
        let before = tokens.len();
        tokens.retain(|token| token.stored() != stored);
        let removed = tokens.len() < before;
        if tokens.is_empty() {
            portals.remove(member_id);
        }
        Ok(removed)
    }

    async fn remove(&self, member_id: &str) -> Result<bool, Infallible> {
        Ok(self.portals().remove(member_id).is_some())
    }
}

/// Adds the token and lets the others of its kind end.
fn supersede(tokens: &mut Vec<PortalToken>, token: PortalToken, end: i64) {
    for other in tokens
        .iter_mut()
        .filter(|other| other.kind() == token.kind())
    {
        let ends = other.expires().map_or(end, |earlier| earlier.min(end));
        *other = other.clone().expires_at(ends);
    }
    put(tokens, token);
}

/// Adds the token in place of the one with its text.
fn put(tokens: &mut Vec<PortalToken>, token: PortalToken) {
    tokens.retain(|other| other.stored() != token.stored());
    tokens.push(token);
}

/// Shows how many portals it knows.
impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore")
            .field("portals", &self.portals().len())
            .finish()
    }
}
