//! The steps of a request until it may be handed on: collect, scan, verify, parse, inject.
//!
//! Each large step has a function of its own that is not inlined, and so has what is rare. A server
//! fetches the code of a request anew each time, and code that shares a large frame is half as long again.

use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use http::HeaderMap;
use http::request::Parts;
use http_body::Body;
use pin_project_lite::pin_project;

use super::body_mode::BodyMode;
use super::check::Check;
use super::collect::{Collect, Collected};
use super::completion::Completion;
use super::pending::{POLLED_AFTER_COMPLETION, PendingRequest, wait_or_reject};
use super::shared::{Callbacks, Content};
use crate::callback::{Callback, Proof};
use crate::envelope::{CallbackEnvelope, CallbackKind, Envelope, EnvelopeError, EnvelopeErrorKind};
use crate::event::Event;
use crate::rejection::{Rejection, RejectionKind};
use crate::telemetry::{Handling, Telemetry};
use crate::verify::{Introspection, OnHandled, TokenOwner, VerifyError, VerifyToken};

pin_project! {
    #[project = StepProj]
    pub(super) enum Step<B, I, F> {
        Collect { #[pin] collect: Collect<B> },
        Verify {
            #[pin]
            verify: F,
            // Boxed, since most verifiers are ready at once.
            waiting: Option<Box<Unverified>>,
        },
        Introspect {
            // The mutex is only for `Sync`, which an introspection need not be.
            introspection: Box<Mutex<Introspection>>,
            waiting: Option<Box<Unverified>>,
        },
        Ready { admitted: Option<Admitted<I>> },
        Done,
    }
}

impl<B, I, F> Step<B, I, F> {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Collect { .. } => "collect",
            Self::Verify { .. } => "verify",
            Self::Introspect { .. } => "introspect",
            Self::Ready { .. } => "ready",
            Self::Done => "done",
        }
    }
}

/// The body of a request that may be handed on, and the hook of its event.
pub(super) struct Admitted<I> {
    pub(super) body: I,
    pub(super) completion: Option<Completion>,
}

impl<I> Admitted<I> {
    fn new(parts: &mut Parts, body: I, hook: Option<OnHandled>) -> Self {
        let completion = hook.map(Completion::new);
        if let Some(completion) = &completion {
            completion.insert_into(parts);
        }
        Self { body, completion }
    }

    pub(super) fn without_hook(body: I) -> Self {
        Self {
            body,
            completion: None,
        }
    }
}

/// The collected body of a request that is not verified yet.
pub(super) struct Unverified {
    envelope: Envelope,
    trailers: Option<Box<HeaderMap>>,
}

/// Takes the steps of a request until it may be handed on.
#[inline(never)]
pub(super) fn advance<S, B, V, M>(
    mut step: Pin<&mut Step<B, M::Body, V::Future>>,
    request: &mut PendingRequest<S, V>,
    telemetry: &Telemetry,
    mode: &M,
    handling: &mut Handling,
    cx: &mut Context<'_>,
) -> Poll<Result<Admitted<M::Body>, Rejection>>
where
    B: Body,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
    V: VerifyToken,
    M: BodyMode<B>,
{
    match step.as_mut().project() {
        StepProj::Collect { collect } => {
            let collected = ready!(poll_collect(request, collect, cx));
            // If the verifier panics, polling again must panic too.
            step.set(Step::Done);
            match collected {
                Ok(body) => verify(step, request, telemetry, mode, handling, body, cx),
                Err(kind) => Poll::Ready(Err(Rejection::new(kind))),
            }
        }
        StepProj::Ready { admitted } => {
            let admitted = admitted.take().expect(POLLED_AFTER_COMPLETION);
            step.set(Step::Done);
            Poll::Ready(Ok(admitted))
        }
        _ => advance_waiting(step, request, telemetry, mode, handling, cx),
    }
}

