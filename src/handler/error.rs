//! The error of extractors, the router and the background queue.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response, StatusCode};

use crate::callback::{Callback, CallbackKind, ProofLevel};
use crate::event::{Event, EventKind};
use crate::form::Mismatch;
use crate::telemetry::{self, HandlingOutcome};

/// The reason why a router, an extractor or the background queue did not handle a request.
///
/// It is in the extensions of the response, so that an outer layer can count or log it. Its message
/// is the body of the response. The message contains the event code and, for a mismatch, the
/// field's path, but no other request data. The handler's own error is available only as
/// [`source`](Error::source).
///
/// ```
/// use std::error::Error;
/// use tower_bitrix24::{ApplicationToken, Envelope, Event, EventRouter};
/// use tower_bitrix24::handler::{HandlerError, HandlerErrorKind};
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let router = EventRouter::builder()
///     .on_code("ONCRMDEALADD", async |_: Event| {})
///     .on_code("ONCRMDEALUPDATE", async |_: Event| Err::<(), _>("no connection to db.local"))
///     .build()?;
/// let handle = async |body: &'static str| {
///     let token = ApplicationToken::new("192735").unwrap();
///     let event = Event::verify(Envelope::scan(body).unwrap(), &token).await.unwrap();
///     router.handle(event).await
/// };
/// let good = handle("event=ONCRMDEALADD&auth[application_token]=192735").await;
/// assert!(good.extensions().get::<HandlerError>().is_none());
///
/// let bad = handle("event=ONCRMDEALUPDATE&auth[application_token]=192735").await;
/// let error = bad.extensions().get::<HandlerError>().expect("the handler failed");
/// assert_eq!(error.kind(), HandlerErrorKind::HandlerFailed);
/// assert_eq!(error.to_string(), "the handler of ONCRMDEALUPDATE failed");
/// assert_eq!(error.source().unwrap().to_string(), "no connection to db.local");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct HandlerError {
    kind: HandlerErrorKind,
    expected: Option<EventKind>,
    event: Option<Event>,
    callback: Option<CallbackFailure>,
    source: Option<Arc<dyn Error + Send + Sync>>,
}

#[derive(Clone)]
struct CallbackFailure {
    callback: Option<Callback>,
    expected: Option<CallbackKind>,
    demanded: Option<ProofLevel>,
}

/// The kinds of [`HandlerError`].
///
/// | kind | status |
/// |---|---|
/// | [`NoEvent`](Self::NoEvent), [`NoCallback`](Self::NoCallback), [`NoDelivery`](Self::NoDelivery) | 500 |
/// | [`WeakProof`](Self::WeakProof) | 403 |
/// | [`NoHandler`](Self::NoHandler) | 404 |
/// | [`UnexpectedKind`](Self::UnexpectedKind), [`PayloadMismatch`](Self::PayloadMismatch) | 422 |
/// | [`HandlerFailed`](Self::HandlerFailed) | 500 |
/// | [`QueueFull`](Self::QueueFull), [`ShuttingDown`](Self::ShuttingDown), [`NotStored`](Self::NotStored) | 503 |
///
/// 500 means that the application is broken. 422 means that the verified event does not belong
/// here: a handler registration on the portal has the wrong URL, or the data differ from the
/// documentation. 503 means that the application is overloaded, shutting down, or cannot
/// store the request (features `background` and `inbox`). Bitrix24 ignores all of them and does not send the event again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HandlerErrorKind {
    /// The request has no [`Event`]: no [`EventLayer`](crate::EventLayer) selected it, or a layer
    /// passed it as another callback.
    NoEvent,
    /// The event is not of the kind that the handler takes.
    UnexpectedKind,
    /// The event is of the right kind, but its data do not fit the payload, and no other handler
    /// takes it.
    ///
    /// Bitrix24 does not send it again, so the response is logged as an error (feature `tracing`)
    /// and counted (feature `metrics`). To keep such events, register an
    /// [untyped fallback](crate::handler::EventRouterBuilder::fallback), or take
    /// `Result<On<K>, HandlerError>` in axum, whose error has the [event](HandlerError::event).
    PayloadMismatch,
    /// The handler returned an error.
    HandlerFailed,
    /// The background queue is full.
    QueueFull,
    /// The background queue is shutting down.
    ShuttingDown,
    /// The inbox could not store the event or the callback.
    NotStored,
    /// The request has no delivery, because no worker of an inbox made it.
    NoDelivery,
    /// The request has no [`Callback`]: no [`EventLayer`](crate::EventLayer) with
    /// [`callbacks`](crate::EventLayer::callbacks) selected it, or it is an event.
    NoCallback,
    /// The [proof](crate::callback::Proof) of the callback is weaker than the handler demands.
    WeakProof,
    /// No handler is registered for the placement or the settings form, and a person waits for it.
    NoHandler,
}

