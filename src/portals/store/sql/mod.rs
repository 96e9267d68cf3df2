//! Stores in databases: one table of tokens, laid out on first use.

mod change;
mod dialect;
mod error;
mod pool;
#[cfg(feature = "postgres")]
mod postgres;
mod schema;
#[cfg(feature = "sqlite")]
mod sqlite;
mod store;

pub use self::error::{StoreError, StoreErrorKind};
#[cfg(feature = "postgres")]
pub use self::postgres::{PostgresStore, PostgresStoreBuilder};
#[cfg(feature = "sqlite")]
pub use self::sqlite::{SqliteStore, SqliteStoreBuilder};

use std::time::Duration;

use self::dialect::Row;
use super::{PortalToken, TokenKind};
use crate::secret::Secret;

/// Bounds a call of a store, from its beginning to its end.
const CALL_TIMEOUT: Duration = Duration::from_secs(4);

/// Implements `TokenStore` for a type by its field `store`. Every call ends within the bound.
macro_rules! impl_token_store {
    ($type:ty) => {
        impl TokenStore for $type {
            type Error = StoreError;

            async fn tokens(&self, member_id: &str) -> Result<Vec<PortalToken>, StoreError> {
                self.store.bounded(self.store.tokens(member_id)).await
            }

            async fn compare_exchange(
                &self,
                member_id: &str,
                expected: &[PortalToken],
                tokens: &[PortalToken],
            ) -> Result<bool, StoreError> {
                self.store
                    .bounded(self.store.compare_exchange(member_id, expected, tokens))
                    .await
            }
        }
    };
}
use impl_token_store;

fn token((stored, kind, issued, expires, added, used): Row) -> Result<PortalToken, StoreError> {
    let Some(kind) = TokenKind::from_name(&kind) else {
        return Err(StoreError::query(
            "a stored token is of a kind that is not known",
        ));
    };
    Ok(PortalToken::new(kind, Secret::new(stored))
        .with_issued_at(issued)
        .with_expires_at(expires)
        .added_at(added)
        .used_at(used))
}
