//! `ReceiveWithPages`: stores what can wait, and has a service respond to what cannot.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use pin_project_lite::pin_project;
use tower::Service;

use super::receive::{Receive, ReceiveFuture};
use crate::callback::Callback;
use crate::layer::EventBody;

/// A [`Receive`] with a service for the callbacks that want their response now.
/// [`Receive::pages`] returns it.
///
/// It is always ready, so that a busy page keeps no event out: the service is cloned for each page, and
/// the clone is polled ready.
#[derive(Clone)]
pub struct ReceiveWithPages<P> {
    receive: Receive,
    pages: P,
}

impl<P> ReceiveWithPages<P> {
    pub(super) const fn new(receive: Receive, pages: P) -> Self {
        Self { receive, pages }
    }

    /// Returns a reference to the service of the pages.
    pub const fn get_ref(&self) -> &P {
        &self.pages
    }

    /// Returns a mutable reference to the service of the pages.
    pub const fn get_mut(&mut self) -> &mut P {
        &mut self.pages
    }

    /// Returns the service of the pages.
    pub fn into_inner(self) -> P {
        self.pages
    }
}

impl<P, B, R> Service<Request<B>> for ReceiveWithPages<P>
where
    P: Service<Request<B>, Response = Response<R>> + Clone,
{
    type Response = Response<EventBody<R>>;
    type Error = P::Error;
    type Future = PagesFuture<P, B>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), P::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> PagesFuture<P, B> {
        let callback = request.extensions().get::<Callback>();
        let state = if callback.is_some_and(Callback::wants_response) {
            State::Ready {
                service: self.pages.clone(),
                request: Some(request),
            }
        } else {
            State::Receive {
                receive: self.receive.call(request),
            }
        };
        PagesFuture { state }
    }
}

pin_project! {
    /// The response future of [`ReceiveWithPages`].
    #[must_use = "futures do nothing unless awaited"]
    pub struct PagesFuture<P, B>
    where
        P: Service<Request<B>>,
    {
        #[pin]
        state: State<P, B, P::Future>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<P, B, F> {
        Receive { #[pin] receive: ReceiveFuture },
        Ready { service: P, request: Option<Request<B>> },
        Call { #[pin] call: F },
    }
}

impl<P, B, R> Future for PagesFuture<P, B>
where
    P: Service<Request<B>, Response = Response<R>>,
{
    type Output = Result<Response<EventBody<R>>, P::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            let next = match state.as_mut().project() {
                StateProj::Receive { receive } => {
                    let received: Result<_, Infallible> = ready!(receive.poll(cx));
                    let Ok(response) = received;
                    let whole = response.map(|body| EventBody::from(body.into_bytes()));
                    return Poll::Ready(Ok(whole));
                }
                StateProj::Ready { service, request } => {
                    ready!(service.poll_ready(cx))?;
                    let request = request
                        .take()
                        .expect("`PagesFuture` polled after completion");
                    State::Call {
                        call: service.call(request),
                    }
                }
                StateProj::Call { call } => {
                    let response = ready!(call.poll(cx))?;
                    return Poll::Ready(Ok(response.map(EventBody::stream)));
                }
            };
            state.set(next);
        }
    }
}

impl<P: fmt::Debug> fmt::Debug for ReceiveWithPages<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReceiveWithPages")
            .field("receive", &self.receive)
            .field("pages", &self.pages)
            .finish()
    }
}

impl<P, B> fmt::Debug for PagesFuture<P, B>
where
    P: Service<Request<B>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PagesFuture").finish_non_exhaustive()
    }
}
