//! Group commit: one task stores what many requests wait for in one transaction.

use std::error::Error;
use std::fmt;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::yield_now;
use tokio::time::Instant;

use super::entry::Entry;
use super::room::Room;
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

type ReplySender = oneshot::Sender<Result<Accepted, CommitError>>;

struct Job {
    entry: Entry,
    reply: ReplySender,
}

/// A handle of the task, which ends once all clones are dropped and their entries are stored.
#[derive(Clone, Debug)]
pub(super) struct Committer {
    jobs: mpsc::Sender<Job>,
    room: Arc<Room>,
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
        let room = Arc::new(Room::new(max_waiting, max_waiting_bytes));
        let committer = Self {
            jobs,
            room: room.clone(),
        };
        tokio::spawn(async move {
            let mut last = 0;
            while let Some(batch) = next_batch(&mut received, last).await {
                last = batch.len();
                let (entries, replies): (Vec<_>, Vec<_>) =
                    batch.into_iter().map(|job| (job.entry, job.reply)).unzip();
                entries.iter().for_each(|entry| room.begin(entry));
                commit(&*store, &entries, replies, &stored).await;
                entries.iter().for_each(|entry| room.end(entry));
            }
        });
        committer
    }

    /// Hands an entry to the task. It is stored whether or not the reply is awaited.
    pub(super) fn submit(&self, entry: Entry) -> Result<Reply, CommitError> {
        let (reply, received) = oneshot::channel();
        let rejected = if self.room.take(&entry) {
            let (error, job) = match self.jobs.try_send(Job { entry, reply }) {
                Ok(()) => return Ok(received),
                Err(mpsc::error::TrySendError::Full(job)) => (CommitError::Overloaded, job),
                Err(mpsc::error::TrySendError::Closed(job)) => (CommitError::Stopped, job),
            };
            self.room.begin(&job.entry);
            self.room.end(&job.entry);
            error
        } else {
            CommitError::Overloaded
        };
        telemetry::inbox::not_committed(1, &rejected);
        Err(rejected)
    }
}

/// Returns the entries of the next transaction, or `None` once all handles are dropped. `last` is the
/// number of entries of the last one.
///
/// If few wait although the last transaction had many, most senders have just got their reply. The
/// first of them would be stored alone, and the others wait for it: so all that are about to run come
/// first.
async fn next_batch(received: &mut mpsc::Receiver<Job>, last: usize) -> Option<Vec<Job>> {
    let is_few = received.len() < last / 4;
    let mut batch = Vec::with_capacity(last);
    if received.recv_many(&mut batch, MAX_BATCH).await == 0 {
        return None;
    }
    let mut gathered = 0;
    while is_few && gathered < batch.len() && batch.len() < MAX_BATCH {
        gathered = batch.len();
        yield_now().await;
        while batch.len() < MAX_BATCH {
            let Ok(job) = received.try_recv() else { break };
            batch.push(job);
        }
    }
    Some(batch)
}

/// Stores a batch and replies for each entry. A batch that fails is repeated and then divided, since an
/// entry that the store cannot hold must not cost the others their 200.
async fn commit<A: Accept>(
    store: &A,
    entries: &[Entry],
    replies: Vec<ReplySender>,
    stored: &watch::Sender<()>,
) {
    let started = Instant::now();
    let mut replies = replies.into_iter();
    let mut parts = vec![(entries, 2)];
    while let Some((part, attempts)) = parts.pop() {
        let begun = Instant::now();
        let error = match accept(store, part).await {
            Ok(outcomes) => {
                let names = outcomes.iter().map(|outcome| outcome.as_str());
                telemetry::inbox::committed(begun.elapsed(), names);
                stored.send_replace(());
                for (reply, outcome) in replies.by_ref().take(part.len()).zip(outcomes) {
                    // Nobody waits if the sender hung up; the entry is stored all the same.
                    let _ = reply.send(Ok(outcome));
                }
                continue;
            }
            Err(error) => error,
        };
        let has_time = started.elapsed() < REPEAT_WITHIN;
        if has_time && attempts > 1 {
            parts.push((part, attempts - 1));
        } else if has_time && part.len() > 1 {
            let (first, second) = part.split_at(part.len() / 2);
            parts.extend([(second, 1), (first, 1)]);
        } else {
            telemetry::inbox::not_committed(part.len(), &*error);
            for reply in replies.by_ref().take(part.len()) {
                let _ = reply.send(Err(CommitError::Store(error.clone())));
            }
        }
    }
}

/// Calls the store. A panic of it is an error, since otherwise no later event would be stored.
async fn accept<A: Accept>(
    store: &A,
    entries: &[Entry],
) -> Result<Vec<Accepted>, Arc<dyn Error + Send + Sync>> {
    let mut call = pin!(async { store.accept(entries).await });
    let outcomes = poll_fn(|cx| {
        // Nothing of the call is used after a panic.
        match catch_unwind(AssertUnwindSafe(|| call.as_mut().poll(cx))) {
            Ok(polled) => polled.map(Some),
            Err(_) => Poll::Ready(None),
        }
    });
    let broken = |text: &str| Box::<dyn Error + Send + Sync>::from(text).into();
    match outcomes.await {
        Some(Ok(outcomes)) if outcomes.len() == entries.len() => Ok(outcomes),
        Some(Ok(_)) => Err(broken("the store did not return an outcome for each entry")),
        Some(Err(error)) => Err(error.into().into()),
        None => Err(broken("the store panicked")),
    }
}
