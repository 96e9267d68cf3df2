//! `EntryHandler`: runs single attempts, for a worker of your own.

use std::error::Error;
use std::fmt;

use http::Response;
use tokio::task::JoinSet;
use tower::Service;

use super::attempt::{Attempts, clone_of};
use super::{WorkerBuilder, WorkerRequest};
use crate::inbox::store::{Accept, Outcome, Record};
use crate::telemetry;

/// Runs single attempts as a [`Worker`](super::Worker) does, for a worker of your own that takes the
/// entries from a broker. [`WorkerBuilder::handler`] returns it.
///
/// It opens the entry, calls the service within the timeout, catches a panic, reads the response and
/// decides about a retry. Order, leases and the end of the attempt are up to the caller.
///
/// ```
/// use tower_bitrix24::event::DedupKey;
/// use tower_bitrix24::inbox::{Entry, Inbox, InboxKey, MemoryInbox, Outcome, Record};
/// use tower_bitrix24::{Event, EventRouter};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
/// # let forged = Entry {
/// #     key: DedupKey::from_bytes([0; 32]),
/// #     lane: None,
/// #     merge: None,
/// #     once: false,
/// #     member_id: "riga".to_owned(),
/// #     code: "ONCRMDEALADD".to_owned(),
/// #     subject: String::new(),
/// #     handler_id: None,
/// #     timestamp: None,
/// #     format: 1,
/// #     key_id: None,
/// #     body: "event=ONCRMDEALADD".into(),
/// # };
/// let inbox = Inbox::builder(MemoryInbox::new(), InboxKey::generate()).build();
/// let handlers = EventRouter::builder()
///     .fallback(async |event: Event| println!("{}", event.code()))
///     .build()?;
/// let handler = inbox.worker(handlers).handler();
///
/// // An entry that the key of this inbox has not sealed is never handled.
/// let mut record = Record::new(1, forged);
/// record.attempts = 1;
/// assert!(!matches!(handler.handle(record).await, Outcome::Done));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct EntryHandler<H> {
    attempts: Attempts,
    service: H,
}

impl<S: Accept + 'static, H> WorkerBuilder<S, H> {
    /// Returns a handler of single entries, for a worker of your own that takes them from a broker. It
    /// has the [timeout](Self::timeout), the [backoff](Self::retry) and the
    /// [verifier](Self::verifier) of this builder.
    pub fn handler(self) -> EntryHandler<H> {
        EntryHandler {
            attempts: Attempts {
                keys: self.inbox.keys.clone(),
                settings: self.settings,
            },
            service: self.service,
        }
    }
}

impl<H> EntryHandler<H> {
    /// Runs one attempt. [`Record::attempts`] includes it.
    ///
    /// Cancel safe: a dropped future drops the handler at its next await.
    ///
    /// # Panics
    ///
    /// Panics outside a tokio runtime.
    pub async fn handle<R>(&self, record: Record) -> Outcome
    where
        H: Service<WorkerRequest, Response = Response<R>> + Clone + Send + 'static,
        H::Future: Send,
        H::Error: Into<Box<dyn Error + Send + Sync>>,
        R: Send + 'static,
    {
        // A task of its own, so that a panic of the handler ends the attempt and not the caller.
        let mut task = JoinSet::new();
        let work = self
            .attempts
            .clone()
            .run(record.clone(), clone_of(&self.service));
        let shown = telemetry::inbox::Attempt {
            seq: record.seq,
            attempt: record.attempts,
            key: &record.entry.key,
            first_received: record.first_received,
            code: &record.entry.code,
            member_id: &record.entry.member_id,
        };
        task.spawn(telemetry::inbox::in_attempt(shown, work));
        let outcome = match task.join_next().await {
            Some(Ok(outcome)) => outcome,
            Some(Err(error)) if error.is_panic() => self.attempts.panicked(&record),
            // The runtime shuts down.
            Some(Err(_)) | None => Outcome::Released,
        };
        telemetry::inbox::attempt_ended(shown, outcome.as_str(), outcome.error());
        outcome
    }
}

impl<H> fmt::Debug for EntryHandler<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EntryHandler").finish_non_exhaustive()
    }
}
