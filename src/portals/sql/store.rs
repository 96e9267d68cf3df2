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
use crate::Secret;
use crate::portals::{PortalToken, TokenKind, TokenStore};

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
        let sql = "SELECT stored, kind, issued, expires FROM bitrix24_portal_tokens \
                   WHERE member_id = $1";
        let values = [member_id.into()];
        let limit = lease.first_limit();
        let first = D::tokens(lease.connection(), sql.into_sql_str(), &values);
        let mut rows = within(limit, first).await;
        if lease.reconnect_if_dead(&rows).await? {
            rows = D::tokens(lease.connection(), sql.into_sql_str(), &values).await;
        }
        let rows = rows?;
        lease.release();
        rows.into_iter().map(token).collect()
    }

    async fn add(&self, member_id: &str, token: PortalToken) -> Result<(), StoreError> {
        let mut change = self.change(member_id).await?;
        put(&mut change, member_id, &token).await?;
        change.commit().await
    }

    async fn add_first(&self, member_id: &str, token: PortalToken) -> Result<bool, StoreError> {
        let mut change = self.change(member_id).await?;
        let added = change
            .execute(
                "INSERT INTO bitrix24_portal_tokens (member_id, stored, kind, issued, expires) \
                 SELECT $1, $2, $3, $4, $5 WHERE NOT EXISTS \
                 (SELECT 1 FROM bitrix24_portal_tokens WHERE member_id = $1)",
                &row(member_id, &token),
            )
            .await?;
        change.commit().await?;
        Ok(added > 0)
    }

    async fn replace(
        &self,
        member_id: &str,
        token: PortalToken,
        end: i64,
    ) -> Result<(), StoreError> {
        let mut change = self.change(member_id).await?;
        supersede(&mut change, member_id, &token, end).await?;
        change.commit().await
    }

    async fn complete(
        &self,
        member_id: &str,
        token: PortalToken,
        end: i64,
        now: i64,
    ) -> Result<bool, StoreError> {
        let mut change = self.change(member_id).await?;
        let removed = change
            .execute(
                "DELETE FROM bitrix24_portal_tokens WHERE member_id = $1 AND stored = \
                 (SELECT stored FROM bitrix24_portal_tokens WHERE member_id = $1 AND kind = $2 \
                  AND (expires IS NULL OR expires > $3) LIMIT 1)",
                &[
                    member_id.into(),
                    TokenKind::Pending.as_str().into(),
                    now.into(),
                ],
            )
            .await?;
        if removed > 0 {
            supersede(&mut change, member_id, &token, end).await?;
        }
        change.commit().await?;
        Ok(removed > 0)
    }

    async fn remove_token(&self, member_id: &str, stored: &Secret) -> Result<bool, StoreError> {
        let mut change = self.change(member_id).await?;
        let removed = change
            .execute(
                "DELETE FROM bitrix24_portal_tokens WHERE member_id = $1 AND stored = $2",
                &[member_id.into(), stored.expose().into()],
            )
            .await?;
        change.commit().await?;
        Ok(removed > 0)
    }

    async fn remove(&self, member_id: &str) -> Result<bool, StoreError> {
        let mut change = self.change(member_id).await?;
        let removed = change
            .execute(
                "DELETE FROM bitrix24_portal_tokens WHERE member_id = $1",
                &[member_id.into()],
            )
            .await?;
        change.commit().await?;
        Ok(removed > 0)
    }
}

/// Adds the token in place of the one with its text.
async fn put<D: Dialect>(
    change: &mut Change<D>,
    member_id: &str,
    token: &PortalToken,
) -> Result<(), StoreError> {
    change
        .execute(
            "INSERT INTO bitrix24_portal_tokens (member_id, stored, kind, issued, expires) \
             VALUES ($1, $2, $3, $4, $5) ON CONFLICT (member_id, stored) DO UPDATE \
             SET kind = excluded.kind, issued = excluded.issued, expires = excluded.expires",
            &row(member_id, token),
        )
        .await?;
    Ok(())
}

/// Adds the token and lets the others of its kind end.
async fn supersede<D: Dialect>(
    change: &mut Change<D>,
    member_id: &str,
    token: &PortalToken,
    end: i64,
) -> Result<(), StoreError> {
    change
        .execute(
            "UPDATE bitrix24_portal_tokens SET expires = $1 \
             WHERE member_id = $2 AND kind = $3 AND (expires IS NULL OR expires > $1)",
            &[end.into(), member_id.into(), token.kind().as_str().into()],
        )
        .await?;
    put(change, member_id, token).await
}

/// The token's columns, in the order of the table.
fn row<'a>(member_id: &'a str, token: &'a PortalToken) -> [Value<'a>; 5] {
    [
        member_id.into(),
        token.stored().expose().into(),
        token.kind().as_str().into(),
        token.issued().into(),
        token.expires().into(),
    ]
}
