//! A model of the inbox that knows nothing of databases, and a store that must agree with it after
//! every call: accept, claim, finish, crash, and what an operator does.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::time::Duration;

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use tower_bitrix24::event::DedupKey;
use tower_bitrix24::inbox::{
    Accepted, Backoff, ClaimRequest, Claims, Entry, FORMAT, Filter, Finish, InboxStore, Outcome,
    Owned, Record, State,
};

const HOUR: Duration = Duration::from_secs(60 * 60);

/// Lanes 0 to 3 are objects of portals `a` and `b`; 4 is no lane.
const NO_LANE: u8 = 4;

const MAX_ATTEMPTS: u32 = 3;

#[derive(Clone, Debug)]
pub(crate) enum Call {
    /// Entries by number of their key, lane, and whether they merge; a key with an odd number is sent
    /// once.
    Accept(Vec<(u8, u8, bool)>),
    Claim {
        worker: u8,
        limit: usize,
        alone: bool,
    },
    /// Ends the attempt that was claimed this many claims ago, whether it still counts or not.
    Finish {
        back: usize,
        end: End,
    },
    /// Extends it by an hour.
    Extend {
        back: usize,
    },
    /// A process dies: all leases of the worker end.
    Crash {
        worker: u8,
    },
    Reopen {
        seq: i64,
        replay: bool,
    },
    Discard {
        seq: i64,
    },
    RemovePortal {
        lane: u8,
    },
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum End {
    Done,
    RetryNow,
    RetryLater,
    Dead,
    Released,
}

pub(crate) fn calls() -> impl Strategy<Value = Vec<Call>> {
    let entry = (0..12_u8, 0..=NO_LANE, any::<bool>());
    let end = prop_oneof![
        4 => Just(End::Done),
        2 => Just(End::RetryNow),
        1 => Just(End::RetryLater),
        1 => Just(End::Dead),
        1 => Just(End::Released),
    ];
    let call = prop_oneof![
        4 => vec(entry, 1..6).prop_map(Call::Accept),
        4 => (0..2_u8, 1..5_usize, any::<bool>())
            .prop_map(|(worker, limit, alone)| Call::Claim { worker, limit, alone }),
        4 => (0..6_usize, end).prop_map(|(back, end)| Call::Finish { back, end }),
        1 => (0..6_usize).prop_map(|back| Call::Extend { back }),
        1 => (0..2_u8).prop_map(|worker| Call::Crash { worker }),
        1 => (1..20_i64, any::<bool>()).prop_map(|(seq, replay)| Call::Reopen { seq, replay }),
        1 => (1..20_i64).prop_map(|seq| Call::Discard { seq }),
        1 => (0..=NO_LANE).prop_map(|lane| Call::RemovePortal { lane }),
    ];
    vec(call, 1..60)
}

/// An entry of the model.
#[derive(Clone, Debug)]
struct Modeled {
    seq: i64,
    entry: Entry,
    state: State,
    head: bool,
    merged: u32,
    attempts: u32,
    forgiven: u32,
    suspect: bool,
    replayed: bool,
    is_failing: bool,
    owner: Option<u8>,
    /// The pause, or while it runs the lease, has not passed.
    is_later: bool,
}

#[derive(Default)]
struct Model {
    entries: Vec<Modeled>,
    last_seq: i64,
    /// The worker, sequence number and attempt of each claim, the newest last.
    claimed: Vec<(u8, i64, u32)>,
    next_body: u32,
}

impl Modeled {
    fn is_active(&self) -> bool {
        matches!(self.state, State::Waiting | State::Running)
    }

    fn is_untried(&self) -> bool {
        self.state == State::Waiting && self.attempts == 0
    }

    fn is_due(&self) -> bool {
        self.state == State::Waiting && self.head && !self.is_later
    }

    fn end(&mut self, state: State) {
        self.state = state;
        self.head = false;
        self.suspect = false;
        self.owner = None;
    }

    fn wait(&mut self, is_later: bool) {
        self.state = State::Waiting;
        self.owner = None;
        self.is_later = is_later;
    }
}

fn portal(lane: u8) -> &'static str {
    ["a", "b"][usize::from(lane % 2)]
}

