//! The store under test, and entries for it.

use std::error::Error;
use std::fmt::Debug;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::event::DedupKey;
use crate::inbox::{
    Accepted, Backoff, BlockedLane, ClaimRequest, Claims, Entry, FORMAT, Filter, Finish,
    InboxStore, Outcome, Owned, Record,
};

/// The outcome of a rule. The error says what was expected and what was found.
pub(super) type Checked<T = ()> = Result<T, String>;

pub(super) const WORKER: &str = "conformance";

static BACKOFF: Backoff = Backoff::new();

/// Longer than any check.
pub(super) const LEASE: Duration = Duration::from_secs(60);

const REQUEST: ClaimRequest<'_> = ClaimRequest {
    owner: WORKER,
    limit: 16,
    lease: LEASE,
    backoff: &BACKOFF,
    alone: true,
    portal_limit: 16,
    running: &[],
    after: "",
};

pub(super) struct Harness<'a, S> {
    pub(super) store: &'a S,
    next: AtomicU64,
}

fn failed(error: impl Into<Box<dyn Error + Send + Sync>>) -> String {
    let error = error.into();
    let mut text = format!("the call failed: {error}");
    let mut source = error.source();
    while let Some(cause) = source {
        text += &format!(": {cause}");
        source = cause.source();
    }
    text
}

impl<'a, S: InboxStore> Harness<'a, S> {
    pub(super) fn new(store: &'a S) -> Self {
        Self {
            store,
            next: AtomicU64::new(1),
        }
    }

    /// Creates an entry with a key of its own, in the lane if there is one.
    pub(super) fn entry(&self, portal: &str, lane: Option<u8>) -> Entry {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let mut key = [7; 32];
        key[..8].copy_from_slice(&number.to_be_bytes());
        Entry {
            key: DedupKey::from_bytes(key),
            lane: lane.map(|lane| [lane; 32]),
            merge: None,
            once: false,
            member_id: portal.to_owned(),
            code: "ONCRMDEALUPDATE".to_owned(),
            subject: format!("crm.deal {number}"),
            handler_id: Some(3),
            timestamp: Some(1_714_649_632),
            format: FORMAT,
            key_id: Some(i64::MIN),
            body: vec![0, 255, b'\'', number as u8].into(),
        }
    }

    pub(super) async fn accept(&self, entries: &[Entry]) -> Checked<Vec<Accepted>> {
        self.store.accept(entries).await.map_err(failed)
    }

    pub(super) async fn accept_one(&self, entry: &Entry) -> Checked<Accepted> {
        let accepted = self.accept(std::slice::from_ref(entry)).await?;
        match accepted[..] {
            [accepted] => Ok(accepted),
            _ => Err(format!("expected 1 outcome, found {}", accepted.len())),
        }
    }

    pub(super) async fn claim_as<'c>(
        &self,
        change: impl FnOnce(&mut ClaimRequest<'c>),
    ) -> Checked<Claims> {
        let mut request = REQUEST;
        change(&mut request);
        self.store.claim(&request).await.map_err(failed)
    }

    /// Ends an attempt and claims in one call.
    pub(super) async fn done_and_claim(&self, owned: Owned) -> Checked<(Vec<bool>, Claims)> {
        let outcome = Outcome::Done;
        let finishes = [Finish { owned, outcome }];
        let both = self.store.finish_and_claim(&finishes, &REQUEST).await;
        both.map_err(failed)
    }

    pub(super) async fn claim(&self) -> Checked<Vec<Record>> {
        let claims = self.claim_as(|_| {}).await?;
        let mut records: Vec<_> = claims.entries.into_iter().map(|c| c.record).collect();
        records.sort_by_key(|record| record.seq);
        Ok(records)
    }

    /// Claims, and expects these entries.
    pub(super) async fn expect_claimed(&self, expected: &[&Entry]) -> Checked<Vec<Record>> {
        let records = self.claim().await?;
        let found: Vec<DedupKey> = records.iter().map(|record| record.entry.key).collect();
        let expected: Vec<DedupKey> = expected.iter().map(|entry| entry.key).collect();
        expect("the claimed keys", &expected, &found)?;
        Ok(records)
    }

