//! The loop of a worker: claims, runs, extends, finishes.

use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use tokio::sync::watch;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout_at};
use tower::Service;

use super::Settings;
use super::attempt::{Attempts, clone_of};
use super::running::{Attempt, Running};
use super::turn::{Claimed, Next, Turn};
use crate::inbox::seal::InboxKey;
use crate::inbox::service::Inbox;
use crate::inbox::store::{ClaimRequest, Finish, InboxStore, Outcome, Owned, Record};
use crate::telemetry;

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const MAX_PAUSE: Duration = Duration::from_secs(5);

/// The pause before the next claim after one that did not look at everything.
const RESUME_PAUSE: Duration = Duration::from_millis(50);

/// A lease that is over is extended for this time at most, and for a tenth of a lease.
const MAX_GRACE: Duration = Duration::from_secs(1);

/// A shutdown tries to store the last outcomes for this time.
const LAST_FINISH: Duration = Duration::from_secs(5);

pub(super) struct Run<S> {
    inbox: Inbox<S>,
    attempts: Attempts,
    owner: String,
    stop: watch::Receiver<Option<Instant>>,
    running: Running,
    turn: Turn,
    tasks: JoinSet<Outcome>,
    /// Attempts that ended and are still to be stored. Their leases are extended meanwhile.
    unfinished: Vec<Finish>,
    after: String,
    /// There may be entries to claim.
    hungry: bool,
    /// The store is to be called even if there is no place, so that it does what it has put off.
    urges: bool,
    /// The time of the next claim, if the last one did not look at everything.
    resume_at: Option<Instant>,
    /// The store is not called before this, since the last call failed.
    paused_until: Option<Instant>,
    pause: Duration,
    released: usize,
}

/// Three quarters. One place at least is left for another portal, if there are two.
fn default_portal_limit(concurrency: usize) -> usize {
    let share = (concurrency * 3).div_ceil(4);
    share.min(concurrency - 1).max(1)
}

/// A random name, so that no two workers have the same.
fn owner() -> String {
    let random = InboxKey::generate().to_hex();
    format!("{}-{}", std::process::id(), &random[..16])
}

