//! Applies installs, updates and uninstalls to the tokens of a portal.
//!
//! Nothing here waits or stores: the functions decide, and the verifier acts on what they return.

use std::time::Duration;

use super::claim::{InstallClaim, InstallTime};
use super::clock::{unix_after, unix_now};
use super::introspection::Introspect;
use super::policy::Policy;
use super::store::hash::PresentedToken;
use super::store::token::{PortalToken, TokenKind, pending, upsert};
use super::tokens::PortalTokens;
use super::uninstalls::VerifiedUninstall;
use crate::secret::Secret;

pub(super) enum Decision<'a> {
    Accept,
    Reject,
    Introspect(&'a dyn Introspect, &'a Secret),
    /// Accept if the portal's tokens become these.
    Replace(Vec<PortalToken>),
}

pub(super) struct Install<'a> {
    pub(super) policy: &'a Policy,
    pub(super) grace: Duration,
    pub(super) claim: &'a InstallClaim,
    pub(super) presented: &'a PresentedToken,
}

impl<'a> Install<'a> {
    pub(super) fn decide(&self, portal: &PortalTokens, is_introspected: bool) -> Decision<'a> {
        let now = unix_now();
        let token = PortalToken::new(TokenKind::Application, self.presented.to_store())
            .with_issued_at(match self.claim.time {
                // Not ahead of our clock: a later token could never replace it.
                InstallTime::Portal(ts) => ts.map(|ts| ts.min(now)),
                InstallTime::Now => Some(issued_now(&portal.tokens)),
            });
        let matched = portal.application();
        let current = matched.filter(|token| token.is_current());
        if let Some(current) = current {
            if token.issued_at() < current.issued_at() {
                return Decision::Accept;
            }
            // Stored again, so that an uninstallation from before it is late.
        } else if let Some(introspection) = self.introspection(is_introspected) {
            return introspection;
        } else if !self.is_allowed(portal) {
            return if matched.is_some() {
                // Superseded, but within its grace period.
                Decision::Accept
            } else {
                Decision::Reject
            };
        }
        let mut tokens = portal.tokens.to_vec();
        if matches!(self.policy, Policy::CompletePending) && current.is_none() {
            tokens.retain(|token| !token.is_pending(now));
        }
        activate_token(&mut tokens, token, now, unix_after(now, self.grace));
        Decision::Replace(tokens)
    }

    fn introspection(&self, is_introspected: bool) -> Option<Decision<'a>> {
        let Policy::Introspect(introspection) = self.policy else {
            return None;
        };
        let access_token = self.claim.access_token.as_ref()?;
        if is_introspected {
            return None;
        }
        Some(Decision::Introspect(&**introspection, access_token))
    }

    fn is_allowed(&self, portal: &PortalTokens) -> bool {
        match self.policy {
            Policy::Reject => false,
            Policy::TrustOnFirstUse => self.claim.is_new_install && !portal.has_valid(),
            Policy::CompletePending => portal.has_pending(),
            // Introspection has succeeded, unless there was nothing to introspect.
            Policy::Introspect(_) => self.claim.access_token.is_some(),
        }
    }
}

/// Returns `true` if an uninstallation of this time is that of the current installation.
pub(super) fn is_current_uninstall(portal: &PortalTokens, ts: Option<i64>) -> bool {
    portal
        .application()
        .is_some_and(|token| token.is_current() && !token.is_issued_after(ts))
}

/// Removes the application's tokens except those of a later installation: the ones that were not
/// `verified` with the uninstallation, or were installed again since.
pub(super) fn uninstall(
    tokens: &mut Vec<PortalToken>,
    ts: Option<i64>,
    verified: Option<&VerifiedUninstall>,
) {
    let ts = ts.map(|ts| ts.min(unix_now()));
    tokens.retain(|token| {
        if token.kind() != TokenKind::Application {
            return true;
        }
        let Some(verified) = verified else {
            return token.is_issued_after(ts);
        };
        let of_verified = verified
            .tokens
            .iter()
            .find(|other| other.encoded() == token.encoded());
        of_verified.is_none_or(|other| is_installed_again(token, other, verified.ts))
    });
}

/// Returns `true` if the token was installed again since it was like `before`, and not only by an
/// installation from before the uninstallation at `ts`, which was repeated or is late.
fn is_installed_again(token: &PortalToken, before: &PortalToken, ts: Option<i64>) -> bool {
    let is_from_before = token
        .issued_at()
        .zip(ts)
        .is_some_and(|(issued_at, ts)| issued_at < ts);
    token.issued_at() > before.issued_at()
        || (token.added_at() > before.added_at() && !is_from_before)
}

