//! The span of a request and the log lines.

use std::borrow::Cow;
use std::error::Error;
#[cfg(feature = "background")]
use std::future::Future;

use tracing::field::Empty;
use tracing::{Level, Span};

use super::labels::{HandlingOutcome, Outcome, kind_name};
use super::timer::VerificationTimer;
use crate::callback::Callback;
use crate::envelope::Envelope;
use crate::event::Event;
use crate::rejection::{Rejection, RejectionKind};
#[cfg(feature = "portals")]
use crate::verify::VerifyError;

const MAX_FIELD_CHARS: usize = 64;
const MAX_ERROR_CHARS: usize = 256;

pub(super) struct RequestSpan(Span);

pub(crate) type SpanGuard<'a> = tracing::span::Entered<'a>;

impl RequestSpan {
    pub(super) fn disabled() -> Self {
        Self(Span::none())
    }

    pub(super) fn new() -> Self {
        Self(tracing::info_span!(
            target: "tower_bitrix24",
            "bitrix24.event",
            body_bytes = Empty,
            code = Empty,
            kind = Empty,
            member_id = Empty,
            handler_id = Empty,
            inbox_key = Empty,
            elapsed_us = Empty,
            outcome = Empty,
            reason = Empty,
        ))
    }

    pub(super) fn is_disabled(&self) -> bool {
        self.0.is_disabled()
    }

    pub(super) fn enter(&self) -> SpanGuard<'_> {
        self.0.enter()
    }

    pub(super) fn record_body_bytes(&self, bytes: usize) {
        self.0.record("body_bytes", bytes);
    }

    pub(super) fn record_code(&self, envelope: &Envelope) {
        if self.0.is_disabled() {
            return;
        }
        let code = envelope.code();
        // Of the callbacks, only settings have one.
        if !code.is_empty() {
            self.0.record("code", &*sanitize_field(&code));
        }
    }

    pub(super) fn record_outcome(&self, outcome: Outcome) {
        self.0.record("outcome", outcome.as_str());
    }

    fn record_time(&self, timer: VerificationTimer) {
        if let Some(elapsed) = timer.elapsed() {
            let micros = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
            self.0.record("elapsed_us", micros);
        }
    }

    pub(super) fn accepted(&self, event: &Event, timer: VerificationTimer) {
        if !self.0.is_disabled() {
            self.0.record("kind", kind_name(event));
            if let Some(member_id) = event.member_id() {
                self.0.record("member_id", &*sanitize_field(&member_id));
            }
            if let Some(handler_id) = event.handler_id() {
                self.0.record("handler_id", handler_id);
            }
            self.record_time(timer);
            self.record_outcome(Outcome::Accepted);
        }
        if let Some(mismatch) = event.mismatch() {
            tracing::warn!(
                target: "tower_bitrix24",
                path = &*sanitize_field(mismatch.path()),
                "the data do not fit the type of the event"
            );
        }
        tracing::debug!(target: "tower_bitrix24", "the event is accepted");
    }

    pub(super) fn callback_accepted(&self, callback: &Callback, timer: VerificationTimer) {
        if !self.0.is_disabled() {
            self.0.record("kind", callback.kind().as_str());
            if let Some(member_id) = callback.envelope().member_id() {
                self.0.record("member_id", &*sanitize_field(&member_id));
            }
            self.record_time(timer);
            self.record_outcome(Outcome::Accepted);
        }
        if let Some(mismatch) = callback.mismatch() {
            tracing::warn!(
                target: "tower_bitrix24",
                path = &*sanitize_field(mismatch.path()),
                "the data do not fit the type of the callback"
            );
        }
        tracing::debug!(target: "tower_bitrix24", "the callback is accepted");
    }

    pub(super) fn rejected(&self, rejection: &Rejection, timer: VerificationTimer) {
        let reason = rejection.kind().as_str();
        if !self.0.is_disabled() {
            self.0.record("reason", reason);
            self.record_time(timer);
            self.record_outcome(Outcome::Rejected);
        }
        // `Display` of a rejection holds nothing of the request.
        macro_rules! line {
            ($level:ident $(, $field:ident)?) => {
                tracing::event!(
                    target: "tower_bitrix24", Level::$level, reason, $($field,)? "{rejection}"
                )
            };
        }
        match rejection.kind() {
            RejectionKind::MethodNotAllowed
            | RejectionKind::NotAForm
            | RejectionKind::ContentEncoding
            | RejectionKind::NoEvent => line!(DEBUG),
            RejectionKind::BodyTooLarge
            | RejectionKind::BodyTimeout
            | RejectionKind::BodyIncomplete => line!(INFO),
            RejectionKind::Malformed
            | RejectionKind::BodyBudgetExhausted
            | RejectionKind::TokenMissing
            | RejectionKind::TokenRejected
            | RejectionKind::UrlSecretRejected
            | RejectionKind::HeadRejected => line!(WARN),
            RejectionKind::Unavailable => {
                let source = source_of(rejection);
                let error = sanitize(&source, MAX_ERROR_CHARS);
                let error = &*error;
                line!(ERROR, error);
            }
        }
    }
}

#[cfg(feature = "background")]
pub(super) fn in_current_span<F: Future>(work: F) -> impl Future<Output = F::Output> {
    tracing::Instrument::in_current_span(work)
}

