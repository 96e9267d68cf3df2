//! `EventRouter`: passes each event to the handler that is registered for it.

use std::cmp::Reverse;
use std::convert::Infallible;
use std::fmt;
use std::future::{Future, ready};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response, StatusCode};
use tower::Service;

use super::error::{HandlerError, HandlerErrorKind};
use super::response::{IntoEventResponse, ResponseBody};
use super::routes::{BoxFuture, Handler, Routes, erase, run};
use crate::error::ConfigError;
use crate::event::kind::Kind;
use crate::event::{Event, EventKind};

/// A service behind an [`EventLayer`](crate::EventLayer) that passes each event to the handler
/// registered for it.
///
/// The first handler in this list gets the event:
///
/// 1. the handler of its [code](EventRouterBuilder::on_code), otherwise of its kind
///    ([typed](EventRouterBuilder::on) or [not](EventRouterBuilder::on_kind)),
/// 2. the handler of the longest [prefix](EventRouterBuilder::on_prefix) of its code,
/// 3. the handler of its [scope](EventRouterBuilder::on_scope),
/// 4. the [fallback](EventRouterBuilder::fallback).
///
/// An event whose data do not fit the payload of a typed handler goes to the next handler in the
/// list. If there is none, the response is 422
/// ([`PayloadMismatch`](crate::handler::HandlerErrorKind::PayloadMismatch)) and the event is logged;
/// [`on`](EventRouterBuilder::on) shows how to keep it. An event without any registered handler is
/// [acknowledged](EventRouterBuilder::unhandled).
///
/// A handler is a function or a closure that returns a future of an [`IntoEventResponse`]. A closure
/// that owns what its future needs clones it for each event:
/// `move |event| { let pool = pool.clone(); async move { … } }`. The future is dropped if the server
/// drops the request.
///
/// The response to a request without an [`Event`] is 500, with a message that says what to check:
/// the layer is missing, or it passed another callback. If one URL serves both, take the event from
/// the extensions and call [`handle`](Self::handle).
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
///     .on_prefix("ONCRMDEAL", async |event: Event| println!("{}", event.code()))
///     .on_scope("crm", |_| async { StatusCode::ACCEPTED })
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
    routes: Arc<Routes>,
}

