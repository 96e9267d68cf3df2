//! The layer and the service that respond to an event at once and queue its handling.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{Request, Response};
use pin_project_lite::pin_project;
use tower::{Layer, Service};

use super::queue::{Job, Queue};
use crate::event::Event;
use crate::handler::HandlerError;
use crate::layer::completion::Completion;
use crate::layer::{BodyMode, KeepBody, WrapBody};
use crate::telemetry::{self, HandlingOutcome};

/// A layer that responds to events at once and lets the inner service handle them in background
/// tasks.
///
/// [`BackgroundQueue::layer`](super::BackgroundQueue::layer) returns it. It belongs inside an
/// [`EventLayer`](crate::EventLayer): add it before that layer to an axum router, and after it to a
/// `ServiceBuilder`. A request without an [`Event`] goes to the inner service in the foreground.
///
/// All services of the layer and their clones share the limits of one `BackgroundQueue`.
#[derive(Clone)]
#[must_use]
pub struct BackgroundLayer<M = KeepBody> {
    pub(super) queue: Arc<Queue>,
    pub(super) mode: M,
}

impl<M> BackgroundLayer<M> {
    /// Wraps the bodies of responses in an [`EventBody`](crate::EventBody), for a body type that is not
    /// `From<Bytes>`. Defaults to the type of the inner service's responses.
    pub fn wrap_body(self) -> BackgroundLayer<WrapBody> {
        BackgroundLayer {
            queue: self.queue,
            mode: WrapBody,
        }
    }
}

impl<S, M: Clone> Layer<S> for BackgroundLayer<M> {
    type Service = BackgroundService<S, M>;

    fn layer(&self, inner: S) -> Self::Service {
        BackgroundService {
            inner,
            queue: self.queue.clone(),
            mode: self.mode.clone(),
        }
    }
}

impl<M> fmt::Debug for BackgroundLayer<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BackgroundLayer")
            .field("limits", &self.queue.limits)
            .finish()
    }
}

/// The service that a [`BackgroundLayer`] wraps around another.
///
/// It is always ready: an event gets its response however busy the inner service is. Each request
/// gets a clone of the inner service. For an event, the clone is polled ready and called in the
/// background when the event starts. A service with limited readiness, such as `ConcurrencyLimit`,
/// thus gives no permit to a queued event.
#[derive(Clone)]
pub struct BackgroundService<S, M = KeepBody> {
    inner: S,
    queue: Arc<Queue>,
    mode: M,
}

impl<S, M> BackgroundService<S, M> {
    /// Returns a reference to the inner service.
    pub const fn get_ref(&self) -> &S {
        &self.inner
    }

    /// Returns a mutable reference to the inner service.
    pub const fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// Returns the inner service.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S, B, M, R> Service<Request<B>> for BackgroundService<S, M>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    B: Send + 'static,
    M: BodyMode<R> + Clone,
{
    type Response = Response<M::Body>;
    type Error = S::Error;
    type Future = BackgroundFuture<S, B, M>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (service, mode) = (self.inner.clone(), self.mode.clone());
        let Some(event) = request.extensions().get::<Event>().cloned() else {
            return BackgroundFuture {
                state: State::Ready {
                    service,
                    request: Some(request),
                },
                mode,
            };
        };
        let response = match self
            .queue
            .submit(event.clone(), job(event.clone(), service, request))
        {
            Ok(()) => {
                let mut response = Response::default();
                telemetry::mark_recorded(response.extensions_mut(), HandlingOutcome::Deferred);
                response
            }
            Err(kind) => HandlerError::new(kind, Some(event)).into_event_response(),
        };
        BackgroundFuture {
            state: State::Responded {
                response: Some(response),
            },
            mode,
        }
    }
}

fn job<S, B, R>(event: Event, mut service: S, request: Request<B>) -> Job
where
    S: Service<Request<B>, Response = Response<R>> + Send + 'static,
    S::Future: Send,
    B: Send + 'static,
{
    let on_handled = Completion::take_from(&request);
    Box::pin(telemetry::in_span(async move {
        if poll_fn(|cx| service.poll_ready(cx)).await.is_err() {
            telemetry::log_failure(&event, HandlingOutcome::Failed, None);
            return HandlingOutcome::Failed;
        }
        let outcome = match service.call(request).await {
            Ok(response) => telemetry::log_response(&event, &response),
            Err(_) => {
                telemetry::log_failure(&event, HandlingOutcome::Failed, None);
                HandlingOutcome::Failed
            }
        };
        if let Some(on_handled) = on_handled.filter(|_| outcome == HandlingOutcome::Completed) {
            on_handled.await;
        }
        outcome
    }))
}

pin_project! {
    /// The response future of [`BackgroundService`].
    pub struct BackgroundFuture<S, B, M = KeepBody>
    where
        S: Service<Request<B>>,
    {
        #[pin]
        state: State<S, B, S::Future>,
        mode: M,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<S, B, F> {
        Responded { response: Option<Response<Bytes>> },
        Ready { service: S, request: Option<Request<B>> },
        Call { #[pin] call: F },
        Done,
    }
}

const POLLED_AFTER_COMPLETION: &str = "`BackgroundFuture` polled after completion";

impl<S, B, M, R> Future for BackgroundFuture<S, B, M>
where
    S: Service<Request<B>, Response = Response<R>>,
    M: BodyMode<R>,
{
    type Output = Result<Response<M::Body>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let (mut state, mode) = (this.state, &*this.mode);
        loop {
            let next = match state.as_mut().project() {
                StateProj::Responded { response } => {
                    let response = response.take().expect(POLLED_AFTER_COMPLETION);
                    return Poll::Ready(Ok(response.map(|bytes| mode.whole(bytes, None))));
                }
                StateProj::Ready { service, request } => match ready!(service.poll_ready(cx)) {
                    Ok(()) => State::Call {
                        call: service.call(request.take().expect(POLLED_AFTER_COMPLETION)),
                    },
                    Err(error) => {
                        state.set(State::Done);
                        return Poll::Ready(Err(error));
                    }
                },
                StateProj::Call { call } => {
                    let result = ready!(call.poll(cx));
                    state.set(State::Done);
                    return Poll::Ready(result.map(|response| response.map(M::original)));
                }
                StateProj::Done => panic!("{POLLED_AFTER_COMPLETION}"),
            };
            state.set(next);
        }
    }
}

impl<S: fmt::Debug, M> fmt::Debug for BackgroundService<S, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BackgroundService")
            .field("inner", &self.inner)
            .field("limits", &self.queue.limits)
            .finish()
    }
}

impl<S, B, M> fmt::Debug for BackgroundFuture<S, B, M>
where
    S: Service<Request<B>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.state {
            State::Responded { .. } => "responded",
            State::Ready { .. } => "ready",
            State::Call { .. } => "call",
            State::Done => "done",
        };
        f.debug_struct("BackgroundFuture")
            .field("state", &state)
            .finish_non_exhaustive()
    }
}
