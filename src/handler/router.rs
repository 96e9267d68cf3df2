//! `EventRouter`: passes each event to the handler that is registered for it.

use std::convert::Infallible;
use std::fmt;
use std::future::{Future, ready};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use tower::Service;

use super::callback_routes::CallbackRoutes;
use super::error::{HandlerError, HandlerErrorKind};
use super::response::ResponseBody;
use super::routes::{BoxFuture, Routes};
use crate::callback::Callback;
use crate::event::Event;

/// A service behind an [`EventLayer`](crate::EventLayer) that passes each event to the handler
/// registered for it.
///
/// The first handler in this list gets the event:
///
/// 1. the handler of its [code](super::EventRouterBuilder::on_code), otherwise of its kind
///    ([typed](super::EventRouterBuilder::on) or [not](super::EventRouterBuilder::on_kind)),
/// 2. the handler of the [entity](super::EventRouterBuilder::on_entity) that it is about,
/// 3. the handler of the longest [prefix](super::EventRouterBuilder::on_prefix) of its code,
/// 4. the handler of its [scope](super::EventRouterBuilder::on_scope),
/// 5. the [fallback](super::EventRouterBuilder::fallback).
///
/// An event whose data do not fit the payload of a typed handler goes to the next handler in the
/// list. If there is none, the response is 422
/// ([`PayloadMismatch`](crate::handler::HandlerErrorKind::PayloadMismatch)) and the event is logged;
/// [`on`](super::EventRouterBuilder::on) shows how to keep it. An event without any registered handler is
/// [acknowledged](super::EventRouterBuilder::unhandled).
///
/// A [handler](super::Handler) is a function or a closure that returns a future of an
/// [`IntoEventResponse`](super::IntoEventResponse). What all handlers share, such as a pool of
/// connections, is the router's [state](Self::with_state). The future is dropped if the server drops
/// the request.
///
/// A [`Callback`] goes to the handler of its [robot](super::EventRouterBuilder::on_robot),
/// [message provider](super::EventRouterBuilder::on_message),
/// [placement](super::EventRouterBuilder::on_placement) or
/// [settings form](super::EventRouterBuilder::on_settings), otherwise to the
/// [fallback of callbacks](super::EventRouterBuilder::callback_fallback).
///
/// The response to a request without an [`Event`] or a [`Callback`] is 500, with a message that says
/// what to check: the layer is missing, or it passed another callback. If one URL serves both, take the
/// event from the extensions and call [`handle`](Self::handle).
///
/// A clone is cheap and shares the handlers.
///
/// ```
/// use bytes::Bytes;
/// use http::{Request, StatusCode};
/// use http_body_util::Full;
/// use tower::{Layer, ServiceExt};
/// use tower_bitrix24::event::{kind, payload::ItemId};
/// use tower_bitrix24::{ApplicationToken, Event, EventKind, EventLayer, EventRouter};
///
/// async fn deal_added(deal: ItemId, event: Event) -> Result<(), std::io::Error> {
///     println!("deal {} on {}", deal.id, event.auth().domain());
///     Ok(())
/// }
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let router = EventRouter::builder()
///     .on(kind::CrmDealAdd, deal_added)
///     .on_kind(EventKind::CrmDealUpdate, async |event: Event| println!("{:?}", event.subject()))
///     .on_entity("crm.deal", async |event: Event| println!("{}", event.code()))
///     .on_scope("crm", async |_: Event| StatusCode::ACCEPTED)
///     .fallback(async |event: Event| Err::<(), _>(format!("what is {}?", event.code())))
///     .build()?;
/// let service = EventLayer::new(ApplicationToken::new("192735")?).layer(router);
///
/// let status = async |body: &'static str| {
///     let request = Request::post("/")
///         .header("content-type", "application/x-www-form-urlencoded")
///         .body(Full::new(Bytes::from_static(body.as_bytes())));
///     service.clone().oneshot(request.unwrap()).await.unwrap().status()
/// };
/// let deal = "event=ONCRMDEALADD&data[FIELDS][ID]=42&auth[application_token]=192735";
/// assert_eq!(status(deal).await, StatusCode::OK);
/// let lead = "event=ONCRMLEADADD&data[FIELDS][ID]=42&auth[application_token]=192735";
/// assert_eq!(status(lead).await, StatusCode::ACCEPTED);
/// let new = "event=ONSOMETHINGNEW&auth[application_token]=192735";
/// assert_eq!(status(new).await, StatusCode::INTERNAL_SERVER_ERROR);
///
/// let forged = "event=ONCRMDEALADD&data[FIELDS][ID]=42&auth[application_token]=guess";
/// assert_eq!(status(forged).await, StatusCode::FORBIDDEN);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct EventRouter {
    table: Arc<Table>,
}

