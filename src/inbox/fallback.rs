//! The fallback: what handles an event in memory that could not be stored.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use http::{Response, Uri};
use tower::Service;

use super::clock::unix_millis;
use super::delivery::{Delivery, WorkerRequest};
use crate::event::{DedupKey, Event};
use crate::layer::completion::Completion;
use crate::telemetry::{self, HandlingOutcome};
use crate::verify::OnHandled;

pub(super) type Handling = Pin<Box<dyn Future<Output = ()> + Send>>;

type Call = dyn Fn(Event, WorkerRequest) -> Handling + Send + Sync;

#[derive(Clone)]
pub(super) struct Fallback(Arc<Call>);

/// An event that may need the fallback.
pub(super) struct Endangered {
    pub(super) fallback: Fallback,
    pub(super) key: DedupKey,
    pub(super) target: Uri,
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
        Self(Arc::new(move |event, request| {
            let service = service.lock().unwrap_or_else(PoisonError::into_inner);
            Box::pin(handle(service.clone(), event, request))
        }))
    }
}

impl Endangered {
    pub(super) fn handle(self, event: Event) -> Handling {
        let delivery = Delivery {
            key: self.key,
            seq: 0,
            attempt: 1,
            first_received: unix_millis(),
            merged: 0,
            replayed: false,
        };
        let mut request = delivery.into_request(event.clone(), self.target);
        if let Some(on_handled) = self.on_handled {
            request.extensions_mut().insert(Completion::new(on_handled));
        }
        (self.fallback.0)(event, request)
    }
}

async fn handle<H, R>(mut service: H, event: Event, request: WorkerRequest)
where
    H: Service<WorkerRequest, Response = Response<R>>,
{
    // A queue takes the hook out of it.
    let completion = request.extensions().get::<Completion>().cloned();
    let is_ready = poll_fn(|cx| service.poll_ready(cx).map(|ready| ready.is_ok()));
    let outcome = if is_ready.await {
        match service.call(request).await {
            Ok(response) => Some(telemetry::log_response(&event, &response)),
            Err(_) => None,
        }
    } else {
        None
    };
    let outcome = outcome.unwrap_or_else(|| {
        telemetry::log_failure(&event, HandlingOutcome::Failed, None);
        HandlingOutcome::Failed
    });
    if outcome == HandlingOutcome::Deferred {
        return;
    }
    telemetry::count_handled(outcome, None);
    if let Some(completion) = completion.filter(|_| outcome == HandlingOutcome::Completed) {
        poll_fn(|cx| completion.poll(cx)).await;
    }
}
