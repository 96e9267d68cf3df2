//! `EventRouter`: passes each event to the handler that is registered for it.

use std::collections::HashMap;
use std::convert::Infallible;
use std::fmt;
use std::future::{Future, ready};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use tower::Service;

use super::error::HandlerError;
use super::response::{IntoEventResponse, ResponseBody};
use crate::error::ConfigError;
use crate::event::kind::Kind;
use crate::event::{Event, EventKind};

/// One URL, many handlers: a service behind an [`EventLayer`](crate::EventLayer) that gives each
/// event to the handler registered for it.
///
/// The first of these that there is gets the event:
///
/// 1. the handler of its [code](EventRouterBuilder::on_code), else of its kind
///    ([typed](EventRouterBuilder::on) or [not](EventRouterBuilder::on_kind)),
/// 2. the handler of the longest [prefix](EventRouterBuilder::on_prefix) of its code,
/// 3. the handler of its [scope](EventRouterBuilder::on_scope),
/// 4. the [fallback](EventRouterBuilder::fallback).
///
/// A typed handler is passed over by an event whose data do not fit its payload, and the next in
/// the list gets the event. Where none is left, the event is not acknowledged: it is answered 422,
/// as a [`Mismatch`](crate::handler::HandlerErrorKind::PayloadMismatch), with a line in the log
/// ([`on`](EventRouterBuilder::on) says how to keep it). An event that nothing was registered for is
/// [acknowledged](EventRouterBuilder::unhandled).
///
/// A handler is a function or a closure that gives a future of [something that can be
/// answered](IntoEventResponse). A closure that owns what its future needs clones it for each event:
/// `move |event| { let pool = pool.clone(); async move { … } }`. The future of an event is dropped
/// where the server drops the request.
///
/// A request without an [`Event`] is answered 500 with a text that says what to check: the layer is
/// missing, or it passed another callback. Where one URL serves both, take the event and call
/// [`handle`](Self::handle).
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

struct Routes {
    /// By the code in upper case; a kind stands under its own code.
    codes: HashMap<String, Handler>,
    /// In upper case; the longest first once the router is built.
    prefixes: Vec<(String, Handler)>,
    scopes: HashMap<&'static str, Handler>,
    fallback: Option<Handler>,
    unhandled: StatusCode,
}

/// Takes the event, or leaves it to the next handler.
type Handler = Box<dyn Fn(&Event) -> Option<Answer> + Send + Sync>;

type Answer = Pin<Box<dyn Future<Output = Response<Bytes>> + Send>>;

fn answer<F>(handling: F, event: Event) -> Answer
where
    F: Future<Output: IntoEventResponse> + Send + 'static,
{
    Box::pin(async move {
        let answer = handling.await.into_event_response();
        answer.unwrap_or_else(|error| HandlerError::failed(event, error).into_event_response())
    })
}

fn untyped<H, F>(handler: H) -> Handler
where
    H: Fn(Event) -> F + Send + Sync + 'static,
    F: Future<Output: IntoEventResponse> + Send + 'static,
{
    Box::new(move |event| Some(answer(handler(event.clone()), event.clone())))
}

impl EventRouter {
    /// A router's handlers, to be registered one by one.
    pub fn builder() -> EventRouterBuilder {
        EventRouterBuilder {
            routes: Routes {
                codes: HashMap::new(),
                prefixes: Vec::new(),
                scopes: HashMap::new(),
                fallback: None,
                unhandled: StatusCode::OK,
            },
            error: None,
        }
    }

    /// Gives an event to its handler without a request: in a queue's worker, in a task of its own,
    /// or where one URL serves events and other callbacks.
    ///
    /// The handler is called at once, and the future, which borrows nothing, is its work.
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
    /// let answer = router.handle(Event::verify(envelope, &token).await?).await;
    /// assert_eq!(answer.status(), StatusCode::ACCEPTED);
    ///
    /// let envelope = Envelope::scan("event=ONCRMDEALADD&data=x&auth[application_token]=192735")?;
    /// let answer = router.handle(Event::verify(envelope, &token).await?).await;
    /// assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn handle(
        &self,
        event: Event,
    ) -> impl Future<Output = Response<ResponseBody>> + Send + use<> {
        let answer = self.routes.answer(event);
        async { answer.await.map(ResponseBody::new) }
    }
}

