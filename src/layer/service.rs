//! `EventService`: decides from a request's head what to do with it.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, Response};
use http_body::Body;
use memchr::memmem;
use tower::Service;

use super::body::EventBody;
use super::future::ResponseFuture;
use super::shared::Shared;
use crate::envelope::{Envelope, EnvelopeErrorKind};
use crate::rejection::RejectionKind;
use crate::telemetry::Telemetry;
use crate::verify::VerifyToken;

/// The service that [`EventLayer`](crate::EventLayer) puts round another.
///
/// The inner service gets its requests with an [`EventBody`] and, where one was proven, an
/// [`Event`](crate::Event) in their extensions. Its errors are this service's errors: a rejected
/// request is a response.
///
/// # Readiness
///
/// The service is always ready. Each request gets a clone of the inner service, and the future polls
/// that clone ready and calls it: after the event is verified, or at once if the request is not
/// selected or passes as another callback. An error of the inner `poll_ready` is the future's error.
/// So a sender that proves nothing takes no place in a `ConcurrencyLimit`, a `Buffer` or a
/// `RateLimit` of the inner service, however slowly it sends.
///
/// This decides where limits stand:
///
/// - **Behind the layer** they limit what is handled, and only verified events take a place. An
///   event that finds none waits, with its body in memory. `RateLimit` and `Balance` cannot be
///   cloned, so they stand behind a `Buffer`.
/// - **Outside the layer** they limit requests, those of strangers among them, and a stranger can
///   take each place for as long as [`body_timeout`](crate::EventLayer::body_timeout).
/// - **`LoadShed`** outside the layer directly sheds nothing, because this service is always ready.
///   Behind it, a verified event that finds no place is shed: the future's error is `Overloaded`,
///   and because Bitrix24 does not send an event again, the event is lost. Let events wait instead.
pub struct EventService<S, V> {
    inner: S,
    shared: Arc<Shared<V>>,
}

impl<S, V> EventService<S, V> {
    pub(super) fn new(inner: S, shared: Arc<Shared<V>>) -> Self {
        Self { inner, shared }
    }
}

/// What the head of a request says is to be done with it.
enum Way {
    /// It is not selected.
    Leave,
    /// It is another callback.
    Pass,
    /// It only asks if somebody is there.
    Probe,
    Collect,
    Reject(RejectionKind),
}

impl<V> Shared<V> {
    fn way<B: Body>(&self, head: &Parts, body: &B) -> Way {
        if !self.selects(head) {
            return Way::Leave;
        }
        if self.respond_to_probes && matches!(head.method, Method::GET | Method::HEAD) {
            return Way::Probe;
        }
        let not_an_event = match () {
            () if head.method != Method::POST => RejectionKind::MethodNotAllowed,
            () if !is_form(&head.headers) => RejectionKind::NotAForm,
            () if is_encoded(&head.headers) => return Way::Reject(RejectionKind::ContentEncoding),
            () if announced_length(head, body) > self.body_limit as u64 => {
                return Way::Reject(RejectionKind::BodyTooLarge);
            }
            () => return Way::Collect,
        };
        if self.passes(head) && !may_be_form(&head.headers) {
            Way::Pass
        } else {
            Way::Reject(not_an_event)
        }
    }

    /// Returns `true` if a request that is no event by its method, content type or body may reach
    /// the service. Its query must not name an event either: axum's `Form` reads it where the
    /// method is GET, and PHP's `$_REQUEST` always.
    pub(super) fn passes(&self, head: &Parts) -> bool {
        self.pass_other_callbacks && !names_event(head.uri.query().unwrap_or_default())
    }
}

impl<V> Shared<V> {
    /// Returns `true` if a form without an event may reach the service: [`passes`](Self::passes),
    /// and nobody reads it in an encoding in which the scan did not, such as UTF-16.
    pub(super) fn passes_form(&self, head: &Parts) -> bool {
        let mut lines = head.headers.get_all(CONTENT_TYPE).iter();
        self.passes(head) && lines.all(|line| is_utf8(line.as_bytes()))
    }
}

fn is_utf8(content_type: &[u8]) -> bool {
    let content_type = content_type.to_ascii_lowercase();
    content_type
        .split(|byte| matches!(byte, b';' | b','))
        .map(<[u8]>::trim_ascii)
        .filter(|part| memmem::find(part, b"charset").is_some())
        .all(|part| matches!(part, b"charset=utf-8" | b"charset=\"utf-8\""))
}

fn names_event(query: &str) -> bool {
    let envelope = Envelope::scan(Bytes::copy_from_slice(query.as_bytes()));
    !matches!(envelope, Err(error) if error.kind() == EnvelopeErrorKind::NoEvent)
}

const FORM: &[u8] = b"application/x-www-form-urlencoded";

/// A proxy may join equal header lines with a comma. Values that differ are rejected, since readers
/// disagree on which of them counts.
fn is_form(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(CONTENT_TYPE).iter();
    let mut values = lines
        .flat_map(|line| line.as_bytes().split(|&byte| byte == b','))
        .map(<[u8]>::trim_ascii);
    let Some(first) = values.next() else {
        return false;
    };
    let essence = first.split(|&byte| byte == b';').next();
    let essence = essence.unwrap_or_default().trim_ascii();
    essence.eq_ignore_ascii_case(FORM) && values.all(|value| value.eq_ignore_ascii_case(first))
}

/// Returns `true` if some reader may take the body for a form: axum looks at the beginning of the
/// content type, PHP cuts it at `;`, `,` or a space, and PHP, Rocket and Salvo read fields from
/// `multipart/form-data` too.
fn may_be_form(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(CONTENT_TYPE).iter();
    lines.map(HeaderValue::as_bytes).any(|line| {
        let line = line.to_ascii_lowercase();
        memmem::find(&line, b"x-www-form-urlencoded").is_some()
            || memmem::find(&line, b"multipart/form-data").is_some()
    })
}

fn is_encoded(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(CONTENT_ENCODING).iter();
    codings.any(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity"))
}

fn announced_length<B: Body>(head: &Parts, body: &B) -> u64 {
    let header = head
        .headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok());
    let header = header.and_then(|value| value.parse().ok()).unwrap_or(0);
    body.size_hint().lower().max(header)
}

impl<S, B, V, R> Service<Request<B>> for EventService<S, V>
where
    S: Service<Request<EventBody<B>>, Response = Response<R>> + Clone,
    B: Body,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
    V: VerifyToken,
{
    type Response = Response<EventBody<R>>;
    type Error = S::Error;
    type Future = ResponseFuture<S, B, V, V::Future, S::Future, R>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (head, body) = request.into_parts();
        let (way, service) = (self.shared.way(&head, &body), &self.inner);
        let telemetry = match way {
            Way::Probe => return ResponseFuture::probed(),
            Way::Reject(kind) => return ResponseFuture::rejected(&self.shared, kind, head),
            Way::Collect => {
                return ResponseFuture::collect(body, head, service.clone(), self.shared.clone());
            }
            Way::Leave => Telemetry::disabled(),
            Way::Pass => {
                let telemetry = Telemetry::start();
                telemetry.passed();
                telemetry
            }
        };
        ResponseFuture::forward(body, head, service.clone(), self.shared.clone(), telemetry)
    }
}

impl<S: Clone, V> Clone for EventService<S, V> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            shared: self.shared.clone(),
        }
    }
}

impl<S: fmt::Debug, V> fmt::Debug for EventService<S, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventService")
            .field("inner", &self.inner)
            .field("layer", &self.shared)
            .finish()
    }
}
