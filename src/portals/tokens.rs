//! The tokens of one portal, with the one among them that a request presents.

use std::sync::Arc;

use super::clock::unix_now;
use super::store::hash::PresentedToken;
use super::store::token::{PortalToken, TokenKind};

pub(super) struct PortalTokens {
    pub(super) tokens: Arc<[PortalToken]>,
    /// The stored token that was presented.
    pub(super) matched: Option<PortalToken>,
}

impl PortalTokens {
    pub(super) fn new(tokens: Arc<[PortalToken]>, presented: &PresentedToken) -> Self {
        let matched = presented.find(&tokens, unix_now()).cloned();
        Self { tokens, matched }
    }

    /// Returns the matched token if it belongs to the application.
    pub(super) fn application(&self) -> Option<&PortalToken> {
        let is_application = |token: &&PortalToken| token.kind() == TokenKind::Application;
        self.matched.as_ref().filter(is_application)
    }

    /// Returns `true` if any token is valid. An expected installation is not a token.
    pub(super) fn has_valid(&self) -> bool {
        let now = unix_now();
        self.tokens
            .iter()
            .any(|token| token.kind() != TokenKind::Pending && token.is_valid(now))
    }

    pub(super) fn has_pending(&self) -> bool {
        let now = unix_now();
        self.tokens.iter().any(|token| token.is_pending(now))
    }
}
