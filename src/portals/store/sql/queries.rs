//! The store of tokens that the databases share.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use sqlx::SqlSafeStr;
use tokio::time::Instant;

use super::super::TokenStore;
use super::super::token::PortalToken;
use crate::secret::Secret;
use crate::sql::dialect::{Dialect, Value};
use crate::sql::migrations::Migrations;
use crate::sql::pool::{Pool, within};
use crate::sql::transaction::Transaction;
use crate::sql::{ResultExt, StoreError};

pub(super) const CALL_TIMEOUT: Duration = Duration::from_secs(4);

const SELECT: &str = "SELECT stored, kind, issued, expires, added, used \
    FROM bitrix24_portal_tokens WHERE member_id = $1";

const DELETE: &str = "DELETE FROM bitrix24_portal_tokens WHERE member_id = $1 AND stored = $2";

const UPSERT: &str = "INSERT INTO bitrix24_portal_tokens \
    (member_id, stored, kind, issued, expires, added, used) VALUES ($1, $2, $3, $4, $5, $6, $7) \
    ON CONFLICT (member_id, stored) DO UPDATE SET kind = excluded.kind, issued = excluded.issued, \
    expires = excluded.expires, added = excluded.added, used = excluded.used";

/// The columns that [`SELECT`] returns.
pub(super) type Columns = (
    String,
    String,
    Option<i64>,
    Option<i64>,
    Option<i64>,
    Option<i64>,
);

pub(super) trait TokenDialect: Dialect {
    /// Waits until no other transaction changes the portal `$1`, if the begin does not wait.
    const LOCK_PORTAL: Option<&'static str>;

    const MIGRATIONS: Migrations;

    fn columns(row: &Self::Row) -> Result<Columns, sqlx::Error>;
}

pub(super) struct SqlStore<D: TokenDialect> {
    pub(super) readers: Pool<D>,
    pub(super) writers: Pool<D>,
    /// Begins a transaction that may write.
    pub(super) begin: Arc<str>,
    pub(super) call_timeout: Duration,
}

impl<D: TokenDialect> SqlStore<D> {
    pub(super) async fn open(self) -> Result<Self, StoreError> {
        D::MIGRATIONS.run(self.begin()).await?;
        Ok(self)
    }

    /// Bounds a call. At the limit it is dropped, which closes its connection.
    pub(super) async fn with_timeout<T>(
        &self,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        within(Some(self.call_timeout), call).await
    }

    pub(super) async fn close(&self) {
        self.readers.close(self.call_timeout).await;
        self.writers.close(self.call_timeout).await;
    }

    fn deadline(&self) -> Instant {
        Instant::now() + self.call_timeout
    }

    async fn begin(&self) -> Result<Transaction<D>, StoreError> {
        Transaction::begin(&self.writers, &self.begin, self.deadline()).await
    }
}

impl<D: TokenDialect> TokenStore for SqlStore<D> {
    type Error = StoreError;

    async fn tokens(&self, member_id: &str) -> Result<Vec<PortalToken>, StoreError> {
        let mut lease = self.readers.lease(self.deadline()).await?;
        let values = [member_id.into()];
        let rows = lease.fetch_first(SELECT.into_sql_str(), &values).await?;
        lease.release();
        rows.iter().map(token::<D>).collect()
    }

    async fn compare_exchange(
        &self,
        member_id: &str,
        expected: &[PortalToken],
        tokens: &[PortalToken],
    ) -> Result<bool, StoreError> {
        let mut transaction = self.begin().await?;
        // By itself: a statement sees what is there when it begins, so only the next one sees what
        // this one waits for.
        if let Some(lock) = D::LOCK_PORTAL {
            transaction.execute(lock, &[member_id.into()]).await?;
        }
        let rows = transaction.fetch(SELECT, &[member_id.into()]).await?;
        let known: Vec<PortalToken> = rows.iter().map(token::<D>).collect::<Result<_, _>>()?;
        let is_expected = PortalToken::are_same(&known, expected);
        if is_expected {
            let is_kept =
                |old: &&PortalToken| tokens.iter().any(|new| new.encoded() == old.encoded());
            for old in known.iter().filter(|old| !is_kept(old)) {
                let values = [member_id.into(), old.encoded().expose().into()];
                transaction.execute(DELETE, &values).await?;
            }
            for new in tokens.iter().filter(|new| !known.contains(new)) {
                transaction.execute(UPSERT, &values(member_id, new)).await?;
            }
        }
        transaction.commit().await?;
        Ok(is_expected)
    }
}

fn token<D: TokenDialect>(row: &D::Row) -> Result<PortalToken, StoreError> {
    let (encoded, kind, issued_at, expires_at, added_at, used_at) = D::columns(row).store_err()?;
    let kind = kind
        .parse()
        .map_err(|_| StoreError::query("a stored token has an unknown kind"))?;
    Ok(PortalToken::new(kind, Secret::new(encoded))
        .with_issued_at(issued_at)
        .with_expires_at(expires_at)
        .with_added_at(added_at)
        .with_used_at(used_at))
}

/// The values of [`UPSERT`].
fn values<'a>(member_id: &'a str, token: &'a PortalToken) -> [Value<'a>; 7] {
    [
        member_id.into(),
        token.encoded().expose().into(),
        token.kind().as_str().into(),
        token.issued_at().into(),
        token.expires_at().into(),
        token.added_at().into(),
        token.used_at().into(),
    ]
}

/// Implements `TokenStore` for a type by its field `store`, with the timeout of a call.
macro_rules! impl_token_store {
    ($type:ty) => {
        impl TokenStore for $type {
            type Error = StoreError;

            async fn tokens(&self, member_id: &str) -> Result<Vec<PortalToken>, StoreError> {
                self.store.with_timeout(self.store.tokens(member_id)).await
            }

            async fn compare_exchange(
                &self,
                member_id: &str,
                expected: &[PortalToken],
                tokens: &[PortalToken],
            ) -> Result<bool, StoreError> {
                self.store
                    .with_timeout(self.store.compare_exchange(member_id, expected, tokens))
                    .await
            }
        }
    };
}
pub(super) use impl_token_store;
