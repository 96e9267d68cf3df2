//! `Receive`: the service that responds to a request once it is committed.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{Request, Response};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tower::Service;

use super::commit::{CommitError, Committer, Reply};
use super::delivery::WorkerRequest;
use super::entry::{Entry, Identity};
use super::fallback::{Endangered, Fallback, Handling};
use super::request::StoredRequest;
use super::seal::Keyring;
use crate::handler::{HandlerError, HandlerErrorKind, ResponseBody};
use crate::layer::EventLayer;
use crate::layer::completion::Completion;
use crate::telemetry::{self, HandlingOutcome};

/// A service behind an [`EventLayer`](crate::EventLayer) that stores each event and responds with 200
/// **after the commit**. [`Inbox::receive`](super::Inbox::receive) returns it.
///
/// Responds with 503 if the event cannot be stored. Bitrix24 does not send it again, so the response
/// has a [`HandlerError`] with the event in its extensions, for an outer layer that stores it elsewhere.
/// A [fallback](Self::fallback) handles it in memory. Responds with 500 to a request without an event.
///
/// A [`Callback`](crate::Callback) is stored as an event is, if its sender does not wait for the response: a robot, an
/// activity, a message. A page and the settings form [want it now](crate::Callback::wants_response), so
/// [`pages`](Self::pages) takes a service for them. Without one, let the layer verify only
/// [`stored_callbacks`](crate::EventLayer::stored_callbacks): a page then never gets here.
/// [`behind`](Self::behind) checks that.
///
/// A sender that hangs up changes nothing: the event is stored. The verifier's
/// [completion hook](crate::VerifyToken::on_handled) does not run here but in the worker.
///
/// It is always ready, whatever the body type.
#[derive(Clone)]
pub struct Receive {
    pub(super) committer: Arc<Committer>,
    pub(super) keys: Arc<Keyring>,
    pub(super) coalesce: bool,
    pub(super) fallback: Option<Fallback>,
}

impl Receive {
    /// Sets a service that handles the events that cannot be stored, such as a
    /// [`BackgroundQueue`](crate::background::BackgroundQueue) before the handlers of the worker.
    ///
    /// The response is 503 all the same, once the service has responded: 200 means that an event is
    /// stored. The service gets the request that a worker would make, with a
    /// [`Delivery`](super::Delivery) whose `seq` is 0. Its key is the same as in the inbox, in case
    /// that the event was stored after all.
    ///
    /// ```
    /// use tower::Layer;
    /// use tower_bitrix24::background::BackgroundQueue;
    /// use tower_bitrix24::inbox::{Inbox, InboxKey, MemoryInbox};
    /// use tower_bitrix24::{Event, EventRouter};
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
    /// let handlers = EventRouter::builder()
    ///     .on_prefix("ONCRMDEAL", async |event: Event| println!("{:?}", event.subject()))
    ///     .build()?;
    /// let inbox = Inbox::builder(MemoryInbox::new(), InboxKey::generate()).build();
    /// let queue = BackgroundQueue::new();
    /// let receive = inbox.receive().fallback(queue.layer().layer(handlers.clone()));
    /// let worker = inbox.worker(handlers).spawn();
    /// # drop((receive, worker));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn fallback<H, R>(mut self, service: H) -> Self
    where
        H: Service<WorkerRequest, Response = Response<R>> + Clone + Send + 'static,
        H::Future: Send,
        R: Send + 'static,
    {
        self.fallback = Some(Fallback::new(service));
        self
    }
}

impl Receive {
    /// Puts the layer around this service, and checks that it lets no callback through that cannot be
    /// stored.
    ///
    /// # Panics
    ///
    /// Panics if the layer verifies all [`callbacks`](EventLayer::callbacks), among them pages, or
    /// [passes others](EventLayer::pass_other_callbacks). Use
    /// [`stored_callbacks`](EventLayer::stored_callbacks), or set a service for [`pages`](Self::pages).
    ///
    /// ```
    /// use tower_bitrix24::inbox::{Inbox, InboxKey, MemoryInbox};
    /// use tower_bitrix24::{ApplicationToken, EventLayer};
    ///
    /// # let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    /// # let _guard = runtime.enter();
    /// let inbox = Inbox::builder(MemoryInbox::new(), InboxKey::generate()).build();
    /// let layer = EventLayer::new(ApplicationToken::new("192735")?);
    /// let service = inbox.receive().behind(layer.stored_callbacks());
    ///
    /// // inbox.receive().behind(layer.callbacks()) panics
    /// # drop(service);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn behind<V, M>(
        self,
        layer: EventLayer<V, M>,
    ) -> <EventLayer<V, M> as tower::Layer<Self>>::Service
    where
        EventLayer<V, M>: tower::Layer<Self>,
    {
        assert!(
            !layer.lets_pages_through(),
            "this layer lets pages through, which no inbox stores: use `stored_callbacks()` without \
             `pass_other_callbacks()`, or set a service for them by `Receive::pages`"
        );
        tower::Layer::layer(&layer, self)
    }
}

const NO_PAGES: &str = "an inbox stores no callback that wants its response now: set a service for \
                        them by `Receive::pages`";

