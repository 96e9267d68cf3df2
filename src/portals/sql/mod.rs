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
use crate::Secret;

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

            async fn add(&self, member_id: &str, token: PortalToken) -> Result<(), StoreError> {
                self.store.bounded(self.store.add(member_id, token)).await
            }

            async fn add_first(
                &self,
                member_id: &str,
                token: PortalToken,
            ) -> Result<bool, StoreError> {
                self.store
                    .bounded(self.store.add_first(member_id, token))
                    .await
            }

            async fn replace(
                &self,
                member_id: &str,
                token: PortalToken,
                end: i64,
            ) -> Result<(), StoreError> {
                self.store
                    .bounded(self.store.replace(member_id, token, end))
                    .await
            }

            async fn complete(
                &self,
                member_id: &str,
                token: PortalToken,
                end: i64,
                now: i64,
            ) -> Result<bool, StoreError> {
                self.store
                    .bounded(self.store.complete(member_id, token, end, now))
                    .await
            }

            async fn remove_token(
                &self,
                member_id: &str,
                stored: &Secret,
            ) -> Result<bool, StoreError> {
                self.store
                    .bounded(self.store.remove_token(member_id, stored))
                    .await
            }

            async fn remove(&self, member_id: &str) -> Result<bool, StoreError> {
                self.store.bounded(self.store.remove(member_id)).await
            }
        }
    };
}
use impl_token_store;

fn token((stored, kind, issued, expires): Row) -> Result<PortalToken, StoreError> {
    let Some(kind) = TokenKind::from_name(&kind) else {
        return Err(StoreError::query(
            "a stored token is of a kind that is not known",
        ));
    };
    let token = PortalToken::new(kind, Secret::new(stored));
    Ok(token.issued_at(issued).expires_at(expires))
}
