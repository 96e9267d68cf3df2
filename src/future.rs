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

use crate::collect::Collect;
use crate::layer::Shared;
use crate::{
    Envelope, EnvelopeErrorKind, Event, EventBody, Rejection, RejectionKind, VerifyError,
    VerifyToken,
};

pin_project! {
    /// The future of [`EventService`](crate::EventService).
    ///
    /// `S` is the inner service, `B` the request's body, `V` the verifier, `F` the verifier's
    /// future and `C` the inner service's.
    pub struct ResponseFuture<S, B, V, F, C> {
        #[pin]
        state: State<S, B, V, F, C>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<S, B, V, F, C> {
        Collect { #[pin] collect: Collect<B>, rest: Option<Rest<S, V>> },
        Verify {
            #[pin]
            verify: F,
            envelope: Option<Envelope>,
            trailers: Option<Box<HeaderMap>>,
            rest: Option<Rest<S, V>>,
        },
        Call { #[pin] call: C },
        Refused { response: Option<Response<Bytes>> },
        Done,
    }
}

/// What waits while the body arrives and is verified.
struct Rest<S, V> {
    parts: Parts,
    /// The service that was polled ready. It is called once or dropped.
    service: S,
    shared: Arc<Shared<V>>,
}

impl<S, V> Rest<S, V> {
    fn call<B>(self, bytes: Bytes, trailers: Option<Box<HeaderMap>>) -> S::Future
    where
        S: Service<Request<EventBody<B>>>,
    {
        let Self {
            parts, mut service, ..
        } = self;
        service.call(Request::from_parts(
            parts,
            EventBody::whole(bytes, trailers),
        ))
    }
}

impl<S, B, V, F, C> ResponseFuture<S, B, V, F, C> {
    pub(crate) fn call(call: C) -> Self {
        Self {
            state: State::Call { call },
        }
    }

    pub(crate) fn refused(shared: &Shared<V>, kind: RejectionKind) -> Self {
        Self {
            state: State::refused(shared, kind.into()),
        }
    }

    pub(crate) fn collect(body: B, parts: Parts, service: S, shared: Arc<Shared<V>>) -> Self {
        let collect = Collect::new(body, shared.body_limit, shared.body_deadline);
        Self {
            state: State::Collect {
                collect,
                rest: Some(Rest {
                    parts,
                    service,
                    shared,
                }),
            },
        }
    }
}

impl<S, B, V, F, C> State<S, B, V, F, C> {
    fn refused(shared: &Shared<V>, rejection: Rejection) -> Self {
        Self::Refused {
            response: Some(shared.answer.to(rejection)),
        }
    }
}

const POLLED_AFTER_COMPLETION: &str = "`ResponseFuture` polled after completion";

impl<S, B, V, R> Future for ResponseFuture<S, B, V, V::Future, S::Future>
where
    S: Service<Request<EventBody<B>>, Response = Response<R>>,
    B: Body,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
    V: VerifyToken,
{
    type Output = Result<Response<EventBody<R>>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            let next = match state.as_mut().project() {
                StateProj::Collect { collect, rest } => {
                    let collected = ready!(collect.poll(cx));
                    let rest = rest.take().expect(POLLED_AFTER_COMPLETION);
                    match collected.map_err(Rejection::from) {
                        Ok(body) => match Envelope::scan(body.bytes.clone()) {
                            Ok(envelope) if !envelope.has_application_token() => {
                                State::refused(&rest.shared, VerifyError::missing().into())
                            }
                            Ok(envelope) => State::Verify {
                                verify: rest.shared.verifier.verify(&envelope),
                                envelope: Some(envelope),
                                trailers: body.trailers,
                                rest: Some(rest),
                            },
                            Err(error)
                                if error.kind() == EnvelopeErrorKind::NoEvent
                                    && rest.shared.pass_other_callbacks =>
                            {
                                State::Call {
                                    call: rest.call(body.bytes, body.trailers),
                                }
                            }
                            Err(error) => State::refused(&rest.shared, error.into()),
                        },
                        Err(rejection) => State::refused(&rest.shared, rejection),
                    }
                }
                StateProj::Verify {
                    verify,
                    envelope,
                    trailers,
                    rest,
                } => {
                    let verdict = ready!(verify.poll(cx));
                    let envelope = envelope.take().expect(POLLED_AFTER_COMPLETION);
                    let mut rest = rest.take().expect(POLLED_AFTER_COMPLETION);
                    match verdict {
                        Ok(()) => {
                            let bytes = envelope.body().clone();
                            rest.parts.extensions.insert(Event::proven(envelope));
                            State::Call {
                                call: rest.call(bytes, trailers.take()),
                            }
                        }
                        Err(error) => State::refused(&rest.shared, error.into()),
                    }
                }
                StateProj::Call { call } => {
                    let result = ready!(call.poll(cx));
                    state.set(State::Done);
                    return Poll::Ready(result.map(|response| response.map(EventBody::stream)));
                }
                StateProj::Refused { response } => {
                    let response = response.take().expect(POLLED_AFTER_COMPLETION);
                    return Poll::Ready(Ok(response.map(|bytes| EventBody::whole(bytes, None))));
                }
                StateProj::Done => panic!("{POLLED_AFTER_COMPLETION}"),
            };
            state.set(next);
        }
    }
}

impl<S, B, V, F, C> fmt::Debug for ResponseFuture<S, B, V, F, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture")
            .field(
                "state",
                &match self.state {
                    State::Collect { .. } => "collect",
                    State::Verify { .. } => "verify",
                    State::Call { .. } => "call",
                    State::Refused { .. } => "refused",
                    State::Done => "done",
                },
            )
            .finish_non_exhaustive()
    }
}
