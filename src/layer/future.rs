//! The response future's state machine.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, Request, Response};
use http_body::Body;
use pin_project_lite::pin_project;
use tower::Service;

use super::body::EventBody;
use super::budget::Reservation;
use super::collect::Collect;
use super::completion::Completion;
use super::shared::Shared;
use crate::envelope::{Envelope, EnvelopeErrorKind};
use crate::event::Event;
use crate::rejection::{Rejection, RejectionKind};
use crate::telemetry::{Telemetry, VerificationTimer};
use crate::verify::is_verifiable;
use crate::verify::{VerifyError, VerifyToken};

pin_project! {
    /// The future of [`EventService`](crate::layer::EventService).
    ///
    /// `S` is the inner service, `B` the request's body, `V` the verifier, `F` the verifier's
    /// future, `C` the inner service's and `R` the body of its response.
    pub struct ResponseFuture<S, B, V, F, C, R> {
        #[pin]
        state: State<B, F, C, R>,
        // Beside the state, or it would be moved with each change of that.
        rest: Option<Rest<S, V>>,
        telemetry: Telemetry,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<B, F, C, R> {
        Collect { #[pin] collect: Collect<B> },
        Verify {
            #[pin]
            verify: F,
            envelope: Option<Envelope>,
            trailers: Option<Box<HeaderMap>>,
        },
        Ready { body: Option<EventBody<B>>, settlement: Option<Completion> },
        Call { #[pin] call: C, settlement: Option<Completion> },
        OnHandled { settlement: Completion, response: Option<Response<R>> },
        Rejected { response: Option<Response<Bytes>> },
        Done,
    }
}

/// What waits while the body arrives and is verified, and until the service is ready.
struct Rest<S, V> {
    parts: Parts,
    /// Polled ready only once there is something to call it with.
    service: S,
    shared: Arc<Shared<V>>,
    timer: VerificationTimer,
    /// The bytes of the body that are in memory, until it is verified.
    unverified: usize,
    reservation: Reservation,
}

impl<S, V> Rest<S, V> {
    fn new(parts: Parts, service: S, shared: Arc<Shared<V>>) -> Self {
        Self {
            parts,
            service,
            shared,
            timer: VerificationTimer::default(),
            unverified: 0,
            reservation: Reservation::default(),
        }
    }

    /// Reserves what the body takes. A body that never waits needs no reservation.
    fn may_wait(&mut self) -> bool {
        self.reservation.grow(&self.shared.budget, self.unverified)
    }

    fn verified(&mut self) {
        self.unverified = 0;
        self.reservation = Reservation::default();
    }

    fn reject<B, F, C, R>(
        self,
        telemetry: &Telemetry,
        rejection: impl Into<Rejection>,
    ) -> State<B, F, C, R> {
        let rejection = rejection.into();
        telemetry.rejected(&rejection, self.timer);
        State::rejected(&self.shared, rejection, self.parts)
    }

    fn call<B>(mut self, body: EventBody<B>) -> S::Future
    where
        S: Service<Request<EventBody<B>>>,
    {
        self.service.call(Request::from_parts(self.parts, body))
    }
}

impl<S, B, V, F, C, R> ResponseFuture<S, B, V, F, C, R> {
    pub(super) fn forward(
        body: B,
        parts: Parts,
        service: S,
        shared: Arc<Shared<V>>,
        telemetry: Telemetry,
    ) -> Self {
        Self {
            state: State::Ready {
                body: Some(EventBody::stream(body)),
                settlement: None,
            },
            rest: Some(Rest::new(parts, service, shared)),
            telemetry,
        }
    }

    /// An empty response with 200, which tells a probe that somebody is there.
    pub(super) fn probed() -> Self {
        let telemetry = Telemetry::start();
        telemetry.probed();
        Self {
            state: State::Rejected {
                response: Some(Response::default()),
            },
            rest: None,
            telemetry,
        }
    }

    pub(super) fn rejected(shared: &Shared<V>, kind: RejectionKind, head: Parts) -> Self {
        let rejection = kind.into();
        let telemetry = Telemetry::start();
        {
            let _entered = telemetry.enter();
            telemetry.rejected(&rejection, VerificationTimer::default());
        }
        Self {
            state: State::rejected(shared, rejection, head),
            rest: None,
            telemetry,
        }
    }

    pub(super) fn collect(body: B, parts: Parts, service: S, shared: Arc<Shared<V>>) -> Self {
        let collect = Collect::new(body, shared.body_limit, shared.body_timeout);
        Self {
            state: State::Collect { collect },
            rest: Some(Rest::new(parts, service, shared)),
            telemetry: Telemetry::start(),
        }
    }
}

impl<B, F, C, R> State<B, F, C, R> {
    fn rejected<V>(shared: &Shared<V>, rejection: Rejection, head: Parts) -> Self {
        Self::Rejected {
            response: Some(shared.answer.to(rejection, head.extensions)),
        }
    }
}

const POLLED_AFTER_COMPLETION: &str = "`ResponseFuture` polled after completion";

fn taken<T>(waiting: &mut Option<T>) -> T {
    waiting.take().expect(POLLED_AFTER_COMPLETION)
}

/// Waits, or rejects the request if the budget is too small for what it holds meanwhile.
fn rejected_or_pending<S, B, V, F, C, R>(
    rest: &mut Option<Rest<S, V>>,
    telemetry: &Telemetry,
) -> Poll<State<B, F, C, R>> {
    if rest.as_mut().expect(POLLED_AFTER_COMPLETION).may_wait() {
        return Poll::Pending;
    }
    Poll::Ready(taken(rest).reject(telemetry, RejectionKind::BodyBudgetExhausted))
}

impl<S, B, V, R> Future for ResponseFuture<S, B, V, V::Future, S::Future, R>
where
    S: Service<Request<EventBody<B>>, Response = Response<R>>,
    B: Body,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
    V: VerifyToken,
{
    type Output = Result<Response<EventBody<R>>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let (mut state, rest, telemetry) = (this.state, this.rest, &*this.telemetry);
        let _entered = telemetry.enter();
        loop {
            let next = match state.as_mut().project() {
                StateProj::Collect { mut collect } => {
                    let waiting = rest.as_mut().expect(POLLED_AFTER_COMPLETION);
                    let Poll::Ready(collected) = collect.as_mut().poll(cx) else {
                        waiting.unverified = collect.held();
                        state.set(ready!(rejected_or_pending(rest, telemetry)));
                        continue;
                    };
                    // If the verifier panics, there is nothing to go on with.
                    state.set(State::Done);
                    match collected {
                        Ok(body) => {
                            waiting.unverified = body.bytes.len();
                            waiting.timer = telemetry.collected(&body.bytes);
                            match Envelope::scan(body.bytes.clone()) {
                                Ok(envelope)
                                    if !is_verifiable(&envelope, &*waiting.shared.verifier) =>
                                {
                                    telemetry.record_code(&envelope);
                                    taken(rest).reject(telemetry, VerifyError::missing())
                                }
                                Ok(envelope) => {
                                    telemetry.record_code(&envelope);
                                    State::Verify {
                                        verify: waiting.shared.verifier.verify(&envelope),
                                        envelope: Some(envelope),
                                        trailers: body.trailers,
                                    }
                                }
                                Err(error)
                                    if error.kind() == EnvelopeErrorKind::NoEvent
                                        && waiting.shared.passes_form(&waiting.parts) =>
                                {
                                    telemetry.passed();
                                    State::Ready {
                                        body: Some(EventBody::whole(body.bytes, body.trailers)),
                                        settlement: None,
                                    }
                                }
                                Err(error) => taken(rest).reject(telemetry, error),
                            }
                        }
                        Err(kind) => taken(rest).reject(telemetry, kind),
                    }
                }
                StateProj::Verify {
                    verify,
                    envelope,
                    trailers,
                } => {
                    let Poll::Ready(verdict) = verify.poll(cx) else {
                        state.set(ready!(rejected_or_pending(rest, telemetry)));
                        continue;
                    };
                    let envelope = taken(envelope);
                    let waiting = rest.as_mut().expect(POLLED_AFTER_COMPLETION);
                    waiting.timer.stop();
                    match verdict {
                        Ok(()) => {
                            let bytes = envelope.body().clone();
                            let settlement = waiting.shared.verifier.on_handled(&envelope);
                            let settlement = settlement.map(Completion::new);
                            if let Some(settlement) = &settlement {
                                settlement.attach(&mut waiting.parts);
                            }
                            waiting.verified();
                            let event = Event::from_verified(envelope);
                            telemetry.accepted(&event, waiting.timer);
                            waiting.parts.extensions.insert(event);
                            State::Ready {
                                body: Some(EventBody::whole(bytes, trailers.take())),
                                settlement,
                            }
                        }
                        Err(error) => taken(rest).reject(telemetry, error),
                    }
                }
                StateProj::Ready { body, settlement } => {
                    let waiting = rest.as_mut().expect(POLLED_AFTER_COMPLETION);
                    let Poll::Ready(ready) = waiting.service.poll_ready(cx) else {
                        state.set(ready!(rejected_or_pending(rest, telemetry)));
                        continue;
                    };
                    if let Err(error) = ready {
                        *rest = None;
                        state.set(State::Done);
                        return Poll::Ready(Err(error));
                    }
                    State::Call {
                        call: taken(rest).call(taken(body)),
                        settlement: settlement.take(),
                    }
                }
                StateProj::Call { call, settlement } => {
                    let result = ready!(call.poll(cx));
                    match (result, settlement.take()) {
                        (Ok(response), Some(settlement)) if response.status().is_success() => {
                            State::OnHandled {
                                settlement,
                                response: Some(response),
                            }
                        }
                        (result, _) => {
                            state.set(State::Done);
                            let streamed = |response: Response<R>| response.map(EventBody::stream);
                            return Poll::Ready(result.map(streamed));
                        }
                    }
                }
                StateProj::OnHandled {
                    settlement,
                    response,
                } => {
                    ready!(settlement.poll(cx));
                    let response = taken(response);
                    state.set(State::Done);
                    return Poll::Ready(Ok(response.map(EventBody::stream)));
                }
                StateProj::Rejected { response } => {
                    let response = taken(response);
                    return Poll::Ready(Ok(response.map(|bytes| EventBody::whole(bytes, None))));
                }
                StateProj::Done => panic!("{POLLED_AFTER_COMPLETION}"),
            };
            state.set(next);
        }
    }
}

impl<S, B, V, F, C, R> fmt::Debug for ResponseFuture<S, B, V, F, C, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture")
            .field(
                "state",
                &match self.state {
                    State::Collect { .. } => "collect",
                    State::Verify { .. } => "verify",
                    State::Ready { .. } => "ready",
                    State::Call { .. } => "call",
                    State::OnHandled { .. } => "settle",
                    State::Rejected { .. } => "rejected",
                    State::Done => "done",
                },
            )
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::future::{pending, ready};
    use std::pin::pin;
    use std::task::Waker;

    use http::header::CONTENT_TYPE;
    use http_body_util::Full;
    use tower::{Layer, service_fn};

    use super::*;
    use crate::layer::EventLayer;
    use crate::verify::ApplicationToken;

    type Answer = Result<Response<Full<Bytes>>, Infallible>;

    /// What a call of `layer` round a service that answers by `answer` shows before it is polled
    /// and after.
    fn shown<V: VerifyToken, F: Future<Output = Answer>>(
        layer: EventLayer<V>,
        answer: fn() -> F,
        method: &str,
    ) -> [String; 2] {
        let request = Request::builder()
            .method(method)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Full::<Bytes>::from("event=A&auth[application_token]=t"));
        let mut service = layer.layer(service_fn(move |_: Request<EventBody<Full<Bytes>>>| {
            answer()
        }));
        let mut call = pin!(service.call(request.unwrap()));
        let before = format!("{:?}", call.as_ref());
        let _ = call.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        [before, format!("{:?}", call.as_ref())]
    }

    #[test]
    fn a_call_shows_how_far_it_is_and_nothing_of_the_request() {
        let state = |state: &str| format!("ResponseFuture {{ state: {state:?}, .. }}");
        let token = || EventLayer::new(ApplicationToken::new("t").unwrap());
        let slow = EventLayer::new(|_: &Envelope| pending());
        let answer = || ready(Ok(Response::default()));

        let [collect, verify] = shown(slow, answer, "POST");
        assert_eq!([collect, verify], [state("collect"), state("verify")]);
        let [_, call] = shown(token(), pending, "POST");
        assert_eq!(call, state("call"));
        let [_, done] = shown(token(), answer, "POST");
        assert_eq!(done, state("done"));
        let [rejected, _] = shown(token(), answer, "GET");
        assert_eq!(rejected, state("rejected"));
    }
}
