//! Claims entries.

use sqlx::AssertSqlSafe;

use super::row::{COLUMNS, Columns, record};
use super::store::{Exclusive, InboxDialect, SqlInbox, distinct};
use crate::inbox::clock::millis;
use crate::inbox::entry::FORMAT;
use crate::inbox::store::{Claim, ClaimRequest, Claims, LEASE_ENDED, Quota};
use crate::sql::StoreError;

const ENDED_LEASES: &str = "SELECT seq, lane, attempts - forgiven FROM bitrix24_inbox \
    WHERE state = 1 AND due <= $1 ORDER BY due LIMIT 1000";

const SUSPECT: &str = "UPDATE bitrix24_inbox SET state = 0, owner = NULL, suspect = 1, due = $1, \
    failing_since = COALESCE(failing_since, $2) WHERE seq = $3";

const KILL: &str = "UPDATE bitrix24_inbox \
    SET state = 3, head = 0, owner = NULL, suspect = 0, finished = $1, error = $2, \
    failing_since = COALESCE(failing_since, $1) WHERE seq = $3";

const DUE_SUSPECT: &str = "SELECT seq FROM bitrix24_inbox \
    WHERE suspect = 1 AND state = 0 AND head = 1 AND due <= $1 AND format <= $2 \
    ORDER BY due LIMIT 1";

/// The number of portals that one step of [`PORTALS`] looks at.
const PORTALS_STEP: usize = 64;

/// Portals with a head that waits, from `$1` on, with the time that their first one is due. Each step
/// reads one row of the index, however many entries the portal has.
const PORTALS: &str = "WITH RECURSIVE portals(member_id, n) AS ( \
        SELECT (SELECT f.member_id FROM bitrix24_inbox f \
                WHERE f.state = 0 AND f.head = 1 AND f.suspect = 0 AND f.member_id >= $1 \
                ORDER BY f.member_id LIMIT 1), 1 \
        UNION ALL \
        SELECT (SELECT f.member_id FROM bitrix24_inbox f \
                WHERE f.state = 0 AND f.head = 1 AND f.suspect = 0 AND f.member_id > p.member_id \
                ORDER BY f.member_id LIMIT 1), p.n + 1 \
        FROM portals p WHERE p.member_id IS NOT NULL AND p.n < 64) \
    SELECT p.member_id, (SELECT d.due FROM bitrix24_inbox d \
                         WHERE d.state = 0 AND d.head = 1 AND d.suspect = 0 \
                         AND d.member_id = p.member_id ORDER BY d.due LIMIT 1) \
    FROM portals p WHERE p.member_id IS NOT NULL";

/// The conditions of a claim. Those on suspects are those of the indexes.
const TAKE_SUSPECT: &str = "seq = $3 AND suspect = 1";
const TAKE_OF_PORTAL: &str = "member_id = $3 AND suspect = 0";

impl<D: InboxDialect> SqlInbox<D> {
    pub(super) async fn claim(&self, request: &ClaimRequest<'_>) -> Result<Claims, StoreError> {
        let mut exclusive = self.exclusive().await?;
        exclusive.reap(request).await?;
        let mut claims = Claims {
            after: request.after.to_owned(),
            ..Claims::default()
        };
        if let Some(suspect) = exclusive.due_suspect().await? {
            if request.idle && request.limit > 0 {
                let claimed = exclusive
                    .take(TAKE_SUSPECT, suspect.into(), 1, request)
                    .await?;
                claims.entries = claimed;
                for claim in &mut claims.entries {
                    claim.alone = true;
                }
            } else {
                claims.wait_for_idle = true;
            }
        } else {
            exclusive.share_out(request, &mut claims).await?;
        }
        exclusive.commit().await?;
        Ok(claims)
    }
}