struct Table {
    events: Routes,
    callbacks: CallbackRoutes,
}

impl EventRouter {
    pub(super) fn new(events: Routes, callbacks: CallbackRoutes) -> Self {
        Self {
            table: Arc::new(Table { events, callbacks }),
        }
    }

    pub(super) fn dispatch_callback(&self, callback: Callback) -> BoxFuture {
        let Table { events, callbacks } = &*self.table;
        callbacks.dispatch(callback, events.unhandled)
    }

    #[cfg(feature = "inbox")]
    pub(crate) fn has_pages(&self) -> bool {
        self.table.callbacks.has_pages()
    }

    /// Passes an event to its handler without a request.
    ///
    /// This serves queue workers, tasks, and URLs that receive both events and other callbacks. The
    /// handler is called immediately; the returned future borrows nothing.
    ///
    /// ```
    /// use http::StatusCode;
    /// use tower_bitrix24::{ApplicationToken, Envelope, Event, EventRouter};
    ///
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// let router = EventRouter::builder()
    ///     .on_prefix("ONAPP", async |_: Event| StatusCode::ACCEPTED)
    ///     .on_scope("crm", async |event: Event| event.data_as::<u64>().map(drop))
    ///     .build()?;
    /// let token = ApplicationToken::new("192735")?;
    ///
    /// let envelope = Envelope::scan("event=ONAPPTEST&auth[application_token]=192735")?;
    /// let response = router.handle(Event::verify(envelope, &token).await?).await;
    /// assert_eq!(response.status(), StatusCode::ACCEPTED);
    ///
    /// let envelope = Envelope::scan("event=ONCRMDEALADD&data=x&auth[application_token]=192735")?;
    /// let response = router.handle(Event::verify(envelope, &token).await?).await;
    /// assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn handle(
        &self,
        event: Event,
    ) -> impl Future<Output = Response<ResponseBody>> + Send + use<> {
        let response = self.table.events.dispatch(event);
        async { response.await.map(ResponseBody::from) }
    }
}

impl<B> Service<Request<B>> for EventRouter {
    type Response = Response<ResponseBody>;
    type Error = Infallible;
    type Future = RouterFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<B>) -> RouterFuture {
        if let Some(callback) = request.extensions_mut().remove::<Callback>() {
            return RouterFuture(self.dispatch_callback(callback));
        }
        let Some(event) = request.extensions_mut().remove::<Event>() else {
            let error = HandlerError::new(HandlerErrorKind::NoEvent, None);
            return RouterFuture(Box::pin(ready(error.into_event_response())));
        };
        RouterFuture(self.table.events.dispatch(event))
    }
}

/// The response future of [`EventRouter`].
#[must_use = "futures do nothing unless awaited"]
pub struct RouterFuture(BoxFuture);

impl Future for RouterFuture {
    type Output = Result<Response<ResponseBody>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0
            .as_mut()
            .poll(cx)
            .map(|response| Ok(response.map(ResponseBody::from)))
    }
}

impl fmt::Debug for RouterFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RouterFuture").finish_non_exhaustive()
    }
}

impl fmt::Debug for EventRouter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("EventRouter");
        self.table.events.debug(&mut debug);
        self.table.callbacks.debug(&mut debug).finish()
    }
}
