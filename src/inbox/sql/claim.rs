//! Claims entries.

use std::collections::HashMap;
use std::time::Duration;

use sqlx::AssertSqlSafe;

use super::row::{COLUMNS, Columns, chunks, record};
use super::store::{Exclusive, InboxDialect, SqlInbox, distinct};
use crate::inbox::clock::{millis, unix_millis};
use crate::inbox::entry::FORMAT;
use crate::inbox::store::{Claim, ClaimRequest, Claims, Finish, LEASE_ENDED, Quota};
use crate::sql::StoreError;
use crate::sql::dialect::Value;
use crate::sql::statement::Statement;

/// Few at once: each takes a statement of its own, and the claim has a timeout.
const ENDED_LEASES: &str = "SELECT seq, lane, attempts - forgiven FROM bitrix24_inbox \
    WHERE state = 1 AND due <= ";

const SUSPECT: &str = "UPDATE bitrix24_inbox SET state = 0, owner = NULL, suspect = 1, due = $1, \
    failing_since = COALESCE(failing_since, $2) WHERE seq = $3";

const KILL: &str = "UPDATE bitrix24_inbox \
    SET state = 3, head = 0, owner = NULL, suspect = 0, finished = $1, error = $2, \
    failing_since = COALESCE(failing_since, $1) WHERE seq = $3";

const DUE_SUSPECT: &str = "SELECT seq FROM bitrix24_inbox \
    WHERE suspect = 1 AND state = 0 AND head = 1 AND due <= ";

/// More entries than this are not looked at to find their portals.
const DUE_LIMIT: usize = 256;

/// The portals of the entries that were due first.
const DUE: &str = "SELECT member_id FROM bitrix24_inbox \
    WHERE state = 0 AND head = 1 AND suspect = 0 AND due <= $1 AND format <= $2 \
    ORDER BY due LIMIT 256";

/// The largest number of steps of one claim.
const MAX_STEPS: usize = 8;

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

/// Selects the suspect `$5`.
const THIS_SUSPECT: &str = "SELECT seq FROM bitrix24_inbox WHERE seq = $5 AND suspect = 1 \
    AND state = 0 AND head = 1 AND due <= $3 AND format <= $4";

/// The largest number of portals that one statement claims of.
const PORTALS_AT_ONCE: usize = 64;

/// The longest time in which a claim gives accepted entries their place. Those that have one wait for it.
const MAX_PLACING_TIME: Duration = Duration::from_millis(100);

/// Returns the time in which a claim places entries. The worker extends its leases three times in each,
/// and not during a claim.
fn placing_time(request: &ClaimRequest<'_>) -> Duration {
    MAX_PLACING_TIME.min(request.lease / 6)
}

impl<D: InboxDialect> SqlInbox<D> {
    pub(super) async fn claim(&self, request: &ClaimRequest<'_>) -> Result<Claims, StoreError> {
        let mut exclusive = self.placed_within(placing_time(request)).await?;
        let claims = exclusive.claim(request).await?;
        exclusive.commit().await?;
        Ok(claims)
    }

    /// Ends and claims in one transaction, which syncs once.
    pub(super) async fn finish_and_claim(
        &self,
        finishes: &[Finish],
        request: &ClaimRequest<'_>,
    ) -> Result<(Vec<bool>, Claims), StoreError> {
        let mut exclusive = self.placed_within(placing_time(request)).await?;
        let finished = exclusive
            .finish(request.owner, finishes, self.keep_bodies)
            .await?;
        let claims = exclusive.claim(request).await?;
        exclusive.commit().await?;
        Ok((finished, claims))
    }
}

