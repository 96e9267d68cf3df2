//! `MemoryStore`: tokens in memory.

use std::collections::HashMap;
use std::convert::Infallible;
use std::fmt;
use std::hint::black_box;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::TokenStore;
use super::token::{PortalToken, TokenKind};
use crate::secret::Secret;

/// Of a token of 32 bytes that is not hashed.
const TYPICAL_LEN: usize = 38;

/// A [`TokenStore`] in memory, for development and tests.
///
/// Its tokens are gone when the process ends, and then all events of the portals are rejected. Clones
/// share the tokens.
#[derive(Clone, Default)]
pub struct MemoryStore {
    portals: Arc<Mutex<HashMap<Box<str>, Vec<PortalToken>>>>,
}

impl MemoryStore {
    /// Creates a store without portals.
    pub fn new() -> Self {
        Self::default()
    }

    fn portals(&self) -> MutexGuard<'_, HashMap<Box<str>, Vec<PortalToken>>> {
        self.portals.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns no tokens, with the allocations of one, so that the time does not reveal whether a portal is
/// known.
fn none() -> Vec<PortalToken> {
    let encoded = Secret::new("-".repeat(TYPICAL_LEN));
    let mut tokens = black_box(vec![PortalToken::new(TokenKind::Application, encoded)]);
    tokens.clear();
    tokens
}

impl TokenStore for MemoryStore {
    type Error = Infallible;

    async fn tokens(&self, member_id: &str) -> Result<Vec<PortalToken>, Infallible> {
        let known = self.portals().get(member_id).cloned();
        Ok(known.unwrap_or_else(none))
    }

    async fn compare_exchange(
        &self,
        member_id: &str,
        expected: &[PortalToken],
        tokens: &[PortalToken],
    ) -> Result<bool, Infallible> {
        let mut portals = self.portals();
        let known = portals.get(member_id).map(Vec::as_slice);
        if !PortalToken::are_same(known.unwrap_or_default(), expected) {
            return Ok(false);
        }
        if tokens.is_empty() {
            portals.remove(member_id);
        } else {
            portals.insert(member_id.into(), tokens.to_vec());
        }
        Ok(true)
    }
}

/// Shows the number of portals, and no token.
impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore")
            .field("portals", &self.portals().len())
            .finish()
    }
}
