//! The verdict on an entry that a response is.

use std::error::Error;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::header::RETRY_AFTER;
use http::{Extensions, HeaderMap, Response, StatusCode, Uri};

use crate::form::percent::decode_text;
use crate::form::{Array, Value};
use crate::handler::{HandlerError, HandlerErrorKind};
use crate::inbox::request::StoredRequest;
use crate::secret::{Secret, is_secret, without_secrets};

/// The longest text of an error that is stored, in characters.
const MAX_ERROR_CHARS: usize = 500;

/// A part of the request's target that is as long may be a secret, wherever it is quoted. Shorter ones may
/// be words of the error.
const MIN_SECRET_LEN: usize = 16;

/// Longer pauses are shortened to this, so that an entry is not postponed for ever.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Handled, with a 2xx status if `true`.
    Done(bool),
    Retry {
        after: Option<Duration>,
        error: String,
    },
    Dead {
        error: String,
    },
}

pub(super) fn of_response<R>(
    response: &Response<R>,
    stored: &StoredRequest,
    target: &Uri,
) -> Verdict {
    let status = response.status();
    let error = || redact(&describe(status, response.extensions()), stored, target);
    match status {
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS => {
            Verdict::Retry {
                after: retry_after(response.headers()),
                error: error(),
            }
        }
        StatusCode::NOT_FOUND
        | StatusCode::METHOD_NOT_ALLOWED
        | StatusCode::GONE
        | StatusCode::UNPROCESSABLE_ENTITY => Verdict::Dead { error: error() },
        _ if is_weak_proof(response.extensions()) => Verdict::Dead { error: error() },
        status if status.as_u16() < 500 => Verdict::Done(status.is_success()),
        _ => Verdict::Retry {
            after: retry_after(response.headers()),
            error: error(),
        },
    }
}

pub(super) fn of_error(
    error: &(dyn Error + 'static),
    stored: &StoredRequest,
    target: &Uri,
) -> Verdict {
    Verdict::Retry {
        after: None,
        error: redact(&chain(error), stored, target),
    }
}

/// The handler was never called, and the proof of a stored callback stays what it is.
fn is_weak_proof(extensions: &Extensions) -> bool {
    let error = extensions.get::<HandlerError>();
    error.is_some_and(|error| error.kind() == HandlerErrorKind::WeakProof)
}

fn describe(status: StatusCode, extensions: &Extensions) -> String {
    match extensions.get::<HandlerError>() {
        Some(error) => format!("{status}: {}", chain(error)),
        None => status.to_string(),
    }
}

/// The error with its sources.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}

/// Removes the secrets of links and those of the request, since the error of an HTTP client may quote
/// its URL, and the error of a router this one's.
fn redact(text: &str, stored: &StoredRequest, target: &Uri) -> String {
    let auth = stored.auth();
    let tokens = [
        auth.application_token(),
        auth.access_token(),
        auth.refresh_token(),
    ];
    let mut secrets: Vec<&str> = tokens.into_iter().flatten().map(Secret::expose).collect();
    if let Some(data) = stored.data() {
        add_secrets(data, &mut secrets);
    }
    let parts = parts(target);
    secrets.extend(parts.iter().map(String::as_str));
    // The longest first, since one may be a part of another.
    secrets.sort_unstable_by_key(|secret| std::cmp::Reverse(secret.len()));
    let mut text = text.to_owned();
    for secret in secrets {
        if secret.len() > 3 {
            text = text.replace(secret, crate::secret::REDACTED);
        }
    }
    let text = without_secrets(&text);
    let is_cut = text.chars().count() > MAX_ERROR_CHARS;
    let mut short: String = text
        .chars()
        .take(MAX_ERROR_CHARS)
        // PostgreSQL stores no zero byte, and a line break would forge a line of a list.
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .collect();
    if is_cut {
        short.push('…');
    }
    short
}

/// The pairs of the query, and its values and the segments of the path that are long, as they are and
/// decoded: the URL of an events' handler may have a secret in any of them.
fn parts(target: &Uri) -> Vec<String> {
    let (path, query) = (target.path(), target.query().unwrap_or_default());
    let pairs = query.split('&').filter(|pair| pair.contains('='));
    let parts = path.split('/').chain(query.split(['&', '=']));
    let long = parts.filter(|part| part.len() >= MIN_SECRET_LEN);
    let sent = pairs.chain(long);
    sent.flat_map(|part| [part.to_owned(), decode_text(part.as_bytes()).into_owned()])
        .collect()
}

/// Adds the strings under keys of secrets, such as the tokens of each bot.
fn add_secrets<'a>(value: &'a Value, secrets: &mut Vec<&'a str>) {
    let entries = value.as_array().into_iter().flat_map(Array::iter);
    for (key, value) in entries {
        match value.as_str() {
            Some(text) if is_secret(key) => secrets.push(text),
            Some(_) => {}
            None => add_secrets(value, secrets),
        }
    }
}

