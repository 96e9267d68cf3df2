//! The store of tokens that the databases share.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use sqlx::SqlSafeStr;
use tokio::time::{Instant, timeout};

use super::change::Change;
use super::dialect::{Dialect, Value};
use super::pool::{Pool, within};
use super::{StoreError, token};
use crate::portals::store::{PortalToken, TokenStore};

/// Bounds the opening of a store, its migrations included.
const OPEN_TIMEOUT: Duration = Duration::from_secs(30);

/// A [`TokenStore`] in a database: one table of tokens, laid out on first use.
pub(super) struct SqlStore<D: Dialect> {
    pub(super) readers: Pool<D>,
    pub(super) writers: Pool<D>,
    /// Begins a transaction that may write.
    pub(super) begin: Arc<str>,
    pub(super) call_timeout: Duration,
}

impl<D: Dialect> SqlStore<D> {
    /// Connects and brings the tables up to date.
    pub(super) async fn open(self) -> Result<Self, StoreError> {
        timeout(OPEN_TIMEOUT, self.migrate())
            .await
            .unwrap_or_else(|_| Err(StoreError::timed_out()))?;
        Ok(self)
    }

    /// Bounds a call, which gives up its connection at the limit.
    pub(super) async fn bounded<T>(
        &self,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        within(Some(self.call_timeout), call).await
    }

    /// Brings the tables up to date.
    async fn migrate(&self) -> Result<(), StoreError> {
        let mut change = Change::begin(&self.writers, &self.begin, self.deadline()).await?;
        if let Some(lock) = D::LOCK_SCHEMA {
            change.execute(lock, &[]).await?;
        }
        // Not IF NOT EXISTS: a role that may not create anything may use what is there.
        if change.number(D::HAS_SCHEMA).await? != Some(1) {
            change.execute(D::CREATE_SCHEMA, &[]).await?;
        }
        let version = change
            .number("SELECT max(version) FROM bitrix24_portal_schema")
            .await?;
        for (version, statements) in D::SCHEMA.after(version.unwrap_or(0))? {
            change.execute(statements, &[]).await?;
            change
                .execute(
                    "INSERT INTO bitrix24_portal_schema (version) VALUES ($1)",
                    &[version.into()],
                )
                .await?;
        }
        change.commit().await
    }

    pub(super) async fn close(&self) {
        self.readers.close(self.call_timeout).await;
        self.writers.close(self.call_timeout).await;
    }

    fn deadline(&self) -> Instant {
        Instant::now() + self.call_timeout
    }

    /// Begins a change of the portal, after those that others have begun. It is undone if it is
    /// dropped before its end.
    async fn change(&self, member_id: &str) -> Result<Change<D>, StoreError> {
        let mut change = Change::begin(&self.writers, &self.begin, self.deadline()).await?;
        // By itself: a later statement sees what was there when it began, so after the wait.
        if let Some(lock) = D::LOCK_PORTAL {
            change.execute(lock, &[member_id.into()]).await?;
        }
        Ok(change)
    }
}

impl<D: Dialect> TokenStore for SqlStore<D> {
    type Error = StoreError;

    async fn tokens(&self, member_id: &str) -> Result<Vec<PortalToken>, StoreError> {
        let mut lease = self.readers.lease(self.deadline()).await?;
        let values = [member_id.into()];
        let limit = lease.first_limit();
        let first = D::tokens(lease.connection(), TOKENS.into_sql_str(), &values);
        let mut rows = within(limit, first).await;
        if lease.reconnect_if_dead(&rows).await? {
            rows = D::tokens(lease.connection(), TOKENS.into_sql_str(), &values).await;
        }
        let rows = rows?;
        lease.release();
        rows.into_iter().map(token).collect()
    }

    async fn compare_exchange(
        &self,
        member_id: &str,
        expected: &[PortalToken],
        tokens: &[PortalToken],
    ) -> Result<bool, StoreError> {
        let mut change = self.change(member_id).await?;
        let known = change.tokens(TOKENS, &[member_id.into()]).await?;
        let known: Vec<PortalToken> = known.into_iter().map(token).collect::<Result<_, _>>()?;
        let is_expected = PortalToken::are_same(&known, expected);
        if is_expected {
            let is_kept =
                |old: &&PortalToken| tokens.iter().any(|new| new.encoded() == old.encoded());
            for old in known.iter().filter(|old| !is_kept(old)) {
                let values = [member_id.into(), old.encoded().expose().into()];
                change.execute(DELETE, &values).await?;
            }
            for new in tokens.iter().filter(|new| !known.contains(new)) {
                change.execute(PUT, &row(member_id, new)).await?;
            }
        }
        change.commit().await?;
        Ok(is_expected)
    }
}

const TOKENS: &str = "SELECT stored, kind, issued, expires, added, used \
    FROM bitrix24_portal_tokens WHERE member_id = $1";

const DELETE: &str = "DELETE FROM bitrix24_portal_tokens WHERE member_id = $1 AND stored = $2";

/// Adds a token in place of the one with its text.
const PUT: &str = "INSERT INTO bitrix24_portal_tokens \
    (member_id, stored, kind, issued, expires, added, used) VALUES ($1, $2, $3, $4, $5, $6, $7) \
    ON CONFLICT (member_id, stored) DO UPDATE SET kind = excluded.kind, issued = excluded.issued, \
    expires = excluded.expires, added = excluded.added, used = excluded.used";

/// The values of [`PUT`].
fn row<'a>(member_id: &'a str, token: &'a PortalToken) -> [Value<'a>; 7] {
    [
        member_id.into(),
        token.encoded().expose().into(),
        token.kind().as_str().into(),
        token.issued_at().into(),
        token.expires_at().into(),
        token.added().into(),
        token.used().into(),
    ]
}
