use std::error::Error;
use std::future::Future;
use std::sync::Arc;

use super::PortalToken;
use crate::Secret;

/// Keeps the tokens of portals, several for each, by the portal's `member_id`.
///
/// Implement it to keep tokens in a database of one's own: the module `testing::token_store`
/// (feature `testing`) checks every rule here against an implementation. A store keeps what it is
/// given and decides nothing: [`Portals`](super::Portals) compares tokens, hashes them, and knows
/// which have ended.
///
/// A member id has 1 to 128 bytes and a token's text 1 to 512, neither with control characters (a
/// database may refuse them): [`Portals`](super::Portals) refuses others before a store sees them.
/// Both are compared byte for byte.
///
/// Every call is one step that others see whole or not at all, also those of other instances of the
/// application that share the database. A call may be given up at any time, and must then have
/// happened or not.
pub trait TokenStore: Send + Sync {
    /// What went wrong with the store. It is logged, so keep tokens out of it.
    type Error: Into<Box<dyn Error + Send + Sync>>;

    /// The tokens of the portal in any order, those that have ended too; none where the portal is
    /// not known.
    fn tokens(
        &self,
        member_id: &str,
    ) -> impl Future<Output = Result<Vec<PortalToken>, Self::Error>> + Send;

    /// Adds a token to those of the portal. One with the same text is replaced by it.
    fn add(
        &self,
        member_id: &str,
        token: PortalToken,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// Adds the token if the portal has none of any kind, and says whether it did. Of two that add
    /// a first token at once, one does.
    fn add_first(
        &self,
        member_id: &str,
        token: PortalToken,
    ) -> impl Future<Output = Result<bool, Self::Error>> + Send;

    /// Adds the token as [`add`](Self::add) does, and lets the portal's other tokens of the same
    /// [kind](PortalToken::kind) end at `end` (unix seconds), or earlier where they would have.
    fn replace(
        &self,
        member_id: &str,
        token: PortalToken,
        end: i64,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// Where the portal has a [pending](super::TokenKind::Pending) token that has not ended at
    /// `now`, removes that and does as [`replace`](Self::replace); says whether it had one. Of two
    /// that complete at once, one does.
    fn complete(
        &self,
        member_id: &str,
        token: PortalToken,
        end: i64,
        now: i64,
    ) -> impl Future<Output = Result<bool, Self::Error>> + Send;

    /// Removes the portal's token with this [text](PortalToken::stored), and says whether it was
    /// there. Of two that remove it at once, one did.
    fn remove_token(
        &self,
        member_id: &str,
        stored: &Secret,
    ) -> impl Future<Output = Result<bool, Self::Error>> + Send;

    /// Removes all tokens of the portal, and says whether there were any.
    fn remove(&self, member_id: &str) -> impl Future<Output = Result<bool, Self::Error>> + Send;
}

impl<S: TokenStore + ?Sized> TokenStore for Arc<S> {
    type Error = S::Error;

    fn tokens(
        &self,
        member_id: &str,
    ) -> impl Future<Output = Result<Vec<PortalToken>, Self::Error>> + Send {
        (**self).tokens(member_id)
    }

    fn add(
        &self,
        member_id: &str,
        token: PortalToken,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send {
        (**self).add(member_id, token)
    }

    fn add_first(
        &self,
        member_id: &str,
        token: PortalToken,
    ) -> impl Future<Output = Result<bool, Self::Error>> + Send {
        (**self).add_first(member_id, token)
    }

    fn replace(
        &self,
        member_id: &str,
        token: PortalToken,
        end: i64,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send {
        (**self).replace(member_id, token, end)
    }

    fn complete(
        &self,
        member_id: &str,
        token: PortalToken,
        end: i64,
        now: i64,
    ) -> impl Future<Output = Result<bool, Self::Error>> + Send {
        (**self).complete(member_id, token, end, now)
    }

    fn remove_token(
        &self,
        member_id: &str,
        stored: &Secret,
    ) -> impl Future<Output = Result<bool, Self::Error>> + Send {
        (**self).remove_token(member_id, stored)
    }

    fn remove(&self, member_id: &str) -> impl Future<Output = Result<bool, Self::Error>> + Send {
        (**self).remove(member_id)
    }
}
