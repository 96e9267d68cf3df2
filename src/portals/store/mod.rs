//! `TokenStore`, and the stores that implement it.

#[cfg_attr(not(feature = "cache"), path = "cache_disabled.rs")]
pub(super) mod cache;
pub(super) mod hash;
mod memory;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod sql;
pub(super) mod token;

use std::error::Error;
use std::future::Future;
use std::sync::Arc;

#[cfg(feature = "cache")]
pub use self::cache::TokenCache;
pub use self::hash::TokenKey;
pub use self::memory::MemoryStore;
#[cfg(feature = "postgres")]
pub use self::sql::{PostgresStore, PostgresStoreBuilder};
#[cfg(feature = "sqlite")]
pub use self::sql::{SqliteStore, SqliteStoreBuilder};
pub use self::token::{PortalToken, TokenKind, UnknownTokenKind};
#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub use crate::sql::{StoreError, StoreErrorKind};

/// A store of the tokens of portals, several for each portal's `member_id`.
///
/// Implement it to keep tokens in a database of your own. The module `testing::store_conformance`
/// (feature `testing`) checks an implementation by every rule here. A store keeps what it is given
/// and decides nothing: [`PortalVerifier`](super::PortalVerifier) compares and hashes tokens,
/// and decides which have expired and which replaces which.
///
/// Only one call changes anything, and it carries its condition.
/// [`compare_exchange`](Self::compare_exchange) names the tokens that a decision was made by. If
/// another instance of the application has changed them since, nothing happens, and the decision is
/// made again.
///
/// A member id has 1 to 128 bytes and an encoded token 1 to 512, neither with control characters,
/// which a database may reject. [`PortalVerifier`](super::PortalVerifier) rejects others before a
/// store gets them. Both are compared byte for byte.
///
/// Every call is one step. Others see all of it or nothing, also from other instances of the
/// application that share the database. Calls must be cancel safe: a dropped future takes full
/// effect or none.
///
/// The trait returns `impl Future`, so there is no `dyn TokenStore`. An [`Arc`] of a store is a
/// store.
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
///         // In a database this is one transaction, which locks the portal first.
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
    /// The error of the store. It is logged, so it must not contain tokens.
    type Error: Into<Box<dyn Error + Send + Sync>>;

    /// Returns the tokens of the portal in any order, also expired ones. Returns none if the portal is
    /// unknown.
    fn tokens(
        &self,
        member_id: &str,
    ) -> impl Future<Output = Result<Vec<PortalToken>, Self::Error>> + Send;

    /// Replaces all tokens of the portal by `tokens` and returns `true`, if the portal has exactly
    /// the `expected` ones. Otherwise changes nothing and returns `false`.
    ///
    /// `expected` is what [`tokens`](Self::tokens) returned, in any order. All fields of each token
    /// are compared ([`PortalToken::are_same`]). Of an unknown portal none are expected, and a portal
    /// without tokens is unknown. No two of `tokens` have the same encoded string. Of several
    /// concurrent calls that expect the same tokens and change them, one returns `true`.
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
