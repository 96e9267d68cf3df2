//! The entries of a `MemoryInbox`, by the rules of `InboxStore`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;

use crate::inbox::clock::millis;
use crate::inbox::entry::{Entry, FORMAT};
use crate::inbox::store::{
    Accepted, BlockedLane, Claim, ClaimRequest, Claims, Filter, Finish, LEASE_ENDED, Outcome,
    Owned, Quota, Record, State, Stats,
};

#[derive(Default)]
pub(super) struct Entries {
    next_seq: i64,
    entries: BTreeMap<i64, Stored>,
}

struct Stored {
    record: Record,
    owner: Option<String>,
    /// When it became done or dead.
    finished: i64,
}

impl Stored {
    fn is_active(&self) -> bool {
        matches!(self.record.state, State::Waiting | State::Running)
    }

    fn is_untried(&self) -> bool {
        self.record.state == State::Waiting && self.record.attempts == 0
    }

    fn is_owned(&self, owner: &str, owned: Owned) -> bool {
        self.record.state == State::Running
            && self.owner.as_deref() == Some(owner)
            && self.record.attempts == owned.attempt
    }

    fn is_due(&self, now: i64) -> bool {
        self.record.state == State::Waiting
            && self.record.head
            && self.record.due <= now
            && self.record.entry.format <= FORMAT
    }

    fn is_blocking(&self) -> bool {
        self.record.state == State::Waiting
            && self.record.head
            && self.record.failing_since.is_some()
            && self.record.entry.lane.is_some()
    }

    fn wait(&mut self, due: i64) {
        self.owner = None;
        self.record.state = State::Waiting;
        self.record.due = due;
    }

    fn end(&mut self, state: State, now: i64) {
        self.owner = None;
        self.finished = now;
        self.record.state = state;
        self.record.head = false;
        self.record.suspect = false;
    }
}

impl Entries {
    pub(super) fn accept(&mut self, entry: &Entry, now: i64) -> Accepted {
        let mut all = self.entries.values();
        let is_duplicate = |stored: &Stored| {
            let same = stored.record.entry.key == entry.key;
            same && (stored.is_untried() || (entry.once && stored.record.entry.once))
        };
        if all.any(is_duplicate) {
            return Accepted::Duplicate;
        }
        if let (Some(lane), Some(merge)) = (entry.lane, entry.merge) {
            let mut newest_first = self.entries.values_mut().rev();
            let last = newest_first
                .find(|stored| stored.record.entry.lane == Some(lane) && stored.is_active());
            if let Some(last) = last {
                if last.is_untried() && last.record.entry.merge == Some(merge) {
                    last.record.entry = entry.clone();
                    last.record.received = now;
                    last.record.merged += 1;
                    return Accepted::Merged;
                }
            }
        }
        self.next_seq += 1;
        let record = Record {
            seq: self.next_seq,
            entry: entry.clone(),
            state: State::Waiting,
            head: false,
            first_received: now,
            received: now,
            merged: 0,
            due: now,
            attempts: 0,
            forgiven: 0,
            suspect: false,
            replayed: false,
            failing_since: None,
            error: None,
        };
        let stored = Stored {
            record,
            owner: None,
            finished: 0,
        };
        self.entries.insert(self.next_seq, stored);
        Accepted::Stored
    }

    /// Gives every lane without a head its oldest entry as the head.
    pub(super) fn promote(&mut self) {
        let active = self.entries.values().filter(|stored| stored.is_active());
        let mut headed: BTreeSet<_> = active
            .filter(|stored| stored.record.head)
            .filter_map(|stored| stored.record.entry.lane)
            .collect();
        for stored in self
            .entries
            .values_mut()
            .filter(|stored| stored.is_active())
        {
            stored.record.head |= match stored.record.entry.lane {
                Some(lane) => headed.insert(lane),
                None => true,
            };
        }
    }