impl EventRouter {
    /// Returns a builder without handlers.
    pub fn builder() -> EventRouterBuilder {
        EventRouterBuilder {
            routes: Routes::default(),
            error: None,
        }
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
        let response = self.routes.dispatch(event);
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
        let Some(event) = request.extensions_mut().remove::<Event>() else {
            let error = HandlerError::new(HandlerErrorKind::NoEvent, None);
            return RouterFuture(Box::pin(ready(error.into_event_response())));
        };
        RouterFuture(self.routes.dispatch(event))
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

/// A builder of an [`EventRouter`].
///
/// If two handlers are registered for the same events, [`build`](Self::build) returns an error.
#[must_use = "a builder does nothing until it is built"]
pub struct EventRouterBuilder {
    routes: Routes,
    /// The first mistake, which `build` returns.
    error: Option<ConfigError>,
}

impl EventRouterBuilder {
    /// Registers a typed handler for one kind of event; it takes the payload and the event.
    ///
    /// The handler gets the events whose data fit the payload. The others go to the next handler
    /// registered for them. [`on_kind`](Self::on_kind) gets all events of a kind.
    ///
    /// An event that does not fit and that no other handler takes is rejected with 422 and lost,
    /// because Bitrix24 does not send it again. It is logged at the level ERROR (feature `tracing`)
    /// and counted as `bitrix24_mismatches_total` (feature `metrics`). A fallback can keep it:
    ///
    /// ```
    /// use tower_bitrix24::event::{kind, payload::ItemId};
    /// use tower_bitrix24::{ApplicationToken, Envelope, Event, EventRouter};
    ///
    /// async fn keep(event: Event) -> Result<(), std::io::Error> {
    ///     // The serialized event has all data but no secrets; `event.body()` has those too.
    ///     let kept = serde_json::to_string(&event)?;
    ///     println!("{kept} {:?}", event.mismatch()); // store it for later
    ///     Ok(())
    /// }
    ///
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// let router = EventRouter::builder()
    ///     .on(kind::CrmDealAdd, async |deal: ItemId, _: Event| println!("deal {}", deal.id))
    ///     .fallback(keep)
    ///     .build()?;
    /// let body = "event=ONCRMDEALADD&data[FIELDS][ID]=new&auth[application_token]=192735";
    /// let token = ApplicationToken::new("192735")?;
    /// let event = Event::verify(Envelope::scan(body)?, &token).await?;
    /// assert_eq!(router.handle(event).await.status(), 200);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn on<K, H, F>(self, _kind: K, handler: H) -> Self
    where
        K: Kind + 'static,
        H: Fn(K::Payload, Event) -> F + Send + Sync + 'static,
        F: Future<Output: IntoEventResponse> + Send + 'static,
    {
        let typed = move |event: &Event| {
            let payload = event.payload_of::<K>()?.clone();
            Some(run(handler(payload, event.clone()), event.clone()))
        };
        self.code(K::KIND.as_str(), Box::new(typed))
    }

    /// Registers a handler for all events of one kind, even if their data do not fit the payload.
    pub fn on_kind<H, F>(self, kind: EventKind, handler: H) -> Self
    where
        H: Fn(Event) -> F + Send + Sync + 'static,
        F: Future<Output: IntoEventResponse> + Send + 'static,
    {
        self.code(kind.as_str(), erase(handler))
    }

    /// Registers one handler for all events of several kinds.
    ///
    /// ```
    /// use tower_bitrix24::{Event, EventKind, EventRouter};
    ///
    /// let router = EventRouter::builder()
    ///     .on_kinds(
    ///         [EventKind::CrmDealAdd, EventKind::CrmDealUpdate],
    ///         async |event: Event| println!("{:?}", event.subject()),
    ///     )
    ///     .build()?;
    ///
    /// let twice = EventRouter::builder()
    ///     .on_kind(EventKind::CrmDealAdd, async |_: Event| {})
    ///     .on_kinds([EventKind::CrmDealAdd], async |_: Event| {})
    ///     .build();
    /// assert!(twice.is_err());
    /// # Ok::<(), tower_bitrix24::ConfigError>(())
    /// ```
    pub fn on_kinds<H, F>(self, kinds: impl IntoIterator<Item = EventKind>, handler: H) -> Self
    where
        H: Fn(Event) -> F + Send + Sync + 'static,
        F: Future<Output: IntoEventResponse> + Send + 'static,
    {
        let handler = Arc::new(handler);
        kinds.into_iter().fold(self, |router, kind| {
            let handler = handler.clone();
            router.on_kind(kind, move |event| handler(event))
        })
    }

    /// Registers a handler for one code, documented or not. Case is ignored.
    ///
    /// A documented code is the same as its kind. `ONCRMDYNAMICITEMADD_147` selects the items of one
    /// smart process type, and takes precedence over the kind.
    pub fn on_code<H, F>(self, code: &str, handler: H) -> Self
    where
        H: Fn(Event) -> F + Send + Sync + 'static,
        F: Future<Output: IntoEventResponse> + Send + 'static,
    {
        self.code(code, erase(handler))
    }

    /// Registers a handler for all codes that start with `prefix`, documented or not. Case is
    /// ignored.
    ///
    /// Only the letters count: `ONCRMDEAL` also selects `ONCRMDEALRECURRINGADD` and
    /// `ONCRMDEALUSERFIELDADD`.
    pub fn on_prefix<H, F>(mut self, prefix: &str, handler: H) -> Self
    where
        H: Fn(Event) -> F + Send + Sync + 'static,
        F: Future<Output: IntoEventResponse> + Send + 'static,
    {
        let prefix = prefix.to_ascii_uppercase();
        if prefix.is_empty() {
            return self.fail("a prefix is empty: use `fallback` for all events");
        }
        let mut registered = self.routes.prefixes.iter();
        if registered.any(|(other, _)| *other == prefix) {
            return self.fail(format!("the prefix {prefix:?} has two handlers"));
        }
        self.routes.prefixes.push((prefix, erase(handler)));
        self
    }

    /// Registers a handler for the events of a [scope](EventKind::scope), such as `crm`.
    ///
    /// It also gets undocumented events whose code starts as only codes of this scope do:
    /// `ONCRM…`, `ONTASK…`, `ONCALENDAR…`. The scope of other undocumented codes is not known;
    /// register [`on_prefix`](Self::on_prefix) or [`fallback`](Self::fallback) for those.
    pub fn on_scope<H, F>(mut self, scope: &str, handler: H) -> Self
    where
        H: Fn(Event) -> F + Send + Sync + 'static,
        F: Future<Output: IntoEventResponse> + Send + 'static,
    {
        let mut scopes = EventKind::ALL.iter().map(|kind| kind.scope());
        let Some(scope) = scopes.find(|documented| *documented == scope) else {
            return self.fail(format!("no documented event has the scope {scope:?}"));
        };
        match self.routes.scopes.insert(scope, erase(handler)) {
            None => self,
            Some(_) => self.fail(format!("the scope {scope:?} has two handlers")),
        }
    }

    /// Registers a handler for events that no other handler takes, documented or not.
    pub fn fallback<H, F>(mut self, handler: H) -> Self
    where
        H: Fn(Event) -> F + Send + Sync + 'static,
        F: Future<Output: IntoEventResponse> + Send + 'static,
    {
        match self.routes.fallback.replace(erase(handler)) {
            None => self,
            Some(_) => self.fail("there are two fallbacks"),
        }
    }

    /// Sets the status for events without a handler. Defaults to 200.
    pub fn unhandled(mut self, status: StatusCode) -> Self {
        self.routes.unhandled = status;
        self
    }

    /// Returns the router.
    ///
    /// ```
    /// use tower_bitrix24::{Event, EventKind, EventRouter};
    ///
    /// let error = EventRouter::builder()
    ///     .on_kind(EventKind::CrmDealAdd, async |_: Event| {})
    ///     .on_code("onCrmDealAdd", async |_: Event| {})
    ///     .build()
    ///     .unwrap_err();
    /// assert_eq!(error.to_string(), "ONCRMDEALADD has two handlers");
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if a code or kind, a prefix, a scope or the fallback was registered twice,
    /// a code or a prefix is empty, or no documented event has a scope. The message names it.
    pub fn build(mut self) -> Result<EventRouter, ConfigError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        self.routes
            .prefixes
            .sort_by_key(|(prefix, _)| Reverse(prefix.len()));
        Ok(EventRouter {
            routes: Arc::new(self.routes),
        })
    }

    fn code(mut self, code: &str, handler: Handler) -> Self {
        let code = code.to_ascii_uppercase();
        if code.is_empty() {
            return self.fail("a code is empty");
        }
        match self.routes.codes.insert(code.clone(), handler) {
            None => self,
            Some(_) => self.fail(format!("{code} has two handlers")),
        }
    }

    fn fail(mut self, message: impl Into<String>) -> Self {
        self.error.get_or_insert_with(|| ConfigError::new(message));
        self
    }
}

impl fmt::Debug for EventRouter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.routes
            .debug(&mut f.debug_struct("EventRouter"))
            .finish()
    }
}

impl fmt::Debug for EventRouterBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("EventRouterBuilder");
        self.routes
            .debug(&mut debug)
            .field("error", &self.error)
            .finish()
    }
}
