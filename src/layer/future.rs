//! The response future's state machine.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, Request, Response};
use http_body::Body;
use pin_project_lite::pin_project;
use tower::Service;

use super::body_mode::{BodyMode, KeepBody};
use super::budget::Reservation;
use super::collect::{Collect, Collected};
use super::completion::Completion;
use super::shared::{Content, Shared, UrlSecretCheck};
use crate::callback::{Callback, Proof};
use crate::envelope::{CallbackEnvelope, Envelope, EnvelopeErrorKind};
use crate::event::Event;
use crate::rejection::{Rejection, RejectionKind};
use crate::telemetry::{Handling, HandlingOutcome, Telemetry, VerificationTimer};
use crate::verify::{Introspection, VerifyError, VerifyToken, is_verifiable};

pin_project! {
    /// The future of [`EventService`](crate::layer::EventService).
    ///
    /// `S` is the inner service, `B` the body of the request, `V` the verifier and `M` how bodies are
    /// handed on.
    pub struct ResponseFuture<S, B, V, M = KeepBody>
    where
        S: Service<Request<M::Body>>,
        V: VerifyToken,
        M: BodyMode<B>,
    {
        #[pin]
        state: State<B, M::Body, V::Future, S::Future, S::Response>,
        // Kept out of `state` so that transitions do not move it.
        pending: Option<PendingRequest<S, V>>,
        telemetry: Telemetry,
        mode: M,
        handling: Handling,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<B, I, F, C, T> {
        Collect { #[pin] collect: Collect<B> },
        Verify {
            #[pin]
            verify: F,
            envelope: Option<Envelope>,
            trailers: Option<Box<HeaderMap>>,
        },
        Introspect {
            // The mutex is only for `Sync`, which an introspection need not be.
            introspection: Box<Mutex<Introspection>>,
            envelope: Option<Envelope>,
            trailers: Option<Box<HeaderMap>>,
        },
        Ready { body: Option<I>, completion: Option<Completion> },
        Call { #[pin] call: C, completion: Option<Completion> },
        OnHandled { completion: Completion, response: Option<T> },
        Rejected { response: Option<Response<Bytes>> },
        Done,
    }
}

/// The rest of the request, held until the inner service is called.
struct PendingRequest<S, V> {
    parts: Parts,
    service: S,
    shared: Arc<Shared<V>>,
    timer: VerificationTimer,
    /// The bytes of the complete body in memory.
    held: usize,
    is_verified: bool,
    content: Content,
    url_secret: UrlSecretCheck,
    reservation: Reservation,
}

impl<S, V> PendingRequest<S, V> {
    fn new(parts: Parts, service: S, shared: Arc<Shared<V>>) -> Self {
        Self {
            parts,
            service,
            shared,
            timer: VerificationTimer::default(),
            held: 0,
            is_verified: false,
            content: Content::Form,
            url_secret: UrlSecretCheck::Unused,
            reservation: Reservation::default(),
        }
    }

    /// Called only before waiting: a body that never waits needs no reservation.
    fn try_reserve(&mut self) -> bool {
        let budget = if self.is_verified {
            &self.shared.verified_budget
        } else {
            &self.shared.budget
        };
        self.reservation.complete(budget, self.held)
    }

    fn may_pass_unverified(&self) -> bool {
        self.url_secret == UrlSecretCheck::Unused && self.shared.may_pass_form(&self.parts)
    }

    fn release(&mut self) {
        self.is_verified = true;
        self.reservation = Reservation::default();
    }

    fn reject<B, I, F, C, T>(
        self,
        telemetry: &Telemetry,
        rejection: impl Into<Rejection>,
    ) -> State<B, I, F, C, T> {
        let rejection = rejection.into();
        // A verified event counts as accepted already.
        if !self.is_verified {
            telemetry.rejected(&rejection, self.timer);
        }
        State::rejected(&self.shared, rejection, self.parts)
    }

    fn call<I>(mut self, body: I) -> S::Future
    where
        S: Service<Request<I>>,
    {
        self.service.call(Request::from_parts(self.parts, body))
    }
}

impl<S, B, V, M> ResponseFuture<S, B, V, M>
where
    S: Service<Request<M::Body>>,
    V: VerifyToken,
    M: BodyMode<B>,
{
    pub(super) fn forward(
        body: B,
        parts: Parts,
        service: S,
        shared: Arc<Shared<V>>,
        telemetry: Telemetry,
        mode: M,
    ) -> Self {
        Self {
            state: State::Ready {
                body: Some(M::original(body)),
                completion: None,
            },
            pending: Some(PendingRequest::new(parts, service, shared)),
            telemetry,
            mode,
            handling: Handling::default(),
        }
    }

    pub(super) fn probed(mode: M) -> Self {
        let telemetry = Telemetry::start();
        telemetry.probed();
        Self {
            state: State::Rejected {
                response: Some(Response::default()),
            },
            pending: None,
            telemetry,
            mode,
            handling: Handling::default(),
        }
    }

    pub(super) fn rejected(shared: &Shared<V>, kind: RejectionKind, head: Parts, mode: M) -> Self {
        let rejection = Rejection::new(kind);
        let telemetry = Telemetry::start();
        {
            let _guard = telemetry.enter();
            telemetry.rejected(&rejection, VerificationTimer::default());
        }
        Self {
            state: State::rejected(shared, rejection, head),
            pending: None,
            telemetry,
            mode,
            handling: Handling::default(),
        }
    }

    pub(super) fn collect(
        body: B,
        parts: Parts,
        service: S,
        shared: Arc<Shared<V>>,
        mode: M,
        content: Content,
        url_secret: UrlSecretCheck,
    ) -> Self {
        let collect = Collect::new(body, shared.body_limit, shared.body_timeout);
        let pending = PendingRequest {
            content,
            url_secret,
            ..PendingRequest::new(parts, service, shared)
        };
        Self {
            state: State::Collect { collect },
            pending: Some(pending),
            telemetry: Telemetry::start(),
            mode,
            handling: Handling::default(),
        }
    }
}

impl<B, I, F, C, T> State<B, I, F, C, T> {
    fn rejected<V>(shared: &Shared<V>, rejection: Rejection, head: Parts) -> Self {
        Self::Rejected {
            response: Some(shared.response_policy.respond(rejection, head.extensions)),
        }
    }
}

const POLLED_AFTER_COMPLETION: &str = "`ResponseFuture` polled after completion";

/// Rejects the request instead of waiting if the budget has no room for its complete body.
fn wait_or_reject<S, B, I, V, F, C, T>(
    pending: &mut Option<PendingRequest<S, V>>,
    telemetry: &Telemetry,
    handling: &mut Handling,
) -> Poll<State<B, I, F, C, T>> {
    let request = pending.as_mut().expect(POLLED_AFTER_COMPLETION);
    if request.try_reserve() {
        return Poll::Pending;
    }
    let request = pending.take().expect(POLLED_AFTER_COMPLETION);
    let rejection = Rejection::new(RejectionKind::BodyBudgetExhausted);
    handling.failed(HandlingOutcome::Overloaded, Some(&rejection));
    Poll::Ready(request.reject(telemetry, rejection))
}

/// Collects the body. While it is incomplete, the budget keeps its buffer and may evict it.
fn poll_collect<S, B, V>(
    request: &mut PendingRequest<S, V>,
    mut collect: Pin<&mut Collect<B>>,
    cx: &mut Context<'_>,
) -> Poll<Result<Collected, RejectionKind>>
where
    B: Body,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let Some(buffer) = request.reservation.resume() else {
        return Poll::Ready(Err(RejectionKind::BodyBudgetExhausted));
    };
    collect.as_mut().attach(buffer);
    if let Poll::Ready(collected) = collect.as_mut().poll(cx) {
        return Poll::Ready(collected);
    }
    let (budget, buffer) = (&request.shared.budget, collect.detach());
    if request.reservation.park(budget, buffer, cx.waker()) {
        Poll::Pending
    } else {
        Poll::Ready(Err(RejectionKind::BodyBudgetExhausted))
    }
}

/// Scans the collected body and starts its verification.
fn scan<S, B, V, M, C, T>(
    pending: &mut Option<PendingRequest<S, V>>,
    telemetry: &Telemetry,
    mode: &M,
    handling: &mut Handling,
    body: Collected,
) -> State<B, M::Body, V::Future, C, T>
where
    V: VerifyToken,
    M: BodyMode<B>,
{
    let request = pending.as_mut().expect(POLLED_AFTER_COMPLETION);
    request.held = body.allocated;
    request.timer = telemetry.collected(&body.bytes);
    let scanned = if request.content == Content::Json {
        Ok(Envelope::of_other_content(body.bytes.clone()))
    } else if request.shared.callbacks {
        Envelope::scan_with_callbacks(body.bytes.clone())
    } else {
        Envelope::scan(body.bytes.clone())
    };
    let (check, envelope) = match scanned {
        Ok(envelope) => (check(request, &envelope), Some(envelope)),
        Err(error)
            if error.kind() == EnvelopeErrorKind::NoEvent && request.may_pass_unverified() =>
        {
            (Check::Pass, None)
        }
        Err(error) => (Check::Reject(error.into()), None),
    };
    if let (Some(envelope), false) = (&envelope, matches!(check, Check::Pass)) {
        telemetry.record_code(envelope);
    }
    let trailers = body.trailers;
    match (check, envelope) {
        (Check::Token(verify), envelope) => State::Verify {
            verify,
            envelope,
            trailers,
        },
        (Check::User(introspection), envelope) => State::Introspect {
            introspection: Box::new(Mutex::new(introspection)),
            envelope,
            trailers,
        },
        (Check::UrlSecret, Some(envelope)) => {
            let proof = Some(Proof::UrlSecret);
            inject(
                request, telemetry, mode, handling, envelope, proof, trailers,
            )
        }
        (Check::Reject(rejection), _) => {
            let request = pending.take().expect(POLLED_AFTER_COMPLETION);
            request.reject(telemetry, rejection)
        }
        (Check::Pass | Check::UrlSecret, _) => pass(telemetry, mode, body.bytes, trailers),
    }
}

/// The check that verifies an envelope.
enum Check<F> {
    Token(F),
    /// By the access token of a page, which also decides over its application token.
    User(Introspection),
    /// Has succeeded already.
    UrlSecret,
    Pass,
    Reject(Rejection),
}

fn check<S, V: VerifyToken>(
    request: &PendingRequest<S, V>,
    envelope: &Envelope,
) -> Check<V::Future> {
    let verifier = &*request.shared.verifier;
    if envelope.callback_kind().is_none() {
        return if is_verifiable(envelope, verifier) {
            Check::Token(verifier.verify(envelope))
        } else {
            Check::Reject(VerifyError::missing().into())
        };
    }
    if envelope.has_token_of_user() {
        if let Some(introspection) = verifier.introspect(envelope) {
            return Check::User(introspection);
        }
    }
    if envelope.has_application_token() {
        return Check::Token(verifier.verify(envelope));
    }
    let may_lack_token = envelope.may_lack_token();
    match request.url_secret {
        UrlSecretCheck::Verified if may_lack_token => Check::UrlSecret,
        UrlSecretCheck::Missing if may_lack_token => {
            Check::Reject(Rejection::new(RejectionKind::UrlSecretRejected))
        }
        _ if envelope.is_callback_without_proof() && request.may_pass_unverified() => Check::Pass,
        _ if envelope.claims_callback() => Check::Reject(VerifyError::missing().into()),
        _ => Check::Reject(Rejection::new(RejectionKind::NoEvent)),
    }
}

/// Passes a form that is not verified.
fn pass<B, M, F, C, T>(
    telemetry: &Telemetry,
    mode: &M,
    bytes: Bytes,
    trailers: Option<Box<HeaderMap>>,
) -> State<B, M::Body, F, C, T>
where
    M: BodyMode<B>,
{
    telemetry.passed();
    State::Ready {
        body: Some(mode.whole(bytes, trailers)),
        completion: None,
    }
}

/// Parses the verified event or callback and puts it into the request. An event has no proof but its
/// token.
fn inject<S, B, V, M, F, C, T>(
    request: &mut PendingRequest<S, V>,
    telemetry: &Telemetry,
    mode: &M,
    handling: &mut Handling,
    envelope: Envelope,
    proof: Option<Proof>,
    trailers: Option<Box<HeaderMap>>,
) -> State<B, M::Body, F, C, T>
where
    V: VerifyToken,
    M: BodyMode<B>,
{
    let bytes = envelope.body().clone();
    // The verifier has not seen a callback that the URL alone verifies.
    let hook = if proof == Some(Proof::UrlSecret) {
        None
    } else {
        request.shared.verifier.on_handled(&envelope)
    };
    let completion = hook.map(Completion::new);
    if let Some(completion) = &completion {
        completion.insert_into(&mut request.parts);
    }
    request.release();
    if let Some(kind) = envelope.callback_kind() {
        let callback = CallbackEnvelope::new(envelope, kind);
        let query = request.parts.uri.query();
        let proof = proof.unwrap_or(Proof::ApplicationToken);
        let callback = match request.content {
            Content::Form => Callback::from_verified(callback, proof, query),
            Content::Json => Callback::from_verified_json(callback, proof),
        };
        telemetry.callback_accepted(&callback, request.timer);
        request.parts.extensions.insert(callback);
    } else {
        let event = Event::from_verified(envelope);
        telemetry.accepted(&event, request.timer);
        *handling = Handling::start(&event);
        request.parts.extensions.insert(event);
    }
    State::Ready {
        body: Some(mode.whole(bytes, trailers)),
        completion,
    }
}

impl<S, B, V, M, R> Future for ResponseFuture<S, B, V, M>
where
    S: Service<Request<<M as BodyMode<B>>::Body>, Response = Response<R>>,
    B: Body,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
    V: VerifyToken,
    M: BodyMode<B> + BodyMode<R>,
{
    type Output = Result<Response<<M as BodyMode<R>>::Body>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let (mut state, pending, mode) = (this.state, this.pending, &*this.mode);
        let (telemetry, handling) = (&*this.telemetry, this.handling);
        let _guard = telemetry.enter();
        loop {
            let next = match state.as_mut().project() {
                StateProj::Collect { collect } => {
                    let request = pending.as_mut().expect(POLLED_AFTER_COMPLETION);
                    let collected = ready!(poll_collect(request, collect, cx));
                    // If the verifier panics, polling again must panic too.
                    state.set(State::Done);
                    match collected {
                        Ok(body) => scan(pending, telemetry, mode, handling, body),
                        Err(kind) => {
                            let request = pending.take().expect(POLLED_AFTER_COMPLETION);
                            request.reject(telemetry, Rejection::new(kind))
                        }
                    }
                }
                StateProj::Verify {
                    verify,
                    envelope,
                    trailers,
                } => {
                    let Poll::Ready(verdict) = verify.poll(cx) else {
                        state.set(ready!(wait_or_reject(pending, telemetry, handling)));
                        continue;
                    };
                    let envelope = envelope.take().expect(POLLED_AFTER_COMPLETION);
                    let request = pending.as_mut().expect(POLLED_AFTER_COMPLETION);
                    request.timer.stop();
                    match verdict {
                        Ok(()) => {
                            let trailers = trailers.take();
                            inject(request, telemetry, mode, handling, envelope, None, trailers)
                        }
                        Err(error) => {
                            let request = pending.take().expect(POLLED_AFTER_COMPLETION);
                            request.reject(telemetry, error)
                        }
                    }
                }
                StateProj::Introspect {
                    introspection,
                    envelope,
                    trailers,
                } => {
                    let introspection = introspection.get_mut();
                    let introspection = introspection.unwrap_or_else(PoisonError::into_inner);
                    let Poll::Ready(verdict) = introspection.as_mut().poll(cx) else {
                        state.set(ready!(wait_or_reject(pending, telemetry, handling)));
                        continue;
                    };
                    let envelope = envelope.take().expect(POLLED_AFTER_COMPLETION);
                    let request = pending.as_mut().expect(POLLED_AFTER_COMPLETION);
                    request.timer.stop();
                    match verdict {
                        Ok(owner) => {
                            let (proof, trailers) = (Some(owner.into()), trailers.take());
                            inject(
                                request, telemetry, mode, handling, envelope, proof, trailers,
                            )
                        }
                        Err(error) => {
                            let request = pending.take().expect(POLLED_AFTER_COMPLETION);
                            request.reject(telemetry, error)
                        }
                    }
                }
                StateProj::Ready { body, completion } => {
                    let request = pending.as_mut().expect(POLLED_AFTER_COMPLETION);
                    let Poll::Ready(ready) = request.service.poll_ready(cx) else {
                        state.set(ready!(wait_or_reject(pending, telemetry, handling)));
                        continue;
                    };
                    if let Err(error) = ready {
                        handling.failed(HandlingOutcome::Failed, None);
                        *pending = None;
                        state.set(State::Done);
                        return Poll::Ready(Err(error));
                    }
                    let request = pending.take().expect(POLLED_AFTER_COMPLETION);
                    let body = body.take().expect(POLLED_AFTER_COMPLETION);
                    handling.polling(true);
                    let call = request.call(body);
                    handling.polling(false);
                    State::Call {
                        call,
                        completion: completion.take(),
                    }
                }
                StateProj::Call { call, completion } => {
                    handling.polling(true);
                    let polled = call.poll(cx);
                    handling.polling(false);
                    let result = ready!(polled);
                    match &result {
                        Ok(response) => handling.responded(response),
                        Err(_) => handling.failed(HandlingOutcome::Failed, None),
                    }
                    match (result, completion.take()) {
                        (Ok(response), Some(completion)) if response.status().is_success() => {
                            State::OnHandled {
                                completion,
                                response: Some(response),
                            }
                        }
                        (result, _) => {
                            state.set(State::Done);
                            return Poll::Ready(
                                result.map(|response| response.map(<M as BodyMode<R>>::original)),
                            );
                        }
                    }
                }
                StateProj::OnHandled {
                    completion,
                    response,
                } => {
                    ready!(completion.poll(cx));
                    let response = response.take().expect(POLLED_AFTER_COMPLETION);
                    state.set(State::Done);
                    return Poll::Ready(Ok(response.map(<M as BodyMode<R>>::original)));
                }
                StateProj::Rejected { response } => {
                    let response = response.take().expect(POLLED_AFTER_COMPLETION);
                    let body = |bytes| BodyMode::<R>::whole(mode, bytes, None);
                    return Poll::Ready(Ok(response.map(body)));
                }
                StateProj::Done => panic!("{POLLED_AFTER_COMPLETION}"),
            };
            state.set(next);
        }
    }
}

impl<S, B, V, M> fmt::Debug for ResponseFuture<S, B, V, M>
where
    S: Service<Request<M::Body>>,
    V: VerifyToken,
    M: BodyMode<B>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.state {
            State::Collect { .. } => "collect",
            State::Verify { .. } => "verify",
            State::Introspect { .. } => "introspect",
            State::Ready { .. } => "ready",
            State::Call { .. } => "call",
            State::OnHandled { .. } => "on_handled",
            State::Rejected { .. } => "rejected",
            State::Done => "done",
        };
        f.debug_struct("ResponseFuture")
            .field("state", &state)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::future::{Ready, pending, ready};
    use std::pin::pin;
    use std::task::Waker;

    use http::header::CONTENT_TYPE;
    use http_body_util::Full;
    use tower::{Layer, service_fn};

    use super::*;
    use crate::layer::EventLayer;
    use crate::verify::ApplicationToken;

    type Outcome = Result<Response<Full<Bytes>>, Infallible>;

    /// Returns the `Debug` output of a call before and after its first poll.
    fn debug_outputs<V: VerifyToken, F: Future<Output = Outcome>>(
        layer: EventLayer<V>,
        respond: fn() -> F,
        method: &str,
    ) -> [String; 2] {
        let request = Request::builder()
            .method(method)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Full::<Bytes>::from("event=A&auth[application_token]=t"));
        let mut service = layer.layer(service_fn(move |_: Request<Full<Bytes>>| respond()));
        let mut call = pin!(service.call(request.unwrap()));
        let before = format!("{:?}", call.as_ref());
        let _ = call.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        [before, format!("{:?}", call.as_ref())]
    }

    #[test]
    fn debug_of_the_future_shows_its_state_and_nothing_of_the_request() {
        let state = |state: &str| format!("ResponseFuture {{ state: {state:?}, .. }}");
        let token = || EventLayer::new(ApplicationToken::new("t").unwrap());
        let slow = EventLayer::new(|_: &Envelope| pending());
        let respond = || ready(Ok(Response::default()));

        let [collect, verify] = debug_outputs(slow, respond, "POST");
        assert_eq!([collect, verify], [state("collect"), state("verify")]);
        let [_, call] = debug_outputs(token(), pending, "POST");
        assert_eq!(call, state("call"));
        let [_, done] = debug_outputs(token(), respond, "POST");
        assert_eq!(done, state("done"));
        let [rejected, _] = debug_outputs(token(), respond, "GET");
        assert_eq!(rejected, state("rejected"));
    }

    /// A larger future costs every server, which moves and keeps one for each request.
    #[test]
    fn response_future_takes_at_most_520_bytes_beside_telemetry() {
        type Inner = tower::util::ServiceFn<fn(Request<Full<Bytes>>) -> Ready<Outcome>>;
        let size = size_of::<ResponseFuture<Inner, Full<Bytes>, ApplicationToken>>();
        let telemetry =
            size_of::<Telemetry>() + size_of::<VerificationTimer>() + size_of::<Handling>();
        assert!(size - telemetry <= 520, "{size} - {telemetry}");
    }
}