impl Routes {
    fn answer(&self, event: Event) -> Answer {
        let mut passed_over = false;
        for handler in self.candidates(&event) {
            if let Some(answer) = handler(&event) {
                return answer;
            }
            passed_over = true;
        }
        let answer = match passed_over {
            true => HandlerError::mismatch(event).into_event_response(),
            false => {
                let mut answer = Response::default();
                *answer.status_mut() = self.unhandled;
                answer
            }
        };
        Box::pin(ready(answer))
    }

    /// The handlers that an event is for, the first choice first.
    fn candidates<'a>(&'a self, event: &Event) -> impl Iterator<Item = &'a Handler> {
        let code = event.code().to_ascii_uppercase();
        let by_code = self.codes.get(&code);
        // The code may be the kind's with an object type's id behind it.
        let kind = event.kind();
        let by_kind = kind.filter(|kind| kind.as_str() != code);
        let by_kind = by_kind.and_then(|kind| self.codes.get(kind.as_str()));
        let by_prefix = self.prefixes.iter();
        let by_prefix = by_prefix.filter(move |(prefix, _)| code.starts_with(prefix.as_str()));
        let by_scope = self.by_scope(event);
        (by_code.into_iter().chain(by_kind))
            .chain(by_prefix.map(|(_, handler)| handler))
            .chain(by_scope)
            .chain(&self.fallback)
    }
}

impl Routes {
    /// The handler of the event's scope.
    fn by_scope(&self, event: &Event) -> Option<&Handler> {
        if self.scopes.is_empty() {
            return None;
        }
        self.scopes.get(EventKind::scope_of(event.code())?)
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
        RouterFuture(match request.extensions_mut().remove::<Event>() {
            Some(event) => self.routes.answer(event),
            None => Box::pin(ready(HandlerError::no_event().into_event_response())),
        })
    }
}

/// The answer of an [`EventRouter`] to a request.
#[must_use = "futures do nothing unless awaited"]
pub struct RouterFuture(Answer);

impl Future for RouterFuture {
    type Output = Result<Response<ResponseBody>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = self.0.as_mut().poll(cx);
        answer.map(|answer| Ok(answer.map(ResponseBody::new)))
    }
}

impl fmt::Debug for RouterFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RouterFuture").finish_non_exhaustive()
    }
}

/// Registers the handlers of an [`EventRouter`].
///
/// What is registered twice is an error of [`build`](Self::build), so that no handler waits for
/// events that another one gets.
#[must_use = "a builder does nothing until it is built"]
pub struct EventRouterBuilder {
    routes: Routes,
    /// What was first registered wrongly.
    error: Option<ConfigError>,
}

