//! Group commit: one task stores what many requests wait for in one transaction.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot, watch};

use super::entry::Entry;
use super::store::{Accept, Accepted};
use crate::telemetry;

/// The largest number of entries of one transaction.
const MAX_BATCH: usize = 256;

/// Transactions that fail sooner are repeated, since the platform does not repeat the events. A later
/// failure has used up the time in which a sender waits.
const REPEAT_WITHIN: Duration = Duration::from_secs(1);

/// The error of an entry that was not stored. Clones share the error of the store.
#[derive(Clone, Debug)]
pub(super) enum CommitError {
    Overloaded,
    Store(Arc<dyn Error + Send + Sync>),
    /// The runtime that the task ran in has ended.
    Stopped,
}

impl fmt::Display for CommitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Overloaded => f.write_str("too many events wait to be committed"),
            Self::Store(error) => error.fmt(f),
            Self::Stopped => f.write_str("the runtime of the inbox has ended"),
        }
    }
}

impl Error for CommitError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Store(error) => error.source(),
            Self::Overloaded | Self::Stopped => None,
        }
    }
}

pub(super) type Reply = oneshot::Receiver<Result<Accepted, CommitError>>;

struct Job {
    entry: Entry,
    reply: oneshot::Sender<Result<Accepted, CommitError>>,
}

/// A handle of the task, which ends once all clones are dropped and their entries are stored.
#[derive(Clone, Debug)]
pub(super) struct Committer {
    jobs: mpsc::Sender<Job>,
    waiting_bytes: Arc<AtomicUsize>,
    max_waiting_bytes: usize,
}

impl Committer {
    /// Spawns the task, which notifies `stored` after each transaction.
    ///
    /// There is no timer: while a transaction syncs, the next batch forms.
    pub(super) fn spawn<A: Accept + 'static>(
        store: Arc<A>,
        stored: Arc<watch::Sender<()>>,
        max_waiting: usize,
        max_waiting_bytes: usize,
    ) -> Self {
        let (jobs, mut received) = mpsc::channel::<Job>(max_waiting);
        let waiting_bytes = Arc::new(AtomicUsize::new(0));
        let committer = Self {
            jobs,
            waiting_bytes: waiting_bytes.clone(),
            max_waiting_bytes,
        };
        tokio::spawn(async move {
            let mut batch = Vec::with_capacity(MAX_BATCH);
            while received.recv_many(&mut batch, MAX_BATCH).await > 0 {
                let (entries, replies): (Vec<_>, Vec<_>) =
                    batch.drain(..).map(|job| (job.entry, job.reply)).unzip();
                let bytes: usize = entries.iter().map(|entry| entry.body.len()).sum();
                let started = Instant::now();
                let mut outcome = store.accept(&entries).await;
                if outcome.is_err() && started.elapsed() < REPEAT_WITHIN {
                    outcome = store.accept(&entries).await;
                }
                waiting_bytes.fetch_sub(bytes, Ordering::Relaxed);
                match outcome {
                    Ok(outcomes) => {
                        let names = outcomes.iter().map(|outcome| outcome.as_str());
                        telemetry::inbox::committed(started.elapsed(), names);
                        stored.send_replace(());
                        for (reply, outcome) in replies.into_iter().zip(outcomes) {
                            // Nobody waits if the sender hung up; the entry is stored all the same.
                            let _ = reply.send(Ok(outcome));
                        }
                    }
                    Err(error) => {
                        let error: Arc<dyn Error + Send + Sync> = error.into().into();
                        telemetry::inbox::not_committed(replies.len(), &*error);
                        for reply in replies {
                            let _ = reply.send(Err(CommitError::Store(error.clone())));
                        }
                    }
                }
            }
        });
        committer
    }

    /// Hands an entry to the task. It is stored whether or not the reply is awaited.
    pub(super) fn submit(&self, entry: Entry) -> Result<Reply, CommitError> {
        let bytes = entry.body.len();
        let waiting = self.waiting_bytes.fetch_add(bytes, Ordering::Relaxed);
        let (reply, received) = oneshot::channel();
        let rejected = if waiting.saturating_add(bytes) > self.max_waiting_bytes && waiting > 0 {
            CommitError::Overloaded
        } else {
            match self.jobs.try_send(Job { entry, reply }) {
                Ok(()) => return Ok(received),
                Err(mpsc::error::TrySendError::Full(_)) => CommitError::Overloaded,
                Err(mpsc::error::TrySendError::Closed(_)) => CommitError::Stopped,
            }
        };
        self.waiting_bytes.fetch_sub(bytes, Ordering::Relaxed);
        telemetry::inbox::not_committed(1, &rejected);
        Err(rejected)
    }
}
