//! The response future, which drives its state machine.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::request::Parts;
use http::{Request, Response};
use http_body::Body;
use pin_project_lite::pin_project;
use tower::Service;

use super::body_mode::{BodyMode, KeepBody};
use super::collect::Collect;
use super::pending::{POLLED_AFTER_COMPLETION, PendingRequest, wait_or_reject};
use super::shared::Shared;
use super::state::{State, StateProj};
use super::step::{Admitted, Step, advance};
use crate::rejection::{Rejection, RejectionKind};
use crate::telemetry::{Handling, HandlingOutcome, Telemetry, VerificationTimer};
use crate::verify::VerifyToken;

type BodyOf<B, M> = <M as BodyMode<B>>::Body;
type StateOf<S, B, V, M> = State<
    S,
    B,
    BodyOf<B, M>,
    V,
    <V as VerifyToken>::Future,
    <S as Service<Request<BodyOf<B, M>>>>::Future,
    <S as Service<Request<BodyOf<B, M>>>>::Response,
>;

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
        state: StateOf<S, B, V, M>,
        telemetry: Telemetry,
        mode: M,
        handling: Handling,
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
        request: PendingRequest<S, V>,
        telemetry: Telemetry,
        mode: M,
    ) -> Self {
        let step = Step::Ready {
            admitted: Some(Admitted::without_hook(M::original(body))),
        };
        Self::new(State::Before { step, request }, telemetry, mode)
    }

    pub(super) fn probed(mode: M) -> Self {
        let telemetry = Telemetry::start();
        telemetry.probed();
        let state = State::Rejected {
            response: Some(Response::default()),
        };
        Self::new(state, telemetry, mode)
    }

    pub(super) fn rejected(shared: &Shared<V>, kind: RejectionKind, head: Parts, mode: M) -> Self {
        let rejection = Rejection::new(kind);
        let telemetry = Telemetry::start();
        {
            let _guard = telemetry.enter();
            telemetry.rejected(&rejection, VerificationTimer::default());
        }
        Self::new(State::rejected(shared, rejection, head), telemetry, mode)
    }

    pub(super) fn collect(body: B, request: PendingRequest<S, V>, mode: M) -> Self {
        let step = Step::Collect {
            collect: Collect::new(body),
        };
        Self::new(State::Before { step, request }, Telemetry::start(), mode)
    }

    fn new(state: StateOf<S, B, V, M>, telemetry: Telemetry, mode: M) -> Self {
        Self {
            state,
            telemetry,
            mode,
            handling: Handling::default(),
        }
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
        let (mut state, mode) = (this.state, &*this.mode);
        let (telemetry, handling) = (&*this.telemetry, this.handling);
        let _guard = telemetry.enter();
        loop {
            match state.as_mut().project() {
                StateProj::Before { mut step, request } => {
                    let advanced = advance(step.as_mut(), request, telemetry, mode, handling, cx);
                    let admitted = match ready!(advanced) {
                        Ok(admitted) => admitted,
                        Err(rejection) => {
                            state.as_mut().reject(telemetry, rejection);
                            continue;
                        }
                    };
                    // Most services are ready at once.
                    match request.poll_ready(cx) {
                        Poll::Ready(Ok(())) => state.as_mut().call(handling, admitted),
                        Poll::Ready(Err(error)) => {
                            handling.failed(HandlingOutcome::Failed, None);
                            state.set(State::Done);
                            return Poll::Ready(Err(error));
                        }
                        Poll::Pending => {
                            step.set(Step::Ready {
                                admitted: Some(admitted),
                            });
                            let rejection = ready!(wait_or_reject(request, handling));
                            state.as_mut().reject(telemetry, rejection);
                        }
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
                    match (completion.take(), result) {
                        (Some(completion), Ok(response)) if response.status().is_success() => {
                            state.set(State::OnHandled {
                                completion,
                                response: Some(response),
                            });
                        }
                        (_, result) => {
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
            }
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
        let state = match &self.state {
            State::Before { step, .. } => step.name(),
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
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::pin::pin;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
    use std::task::Waker;

    use bytes::Bytes;
    use http::header::CONTENT_TYPE;
    use http_body_util::Full;
    use tower::{Layer, service_fn};

    use super::*;
    use crate::envelope::Envelope;
    use crate::layer::EventLayer;
    use crate::verify::{ApplicationToken, VerifyError};

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

    /// The future of a verifier, which may be polled once and says when it is dropped.
    struct Verification {
        is_over: bool,
        is_dropped: Arc<AtomicBool>,
    }

    impl Future for Verification {
        type Output = Result<(), VerifyError>;

        fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
            assert!(!self.is_over, "the verifier is polled after its end");
            self.is_over = true;
            Poll::Ready(Ok(()))
        }
    }

    impl Drop for Verification {
        fn drop(&mut self) {
            self.is_dropped.store(true, Relaxed);
        }
    }

    #[test]
    fn verifier_is_dropped_before_the_service_is_called_and_not_polled_after_its_panic() {
        let is_dropped = Arc::new(AtomicBool::new(false));
        let of_verifier = is_dropped.clone();
        let layer = EventLayer::new(move |_: &Envelope| Verification {
            is_over: false,
            is_dropped: of_verifier.clone(),
        });
        let mut service = layer.layer(service_fn(|_: Request<Full<Bytes>>| {
            assert!(!is_dropped.load(Relaxed), "the service panics");
            ready::<Outcome>(Ok(Response::default()))
        }));
        let request = Request::post("/")
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Full::<Bytes>::from("event=A&auth[application_token]=t"));
        let mut call = pin!(service.call(request.unwrap()));
        for panic in ["the service panics", POLLED_AFTER_COMPLETION] {
            let mut cx = Context::from_waker(Waker::noop());
            let poll = AssertUnwindSafe(|| drop(call.as_mut().poll(&mut cx)));
            let caught = catch_unwind(poll).unwrap_err();
            let caught = caught.downcast::<String>().map(|text| *text);
            let caught =
                caught.or_else(|caught| caught.downcast::<&str>().map(|text| (*text).to_owned()));
            assert_eq!(caught.unwrap(), panic);
        }
    }

    /// A larger future costs every server, which moves and keeps one for each request.
    #[test]
    fn response_future_takes_at_most_352_bytes_beside_telemetry() {
        type Inner = tower::util::ServiceFn<fn(Request<Full<Bytes>>) -> Ready<Outcome>>;
        let size = size_of::<ResponseFuture<Inner, Full<Bytes>, ApplicationToken>>();
        let telemetry =
            size_of::<Telemetry>() + size_of::<VerificationTimer>() + size_of::<Handling>();
        assert!(size - telemetry <= 352, "{size} - {telemetry}");
    }
}
