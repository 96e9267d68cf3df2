//! The states of the response future, and the steps between them.

use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, Request, Response};
use http_body::Body;
use pin_project_lite::pin_project;
use tower::Service;

use super::body_mode::BodyMode;
use super::budget::Reservation;
use super::check::Check;
use super::collect::{Collect, Collected};
use super::completion::Completion;
use super::shared::{Callbacks, Content, Shared, UrlSecretCheck};
use crate::callback::{Callback, Proof};
use crate::envelope::{CallbackEnvelope, CallbackKind, Envelope, EnvelopeErrorKind};
use crate::event::Event;
use crate::rejection::{Rejection, RejectionKind};
use crate::telemetry::{Handling, HandlingOutcome, Telemetry, VerificationTimer};
use crate::verify::{Introspection, OnHandled, TokenOwner, VerifyError, VerifyToken};

pin_project! {
    #[project = StateProj]
    pub(super) enum State<B, I, F, C, T> {
        Collect { #[pin] collect: Collect<B> },
        Verify {
            #[pin]
            verify: F,
            waiting: Option<Unverified>,
        },
        Introspect {
            // The mutex is only for `Sync`, which an introspection need not be.
            introspection: Box<Mutex<Introspection>>,
            waiting: Option<Unverified>,
        },
        Ready { body: Option<I>, completion: Option<Completion> },
        Call { #[pin] call: C, completion: Option<Completion> },
        OnHandled { completion: Completion, response: Option<T> },
        Rejected { response: Option<Response<Bytes>> },
        Done,
    }
}

/// The collected body of a request that is not verified yet.
pub(super) struct Unverified {
    envelope: Envelope,
    trailers: Option<Box<HeaderMap>>,
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
        self.shared
            .may_pass_unverified(&self.parts, self.url_secret)
    }

    fn release(&mut self) {
        self.is_verified = true;
        self.reservation = Reservation::default();
    }

    pub(super) fn call<I>(mut self, body: I) -> S::Future
    where
        S: Service<Request<I>>,
    {
        self.service.call(Request::from_parts(self.parts, body))
    }
}

impl<B, I, F, C, T> State<B, I, F, C, T> {
    fn ready<S, V>(request: &mut PendingRequest<S, V>, body: I, hook: Option<OnHandled>) -> Self {
        let completion = hook.map(Completion::new);
        if let Some(completion) = &completion {
            completion.insert_into(&mut request.parts);
        }
        Self::Ready {
            body: Some(body),
            completion,
        }
    }

    pub(super) fn rejected<V>(shared: &Shared<V>, rejection: Rejection, head: Parts) -> Self {
        Self::Rejected {
            response: Some(shared.response_policy.respond(rejection, head.extensions)),
        }
    }
}

pub(super) const POLLED_AFTER_COMPLETION: &str = "`ResponseFuture` polled after completion";

#[cold]
pub(super) fn reject<S, B, I, V, F, C, T>(
    pending: &mut Option<PendingRequest<S, V>>,
    telemetry: &Telemetry,
    rejection: impl Into<Rejection>,
) -> State<B, I, F, C, T> {
    let request = pending.take().expect(POLLED_AFTER_COMPLETION);
    let rejection = rejection.into();
    // A verified event counts as accepted already.
    if !request.is_verified {
        telemetry.rejected(&rejection, request.timer);
    }
    State::rejected(&request.shared, rejection, request.parts)
}

/// Rejects the request instead of waiting if the budget has no room for its complete body.
#[cold]
pub(super) fn wait_or_reject<S, B, I, V, F, C, T>(
    pending: &mut Option<PendingRequest<S, V>>,
    telemetry: &Telemetry,
    handling: &mut Handling,
) -> Poll<State<B, I, F, C, T>> {
    let request = pending.as_mut().expect(POLLED_AFTER_COMPLETION);
    if request.try_reserve() {
        return Poll::Pending;
    }
    let rejection = Rejection::new(RejectionKind::BodyBudgetExhausted);
    handling.failed(HandlingOutcome::Overloaded, Some(&rejection));
    Poll::Ready(reject(pending, telemetry, rejection))
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

/// The step after a body is scanned.
pub(super) enum Scanned<B, I, F, C, T> {
    Verify(F, Unverified),
    Introspect(Introspection, Unverified),
    Next(State<B, I, F, C, T>),
}

/// Scans the collected body and starts its verification.
pub(super) fn scan<S, B, V, M, C, T>(
    pending: &mut Option<PendingRequest<S, V>>,
    telemetry: &Telemetry,
    mode: &M,
    handling: &mut Handling,
    body: Result<Collected, RejectionKind>,
) -> Scanned<B, M::Body, V::Future, C, T>
where
    V: VerifyToken,
    M: BodyMode<B>,
{
    let Collected {
        bytes,
        allocated,
        trailers,
    } = match body {
        Ok(body) => body,
        Err(kind) => return Scanned::Next(reject(pending, telemetry, Rejection::new(kind))),
    };
    let request = pending.as_mut().expect(POLLED_AFTER_COMPLETION);
    request.held = allocated;
    request.timer = telemetry.collected(&bytes);
    let scanned = match (request.content, request.shared.callbacks) {
        (Content::Json, _) => Ok(Envelope::of_other_content(bytes)),
        (Content::Form, Callbacks::Off) => Envelope::scan_event(bytes),
        (Content::Form, _) => Envelope::scan_with_callbacks(bytes),
    };
    let envelope = match scanned {
        Ok(envelope) => envelope,
        Err((error, bytes))
            if error.kind() == EnvelopeErrorKind::NoEvent && request.may_pass_unverified() =>
        {
            return Scanned::Next(pass(telemetry, mode, bytes, trailers));
        }
        Err((error, _)) => return Scanned::Next(reject(pending, telemetry, error)),
    };
    let check = request
        .shared
        .check(&envelope, &request.parts, request.url_secret);
    if !matches!(check, Check::Pass) {
        telemetry.record_code(&envelope);
    }
    let unverified = Unverified { envelope, trailers };
    Scanned::Next(match check {
        Check::Token(verify) => return Scanned::Verify(verify, unverified),
        Check::User(introspection) => return Scanned::Introspect(introspection, unverified),
        Check::UrlSecret => {
            let proof = Some(Proof::UrlSecret);
            inject(pending, telemetry, mode, handling, unverified, proof)
        }
        Check::Reject(rejection) => reject(pending, telemetry, rejection),
        Check::Pass => {
            let Unverified { envelope, trailers } = unverified;
            pass(telemetry, mode, envelope.body().clone(), trailers)
        }
    })
}

#[cold]
pub(super) fn poll_introspection(
    introspection: &mut Mutex<Introspection>,
    cx: &mut Context<'_>,
) -> Poll<Result<TokenOwner, VerifyError>> {
    let introspection = introspection.get_mut();
    let introspection = introspection.unwrap_or_else(PoisonError::into_inner);
    introspection.as_mut().poll(cx)
}

/// Decides by the verdict of the verifier. While it waits, keeps what is `unverified` in `waiting`.
pub(super) fn conclude<S, B, V, M, F, C, T>(
    pending: &mut Option<PendingRequest<S, V>>,
    telemetry: &Telemetry,
    mode: &M,
    handling: &mut Handling,
    unverified: Unverified,
    waiting: &mut Option<Unverified>,
    verdict: Poll<Result<Option<Proof>, VerifyError>>,
) -> Poll<State<B, M::Body, F, C, T>>
where
    V: VerifyToken,
    M: BodyMode<B>,
{
    let Poll::Ready(verdict) = verdict else {
        *waiting = Some(unverified);
        return wait_or_reject(pending, telemetry, handling);
    };
    let request = pending.as_mut().expect(POLLED_AFTER_COMPLETION);
    request.timer.stop();
    Poll::Ready(match verdict {
        Ok(proof) => inject(pending, telemetry, mode, handling, unverified, proof),
        Err(error) => reject(pending, telemetry, error),
    })
}

/// Passes a form that is not verified.
#[cold]
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
    pending: &mut Option<PendingRequest<S, V>>,
    telemetry: &Telemetry,
    mode: &M,
    handling: &mut Handling,
    unverified: Unverified,
    proof: Option<Proof>,
) -> State<B, M::Body, F, C, T>
where
    V: VerifyToken,
    M: BodyMode<B>,
{
    if unverified.envelope.callback_kind().is_some() {
        return inject_callback(pending, telemetry, mode, unverified, proof);
    }
    let request = pending.as_mut().expect(POLLED_AFTER_COMPLETION);
    let Unverified { envelope, trailers } = unverified;
    let body = mode.whole(envelope.body().clone(), trailers);
    let hook = request.shared.verifier.on_handled(&envelope);
    let event = Event::from_verified(envelope);
    request.release();
    telemetry.accepted(&event, request.timer);
    *handling = Handling::start(&event);
    request.parts.extensions.insert(event);
    State::ready(request, body, hook)
}

/// Rejects a callback that an inbox cannot store, if the layer takes only those that it can.
#[cold]
fn inject_callback<S, B, V, M, F, C, T>(
    pending: &mut Option<PendingRequest<S, V>>,
    telemetry: &Telemetry,
    mode: &M,
    unverified: Unverified,
    proof: Option<Proof>,
) -> State<B, M::Body, F, C, T>
where
    V: VerifyToken,
    M: BodyMode<B>,
{
    let request = pending.as_mut().expect(POLLED_AFTER_COMPLETION);
    let Unverified { envelope, trailers } = unverified;
    let body = mode.whole(envelope.body().clone(), trailers);
    // The verifier has not seen a callback that the URL alone verifies.
    let hook = if proof == Some(Proof::UrlSecret) {
        None
    } else {
        request.shared.verifier.on_handled(&envelope)
    };
    let kind = envelope.callback_kind().unwrap_or(CallbackKind::Unknown);
    let callback = CallbackEnvelope::new(envelope, kind);
    let proof = proof.unwrap_or(Proof::ApplicationToken);
    let callback = match request.content {
        Content::Form => Callback::from_verified(callback, proof, request.parts.uri.query()),
        Content::Json => Callback::from_verified_json(callback, proof),
    };
    if request.shared.callbacks == Callbacks::Stored && callback.wants_response() {
        return reject(pending, telemetry, Rejection::new(RejectionKind::NoEvent));
    }
    request.release();
    telemetry.callback_accepted(&callback, request.timer);
    request.parts.extensions.insert(callback);
    State::ready(request, body, hook)
}