    fn reap(&mut self, request: &ClaimRequest<'_>, now: i64) {
        for stored in self.entries.values_mut() {
            if stored.record.state != State::Running || stored.record.due > now {
                continue;
            }
            let tried = stored.record.attempts - stored.record.forgiven;
            match request.backoff.delay(tried) {
                Some(_) if tried <= 1 => stored.wait(now),
                Some(delay) => stored.wait(now.saturating_add(millis(delay))),
                None => {
                    stored.record.failing_since.get_or_insert(now);
                    stored.end(State::Dead, now);
                    stored.record.error = Some(LEASE_ENDED.to_owned());
                    continue;
                }
            }
            stored.record.suspect = true;
            stored.record.failing_since.get_or_insert(now);
        }
        self.promote();
    }

    fn run(&mut self, seq: i64, request: &ClaimRequest<'_>, now: i64) -> Option<Claim> {
        let stored = self.entries.get_mut(&seq)?;
        let alone = stored.record.suspect;
        stored.owner = Some(request.owner.to_owned());
        stored.record.state = State::Running;
        stored.record.attempts += 1;
        stored.record.due = now.saturating_add(millis(request.lease));
        Some(Claim {
            record: stored.record.clone(),
            alone,
        })
    }

    pub(super) fn claim(&mut self, request: &ClaimRequest<'_>, now: i64) -> Claims {
        self.reap(request, now);
        let mut claims = Claims {
            after: request.after.to_owned(),
            ..Claims::default()
        };
        if request.limit == 0 {
            return claims;
        }
        let due = self.entries.values().filter(|stored| stored.is_due(now));
        let mut due: Vec<_> = due.map(|stored| stored.record.clone()).collect();
        due.sort_by_key(|record| (record.due, record.seq));
        let mut quota = Quota::new(request);
        let is_claimable =
            |record: &&Record| record.suspect && quota.room(&record.entry.member_id) > 0;
        if let Some(suspect) = due.iter().find(is_claimable) {
            if request.alone {
                claims.entries.extend(self.run(suspect.seq, request, now));
                return claims;
            }
            claims.has_suspect = true;
        }
        due.retain(|record| !record.suspect);
        let members: BTreeSet<&str> = due.iter().map(|r| r.entry.member_id.as_str()).collect();
        let (before, after): (Vec<&str>, Vec<&str>) =
            members.into_iter().partition(|id| *id <= request.after);
        let members = after.into_iter().chain(before);
        let members = members.map(str::to_owned);
        let portals: Vec<String> = members.filter(|id| quota.room(id) > 0).collect();
        for round in 0..2 {
            let all = portals.len();
            for (at, portal) in portals.iter().enumerate() {
                let wanted = quota.of(portal, if round == 0 { all - at } else { 1 });
                let mut taken = 0;
                while taken < wanted {
                    let next = due
                        .iter()
                        .position(|record| record.entry.member_id == *portal);
                    let Some(next) = next else { break };
                    let seq = due.remove(next).seq;
                    claims.entries.extend(self.run(seq, request, now));
                    taken += 1;
                }
                if taken > 0 && round == 0 {
                    claims.after.clone_from(portal);
                }
                quota.claimed(portal, taken);
            }
        }
        claims
    }

    pub(super) fn finish(&mut self, owner: &str, finish: &Finish, now: i64) -> bool {
        let Some(stored) = self.entries.get_mut(&finish.owned.seq) else {
            return false;
        };
        if !stored.is_owned(owner, finish.owned) {
            return false;
        }
        match &finish.outcome {
            Outcome::Done => {
                stored.end(State::Done, now);
                stored.record.error = None;
                stored.record.failing_since = None;
                stored.record.entry.body = Bytes::new();
            }
            Outcome::Retry { after, error } => {
                stored.wait(now.saturating_add(millis(*after)));
                stored.record.suspect = false;
                stored.record.failing_since.get_or_insert(now);
                stored.record.error = Some(error.clone());
            }
            Outcome::Dead { error } => {
                stored.record.failing_since.get_or_insert(now);
                stored.end(State::Dead, now);
                stored.record.error = Some(error.clone());
            }
            Outcome::Released => {
                stored.wait(now);
                stored.record.forgiven += 1;
            }
        }
        true
    }

