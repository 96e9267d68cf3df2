//! Why the authorization server, or a portal, did not confirm an access token.

use std::error::Error;
use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::secret::REDACTED;

#[derive(Debug)]
pub(super) enum IntrospectionError {
    Timeout,
    Busy,
    Client(String),
    Incomplete(String),
    TooLarge(usize),
    Status(u16),
    OAuth(String),
    Unreadable(&'static str),
    Unexpected(&'static str),
    NoEndpoint,
}

impl IntrospectionError {
    fn fmt_about(&self, server: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Timeout => write!(f, "{server} did not respond in time"),
            Self::Busy => write!(f, "too many calls of {server} run and wait"),
            Self::Client(why) => write!(f, "{server} cannot be called: {why}"),
            Self::Incomplete(why) => write!(f, "the response of {server} is incomplete: {why}"),
            Self::TooLarge(limit) => write!(f, "the response of {server} is above {limit} bytes"),
            Self::Status(status) => write!(f, "{server} responded with status {status}"),
            Self::OAuth(code) => write!(f, "{server} responded with the error {code}"),
            Self::Unreadable(why) => write!(f, "the response of {server} {why}"),
            Self::Unexpected(method) => {
                write!(f, "the response of {server} is not that of {method}")
            }
            Self::NoEndpoint => write!(f, "{server} has no address with HTTPS"),
        }
    }
}

impl fmt::Display for IntrospectionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fmt_about("the authorization server", f)
    }
}

impl Error for IntrospectionError {}

/// The error of a call of the portal.
#[derive(Debug)]
pub(super) struct ProfileError(pub(super) IntrospectionError);

impl fmt::Display for ProfileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt_about("the portal", f)
    }
}

impl Error for ProfileError {}

/// Removes the access token from the errors of clients, which may quote the URI.
pub(super) struct Redaction<'a> {
    pub(super) token: &'a str,
    pub(super) encoded: String,
}

/// Everything except RFC 3986's unreserved characters.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

const MAX_CAUSES: usize = 8;

impl<'a> Redaction<'a> {
    pub(super) fn new(token: &'a str) -> Self {
        let encoded = utf8_percent_encode(token, ENCODED).to_string();
        Self { token, encoded }
    }

    pub(super) fn string(&self, string: String) -> String {
        let has_token = [self.token, &*self.encoded, "auth="]
            .into_iter()
            .any(|secret| string.contains(secret));
        if has_token {
            REDACTED.to_owned()
        } else {
            string
        }
    }

    pub(super) fn error(&self, error: &(dyn Error + 'static)) -> String {
        let mut messages: Vec<String> = Vec::new();
        let mut next = Some(error);
        while let Some(error) = next.filter(|_| messages.len() < MAX_CAUSES) {
            messages.push(self.string(error.to_string()));
            next = error.source();
        }
        messages.join(": ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Cause(&'static str, Option<Box<Cause>>);

    impl fmt::Display for Cause {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }

    impl Error for Cause {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            self.1.as_deref().map(|cause| cause as _)
        }
    }

    #[test]
    fn redaction_keeps_every_cause_except_those_that_quote_the_request() {
        let redaction = Redaction::new("canary 7f3a");
        let cause = [
            "not reached",
            "GET https://host/rest/app.info?auth=canary+7f3a",
            "canary%207f3a",
            "canary 7f3a",
            "connection refused",
        ]
        .into_iter()
        .rev()
        .fold(None, |cause, text| Some(Box::new(Cause(text, cause))));
        assert_eq!(
            redaction.error(&*cause.unwrap()),
            "not reached: [redacted]: [redacted]: [redacted]: connection refused"
        );
    }
}
