//! Converting what a handler returns into a response.

use std::convert::Infallible;
use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body::{Body, Frame, SizeHint};

/// A value that a handler of an [`EventRouter`](crate::EventRouter) may return.
///
/// | a handler returns | response |
/// |---|---|
/// | `()` | 200 |
/// | [`StatusCode`] | that status |
/// | [`Response`] with a string or bytes | that response |
/// | `Ok(…)` of one of these | as above |
/// | `Err(…)` of an error, a string or a boxed error | 500, with a message that hides the error |
///
/// Bitrix24 ignores the response and never sends an event again. The status serves the logs and
/// metrics of the application, and only a 2xx counts as handled. The error of a handler is the
/// [`source`](std::error::Error::source) of the [`HandlerError`](crate::handler::HandlerError) in
/// the extensions of the response.
///
/// ```
/// use http::{Response, StatusCode};
/// use tower_bitrix24::handler::IntoEventResponse;
///
/// assert_eq!(().into_event_response().unwrap().status(), StatusCode::OK);
/// let stored: Result<StatusCode, std::io::Error> = Ok(StatusCode::CREATED);
/// assert_eq!(stored.into_event_response().unwrap().status(), StatusCode::CREATED);
/// assert_eq!(Response::new("seen").into_event_response().unwrap().body(), "seen");
///
/// let full: Result<(), std::io::Error> = Err(std::io::Error::other("the disk is full"));
/// assert_eq!(full.into_event_response().unwrap_err().to_string(), "the disk is full");
/// ```
#[diagnostic::on_unimplemented(
    message = "a handler of events cannot return `{Self}`",
    label = "not a response",
    note = "a handler returns `()`, a `StatusCode`, an `http::Response` with a string or bytes, or a \
            `Result` of one of these and an error that is `Into<Box<dyn Error + Send + Sync>>`"
)]
pub trait IntoEventResponse {
    /// Converts the value into a response.
    ///
    /// # Errors
    ///
    /// Returns an error if the handler failed. The client sees that it failed, but not the error.
    fn into_event_response(self) -> Result<Response<Bytes>, Box<dyn Error + Send + Sync>>;
}

impl IntoEventResponse for () {
    fn into_event_response(self) -> Result<Response<Bytes>, Box<dyn Error + Send + Sync>> {
        Ok(Response::default())
    }
}

impl IntoEventResponse for StatusCode {
    fn into_event_response(self) -> Result<Response<Bytes>, Box<dyn Error + Send + Sync>> {
        let mut response = Response::default();
        *response.status_mut() = self;
        Ok(response)
    }
}

impl<T: Into<Bytes>> IntoEventResponse for Response<T> {
    fn into_event_response(self) -> Result<Response<Bytes>, Box<dyn Error + Send + Sync>> {
        Ok(self.map(Into::into))
    }
}

impl<T, E> IntoEventResponse for Result<T, E>
where
    T: IntoEventResponse,
    E: Into<Box<dyn Error + Send + Sync>>,
{
    fn into_event_response(self) -> Result<Response<Bytes>, Box<dyn Error + Send + Sync>> {
        self.map_err(Into::into)?.into_event_response()
    }
}

/// The body of a router's response.
#[derive(Debug, Default)]
pub struct ResponseBody(Bytes);

impl ResponseBody {
    /// Returns the bytes of the body.
    pub fn into_bytes(self) -> Bytes {
        self.0
    }
}

impl From<Bytes> for ResponseBody {
    fn from(bytes: Bytes) -> Self {
        Self(bytes)
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.0.is_empty() {
            return Poll::Ready(None);
        }
        let bytes = std::mem::take(&mut self.0);
        Poll::Ready(Some(Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.len() as u64)
    }
}
