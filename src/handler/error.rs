//! Why an event did not come to a handler's end, for the extractors, the router and the
//! background alike.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response, StatusCode};

use crate::event::{Event, EventKind};

use crate::form::Mismatch;

use crate::telemetry;

/// Why a request that reached a router, an extractor or the background was not handled.
///
/// It stands in the extensions of the answer, so that an outer layer can count or log it. Its text
/// is the body of the answer; beside the event's code and the path of a field it never holds
/// anything of the request, and nothing of what a handler said: that is the
/// [`source`](Error::source), for logs.
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
    source: Option<Arc<dyn Error + Send + Sync>>,
}

/// What went wrong behind the layer.
///
/// | kind | status |
/// |---|---|
/// | [`NoEvent`](Self::NoEvent) | 500 |
/// | [`UnexpectedKind`](Self::UnexpectedKind), [`Mismatch`](Self::Mismatch) | 422 |
/// | [`Failed`](Self::Failed) | 500 |
/// | [`QueueFull`](Self::QueueFull), [`ShuttingDown`](Self::ShuttingDown) | 503 |
///
/// 500 says that the application is broken. 422 says that it is not, and that the event, proven as
/// it is, is not one for this place: a portal's handler registration has the wrong URL, or the data
/// are not what the documentation says. 503 says that it has too much to do (feature `background`).
/// Bitrix24 reads none of them and sends the event to nobody else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HandlerErrorKind {
    /// The request has no [`Event`]: no [`EventLayer`](crate::EventLayer) selected it, or one let
    /// it pass as another callback.
    NoEvent,
    /// The event is of another kind than the handler takes.
    UnexpectedKind,
    /// The event is of the right kind, but its data do not fit the kind's payload, and no other
    /// handler takes it.
    ///
    /// Bitrix24 does not send it again, so the answer is logged as an error (feature `tracing`) and
    /// counted (feature `metrics`). A handler without a type keeps such events:
    /// [`EventRouterBuilder::fallback`](crate::handler::EventRouterBuilder::fallback), or
    /// `Result<On<K>, HandlerError>` in axum, whose error has the [event](HandlerError::event).
    PayloadMismatch,
    /// The handler answered with an error.
    HandlerFailed,
    /// As many events run and wait in the background as may.
    QueueFull,
    /// The background takes no more events: the application shuts down.
    ShuttingDown,
}

impl HandlerError {
    pub(crate) const fn no_event() -> Self {
        Self {
            kind: HandlerErrorKind::NoEvent,
            expected: None,
            event: None,
            source: None,
        }
    }

    #[cfg(feature = "axum")]
    pub(crate) const fn other_kind(event: Event, expected: EventKind) -> Self {
        Self {
            kind: HandlerErrorKind::UnexpectedKind,
            expected: Some(expected),
            event: Some(event),
            source: None,
        }
    }

    pub(crate) const fn mismatch(event: Event) -> Self {
        Self {
            kind: HandlerErrorKind::PayloadMismatch,
            expected: None,
            event: Some(event),
            source: None,
        }
    }

    pub(crate) fn failed(event: Event, source: Box<dyn Error + Send + Sync>) -> Self {
        Self {
            kind: HandlerErrorKind::HandlerFailed,
            expected: None,
            event: Some(event),
            source: Some(source.into()),
        }
    }

    /// The background does not take it; the kind says why.
    #[cfg(feature = "background")]
    pub(crate) const fn not_accepted(event: Event, kind: HandlerErrorKind) -> Self {
        Self {
            kind,
            expected: None,
            event: Some(event),
            source: None,
        }
    }

    /// What went wrong.
    pub const fn kind(&self) -> HandlerErrorKind {
        self.kind
    }

    /// The status of the answer.
    pub const fn status(&self) -> StatusCode {
        match self.kind {
            HandlerErrorKind::NoEvent | HandlerErrorKind::HandlerFailed => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
            HandlerErrorKind::UnexpectedKind | HandlerErrorKind::PayloadMismatch => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
            HandlerErrorKind::QueueFull | HandlerErrorKind::ShuttingDown => {
                StatusCode::SERVICE_UNAVAILABLE
            }
        }
    }

    /// The event that was not handled, to keep it after all; `None` where there was none.
    pub const fn event(&self) -> Option<&Event> {
        self.event.as_ref()
    }

    pub(crate) fn into_event_response(self) -> Response<Bytes> {
        if let (HandlerErrorKind::PayloadMismatch, Some(event)) = (self.kind, &self.event) {
            telemetry::mismatch(event);
        }
        let mut answer = Response::new(Bytes::from(format!("{self}\n")));
        *answer.status_mut() = self.status();
        answer.headers_mut().insert(
            CONTENT_TYPE,
            HeaderValue::from_static("text/plain; charset=utf-8"),
        );
        answer.extensions_mut().insert(self);
        answer
    }
}

impl fmt::Display for HandlerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The sender is proven, but a code or a key of its own may still break a line of a log.
        let code = self.event().map_or("", Event::code).escape_debug();
        match self.kind {
            HandlerErrorKind::NoEvent => f.write_str(
                "the request has no Bitrix24 event: check that an EventLayer stands round this \
                 route, that its path selects the request, and that it does not pass it as \
                 another callback",
            ),
            HandlerErrorKind::UnexpectedKind => {
                let expected = self.expected.map_or("another", EventKind::as_str);
                write!(f, "this route takes {expected}, and the event is {code}")
            }
            HandlerErrorKind::PayloadMismatch => {
                write!(f, "the data of {code} do not fit its payload")?;
                match self.event().and_then(Event::mismatch).map(Mismatch::path) {
                    None | Some("") => Ok(()),
                    Some(path) => write!(f, " at {}", path.escape_debug()),
                }
            }
            HandlerErrorKind::HandlerFailed => write!(f, "the handler of {code} failed"),
            HandlerErrorKind::QueueFull => write!(f, "too many events wait: {code} is rejected"),
            HandlerErrorKind::ShuttingDown => {
                write!(f, "the application shuts down: {code} is rejected")
            }
        }
    }
}

/// Shows of the event its code alone, and not the source.
impl fmt::Debug for HandlerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HandlerError")
            .field("kind", &self.kind)
            .field("code", &self.event().map(Event::code))
            .finish_non_exhaustive()
    }
}

impl Error for HandlerError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
