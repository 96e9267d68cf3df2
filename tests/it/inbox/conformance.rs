//! The check of inboxes can fail: each store that is wrong in one way is caught, by the rule that it
//! breaks.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use tower_bitrix24::event::DedupKey;
use tower_bitrix24::inbox::{
    Accept, Accepted, Backoff, BlockedLane, Claim, ClaimRequest, Claims, Entry, FORMAT, Filter,
    Finish, InboxStore, MemoryInbox, Outcome, Owned, Record, Stats,
};
use tower_bitrix24::testing::inbox_conformance;

/// A way of being wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    CutsBodies,
    ReversesBatches,
    KeepsDuplicates,
    ForgetsThatItComesOnce,
    NeverMerges,
    DoesNotCountMerges,
    IgnoresLanes,
    PutsAllIntoOneLane,
    IgnoresPortalLimit,
    BeginsWithTheFirstPortal,
    HandsOutSuspectsUnasked,
    HandsOutSuspectsWithoutRoom,
    HoldsOthersBack,
    DoesNotSayThatASuspectIsDue,
    DoesNotSayThatItRunsAlone,
    LeasesNeverEnd,
    NeverGivesUp,
    HandsOutLaterFormats,
    IgnoresTheOwner,
    IgnoresTheAttempt,
    ConfusesAttemptsOfOneCall,
    ClaimsBeforeItEnds,
    DoesNotExtend,
    RetriesTheDead,
    CountsReleasedAttempts,
    RetriesAtOnce,
    ForgetsBlockedLanes,
    ForgetsSinceWhen,
    DoesNotReopen,
    DoesNotMarkReplays,
    DoesNotDiscard,
    ListsEveryCode,
    ListsFromTheBeginning,
    ListsToTheEnd,
    ListsWithoutLimit,
    CountsNothing,
    RemovesNoPortal,
    RemovesOtherPortals,
    PurgesAtOnce,
    HandsOutTwice,
}

/// A store in memory that is wrong in one way.
struct Broken {
    fault: Fault,
    store: MemoryInbox,
    /// The owner and the attempt of what was claimed.
    claimed: Mutex<HashMap<i64, (String, u32)>>,
    last: Mutex<Vec<Claim>>,
    next: AtomicU8,
}

impl Broken {
    fn new(fault: Fault) -> Self {
        Self {
            fault,
            store: MemoryInbox::new(),
            claimed: Mutex::default(),
            last: Mutex::default(),
            next: AtomicU8::new(0),
        }
    }

    fn is(&self, fault: Fault) -> bool {
        self.fault == fault
    }

    fn kept(&self, mut entry: Entry) -> Entry {
        match self.fault {
            Fault::CutsBodies => entry.body.truncate(1),
            Fault::KeepsDuplicates => {
                let mut key = *entry.key.as_bytes();
                key[31] = self.next.fetch_add(1, Ordering::Relaxed);
                entry.key = DedupKey::from_bytes(key);
            }
            Fault::ForgetsThatItComesOnce => entry.once = false,
            Fault::NeverMerges => entry.merge = None,
            Fault::IgnoresLanes => entry.lane = None,
            Fault::PutsAllIntoOneLane => entry.lane = Some([99; 32]),
            Fault::HandsOutLaterFormats => entry.format = FORMAT,
            _ => {}
        }
        entry
    }

    fn owned(&self, owner: &str, owned: Owned) -> (String, Owned) {
        let claimed = self.claimed.lock().unwrap();
        let known = claimed.get(&owned.seq).cloned();
        let (known_owner, attempt) = known.unwrap_or((owner.to_owned(), owned.attempt));
        match self.fault {
            Fault::IgnoresTheOwner => (known_owner, owned),
            Fault::IgnoresTheAttempt => (owner.to_owned(), Owned { attempt, ..owned }),
            _ => (owner.to_owned(), owned),
        }
    }
}

impl Accept for Broken {
    type Error = Infallible;

    async fn accept(&self, entries: &[Entry]) -> Result<Vec<Accepted>, Infallible> {
        let mut entries: Vec<_> = entries.iter().cloned().map(|e| self.kept(e)).collect();
        if self.is(Fault::ReversesBatches) {
            entries.reverse();
        }
        self.store.accept(&entries).await
    }
}

