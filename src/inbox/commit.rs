//! Group commit: one task stores what many requests wait for in one transaction.

use std::error::Error;
use std::fmt;
use std::future::{Future, poll_fn};
use std::iter::repeat;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::slice::from_ref;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{unconstrained, yield_now};
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

/// The outcome of an entry, which comes back: the task that made it frees it, or opens it again.
pub(super) type Reply = (Entry, Result<Accepted, CommitError>);

struct Job {
    entry: Entry,
    reply: oneshot::Sender<Reply>,
}

impl Job {
    fn reply(self, outcome: Result<Accepted, CommitError>) {
        // Nobody waits if the sender hung up; the entry may be stored all the same.
        let _ = self.reply.send((self.entry, outcome));
    }
}

/// The jobs that wait. If it is dropped, their entries go back.
struct Queue(mpsc::Receiver<Job>);

impl Drop for Queue {
    fn drop(&mut self) {
        self.0.close();
        let mut cx = Context::from_waker(Waker::noop());
        loop {
            match pin!(unconstrained(self.0.recv())).poll(&mut cx) {
                Poll::Ready(Some(job)) => job.reply(Err(CommitError::Stopped)),
                Poll::Ready(None) => break,
                // A thread is about to put one in, which would otherwise wait for ever.
                Poll::Pending => thread::yield_now(),
            }
        }
    }
}

/// Jobs whose entries lie together, as a store takes them. If it is dropped, the entries go back.
struct Batch {
    entries: Vec<Entry>,
    replies: Vec<oneshot::Sender<Reply>>,
}

impl Batch {
    fn new(jobs: Vec<Job>) -> Self {
        let (entries, replies) = jobs.into_iter().map(|job| (job.entry, job.reply)).unzip();
        Self { entries, replies }
    }

    fn len(&self) -> usize {
        self.entries.len()
    }

    /// Splits it in half, and returns the second.
    fn split(&mut self) -> Self {
        let half = self.len() / 2;
        Self {
            entries: self.entries.split_off(half),
            replies: self.replies.split_off(half),
        }
    }

    fn reply(&mut self, outcomes: impl Iterator<Item = Result<Accepted, CommitError>>) {
        let jobs = self.entries.drain(..).zip(self.replies.drain(..));
        for ((entry, reply), outcome) in jobs.zip(outcomes) {
            Job { entry, reply }.reply(outcome);
        }
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        self.reply(repeat(Err(CommitError::Stopped)));
    }
}

/// A handle of the task, which ends once the handle is dropped and its entries are stored.
#[derive(Debug)]
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
        let (jobs, received) = mpsc::channel(max_waiting);
        let mut queue = Queue(received);
        let room = Arc::new(Room::new(max_waiting, max_waiting_bytes));
        let committer = Self {
            jobs,
            room: room.clone(),
        };
        tokio::spawn(async move {
            let mut last = 0;
            while let Some(batch) = next_batch(&mut queue.0, last).await {
                last = batch.len();
                room.begin(&batch.entries);
                commit(&*store, batch, &room, &stored).await;
            }
        });
        committer
    }

    /// Hands an entry to the task, or gives it back at once. It is stored whether or not the reply is
    /// awaited.
    pub(super) fn submit(&self, entry: Entry) -> oneshot::Receiver<Reply> {
        let (reply, received) = oneshot::channel();
        let has_room = self.room.take(&entry);
        let job = Job { entry, reply };
        let (job, error) = if has_room {
            let (job, error) = match self.jobs.try_send(job) {
                Ok(()) => return received,
                Err(mpsc::error::TrySendError::Full(job)) => (job, CommitError::Overloaded),
                Err(mpsc::error::TrySendError::Closed(job)) => (job, CommitError::Stopped),
            };
            self.room.begin(from_ref(&job.entry));
            self.room.end(from_ref(&job.entry));
            (job, error)
        } else {
            (job, CommitError::Overloaded)
        };
        telemetry::inbox::not_committed(1, &error);
        job.reply(Err(error));
        received
    }
}

/// Returns the entries of the next transaction, or `None` once the handle is dropped. `last` is the
/// number of entries of the last one.
///
/// If few wait although the last transaction had many, most senders have just got their reply. The
/// first of them would be stored alone, and the others wait for it: so all that are about to run come
/// first.
async fn next_batch(received: &mut mpsc::Receiver<Job>, last: usize) -> Option<Batch> {
    let is_few = received.len() < last / 4;
    let mut jobs = Vec::with_capacity(last);
    if received.recv_many(&mut jobs, MAX_BATCH).await == 0 {
        return None;
    }
    let mut batch = Batch::new(jobs);
    let mut gathered = 0;
    while is_few && gathered < batch.len() && batch.len() < MAX_BATCH {
        gathered = batch.len();
        yield_now().await;
        while batch.len() < MAX_BATCH {
            let Ok(job) = received.try_recv() else { break };
            batch.entries.push(job.entry);
            batch.replies.push(job.reply);
        }
    }
    Some(batch)
}

/// Stores a batch and replies for each entry. A batch that fails is repeated and then divided, since an
/// entry that the store cannot hold must not cost the others their 200.
async fn commit<A: Accept>(store: &A, batch: Batch, room: &Room, stored: &watch::Sender<()>) {
    let started = Instant::now();
    let mut parts = vec![(batch, 2)];
    while let Some((mut part, attempts)) = parts.pop() {
        let begun = Instant::now();
        let error = match accept(store, &part.entries).await {
            Ok(outcomes) => {
                let names = outcomes.iter().map(|outcome| outcome.as_str());
                telemetry::inbox::committed(begun.elapsed(), names);
                stored.send_replace(());
                room.end(&part.entries);
                part.reply(outcomes.into_iter().map(Ok));
                continue;
            }
            Err(error) => error,
        };
        let has_time = started.elapsed() < REPEAT_WITHIN;
        if has_time && attempts > 1 {
            parts.push((part, attempts - 1));
        } else if has_time && part.len() > 1 {
            let second = part.split();
            parts.extend([(second, 1), (part, 1)]);
        } else {
            telemetry::inbox::not_committed(part.len(), &*error);
            room.end(&part.entries);
            part.reply(repeat(Err(CommitError::Store(error))));
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
