//! Tower middleware that receives [Bitrix24](https://www.bitrix24.com) events: it verifies the
//! `application_token` of each request, parses the request and passes on a typed [`Event`].
//!
//! Bitrix24 notifies applications of changes by POSTing forms to a URL. The forms are not signed: a
//! token in the body is the only evidence of their origin, so the order of the steps matters. For every
//! request that it selects, [`EventLayer`]
//!
//! 1. collects the body, within a size limit and a timeout,
//! 2. finds the [`Envelope`] in one flat scan, the only code that meets unverified input,
//! 3. verifies the token with a [`VerifyToken`]: an [`ApplicationToken`], a [`TokenSet`], the tokens of
//!    many portals, or a closure that looks it up,
//! 4. parses `data` into the [`Payload`] of the event, or keeps all of it if no type fits,
//! 5. puts the [`Event`] into the request's extensions and calls the inner service with the complete
//!    body.
//!
//! A request that fails a check gets a status and a line of text, and never reaches the inner service.
//! [`RejectionKind`] lists these responses and [`EventLayer::on_rejection`] changes them. Requests that
//! are not selected pass unchanged. A handler that holds an `Event` holds a verified one: there is no
//! other way to get it.
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
//! With the feature `axum`, `Event` is an extractor, and so is `On<K>` for one kind of event. An
//! [`EventRouter`] routes the events of one URL to a handler for each kind, in axum and elsewhere.
//!
//! # Without a framework
//!
//! The layer wraps any `Service<Request<B>>`; [`EventLayer`] has an example. A worker that reads forms
//! from a queue needs no layer:
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
//! installed on many portals. It looks their tokens up in a store, stores the tokens of verified
//! installations, and removes them after an uninstallation.
//!
//! # Respond first, work later
//!
//! Bitrix24 calls a slow handler less often. With the feature `background`, the module `background`
//! has a layer that responds to an event once it is verified and handles it afterwards, within bounds.
//!
//! With the feature `inbox`, the module `inbox` responds after a commit to SQLite or PostgreSQL. An
//! event that got a 200 survives a crash and a loss of power, and is retried until it is handled.
//!
//! # Events
//!
//! [`EventKind`] lists the documented events with their payloads. [`form::field`] has types for the
//! shapes that PHP gives to values, for payloads of your own. [`Event::data`] returns the data of any
//! other event, and [`Event::data_as`] deserializes them.
//!
//! # Testing your handler
//!
//! With the feature `testing`, the module `testing` builds any event in one line: as a form, as a
//! request, and as a verified [`Event`].
//!
//! # Recipes
//!
//! The module [`_cookbook`] has recipes for common needs: an existing axum application, hyper, other
//! frameworks, one URL for events and the page, many webhooks with different tokens, a reverse proxy,
//! loops and duplicates, catching up with offline events, a graceful stop (feature `background`) and
//! effects exactly once (feature `inbox`).
//!
//! # Logs and metrics
//!
//! With the feature `tracing`, every event has a span that contains the log lines of its handler, and
//! every rejection is logged. With `metrics`, both are counted and the verification is timed. Neither
//! records a token or a body. The module `telemetry` lists the fields and the metrics.
//!
//! # Feature flags
//!
//! No feature is on by default. Without features the crate needs Rust 1.85 and no runtime except tokio's
//! timer, for bodies that do not arrive at once. It has 27 dependencies then, direct and indirect; the
//! number behind a feature's own dependencies says how many crates it adds.
//!
//! | feature | brings | dependencies | Rust |
//! |---|---|---|---|
//! | `axum` | the extractors `Event` and `On<K>` (`handler::extract`) | axum-core: 3 | 1.85 |
//! | `background` | a queue that responds first and handles later (`background`) | tokio's macros: 1 | 1.85 |
//! | `inbox` | a durable inbox: responds after the commit, handles later, retries (`inbox`); implies `dedup` | chacha20poly1305, zeroize: 22 | 1.85 |
//! | `dedup` | the identity of a delivery (`Event::dedup_key`) | sha2: 8 | 1.85 |
//! | `testing` | a test kit for handlers and stores (`testing`) | | 1.85 |
//! | `tracing` | spans and log lines (`telemetry`) | tracing: 2 | 1.85 |
//! | `metrics` | counters and histograms (`telemetry`) | metrics: 3 | 1.85 |
//! | `portals` | a verifier for many portals, with a store in memory (`portals`) | hmac, sha2: 12 | 1.85 |
//! | `cache` | a cache before a slow store (`portals::TokenCache`); implies `portals` | moka: 27 | 1.85 |
//! | `https-client` | an HTTPS client that verifies installations (`rest::HttpsClient`); implies `portals` | hyper-rustls, hyper-util, rustls: 38, and a C compiler for ring | 1.85 |
//! | `sqlite` | the driver of SQLite: with `portals` a token store, with `inbox` an inbox, in a file | sqlx, libsqlite3-sys: 84, and a C compiler for SQLite | 1.94 |
//! | `postgres` | the driver of PostgreSQL, over TLS if the server has it: with `portals` a token store, with `inbox` an inbox | sqlx, rustls: 113, and a C compiler for ring | 1.94 |
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(any(doc, doctest))]
#[path = "cookbook.rs"]
pub mod _cookbook;
#[cfg(feature = "background")]
pub mod background;
pub mod callback;
pub mod envelope;
pub mod error;
pub mod event;
pub mod form;
pub mod handler;
#[cfg(feature = "inbox")]
pub mod inbox;
pub mod layer;
mod macros;
#[cfg(feature = "portals")]
pub mod portals;
pub mod rejection;
#[cfg(feature = "portals")]
pub mod rest;
pub mod secret;
#[cfg(all(
    any(feature = "portals", feature = "inbox"),
    any(feature = "postgres", feature = "sqlite")
))]
mod sql;
#[cfg(not(any(feature = "tracing", feature = "metrics")))]
mod telemetry;
#[cfg(any(feature = "tracing", feature = "metrics"))]
pub mod telemetry;
#[cfg(feature = "testing")]
pub mod testing;
pub mod verify;

pub use self::callback::Callback;
pub use self::envelope::Envelope;
pub use self::error::ConfigError;
pub use self::event::{Event, EventKind, Payload};
pub use self::form::Value;
pub use self::handler::EventRouter;
pub use self::layer::{EventBody, EventConfig, EventLayer};
pub use self::rejection::{Rejection, RejectionKind};
pub use self::secret::Secret;
pub use self::verify::{ApplicationToken, TokenSet, VerifyError, VerifyToken};

// The snippet of many portals needs these features; `cargo test --workspace` has them.
#[cfg(all(
    doctest,
    feature = "cache",
    feature = "https-client",
    feature = "portals",
    feature = "sqlite"
))]
#[doc = include_str!("../README.md")]
struct Readme;
