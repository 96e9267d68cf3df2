//! Extractors for axum (feature `axum`): an event, or the payload of one kind of event, as a
//! handler's argument.
//!
//! | argument | no event | an event of another kind | data that do not fit |
//! |---|---|---|---|
//! | [`Event`] | 500 | | |
//! | `Option<Event>` | `None` | | |
//! | [`On<K>`](On) | 500 | 422 | 422 |
//! | `Option<On<K>>` | `None` | `None` | 422 |
//!
//! The platform's other requests are extracted alike: see [`OnCallback`].
//!
//! A request has no event if no [`EventLayer`](crate::EventLayer) selected it, which is a mistake in
//! the application. It also has none if the layer
//! [passed it as another callback](crate::EventLayer::pass_other_callbacks); the optional forms are
//! for that case. [`HandlerErrorKind`] explains the 422.
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
//! For one URL that receives many kinds of event, use an [`EventRouter`](crate::EventRouter) with
//! `route_service`.

use std::convert::Infallible;
use std::fmt;
use std::future::{Future, ready};
use std::ops::Deref;

use axum_core::body::Body;
use axum_core::extract::{FromRequestParts, OptionalFromRequestParts};
use axum_core::response::{IntoResponse, Response};
use http::request::Parts;

pub use super::callback_extract::{
    Administrator, AnyProof, AtLeast, CallbackType, OnCallback, User,
};
use super::error::{HandlerError, HandlerErrorKind};
use crate::event::Event;
use crate::event::kind::Kind;

/// An extractor for one kind of event: the payload and the event.
///
/// It dereferences to the payload, so that `deal.id` is the id of an `On<CrmDealAdd>`. It can be
/// destructured: `On { payload, event }`. [`event::kind`](crate::event::kind) lists the kinds.
///
/// An event of the kind whose data do not fit is rejected with 422 and lost, because Bitrix24 does
/// not send it again. The rejection is logged at the level ERROR (feature `tracing`) and counted as
/// `bitrix24_mismatches_total` (feature `metrics`). With `Result<On<K>, HandlerError>` as the
/// argument, the handler chooses the response and can keep the event:
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
///             // Store `error.event()` here; it is not sent again.
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
    /// The payload of the event.
    pub payload: K::Payload,
    /// The event itself.
    pub event: Event,
}

impl<K: Kind> On<K> {
    /// Returns the payload without the event.
    pub fn into_inner(self) -> K::Payload {
        self.payload
    }

    fn from_event(event: Event) -> Result<Self, HandlerError> {
        if let Some(payload) = event.payload_of::<K>().cloned() {
            return Ok(Self { payload, event });
        }
        if event.kind() == Some(K::KIND) {
            let kind = HandlerErrorKind::PayloadMismatch;
            return Err(HandlerError::new(kind, Some(event)));
        }
        let kind = HandlerErrorKind::UnexpectedKind;
        Err(HandlerError::new(kind, Some(event)).with_expected(K::KIND))
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

impl<K: Kind<Payload: PartialEq>> PartialEq for On<K> {
    fn eq(&self, other: &Self) -> bool {
        self.payload == other.payload && self.event == other.event
    }
}

impl<K: Kind<Payload: Eq>> Eq for On<K> {}

impl<K: Kind> fmt::Debug for On<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("On")
            .field("payload", &self.payload)
            .field("event", &self.event)
            .finish()
    }
}

fn find_event(parts: &Parts) -> Option<Event> {
    parts.extensions.get().cloned()
}

fn require_event(parts: &Parts) -> Result<Event, HandlerError> {
    find_event(parts).ok_or_else(|| HandlerError::new(HandlerErrorKind::NoEvent, None))
}

/// Extracts the event that the layer verified.
impl<S: Send + Sync> FromRequestParts<S> for Event {
    type Rejection = HandlerError;

    fn from_request_parts(
        parts: &mut Parts,
        _: &S,
    ) -> impl Future<Output = Result<Self, HandlerError>> + Send {
        ready(require_event(parts))
    }
}

/// Extracts the event if the layer verified one.
impl<S: Send + Sync> OptionalFromRequestParts<S> for Event {
    type Rejection = Infallible;

    fn from_request_parts(
        parts: &mut Parts,
        _: &S,
    ) -> impl Future<Output = Result<Option<Self>, Infallible>> + Send {
        ready(Ok(find_event(parts)))
    }
}

/// Extracts the event if it is of the kind `K` and its data fit.
impl<S: Send + Sync, K: Kind> FromRequestParts<S> for On<K> {
    type Rejection = HandlerError;

    fn from_request_parts(
        parts: &mut Parts,
        _: &S,
    ) -> impl Future<Output = Result<Self, HandlerError>> + Send {
        ready(require_event(parts).and_then(Self::from_event))
    }
}

/// Extracts `None` if there is no event or one of another kind. Data that do not fit are an error,
/// because the event is meant for this handler and would be lost.
impl<S: Send + Sync, K: Kind> OptionalFromRequestParts<S> for On<K> {
    type Rejection = HandlerError;

    fn from_request_parts(
        parts: &mut Parts,
        _: &S,
    ) -> impl Future<Output = Result<Option<Self>, HandlerError>> + Send {
        let event = find_event(parts).filter(|event| event.kind() == Some(K::KIND));
        ready(event.map(Self::from_event).transpose())
    }
}

impl IntoResponse for HandlerError {
    fn into_response(self) -> Response {
        self.into_event_response().map(Body::from)
    }
}
