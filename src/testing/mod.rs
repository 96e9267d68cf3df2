//! A test kit for handlers and stores (feature `testing`).
//!
//! A [`TestEvent`] builds any event in one line, by default with the data of the documentation's
//! sample. It returns the body as a portal sends it, a request for the layer, or a verified
//! [`Event`](crate::Event) for a handler.
//!
//! A [`TestCallback`] does the same for the platform's other requests, such as robots and pages.
//!
//! Enable the feature for tests only:
//!
//! ```toml
//! [dev-dependencies]
//! tower-bitrix24 = { version = "0.1", features = ["testing"] }
//! ```
//!
//! # Testing a handler
//!
//! ```
//! use axum::{Extension, http::StatusCode};
//! use tower_bitrix24::testing::TestEvent;
//! use tower_bitrix24::{Event, EventKind, Payload};
//!
//! async fn on_event(Extension(event): Extension<Event>) -> StatusCode {
//!     match event.payload() {
//!         Payload::CrmDealAdd(deal) if deal.id == 27 => StatusCode::OK,
//!         _ => StatusCode::NOT_FOUND,
//!     }
//! }
//!
//! # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
//! let event = TestEvent::new(EventKind::CrmDealAdd).id(27).event();
//! assert_eq!(on_event(Extension(event)).await, StatusCode::OK);
//!
//! let event = TestEvent::new(EventKind::CrmDealAdd).id(28).event();
//! assert_eq!(on_event(Extension(event)).await, StatusCode::NOT_FOUND);
//! # });
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Testing an application with the layer
//!
//! ```
//! use axum::routing::post;
//! use axum::{Extension, Router, body::Body, http::StatusCode};
//! use tower::ServiceExt;
//! use tower_bitrix24::testing::{Tamper, TestEvent};
//! use tower_bitrix24::{ApplicationToken, Event, EventKind, EventLayer};
//!
//! async fn on_event(Extension(event): Extension<Event>) -> String {
//!     format!("{} from {}", event.code(), event.auth().domain())
//! }
//!
//! # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
//! let token = ApplicationToken::new("192735")?;
//! let app: Router = Router::new()
//!     .route("/bitrix24/events", post(on_event))
//!     .layer(EventLayer::new(token));
//!
//! let event = TestEvent::new(EventKind::TaskAdd).portal("acme.bitrix24.eu").token("192735");
//! let response = app.clone().oneshot(event.request::<Body>("/bitrix24/events")).await?;
//! assert_eq!(response.status(), StatusCode::OK);
//! let text = axum::body::to_bytes(response.into_body(), 1024).await?;
//! assert_eq!(text, "ONTASKADD from acme.bitrix24.eu");
//!
//! // A rejected request never reaches the handler.
//! for &tamper in Tamper::ALL {
//!     let request = event.clone().tampered(tamper).request::<Body>("/bitrix24/events");
//!     let response = app.clone().oneshot(request).await?;
//!     let rejection = response.extensions().get::<tower_bitrix24::Rejection>();
//!     assert_eq!(rejection.map(|rejection| rejection.kind()), Some(tamper.rejection()));
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod auth;
mod callback;
mod callback_tamper;
mod defaults;
mod event;
#[cfg(feature = "inbox")]
pub mod inbox_conformance;
mod literals;
mod objects;
mod render;
#[cfg(feature = "portals")]
pub mod store_conformance;
mod tamper;
mod text;

pub use self::callback::TestCallback;
pub use self::callback_tamper::CallbackTamper;
pub use self::event::TestEvent;
pub use self::tamper::Tamper;
pub use self::text::Text;
