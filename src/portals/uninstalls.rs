//! The tokens that verified uninstallations remove.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::clock::unix_now;
use super::store::token::{PortalToken, TokenKind};

/// Bounds the uninstallations that are verified and never handled.
const MAX_VERIFIED: usize = 1024;

/// So that one portal does not evict those of others.
const MAX_VERIFIED_PER_PORTAL: usize = 16;

/// The application's tokens of portals, at the time their uninstallation was verified.
///
/// The clocks of portals differ from ours, so times alone do not show whether an installation was
/// accepted during an uninstallation.
#[derive(Clone, Default)]
pub(super) struct VerifiedUninstalls(Arc<Mutex<VecDeque<Verified>>>);

struct Verified {
    member_id: Box<str>,
    ts: Option<i64>,
    uninstall: VerifiedUninstall,
}

pub(super) struct VerifiedUninstall {
    pub(super) tokens: Vec<PortalToken>,
    /// Not ahead of our clock, as the times of installations after it.
    pub(super) ts: Option<i64>,
}

impl VerifiedUninstalls {
    pub(super) fn insert(&self, member_id: &str, ts: Option<i64>, tokens: &[PortalToken]) {
        let mut all = self.lock();
        let is_of_portal = |other: &Verified| &*other.member_id == member_id;
        let of_portal = all.iter().filter(|other| is_of_portal(other)).count();
        if of_portal >= MAX_VERIFIED_PER_PORTAL {
            let oldest = all.iter().position(is_of_portal);
            oldest.map(|oldest| all.remove(oldest));
        } else if all.len() >= MAX_VERIFIED {
            all.pop_front();
        }
        let of_application = |token: &&PortalToken| token.kind() == TokenKind::Application;
        all.push_back(Verified {
            member_id: member_id.into(),
            ts,
            uninstall: VerifiedUninstall {
                tokens: tokens.iter().filter(of_application).cloned().collect(),
                ts: ts.map(|ts| ts.min(unix_now())),
            },
        });
    }

    /// Returns the tokens of the uninstallation's first verification, once.
    pub(super) fn take(&self, member_id: &str, ts: Option<i64>) -> Option<VerifiedUninstall> {
        let mut all = self.lock();
        let position = all
            .iter()
            .position(|verified| &*verified.member_id == member_id && verified.ts == ts)?;
        all.remove(position).map(|verified| verified.uninstall)
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
        for at in 0..2_000 {
            all.insert(&at.to_string(), Some(at), &[]);
        }
        assert_eq!(all.lock().len(), MAX_VERIFIED);
        assert!(all.take("1", Some(1)).is_none());
        assert!(all.take("b", Some(1_999)).is_none());
        assert!(all.take("1999", Some(1_999)).is_some());
        assert!(all.take("1999", Some(1_999)).is_none());
    }

    #[test]
    fn verified_uninstalls_of_one_portal_do_not_evict_those_of_others() {
        let all = VerifiedUninstalls::default();
        all.insert("other", Some(1), &[]);
        for ts in 0..2_000 {
            all.insert("flood", Some(ts), &[]);
        }
        assert_eq!(all.lock().len(), 1 + MAX_VERIFIED_PER_PORTAL);
        assert!(all.take("other", Some(1)).is_some());
        assert!(all.take("flood", Some(1_983)).is_none());
        assert!(all.take("flood", Some(1_984)).is_some());
    }
}