impl Model {
    fn entry(&mut self, (key, lane, merges): (u8, u8, bool)) -> Entry {
        self.next_body += 1;
        // Equal keys are of equal lanes.
        let lane = (lane + key) % (NO_LANE + 1);
        let once = key % 2 == 1;
        Entry {
            key: DedupKey::from_bytes([key + 16 * lane; 32]),
            lane: (lane != NO_LANE).then_some([lane; 32]),
            merge: (merges && !once && lane != NO_LANE).then_some([9; 32]),
            once,
            member_id: portal(lane).to_owned(),
            // A merge takes the code as the newest event has it.
            code: ["ONCRMDEALUPDATE", "onCrmDealUpdate"][self.next_body as usize % 2].to_owned(),
            subject: format!("crm.deal {lane}"),
            handler_id: Some(1),
            timestamp: Some(i64::from(key)),
            // The newest of a merge decides, as it does over the code.
            format: FORMAT - i64::from(self.next_body % 2),
            key_id: None,
            body: Bytes::from(self.next_body.to_be_bytes().to_vec()),
        }
    }

    fn accept(&mut self, entry: &Entry) -> Accepted {
        let is_duplicate = self.entries.iter().any(|other| {
            other.entry.key == entry.key && (other.is_untried() || (other.entry.once && entry.once))
        });
        if is_duplicate {
            return Accepted::Duplicate;
        }
        if entry.merge.is_some() {
            let of_lane =
                |other: &&mut Modeled| other.entry.lane == entry.lane && other.is_active();
            let last = self.entries.iter_mut().rfind(of_lane);
            let is_mergeable =
                |last: &&mut Modeled| last.is_untried() && last.entry.merge == entry.merge;
            if let Some(last) = last.filter(is_mergeable) {
                last.entry = entry.clone();
                last.merged += 1;
                return Accepted::Merged;
            }
        }
        self.last_seq += 1;
        self.entries.push(Modeled {
            seq: self.last_seq,
            entry: entry.clone(),
            state: State::Waiting,
            head: false,
            merged: 0,
            attempts: 0,
            forgiven: 0,
            suspect: false,
            replayed: false,
            is_failing: false,
            owner: None,
            is_later: false,
        });
        self.promote();
        Accepted::Stored
    }

    /// The oldest active entry of a lane without a head becomes it.
    fn promote(&mut self) {
        for at in 0..self.entries.len() {
            let lane = self.entries[at].entry.lane;
            let has_head = lane.is_some()
                && self
                    .entries
                    .iter()
                    .any(|other| other.head && other.entry.lane == lane);
            if self.entries[at].is_active() && !has_head {
                self.entries[at].head = true;
            }
        }
    }

    fn end_leases(&mut self) {
        for entry in &mut self.entries {
            if entry.state != State::Running || entry.is_later {
                continue;
            }
            entry.is_failing = true;
            let tried = entry.attempts - entry.forgiven;
            if tried >= MAX_ATTEMPTS {
                entry.end(State::Dead);
                continue;
            }
            // Without a pause after the first attempt; then an hour.
            entry.wait(tried > 1);
            entry.suspect = true;
        }
        self.promote();
    }

    /// Checks what was handed out, and hands it out.
    fn claim(&mut self, worker: u8, limit: usize, alone: bool, claims: &Claims) {
        self.end_leases();
        let due: Vec<_> = self.entries.iter().filter(|entry| entry.is_due()).collect();
        let seqs = |suspect: bool| -> BTreeSet<i64> {
            let due = due.iter().filter(|entry| entry.suspect == suspect);
            due.map(|entry| entry.seq).collect()
        };
        let (suspects, others) = (seqs(true), seqs(false));
        let claimed = &claims.entries;
        let found: BTreeSet<i64> = claimed.iter().map(|claim| claim.record.seq).collect();
        assert_eq!(found.len(), claimed.len(), "an entry is handed out twice");
        let is_alone = alone && !suspects.is_empty();
        let (allowed, number) = if is_alone {
            (&suspects, 1)
        } else {
            (&others, limit.min(others.len()))
        };
        assert!(found.is_subset(allowed), "{found:?} of {allowed:?}");
        assert_eq!(found.len(), number, "{found:?} of {allowed:?}");
        assert!(claimed.iter().all(|claim| claim.alone == is_alone));
        assert_eq!(claims.has_suspect, !alone && !suspects.is_empty());
        for claim in claimed {
            let entry = self.find(claim.record.seq).unwrap();
            entry.state = State::Running;
            entry.owner = Some(worker);
            entry.attempts += 1;
            entry.is_later = true;
            assert_eq!(claim.record.entry, entry.entry);
            assert_eq!(claim.record.attempts, entry.attempts);
            let attempt = (worker, entry.seq, entry.attempts);
            self.claimed.push(attempt);
        }
    }

    fn find(&mut self, seq: i64) -> Option<&mut Modeled> {
        self.entries.iter_mut().find(|entry| entry.seq == seq)
    }

    /// Returns the entry if the attempt still counts.
    fn owned(&mut self, (worker, seq, attempt): (u8, i64, u32)) -> Option<&mut Modeled> {
        self.find(seq).filter(|entry| {
            entry.state == State::Running
                && entry.owner == Some(worker)
                && entry.attempts == attempt
        })
    }

