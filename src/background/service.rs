//! The layer and the service that answer an event and queue its handling.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{Request, Response};
use pin_project_lite::pin_project;
use tower::{Layer, Service};

use super::queue::{Job, Pool};
use crate::event::Event;
use crate::handler::HandlerError;
use crate::layer::EventBody;
use crate::layer::completion::Completion;
use crate::telemetry;

/// Answers events at once and has the service beneath it handle them in the background; made by
/// [`BackgroundQueue::layer`](super::Background::layer).
///
/// It stands inside an [`EventLayer`](crate::EventLayer): added before it to an axum router, after
/// it to a `ServiceBuilder`. A request without an [`Event`] goes to the service in the foreground.
///
/// All its services, clones too, share the limits of the one `BackgroundQueue`.
#[derive(Clone)]
#[must_use]
pub struct BackgroundLayer {
    pub(super) pool: Arc<Pool>,
}

impl<S> Layer<S> for BackgroundLayer {
    type Service = BackgroundService<S>;

    fn layer(&self, inner: S) -> BackgroundService<S> {
        BackgroundService {
            inner,
            pool: self.pool.clone(),
        }
    }
}

impl fmt::Debug for BackgroundLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BackgroundLayer")
            .field("limits", &self.pool.limits)
            .finish()
    }
}

/// The service that a [`BackgroundLayer`] puts round another.
///
/// It is always ready: an event is answered however busy the inner service is. Each request gets a
/// clone of the inner service, which is polled ready and then called, in the background once the
/// event's turn has come. So a service that gives out its readiness sparingly, as
/// `ConcurrencyLimit` does, gives none to an event that only waits.
#[derive(Clone)]
pub struct BackgroundService<S> {
    inner: S,
    pool: Arc<Pool>,
}

impl<S, B, R> Service<Request<B>> for BackgroundService<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    B: Send + 'static,
{
    type Response = Response<EventBody<R>>;
    type Error = S::Error;
    type Future = BackgroundFuture<S, B, S::Future>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let service = self.inner.clone();
        let state = match request.extensions().get::<Event>().cloned() {
            None => State::Ready {
                service,
                request: Some(request),
            },
            Some(event) => State::Answered {
                response: Some(
                    match self.pool.accept(event.clone(), job(service, request)) {
                        Ok(()) => Response::default(),
                        Err(kind) => HandlerError::not_accepted(event, kind).into_event_response(),
                    },
                ),
            },
        };
        BackgroundFuture { state }
    }
}

fn job<S, B, R>(mut service: S, request: Request<B>) -> Job
where
    S: Service<Request<B>, Response = Response<R>> + Send + 'static,
    S::Future: Send,
    B: Send + 'static,
{
    let settle = Completion::of(&request);
    Box::pin(telemetry::in_span(async move {
        if poll_fn(|cx| service.poll_ready(cx)).await.is_err() {
            return false;
        }
        let answer = service.call(request).await;
        let Ok(status) = answer.map(|answer| answer.status()) else {
            return false;
        };
        if let Some(settle) = settle.filter(|_| status.is_success()) {
            settle.await;
        }
        !status.is_server_error()
    }))
}

pin_project! {
    /// The future of [`BackgroundService`].
    ///
    /// `S` is the inner service, `B` the request's body and `C` the inner service's future.
    pub struct BackgroundFuture<S, B, C> {
        #[pin]
        state: State<S, B, C>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<S, B, C> {
        /// An event: the answer is there.
        Answered { response: Option<Response<Bytes>> },
        /// Anything else, before the service is ready for it.
        Ready { service: S, request: Option<Request<B>> },
        Call { #[pin] call: C },
        Done,
    }
}

const POLLED_AFTER_COMPLETION: &str = "`BackgroundFuture` polled after completion";

impl<S, B, R> Future for BackgroundFuture<S, B, S::Future>
where
    S: Service<Request<B>, Response = Response<R>>,
{
    type Output = Result<Response<EventBody<R>>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            let next = match state.as_mut().project() {
                StateProj::Answered { response } => {
                    let response = response.take().expect(POLLED_AFTER_COMPLETION);
                    return Poll::Ready(Ok(response.map(|bytes| EventBody::whole(bytes, None))));
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
                    return Poll::Ready(result.map(|response| response.map(EventBody::stream)));
                }
                StateProj::Done => panic!("{POLLED_AFTER_COMPLETION}"),
            };
            state.set(next);
        }
    }
}

impl<S: fmt::Debug> fmt::Debug for BackgroundService<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BackgroundService")
            .field("inner", &self.inner)
            .field("limits", &self.pool.limits)
            .finish()
    }
}

impl<S, B, C> fmt::Debug for BackgroundFuture<S, B, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.state {
            State::Answered { .. } => "answered",
            State::Ready { .. } => "ready",
            State::Call { .. } => "call",
            State::Done => "done",
        };
        f.debug_struct("BackgroundFuture")
            .field("state", &state)
            .finish_non_exhaustive()
    }
}
