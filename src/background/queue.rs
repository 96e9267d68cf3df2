//! The queue and the tasks that run its events, without HTTP.

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

use super::stats::{Stats, Unfinished};
use crate::event::Event;
use crate::handler::HandlerErrorKind;
use crate::telemetry::{self, HandlingOutcome, QueueChange};

/// The handling of one event, which logs its own failure.
pub(super) type Job = Pin<Box<dyn Future<Output = HandlingOutcome> + Send>>;

#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) concurrency: usize,
    pub(super) capacity: usize,
    pub(super) capacity_bytes: usize,
    pub(super) timeout: Duration,
}

pub(super) struct Queue {
    pub(super) limits: Limits,
    /// Never locked across an await, nor while a job is dropped, spawned or polled.
    state: Mutex<State>,
    /// Notified when the last event has ended.
    idle: Notify,
}

/// Each event is in `queued`, in `running`, or counted once.
#[derive(Default)]
struct State {
    /// Oldest first.
    queued: VecDeque<Queued>,
    queued_bytes: usize,
    /// By start number, so that sorting by key restores the order of starts.
    running: HashMap<u64, Running>,
    started: u64,
    shutting_down: bool,
    completed: u64,
    failed: u64,
    timed_out: u64,
    dropped: u64,
}

struct Queued {
    event: Event,
    bytes: usize,
    since: Instant,
    job: Job,
}

struct Running {
    event: Event,
    started: Instant,
    /// `None` until the task is spawned, which happens without the lock.
    task: Option<AbortHandle>,
}

struct Next {
    number: u64,
    job: Job,
    bytes: usize,
    waited: Duration,
}

impl Running {
    /// Records the end. The job has logged a failure, unless it did not come to that.
    fn record(&self, outcome: HandlingOutcome) {
        telemetry::queue_changed(QueueChange {
            running: -1,
            ..QueueChange::default()
        });
        if matches!(
            outcome,
            HandlingOutcome::TimedOut | HandlingOutcome::Panicked | HandlingOutcome::Aborted
        ) {
            telemetry::log_failure(&self.event, outcome, None);
        }
        telemetry::count_handled(outcome, Some(self.started.elapsed()));
    }
}

