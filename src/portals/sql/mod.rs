//! Stores in databases: one table of tokens, laid out on first use.

mod change;
mod error;
#[cfg(feature = "postgres")]
mod postgres;
mod schema;
#[cfg(feature = "sqlite")]
mod sqlite;

pub use self::error::{StoreError, StoreErrorKind};
#[cfg(feature = "postgres")]
pub use self::postgres::PostgresStore;
#[cfg(feature = "sqlite")]
pub use self::sqlite::SqliteStore;

use super::{PortalToken, TokenKind};
use crate::Secret;

/// A token as a row: `stored`, `kind`, `issued`, `expires`.
type Row = (String, String, Option<i64>, Option<i64>);

fn token((stored, kind, issued, expires): Row) -> Result<PortalToken, StoreError> {
    let Some(kind) = TokenKind::from_name(&kind) else {
        return Err(StoreError::query(
            "a stored token is of a kind that is not known",
        ));
    };
    let token = PortalToken::new(kind, Secret::new(stored));
    Ok(token.issued_at(issued).expires_at(expires))
}
