//! `TokenStore`: where the tokens of portals are kept.

#[cfg(feature = "cache")]
pub(super) mod cache;
mod memory;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod sql;
pub(super) mod token;

use std::error::Error;
use std::future::Future;
use std::sync::Arc;

#[cfg(feature = "cache")]
pub use self::cache::TokenCache;
pub use self::memory::MemoryStore;
#[cfg(feature = "postgres")]
pub use self::sql::{PostgresStore, PostgresStoreBuilder};
#[cfg(feature = "sqlite")]
pub use self::sql::{SqliteStore, SqliteStoreBuilder};
#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub use self::sql::{StoreError, StoreErrorKind};
pub use self::token::{PortalToken, TokenKey, TokenKind};

/// Keeps the tokens of portals, several for each, by the portal's `member_id`.
///
/// Implement it to keep tokens in a database of one's own: the module `testing::store_conformance`
/// (feature `testing`) checks every rule here against an implementation. A store keeps what it is
/// given and decides nothing: [`PortalVerifier`](super::PortalVerifier) compares tokens, hashes them, and knows
/// which have ended and which takes the place of which.
///
/// There is one call that changes anything, and it carries the condition under which it may:
/// [`compare_exchange`](Self::compare_exchange) names the tokens that a decision was made by. If
/// another instance of the application has changed them since, nothing happens and the decision is
/// made again, so no decision rests on what is no longer there.
///
/// A member id has 1 to 128 bytes and a token's text 1 to 512, neither with control characters (a
/// database may reject them): [`PortalVerifier`](super::PortalVerifier) rejects others before a store sees them.
/// Both are compared byte for byte.
///
/// Every call is one step that others see whole or not at all, also those of other instances of the
/// application that share the database. Calls are cancel safe: one whose future is dropped takes
/// full effect or none.
///
/// ```
/// use std::collections::HashMap;
/// use std::convert::Infallible;
/// use std::sync::Mutex;
///
/// use tower_bitrix24::portals::{PortalToken, TokenStore};
///
/// #[derive(Default)]
/// struct Store(Mutex<HashMap<String, Vec<PortalToken>>>);
///
/// impl TokenStore for Store {
///     type Error = Infallible;
///
///     async fn tokens(&self, member_id: &str) -> Result<Vec<PortalToken>, Infallible> {
///         let portals = self.0.lock().unwrap();
///         Ok(portals.get(member_id).cloned().unwrap_or_default())
///     }
///
///     async fn compare_exchange(
///         &self,
///         member_id: &str,
///         expected: &[PortalToken],
///         tokens: &[PortalToken],
///     ) -> Result<bool, Infallible> {
///         // In a database this is one transaction, alone with the portal from its begin on.
///         let mut portals = self.0.lock().unwrap();
///         let known = portals.entry(member_id.to_owned()).or_default();
///         let is_expected = PortalToken::are_same(known, expected);
///         if is_expected {
///             *known = tokens.to_vec();
///         }
///         Ok(is_expected)
///     }
/// }
/// # #[cfg(feature = "testing")]
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// tower_bitrix24::testing::store_conformance::check(&Store::default()).await
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait TokenStore: Send + Sync {
    /// What went wrong with the store. It is logged, so keep tokens out of it.
    type Error: Into<Box<dyn Error + Send + Sync>>;

    /// Returns the tokens of the portal in any order, those that have ended too; none if the portal
    /// is not known.
    fn tokens(
        &self,
        member_id: &str,
    ) -> impl Future<Output = Result<Vec<PortalToken>, Self::Error>> + Send;

    /// Replaces all tokens of the portal by `tokens` and returns `true`, if the portal has exactly
    /// the `expected` ones. Otherwise changes nothing and returns `false`.
    ///
    /// `expected` is what [`tokens`](Self::tokens) returned, in any order: each token counts with
    /// its text and all that is known of it ([`PortalToken::are_same`]). None are expected of a
    /// portal that is not known, and a portal that is left without tokens is not known. No two of
    /// `tokens` have the same text. Of several calls at once that expect the same and change it,
    /// one returns `true`.
    fn compare_exchange(
        &self,
        member_id: &str,
        expected: &[PortalToken],
        tokens: &[PortalToken],
    ) -> impl Future<Output = Result<bool, Self::Error>> + Send;
}

impl<S: TokenStore + ?Sized> TokenStore for Arc<S> {
    type Error = S::Error;

    fn tokens(
        &self,
        member_id: &str,
    ) -> impl Future<Output = Result<Vec<PortalToken>, Self::Error>> + Send {
        (**self).tokens(member_id)
    }

    fn compare_exchange(
        &self,
        member_id: &str,
        expected: &[PortalToken],
        tokens: &[PortalToken],
    ) -> impl Future<Output = Result<bool, Self::Error>> + Send {
        (**self).compare_exchange(member_id, expected, tokens)
    }
}