impl<B> Service<Request<B>> for Receive {
    type Response = Response<ResponseBody>;
    type Error = Infallible;
    type Future = ReceiveFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> ReceiveFuture {
        let Some(stored) = StoredRequest::find(request.extensions()) else {
            let error = HandlerError::new(HandlerErrorKind::NoEvent, None);
            return ReceiveFuture(State::Responded(Some(response_to(error))));
        };
        let identity = match &stored {
            StoredRequest::Event(event) => Identity::of(event, self.coalesce),
            StoredRequest::Callback(callback) if callback.wants_response() => {
                let error = stored
                    .error(HandlerErrorKind::NoHandler)
                    .with_source(NO_PAGES.into());
                return ReceiveFuture(State::Responded(Some(response_to(error))));
            }
            StoredRequest::Callback(callback) => Identity::of_callback(callback),
        };
        // It is not handled yet, so nothing out here may run the hook.
        let on_handled = Completion::take_from(&request);
        let target = request.uri().path_and_query();
        let target = target.map_or("/", |target| target.as_str());
        let entry = self.keys.seal(identity, target, stored.body());
        telemetry::inbox::received(&entry.key);
        let fallback = self.fallback.clone().map(|fallback| Endangered {
            fallback,
            on_handled,
        });
        // Neither the request nor its body is kept meanwhile, so that the server can read the next one
        // into the same memory.
        ReceiveFuture(State::Commit(Committing {
            reply: self.committer.submit(entry),
            keys: self.keys.clone(),
            fallback,
        }))
    }
}

/// The response future of [`Receive`].
#[must_use = "futures do nothing unless awaited"]
pub struct ReceiveFuture(State);

enum State {
    Commit(Committing),
    Fallback {
        handling: Handling,
        response: Option<Response<ResponseBody>>,
    },
    Responded(Option<Response<ResponseBody>>),
}

struct Committing {
    reply: oneshot::Receiver<Reply>,
    keys: Arc<Keyring>,
    fallback: Option<Endangered>,
}

const POLLED_AFTER_COMPLETION: &str = "`ReceiveFuture` polled after completion";

impl State {
    fn not_stored(
        keys: &Keyring,
        entry: &Entry,
        error: CommitError,
        fallback: Option<Endangered>,
    ) -> Self {
        let kind = HandlerErrorKind::NotStored;
        let Ok((stored, target)) = StoredRequest::open(keys, entry) else {
            // The same keys have just sealed it, so that this does not happen.
            let error = HandlerError::new(kind, None).with_source(error.into());
            return Self::Responded(Some(response_to(error)));
        };
        let error = stored.clone().error(kind).with_source(error.into());
        let mut response = response_to(error);
        let Some(fallback) = fallback else {
            return Self::Responded(Some(response));
        };
        // The fallback records the outcome.
        telemetry::mark_recorded(response.extensions_mut(), HandlingOutcome::Deferred);
        Self::Fallback {
            handling: fallback.handle(stored, target, entry.key),
            response: Some(response),
        }
    }
}

impl Future for ReceiveFuture {
    type Output = Result<Response<ResponseBody>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            match &mut self.0 {
                State::Commit(committing) => {
                    let replied = ready!(Pin::new(&mut committing.reply).poll(cx));
                    let (entry, outcome) = replied.expect("the task replies to every sender");
                    self.0 = match outcome {
                        Ok(_) => State::Responded(Some(committed())),
                        Err(error) => {
                            let fallback = committing.fallback.take();
                            State::not_stored(&committing.keys, &entry, error, fallback)
                        }
                    };
                }
                State::Fallback { handling, response } => {
                    ready!(handling.as_mut().poll(cx));
                    self.0 = State::Responded(response.take());
                }
                State::Responded(response) => {
                    let response = response.take().expect(POLLED_AFTER_COMPLETION);
                    return Poll::Ready(Ok(response));
                }
            }
        }
    }
}

fn committed() -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::default());
    // The worker records the rest.
    telemetry::mark_recorded(response.extensions_mut(), HandlingOutcome::Deferred);
    response
}

fn response_to(error: HandlerError) -> Response<ResponseBody> {
    let response: Response<Bytes> = error.into_event_response();
    response.map(ResponseBody::from)
}

/// A sender that hangs up takes nothing from the fallback.
impl Drop for ReceiveFuture {
    fn drop(&mut self) {
        let Ok(runtime) = Handle::try_current() else {
            return;
        };
        match mem::replace(&mut self.0, State::Responded(None)) {
            State::Commit(Committing {
                reply,
                keys,
                fallback: Some(fallback),
            }) => {
                runtime.spawn(async move {
                    if let Ok((entry, Err(_))) = reply.await {
                        if let Ok((stored, target)) = StoredRequest::open(&keys, &entry) {
                            fallback.handle(stored, target, entry.key).await;
                        }
                    }
                });
            }
            State::Fallback { handling, .. } => {
                runtime.spawn(handling);
            }
            State::Commit(_) | State::Responded(_) => {}
        }
    }
}

impl fmt::Debug for Receive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receive")
            .field("coalesce", &self.coalesce)
            .field("has_fallback", &self.fallback.is_some())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for ReceiveFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.0 {
            State::Commit(_) => "commit",
            State::Fallback { .. } => "fallback",
            State::Responded(_) => "responded",
        };
        f.debug_struct("ReceiveFuture")
            .field("state", &state)
            .finish_non_exhaustive()
    }
}