pub(super) fn set_token(tokens: &mut Vec<PortalToken>, encoded: Secret, grace: Duration) {
    let now = unix_now();
    let issued_at = issued_now(tokens);
    let token = PortalToken::new(TokenKind::Application, encoded).with_issued_at(issued_at);
    activate_token(tokens, token, now, unix_after(now, grace));
}

pub(super) fn expect_install(tokens: &mut Vec<PortalToken>, within: Duration) {
    upsert(tokens, pending(unix_after(unix_now(), within)));
}

/// The clock of a portal may be this many seconds behind ours.
const MAX_CLOCK_SKEW: i64 = 60;

/// Returns a time on the portal's clock for a token that is issued now. A real uninstallation is not
/// from before it if the portal's clock is behind, and the token is not late if it is ahead.
fn issued_now(tokens: &[PortalToken]) -> i64 {
    let now = unix_now();
    let issued_at = now.saturating_sub(MAX_CLOCK_SKEW);
    let Some(latest) = latest_issued_at(tokens) else {
        return issued_at;
    };
    // Later than the current one, even within a second, but not ahead of our clock.
    let later = latest.saturating_add(1).min(latest.max(now));
    later.max(issued_at)
}

/// Makes a verified token the current one, and lets the previous ones end at `end`. If the current
/// token was issued later, the verified one is late, and it ends at `end` instead.
fn activate_token(tokens: &mut Vec<PortalToken>, token: PortalToken, now: i64, end: i64) {
    let same = tokens
        .iter()
        .find(|other| other.encoded() == token.encoded() && other.kind() == token.kind());
    let (added_at, used_at) = match same {
        // Within a second, only this shows that it was installed again.
        Some(same) if same.is_current() && same.issued_at() == token.issued_at() => {
            (Some(next_free_added_at(tokens, same)), same.used_at())
        }
        Some(same) => (same.added_at(), same.used_at()),
        None => (Some(next_added_at(tokens, now)), None),
    };
    let token = token.with_added_at(added_at).with_used_at(used_at);
    let is_late = tokens
        .iter()
        .any(|other| other.is_current() && other.is_issued_after(token.issued_at()));
    if is_late {
        upsert(tokens, token.with_expires_at(end));
    } else {
        for other in tokens
            .iter_mut()
            .filter(|other| other.kind() == TokenKind::Application)
        {
            let expires_at = other.expires_at().map_or(end, |earlier| earlier.min(end));
            *other = other.clone().with_expires_at(expires_at);
        }
        upsert(tokens, token);
    }
    tokens.retain(|token| token.is_valid(now));
    prune(tokens);
}

/// Distinct for the tokens of a portal, so that they have an order even within one second.
fn next_added_at(tokens: &[PortalToken], now: i64) -> i64 {
    let latest = tokens.iter().filter_map(PortalToken::added_at).max();
    latest.map_or(now, |latest| now.max(latest.saturating_add(1)))
}

/// Keeps the order of the tokens, unless the token after this one was added a second later.
fn next_free_added_at(tokens: &[PortalToken], token: &PortalToken) -> i64 {
    let next = token.added_at().map_or(0, |at| at.saturating_add(1));
    let is_free = |at: &i64| tokens.iter().all(|token| token.added_at() != Some(*at));
    (next..=i64::MAX).find(is_free).unwrap_or(next)
}

fn latest_issued_at(tokens: &[PortalToken]) -> Option<i64> {
    let current = tokens.iter().filter(|token| token.is_current());
    current.filter_map(PortalToken::issued_at).max()
}

/// Bounds what a sender with many verified installations can store.
const MAX_PREVIOUS_TOKENS: usize = 8;

/// Removes the previous tokens above [`MAX_PREVIOUS_TOKENS`]: first the unused ones, the youngest of
/// them first. The oldest is never removed, so that many installations do not end the grace period of
/// the token from before them.
fn prune(tokens: &mut Vec<PortalToken>) {
    let mut previous: Vec<PortalToken> = tokens
        .iter()
        .filter(|token| token.kind() == TokenKind::Application && token.expires_at().is_some())
        .cloned()
        .collect();
    // By our own clock, since an event may claim any time.
    previous.sort_by_key(PortalToken::added_at);
    if let Some(younger) = previous.get_mut(1..) {
        younger.sort_by_key(|token| token.used_at().is_none());
    }
    for pruned in previous.iter().skip(MAX_PREVIOUS_TOKENS) {
        tokens.retain(|token| token.encoded() != pruned.encoded());
    }
}
