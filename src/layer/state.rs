//! The states of the response future, and the steps between them.

use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, Request, Response};
use http_body::Body;
use pin_project_lite::pin_project;
use tower::Service;

use super::body_mode::BodyMode;
use super::budget::Reservation;
use super::collect::{Collect, Collected};
use super::completion::Completion;
use super::shared::{Callbacks, Content, Shared, UrlSecretCheck};
use crate::callback::{Callback, Proof};
use crate::envelope::{CallbackEnvelope, CallbackKind, Envelope, EnvelopeError, EnvelopeErrorKind};
use crate::event::Event;
use crate::rejection::{Rejection, RejectionKind};
use crate::telemetry::{Handling, HandlingOutcome, Telemetry, VerificationTimer};
use crate::verify::{Introspection, VerifyError, VerifyToken, is_verifiable};

pin_project! {
    #[project = StateProj]
    pub(super) enum State<B, I, F, C, T> {
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
pub(super) struct PendingRequest<S, V> {
    parts: Parts,
    pub(super) service: S,
    shared: Arc<Shared<V>>,
    pub(super) timer: VerificationTimer,
    /// The bytes of the complete body in memory.
    held: usize,
    is_verified: bool,
    pub(super) content: Content,
    pub(super) url_secret: UrlSecretCheck,
    reservation: Reservation,
}

impl<S, V> PendingRequest<S, V> {
    pub(super) fn new(parts: Parts, service: S, shared: Arc<Shared<V>>) -> Self {
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

    pub(super) fn reject<B, I, F, C, T>(
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

    pub(super) fn call<I>(mut self, body: I) -> S::Future
    where
        S: Service<Request<I>>,
    {
        self.service.call(Request::from_parts(self.parts, body))
    }
}

impl<B, I, F, C, T> State<B, I, F, C, T> {
    pub(super) fn rejected<V>(shared: &Shared<V>, rejection: Rejection, head: Parts) -> Self {
        Self::Rejected {
            response: Some(shared.response_policy.respond(rejection, head.extensions)),
        }
    }
}

pub(super) const POLLED_AFTER_COMPLETION: &str = "`ResponseFuture` polled after completion";

/// Rejects the request instead of waiting if the budget has no room for its complete body.
pub(super) fn wait_or_reject<S, B, I, V, F, C, T>(
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
pub(super) fn poll_collect<S, B, V>(
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
pub(super) fn scan<S, B, V, M, C, T>(
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
    } else {
        scan_form(request.shared.callbacks, body.bytes.clone())
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
                pending, telemetry, mode, handling, envelope, proof, trailers,
            )
        }
        (Check::Reject(rejection), _) => {
            let request = pending.take().expect(POLLED_AFTER_COMPLETION);
            request.reject(telemetry, rejection)
        }
        (Check::Pass | Check::UrlSecret, _) => pass(telemetry, mode, body.bytes, trailers),
    }
}

fn scan_form(callbacks: Callbacks, body: Bytes) -> Result<Envelope, EnvelopeError> {
    if callbacks == Callbacks::Off {
        Envelope::scan(body)
    } else {
        Envelope::scan_with_callbacks(body)
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
    if request.shared.callbacks == Callbacks::Stored && is_page(envelope) {
        // A form with a token or a code must not pass unverified.
        return if envelope.is_callback_without_proof() && request.may_pass_unverified() {
            Check::Pass
        } else {
            Check::Reject(Rejection::new(RejectionKind::NoEvent))
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

fn is_page(envelope: &Envelope) -> bool {
    matches!(
        envelope.callback_kind(),
        Some(CallbackKind::Placement | CallbackKind::Settings)
    )
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

/// Parses the verified event or callback and puts it into the request. Rejects a callback that an inbox
/// cannot store, if the layer takes only those that it can. An event has no proof but its
/// token.
pub(super) fn inject<S, B, V, M, F, C, T>(
    pending: &mut Option<PendingRequest<S, V>>,
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
    let request = pending.as_mut().expect(POLLED_AFTER_COMPLETION);
    let bytes = envelope.body().clone();
    // The verifier has not seen a callback that the URL alone verifies.
    let hook = if proof == Some(Proof::UrlSecret) {
        None
    } else {
        request.shared.verifier.on_handled(&envelope)
    };
    let completion = hook.map(Completion::new);
    if let Some(kind) = envelope.callback_kind() {
        let callback = CallbackEnvelope::new(envelope, kind);
        let query = request.parts.uri.query();
        let proof = proof.unwrap_or(Proof::ApplicationToken);
        let callback = match request.content {
            Content::Form => Callback::from_verified(callback, proof, query),
            Content::Json => Callback::from_verified_json(callback, proof),
        };
        if request.shared.callbacks == Callbacks::Stored && callback.wants_response() {
            let request = pending.take().expect(POLLED_AFTER_COMPLETION);
            return request.reject(telemetry, Rejection::new(RejectionKind::NoEvent));
        }
        request.release();
        telemetry.callback_accepted(&callback, request.timer);
        request.parts.extensions.insert(callback);
    } else {
        let event = Event::from_verified(envelope);
        request.release();
        telemetry.accepted(&event, request.timer);
        *handling = Handling::start(&event);
        request.parts.extensions.insert(event);
    }
    if let Some(completion) = &completion {
        completion.insert_into(&mut request.parts);
    }
    State::Ready {
        body: Some(mode.whole(bytes, trailers)),
        completion,
    }
}
