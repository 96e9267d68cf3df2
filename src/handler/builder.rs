//! `EventRouterBuilder`: registers the handlers of a router.

use std::cmp::Reverse;
use std::fmt;
use std::future::Future;
use std::sync::Arc;

use http::StatusCode;

use super::callback_routes::CallbackRoutes;
use super::function::Handler;
use super::response::IntoEventResponse;
use super::router::EventRouter;
use super::routes::{ErasedHandler, Routes, run};
use crate::callback::ProofLevel;
use crate::error::ConfigError;
use crate::event::kind::Kind;
use crate::event::{Event, EventKind, entity};

impl EventRouter {
    /// Returns a builder without handlers.
    pub fn builder() -> EventRouterBuilder {
        EventRouterBuilder::new(())
    }

    /// Returns a builder of a router whose handlers may take a clone of `state` as their last argument.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use std::sync::atomic::{AtomicU64, Ordering};
    ///
    /// use tower_bitrix24::event::{kind, payload::ItemId};
    /// use tower_bitrix24::{ApplicationToken, Envelope, Event, EventRouter};
    ///
    /// #[derive(Clone, Default)]
    /// struct App {
    ///     deals: Arc<AtomicU64>,
    /// }
    ///
    /// async fn deal_added(deal: ItemId, _: Event, app: App) {
    ///     app.deals.fetch_add(deal.id, Ordering::Relaxed);
    /// }
    ///
    /// async fn other(event: Event, app: App) -> Result<(), String> {
    ///     Err(format!("{} after {:?} deals", event.code(), app.deals))
    /// }
    ///
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// let app = App::default();
    /// let router = EventRouter::with_state(app.clone())
    ///     .on(kind::CrmDealAdd, deal_added)
    ///     .on_code("ONAPPTEST", async |_: Event| println!("a test"))
    ///     .fallback(other)
    ///     .build()?;
    /// let status = async |body: &'static str| {
    ///     let token = ApplicationToken::new("192735").unwrap();
    ///     let event = Event::verify(Envelope::scan(body).unwrap(), &token).await.unwrap();
    ///     router.handle(event).await.status()
    /// };
    /// let deal = "event=ONCRMDEALADD&data[FIELDS][ID]=42&auth[application_token]=192735";
    /// assert_eq!(status(deal).await, 200);
    /// assert_eq!(app.deals.load(Ordering::Relaxed), 42);
    /// assert_eq!(status("event=ONNEW&auth[application_token]=192735").await, 500);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn with_state<S>(state: S) -> EventRouterBuilder<S>
    where
        S: Clone + Send + Sync + 'static,
    {
        EventRouterBuilder::new(state)
    }
}

/// A builder of an [`EventRouter`].
///
/// If two handlers are registered for the same events, [`build`](Self::build) returns an error. `S` is
/// the [state](EventRouter::with_state) that the handlers may take.
#[must_use = "a builder does nothing until it is built"]
pub struct EventRouterBuilder<S = ()> {
    pub(super) state: S,
    routes: Routes,
    pub(super) callbacks: CallbackRoutes,
    /// The proof that the handlers of callbacks demand which are registered from now on.
    pub(super) level: Option<ProofLevel>,
    /// The first mistake, which `build` returns.
    error: Option<ConfigError>,
}

impl<S> EventRouterBuilder<S> {
    pub(super) fn new(state: S) -> Self {
        Self {
            state,
            routes: Routes::default(),
            callbacks: CallbackRoutes::default(),
            level: None,
            error: None,
        }
    }
}

