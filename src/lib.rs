//! Tower middleware that receives [Bitrix24](https://www.bitrix24.com) events: it proves each by its
//! `application_token`, then parses it, and hands a typed [`Event`] on.
//!
//! Bitrix24 tells applications what changed by POSTing forms to a URL. Nothing is signed: a token
//! inside the body is the only proof, so the order matters. For every request that it selects,
//! [`EventLayer`]
//!
//! 1. collects the body, within a size limit and a deadline,
//! 2. finds the [`Envelope`] in one flat scan, all that unproven input ever meets,
//! 3. has the token verified ([`VerifyToken`]: an [`ApplicationToken`], a [`TokenSet`], the tokens
//!    of many portals, or a closure that looks it up),
//! 4. reads `data` into the [`Payload`] of the event, or keeps it whole where no type fits,
//! 5. puts the [`Event`] into the request's extensions and calls the inner service, with the body
//!    whole.
//!
//! A request that fails is answered with a status and a line of text ([`RejectionKind`] lists them;
//! [`EventLayer::on_rejection`] changes them) and never reaches the service. What is not selected passes
//! untouched. A handler that holds an `Event` holds a verified one: there is no other way to get it.
//!
//! # With axum
//!
//! ```
//! use axum::routing::{get, post};
//! use axum::{Extension, Router, body::Body, http::{Request, StatusCode}};
//! use tower::ServiceExt;
//! use tower_bitrix24::{ApplicationToken, Event, EventLayer, Payload};
//!
//! async fn on_event(Extension(event): Extension<Event>) -> String {
//!     match event.payload() {
//!         Payload::CrmRequisiteAdd(requisite) => format!("requisite {}", requisite.id),
//!         _ => format!("{} {:?}", event.code(), event.data()),
//!     }
//! }
//!
//! # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
//! let token = ApplicationToken::new("51856fefc120afa4b628cc82d3935cce")?;
//! let app: Router = Router::new()
//!     .route("/", get(|| async { "hello" }))
//!     .route("/bitrix24/events", post(on_event))
//!     .layer(EventLayer::new(token).path("/bitrix24/events"));
//!
//! let send = |body: &'static str| {
//!     let request = Request::post("/bitrix24/events")
//!         .header("content-type", "application/x-www-form-urlencoded")
//!         .body(Body::from(body));
//!     app.clone().oneshot(request.unwrap())
//! };
//! let good = send("event=ONCRMREQUISITEADD&data[FIELDS][ID]=27\
//!                  &auth[application_token]=51856fefc120afa4b628cc82d3935cce").await?;
//! assert_eq!(good.status(), StatusCode::OK);
//!
//! let bad = send("event=ONCRMREQUISITEADD&data[FIELDS][ID]=27&auth[application_token]=guess").await?;
//! assert_eq!(bad.status(), StatusCode::FORBIDDEN);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The feature `axum` makes `Event`, and `On<K>` for one kind of event, arguments of a handler. An
//! [`EventRouter`] gives each event that one URL gets to a handler of its own, in axum and elsewhere.
//!
//! # Without a framework
//!
//! The layer goes round any `Service<Request<B>>`; [`EventLayer`] has an example. A queue's worker
//! needs no layer:
//!
//! ```
//! use tower_bitrix24::{ApplicationToken, Envelope, Event, EventKind};
//!
//! # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
//! let token = ApplicationToken::new("51856fefc120afa4b628cc82d3935cce")?;
//! let envelope = Envelope::scan(
//!     "event=ONAPPUNINSTALL&data[CLEAN]=1&auth[application_token]=51856fefc120afa4b628cc82d3935cce",
//! )?;
//! let event = Event::verify(envelope, &token).await?;
//! assert_eq!(event.kind(), Some(EventKind::AppUninstall));
//!
//! let forged = Envelope::scan("event=ONAPPUNINSTALL&auth[application_token]=guess")?;
//! assert!(Event::verify(forged, &token).await.is_err());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Many portals
//!
//! With the feature `portals`, the module `portals` has a verifier for an application that is
//! installed on many portals: it looks their tokens up in a store, learns them from installations
//! that are proven, and forgets them.
//!
//! # Answer first, work later
//!
//! Bitrix24 calls a slow handler less often. With the feature `background`, the module `background`
//! has a layer that answers an event once it is verified and handles it after that, within bounds.
//!
//! # Events
//!
//! [`EventKind`] lists the documented events with their payloads, and [`event::field`] has the
//! shapes that PHP gives to values, for types of your own. The data of any other event are in
//! [`Event::data`] and can be read with [`Event::data_as`].
//!
//! # Testing your handler
//!
//! With the feature `testing`, the module `testing` builds any event in one line: as a form, as a
//! request, and as a verified [`Event`].
//!
//! # Recipes
//!
//! The module [`cookbook`] has what applications commonly need, put together: an axum application that
//! is there already, hyper, one URL for events and the page, many webhooks with different tokens,
//! behind a reverse proxy, avoiding loops and duplicates, catching up with offline events.
//!
//! # Logs and metrics
//!
//! With the feature `tracing` every event has a span, in which the lines of its handler stand, and
//! every rejection a line; with `metrics` both are counted and the verification is timed. Neither
//! tells a token or the body. The module `observe` lists the fields and the metrics.
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(any(doc, doctest))]
#[path = "cookbook.rs"]
pub mod _cookbook;
#[cfg(feature = "background")]
pub mod background;
pub mod envelope;
pub mod error;
pub mod event;
pub mod form;
pub mod handler;
pub mod layer;
mod macros;
#[cfg(feature = "portals")]
pub mod portals;
pub mod rejection;
#[cfg(feature = "portals")]
pub mod rest;
pub mod secret;
#[cfg(not(any(feature = "tracing", feature = "metrics")))]
mod telemetry;
#[cfg(any(feature = "tracing", feature = "metrics"))]
pub mod telemetry;
#[cfg(feature = "testing")]
pub mod testing;
pub mod verify;

pub use self::envelope::Envelope;
pub use self::error::ConfigError;
pub use self::event::{Event, EventKind, Payload};
pub use self::form::Value;
pub use self::handler::EventRouter;
pub use self::layer::{EventBody, EventConfig, EventLayer};
pub use self::rejection::{Rejection, RejectionKind};
pub use self::secret::Secret;
pub use self::verify::{ApplicationToken, TokenSet, VerifyError, VerifyToken};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