pub(super) fn mismatch(event: &Event) {
    let member_id = event.member_id();
    let path = event.mismatch().map(crate::form::Mismatch::path);
    tracing::error!(
        target: "tower_bitrix24",
        code = &*sanitize_field(event.code()),
        member_id = member_id.as_deref().map(sanitize_field).as_deref(),
        domain = &*sanitize_field(event.auth().domain()),
        path = path.map(sanitize_field).as_deref(),
        "the event is lost: its data do not fit the type of its handler, and no other takes it"
    );
}

pub(super) fn not_handled(event: &Event, outcome: HandlingOutcome, error: Option<&dyn Error>) {
    if outcome == HandlingOutcome::Mismatch {
        return mismatch(event);
    }
    let member_id = event.member_id();
    let chain = error.map(chain);
    tracing::error!(
        target: "tower_bitrix24",
        code = &*sanitize_field(event.code()),
        member_id = member_id.as_deref().map(sanitize_field).as_deref(),
        domain = &*sanitize_field(event.auth().domain()),
        outcome = outcome.as_str(),
        error = chain.as_deref().map(|chain| sanitize(chain, MAX_ERROR_CHARS)).as_deref(),
        "the event is not handled"
    );
}

pub(super) fn bad_status(event: &Event, status: http::StatusCode) {
    let member_id = event.member_id();
    tracing::error!(
        target: "tower_bitrix24",
        code = &*sanitize_field(event.code()),
        member_id = member_id.as_deref().map(sanitize_field).as_deref(),
        domain = &*sanitize_field(event.auth().domain()),
        outcome = HandlingOutcome::Failed.as_str(),
        status = status.as_u16(),
        "the event is not handled"
    );
}

pub(super) fn callback_not_handled(callback: &Callback, error: &dyn Error) {
    let member_id = callback.envelope().member_id();
    tracing::error!(
        target: "tower_bitrix24",
        kind = callback.kind().as_str(),
        member_id = member_id.as_deref().map(sanitize_field).as_deref(),
        error = &*sanitize(&chain(error), MAX_ERROR_CHARS),
        "the callback is not handled"
    );
}

/// Not an error: if other callbacks pass, anybody can send such a request.
pub(super) fn no_event(error: &dyn Error) {
    tracing::warn!(target: "tower_bitrix24", "{error}");
}

/// The error and its sources, separated by colons.
fn chain(error: &dyn Error) -> String {
    let mut chain = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        chain.push_str(": ");
        chain.push_str(&error.to_string());
        source = error.source();
    }
    chain
}

#[cfg(feature = "portals")]
pub(super) fn not_forgotten(member_id: &str, error: &VerifyError) {
    tracing::error!(
        target: "tower_bitrix24",
        member_id = &*sanitize_field(member_id),
        error = &*sanitize(&source_of(error), MAX_ERROR_CHARS),
        "the portal is not forgotten"
    );
}

#[cfg(feature = "portals")]
pub(super) fn accepted_stale(member_id: &str, error: &VerifyError) {
    tracing::warn!(
        target: "tower_bitrix24",
        member_id = &*sanitize_field(member_id),
        error = &*sanitize(&source_of(error), MAX_ERROR_CHARS),
        "the token store failed, and the event is accepted by what is remembered of it"
    );
}

fn source_of(error: &dyn Error) -> String {
    error.source().map(ToString::to_string).unwrap_or_default()
}

#[cfg(feature = "inbox")]
pub(super) fn sanitize_error(error: &dyn Error) -> String {
    let mut text = error.to_string();
    if let Some(source) = error.source() {
        text = format!("{text}: {source}");
    }
    sanitize(&text, MAX_ERROR_CHARS).into_owned()
}

fn sanitize_field(text: &str) -> Cow<'_, str> {
    sanitize(text, MAX_FIELD_CHARS)
}

/// Truncates to `limit` characters and escapes what cannot be printed, so that a request can neither
/// flood a log nor forge a line.
fn sanitize(text: &str, limit: usize) -> Cow<'_, str> {
    let is_plain = |byte: u8| matches!(byte, b' '..=b'~') && byte != b'\\';
    if text.len() <= limit && text.bytes().all(is_plain) {
        return Cow::Borrowed(text);
    }
    let mut sanitized = String::new();
    for (count, letter) in text.chars().enumerate() {
        if count == limit {
            sanitized.push('…');
            break;
        }
        match letter {
            '"' | '\'' => sanitized.push(letter),
            _ => sanitized.extend(letter.escape_debug()),
        }
    }
    Cow::Owned(sanitized)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sanitize_borrows_short_printable_strings() {
        for text in ["", "ONCRMDEALADD", "catalog.product.on.add", "a \"b\" 'c'"] {
            assert!(matches!(sanitize_field(text), Cow::Borrowed(sanitized) if sanitized == text));
        }
    }

    #[test]
    fn sanitize_escapes_unprintable_characters() {
        assert_eq!(sanitize_field("A\r\nB\x1b[2J\\n"), r"A\r\nB\u{1b}[2J\\n");
        // The first reverses the direction of writing; the second ends a line in some viewers.
        assert_eq!(sanitize_field("\u{202e}\u{2028}é"), r"\u{202e}\u{2028}é");
    }

    #[test]
    fn sanitize_truncates_long_strings_between_characters() {
        let long = "é".repeat(65);
        assert_eq!(sanitize(&long, 64), "é".repeat(64) + "…");
        assert_eq!(sanitize(&long[..128], 64), "é".repeat(64));
    }
}