impl<D: InboxDialect> Exclusive<D> {
    /// Takes back the entries whose lease is over.
    async fn reap(&mut self, request: &ClaimRequest<'_>) -> Result<(), StoreError> {
        let now = self.now;
        let ended = self.transaction.fetch(ENDED_LEASES, &[now.into()]).await?;
        let mut freed = Vec::new();
        for row in &ended {
            let (seq, lane) = (row.required(0)?, row.hash(1)?);
            let tried = u32::try_from(row.required(2)?).unwrap_or(u32::MAX);
            let due = match request.backoff.delay(tried) {
                Some(_) if tried <= 1 => now,
                Some(delay) => now.saturating_add(millis(delay)),
                None => {
                    let values = [now.into(), LEASE_ENDED.into(), seq.into()];
                    self.transaction.execute(KILL, &values).await?;
                    freed.extend(lane);
                    continue;
                }
            };
            let values = [due.into(), now.into(), seq.into()];
            self.transaction.execute(SUSPECT, &values).await?;
        }
        self.promote(&distinct(freed)).await
    }

    async fn due_suspect(&mut self) -> Result<Option<i64>, StoreError> {
        let now = self.now;
        let rows = self
            .transaction
            .fetch(DUE_SUSPECT, &[now.into(), FORMAT.into()])
            .await?;
        rows.first().map(|row| row.required(0)).transpose()
    }

    /// Claims entries of the portals in turn.
    async fn share_out(
        &mut self,
        request: &ClaimRequest<'_>,
        claims: &mut Claims,
    ) -> Result<(), StoreError> {
        let mut quota = Quota::new(request);
        // No member id has a control character.
        let start = format!("{}\u{1}", request.after);
        let mut from = start.clone();
        let mut has_wrapped = false;
        while quota.left > 0 {
            let rows = self
                .transaction
                .fetch(PORTALS, &[from.as_str().into()])
                .await?;
            let mut portals = Vec::new();
            let mut last = None;
            for row in &rows {
                let member_id = row.text(0)?.unwrap_or_default();
                let is_beyond = has_wrapped && member_id >= start;
                last = Some(member_id.clone()).filter(|_| !is_beyond);
                if is_beyond {
                    break;
                }
                if row.number(1)?.is_some_and(|due| due <= self.now) {
                    portals.extend(quota.portal(member_id));
                }
            }
            for round in 0..2 {
                let all = portals.len();
                for (at, portal) in portals.iter_mut().enumerate() {
                    let wanted = quota.of(portal, if round == 0 { all - at } else { 1 });
                    if wanted == 0 {
                        continue;
                    }
                    let member_id = portal.member_id.clone();
                    let claimed = self
                        .take(TAKE_OF_PORTAL, member_id.as_str().into(), wanted, request)
                        .await?;
                    quota.claimed(portal, claimed.len());
                    if round == 0 && !claimed.is_empty() {
                        claims.after = member_id;
                    }
                    claims.entries.extend(claimed);
                }
            }
            match last {
                Some(last) if rows.len() == PORTALS_STEP => from = format!("{last}\u{1}"),
                _ if has_wrapped => break,
                _ => {
                    has_wrapped = true;
                    from.clear();
                }
            }
        }
        Ok(())
    }

    /// Claims the first entries that are due among those that `condition` selects by `$3`.
    async fn take(
        &mut self,
        condition: &'static str,
        value: crate::sql::dialect::Value<'_>,
        limit: usize,
        request: &ClaimRequest<'_>,
    ) -> Result<Vec<Claim>, StoreError> {
        let sql = format!(
            "UPDATE bitrix24_inbox SET state = 1, owner = $1, attempts = attempts + 1, due = $2 \
             WHERE seq IN (SELECT seq FROM bitrix24_inbox \
                 WHERE {condition} AND state = 0 AND head = 1 AND due <= $4 \
                 AND format <= $5 ORDER BY due, seq LIMIT $6) \
             RETURNING {COLUMNS}"
        );
        let lease = self.now.saturating_add(millis(request.lease));
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let values = [
            request.owner.into(),
            lease.into(),
            value,
            self.now.into(),
            FORMAT.into(),
            limit.into(),
        ];
        let rows = self.transaction.fetch(AssertSqlSafe(sql), &values).await?;
        let claims = rows.iter().map(|row| {
            Ok(Claim {
                record: record(row)?,
                alone: false,
            })
        });
        let mut claims: Vec<Claim> = claims.collect::<Result<_, StoreError>>()?;
        claims.sort_by_key(|claim| claim.record.seq);
        Ok(claims)
    }
}
