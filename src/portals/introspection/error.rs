//! Why the authorization server did not confirm an access token.

use std::error::Error;
use std::fmt;

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
}

impl fmt::Display for IntrospectionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let server = "the authorization server";
        match self {
            Self::Timeout => write!(f, "{server} did not respond in time"),
            Self::Busy => write!(f, "too many calls of {server} run and wait"),
            Self::Client(why) => write!(f, "{server} cannot be called: {why}"),
            Self::Incomplete(why) => write!(f, "the response of {server} is incomplete: {why}"),
            Self::TooLarge(limit) => write!(f, "the response of {server} is above {limit} bytes"),
            Self::Status(status) => write!(f, "{server} responded with status {status}"),
            Self::OAuth(code) => write!(f, "{server} responded with the error {code}"),
            Self::Unreadable(why) => write!(f, "the response of {server} {why}"),
        }
    }
}

impl Error for IntrospectionError {}

/// Removes the access token from the errors of clients, which may quote the URI.
pub(super) struct Redaction<'a> {
    pub(super) token: &'a str,
    pub(super) encoded: &'a str,
}

const MAX_CAUSES: usize = 8;

impl Redaction<'_> {
    pub(super) fn string(&self, string: String) -> String {
        let has_token = [self.token, self.encoded, "auth="]
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
        let redaction = Redaction {
            token: "canary 7f3a",
            encoded: "canary%207f3a",
        };
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