    fn finish(&mut self, attempt: (u8, i64, u32), end: End) -> bool {
        let Some(entry) = self.owned(attempt) else {
            return false;
        };
        match end {
            End::Done => {
                entry.end(State::Done);
                entry.is_failing = false;
                entry.entry.body = Bytes::new();
            }
            End::Dead => {
                entry.is_failing = true;
                entry.end(State::Dead);
            }
            End::RetryNow | End::RetryLater => {
                entry.wait(matches!(end, End::RetryLater));
                entry.suspect = false;
                entry.is_failing = true;
            }
            End::Released => {
                entry.wait(false);
                entry.forgiven += 1;
            }
        }
        self.promote();
        true
    }

    fn reopen(&mut self, seq: i64, replay: bool) -> u64 {
        let Some(entry) = self.find(seq) else {
            return 0;
        };
        let is_reopened = match entry.state {
            State::Waiting => entry.attempts > 0 && entry.is_later && !replay,
            State::Dead => true,
            State::Done => replay,
            _ => false,
        };
        if !is_reopened || entry.entry.body.is_empty() {
            return 0;
        }
        entry.attempts = entry.attempts.max(1);
        entry.forgiven = entry.attempts;
        entry.replayed |= replay;
        entry.suspect = false;
        entry.is_failing = false;
        entry.wait(false);
        self.promote();
        1
    }

    fn discard(&mut self, seq: i64) -> bool {
        let waits = |entry: &&mut Modeled| matches!(entry.state, State::Waiting | State::Dead);
        let Some(entry) = self.find(seq).filter(waits) else {
            return false;
        };
        entry.end(State::Done);
        entry.entry.body = Bytes::new();
        self.promote();
        true
    }
}

/// The fields of an entry that a store shows, in the order of the model's.
fn shown(record: &Record) -> impl Debug + PartialEq + use<> {
    (
        (record.seq, record.entry.clone(), record.state, record.head),
        (record.merged, record.attempts, record.forgiven),
        (
            record.suspect,
            record.replayed,
            record.failing_since.is_some(),
        ),
        record.entry.body.clone(),
    )
}

fn worker_name(worker: u8) -> String {
    format!("worker-{worker}")
}

/// The sequence numbers of a store, which ascend, by those of the model, which also count from 1.
#[derive(Default)]
struct Seqs(Vec<i64>);

impl Seqs {
    fn stored(&self, modeled: i64) -> i64 {
        let at = usize::try_from(modeled - 1).unwrap();
        self.0.get(at).copied().unwrap_or(i64::MAX)
    }

    fn modeled(&self, stored: i64) -> i64 {
        let at = self
            .0
            .binary_search(&stored)
            .expect("an entry that was accepted");
        at as i64 + 1
    }

    /// Learns those that were accepted since.
    async fn complete(&mut self, store: &impl InboxStore<Error: Debug>) {
        let last = self.0.last().copied().unwrap_or(i64::MIN);
        let new = store.list(&Filter::new().after(last), 1000).await.unwrap();
        self.0.extend(new.iter().map(|record| record.seq));
    }

    async fn complete_until(&mut self, modeled: i64, store: &impl InboxStore<Error: Debug>) {
        if self.0.len() < usize::try_from(modeled).unwrap() {
            self.complete(store).await;
        }
    }
}

