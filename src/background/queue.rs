//! The queue and what runs of it, without HTTP.

use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::mem::take;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout, timeout_at};

use super::{Stats, Unfinished};
use crate::event::Event;
use crate::handler::HandlerErrorKind;

/// The handling of one event, not begun: whether it ended well.
pub(super) type Job = Pin<Box<dyn Future<Output = bool> + Send>>;

#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) concurrency: usize,
    pub(super) queue: usize,
    pub(super) capacity_bytes: usize,
    pub(super) timeout: Duration,
}

pub(super) struct Pool {
    pub(super) limits: Limits,
    /// Never locked across an await, nor while a job is dropped, spawned or polled.
    state: Mutex<State>,
    /// Told when nothing waits or runs any more.
    idle: Notify,
}

/// Every event that came is in `waiting`, in `running`, or counted once.
#[derive(Default)]
struct State {
    /// The oldest first.
    waiting: VecDeque<Waiting>,
    /// What the events in `waiting` hold.
    waiting_bytes: usize,
    /// By a number that rises with each start.
    running: HashMap<u64, Running>,
    started: u64,
    draining: bool,
    done: u64,
    failed: u64,
    timed_out: u64,
    dropped: u64,
}

struct Waiting {
    event: Event,
    bytes: usize,
    since: Instant,
    job: Job,
}

struct Running {
    event: Event,
    /// Not there until the task is spawned.
    task: Option<AbortHandle>,
}

#[derive(Clone, Copy)]
enum Outcome {
    Done,
    Failed,
    TimedOut,
    /// The runtime shut down beneath it.
    Dropped,
}

impl Pool {
    pub(super) fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Self {
            limits,
            state: Mutex::default(),
            idle: Notify::new(),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that may panic happens under the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues the job, and starts the oldest if there is a place for it.
    pub(super) fn accept(self: &Arc<Self>, event: Event, job: Job) -> Result<(), HandlerErrorKind> {
        let runtime = Handle::current();
        let Limits {
            concurrency,
            queue,
            capacity_bytes,
            ..
        } = self.limits;
        let bytes = event.held_bytes();
        let next = {
            let mut state = self.state();
            let full = state.running.len() >= concurrency
                && (state.waiting.len() >= queue
                    || bytes > capacity_bytes.saturating_sub(state.waiting_bytes));
            if full || state.draining {
                state.dropped += 1;
                return Err(match state.draining {
                    true => HandlerErrorKind::ShuttingDown,
                    false => HandlerErrorKind::QueueFull,
                });
            }
            let since = Instant::now();
            state.waiting_bytes += bytes;
            let waiting = Waiting {
                event,
                bytes,
                since,
                job,
            };
            state.waiting.push_back(waiting);
            state.next(concurrency)
        };
        self.start(next, runtime);
        Ok(())
    }

    fn start(self: &Arc<Self>, next: Option<(u64, Job)>, runtime: Handle) {
        let Some((number, job)) = next else {
            return;
        };
        let place = Place {
            pool: self.clone(),
            runtime: runtime.clone(),
            number,
            outcome: None,
        };
        let task = runtime.spawn(place.run(job)).abort_handle();
        if let Some(running) = self.state().running.get_mut(&number) {
            running.task = Some(task);
            return;
        }
        // It has ended already, or a drain gave it up before it could tell it.
        task.abort();
    }

    /// Counts how an event ended and gives its place to the next, unless a drain gave it up before.
    fn end(self: &Arc<Self>, number: u64, outcome: Outcome, runtime: Handle) {
        let next = {
            let mut state = self.state();
            if state.running.remove(&number).is_none() {
                return;
            }
            *match outcome {
                Outcome::Done => &mut state.done,
                Outcome::Failed => &mut state.failed,
                Outcome::TimedOut => &mut state.timed_out,
                Outcome::Dropped => &mut state.dropped,
            } += 1;
            if state.is_idle() {
                self.idle.notify_waiters();
            }
            match outcome {
                // A runtime that shuts down would drop the next at once, and the next after it.
                Outcome::Dropped => None,
                _ => state.next(self.limits.concurrency),
            }
        };
        self.start(next, runtime);
    }

    pub(super) fn stats(&self) -> Stats {
        let state = self.state();
        Stats {
            queued: state.waiting.len(),
            queued_bytes: state.waiting_bytes,
            running: state.running.len(),
            done: state.done,
            failed: state.failed,
            timed_out: state.timed_out,
            dropped: state.dropped,
            oldest_queued_age: state.waiting.front().map(|oldest| oldest.since.elapsed()),
        }
    }

    pub(super) async fn drain(&self, limit: Duration) -> Unfinished {
        self.state().draining = true;
        // Further off than the clock goes is never.
        let never = || Instant::now() + Duration::from_secs(86_400 * 365 * 30);
        let deadline = Instant::now().checked_add(limit).unwrap_or_else(never);
        loop {
            let mut idle = pin!(self.idle.notified());
            // From here on no end goes unnoticed.
            idle.as_mut().enable();
            if self.state().is_idle() {
                return Unfinished::default();
            }
            if timeout_at(deadline, idle).await.is_err() {
                return self.give_up();
            }
        }
    }

    fn give_up(&self) -> Unfinished {
        let (waiting, running) = {
            let mut state = self.state();
            let unfinished = (take(&mut state.waiting), take(&mut state.running));
            state.waiting_bytes = 0;
            state.dropped += (unfinished.0.len() + unfinished.1.len()) as u64;
            unfinished
        };
        self.idle.notify_waiters();
        let mut running: Vec<(u64, Running)> = running.into_iter().collect();
        running.sort_unstable_by_key(|(number, _)| *number);
        let give_up = |(_, Running { event, task })| {
            if let Some(task) = task {
                AbortHandle::abort(&task);
            }
            event
        };
        Unfinished {
            interrupted: running.into_iter().map(give_up).collect(),
            waiting: waiting.into_iter().map(|waiting| waiting.event).collect(),
        }
    }
}

impl State {
    /// Gives the oldest event that waits a place to run in, if there is one.
    fn next(&mut self, concurrency: usize) -> Option<(u64, Job)> {
        if self.running.len() >= concurrency {
            return None;
        }
        let Waiting {
            event, bytes, job, ..
        } = self.waiting.pop_front()?;
        self.waiting_bytes -= bytes;
        self.started += 1;
        self.running
            .insert(self.started, Running { event, task: None });
        Some((self.started, job))
    }

    fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.running.is_empty()
    }
}

/// One of the places to run in. However its task ends, it is given to the next event.
struct Place {
    pool: Arc<Pool>,
    runtime: Handle,
    number: u64,
    outcome: Option<Outcome>,
}

impl Place {
    async fn run(mut self, job: Job) {
        // Taken here, the job is dropped before the place where it panics or is aborted.
        let job = timeout(self.pool.limits.timeout, job);
        self.outcome = Some(match job.await {
            Ok(true) => Outcome::Done,
            Ok(false) => Outcome::Failed,
            Err(_) => Outcome::TimedOut,
        });
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let outcome = self.outcome.unwrap_or(match std::thread::panicking() {
            true => Outcome::Failed,
            false => Outcome::Dropped,
        });
        self.pool.end(self.number, outcome, self.runtime.clone());
    }
}