impl HandlerErrorKind {
    /// Returns the kind's name for logs and metrics, such as `payload_mismatch`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoEvent => "no_event",
            Self::UnexpectedKind => "unexpected_kind",
            Self::PayloadMismatch => "payload_mismatch",
            Self::HandlerFailed => "handler_failed",
            Self::QueueFull => "queue_full",
            Self::ShuttingDown => "shutting_down",
            Self::NotStored => "not_stored",
            Self::NoDelivery => "no_delivery",
            Self::NoCallback => "no_callback",
            Self::WeakProof => "weak_proof",
            Self::NoHandler => "no_handler",
        }
    }
}

impl fmt::Display for HandlerErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl HandlerError {
    pub(crate) const fn new(kind: HandlerErrorKind, event: Option<Event>) -> Self {
        Self {
            kind,
            expected: None,
            event,
            callback: None,
            source: None,
        }
    }

    pub(crate) fn of_callback(kind: HandlerErrorKind, callback: Callback) -> Self {
        let mut error = Self::new(kind, None);
        error.callback = Some(CallbackFailure {
            callback: Some(callback),
            expected: None,
            demanded: None,
        });
        error
    }

    pub(crate) fn weak_proof(callback: Callback, demanded: ProofLevel) -> Self {
        let mut error = Self::of_callback(HandlerErrorKind::WeakProof, callback);
        if let Some(failure) = &mut error.callback {
            failure.demanded = Some(demanded);
        }
        error
    }

    #[cfg(feature = "axum")]
    pub(crate) fn unexpected_callback(callback: Callback, expected: CallbackKind) -> Self {
        let mut error = Self::of_callback(HandlerErrorKind::UnexpectedKind, callback);
        if let Some(failure) = &mut error.callback {
            failure.expected = Some(expected);
        }
        error
    }

    #[cfg(feature = "axum")]
    pub(crate) const fn with_expected(mut self, expected: EventKind) -> Self {
        self.expected = Some(expected);
        self
    }