/// Makes the calls to an empty store and to the model.
pub(crate) async fn agree<S>(store: &S, calls: Vec<Call>)
where
    S: InboxStore<Error: Debug>,
{
    for portal in ["a", "b"] {
        // Entries that a failed case left.
        store.remove_portal(portal).await.unwrap();
    }
    let mut model = Model::default();
    let mut seqs = Seqs::default();
    let backoff = Backoff::new().first(HOUR).max_attempts(MAX_ATTEMPTS);
    for call in calls {
        match call {
            Call::Accept(entries) => {
                let entries: Vec<Entry> = entries
                    .into_iter()
                    .map(|entry| model.entry(entry))
                    .collect();
                let expected: Vec<Accepted> =
                    entries.iter().map(|entry| model.accept(entry)).collect();
                let accepted = store.accept(&entries).await.unwrap();
                assert_eq!(accepted.len(), expected.len());
                for (found, expected) in accepted.into_iter().zip(expected) {
                    // A store that decides later has stored it.
                    assert!(found == expected || found == Accepted::Stored);
                }
                // The next call is the first that sees the entries.
                continue;
            }
            Call::Claim {
                worker,
                limit,
                alone,
            } => {
                let owner = worker_name(worker);
                let request = ClaimRequest {
                    owner: &owner,
                    limit,
                    lease: HOUR,
                    backoff: &backoff,
                    alone,
                    portal_limit: limit,
                    running: &[],
                    after: "",
                };
                let mut claims = store.claim(&request).await.unwrap();
                seqs.complete(store).await;
                for claim in &mut claims.entries {
                    claim.record.seq = seqs.modeled(claim.record.seq);
                }
                model.claim(worker, limit, alone, &claims);
            }
            Call::Finish { back, end } => {
                let Some(&(worker, seq, attempt)) = model.claimed.iter().rev().nth(back) else {
                    continue;
                };
                let error = "failed".to_owned();
                let outcome = match end {
                    End::Done => Outcome::Done,
                    End::Dead => Outcome::Dead { error },
                    End::Released => Outcome::Released,
                    End::RetryNow => Outcome::Retry {
                        after: Duration::ZERO,
                        error,
                    },
                    End::RetryLater => Outcome::Retry { after: HOUR, error },
                };
                let owned = Owned {
                    seq: seqs.stored(seq),
                    attempt,
                };
                let finish = Finish { owned, outcome };
                let owner = worker_name(worker);
                let finished = store.finish(&owner, &[finish]).await.unwrap();
                assert_eq!(finished, [model.finish((worker, seq, attempt), end)]);
            }
            Call::Extend { back } => {
                let Some(&(worker, seq, attempt)) = model.claimed.iter().rev().nth(back) else {
                    continue;
                };
                let owned = Owned {
                    seq: seqs.stored(seq),
                    attempt,
                };
                let extended = store.extend(&worker_name(worker), &[owned], HOUR).await;
                let entry = model.owned((worker, seq, attempt));
                assert_eq!(extended.unwrap(), [entry.is_some()]);
                if let Some(entry) = entry {
                    entry.is_later = true;
                }
            }
            Call::Crash { worker } => {
                let running = model.entries.iter_mut();
                let running = running.filter(|entry| entry.owner == Some(worker));
                let mut owned = Vec::new();
                for entry in running {
                    entry.is_later = false;
                    owned.push(Owned {
                        seq: seqs.stored(entry.seq),
                        attempt: entry.attempts,
                    });
                }
                // Its leases end now.
                let owner = worker_name(worker);
                let ended = store.extend(&owner, &owned, Duration::ZERO).await.unwrap();
                assert!(ended.iter().all(|ended| *ended));
            }
            Call::Reopen { seq, replay } => {
                seqs.complete_until(seq, store).await;
                let reopened = store
                    .reopen(&Filter::new().seq(seqs.stored(seq)), replay)
                    .await;
                assert_eq!(reopened.unwrap(), model.reopen(seq, replay));
            }
            Call::Discard { seq } => {
                seqs.complete_until(seq, store).await;
                let discarded = store.discard(seqs.stored(seq)).await.unwrap();
                assert_eq!(discarded, model.discard(seq));
            }
            Call::RemovePortal { lane } => {
                seqs.complete(store).await;
                let before = model.entries.len();
                let member_id = portal(lane);
                model
                    .entries
                    .retain(|entry| entry.entry.member_id != member_id);
                let removed = store.remove_portal(member_id).await.unwrap();
                assert_eq!(removed, (before - model.entries.len()) as u64);
            }
        }
        seqs.complete(store).await;
        compare(store, &model, &seqs).await;
    }
    seqs.complete(store).await;
    compare(store, &model, &seqs).await;
}

async fn compare<S>(store: &S, model: &Model, seqs: &Seqs)
where
    S: InboxStore<Error: Debug>,
{
    let records = store.list(&Filter::new(), 1000).await.unwrap();
    let found: Vec<_> = records
        .into_iter()
        .map(|mut record| {
            record.seq = seqs.modeled(record.seq);
            shown(&record)
        })
        .collect();
    let expected: Vec<_> = model
        .entries
        .iter()
        .map(|modeled| {
            shown(&Record {
                seq: modeled.seq,
                entry: modeled.entry.clone(),
                state: modeled.state,
                head: modeled.head,
                first_received: 0,
                received: 0,
                merged: modeled.merged,
                due: 0,
                attempts: modeled.attempts,
                forgiven: modeled.forgiven,
                suspect: modeled.suspect,
                replayed: modeled.replayed,
                failing_since: modeled.is_failing.then_some(0),
                error: None,
            })
        })
        .collect();
    assert_eq!(found, expected);
    // Whatever happened, a lane runs one entry at most.
    let running = model
        .entries
        .iter()
        .filter(|entry| entry.state == State::Running);
    let lanes: Vec<_> = running.filter_map(|entry| entry.entry.lane).collect();
    assert_eq!(lanes.iter().collect::<BTreeSet<_>>().len(), lanes.len());
}
