//! Extractors for axum (feature `axum`): the event, or the payload of one kind of event, as an
//! argument of a handler.
//!
//! | argument | without an event | an event of another kind | data that do not fit |
//! |---|---|---|---|
//! | [`Event`] | 500 | | |
//! | `Option<Event>` | `None` | | |
//! | [`On<K>`](On) | 500 | 422 | 422 |
//! | `Option<On<K>>` | `None` | `None` | 422 |
//!
//! A request is without an event where no [`EventLayer`](crate::EventLayer) selected it, which is a
//! mistake in the application, or where the layer
//! [passed it as another callback](crate::EventLayer::pass_other_callbacks), which is what the
//! optional forms are for. [`HandlerErrorKind`](crate::handler::HandlerErrorKind) says why 422.
//!
//! ```
//! use axum::body::Body;
//! use axum::http::{Request, StatusCode};
//! use axum::{Router, routing::post};
//! use tower::ServiceExt;
//! use tower_bitrix24::handler::extract::On;
//! use tower_bitrix24::event::kind::CrmDealAdd;
//! use tower_bitrix24::{ApplicationToken, Event, EventLayer};
//!
//! async fn any_event(event: Event) -> String {
//!     event.code().to_owned()
//! }
//!
//! async fn new_deal(deal: On<CrmDealAdd>) -> String {
//!     format!("deal {} on {}", deal.id, deal.event.auth().domain())
//! }
//!
//! # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
//! let app: Router = Router::new()
//!     .route("/events", post(any_event))
//!     .route("/deals", post(new_deal))
//!     .layer(EventLayer::new(ApplicationToken::new("192735")?));
//!
//! let status = async |path: &str, body: &'static str| {
//!     let request = Request::post(path)
//!         .header("content-type", "application/x-www-form-urlencoded")
//!         .body(Body::from(body));
//!     app.clone().oneshot(request.unwrap()).await.unwrap().status()
//! };
//! let deal = "event=ONCRMDEALADD&data[FIELDS][ID]=42&auth[application_token]=192735";
//! assert_eq!(status("/events", deal).await, StatusCode::OK);
//! assert_eq!(status("/deals", deal).await, StatusCode::OK);
//!
//! let lead = "event=ONCRMLEADADD&data[FIELDS][ID]=42&auth[application_token]=192735";
//! assert_eq!(status("/deals", lead).await, StatusCode::UNPROCESSABLE_ENTITY);
//! let forged = "event=ONCRMDEALADD&data[FIELDS][ID]=42&auth[application_token]=guess";
//! assert_eq!(status("/deals", forged).await, StatusCode::FORBIDDEN);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! One URL that many kinds of event are sent to is the work of an
//! [`EventRouter`](crate::EventRouter), which axum takes with `route_service`.

use std::convert::Infallible;
use std::fmt;
use std::future::{Future, ready};
use std::ops::Deref;

use axum_core::body::Body;
use axum_core::extract::{FromRequestParts, OptionalFromRequestParts};
use axum_core::response::{IntoResponse, Response};
use http::request::Parts;

use super::error::HandlerError;
use crate::event::Event;
use crate::event::kind::Kind;