/// Reads seconds or a date.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let after = match value.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
            Duration::from_secs(parse_http_date(value)?).saturating_sub(now)
        }
    };
    Some(after.min(MAX_RETRY_AFTER))
}

/// Parses the one form of dates that senders may use (RFC 9110, section 5.6.7), to unix seconds.
fn parse_http_date(text: &str) -> Option<u64> {
    const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let (_, date) = text.split_once(", ")?;
    let date = date.strip_suffix(" GMT")?;
    let mut parts = date.split([' ', ':']);
    let mut number = || parts.next()?.parse::<u64>().ok();
    let day = number()?;
    let month = parts.next().filter(|month| month.len() == 3)?;
    let month = MONTHS.find(month).filter(|at| at % 3 == 0)? as u64 / 3 + 1;
    let mut number = || parts.next()?.parse::<u64>().ok();
    let (year, hour, minute, second) = (number()?, number()?, number()?, number()?);
    let is_date = (1970..10_000).contains(&year) && day <= 31;
    let is_time = hour <= 23 && minute <= 59 && second <= 60;
    if !is_date || !is_time {
        return None;
    }
    // Days since 1970 of a year that begins in March, so that a leap day is the last.
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let leap_days = year / 4 - year / 100 + year / 400;
    let days = (365 * year + leap_days + (153 * month + 2) / 5 + day).checked_sub(719_469)?;
    Some(((days * 24 + hour) * 60 + minute) * 60 + second)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::envelope::Envelope;
    use crate::event::Event;

    fn event() -> StoredRequest {
        let body = "event=ONCRMDEALADD&data[FIELDS][ID]=42&auth[access_token]=canary-access\
                    &auth[refresh_token]=canary-refresh&auth[application_token]=canary-application";
        StoredRequest::Event(Event::from_verified(Envelope::scan(body).unwrap()))
    }

    fn target() -> Uri {
        let query = "via=canary-of-the-query&via=short&more=decoded%2Bcanary%2Fof-the-query";
        let target = format!("/events/canary-of-the-path?{query}");
        target.parse().unwrap()
    }

    fn verdict(status: u16, headers: &[(&'static str, &'static str)]) -> Verdict {
        let mut response = Response::builder().status(status);
        for (name, value) in headers {
            response = response.header(*name, *value);
        }
        of_response(&response.body(()).unwrap(), &event(), &target())
    }

    #[test]
    fn status_decides_between_done_retry_and_dead() {
        for status in [200, 204, 299] {
            assert_eq!(verdict(status, &[]), Verdict::Done(true), "{status}");
        }
        for status in [302, 400, 401, 403, 409] {
            assert_eq!(verdict(status, &[]), Verdict::Done(false), "{status}");
        }
        for status in [404, 405, 410, 422] {
            assert!(
                matches!(verdict(status, &[]), Verdict::Dead { .. }),
                "{status}"
            );
        }
        for status in [408, 425, 429, 500, 502, 503, 599] {
            let verdict = verdict(status, &[]);
            assert!(
                matches!(verdict, Verdict::Retry { after: None, .. }),
                "{status}"
            );
        }
    }

    #[test]
    fn handler_error_of_a_weak_proof_is_dead_whatever_the_status_of_the_response() {
        for status in [200, 403, 500] {
            let mut response = Response::builder().status(status).body(()).unwrap();
            let error = event().error(HandlerErrorKind::WeakProof);
            response.extensions_mut().insert(error);
            let verdict = of_response(&response, &event(), &target());
            assert!(
                matches!(verdict, Verdict::Dead { .. }),
                "{status} {verdict:?}"
            );
        }
        let mut failed = Response::builder().status(403).body(()).unwrap();
        let error = event().error(HandlerErrorKind::HandlerFailed);
        failed.extensions_mut().insert(error);
        assert_eq!(
            of_response(&failed, &event(), &target()),
            Verdict::Done(false)
        );
    }

    #[test]
    fn retry_after_is_read_as_seconds_or_a_date_and_bounded() {
        let after = |value: &'static str| match verdict(503, &[("retry-after", value)]) {
            Verdict::Retry { after, .. } => after,
            verdict => panic!("{verdict:?}"),
        };
        assert_eq!(after("90"), Some(Duration::from_secs(90)));
        assert_eq!(after("99999999"), Some(MAX_RETRY_AFTER));
        assert_eq!(after("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Duration::ZERO));
        assert_eq!(
            after("Sun, 06 Nov 2994 08:49:37 GMT"),
            Some(MAX_RETRY_AFTER)
        );
        assert_eq!(after("soon"), None);
    }

    #[test]
    fn http_dates_are_unix_seconds() {
        for (date, seconds) in [
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(784_111_777)),
            ("Thu, 01 Jan 1970 00:00:00 GMT", Some(0)),
            ("Thu, 29 Feb 2024 12:00:00 GMT", Some(1_709_208_000)),
            ("Fri, 01 Mar 2024 00:00:00 GMT", Some(1_709_251_200)),
            ("Sunday, 06-Nov-94 08:49:37 GMT", None),
            ("Sun, 06 Foo 1994 08:49:37 GMT", None),
            ("Sun, 18446744073709551615 Nov 1994 08:49:37 GMT", None),
            ("Sun, 06 Nov 1994 08:18446744073709551615:37 GMT", None),
        ] {
            assert_eq!(parse_http_date(date), seconds, "{date}");
        }
    }

    #[test]
    fn stored_error_has_the_source_of_the_handler_error_and_no_secret() {
        let source = "GET https://a.bitrix24.com/rest/?auth=canary-access failed: \
                      canary-refresh\ncanary-application";
        let error = event().error(HandlerErrorKind::HandlerFailed);
        let response = error.with_source(source.into()).into_event_response();
        let Verdict::Retry { error, .. } = of_response(&response, &event(), &target()) else {
            panic!("{response:?}")
        };
        assert!(error.starts_with("500 Internal Server Error: the handler of ONCRMDEALADD failed"));
        assert!(
            error.contains("failed: ") && !error.contains("canary"),
            "{error}"
        );
        assert!(!error.contains('\n'));

        // An event may have the tokens of several bots.
        let body = "event=ONIMBOTMESSAGEADD&data[BOT][1][AUTH][access_token]=canary\
                    &data[BOT][2][AUTH][access_token]=canary-2&data[BOT][2][AUTH][refresh_token]=canary-3\
                    &auth[application_token]=canary-application";
        let bots = Event::from_verified(Envelope::scan(body).unwrap());
        let quoted = Box::<dyn Error>::from("canary-2 and canary-3 of canary: the bot 2 is gone");
        let stored = StoredRequest::Event(bots);
        let Verdict::Retry { error, .. } = of_error(&*quoted, &stored, &target()) else {
            panic!()
        };
        assert_eq!(
            error,
            "[redacted] and [redacted] of [redacted]: the bot 2 is gone"
        );

        let long = "é".repeat(2000);
        let long = Box::<dyn Error>::from(long);
        let Verdict::Retry { error, .. } = of_error(&*long, &event(), &target()) else {
            panic!()
        };
        assert_eq!(error.chars().count(), MAX_ERROR_CHARS + 1);
    }

    #[test]
    fn stored_error_has_no_secret_of_the_request_target() {
        for (error, stored) in [
            (
                "no route for /events/canary-of-the-path?via=canary-of-the-query",
                "no route for /events/[redacted]?[redacted]",
            ),
            ("via=short&to=riga", "[redacted]&to=riga"),
            (
                "Some(\"decoded+canary/of-the-query\")",
                "Some(\"[redacted]\")",
            ),
            ("canary-of-the-path is no number", "[redacted] is no number"),
            (
                "the events of canary-of-the-query",
                "the events of [redacted]",
            ),
        ] {
            let error = Box::<dyn Error>::from(error);
            let Verdict::Retry { error, .. } = of_error(&*error, &event(), &target()) else {
                panic!()
            };
            assert_eq!(error, stored);
        }
        let root = Uri::from_static("/");
        let error = Box::<dyn Error>::from("GET / failed");
        let Verdict::Retry { error, .. } = of_error(&*error, &event(), &root) else {
            panic!()
        };
        assert_eq!(error, "GET / failed");
    }
}