    pub(super) async fn end(&self, record: &Record, outcome: Outcome) -> Checked<bool> {
        self.end_as(WORKER, owned(record), outcome).await
    }

    pub(super) async fn end_as(
        &self,
        owner: &str,
        owned: Owned,
        outcome: Outcome,
    ) -> Checked<bool> {
        let finish = Finish { owned, outcome };
        let ended = self.store.finish(owner, &[finish]).await.map_err(failed)?;
        ended.first().copied().ok_or("no outcome".to_owned())
    }

    pub(super) async fn extend_as(
        &self,
        owner: &str,
        owned: Owned,
        lease: Duration,
    ) -> Checked<bool> {
        let extended = self.store.extend(owner, &[owned], lease).await;
        let extended = extended.map_err(failed)?;
        extended.first().copied().ok_or("no outcome".to_owned())
    }

    pub(super) async fn end_all(
        &self,
        owner: &str,
        owned: &[Owned],
        outcome: Outcome,
    ) -> Checked<Vec<bool>> {
        let finish = |owned: &Owned| Finish {
            owned: *owned,
            outcome: outcome.clone(),
        };
        let finishes: Vec<Finish> = owned.iter().map(finish).collect();
        self.store.finish(owner, &finishes).await.map_err(failed)
    }

    pub(super) async fn extend_all(
        &self,
        owner: &str,
        owned: &[Owned],
        lease: Duration,
    ) -> Checked<Vec<bool>> {
        self.store.extend(owner, owned, lease).await.map_err(failed)
    }

    pub(super) async fn done(&self, record: &Record) -> Checked {
        let ended = self.end(record, Outcome::Done).await?;
        expect("finish", &true, &ended)
    }

    pub(super) async fn list(&self, filter: Filter) -> Checked<Vec<Record>> {
        self.store.list(&filter, 100).await.map_err(failed)
    }

    pub(super) async fn blocked_lanes(&self, after: i64) -> Checked<Vec<BlockedLane>> {
        self.store.blocked_lanes(after, 100).await.map_err(failed)
    }

    pub(super) async fn get(&self, seq: i64) -> Checked<Record> {
        let record = self.list(Filter::new().seq(seq)).await?.pop();
        record.ok_or_else(|| format!("expected the entry {seq}, found none"))
    }

    pub(super) async fn only(&self) -> Checked<Record> {
        let mut records = self.list(Filter::new()).await?;
        expect("the number of entries", &1, &records.len())?;
        Ok(records.remove(0))
    }

    pub(super) async fn reopen(&self, filter: Filter, replay: bool) -> Checked<u64> {
        self.store.reopen(&filter, replay).await.map_err(failed)
    }

    pub(super) async fn discard(&self, seq: i64) -> Checked<bool> {
        self.store.discard(seq).await.map_err(failed)
    }

    /// Removes all entries, unless the store does not: the rules have reported what is wrong with it.
    pub(super) async fn clean_up(&self) {
        while let Ok(records) = self.store.list(&Filter::new(), 100).await {
            let mut removed = 0;
            for record in records {
                let portal = &record.entry.member_id;
                removed += self.store.remove_portal(portal).await.unwrap_or_default();
            }
            if removed == 0 {
                return;
            }
        }
    }
}

pub(super) fn owned(record: &Record) -> Owned {
    Owned {
        seq: record.seq,
        attempt: record.attempts,
    }
}

pub(super) fn retry(after: Duration) -> Outcome {
    let error = "failed".to_owned();
    Outcome::Retry { after, error }
}

pub(super) fn expect<T: PartialEq + Debug>(what: &str, expected: &T, found: &T) -> Checked {
    if expected == found {
        Ok(())
    } else {
        Err(format!(
            "expected {what} to be {expected:?}, found {found:?}"
        ))
    }
}