    pub(crate) fn with_source(mut self, source: Box<dyn Error + Send + Sync>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Returns the kind of error.
    pub const fn kind(&self) -> HandlerErrorKind {
        self.kind
    }

    /// Returns the status of the response.
    pub const fn status(&self) -> StatusCode {
        match self.kind {
            HandlerErrorKind::NoEvent
            | HandlerErrorKind::NoCallback
            | HandlerErrorKind::NoDelivery
            | HandlerErrorKind::HandlerFailed => StatusCode::INTERNAL_SERVER_ERROR,
            HandlerErrorKind::WeakProof => StatusCode::FORBIDDEN,
            HandlerErrorKind::NoHandler => StatusCode::NOT_FOUND,
            HandlerErrorKind::UnexpectedKind | HandlerErrorKind::PayloadMismatch => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
            HandlerErrorKind::QueueFull
            | HandlerErrorKind::ShuttingDown
            | HandlerErrorKind::NotStored => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// Returns the event that was not handled, or `None` if the request had none.
    pub const fn event(&self) -> Option<&Event> {
        self.event.as_ref()
    }

    /// Returns the callback that was not handled, or `None` if the request had none.
    pub fn callback(&self) -> Option<&Callback> {
        self.callback.as_ref()?.callback.as_ref()
    }

    pub(crate) fn into_event_response(self) -> Response<Bytes> {
        let outcome = self.outcome();
        if let Some(callback) = self.callback() {
            telemetry::callback_not_handled(callback, &self);
        }
        match &self.event {
            None if self.callback.is_some() => {}
            Some(event) if outcome == HandlingOutcome::Mismatch => telemetry::mismatch(event),
            Some(event) => telemetry::handler_failed(event, outcome, &self),
            None => telemetry::no_event(&self),
        }
        let mut response = Response::new(Bytes::from(format!("{self}\n")));
        *response.status_mut() = self.status();
        response.headers_mut().insert(
            CONTENT_TYPE,
            HeaderValue::from_static("text/plain; charset=utf-8"),
        );
        telemetry::mark_recorded(response.extensions_mut(), outcome);
        response.extensions_mut().insert(self);
        response
    }

    const fn outcome(&self) -> HandlingOutcome {
        match self.kind {
            HandlerErrorKind::NoEvent
            | HandlerErrorKind::NoCallback
            | HandlerErrorKind::WeakProof
            | HandlerErrorKind::NoHandler
            | HandlerErrorKind::HandlerFailed
            | HandlerErrorKind::NotStored
            | HandlerErrorKind::NoDelivery => HandlingOutcome::Failed,
            HandlerErrorKind::UnexpectedKind => HandlingOutcome::UnexpectedKind,
            HandlerErrorKind::PayloadMismatch => HandlingOutcome::Mismatch,
            HandlerErrorKind::QueueFull => HandlingOutcome::QueueFull,
            HandlerErrorKind::ShuttingDown => HandlingOutcome::ShuttingDown,
        }
    }
}

impl fmt::Display for HandlerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Even a verified sender may put line breaks into a code or a key.
        let code = self.event().map_or("", Event::code).escape_debug();
        if let Some(failure) = &self.callback {
            return self.fmt_callback(failure, f);
        }
        match self.kind {
            HandlerErrorKind::NoEvent => f.write_str(
                "the request has no Bitrix24 event: check that an EventLayer wraps this route, \
                 that its path selects the request, and that it did not pass the request as \
                 another callback",
            ),
            HandlerErrorKind::UnexpectedKind => {
                let expected = self.expected.map_or("another", EventKind::as_str);
                write!(f, "this route takes {expected}, but the event is {code}")
            }
            HandlerErrorKind::PayloadMismatch => {
                write!(f, "the data of {code} do not fit its payload")?;
                match self.event().and_then(Event::mismatch).map(Mismatch::path) {
                    None | Some("") => Ok(()),
                    Some(path) => write!(f, " at {}", path.escape_debug()),
                }
            }
            HandlerErrorKind::HandlerFailed => write!(f, "the handler of {code} failed"),
            HandlerErrorKind::QueueFull => {
                write!(f, "the background queue is full: {code} is rejected")
            }
            HandlerErrorKind::NotStored => write!(f, "the inbox could not store {code}"),
            HandlerErrorKind::NoDelivery => f.write_str(
                "the request has no delivery: check that a worker of an inbox calls this service",
            ),
            HandlerErrorKind::ShuttingDown => {
                write!(f, "the application is shutting down: {code} is rejected")
            }
            HandlerErrorKind::NoCallback => f.write_str(
                "the request has no Bitrix24 callback: check that an EventLayer with callbacks \
                 wraps this route, and that its path selects the request",
            ),
            HandlerErrorKind::WeakProof | HandlerErrorKind::NoHandler => {
                f.write_str(self.kind.as_str())
            }
        }
    }
}

impl HandlerError {
    fn fmt_callback(&self, failure: &CallbackFailure, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let callback = failure.callback.as_ref();
        let kind = callback.map_or("", |callback| callback.kind().as_str());
        match self.kind {
            HandlerErrorKind::UnexpectedKind => {
                let expected = failure.expected.map_or("another", CallbackKind::as_str);
                write!(
                    f,
                    "this route takes a {expected}, but the callback is a {kind}"
                )
            }
            HandlerErrorKind::PayloadMismatch => {
                write!(f, "the data of a {kind} do not fit its type")?;
                match callback.and_then(Callback::mismatch).map(Mismatch::path) {
                    None | Some("") => Ok(()),
                    Some(path) => write!(f, " at {}", path.escape_debug()),
                }
            }
            HandlerErrorKind::WeakProof => {
                let demanded = failure
                    .demanded
                    .map_or("a stronger proof", ProofLevel::as_str);
                let proof = callback.map_or("none", |callback| callback.proof().as_str());
                write!(f, "this {kind} needs the proof {demanded}, but has {proof}")
            }
            HandlerErrorKind::NoHandler => write!(f, "no handler is registered for this {kind}"),
            HandlerErrorKind::NotStored => write!(f, "the inbox could not store this {kind}"),
            _ => write!(f, "the handler of a {kind} failed"),
        }
    }
}

/// Shows only the code of the event, and not the source.
impl fmt::Debug for HandlerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HandlerError")
            .field("kind", &self.kind)
            .field("code", &self.event().map(Event::code))
            .field("callback", &self.callback().map(Callback::kind))
            .finish_non_exhaustive()
    }
}

impl Error for HandlerError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