impl InboxStore for Broken {
    async fn claim(&self, request: &ClaimRequest<'_>) -> Result<Claims, Infallible> {
        let mut request = request.clone();
        let for_ever = Backoff::new().first(Duration::ZERO).max_attempts(1000);
        match self.fault {
            Fault::IgnoresPortalLimit => request.portal_limit = usize::MAX,
            Fault::BeginsWithTheFirstPortal => request.after = "",
            Fault::HandsOutSuspectsUnasked => request.alone = true,
            Fault::HandsOutSuspectsWithoutRoom if request.alone => request.running = &[],
            Fault::LeasesNeverEnd => request.lease = Duration::from_secs(3600),
            Fault::NeverGivesUp => request.backoff = &for_ever,
            _ => {}
        }
        let mut claims = self.store.claim(&request).await?;
        if claims.has_suspect && self.is(Fault::HoldsOthersBack) {
            claims.entries.clear();
        }
        claims.has_suspect &= !self.is(Fault::DoesNotSayThatASuspectIsDue);
        for claim in &mut claims.entries {
            claim.alone &= !self.is(Fault::DoesNotSayThatItRunsAlone);
            let owner = (request.owner.to_owned(), claim.record.attempts);
            self.claimed.lock().unwrap().insert(claim.record.seq, owner);
        }
        if self.is(Fault::HandsOutTwice) {
            let mut last = self.last.lock().unwrap();
            let again = std::mem::replace(&mut *last, claims.entries.clone());
            claims.entries.extend(again);
        }
        Ok(claims)
    }

    async fn finish(&self, owner: &str, finishes: &[Finish]) -> Result<Vec<bool>, Infallible> {
        let mut ended = Vec::new();
        for finish in finishes {
            let mut finish = finish.clone();
            let (owner, owned) = self.owned(owner, finish.owned);
            finish.owned = owned;
            finish.outcome = match (self.fault, finish.outcome) {
                (Fault::RetriesTheDead, Outcome::Dead { error }) => Outcome::Retry {
                    after: Duration::from_secs(3600),
                    error,
                },
                (Fault::CountsReleasedAttempts, Outcome::Released) => Outcome::Retry {
                    after: Duration::ZERO,
                    error: String::new(),
                },
                (Fault::RetriesAtOnce, Outcome::Retry { error, .. }) => Outcome::Retry {
                    after: Duration::ZERO,
                    error,
                },
                (_, outcome) => outcome,
            };
            ended.extend(self.store.finish(&owner, &[finish]).await?);
        }
        Ok(ended)
    }

    async fn finish_and_claim(
        &self,
        finishes: &[Finish],
        request: &ClaimRequest<'_>,
    ) -> Result<(Vec<bool>, Claims), Infallible> {
        if self.is(Fault::ClaimsBeforeItEnds) {
            let claims = self.claim(request).await?;
            return Ok((self.finish(request.owner, finishes).await?, claims));
        }
        let finished = self.finish(request.owner, finishes).await?;
        Ok((finished, self.claim(request).await?))
    }

    async fn extend(
        &self,
        owner: &str,
        running: &[Owned],
        lease: Duration,
    ) -> Result<Vec<bool>, Infallible> {
        if self.is(Fault::DoesNotExtend) {
            return Ok(vec![true; running.len()]);
        }
        let mut extended = Vec::new();
        for owned in running {
            let (owner, owned) = self.owned(owner, *owned);
            extended.extend(self.store.extend(&owner, &[owned], lease).await?);
        }
        if self.is(Fault::ConfusesAttemptsOfOneCall) {
            let current: Vec<i64> = running
                .iter()
                .zip(&extended)
                .filter_map(|(owned, extended)| extended.then_some(owned.seq))
                .collect();
            extended = running
                .iter()
                .map(|owned| current.contains(&owned.seq))
                .collect();
        }
        Ok(extended)
    }

    async fn list(&self, filter: &Filter, limit: usize) -> Result<Vec<Record>, Infallible> {
        let mut filter = filter.clone();
        match self.fault {
            Fault::ListsEveryCode => filter.code = None,
            Fault::ListsFromTheBeginning => filter.after = None,
            Fault::ListsToTheEnd => filter.until = None,
            _ => {}
        }
        let is_unlimited = self.is(Fault::ListsWithoutLimit);
        let limit = if is_unlimited { usize::MAX } else { limit };
        let mut records = self.store.list(&filter, limit).await?;
        if self.is(Fault::DoesNotCountMerges) {
            records.iter_mut().for_each(|record| record.merged = 0);
        }
        Ok(records)
    }

    async fn blocked_lanes(
        &self,
        after: i64,
        limit: usize,
    ) -> Result<Vec<BlockedLane>, Infallible> {
        let mut lanes = self.store.blocked_lanes(after, limit).await?;
        match self.fault {
            Fault::ForgetsBlockedLanes => lanes.clear(),
            Fault::ForgetsSinceWhen => lanes
                .iter_mut()
                .for_each(|lane| lane.head.failing_since = None),
            _ => {}
        }
        Ok(lanes)
    }

    async fn reopen(&self, filter: &Filter, replay: bool) -> Result<u64, Infallible> {
        match self.fault {
            Fault::DoesNotReopen => Ok(0),
            Fault::DoesNotMarkReplays => self.store.reopen(filter, false).await,
            _ => self.store.reopen(filter, replay).await,
        }
    }

    async fn discard(&self, seq: i64) -> Result<bool, Infallible> {
        if self.is(Fault::DoesNotDiscard) {
            return Ok(true);
        }
        self.store.discard(seq).await
    }