impl EventRouterBuilder {
    /// Registers a handler for one kind of event that takes its payload and the event.
    ///
    /// It gets the events whose data fit the payload; the others go to the next handler that there
    /// is for them. [`on_kind`](Self::on_kind) gets all events of a kind.
    ///
    /// An event that does not fit and that no other handler takes is lost: it is answered 422, and
    /// Bitrix24 does not send it again. It leaves a line of the level ERROR (feature `tracing`) and
    /// counts as `bitrix24_mismatches_total` (feature `metrics`). A fallback keeps it:
    ///
    /// ```
    /// use tower_bitrix24::event::{kind, payload::ItemId};
    /// use tower_bitrix24::{ApplicationToken, Envelope, Event, EventRouter};
    ///
    /// async fn keep(event: Event) -> Result<(), std::io::Error> {
    ///     // Serialized, the event has all its data, but no secret; `event.body()` has those too.
    ///     let kept = serde_json::to_string(&event)?;
    ///     println!("{kept} {:?}", event.mismatch()); // store it where it can be worked off later
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
            Some(answer(handler(payload, event.clone()), event.clone()))
        };
        self.code(K::KIND.as_str(), Box::new(typed))
    }

    /// Registers a handler for one kind of event, whether its data fit its payload or not.
    pub fn on_kind<H, F>(self, kind: EventKind, handler: H) -> Self
    where
        H: Fn(Event) -> F + Send + Sync + 'static,
        F: Future<Output: IntoEventResponse> + Send + 'static,
    {
        self.code(kind.as_str(), untyped(handler))
    }

    /// Registers a handler for one code, documented or not, in upper or lower case.
    ///
    /// A documented code is the same as its kind. `ONCRMDYNAMICITEMADD_147` is the events of one
    /// type of smart process items, and goes before the kind.
    pub fn on_code<H, F>(self, code: &str, handler: H) -> Self
    where
        H: Fn(Event) -> F + Send + Sync + 'static,
        F: Future<Output: IntoEventResponse> + Send + 'static,
    {
        self.code(code, untyped(handler))
    }

    /// Registers a handler for all codes that begin with `prefix`, such as `ONCRMDEAL`, documented
    /// or not, in upper or lower case.
    ///
    /// It is a prefix of letters, not of meanings: `ONCRMDEAL` takes `ONCRMDEALRECURRINGADD` and
    /// `ONCRMDEALUSERFIELDADD` too.
    pub fn on_prefix<H, F>(mut self, prefix: &str, handler: H) -> Self
    where
        H: Fn(Event) -> F + Send + Sync + 'static,
        F: Future<Output: IntoEventResponse> + Send + 'static,
    {
        let prefix = prefix.to_ascii_uppercase();
        if prefix.is_empty() {
            return self.wrong("a prefix is empty: what takes every event is the fallback");
        }
        if self
            .routes
            .prefixes
            .iter()
            .any(|(other, _)| *other == prefix)
        {
            return self.wrong(format!("the prefix {prefix:?} has two handlers"));
        }
        self.routes.prefixes.push((prefix, untyped(handler)));
        self
    }

    /// Registers a handler for the events of a [scope](EventKind::scope), such as `crm`.
    ///
    /// It also gets an event that is not known whose code begins as only those of the scope do:
    /// `ONCRM…`, `ONTASK…`, `ONCALENDAR…`. Other codes do not tell their scope:
    /// [`on_prefix`](Self::on_prefix) and [`fallback`](Self::fallback) get those.
    pub fn on_scope<H, F>(mut self, scope: &str, handler: H) -> Self
    where
        H: Fn(Event) -> F + Send + Sync + 'static,
        F: Future<Output: IntoEventResponse> + Send + 'static,
    {
        let mut scopes = EventKind::ALL.iter().map(|kind| kind.scope());
        let Some(scope) = scopes.find(|documented| *documented == scope) else {
            return self.wrong(format!("no documented event is of the scope {scope:?}"));
        };
        match self.routes.scopes.insert(scope, untyped(handler)) {
            None => self,
            Some(_) => self.wrong(format!("the scope {scope:?} has two handlers")),
        }
    }

    /// Registers a handler for what no other takes, documented or not.
    pub fn fallback<H, F>(mut self, handler: H) -> Self
    where
        H: Fn(Event) -> F + Send + Sync + 'static,
        F: Future<Output: IntoEventResponse> + Send + 'static,
    {
        match self.routes.fallback.replace(untyped(handler)) {
            None => self,
            Some(_) => self.wrong("there are two fallbacks"),
        }
    }

    /// The status for an event that has no handler; 200 unless set.
    pub fn unhandled(mut self, status: StatusCode) -> Self {
        self.routes.unhandled = status;
        self
    }

    /// The router.
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
    /// Where a code or kind, a prefix, a scope or the fallback was registered twice, a code or a
    /// prefix is empty, or a scope is of no documented event. The message says which.
    pub fn build(mut self) -> Result<EventRouter, ConfigError> {
        let longest_first = |(prefix, _): &(String, _)| std::cmp::Reverse(prefix.len());
        self.routes.prefixes.sort_by_key(longest_first);
        match self.error {
            Some(error) => Err(error),
            None => Ok(EventRouter {
                routes: Arc::new(self.routes),
            }),
        }
    }

    fn code(mut self, code: &str, handler: Handler) -> Self {
        let code = code.to_ascii_uppercase();
        if code.is_empty() {
            return self.wrong("a code is empty");
        }
        match self.routes.codes.insert(code.clone(), handler) {
            None => self,
            Some(_) => self.wrong(format!("{code} has two handlers")),
        }
    }

    fn wrong(mut self, message: impl Into<String>) -> Self {
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

impl Routes {
    /// Shows what there are handlers for.
    fn debug<'a, 'b, 'f>(
        &self,
        debug: &'a mut fmt::DebugStruct<'b, 'f>,
    ) -> &'a mut fmt::DebugStruct<'b, 'f> {
        let prefixes: Vec<_> = self.prefixes.iter().map(|(prefix, _)| prefix).collect();
        debug
            .field("codes", &self.codes.keys())
            .field("prefixes", &prefixes)
            .field("scopes", &self.scopes.keys())
            .field("fallback", &self.fallback.is_some())
            .field("unhandled", &self.unhandled)
    }
}
