//! What a handler returns, and the response made of it.

use std::convert::Infallible;
use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body::{Body, Frame, SizeHint};

/// What a handler of an [`EventRouter`](crate::EventRouter) may return.
///
/// | a handler returns | the answer |
/// |---|---|
/// | `()` | 200 |
/// | [`StatusCode`] | that status |
/// | [`Response`] of text or bytes | that response |
/// | `Ok(…)` of one of these | as above |
/// | `Err(…)` of an error, a text, a boxed error | 500, with a text that hides the error |
///
/// Bitrix24 reads no answer and never sends an event again, whatever the status: it is for the logs
/// and metrics of the application. The error of a handler is the
/// [`source`](std::error::Error::source) of the [`HandlerError`](crate::handler::HandlerError) in the
/// extensions of the answer.
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
    label = "not an answer",
    note = "a handler returns `()`, a `StatusCode`, an `http::Response` of text or bytes, or a \
            `Result` of one of these and an error that is `Into<Box<dyn Error + Send + Sync>>`"
)]
pub trait IntoEventResponse {
    /// The answer, or the error that keeps the handler from one.
    ///
    /// # Errors
    ///
    /// Where the handler failed. The caller learns that it did, and never the error's text.
    fn into_event_response(self) -> Result<Response<Bytes>, Box<dyn Error + Send + Sync>>;
}

impl IntoEventResponse for () {
    fn into_event_response(self) -> Result<Response<Bytes>, Box<dyn Error + Send + Sync>> {
        Ok(Response::default())
    }
}

impl IntoEventResponse for StatusCode {
    fn into_event_response(self) -> Result<Response<Bytes>, Box<dyn Error + Send + Sync>> {
        let mut answer = Response::default();
        *answer.status_mut() = self;
        Ok(answer)
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

/// The body of a router's answer: bytes that are there at once.
#[derive(Debug, Default)]
pub struct ResponseBody(Bytes);

impl ResponseBody {
    pub(crate) const fn new(bytes: Bytes) -> Self {
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
        let bytes = std::mem::take(&mut self.0);
        Poll::Ready((!bytes.is_empty()).then(|| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.len() as u64)
    }
}