    async fn purge(&self, done: Duration, dead: Duration) -> Result<u64, Infallible> {
        let is_early = self.is(Fault::PurgesAtOnce);
        let (done, dead) = if is_early {
            Default::default()
        } else {
            (done, dead)
        };
        self.store.purge(done, dead).await
    }

    async fn remove_portal(&self, member_id: &str) -> Result<u64, Infallible> {
        match self.fault {
            Fault::RemovesNoPortal => Ok(0),
            Fault::RemovesOtherPortals => {
                let mut removed = self.store.remove_portal(member_id).await?;
                for record in self.store.list(&Filter::new(), 100).await? {
                    removed += self.store.remove_portal(&record.entry.member_id).await?;
                }
                Ok(removed)
            }
            _ => self.store.remove_portal(member_id).await,
        }
    }

    async fn stats(&self) -> Result<Stats, Infallible> {
        if self.is(Fault::CountsNothing) {
            return Ok(Stats::new());
        }
        self.store.stats().await
    }
}

#[tokio::test]
async fn inbox_conformance_reports_each_fault_by_its_rule() {
    use Fault::*;

    let stored = "an accepted entry is stored as it is";
    let duplicate = "an equal entry that waits untried is a duplicate";
    let once = "an equal entry that was tried is none, unless it comes once";
    let merged = "an update merges into the last untried entry of its lane alone";
    let batch = "a batch is the same as its entries one after another";
    let order = "a claim hands out the heads of lanes in order, one at a time";
    let no_lane = "an entry without a lane waits for none";
    let in_turn = "portals are served in turn and within their limit";
    let retried = "a head that waits for its retry holds its lane and no other";
    let ended = "an entry whose lease ended is handed out again, alone";
    let others = "a suspect holds nothing back but its lane";
    let poison = "an entry whose lease ended after its last attempt is dead";
    let format = "an entry of a later format is left alone";
    let fenced = "only the owner of the attempt ends it";
    let together = "a call that ends and claims hands out what it frees";
    let extended = "an extended lease does not end";
    let dead = "a dead entry frees its lane";
    let released = "a released attempt does not count";
    let reopened = "a retried entry has all attempts and its place";
    let discarded = "a discarded entry frees its lane";
    let listed = "entries are listed by filter and page";
    let removed = "a removed portal leaves nothing";
    let purged = "old entries are purged, others stay";
    let concurrent = "concurrent claims hand an entry out once";

    let faults = [
        (CutsBodies, stored),
        (ReversesBatches, batch),
        (KeepsDuplicates, duplicate),
        (ForgetsThatItComesOnce, once),
        (NeverMerges, merged),
        (DoesNotCountMerges, merged),
        (IgnoresLanes, order),
        (PutsAllIntoOneLane, no_lane),
        (IgnoresPortalLimit, in_turn),
        (BeginsWithTheFirstPortal, in_turn),
        (HandsOutSuspectsUnasked, others),
        (HandsOutSuspectsWithoutRoom, others),
        (HoldsOthersBack, others),
        (DoesNotSayThatASuspectIsDue, others),
        (DoesNotSayThatItRunsAlone, ended),
        (LeasesNeverEnd, ended),
        (NeverGivesUp, poison),
        (HandsOutLaterFormats, format),
        (IgnoresTheOwner, fenced),
        (IgnoresTheAttempt, fenced),
        (ConfusesAttemptsOfOneCall, fenced),
        (ClaimsBeforeItEnds, together),
        (DoesNotExtend, extended),
        (RetriesTheDead, dead),
        (CountsReleasedAttempts, released),
        (RetriesAtOnce, retried),
        (ForgetsBlockedLanes, retried),
        (ForgetsSinceWhen, retried),
        (DoesNotReopen, reopened),
        (DoesNotMarkReplays, reopened),
        (DoesNotDiscard, discarded),
        (ListsEveryCode, listed),
        (ListsFromTheBeginning, listed),
        (ListsToTheEnd, listed),
        (ListsWithoutLimit, listed),
        (CountsNothing, listed),
        (RemovesNoPortal, removed),
        (RemovesOtherPortals, removed),
        (PurgesAtOnce, purged),
        (HandsOutTwice, concurrent),
    ];
    // At once, since each waits for leases to end.
    let mut checks = tokio::task::JoinSet::new();
    for (fault, rule) in faults {
        checks.spawn(async move {
            let checked = inbox_conformance::check(&Broken::new(fault)).await;
            let broken = checked.expect_err(&format!("{fault:?} is found"));
            let is_named = broken.rules().iter().any(|found| found.rule() == rule);
            assert!(is_named, "{fault:?} breaks {rule:?}: {broken}");
            rule
        });
    }
    let found: std::collections::BTreeSet<_> = checks.join_all().await.into_iter().collect();
    assert_eq!(found.len(), 24, "each rule is broken by a fault");
}
