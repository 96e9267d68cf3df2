//! One attempt: opens the entry, calls the service, and reads its response.

use std::error::Error;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, Uri};
use tower::Service;

use super::verdict::{self, Verdict};
use super::{Hook, Settings};
use crate::inbox::delivery::Delivery;
use crate::inbox::request::StoredRequest;
use crate::inbox::seal::{Keyring, OpenError};
use crate::inbox::store::{Outcome, Record};

type BoxError = Box<dyn Error + Send + Sync>;

/// The keys and settings of every attempt of a worker.
#[derive(Clone)]
pub(super) struct Attempts {
    pub(super) keys: Arc<Keyring>,
    pub(super) settings: Settings,
}

/// Clones a service for an attempt, which panics in its place.
pub(super) fn clone_of<H: Clone>(service: &H) -> thread::Result<H> {
    catch_unwind(AssertUnwindSafe(|| service.clone()))
}

impl Attempts {
    /// Runs one attempt. Dropping it stops the handler.
    pub(super) async fn run<H, B, R>(self, record: Record, service: thread::Result<H>) -> Outcome
    where
        H: Service<Request<B>, Response = Response<R>>,
        H::Error: Into<Box<dyn Error + Send + Sync>>,
        B: From<Bytes>,
    {
        let service = service.unwrap_or_else(|panic| resume_unwind(panic));
        let (stored, target) = match open(&self.keys, &record) {
            Ok(opened) => opened,
            Err(verdict) => return self.outcome(verdict, &record),
        };
        let timeout = self.settings.timeout;
        let delivery = Delivery {
            key: record.entry.key,
            seq: record.seq,
            attempt: record.attempts,
            first_received: record.first_received,
            merged: record.merged,
            replayed: record.replayed,
        };
        let request = delivery.into_request(stored.clone(), target);
        let handling = call(service, request, &stored, self.settings.on_handled.as_ref());
        let verdict = match tokio::time::timeout(timeout, handling).await {
            Ok(verdict) => verdict,
            Err(_) => Verdict::Retry {
                after: None,
                error: timed_out(timeout),
            },
        };
        self.outcome(verdict, &record)
    }

    /// Returns the outcome of an attempt that panicked: a retry, or dead after the last attempt. The
    /// text of a panic may quote anything, so it stays in the output of the panic hook.
    pub(super) fn panicked(&self, record: &Record) -> Outcome {
        let error = "the handler panicked".to_owned();
        self.outcome(Verdict::Retry { after: None, error }, record)
    }

    fn outcome(&self, verdict: Verdict, record: &Record) -> Outcome {
        let (after, error) = match verdict {
            Verdict::Done(_) => return Outcome::Done,
            Verdict::Dead { error } => return Outcome::Dead { error },
            Verdict::Retry { after, error } => (after, error),
        };
        let counted = record.attempts.saturating_sub(record.forgiven);
        match self.settings.backoff.delay(counted) {
            Some(delay) => Outcome::Retry {
                // A tenth at least: `Retry-After: 0` would use up the attempts in a moment.
                after: after.map_or(delay, |after| after.max(delay / 10)),
                error,
            },
            None => Outcome::Dead { error },
        }
    }
}

fn timed_out(timeout: Duration) -> String {
    format!("the handler did not respond within {timeout:?}")
}

fn open(keys: &Keyring, record: &Record) -> Result<(StoredRequest, Uri), Verdict> {
    StoredRequest::open(keys, &record.entry).map_err(|error| {
        let text = error.to_string();
        match error {
            // During a deployment a process that has the key or knows the format may be next.
            OpenError::UnknownKey | OpenError::UnknownFormat => Verdict::Retry {
                after: None,
                error: text,
            },
            OpenError::Forged | OpenError::NoBody | OpenError::Unreadable(_) => {
                Verdict::Dead { error: text }
            }
        }
    })
}

async fn call<H, B, R>(
    mut service: H,
    request: Request<B>,
    stored: &StoredRequest,
    on_handled: Option<&Hook>,
) -> Verdict
where
    H: Service<Request<B>, Response = Response<R>>,
    H::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let target = request.uri().clone();
    // No error is held across an await, so that it need not be `Send`.
    let ready = poll_fn(|cx| service.poll_ready(cx).map_err(Into::into));
    let ready: Result<(), BoxError> = ready.await;
    if let Err(error) = ready {
        return verdict::of_error(&*error, stored, &target);
    }
    let mut handling = std::pin::pin!(service.call(request));
    let response = poll_fn(|cx| handling.as_mut().poll(cx).map_err(Into::into));
    let response: Result<Response<R>, BoxError> = response.await;
    let verdict = match response {
        Ok(response) => verdict::of_response(&response, stored, &target),
        Err(error) => verdict::of_error(&*error, stored, &target),
    };
    if let (Verdict::Done(true), Some(on_handled)) = (&verdict, on_handled) {
        on_handled(stored.clone()).await;
    }
    verdict
}
