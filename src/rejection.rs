//! Why a request is rejected, and the response it gets.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE};
use http::{Extensions, HeaderValue, Response, StatusCode};
use serde::Deserialize;

use crate::envelope::{EnvelopeError, EnvelopeErrorKind};
use crate::verify::{VerifyError, VerifyErrorKind};

/// The reason why a request was rejected.
///
/// The response to a rejected request has it in its extensions, so that an outer layer can count or
/// log it. Its `Display` output is the body of the default response and never contains anything of the
/// request. If the verifier could not decide, [`source`](Error::source) returns the verifier's error
/// for logs; neither `Display` nor `Debug` shows it.
#[derive(Clone)]
pub struct Rejection {
    kind: RejectionKind,
    envelope: Option<EnvelopeError>,
    source: Option<Arc<VerifyError>>,
}

/// The check that a request failed.
///
/// `Display` writes [`as_str`](Self::as_str).
///
/// | kind | default status |
/// |---|---|
/// | [`MethodNotAllowed`](Self::MethodNotAllowed) | 405, with `Allow: POST` |
/// | [`NotAForm`](Self::NotAForm), [`ContentEncoding`](Self::ContentEncoding) | 415 |
/// | [`BodyTooLarge`](Self::BodyTooLarge) | 413 |
/// | [`BodyTimeout`](Self::BodyTimeout) | 408 |
/// | [`BodyIncomplete`](Self::BodyIncomplete), [`Malformed`](Self::Malformed), [`NoEvent`](Self::NoEvent) | 400 |
/// | [`TokenMissing`](Self::TokenMissing), [`TokenRejected`](Self::TokenRejected) | 403, with the same body |
/// | [`UrlSecretRejected`](Self::UrlSecretRejected), [`HeadRejected`](Self::HeadRejected) | 403, with the same body |
/// | [`Unavailable`](Self::Unavailable), [`BodyBudgetExhausted`](Self::BodyBudgetExhausted) | 503 |
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RejectionKind {
    /// The method is not POST.
    MethodNotAllowed,
    /// The `Content-Type` is not `application/x-www-form-urlencoded`.
    NotAForm,
    /// The body is compressed (`Content-Encoding`), which those of the platform never are.
    ContentEncoding,
    /// The body, or its `Content-Length`, exceeds the limit.
    BodyTooLarge,
    /// The body did not arrive within the timeout.
    BodyTimeout,
    /// The body ended early, or reading it failed.
    BodyIncomplete,
    /// Waiting bodies fill the [budget](crate::EventLayer::body_budget): either there is no room for this
    /// one, or it was the oldest incomplete body and made room for another.
    BodyBudgetExhausted,
    /// The body is ambiguous or not a valid form.
    Malformed,
    /// The form has no `event`: it may be another kind of callback.
    NoEvent,
    /// The event carries no application token.
    TokenMissing,
    /// The application token is wrong, or the portal is not known.
    TokenRejected,
    /// The verifier could not decide whether the token is right.
    Unavailable,
    /// The [secret in the URL](crate::EventLayer::url_secret) is missing or wrong.
    UrlSecretRejected,
    /// The head does not fulfill what the layer [requires](crate::EventLayer::require).
    HeadRejected,
}

impl RejectionKind {
    /// Returns the kind's name in logs and metrics, for example `token_rejected`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MethodNotAllowed => "method_not_allowed",
            Self::NotAForm => "not_a_form",
            Self::ContentEncoding => "content_encoding",
            Self::BodyTooLarge => "body_too_large",
            Self::BodyTimeout => "body_timeout",
            Self::BodyIncomplete => "body_incomplete",
            Self::BodyBudgetExhausted => "body_budget_exhausted",
            Self::Malformed => "malformed",
            Self::NoEvent => "no_event",
            Self::TokenMissing => "token_missing",
            Self::TokenRejected => "token_rejected",
            Self::Unavailable => "unavailable",
            Self::UrlSecretRejected => "url_secret_rejected",
            Self::HeadRejected => "head_rejected",
        }
    }

    const fn response_body(self) -> &'static str {
        match self {
            Self::MethodNotAllowed => "events are sent by POST\n",
            Self::NotAForm => "events are sent as application/x-www-form-urlencoded\n",
            Self::ContentEncoding => "events are sent without content encoding\n",
            Self::BodyTooLarge => "the body is too large\n",
            Self::BodyTimeout => "the body did not arrive in time\n",
            Self::BodyIncomplete => "the body is incomplete\n",
            Self::BodyBudgetExhausted => "too many bodies are being received, try again later\n",
            Self::Malformed => "the body is not a readable form\n",
            Self::NoEvent => "the body has no event\n",
            // The same for both, so that a response does not reveal which it was.
            Self::TokenMissing | Self::TokenRejected => "the application token is not accepted\n",
            Self::Unavailable => "the application token cannot be verified now\n",
            Self::UrlSecretRejected | Self::HeadRejected => "the request is not accepted here\n",
        }
    }
}

