//! What a rejected request is told, and how to tell it something else.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE};
use http::{Extensions, HeaderValue, Response, StatusCode};
use serde::Deserialize;

use crate::envelope::{EnvelopeError, EnvelopeErrorKind};

use crate::verify::{VerifyError, VerifyErrorKind};

/// Why a request was rejected.
///
/// It stands in the extensions of the response to a rejected request, so that an outer layer can
/// count or log it. Its text is the body of the default answer; it never holds anything of the
/// request. Where the verifier could not find out, its [`source`](Error::source) is what the verifier
/// said, for logs: neither the text nor `Debug` shows it.
#[derive(Clone)]
pub struct Rejection {
    kind: RejectionKind,
    envelope: Option<EnvelopeError>,
    source: Option<Arc<VerifyError>>,
}

/// The check that a request failed.
///
/// | kind | default status |
/// |---|---|
/// | [`MethodNotAllowed`](Self::MethodNotAllowed) | 405, with `Allow: POST` |
/// | [`NotAForm`](Self::NotAForm), [`ContentEncoding`](Self::ContentEncoding) | 415 |
/// | [`BodyTooLarge`](Self::BodyTooLarge) | 413 |
/// | [`BodyTimeout`](Self::BodyTimeout) | 408 |
/// | [`BodyIncomplete`](Self::BodyIncomplete), [`Malformed`](Self::Malformed), [`NoEvent`](Self::NoEvent) | 400 |
/// | [`TokenMissing`](Self::TokenMissing), [`TokenRejected`](Self::TokenRejected) | 403, with one text |
/// | [`Unavailable`](Self::Unavailable), [`BodyBudgetExhausted`](Self::BodyBudgetExhausted) | 503 |
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RejectionKind {
    /// The method is not POST.
    MethodNotAllowed,
    /// The `Content-Type` is not `application/x-www-form-urlencoded`.
    NotAForm,
    /// The body is compressed (`Content-Encoding`), which the platform never does.
    ContentEncoding,
    /// The body is, or says it is, longer than the limit.
    BodyTooLarge,
    /// The body did not arrive within the deadline.
    BodyTimeout,
    /// The body broke off.
    BodyIncomplete,
    /// The bodies of too many unverified requests are in memory, so there is no room for this one:
    /// see [`EventLayer::body_budget`](crate::EventLayer::body_budget).
    BodyBudgetExhausted,
    /// The body cannot be read in one way only.
    Malformed,
    /// The form has no `event`: it may be another kind of callback.
    NoEvent,
    /// The event carries no application token.
    TokenMissing,
    /// The application token is wrong, or the portal is not known.
    TokenRejected,
    /// Whether the token is right could not be found out.
    Unavailable,
}

impl RejectionKind {
    /// Its name in logs and metrics, such as `token_rejected`.
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
        }
    }

    /// The line that the default answer has.
    const fn line(self) -> &'static str {
        match self {
            Self::MethodNotAllowed => "events are sent by POST\n",
            Self::NotAForm => "events are sent as application/x-www-form-urlencoded\n",
            Self::ContentEncoding => "events are sent without content encoding\n",
            Self::BodyTooLarge => "the body is too large\n",
            Self::BodyTimeout => "the body did not arrive in time\n",
            Self::BodyIncomplete => "the body broke off\n",
            Self::BodyBudgetExhausted => "too many bodies are being received, try again later\n",
            Self::Malformed => "the body cannot be read\n",
            Self::NoEvent => "the body has no event\n",
            // One text for both, so that nobody learns by asking.
            Self::TokenMissing | Self::TokenRejected => "the application token is not accepted\n",
            Self::Unavailable => "the application token cannot be verified now\n",
        }
    }
}

impl Rejection {
    /// The check that failed.
    pub const fn kind(&self) -> RejectionKind {
        self.kind
    }

    /// The status of the default answer.
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
            RejectionKind::TokenMissing | RejectionKind::TokenRejected => StatusCode::FORBIDDEN,
            RejectionKind::Unavailable | RejectionKind::BodyBudgetExhausted => {
                StatusCode::SERVICE_UNAVAILABLE
            }
        }
    }
}

impl From<RejectionKind> for Rejection {
    fn from(kind: RejectionKind) -> Self {
        Self {
            kind,
            envelope: None,
            source: None,
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
            kind,
            envelope: Some(error),
            source: None,
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
            kind,
            envelope: None,
            source,
        }
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.envelope {
            Some(error) => error.fmt(f),
            None => f.write_str(self.kind.line().trim_end()),
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

/// How rejected requests are answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RejectionPolicy {
    /// With the status of the failed check and one line of text (`"reject"` in configuration). The
    /// portal's administrator can see that something is wrong.
    #[default]
    Reject,
    /// With 200 and an empty body (`"acknowledge"` in configuration), whatever the check: the
    /// request is dropped and its sender learns nothing, as the platform's SDK documentation
    /// advises. The [`Rejection`] stands in the response's extensions all the same.
    Acknowledge,
}

/// Makes the answer to a rejected request.
#[derive(Clone)]
pub(crate) enum Answer {
    Policy(RejectionPolicy),
    Custom(Arc<CustomAnswer>),
}

type CustomAnswer = dyn Fn(&Rejection) -> Response<Bytes> + Send + Sync;

impl Answer {
    /// `extensions` are the request's, which end with it: a map that is there need not be made
    /// again.
    pub(crate) fn to(&self, rejection: Rejection, mut extensions: Extensions) -> Response<Bytes> {
        let mut response = match self {
            Self::Policy(RejectionPolicy::Reject) => reject(&rejection),
            Self::Policy(RejectionPolicy::Acknowledge) => Response::default(),
            Self::Custom(answer) => answer(&rejection),
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
    let line = match rejection.envelope {
        Some(error) => Bytes::from(format!("{error}\n")),
        None => Bytes::from_static(rejection.kind.line().as_bytes()),
    };
    let mut response = Response::new(line);
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

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Policy(policy) => policy.fmt(f),
            Self::Custom(_) => f.write_str("Custom"),
        }
    }
}