/// Polls the verification of a request that has waited for it.
#[cold]
#[inline(never)]
fn advance_waiting<S, B, V, M>(
    mut step: Pin<&mut Step<B, M::Body, V::Future>>,
    request: &mut PendingRequest<S, V>,
    telemetry: &Telemetry,
    mode: &M,
    handling: &mut Handling,
    cx: &mut Context<'_>,
) -> Poll<Result<Admitted<M::Body>, Rejection>>
where
    V: VerifyToken,
    M: BodyMode<B>,
{
    // Taken before the poll: if the verifier panics, polling again must panic too.
    let (unverified, waiting, verdict) = match step.as_mut().project() {
        StepProj::Verify { verify, waiting } => {
            let unverified = waiting.take().expect(POLLED_AFTER_COMPLETION);
            (unverified, waiting, verify.poll(cx).map_ok(|()| None))
        }
        StepProj::Introspect {
            introspection,
            waiting,
        } => {
            let unverified = waiting.take().expect(POLLED_AFTER_COMPLETION);
            let owner = poll_introspection(introspection.as_mut(), cx);
            let verdict = owner.map_ok(|owner| Some(owner.into()));
            (unverified, waiting, verdict)
        }
        _ => panic!("{POLLED_AFTER_COMPLETION}"),
    };
    let Poll::Ready(verdict) = verdict else {
        *waiting = Some(unverified);
        return wait_or_reject(request, handling).map(Err);
    };
    step.set(Step::Done);
    let Unverified { envelope, trailers } = *unverified;
    Poll::Ready(conclude(
        request, telemetry, mode, handling, envelope, trailers, verdict,
    ))
}

