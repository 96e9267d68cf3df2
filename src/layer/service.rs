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

use super::body_mode::{BodyMode, KeepBody};
use super::future::ResponseFuture;
use super::pending::PendingRequest;
use super::shared::{Callbacks, Content, Shared, UrlSecretCheck};
use crate::envelope::{Envelope, EnvelopeErrorKind};
use crate::rejection::RejectionKind;
use crate::telemetry::Telemetry;
use crate::verify::VerifyToken;

/// A middleware that verifies Bitrix24 events, created by [`EventLayer`](crate::EventLayer).
///
/// The inner service receives requests with the body type that this service received, or with
/// [another](crate::EventLayer::wrap_body). If an event was verified, an [`Event`](crate::Event) is in
/// their extensions. The inner service's errors are this service's errors: a rejection is a response.
///
/// # Readiness
///
/// The service is always ready. Each request gets a clone of the inner service, and the future polls
/// that clone ready and calls it: after the event is verified, or at once if the request is not
/// selected or passes as another callback. An error of the inner `poll_ready` is the future's error.
/// An unverified event therefore occupies no slot in a `ConcurrencyLimit`, a `Buffer` or a
/// `RateLimit` of the inner service, however slowly it is sent.
///
/// This decides where limits belong:
///
/// - **Behind the layer** they limit what is handled, and only verified events occupy slots. An event
///   without a slot waits, with its body in memory. Those that wait share a second
///   [`body_budget`](crate::EventLayer::body_budget): an event without room in it is rejected with 503
///   and lost, so queue long work, for example with `BackgroundQueue`. `RateLimit` and `Balance` are
///   not `Clone`, so they belong behind a `Buffer`.
/// - **Outside the layer** they limit requests, including unverified ones. Each can occupy a slot for
///   as long as [`body_timeout`](crate::EventLayer::body_timeout).
/// - **`LoadShed`** directly outside the layer sheds nothing, because this service is always ready.
///   Behind the layer, it sheds a verified event without a slot: the future's error is `Overloaded`.
///   Bitrix24 does not send an event again, so that event is lost. Prefer to let events wait.
pub struct EventService<S, V, M = KeepBody> {
    inner: S,
    shared: Arc<Shared<V>>,
    mode: M,
}

impl<S, V, M> EventService<S, V, M> {
    pub(super) fn new(inner: S, shared: Arc<Shared<V>>, mode: M) -> Self {
        Self {
            inner,
            shared,
            mode,
        }
    }

    /// Returns a reference to the inner service.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    /// Returns a mutable reference to the inner service.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// Returns the inner service.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

/// The action for a request, decided from its head.
enum Decision {
    Skip,
    PassThrough,
    Probe,
    Collect(Content),
    Reject(RejectionKind),
}

impl<V> Shared<V> {
    /// Decides over a request, and redacts the secret in its URL.
    // Not inlined: code that shares the large frame of `call` becomes half as long again.
    #[inline(never)]
    fn decide<B: Body>(&self, head: &mut Parts, body: &B) -> (Decision, UrlSecretCheck) {
        if !self.selects(head) {
            return (Decision::Skip, UrlSecretCheck::Unused);
        }
        let url_secret = self.verify_url_secret(head);
        let decision = self.decide_selected(head, body, url_secret);
        for secret in &self.url_secrets {
            secret.redact(&mut head.uri);
        }
        (decision, url_secret)
    }

    fn decide_selected<B: Body>(
        &self,
        head: &Parts,
        body: &B,
        url_secret: UrlSecretCheck,
    ) -> Decision {
        if !self.fulfills_requirements(head) {
            return Decision::Reject(RejectionKind::HeadRejected);
        }
        if url_secret == UrlSecretCheck::Rejected {
            return Decision::Reject(RejectionKind::UrlSecretRejected);
        }
        if self.respond_to_probes && matches!(head.method, Method::GET | Method::HEAD) {
            return Decision::Probe;
        }
        if head.method != Method::POST {
            return self.pass_or_reject(head, RejectionKind::MethodNotAllowed);
        }
        let headers = ContentHeaders::find(&head.headers);
        let content = if headers.is_form() || is_of_type(&head.headers, FORM) {
            Content::Form
        } else if self.callbacks == Callbacks::All && is_of_type(&head.headers, JSON) {
            match url_secret {
                UrlSecretCheck::Verified if !names_event_in_query(head) => Content::Json,
                // Nothing else proves a callback in JSON.
                UrlSecretCheck::Missing => {
                    return Decision::Reject(RejectionKind::UrlSecretRejected);
                }
                _ => return self.pass_or_reject(head, RejectionKind::NotAForm),
            }
        } else {
            return self.pass_or_reject(head, RejectionKind::NotAForm);
        };
        if headers.is_encoded {
            return Decision::Reject(RejectionKind::ContentEncoding);
        }
        if content_length(head, body) > self.body_limit as u64 {
            return Decision::Reject(RejectionKind::BodyTooLarge);
        }
        Decision::Collect(content)
    }

    fn pass_or_reject(&self, head: &Parts, kind: RejectionKind) -> Decision {
        if self.may_pass(head) && !may_be_form(&head.headers) {
            Decision::PassThrough
        } else {
            Decision::Reject(kind)
        }
    }

    /// The query must not name an event either: axum's `Form` reads it if the method is GET, and
    /// PHP's `$_REQUEST` always.
    fn may_pass(&self, head: &Parts) -> bool {
        self.pass_other_callbacks && !names_event_in_query(head)
    }

