//! `Receive`: the service that responds to an event once it is committed.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{Request, Response};
use tower::Service;

use super::commit::{CommitError, Committer, Reply};
use super::entry::Identity;
use super::seal::Keyring;
use crate::callback::Callback;
use crate::event::Event;
use crate::handler::{HandlerError, HandlerErrorKind, ResponseBody};
use crate::layer::completion::Completion;

/// A service behind an [`EventLayer`](crate::EventLayer) that stores each event and responds with 200
/// **after the commit**. [`Inbox::receive`](super::Inbox::receive) returns it.
///
/// An event that cannot be stored is answered 503. Bitrix24 does not send it again, so the response
/// has a [`HandlerError`] with the event in its extensions, for an outer layer that keeps it elsewhere.
/// A request without an event is answered 500.
///
/// A [`Callback`] is not stored, but answered 503, with the callback in the [`HandlerError`]: a page and
/// a settings form want their response now. Give callbacks a URL, or a route, of their own.
///
/// A sender that hangs up changes nothing: the event is stored. The verifier's
/// [completion hook](crate::VerifyToken::on_handled) does not run here but in the worker.
///
/// It is always ready, whatever the body type.
#[derive(Clone)]
pub struct Receive {
    pub(super) committer: Committer,
    pub(super) keys: Arc<Keyring>,
    pub(super) coalesce: bool,
}

impl<B> Service<Request<B>> for Receive {
    type Response = Response<ResponseBody>;
    type Error = Infallible;
    type Future = ReceiveFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> ReceiveFuture {
        if let Some(callback) = request.extensions().get::<Callback>() {
            let kind = HandlerErrorKind::NotStored;
            let error = HandlerError::of_callback(kind, callback.clone());
            return ReceiveFuture(State::Responded(Some(error)));
        }
        let Some(event) = request.extensions().get::<Event>().cloned() else {
            let error = HandlerError::new(HandlerErrorKind::NoEvent, None);
            return ReceiveFuture(State::Responded(Some(error)));
        };
        // It is not handled yet, so nothing out here may run the hook.
        drop(Completion::take_from(&request));
        let target = request.uri().path_and_query();
        let target = target.map_or("/", |target| target.as_str());
        let identity = Identity::of(&event, self.coalesce);
        let entry = self.keys.seal(identity, target, event.body());
        ReceiveFuture(match self.committer.submit(entry) {
            Ok(reply) => State::Commit {
                reply,
                event: Some(event),
            },
            Err(error) => State::Responded(Some(not_stored(error, event))),
        })
    }
}

fn not_stored(error: CommitError, event: Event) -> HandlerError {
    HandlerError::new(HandlerErrorKind::NotStored, Some(event)).with_source(error.into())
}

/// The response future of [`Receive`].
#[must_use = "futures do nothing unless awaited"]
pub struct ReceiveFuture(State);

enum State {
    Commit { reply: Reply, event: Option<Event> },
    Responded(Option<HandlerError>),
}

const POLLED_AFTER_COMPLETION: &str = "`ReceiveFuture` polled after completion";

impl Future for ReceiveFuture {
    type Output = Result<Response<ResponseBody>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let error = match &mut self.0 {
            State::Commit { reply, event } => {
                let outcome = ready!(Pin::new(reply).poll(cx));
                let event = event.take().expect(POLLED_AFTER_COMPLETION);
                match outcome.unwrap_or(Err(CommitError::Stopped)) {
                    Ok(_) => return Poll::Ready(Ok(Response::new(ResponseBody::default()))),
                    Err(error) => not_stored(error, event),
                }
            }
            State::Responded(error) => error.take().expect(POLLED_AFTER_COMPLETION),
        };
        let response: Response<Bytes> = error.into_event_response();
        Poll::Ready(Ok(response.map(ResponseBody::from)))
    }
}

impl fmt::Debug for Receive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receive")
            .field("coalesce", &self.coalesce)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for ReceiveFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.0 {
            State::Commit { .. } => "commit",
            State::Responded(_) => "responded",
        };
        f.debug_struct("ReceiveFuture")
            .field("state", &state)
            .finish_non_exhaustive()
    }
}