/// Collects the body. While it is incomplete, the budget keeps its buffer and may evict it.
#[inline(never)]
fn poll_collect<S, B, V>(
    request: &mut PendingRequest<S, V>,
    mut collect: Pin<&mut Collect<B>>,
    cx: &mut Context<'_>,
) -> Poll<Result<Collected, RejectionKind>>
where
    B: Body,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    if request.reservation.is_some() {
        let Some(buffer) = request.reservation.resume() else {
            return Poll::Ready(Err(RejectionKind::BodyBudgetExhausted));
        };
        collect.as_mut().attach(buffer);
    }
    let (limit, timeout) = (request.shared.body_limit, request.shared.body_timeout);
    if let Poll::Ready(collected) = collect.as_mut().poll(limit, timeout, cx) {
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
#[inline(never)]
fn verify<S, B, V, M>(
    mut step: Pin<&mut Step<B, M::Body, V::Future>>,
    request: &mut PendingRequest<S, V>,
    telemetry: &Telemetry,
    mode: &M,
    handling: &mut Handling,
    body: Collected,
    cx: &mut Context<'_>,
) -> Poll<Result<Admitted<M::Body>, Rejection>>
where
    B: Body,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
    V: VerifyToken,
    M: BodyMode<B>,
{
    let Collected {
        bytes,
        allocated,
        trailers,
    } = body;
    request.held = allocated;
    request.timer = telemetry.collected(&bytes);
    let mut envelope = Envelope::unscanned(bytes);
    let scanned = match (request.content, request.shared.callbacks) {
        (Content::Json, _) => {
            envelope.set_other_content();
            Ok(())
        }
        (Content::Form, Callbacks::Off) => envelope.find_event(),
        (Content::Form, _) => envelope.find_event_or_callback(),
    };
    if let Err(error) = scanned {
        let unverified = Unverified { envelope, trailers };
        return Poll::Ready(pass_or_reject(request, telemetry, mode, unverified, error));
    }
    let check = request
        .shared
        .check(&envelope, &request.parts, request.url_secret);
    if !matches!(check, Check::Pass) {
        telemetry.record_code(&envelope);
    }
    let verify = match check {
        Check::Token(verify) => verify,
        Check::User(introspection) => {
            let unverified = Unverified { envelope, trailers };
            step.set(Step::Introspect {
                introspection: Box::new(Mutex::new(introspection)),
                waiting: Some(Box::new(unverified)),
            });
            return advance_waiting(step, request, telemetry, mode, handling, cx);
        }
        Check::UrlSecret => {
            let proof = Some(Proof::UrlSecret);
            let callback = inject_callback(request, telemetry, mode, envelope, trailers, proof);
            return Poll::Ready(callback);
        }
        Check::Reject(rejection) => return Poll::Ready(Err(rejection)),
        Check::Pass => {
            let unverified = Unverified { envelope, trailers };
            return Poll::Ready(Ok(pass(telemetry, mode, unverified)));
        }
    };
    step.set(Step::Verify {
        verify,
        waiting: None,
    });
    // Most verifiers are ready at once.
    let StepProj::Verify { verify, waiting } = step.as_mut().project() else {
        unreachable!("the step was just set");
    };
    let Poll::Ready(verdict) = verify.poll(cx) else {
        *waiting = Some(Box::new(Unverified { envelope, trailers }));
        return wait_or_reject(request, handling).map(Err);
    };
    step.set(Step::Done);
    let verdict = verdict.map(|()| None);
    Poll::Ready(conclude(
        request, telemetry, mode, handling, envelope, trailers, verdict,
    ))
}

/// Decides over a body that is not an event.
#[cold]
#[inline(never)]
fn pass_or_reject<S, B, V, M>(
    request: &PendingRequest<S, V>,
    telemetry: &Telemetry,
    mode: &M,
    unverified: Unverified,
    error: EnvelopeError,
) -> Result<Admitted<M::Body>, Rejection>
where
    M: BodyMode<B>,
{
    if error.kind() == EnvelopeErrorKind::NoEvent && request.may_pass_unverified() {
        Ok(pass(telemetry, mode, unverified))
    } else {
        Err(error.into())
    }
}

#[cold]
fn poll_introspection(
    introspection: &mut Mutex<Introspection>,
    cx: &mut Context<'_>,
) -> Poll<Result<TokenOwner, VerifyError>> {
    let introspection = introspection.get_mut();
    let introspection = introspection.unwrap_or_else(PoisonError::into_inner);
    introspection.as_mut().poll(cx)
}

/// Decides by the verdict of the verifier.
fn conclude<S, B, V, M>(
    request: &mut PendingRequest<S, V>,
    telemetry: &Telemetry,
    mode: &M,
    handling: &mut Handling,
    envelope: Envelope,
    trailers: Option<Box<HeaderMap>>,
    verdict: Result<Option<Proof>, VerifyError>,
) -> Result<Admitted<M::Body>, Rejection>
where
    V: VerifyToken,
    M: BodyMode<B>,
{
    request.timer.stop();
    match verdict {
        Ok(proof) => inject(
            request, telemetry, mode, handling, envelope, trailers, proof,
        ),
        Err(error) => Err(error.into()),
    }
}

/// Passes a form that is not verified.
#[cold]
#[inline(never)]
fn pass<B, M>(telemetry: &Telemetry, mode: &M, unverified: Unverified) -> Admitted<M::Body>
where
    M: BodyMode<B>,
{
    telemetry.passed();
    let Unverified { envelope, trailers } = unverified;
    Admitted::without_hook(mode.whole(envelope.body().clone(), trailers))
}

/// Parses the verified event or callback and puts it into the request. An event has no proof but its
/// token.
fn inject<S, B, V, M>(
    request: &mut PendingRequest<S, V>,
    telemetry: &Telemetry,
    mode: &M,
    handling: &mut Handling,
    envelope: Envelope,
    trailers: Option<Box<HeaderMap>>,
    proof: Option<Proof>,
) -> Result<Admitted<M::Body>, Rejection>
where
    V: VerifyToken,
    M: BodyMode<B>,
{
    if envelope.callback_kind().is_some() {
        return inject_callback(request, telemetry, mode, envelope, trailers, proof);
    }
    let body = mode.whole(envelope.body().clone(), trailers);
    let hook = request.shared.verifier.on_handled(&envelope);
    let event = Event::from_verified(envelope);
    request.release();
    telemetry.accepted(&event, request.timer);
    *handling = Handling::start(&event);
    request.parts.extensions.insert(event);
    Ok(Admitted::new(&mut request.parts, body, hook))
}

/// Rejects a callback that an inbox cannot store, if the layer takes only those that it can.
#[cold]
#[inline(never)]
fn inject_callback<S, B, V, M>(
    request: &mut PendingRequest<S, V>,
    telemetry: &Telemetry,
    mode: &M,
    envelope: Envelope,
    trailers: Option<Box<HeaderMap>>,
    proof: Option<Proof>,
) -> Result<Admitted<M::Body>, Rejection>
where
    V: VerifyToken,
    M: BodyMode<B>,
{
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
        return Err(Rejection::new(RejectionKind::NoEvent));
    }
    request.release();
    telemetry.callback_accepted(&callback, request.timer);
    request.parts.extensions.insert(callback);
    Ok(Admitted::new(&mut request.parts, body, hook))
}