impl<S: InboxStore + 'static> Run<S> {
    pub(super) fn new(
        inbox: Inbox<S>,
        settings: Settings,
        stop: watch::Receiver<Option<Instant>>,
    ) -> Self {
        let keys = inbox.keys.clone();
        Self {
            inbox,
            attempts: Attempts { keys, settings },
            owner: owner(),
            stop,
            running: Running::default(),
            turn: Turn::new(Instant::now()),
            tasks: JoinSet::new(),
            unfinished: Vec::new(),
            after: String::new(),
            hungry: true,
            urges: false,
            resume_at: None,
            paused_until: None,
            pause: FIRST_PAUSE,
            released: 0,
        }
    }

    /// Works until it is stopped. Returns the number of released entries.
    pub(super) async fn run<H, B, R>(mut self, mut service: H) -> usize
    where
        H: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
        H::Future: Send,
        H::Error: Into<Box<dyn Error + Send + Sync>>,
        B: From<Bytes> + Send + 'static,
        R: Send + 'static,
    {
        let mut stored = self.inbox.stored.subscribe();
        let mut polls = ticks(self.attempts.settings.poll_interval);
        let mut extensions = ticks(self.attempts.settings.lease / 3);
        loop {
            let deadline = *self.stop.borrow_and_update();
            if deadline.is_some_and(|deadline| self.is_idle() || Instant::now() >= deadline) {
                break;
            }
            let lease_end = self.running.lease_end();
            if lease_end.is_some_and(|end| end <= Instant::now()) {
                // The last extension failed. The next one is due later than the lease ends.
                self.extend().await;
            }
            if self.resume_at.is_some_and(|at| at <= Instant::now()) {
                self.resume_at = None;
                self.urge();
            }
            if !self.is_paused() {
                // Its time is over, and would wake the loop at once.
                self.paused_until = None;
                if deadline.is_some() {
                    self.finish().await;
                } else {
                    self.finish_and_claim(&mut service).await;
                }
            }
            let lease_end = self.running.lease_end();
            let turn_end = self.turn.end(Instant::now());
            let wake = [
                deadline,
                self.paused_until,
                self.resume_at,
                lease_end,
                turn_end,
            ];
            let wake = wake.into_iter().flatten().min();
            tokio::select! {
                Some(joined) = self.tasks.join_next_with_id() => self.joined(joined),
                Ok(()) = stored.changed() => self.hungry = true,
                _ = polls.tick() => self.urge(),
                _ = extensions.tick() => self.extend().await,
                // The worker also stops if its handle was dropped with a deadline set.
                Ok(()) = self.stop.changed() => {}
                () = sleep_until(wake.unwrap_or_else(Instant::now)), if wake.is_some() => {}
            }
            while let Some(joined) = self.tasks.try_join_next_with_id() {
                self.joined(joined);
            }
        }
        self.stop_tasks().await;
        self.released
    }

    fn urge(&mut self) {
        self.hungry = true;
        self.urges = true;
    }

    fn is_idle(&self) -> bool {
        self.running.is_empty() && self.unfinished.is_empty()
    }

    fn is_paused(&self) -> bool {
        self.paused_until
            .is_some_and(|until| Instant::now() < until)
    }

    fn succeeded(&mut self) {
        self.paused_until = None;
        self.pause = FIRST_PAUSE;
    }

    /// Pauses after a failed call, which is repeated until it succeeds.
    fn failed(&mut self, error: impl Into<Box<dyn Error + Send + Sync>>) {
        telemetry::inbox::worker_failed(&*error.into());
        self.paused_until = Some(Instant::now() + self.pause);
        self.pause = (self.pause * 2).min(MAX_PAUSE);
        self.hungry = true;
    }

    /// Stores the outcomes of attempts and claims entries, together if there are both.
    async fn finish_and_claim<H, B, R>(&mut self, service: &mut H)
    where
        H: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
        H::Future: Send,
        H::Error: Into<Box<dyn Error + Send + Sync>>,
        B: From<Bytes> + Send + 'static,
        R: Send + 'static,
    {
        if self.pause > FIRST_PAUSE {
            // A claim that fails must not keep the outcomes from being stored.
            self.finish().await;
            if self.is_paused() {
                return;
            }
        }
        let settings = &self.attempts.settings;
        let now = Instant::now();
        let is_running = |task| self.running.is_held(task);
        let next = self.turn.next(!self.running.holds_any(), is_running, now);
        let free = match next {
            Next::Nothing => 0,
            Next::Others | Next::Suspect => settings.concurrency.saturating_sub(self.running.len()),
        };
        // The next entry of a lane is due once its head ends.
        let is_hungry = self.hungry || !self.unfinished.is_empty();
        if !is_hungry || (free == 0 && !self.urges) {
            return self.finish().await;
        }
        self.urges = false;
        let portals = self.running.of_portals();
        let portal_limit = settings
            .portal_limit
            .unwrap_or_else(|| default_portal_limit(settings.concurrency));
        let request = ClaimRequest {
            owner: &self.owner,
            limit: free,
            lease: settings.lease,
            backoff: &settings.backoff,
            alone: next == Next::Suspect,
            portal_limit,
            running: &portals,
            after: &self.after,
        };
        // By the time of the call, so that the lease never ends here later than in the store.
        let lease_until = now + settings.lease;
        let store = &self.inbox.store;
        let finishes = &self.unfinished;
        let claimed = if finishes.is_empty() {
            self.running
                .during(store.claim(&request), Duration::ZERO)
                .await
        } else {
            let both = store.finish_and_claim(finishes, &request);
            let both = self.running.during(both, Duration::ZERO).await;
            both.map(|(_, claims)| claims)
        };
        match claimed {
            Ok(claims) => {
                self.succeeded();
                self.unfinished.clear();
                let is_full = claims.entries.len() == free;
                let mut claimed = Claimed {
                    suspect: None,
                    // Otherwise a store that is wrong would be asked again without a pause.
                    has_suspect: claims.has_suspect && next == Next::Others,
                    is_idle: claims.entries.is_empty() && !self.running.holds_any(),
                };
                self.resume_at = claims.is_partial.then(|| Instant::now() + RESUME_PAUSE);
                self.after = claims.after;
                for claim in claims.entries {
                    let task = self.start(claim.record, service, lease_until);
                    if claim.alone {
                        claimed.suspect = Some(task);
                    }
                }
                // A full claim leaves more behind, and so does one of a suspect or beside one.
                self.hungry = is_full || claimed.suspect.is_some() || claimed.has_suspect;
                if free > 0 {
                    let now = Instant::now();
                    self.turn.claimed(&claimed, now);
                    if self.turn.is_ending() && !self.running.holds_any() {
                        self.resume_at = Some(now);
                    }
                }
            }
            Err(error) => self.failed(error),
        }
    }

    fn start<H, B, R>(&mut self, record: Record, service: &H, lease_until: Instant) -> Id
    where
        H: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
        H::Future: Send,
        H::Error: Into<Box<dyn Error + Send + Sync>>,
        B: From<Bytes> + Send + 'static,
        R: Send + 'static,
    {
        let work = self.attempts.clone().run(record.clone(), clone_of(service));
        let task = self
            .tasks
            .spawn(telemetry::inbox::in_attempt(shown(&record), work));
        let id = task.id();
        self.running.insert(Attempt {
            record,
            task,
            lease_until,
            is_lost: false,
        });
        id
    }

    /// Takes the outcome of a task that ended.
    fn joined(&mut self, joined: Result<(Id, Outcome), JoinError>) {
        let (id, ended) = match joined {
            Ok((id, outcome)) => (id, Ok(outcome)),
            Err(error) => (error.id(), Err(error.is_panic())),
        };
        let Some(running) = self.running.remove(id) else {
            return;
        };
        let outcome = match ended {
            // Also if the lease is lost: the store knows whether it is.
            Ok(outcome) => outcome,
            Err(_) if running.is_lost => {
                telemetry::inbox::attempt_ended(shown(&running.record), "lost", None);
                return;
            }
            Err(true) => self.attempts.panicked(&running.record),
            Err(false) => {
                self.released += 1;
                Outcome::Released
            }
        };
        telemetry::inbox::attempt_ended(shown(&running.record), outcome.as_str(), outcome.error());
        self.unfinished.push(Finish {
            owned: running.owned(),
            outcome,
        });
    }

    /// Stores the outcomes of attempts.
    async fn finish(&mut self) {
        if self.unfinished.is_empty() {
            return;
        }
        let finish = self.inbox.store.finish(&self.owner, &self.unfinished);
        match self.running.during(finish, Duration::ZERO).await {
            Ok(_) => {
                self.succeeded();
                self.unfinished.clear();
                // The next entry of a lane may be due.
                self.hungry = true;
            }
            Err(error) => self.failed(error),
        }
    }

    /// Extends the leases, and stops the handlers of those that are lost.
    async fn extend(&mut self) {
        // A handler that was aborted may run on until its next await, while this worker has the entry
        // once more.
        let held = self.running.held();
        let (tasks, mut owned): (Vec<Id>, Vec<Owned>) = held
            .map(|attempt| (attempt.task.id(), attempt.owned()))
            .unzip();
        owned.extend(self.unfinished.iter().map(|finish| finish.owned));
        if owned.is_empty() {
            return;
        }
        let lease = self.attempts.settings.lease;
        let lease_until = Instant::now() + lease;
        // After a pause of the process a lease is over that the store may still extend.
        let grace = MAX_GRACE.min(lease / 10);
        let extend = self.inbox.store.extend(&self.owner, &owned, lease);
        match self.running.during(extend, grace).await {
            Ok(extended) => self.running.extended(&tasks, &extended, lease_until),
            Err(error) => {
                self.failed(error);
                // Others may have their entries.
                self.running.lose_ended();
            }
        }
    }

    /// Drops the handlers that still run and releases their entries.
    async fn stop_tasks(&mut self) {
        let deadline = Instant::now() + LAST_FINISH;
        self.tasks.abort_all();
        // One that blocks its thread leaves time to release the entries of the others.
        let joining = deadline - LAST_FINISH / 2;
        while let Ok(Some(joined)) = timeout_at(joining, self.tasks.join_next_with_id()).await {
            self.joined(joined);
        }
        while !self.unfinished.is_empty() && Instant::now() < deadline {
            self.finish().await;
            if let Some(until) = self.paused_until {
                sleep_until(until.min(deadline)).await;
            }
        }
    }
}

fn shown(record: &Record) -> telemetry::inbox::Attempt<'_> {
    telemetry::inbox::Attempt {
        seq: record.seq,
        attempt: record.attempts,
        key: &record.entry.key,
        first_received: record.first_received,
        code: &record.entry.code,
        member_id: &record.entry.member_id,
    }
}

fn ticks(period: Duration) -> tokio::time::Interval {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}
