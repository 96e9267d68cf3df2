//! `EventLayer::verify`: the layer's checks for a request whose head and body are at hand.

use std::convert::Infallible;
use std::error::Error;
use std::fmt;
use std::future::{Ready, poll_fn, ready};
use std::ops::Deref;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use tower::{Layer, Service};

use super::completion::Completion;
use super::{EventBody, EventLayer, KeepBody};
use crate::event::Event;
use crate::telemetry::{Handling, HandlingOutcome, mark_recorded};
use crate::verify::VerifyToken;

/// The decision of [`EventLayer::verify`] about a request.
#[derive(Debug)]
#[non_exhaustive]
#[must_use = "a response may have to be sent"]
pub enum Verdict {
    /// The request is a verified event, which is to be handled.
    Event(Verified),
    /// The request is not an event: the layer does not select it, or passes it as
    /// [another callback](EventLayer::pass_other_callbacks). It is **not verified**, unless a
    /// [`Callback`](crate::Callback) is in its extensions, which
    /// [`callbacks`](EventLayer::callbacks) puts there.
    Pass(Request<Bytes>),
    /// The request is rejected, or a [probe](EventLayer::respond_to_probes): respond with this. After a
    /// rejection, its extensions have the [`Rejection`](crate::Rejection).
    Respond(Response<Bytes>),
}

/// A verified event whose handling is up to the caller.
///
/// Call [`handled`](Self::handled) after its handling succeeded, or [`failed`](Self::failed). If it is
/// dropped before, it counts as cancelled.
///
/// It dereferences to the [`Event`].
#[must_use = "call `handled` or `failed` after the event was handled"]
pub struct Verified {
    event: Event,
    completion: Option<Completion>,
    handling: Handling,
}

impl Verified {
    /// Returns the event.
    pub const fn event(&self) -> &Event {
        &self.event
    }

    /// Runs the verifier's [completion hook](VerifyToken::on_handled) and records the success.
    pub async fn handled(mut self) {
        self.handling.completed();
        if let Some(completion) = &self.completion {
            poll_fn(|cx| completion.poll(cx)).await;
        }
    }

    /// Does the one or the other by the status of a response. A response of an
    /// [`EventRouter`](crate::EventRouter) has its line already and gets no second one.
    pub async fn responded<B>(mut self, response: &Response<B>) {
        self.handling.responded(response);
        if response.status().is_success() {
            self.handled().await;
        }
    }

    /// Records the failure in a line with the error and its sources.
    pub fn failed(mut self, error: &dyn Error) {
        self.handling.failed(HandlingOutcome::Failed, Some(error));
    }
}

impl Deref for Verified {
    type Target = Event;

    fn deref(&self) -> &Event {
        &self.event
    }
}

impl fmt::Debug for Verified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verified")
            .field("event", &self.event)
            .finish_non_exhaustive()
    }
}

impl<V: VerifyToken, M> EventLayer<V, M> {
    /// Runs all of the layer's checks on a request whose head and body are at hand: the path and the
    /// predicates, the method, the content type, the limit, the token.
    ///
    /// This is the entry for frameworks without tower, such as actix-web, rocket and Workers. They limit and
    /// collect the body themselves. Nothing here reads a clock or needs a runtime, unless the verifier does.
    ///
    /// ```
    /// use bytes::Bytes;
    /// use http::{Request, Response, StatusCode};
    /// use tower_bitrix24::layer::Verdict;
    /// use tower_bitrix24::{ApplicationToken, EventLayer};
    ///
    /// async fn respond(events: &EventLayer<ApplicationToken>, request: Request<Vec<u8>>) -> Response<Bytes> {
    ///     match events.verify(request).await {
    ///         Verdict::Event(event) => {
    ///             println!("{} on {}", event.code(), event.auth().domain());
    ///             event.handled().await;
    ///             Response::new(Bytes::from_static(b"handled"))
    ///         }
    ///         Verdict::Respond(response) => response,
    ///         _ => Response::new(Bytes::from_static(b"another page")),
    ///     }
    /// }
    ///
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// let events = EventLayer::new(ApplicationToken::new("192735")?).path("/bitrix24/events");
    /// let send = async |path: &str, body: &str| {
    ///     let request = Request::post(path)
    ///         .header("content-type", "application/x-www-form-urlencoded")
    ///         .body(body.as_bytes().to_vec());
    ///     respond(&events, request.unwrap()).await
    /// };
    /// let good = send("/bitrix24/events", "event=ONAPPTEST&auth[application_token]=192735").await;
    /// assert_eq!(good.body(), "handled");
    /// let bad = send("/bitrix24/events", "event=ONAPPTEST&auth[application_token]=guess").await;
    /// assert_eq!(bad.status(), StatusCode::FORBIDDEN);
    /// assert_eq!(send("/", "").await.body(), "another page");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn verify<T: Into<Bytes>>(&self, request: Request<T>) -> Verdict {
        let layer = EventLayer {
            shared: self.shared.clone(),
            mode: KeepBody,
        };
        let (head, body) = request.into_parts();
        let request = Request::from_parts(head, WholeBody::from(body.into()));
        let Ok(mut response) = layer.layer(Capture).call(request).await;
        match response.extensions_mut().remove() {
            None => Verdict::Respond(response.map(WholeBody::into_bytes)),
            Some(Captured {
                request,
                completion,
            }) => match request.extensions().get::<Event>() {
                None => Verdict::Pass(request),
                Some(event) => Verdict::Event(Verified {
                    handling: Handling::start(event),
                    event: event.clone(),
                    completion,
                }),
            },
        }
    }
}

type WholeBody = EventBody<Full<Bytes>>;

/// Returns its request in the response's extensions.
#[derive(Clone)]
struct Capture;

#[derive(Clone)]
struct Captured {
    request: Request<Bytes>,
    completion: Option<Completion>,
}

impl Service<Request<WholeBody>> for Capture {
    type Response = Response<WholeBody>;
    type Error = Infallible;
    type Future = Ready<Result<Response<WholeBody>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<WholeBody>) -> Self::Future {
        // Otherwise the layer would run the hook now.
        let completion = Completion::take_from(&request).map(Completion::new);
        let mut response = Response::default();
        mark_recorded(response.extensions_mut(), HandlingOutcome::Deferred);
        response.extensions_mut().insert(Captured {
            request: request.map(WholeBody::into_bytes),
            completion,
        });
        ready(Ok(response))
    }
}