    /// Returns `true` if a form without an event may reach the service. Its content type must not
    /// name an encoding other than the one that was scanned, such as UTF-16.
    pub(super) fn may_pass_form(&self, head: &Parts) -> bool {
        let mut lines = head.headers.get_all(CONTENT_TYPE).iter();
        self.may_pass(head) && lines.all(|line| is_utf8(line.as_bytes()))
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

fn names_event_in_query(head: &Parts) -> bool {
    let query = head.uri.query().unwrap_or_default();
    let envelope = Envelope::scan(Bytes::copy_from_slice(query.as_bytes()));
    !matches!(envelope, Err(error) if error.kind() == EnvelopeErrorKind::NoEvent)
}

const FORM: &[u8] = b"application/x-www-form-urlencoded";
const JSON: &[u8] = b"application/json";

/// The headers of the content, found in one pass: a lookup of each would take longer.
struct ContentHeaders<'a> {
    /// The content type, if it has one line.
    only_type: Option<&'a [u8]>,
    is_encoded: bool,
}

impl<'a> ContentHeaders<'a> {
    fn find(headers: &'a HeaderMap) -> Self {
        let mut found = Self {
            only_type: None,
            is_encoded: false,
        };
        let mut types = 0;
        for (name, value) in headers {
            if name == CONTENT_TYPE {
                types += 1;
                found.only_type = (types == 1).then_some(value.as_bytes());
            } else if name == CONTENT_ENCODING {
                found.is_encoded |= !value.as_bytes().eq_ignore_ascii_case(b"identity");
            }
        }
        found
    }

    /// Returns `true` if the content type is spelled as the platform spells it.
    fn is_form(&self) -> bool {
        self.only_type == Some(FORM)
    }
}

/// A proxy may join equal header lines with a comma. Values that differ are rejected, because readers
/// disagree on which of them counts.
#[cold]
fn is_of_type(headers: &HeaderMap, expected: &[u8]) -> bool {
    let lines = headers.get_all(CONTENT_TYPE).iter();
    let mut values = lines
        .flat_map(|line| line.as_bytes().split(|&byte| byte == b','))
        .map(<[u8]>::trim_ascii);
    let Some(first) = values.next() else {
        return false;
    };
    let essence = first.split(|&byte| byte == b';').next();
    let essence = essence.unwrap_or_default().trim_ascii();
    essence.eq_ignore_ascii_case(expected) && values.all(|value| value.eq_ignore_ascii_case(first))
}

/// Returns `true` if some reader may parse the body as a form. axum compares the beginning of the
/// content type. PHP cuts it at `;`, `,` or a space. PHP, Rocket and Salvo read fields from
/// `multipart/form-data` too.
fn may_be_form(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(CONTENT_TYPE).iter();
    lines.map(HeaderValue::as_bytes).any(|line| {
        let line = line.to_ascii_lowercase();
        memmem::find(&line, b"x-www-form-urlencoded").is_some()
            || memmem::find(&line, b"multipart/form-data").is_some()
    })
}

/// Returns the length of a body, or what is known of it before it arrives.
fn content_length<B: Body>(head: &Parts, body: &B) -> u64 {
    let hint = body.size_hint();
    if let Some(exact) = hint.exact() {
        return exact;
    }
    let header = head.headers.get(CONTENT_LENGTH);
    let announced = header
        .and_then(|value| value.to_str().ok()?.parse().ok())
        .unwrap_or(0);
    hint.lower().max(announced)
}

impl<S, B, V, M, R> Service<Request<B>> for EventService<S, V, M>
where
    S: Service<Request<<M as BodyMode<B>>::Body>, Response = Response<R>> + Clone,
    B: Body,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
    V: VerifyToken,
    M: BodyMode<B> + BodyMode<R> + Clone,
{
    type Response = Response<<M as BodyMode<R>>::Body>;
    type Error = S::Error;
    type Future = ResponseFuture<S, B, V, M>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (mut head, body) = request.into_parts();
        let mode = self.mode.clone();
        let (decision, url_secret) = self.shared.decide(&mut head, &body);
        let telemetry = match decision {
            Decision::Collect(content) => {
                let (service, shared) = (self.inner.clone(), self.shared.clone());
                let request = PendingRequest::new(head, service, shared, content, url_secret);
                return ResponseFuture::collect(body, request, mode);
            }
            Decision::Reject(kind) => {
                return ResponseFuture::rejected(&self.shared, kind, head, mode);
            }
            Decision::Probe => return ResponseFuture::probed(mode),
            Decision::Skip => Telemetry::disabled(),
            Decision::PassThrough => {
                let telemetry = Telemetry::start();
                telemetry.passed();
                telemetry
            }
        };
        let (service, shared) = (self.inner.clone(), self.shared.clone());
        let request = PendingRequest::new(head, service, shared, Content::Form, url_secret);
        ResponseFuture::forward(body, request, telemetry, mode)
    }
}

impl<S: Clone, V, M: Clone> Clone for EventService<S, V, M> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            shared: self.shared.clone(),
            mode: self.mode.clone(),
        }
    }
}

impl<S: fmt::Debug, V, M> fmt::Debug for EventService<S, V, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventService")
            .field("inner", &self.inner)
            .field("layer", &self.shared)
            .finish()
    }
}
