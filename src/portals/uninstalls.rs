//! The tokens that verified uninstallations remove.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::store::token::{PortalToken, TokenKind};

/// Bounds the uninstallations that are verified and never handled.
const MAX_VERIFIED: usize = 1024;

/// The application's tokens of portals, at the time their uninstallation was verified.
///
/// The clocks of portals differ from ours, so times alone do not tell whether an installation was
/// accepted during an uninstallation.
#[derive(Clone, Default)]
pub(super) struct VerifiedUninstalls(Arc<Mutex<VecDeque<Verified>>>);

struct Verified {
    member_id: Box<str>,
    ts: Option<i64>,
    tokens: Vec<PortalToken>,
}

impl VerifiedUninstalls {
    pub(super) fn insert(&self, member_id: &str, ts: Option<i64>, tokens: &[PortalToken]) {
        let mut all = self.lock();
        if all.len() >= MAX_VERIFIED {
            all.pop_front();
        }
        let of_application = |token: &&PortalToken| token.kind() == TokenKind::Application;
        all.push_back(Verified {
            member_id: member_id.into(),
            ts,
            tokens: tokens.iter().filter(of_application).cloned().collect(),
        });
    }

    /// Returns the tokens of the uninstallation's first verification, once.
    pub(super) fn take(&self, member_id: &str, ts: Option<i64>) -> Option<Vec<PortalToken>> {
        let mut all = self.lock();
        let position = all
            .iter()
            .position(|verified| &*verified.member_id == member_id && verified.ts == ts)?;
        all.remove(position).map(|verified| verified.tokens)
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Verified>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verified_uninstalls_are_taken_once_and_bounded() {
        let all = VerifiedUninstalls::default();
        for ts in 0..2_000 {
            all.insert("a", Some(ts), &[]);
        }
        assert_eq!(all.lock().len(), MAX_VERIFIED);
        assert!(all.take("a", Some(1)).is_none());
        assert!(all.take("b", Some(1_999)).is_none());
        assert!(all.take("a", Some(1_999)).is_some());
        assert!(all.take("a", Some(1_999)).is_none());
    }
}