impl<D: InboxDialect> Exclusive<D> {
    async fn claim(&mut self, request: &ClaimRequest<'_>) -> Result<Claims, StoreError> {
        self.reap(request).await?;
        if D::NOW.is_none() {
            // The first statement may have waited for the lock. The leases begin now.
            self.now = unix_millis();
        }
        let mut claims = Claims {
            after: request.after.to_owned(),
            is_partial: self.has_packs,
            ..Claims::default()
        };
        if request.limit == 0 {
            return Ok(claims);
        }
        let mut quota = Quota::new(request);
        match self.due_suspect(request, &quota).await? {
            Some(suspect) if request.alone => {
                claims.entries = self.take(THIS_SUSPECT, &[suspect.into()], request).await?;
                for claim in &mut claims.entries {
                    claim.alone = true;
                }
            }
            suspect => {
                claims.has_suspect = suspect.is_some();
                self.share_out(&mut quota, request, &mut claims).await?;
            }
        }
        Ok(claims)
    }

    /// Takes back the entries whose lease is over.
    async fn reap(&mut self, request: &ClaimRequest<'_>) -> Result<(), StoreError> {
        let now = self.now;
        let ended = Statement::new(ENDED_LEASES)
            .bind(now)
            .sql(" ORDER BY due LIMIT 100");
        let ended = self.transaction.fetch_statement(&ended).await?;
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

    async fn due_suspect(
        &mut self,
        request: &ClaimRequest<'_>,
        quota: &Quota,
    ) -> Result<Option<i64>, StoreError> {
        let mut select = Statement::new(DUE_SUSPECT)
            .bind(self.now)
            .sql(" AND format <= ")
            .bind(FORMAT);
        for (portal, _) in request.running {
            if quota.room(portal) == 0 {
                select = select.sql(" AND member_id <> ").bind(portal.as_str());
            }
        }
        let select = select.sql(" ORDER BY due, seq LIMIT 1");
        let rows = self.transaction.fetch_statement(&select).await?;
        rows.first().map(|row| row.required(0)).transpose()
    }

    /// Claims entries of the portals in turn.
    async fn share_out(
        &mut self,
        quota: &mut Quota,
        request: &ClaimRequest<'_>,
        claims: &mut Claims,
    ) -> Result<(), StoreError> {
        let values = [self.now.into(), FORMAT.into()];
        let due = self.transaction.fetch(DUE, &values).await?;
        let is_all = due.len() < DUE_LIMIT;
        let mut turns = Vec::new();
        for row in &due {
            let member_id = row.text(0)?.unwrap_or_default();
            turns.push((*member_id <= *request.after, member_id));
        }
        // Those after the portal that was served last come first.
        turns.sort_unstable();
        turns.dedup();
        if !is_all {
            self.walk(quota, request, claims).await?;
        }
        let portals = turns.into_iter().map(|(_, member_id)| member_id);
        let portals = portals.collect();
        let served = self.serve(portals, quota, request, claims).await?;
        if let Some(served) = served.filter(|_| is_all) {
            claims.after = served;
        }
        Ok(())
    }

    /// Claims entries of the next portals, of which few may be due. A call looks at so many of them, and
    /// the next one goes on.
    async fn walk(
        &mut self,
        quota: &mut Quota,
        request: &ClaimRequest<'_>,
        claims: &mut Claims,
    ) -> Result<(), StoreError> {
        // No member id has a control character.
        let start = format!("{}\u{1}", request.after);
        let mut from = start.clone();
        let mut has_wrapped = false;
        for _ in 0..MAX_STEPS {
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
                    portals.push(member_id);
                }
            }
            if let Some(served) = self.serve(portals, quota, request, claims).await? {
                claims.after = served;
            }
            if quota.left == 0 {
                return Ok(());
            }
            match last {
                Some(last) if rows.len() == PORTALS_STEP => {
                    from = format!("{last}\u{1}");
                    claims.after = last;
                }
                _ if has_wrapped => return Ok(()),
                _ => {
                    has_wrapped = true;
                    from.clear();
                }
            }
        }
        claims.is_partial = true;
        Ok(())
    }

    /// Claims entries of these portals until the quota or the portals are exhausted. Returns the portal
    /// that the first round served last.
    async fn serve(
        &mut self,
        mut portals: Vec<String>,
        quota: &mut Quota,
        request: &ClaimRequest<'_>,
        claims: &mut Claims,
    ) -> Result<Option<String>, StoreError> {
        let mut last = None;
        portals.retain(|portal| quota.room(portal) > 0);
        while quota.left > 0 && !portals.is_empty() {
            let (claimed, served) = self.take_of(&mut portals, quota, request).await?;
            claims.entries.extend(claimed);
            last = last.or(served);
        }
        Ok(last)
    }

    /// Claims a share for each of the portals, and keeps those that may have more. Returns the last
    /// portal that had any, too.
    async fn take_of(
        &mut self,
        portals: &mut Vec<String>,
        quota: &mut Quota,
        request: &ClaimRequest<'_>,
    ) -> Result<(Vec<Claim>, Option<String>), StoreError> {
        let all = portals.len();
        let mut shares = Vec::with_capacity(all);
        for (at, portal) in portals.iter().enumerate() {
            let share = quota.of(portal, all - at);
            quota.claimed(portal, share);
            shares.push((portal.clone(), share));
        }
        let mut claims = Vec::new();
        let wanted: Vec<_> = shares.iter().filter(|(_, share)| *share > 0).collect();
        for chunk in chunks(&wanted, PORTALS_AT_ONCE) {
            // SQLite plans a statement anew for each value of a plain placeholder in a limit.
            let select = |at: usize| {
                let (member_id, limit) = (5 + 2 * at, 6 + 2 * at);
                format!(
                    "SELECT seq FROM (SELECT seq FROM bitrix24_inbox \
                     WHERE member_id = ${member_id} AND suspect = 0 AND state = 0 AND head = 1 \
                     AND due <= $3 AND format <= $4 ORDER BY due, seq LIMIT ${limit} + 0) portal_{at}"
                )
            };
            let selects: Vec<_> = (0..chunk.len).map(select).collect();
            let mut values = Vec::with_capacity(2 * chunk.len);
            for (member_id, share) in chunk.padded() {
                let share = i64::try_from(*share).unwrap_or(i64::MAX);
                values.extend([Value::from(member_id.as_str()), share.into()]);
            }
            let seqs = selects.join(" UNION ALL ");
            claims.extend(self.take(&seqs, &values, request).await?);
        }
        let mut claimed = HashMap::<&str, usize>::new();
        for claim in &claims {
            *claimed.entry(&claim.record.entry.member_id).or_default() += 1;
        }
        let mut served = None;
        portals.clear();
        for (portal, share) in &shares {
            let claimed = claimed.get(&**portal).copied().unwrap_or(0);
            if claimed > 0 {
                served = Some(portal.clone());
            }
            quota.give_back(portal, share.saturating_sub(claimed));
            if claimed >= *share {
                portals.push(portal.clone());
            }
        }
        // Once all is given back, since what one portal leaves is room for another.
        portals.retain(|portal| quota.room(portal) > 0);
        Ok((claims, served))
    }

    /// Claims the entries that `seqs` selects by the time `$3`, the newest readable format `$4` and
    /// `values` from `$5` on.
    async fn take(
        &mut self,
        seqs: &str,
        values: &[Value<'_>],
        request: &ClaimRequest<'_>,
    ) -> Result<Vec<Claim>, StoreError> {
        let sql = format!(
            "UPDATE{or} bitrix24_inbox SET state = 1, owner = $1, attempts = attempts + 1, due = $2 \
             WHERE seq IN ({seqs}) RETURNING {COLUMNS}",
            or = D::OR_ROLLBACK
        );
        let lease = self.now.saturating_add(millis(request.lease));
        let own = [
            request.owner.into(),
            lease.into(),
            self.now.into(),
            FORMAT.into(),
        ];
        let values = [&own, values].concat();
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