fn signed(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

impl Queue {
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

    /// Queues the job, then starts the oldest one if a slot is free.
    pub(super) fn submit(self: &Arc<Self>, event: Event, job: Job) -> Result<(), HandlerErrorKind> {
        let runtime = Handle::current();
        let bytes = event.held_bytes();
        let next = {
            let mut state = self.state();
            if let Err(kind) = state.admits(bytes, &self.limits) {
                state.dropped += 1;
                return Err(kind);
            }
            state.queued_bytes += bytes;
            state.queued.push_back(Queued {
                event,
                bytes,
                since: Instant::now(),
                job,
            });
            state.next(self.limits.concurrency)
        };
        telemetry::queue_changed(QueueChange {
            queued: 1,
            bytes: signed(bytes),
            running: 0,
        });
        self.start(next, runtime);
        Ok(())
    }

    fn start(self: &Arc<Self>, next: Option<Next>, runtime: Handle) {
        let Some(next) = next else {
            return;
        };
        telemetry::queue_changed(QueueChange {
            queued: -1,
            bytes: -signed(next.bytes),
            running: 1,
        });
        telemetry::queue_waited(next.waited);
        let Next { number, job, .. } = next;
        let slot = Slot {
            queue: self.clone(),
            runtime: runtime.clone(),
            number,
            outcome: None,
        };
        let task = runtime.spawn(slot.run(job)).abort_handle();
        if let Some(running) = self.state().running.get_mut(&number) {
            running.task = Some(task);
            return;
        }
        // The job has ended already, or `abort_all` ran before the handle was stored.
        task.abort();
    }

    /// Counts the outcome and starts the next event, unless `abort_all` took the event before.
    fn finish(self: &Arc<Self>, number: u64, outcome: HandlingOutcome, runtime: Handle) {
        let (ended, next) = {
            let mut state = self.state();
            let Some(ended) = state.running.remove(&number) else {
                return;
            };
            state.count(outcome);
            if state.is_idle() {
                self.idle.notify_waiters();
            }
            let next = match outcome {
                // A runtime that shuts down would drop the next event at once, and the one after.
                HandlingOutcome::Aborted => None,
                _ => state.next(self.limits.concurrency),
            };
            (ended, next)
        };
        ended.record(outcome);
        self.start(next, runtime);
    }

    pub(super) fn stats(&self) -> Stats {
        let state = self.state();
        Stats {
            queued: state.queued.len(),
            queued_bytes: state.queued_bytes,
            running: state.running.len(),
            completed: state.completed,
            failed: state.failed,
            timed_out: state.timed_out,
            dropped: state.dropped,
            oldest_queued_age: state.queued.front().map(|oldest| oldest.since.elapsed()),
        }
    }

    pub(super) async fn shutdown(&self, timeout: Duration) -> Unfinished {
        const THIRTY_YEARS: Duration = Duration::from_secs(86_400 * 365 * 30);

        self.state().shutting_down = true;
        let now = Instant::now();
        // `timeout` may overflow `Instant`; thirty years is as good as never.
        let deadline = now.checked_add(timeout).unwrap_or(now + THIRTY_YEARS);
        loop {
            let mut idle = pin!(self.idle.notified());
            // Registers before the check, so that an event that ends after it is not missed.
            idle.as_mut().enable();
            if self.state().is_idle() {
                return Unfinished::default();
            }
            if timeout_at(deadline, idle).await.is_err() {
                return self.abort_all();
            }
        }
    }

    fn abort_all(&self) -> Unfinished {
        let (queued, queued_bytes, running) = {
            let mut state = self.state();
            let (queued, running) = (take(&mut state.queued), take(&mut state.running));
            state.dropped += (queued.len() + running.len()) as u64;
            (queued, take(&mut state.queued_bytes), running)
        };
        self.idle.notify_waiters();
        telemetry::queue_changed(QueueChange {
            queued: -signed(queued.len()),
            bytes: -signed(queued_bytes),
            running: 0,
        });
        for Queued { event, .. } in &queued {
            telemetry::log_failure(event, HandlingOutcome::Aborted, None);
            telemetry::count_handled(HandlingOutcome::Aborted, None);
        }
        let mut running: Vec<(u64, Running)> = running.into_iter().collect();
        running.sort_unstable_by_key(|(number, _)| *number);
        for (_, aborted) in &running {
            if let Some(task) = &aborted.task {
                task.abort();
            }
            aborted.record(HandlingOutcome::Aborted);
        }
        Unfinished {
            interrupted: running.into_iter().map(|(_, job)| job.event).collect(),
            queued: queued.into_iter().map(|job| job.event).collect(),
        }
    }
}

impl State {
    fn admits(&self, bytes: usize, limits: &Limits) -> Result<(), HandlerErrorKind> {
        if self.shutting_down {
            return Err(HandlerErrorKind::ShuttingDown);
        }
        if self.running.len() < limits.concurrency {
            return Ok(());
        }
        let free_bytes = limits.capacity_bytes.saturating_sub(self.queued_bytes);
        if self.queued.len() >= limits.capacity || bytes > free_bytes {
            return Err(HandlerErrorKind::QueueFull);
        }
        Ok(())
    }

    fn count(&mut self, outcome: HandlingOutcome) {
        match outcome {
            HandlingOutcome::Completed => self.completed += 1,
            HandlingOutcome::TimedOut => self.timed_out += 1,
            HandlingOutcome::Aborted => self.dropped += 1,
            _ => self.failed += 1,
        }
    }

    /// Moves the oldest queued event to `running` if a slot is free.
    fn next(&mut self, concurrency: usize) -> Option<Next> {
        if self.running.len() >= concurrency {
            return None;
        }
        let Queued {
            event,
            bytes,
            since,
            job,
        } = self.queued.pop_front()?;
        self.queued_bytes -= bytes;
        self.started += 1;
        let started = Instant::now();
        let running = Running {
            event,
            started,
            task: None,
        };
        self.running.insert(self.started, running);
        Some(Next {
            number: self.started,
            job,
            bytes,
            waited: started - since,
        })
    }

    fn is_idle(&self) -> bool {
        self.queued.is_empty() && self.running.is_empty()
    }
}

/// A guard that finishes its event when the task ends, also by a panic or an abort.
struct Slot {
    queue: Arc<Queue>,
    runtime: Handle,
    number: u64,
    outcome: Option<HandlingOutcome>,
}

impl Slot {
    async fn run(mut self, job: Job) {
        // A local, so that the job is dropped before `self` if it panics or is aborted.
        let job = timeout(self.queue.limits.timeout, job);
        self.outcome = Some(job.await.unwrap_or(HandlingOutcome::TimedOut));
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let outcome = match self.outcome {
            Some(outcome) => outcome,
            None if std::thread::panicking() => HandlingOutcome::Panicked,
            None => HandlingOutcome::Aborted,
        };
        self.queue
            .finish(self.number, outcome, self.runtime.clone());
    }
}