    pub(super) fn reopen(&mut self, filter: &Filter, replay: bool, now: i64) -> u64 {
        let mut reopened = 0;
        for stored in self.entries.values_mut() {
            let record = &mut stored.record;
            let is_reopened = match record.state {
                State::Waiting => record.attempts > 0 && record.due > now && !replay,
                State::Dead => true,
                State::Done => replay,
                State::Running => false,
            };
            if !is_reopened || record.entry.body.is_empty() || !filter.selects(record) {
                continue;
            }
            // Never untried again: an equal entry may have come since.
            record.attempts = record.attempts.max(1);
            record.forgiven = record.attempts;
            record.replayed |= replay;
            record.suspect = false;
            record.failing_since = None;
            stored.wait(now);
            reopened += 1;
        }
        self.promote();
        reopened
    }

    pub(super) fn discard(&mut self, seq: i64, now: i64) -> bool {
        let Some(stored) = self.entries.get_mut(&seq) else {
            return false;
        };
        if !matches!(stored.record.state, State::Waiting | State::Dead) {
            return false;
        }
        stored.end(State::Done, now);
        stored.record.error = Some("discarded".to_owned());
        stored.record.entry.body = Bytes::new();
        self.promote();
        true
    }

    pub(super) fn stats(&self, now: i64) -> Stats {
        let mut stats = Stats::new();
        for stored in self.entries.values() {
            let record = &stored.record;
            match record.state {
                State::Waiting => stats.waiting += 1,
                State::Running => stats.running += 1,
                State::Done => stats.done += 1,
                State::Dead => stats.dead += 1,
            }
            if record.state == State::Waiting {
                let age = u64::try_from(now - record.first_received).unwrap_or_default();
                stats.oldest_waiting_ms = stats.oldest_waiting_ms.max(Some(age));
                stats.blocked_lanes += u64::from(stored.is_blocking());
            }
        }
        stats
    }

    pub(super) fn extend(&mut self, owner: &str, owned: Owned, due: i64) -> bool {
        let stored = self.entries.get_mut(&owned.seq);
        let stored = stored.filter(|stored| stored.is_owned(owner, owned));
        stored.map(|stored| stored.record.due = due).is_some()
    }

    pub(super) fn list(&self, filter: &Filter, limit: usize) -> Vec<Record> {
        let records = self.entries.values().map(|stored| &stored.record);
        let records = records.filter(|record| filter.selects(record)).take(limit);
        records.cloned().collect()
    }

    pub(super) fn blocked_lanes(&self, after: i64, limit: usize) -> Vec<BlockedLane> {
        let heads = self.entries.range(after.saturating_add(1)..);
        let heads = heads.filter(|(_, stored)| stored.is_blocking()).take(limit);
        heads
            .map(|(_, head)| {
                let lane = head.record.entry.lane;
                let active = self.entries.values().filter(|other| other.is_active());
                let of_lane = active.filter(|other| other.record.entry.lane == lane);
                BlockedLane {
                    head: head.record.clone(),
                    behind: of_lane.count() as u64 - 1,
                }
            })
            .collect()
    }

    /// Keeps the entries that `is_kept` selects, and returns the number of the others.
    fn retain(&mut self, is_kept: impl Fn(&Stored) -> bool) -> u64 {
        let before = self.entries.len();
        self.entries.retain(|_, stored| is_kept(stored));
        (before - self.entries.len()) as u64
    }

    pub(super) fn purge(&mut self, done: Duration, dead: Duration, now: i64) -> u64 {
        self.retain(|stored| {
            let kept = match stored.record.state {
                State::Done => done,
                State::Dead => dead,
                State::Waiting | State::Running => return true,
            };
            stored.finished > now.saturating_sub(millis(kept))
        })
    }

    pub(super) fn remove_portal(&mut self, member_id: &str) -> u64 {
        self.retain(|stored| stored.record.entry.member_id != member_id)
    }
}
