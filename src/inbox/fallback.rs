//! The fallback: what handles a request in memory that could not be stored.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use http::{Response, Uri};
use tower::Service;

use super::clock::unix_millis;
use super::delivery::{Delivery, WorkerRequest};
use super::request::StoredRequest;
use crate::event::DedupKey;
use crate::handler::{HandlerError, HandlerErrorKind};
use crate::layer::completion::Completion;
use crate::telemetry::{self, HandlingOutcome};
use crate::verify::OnHandled;

pub(super) type Handling = Pin<Box<dyn Future<Output = ()> + Send>>;

type Call = dyn Fn(StoredRequest, WorkerRequest) -> Handling + Send + Sync;

#[derive(Clone)]
pub(super) struct Fallback(Arc<Call>);

/// A request that may need the fallback.
pub(super) struct Endangered {
    pub(super) fallback: Fallback,
    pub(super) on_handled: Option<OnHandled>,
}

impl Fallback {
    pub(super) fn new<H, R>(service: H) -> Self
    where
        H: Service<WorkerRequest, Response = Response<R>> + Clone + Send + 'static,
        H::Future: Send,
        R: Send + 'static,
    {
        // Shared by clones of `Receive`, which a service that is not `Sync` could not be.
        let service = Mutex::new(service);
        Self(Arc::new(move |stored, request| {
            let service = service.lock().unwrap_or_else(PoisonError::into_inner);
            Box::pin(handle(service.clone(), stored, request))
        }))
    }
}

impl Endangered {
    pub(super) fn handle(self, stored: StoredRequest, target: Uri, key: DedupKey) -> Handling {
        let delivery = Delivery {
            key,
            seq: 0,
            attempt: 1,
            first_received: unix_millis(),
            merged: 0,
            replayed: false,
        };
        let mut request = delivery.into_request(stored.clone(), target);
        if let Some(on_handled) = self.on_handled {
            request.extensions_mut().insert(Completion::new(on_handled));
        }
        (self.fallback.0)(stored, request)
    }
}

async fn handle<H, R>(mut service: H, stored: StoredRequest, request: WorkerRequest)
where
    H: Service<WorkerRequest, Response = Response<R>>,
{
    // A queue takes the hook out of it.
    let completion = request.extensions().get::<Completion>().cloned();
    let is_ready = poll_fn(|cx| service.poll_ready(cx).map(|ready| ready.is_ok()));
    let outcome = if is_ready.await {
        match service.call(request).await {
            Ok(response) => Some(log_response(&stored, &response)),
            Err(_) => None,
        }
    } else {
        None
    };
    let outcome = outcome.unwrap_or_else(|| {
        log_failure(&stored);
        HandlingOutcome::Failed
    });
    if outcome == HandlingOutcome::Deferred {
        return;
    }
    if stored.event().is_some() {
        telemetry::count_handled(outcome, None);
    }
    if let Some(completion) = completion.filter(|_| outcome == HandlingOutcome::Completed) {
        poll_fn(|cx| completion.poll(cx)).await;
    }
}

fn log_response<R>(stored: &StoredRequest, response: &Response<R>) -> HandlingOutcome {
    match stored {
        StoredRequest::Event(event) => telemetry::log_response(event, response),
        StoredRequest::Callback(_) if response.status().is_success() => HandlingOutcome::Completed,
        StoredRequest::Callback(_) => {
            if response.extensions().get::<HandlerError>().is_none() {
                log_failure(stored);
            }
            HandlingOutcome::Failed
        }
    }
}

fn log_failure(stored: &StoredRequest) {
    match stored {
        StoredRequest::Event(event) => {
            telemetry::log_failure(event, HandlingOutcome::Failed, None);
        }
        StoredRequest::Callback(callback) => {
            let error = stored.clone().error(HandlerErrorKind::HandlerFailed);
            telemetry::callback_not_handled(callback, &error);
        }
    }
}