/// The payload of one kind of event, with the event.
///
/// It dereferences to the payload, so that `deal.id` is the id of an `On<CrmDealAdd>`, and can be
/// taken apart: `On { payload, event }`. The kinds are in [`event::kind`](crate::event::kind).
///
/// An event of the kind whose data do not fit is answered 422 and is lost, since Bitrix24 does not
/// send it again: that leaves a line of the level ERROR (feature `tracing`) and counts as
/// `bitrix24_mismatches_total` (feature `metrics`). `Result<On<K>, HandlerError>` as an argument
/// leaves the answer to the handler, which can keep the event:
///
/// ```
/// use axum::body::Body;
/// use axum::http::{Request, StatusCode};
/// use axum::{Router, routing::post};
/// use tower::ServiceExt;
/// use tower_bitrix24::handler::extract::On;
/// use tower_bitrix24::event::kind::CrmDealAdd;
/// use tower_bitrix24::{ApplicationToken, EventLayer};
/// use tower_bitrix24::handler::HandlerError;
///
/// async fn new_deal(deal: Result<On<CrmDealAdd>, HandlerError>) -> StatusCode {
///     match deal {
///         Ok(On { payload, event }) => {
///             println!("deal {} on {}", payload.id, event.auth().domain());
///             StatusCode::OK
///         }
///         Err(error) => {
///             // The event is here: keep it.
///             println!("{error}: {:?}", error.event());
///             StatusCode::ACCEPTED
///         }
///     }
/// }
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let app: Router = Router::new()
///     .route("/deals", post(new_deal))
///     .layer(EventLayer::new(ApplicationToken::new("192735")?));
/// let status = async |body: &'static str| {
///     let request = Request::post("/deals")
///         .header("content-type", "application/x-www-form-urlencoded")
///         .body(Body::from(body));
///     app.clone().oneshot(request.unwrap()).await.unwrap().status()
/// };
/// let good = "event=ONCRMDEALADD&data[FIELDS][ID]=42&auth[application_token]=192735";
/// assert_eq!(status(good).await, StatusCode::OK);
/// let bad = "event=ONCRMDEALADD&data[FIELDS][ID]=new&auth[application_token]=192735";
/// assert_eq!(status(bad).await, StatusCode::ACCEPTED);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct On<K: Kind> {
    /// What happened.
    pub payload: K::Payload,
    /// The event that says so.
    pub event: Event,
}

impl<K: Kind> On<K> {
    fn read(event: Event) -> Result<Self, HandlerError> {
        match event.payload_of::<K>().cloned() {
            Some(payload) => Ok(Self { payload, event }),
            None if event.kind() == Some(K::KIND) => Err(HandlerError::mismatch(event)),
            None => Err(HandlerError::other_kind(event, K::KIND)),
        }
    }
}

impl<K: Kind> Deref for On<K> {
    type Target = K::Payload;

    fn deref(&self) -> &K::Payload {
        &self.payload
    }
}

impl<K: Kind> Clone for On<K> {
    fn clone(&self) -> Self {
        Self {
            payload: self.payload.clone(),
            event: self.event.clone(),
        }
    }
}

impl<K: Kind> fmt::Debug for On<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("On")
            .field("payload", &self.payload)
            .field("event", &self.event)
            .finish()
    }
}

fn event(parts: &Parts) -> Option<Event> {
    parts.extensions.get().cloned()
}

/// The event that the layer verified.
impl<S: Send + Sync> FromRequestParts<S> for Event {
    type Rejection = HandlerError;

    fn from_request_parts(
        parts: &mut Parts,
        _: &S,
    ) -> impl Future<Output = Result<Self, HandlerError>> + Send {
        ready(event(parts).ok_or(HandlerError::no_event()))
    }
}

/// The event, if the layer verified one.
impl<S: Send + Sync> OptionalFromRequestParts<S> for Event {
    type Rejection = Infallible;

    fn from_request_parts(
        parts: &mut Parts,
        _: &S,
    ) -> impl Future<Output = Result<Option<Self>, Infallible>> + Send {
        ready(Ok(event(parts)))
    }
}

/// The event, if it is of the kind `K` and its data fit.
impl<S: Send + Sync, K: Kind> FromRequestParts<S> for On<K> {
    type Rejection = HandlerError;

    fn from_request_parts(
        parts: &mut Parts,
        _: &S,
    ) -> impl Future<Output = Result<Self, HandlerError>> + Send {
        let event = event(parts).ok_or(HandlerError::no_event());
        ready(event.and_then(Self::read))
    }
}

/// `None` where there is no event or one of another kind. Data that do not fit are an error: the
/// event is one for this handler and would be lost.
impl<S: Send + Sync, K: Kind> OptionalFromRequestParts<S> for On<K> {
    type Rejection = HandlerError;

    fn from_request_parts(
        parts: &mut Parts,
        _: &S,
    ) -> impl Future<Output = Result<Option<Self>, HandlerError>> + Send {
        let event = event(parts).filter(|event| event.kind() == Some(K::KIND));
        ready(event.map(Self::read).transpose())
    }
}

impl IntoResponse for HandlerError {
    fn into_response(self) -> Response {
        self.into_event_response().map(Body::from)
    }
}