impl<S: Clone + Send + Sync + 'static> EventRouterBuilder<S> {
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
    pub fn on<K, H, M>(self, _kind: K, handler: H) -> Self
    where
        K: Kind,
        H: Handler<(K::Payload, Event), S, M> + Send + Sync + 'static,
        H::Future: Future<Output: IntoEventResponse> + Send + 'static,
    {
        let state = self.state.clone();
        let typed = move |event: &Event| {
            let payload = event.payload_of::<K>()?.clone();
            let handling = handler.call((payload, event.clone()), &state);
            Some(run(handling, event.clone()))
        };
        self.code(K::KIND.as_str(), Arc::new(typed))
    }

    /// Registers a handler for all events of one kind, even if their data do not fit the payload.
    pub fn on_kind<H, M>(self, kind: EventKind, handler: H) -> Self
    where
        H: Handler<(Event,), S, M> + Send + Sync + 'static,
        H::Future: Future<Output: IntoEventResponse> + Send + 'static,
    {
        let handler = self.erase(handler);
        self.code(kind.as_str(), handler)
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
    pub fn on_kinds<H, M>(self, kinds: impl IntoIterator<Item = EventKind>, handler: H) -> Self
    where
        H: Handler<(Event,), S, M> + Send + Sync + 'static,
        H::Future: Future<Output: IntoEventResponse> + Send + 'static,
    {
        let handler = self.erase(handler);
        kinds.into_iter().fold(self, |router, kind| {
            router.code(kind.as_str(), handler.clone())
        })
    }

    /// Registers a handler for one code, documented or not. Case is ignored.
    ///
    /// A documented code is the same as its kind. `ONCRMDYNAMICITEMADD_147` selects the items of one
    /// smart process type, and takes precedence over the kind.
    pub fn on_code<H, M>(self, code: &str, handler: H) -> Self
    where
        H: Handler<(Event,), S, M> + Send + Sync + 'static,
        H::Future: Future<Output: IntoEventResponse> + Send + 'static,
    {
        let handler = self.erase(handler);
        self.code(code, handler)
    }

    /// Registers a handler for the events about one [entity](crate::event::entity), such as
    /// `crm.deal`, whatever happened to it.
    ///
    /// It gets the documented events whose [kind](EventKind::entity) has this entity, even if the id
    /// is missing or the data do not fit. Events about something that belongs to the object, such as
    /// a custom field of deals, have an entity of their own.
    ///
    /// ```
    /// use http::StatusCode;
    /// use tower_bitrix24::event::entity;
    /// use tower_bitrix24::{ApplicationToken, Envelope, Event, EventRouter};
    ///
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// let router = EventRouter::builder()
    ///     .on_entity(entity::CRM_DEAL, async |event: Event| println!("{:?}", event.subject()))
    ///     .unhandled(StatusCode::NOT_IMPLEMENTED)
    ///     .build()?;
    /// let status = async |code: &str| {
    ///     let body = format!("event={code}&data[FIELDS][ID]=42&auth[application_token]=192735");
    ///     let token = ApplicationToken::new("192735").unwrap();
    ///     let event = Event::verify(Envelope::scan(body).unwrap(), &token).await.unwrap();
    ///     router.handle(event).await.status()
    /// };
    /// assert_eq!(status("ONCRMDEALADD").await, StatusCode::OK);
    /// assert_eq!(status("ONCRMDEALDELETE").await, StatusCode::OK);
    /// assert_eq!(status("ONCRMDEALUSERFIELDADD").await, StatusCode::NOT_IMPLEMENTED);
    ///
    /// let misspelled = EventRouter::builder().on_entity("crm.deals", async |_: Event| {}).build();
    /// assert_eq!(
    ///     misspelled.unwrap_err().to_string(),
    ///     "no documented event is about the entity \"crm.deals\"; `event::entity` has the constants",
    /// );
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn on_entity<H, M>(mut self, entity: &str, handler: H) -> Self
    where
        H: Handler<(Event,), S, M> + Send + Sync + 'static,
        H::Future: Future<Output: IntoEventResponse> + Send + 'static,
    {
        let Some(entity) = entity::ALL.iter().find(|known| **known == entity) else {
            return self.fail(format!(
                "no documented event is about the entity {entity:?}; `event::entity` has the constants"
            ));
        };
        let handler = self.erase(handler);
        match self.routes.entities.insert(entity, handler) {
            None => self,
            Some(_) => self.fail(format!("the entity {entity:?} has two handlers")),
        }
    }

    /// Registers a handler for all codes that start with `prefix`, documented or not. Case is
    /// ignored.
    ///
    /// **Only the letters count.** `ONCRMDEAL` also selects the events of custom fields
    /// (`ONCRMDEALUSERFIELDADD`) and of templates (`ONCRMDEALRECURRINGADD`), whose ids are not those
    /// of deals. [`on_entity`](Self::on_entity) selects the events of deals alone.
    ///
    /// ```
    /// use tower_bitrix24::{Event, EventKind, EventRouter};
    ///
    /// let router = EventRouter::builder()
    ///     .on_entity("crm.deal", async |event: Event| println!("{:?}", event.subject()))
    ///     // The rest: custom fields, templates, and later events.
    ///     .on_prefix("ONCRMDEAL", async |event: Event| println!("{}", event.code()))
    ///     .build()?;
    ///
    /// let surprising = EventKind::ALL.iter().filter(|kind| {
    ///     kind.as_str().starts_with("ONCRMDEAL") && kind.entity() != Some("crm.deal")
    /// });
    /// assert_eq!(surprising.count(), 7);
    ///
    /// assert!(EventRouter::builder().on_prefix("", async |_: Event| {}).build().is_err());
    /// # Ok::<(), tower_bitrix24::ConfigError>(())
    /// ```
    pub fn on_prefix<H, M>(mut self, prefix: &str, handler: H) -> Self
    where
        H: Handler<(Event,), S, M> + Send + Sync + 'static,
        H::Future: Future<Output: IntoEventResponse> + Send + 'static,
    {
        let prefix = prefix.to_ascii_uppercase();
        if prefix.is_empty() {
            return self.fail("a prefix is empty: use `fallback` for all events");
        }
        let mut registered = self.routes.prefixes.iter();
        if registered.any(|(other, _)| *other == prefix) {
            return self.fail(format!("the prefix {prefix:?} has two handlers"));
        }
        let handler = self.erase(handler);
        self.routes.prefixes.push((prefix, handler));
        self
    }

    /// Registers a handler for the events of a [scope](EventKind::scope), such as `crm`.
    ///
    /// It also gets undocumented events whose code starts as only codes of this scope do:
    /// `ONCRM…`, `ONTASK…`, `ONCALENDAR…`. The scope of other undocumented codes is not known;
    /// register [`on_prefix`](Self::on_prefix) or [`fallback`](Self::fallback) for those.
    pub fn on_scope<H, M>(mut self, scope: &str, handler: H) -> Self
    where
        H: Handler<(Event,), S, M> + Send + Sync + 'static,
        H::Future: Future<Output: IntoEventResponse> + Send + 'static,
    {
        let mut scopes = EventKind::ALL.iter().map(|kind| kind.scope());
        let Some(scope) = scopes.find(|documented| *documented == scope) else {
            return self.fail(format!("no documented event has the scope {scope:?}"));
        };
        let handler = self.erase(handler);
        match self.routes.scopes.insert(scope, handler) {
            None => self,
            Some(_) => self.fail(format!("the scope {scope:?} has two handlers")),
        }
    }

    /// Registers a handler for events that no other handler takes, documented or not.
    pub fn fallback<H, M>(mut self, handler: H) -> Self
    where
        H: Handler<(Event,), S, M> + Send + Sync + 'static,
        H::Future: Future<Output: IntoEventResponse> + Send + 'static,
    {
        let handler = self.erase(handler);
        match self.routes.fallback.replace(handler) {
            None => self,
            Some(_) => self.fail("there are two fallbacks"),
        }
    }

    /// Sets the status for events, robots and messages without a handler. Defaults to 200.
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
    /// Returns an error if a code or kind, an entity, a prefix, a scope or the fallback was registered
    /// twice, a code or a prefix is empty, or no documented event has an entity or a scope. The message
    /// names it.
    pub fn build(mut self) -> Result<EventRouter, ConfigError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        self.routes
            .prefixes
            .sort_by_key(|(prefix, _)| Reverse(prefix.len()));
        Ok(EventRouter::new(self.routes, self.callbacks))
    }

    fn erase<H, M>(&self, handler: H) -> ErasedHandler
    where
        H: Handler<(Event,), S, M> + Send + Sync + 'static,
        H::Future: Future<Output: IntoEventResponse> + Send + 'static,
    {
        let state = self.state.clone();
        Arc::new(move |event| {
            let handling = handler.call((event.clone(),), &state);
            Some(run(handling, event.clone()))
        })
    }

    fn code(mut self, code: &str, handler: ErasedHandler) -> Self {
        let code = code.to_ascii_uppercase();
        if code.is_empty() {
            return self.fail("a code is empty");
        }
        match self.routes.codes.insert(code.clone(), handler) {
            None => self,
            Some(_) => self.fail(format!("{code} has two handlers")),
        }
    }

    pub(super) fn fail(mut self, message: impl Into<String>) -> Self {
        self.error.get_or_insert_with(|| ConfigError::new(message));
        self
    }
}

/// Leaves the state out.
impl<S> fmt::Debug for EventRouterBuilder<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("EventRouterBuilder");
        self.routes.debug(&mut debug);
        self.callbacks
            .debug(&mut debug)
            .field("error", &self.error)
            .finish()
    }
}