impl fmt::Display for RejectionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Rejection {
    pub(crate) const fn new(kind: RejectionKind) -> Self {
        Self {
            kind,
            envelope: None,
            source: None,
        }
    }

    /// Returns the check that failed.
    pub const fn kind(&self) -> RejectionKind {
        self.kind
    }

    /// Returns the status of the default response.
    pub const fn status(&self) -> StatusCode {
        match self.kind {
            RejectionKind::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            RejectionKind::NotAForm | RejectionKind::ContentEncoding => {
                StatusCode::UNSUPPORTED_MEDIA_TYPE
            }
            RejectionKind::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            RejectionKind::BodyTimeout => StatusCode::REQUEST_TIMEOUT,
            RejectionKind::BodyIncomplete | RejectionKind::Malformed | RejectionKind::NoEvent => {
                StatusCode::BAD_REQUEST
            }
            RejectionKind::TokenMissing
            | RejectionKind::TokenRejected
            | RejectionKind::UrlSecretRejected
            | RejectionKind::HeadRejected => StatusCode::FORBIDDEN,
            RejectionKind::Unavailable | RejectionKind::BodyBudgetExhausted => {
                StatusCode::SERVICE_UNAVAILABLE
            }
        }
    }
}

impl From<EnvelopeError> for Rejection {
    fn from(error: EnvelopeError) -> Self {
        let kind = match error.kind() {
            EnvelopeErrorKind::NoEvent => RejectionKind::NoEvent,
            EnvelopeErrorKind::TooLong => RejectionKind::BodyTooLarge,
            _ => RejectionKind::Malformed,
        };
        Self {
            envelope: Some(error),
            ..Self::new(kind)
        }
    }
}

impl From<VerifyError> for Rejection {
    fn from(error: VerifyError) -> Self {
        let kind = match error.kind() {
            VerifyErrorKind::Missing => RejectionKind::TokenMissing,
            VerifyErrorKind::Rejected => RejectionKind::TokenRejected,
            VerifyErrorKind::Unavailable => RejectionKind::Unavailable,
        };
        let source = error.source().is_some().then(|| Arc::new(error));
        Self {
            source,
            ..Self::new(kind)
        }
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.envelope {
            Some(error) => error.fmt(f),
            None => f.write_str(self.kind.response_body().trim_end()),
        }
    }
}

impl fmt::Debug for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rejection")
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

impl Error for Rejection {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_ref()?.source()
    }
}

/// The response to rejected requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RejectionPolicy {
    /// The status of the failed check and one line of text (`"reject"` in configuration). The
    /// portal's administrator can see that something is wrong.
    #[default]
    Reject,
    /// 200 and an empty body, whichever check failed (`"acknowledge"` in configuration). The request
    /// is dropped and the response reveals nothing, as the platform's SDK documentation advises. The
    /// response still has the [`Rejection`] in its extensions.
    Acknowledge,
}

#[derive(Clone)]
pub(crate) enum ResponsePolicy {
    Policy(RejectionPolicy),
    Custom(Arc<CustomResponse>),
}

type CustomResponse = dyn Fn(&Rejection) -> Response<Bytes> + Send + Sync;

impl ResponsePolicy {
    /// Reuses the allocation of `extensions`, those of the request, for the response.
    pub(crate) fn respond(
        &self,
        rejection: Rejection,
        mut extensions: Extensions,
    ) -> Response<Bytes> {
        let mut response = match self {
            Self::Policy(RejectionPolicy::Reject) => reject(&rejection),
            Self::Policy(RejectionPolicy::Acknowledge) => Response::default(),
            Self::Custom(respond) => respond(&rejection),
        };
        if response.extensions().is_empty() {
            extensions.clear();
            *response.extensions_mut() = extensions;
        }
        response.extensions_mut().insert(rejection);
        response
    }
}

fn reject(rejection: &Rejection) -> Response<Bytes> {
    let body = match rejection.envelope {
        Some(error) => Bytes::from(format!("{error}\n")),
        None => Bytes::from_static(rejection.kind.response_body().as_bytes()),
    };
    let mut response = Response::new(body);
    *response.status_mut() = rejection.status();
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    if rejection.kind == RejectionKind::MethodNotAllowed {
        headers.insert(ALLOW, HeaderValue::from_static("POST"));
    }
    response
}

impl fmt::Debug for ResponsePolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Policy(policy) => policy.fmt(f),
            Self::Custom(_) => f.write_str("Custom"),
        }
    }
}
