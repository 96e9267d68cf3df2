//! Why the authorization server did not confirm an access token.

use std::error::Error;
use std::fmt;

use crate::secret::REDACTED;

/// Why it could not be found out whether an installation is the application's.
#[derive(Debug)]
pub(super) enum Failure {
    Late,
    /// As many proofs wait as may.
    Busy,
    Client(String),
    BrokenOff(String),
    TooLong(usize),
    Status(u16),
    Code(String),
    Unreadable(&'static str),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let server = "the authorization server";
        match self {
            Self::Late => write!(f, "{server} did not answer in time"),
            Self::Busy => write!(f, "{server} is being asked about too many installations"),
            Self::Client(why) => write!(f, "{server} cannot be asked: {why}"),
            Self::BrokenOff(why) => write!(f, "the answer of {server} broke off: {why}"),
            Self::TooLong(limit) => write!(f, "the answer of {server} is above {limit} bytes"),
            Self::Status(status) => write!(f, "{server} answered with status {status}"),
            Self::Code(code) => write!(f, "{server} answered with the error {code}"),
            Self::Unreadable(why) => write!(f, "the answer of {server} {why}"),
        }
    }
}

impl Error for Failure {}

/// What others write about a request may quote its URI, which the access token is in.
pub(super) struct Redaction<'a> {
    pub(super) token: &'a str,
    pub(super) encoded: &'a str,
}

/// More causes than any client gives.
const MOST_CAUSES: usize = 8;

impl Redaction<'_> {
    /// The text, unless it may tell the token.
    pub(super) fn text(&self, text: String) -> String {
        let tells = [self.token, self.encoded, "auth="]
            .into_iter()
            .any(|secret| text.contains(secret));
        match tells {
            true => REDACTED.to_owned(),
            false => text,
        }
    }

    /// The texts of the error and of its causes, without those that may tell the token.
    pub(super) fn error(&self, error: &(dyn Error + 'static)) -> String {
        let mut texts: Vec<String> = Vec::new();
        let mut next = Some(error);
        while let Some(error) = next.filter(|_| texts.len() < MOST_CAUSES) {
            texts.push(self.text(error.to_string()));
            next = error.source();
        }
        texts.join(": ")
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
    fn every_cause_is_told_but_those_that_quote_the_request() {
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
