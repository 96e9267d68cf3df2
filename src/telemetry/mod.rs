//! What the layer tells about its work, in logs (feature `tracing`) and in numbers (feature
//! `metrics`).
//!
//! Neither ever tells a token, the body or a value of it. What is not selected leaves no trace.
//!
//! # The span
//!
//! With the feature `tracing`, every selected request has one span `bitrix24.event` of the target
//! `tower_bitrix24` and the level INFO, from the layer's call to its response. The verifier and the
//! service behind the layer run inside it, so that their log lines stand in it too, those of a service
//! that handles events in the background among them; the body of the response does not.
//!
//! | field | type | known from | what it is |
//! |---|---|---|---|
//! | `body_bytes` | integer | the body's end | the body's length, in bytes |
//! | `code` | text | the scan | the event's code **as claimed** |
//! | `kind` | text | the proof | the name of the [`EventKind`](crate::EventKind), or `undocumented` |
//! | `member_id` | text | the proof | the portal |
//! | `handler_id` | integer | the proof | [`Event::handler_id`](crate::Event::handler_id), where there is one |
//! | `elapsed_us` | integer | the verdict | the time from the body's end to the verdict, in microseconds |
//! | `outcome` | text | the verdict | `accepted`, `rejected`, `passed` (another callback) or `probed` (answered by [`respond_to_probes`](crate::EventLayer::respond_to_probes)) |
//! | `reason` | text | a rejection | [`RejectionKind::as_str`](crate::RejectionKind::as_str) |
//!
//! Texts are cut to 64 characters, and control and other unprintable characters in them escaped, so
//! that a forged request can neither flood a log nor write a line of its own. A request that its
//! sender gives up before the verdict has no `outcome`.
//!
//! # The lines
//!
//! | level | when |
//! |---|---|
//! | ERROR | the verifier could not find out (`unavailable`); the field `error` is what it said |
//! | ERROR | a router or the extractor `On<K>` answers 422, since the data of an event do not fit and no other handler takes it; `code`, `member_id`, `domain` and the `path` of the field say which. [`EventRouterBuilder::on`](crate::handler::EventRouterBuilder::on) shows how to keep it |
//! | ERROR | a portal could not be forgotten after ONAPPUNINSTALL; `member_id` and `error` say which and why |
//! | WARN | `token_missing`, `token_rejected`, `malformed`, `body_budget_exhausted`; the data of a verified event do not fit its type, with the `path` of the field and never its value |
//! | WARN | the token store failed, and an event was accepted by what was remembered of it; `member_id` and `error` say which and why |
//! | INFO | `body_too_large`, `body_timeout`, `body_incomplete` |
//! | DEBUG | `method_not_allowed`, `not_a_form`, `content_encoding`, `no_event`; an event is accepted |
//!
//! The text of an `unavailable` is the [source](crate::VerifyError::unavailable) that the
//! application's own verifier gave, escaped and cut to 256 characters: without it nobody could mend
//! the store. The layer cannot know what is in it, so **a verifier must not put the token into its
//! errors**.
//!
//! ```
//! use std::sync::{Arc, Mutex};
//!
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::Full;
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//! use tower_bitrix24::{ApplicationToken, EventBody, EventLayer};
//!
//! # #[derive(Clone, Default)]
//! # struct Log(Arc<Mutex<Vec<u8>>>);
//! # impl std::io::Write for Log {
//! #     fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
//! #         self.0.lock().unwrap().write(bytes)
//! #     }
//! #     fn flush(&mut self) -> std::io::Result<()> { Ok(()) }
//! # }
//! # if !cfg!(feature = "tracing") { return Ok(()) }
//! let log = Log::default(); // a `Write` that keeps what is written
//! let writer = log.clone();
//! let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone());
//! let _guard = tracing::subscriber::set_default(subscriber.finish());
//!
//! # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
//! let token = ApplicationToken::new("51856fefc120afa4b628cc82d3935cce")?;
//! let service = ServiceBuilder::new().layer(EventLayer::new(token)).service(service_fn(
//!     |_: Request<EventBody<Full<Bytes>>>| async {
//!         tracing::info!("handled");
//!         Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::default()))
//!     },
//! ));
//! for token in ["51856fefc120afa4b628cc82d3935cce", "guess"] {
//!     let body = format!("event=ONAPPTEST&auth[application_token]={token}");
//!     let request = Request::post("/")
//!         .header("content-type", "application/x-www-form-urlencoded")
//!         .body(Full::from(body))?;
//!     service.clone().oneshot(request).await?;
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//!
//! let log = String::from_utf8(log.0.lock().unwrap().clone())?;
//! let [handled, rejected] = log.lines().collect::<Vec<_>>()[..] else { panic!("{log}") };
//! assert!(handled.contains(r#"code="ONAPPTEST" kind="AppTest""#) && handled.ends_with("handled"));
//! assert!(rejected.contains("WARN") && rejected.contains(r#"reason="token_rejected""#));
//! assert!(!log.contains("51856fefc120afa4b628cc82d3935cce") && !log.contains("guess"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # The metrics
//!
//! With the feature `metrics`, these go to the recorder of the [`metrics`](https://docs.rs/metrics)
//! facade, whichever the application installs:
//!
//! | metric | type | unit | labels |
//! |---|---|---|---|
//! | `bitrix24_events_total` | counter | selected requests | `outcome`: `accepted`, `rejected`, `passed`, `probed`; `kind`: the name of the [`EventKind`](crate::EventKind), `undocumented`, or `none` for what is not proven |
//! | `bitrix24_rejections_total` | counter | rejected requests | `reason`: [`RejectionKind::as_str`](crate::RejectionKind::as_str) |
//! | `bitrix24_mismatches_total` | counter | events answered 422 by a router or `On<K>` since their data do not fit and no other handler takes them | `kind`: the name of the [`EventKind`](crate::EventKind) |
//! | `bitrix24_portals_not_forgotten_total` | counter | portals that could not be forgotten after ONAPPUNINSTALL | |
//! | `bitrix24_portals_accepted_stale_total` | counter | events that were accepted by what was remembered of the token store, which failed | |
//! | `bitrix24_verification_seconds` | histogram | seconds | `outcome`: `accepted`, `rejected` |
//!
//! The histogram has the time from the body's end to the verdict, so a request that is rejected before
//! its body has ended is not in it. No label holds anything of a request, so there are never more
//! series than the tables have values.

#[cfg(feature = "background")]
use std::future::Future;

use bytes::Bytes;

use crate::envelope::Envelope;

use crate::event::Event;

use crate::rejection::Rejection;

#[cfg(any(feature = "tracing", feature = "metrics"))]
use std::time::{Duration, Instant};

/// What is told of one request. It costs nothing without the features.
pub(crate) struct Observed {
    #[cfg(feature = "tracing")]
    span: tracing::Span,
}

/// While it lives, log lines stand in the request's span.
pub(crate) struct Entered<'a> {
    #[cfg(feature = "tracing")]
    _span: tracing::span::Entered<'a>,
    #[cfg(not(feature = "tracing"))]
    _span: std::marker::PhantomData<&'a Observed>,
}

/// When the body had ended, where somebody wants to know.
#[derive(Clone, Copy, Default)]
pub(crate) struct BodyEnd {
    #[cfg(any(feature = "tracing", feature = "metrics"))]
    at: Option<Instant>,
    #[cfg(any(feature = "tracing", feature = "metrics"))]
    verdict: Option<Duration>,
}

impl BodyEnd {
    /// There is a verdict: what is done after it, reading the payload say, is not timed.
    pub(crate) fn verdict(&mut self) {
        #[cfg(any(feature = "tracing", feature = "metrics"))]
        {
            self.verdict = self.elapsed();
        }
    }

    #[cfg(any(feature = "tracing", feature = "metrics"))]
    fn elapsed(self) -> Option<Duration> {
        self.verdict.or_else(|| self.at.map(|at| at.elapsed()))
    }
}

#[cfg_attr(
    not(feature = "tracing"),
    allow(unused_variables, reason = "the span alone shows them")
)]
impl Observed {
    /// A request that the layer does not select.
    pub(crate) fn nothing() -> Self {
        Self {
            #[cfg(feature = "tracing")]
            span: tracing::Span::none(),
        }
    }

    /// A request that the layer selects.
    pub(crate) fn selected() -> Self {
        Self {
            #[cfg(feature = "tracing")]
            span: trace::span(),
        }
    }

    pub(crate) fn enter(&self) -> Entered<'_> {
        Entered {
            #[cfg(feature = "tracing")]
            _span: self.span.enter(),
            #[cfg(not(feature = "tracing"))]
            _span: std::marker::PhantomData,
        }
    }

    /// The body has ended.
    pub(crate) fn collected(&self, body: &Bytes) -> BodyEnd {
        #[cfg(feature = "tracing")]
        self.span.record("body_bytes", body.len());
        BodyEnd {
            #[cfg(feature = "metrics")]
            at: Some(Instant::now()),
            #[cfg(all(feature = "tracing", not(feature = "metrics")))]
            at: (!self.span.is_disabled()).then(Instant::now),
            #[cfg(any(feature = "tracing", feature = "metrics"))]
            verdict: None,
        }
    }

    /// The body says that it is an event.
    pub(crate) fn claimed(&self, envelope: &Envelope) {
        #[cfg(feature = "tracing")]
        trace::claimed(&self.span, envelope);
    }

    pub(crate) fn accepted(&self, event: &Event, end: BodyEnd) {
        #[cfg(any(feature = "tracing", feature = "metrics"))]
        let (elapsed, kind) = (
            end.elapsed(),
            event
                .kind()
                .map_or("undocumented", crate::event::EventKind::name),
        );
        #[cfg(feature = "tracing")]
        trace::accepted(&self.span, event, kind, elapsed);
        #[cfg(feature = "metrics")]
        count::verdict("accepted", kind, elapsed);
    }

    pub(crate) fn rejected(&self, rejection: &Rejection, end: BodyEnd) {
        #[cfg(any(feature = "tracing", feature = "metrics"))]
        let elapsed = end.elapsed();
        #[cfg(feature = "tracing")]
        trace::rejected(&self.span, rejection, elapsed);
        #[cfg(feature = "metrics")]
        {
            count::verdict("rejected", "none", elapsed);
            count::rejection(rejection.kind().as_str());
        }
    }

    /// The request is a probe and is answered.
    pub(crate) fn probed(&self) {
        #[cfg(feature = "tracing")]
        self.span.record("outcome", "probed");
        #[cfg(feature = "metrics")]
        count::verdict("probed", "none", None);
    }

    /// The request is another callback and goes on.
    pub(crate) fn passed(&self) {
        #[cfg(feature = "tracing")]
        self.span.record("outcome", "passed");
        #[cfg(feature = "metrics")]
        count::verdict("passed", "none", None);
    }
}

/// Work that is done later, in the span of the request that it is for.
#[cfg(feature = "background")]
pub(crate) fn in_span<F: Future>(work: F) -> impl Future<Output = F::Output> {
    #[cfg(feature = "tracing")]
    let work = tracing::Instrument::in_current_span(work);
    work
}

/// The store failed when a portal was to be forgotten.
#[cfg(feature = "portals")]
pub(crate) fn not_forgotten(member_id: &str, error: &crate::verify::VerifyError) {
    #[cfg(feature = "tracing")]
    trace::not_forgotten(member_id, error);
    #[cfg(feature = "metrics")]
    count::not_forgotten();
    #[cfg(not(feature = "tracing"))]
    let _ = (member_id, error);
}

/// The event is lost: its data do not fit its handler, and no other handler takes it.
pub(crate) fn mismatch(event: &Event) {
    #[cfg(feature = "tracing")]
    trace::mismatch(event);
    #[cfg(feature = "metrics")]
    count::mismatch(
        event
            .kind()
            .map_or("undocumented", crate::event::EventKind::name),
    );
    #[cfg(not(any(feature = "tracing", feature = "metrics")))]
    let _ = event;
}

/// The token store failed, and the event was accepted by what is remembered of it.
#[cfg(feature = "cache")]
pub(crate) fn accepted_stale(member_id: &str, error: &crate::verify::VerifyError) {
    #[cfg(feature = "tracing")]
    trace::accepted_stale(member_id, error);
    #[cfg(feature = "metrics")]
    count::accepted_stale();
    #[cfg(not(feature = "tracing"))]
    let _ = (member_id, error);
}

#[cfg(feature = "tracing")]
mod trace {
    use std::borrow::Cow;
    use std::error::Error;
    use std::time::Duration;

    use tracing::field::Empty;
    use tracing::{Level, Span};

    use crate::envelope::Envelope;

    use crate::event::Event;

    use crate::rejection::{Rejection, RejectionKind};

    /// How much of a request's text is shown, in characters.
    const SHOWN: usize = 64;

    /// How much of an error's text is shown, in characters.
    const SHOWN_OF_AN_ERROR: usize = 256;

    pub(super) fn span() -> Span {
        tracing::info_span!(
            target: "tower_bitrix24",
            "bitrix24.event",
            body_bytes = Empty,
            code = Empty,
            kind = Empty,
            member_id = Empty,
            handler_id = Empty,
            elapsed_us = Empty,
            outcome = Empty,
            reason = Empty,
        )
    }

    pub(super) fn claimed(span: &Span, envelope: &Envelope) {
        if !span.is_disabled() {
            span.record("code", &*shown(&envelope.code(), SHOWN));
        }
    }

    pub(super) fn accepted(span: &Span, event: &Event, kind: &str, elapsed: Option<Duration>) {
        if !span.is_disabled() {
            span.record("kind", kind);
            if let Some(member_id) = event.member_id() {
                span.record("member_id", &*shown(&member_id, SHOWN));
            }
            if let Some(handler_id) = event.handler_id() {
                span.record("handler_id", handler_id);
            }
            verdict(span, "accepted", elapsed);
        }
        if let Some(mismatch) = event.mismatch() {
            tracing::warn!(
                target: "tower_bitrix24",
                path = &*shown(mismatch.path(), SHOWN),
                "the data do not fit the type of the event"
            );
        }
        tracing::debug!(target: "tower_bitrix24", "the event is accepted");
    }

    pub(super) fn rejected(span: &Span, rejection: &Rejection, elapsed: Option<Duration>) {
        let reason = rejection.kind().as_str();
        if !span.is_disabled() {
            span.record("reason", reason);
            verdict(span, "rejected", elapsed);
        }
        // The text of a rejection holds nothing of the request.
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
            | RejectionKind::TokenRejected => line!(WARN),
            RejectionKind::Unavailable => {
                let source = rejection.source().map(ToString::to_string);
                let error = shown(source.as_deref().unwrap_or_default(), SHOWN_OF_AN_ERROR);
                let error = &*error;
                line!(ERROR, error);
            }
        }
    }

    pub(super) fn mismatch(event: &Event) {
        let shown = |text: &str| shown(text, SHOWN).into_owned();
        let member_id = event.member_id().map(|member_id| shown(&member_id));
        let path = event.mismatch().map(|mismatch| shown(mismatch.path()));
        tracing::error!(
            target: "tower_bitrix24",
            code = shown(event.code()),
            member_id,
            domain = shown(event.auth().domain()),
            path,
            "the event is lost: its data do not fit the type of its handler, and no other takes it"
        );
    }

    #[cfg(feature = "portals")]
    pub(super) fn not_forgotten(member_id: &str, error: &crate::verify::VerifyError) {
        let source = error.source().map(ToString::to_string);
        tracing::error!(
            target: "tower_bitrix24",
            member_id = &*shown(member_id, SHOWN),
            error = &*shown(source.as_deref().unwrap_or_default(), SHOWN_OF_AN_ERROR),
            "the portal is not forgotten"
        );
    }

    #[cfg(feature = "cache")]
    pub(super) fn accepted_stale(member_id: &str, error: &crate::verify::VerifyError) {
        let source = error.source().map(ToString::to_string);
        tracing::warn!(
            target: "tower_bitrix24",
            member_id = &*shown(member_id, SHOWN),
            error = &*shown(source.as_deref().unwrap_or_default(), SHOWN_OF_AN_ERROR),
            "the token store failed, and the event is accepted by what is remembered of it"
        );
    }

    fn verdict(span: &Span, outcome: &str, elapsed: Option<Duration>) {
        if let Some(elapsed) = elapsed {
            let micros = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
            span.record("elapsed_us", micros);
        }
        span.record("outcome", outcome);
    }

    /// The text within `limit` characters, with what cannot be printed escaped.
    fn shown(text: &str, limit: usize) -> Cow<'_, str> {
        let plain = |byte: u8| matches!(byte, b' '..=b'~') && byte != b'\\';
        if text.len() <= limit && text.bytes().all(plain) {
            return Cow::Borrowed(text);
        }
        let mut shown = String::new();
        for (count, letter) in text.chars().enumerate() {
            match letter {
                _ if count == limit => {
                    shown.push('…');
                    break;
                }
                '"' | '\'' => shown.push(letter),
                _ => shown.extend(letter.escape_debug()),
            }
        }
        Cow::Owned(shown)
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_text_is_shown_as_it_is_if_it_is_short_and_plain() {
            for text in ["", "ONCRMDEALADD", "catalog.product.on.add", "a \"b\" 'c'"] {
                assert!(matches!(shown(text, SHOWN), Cow::Borrowed(shown) if shown == text));
            }
        }

        #[test]
        fn what_cannot_be_printed_is_escaped() {
            assert_eq!(shown("A\r\nB\x1b[2J\\n", SHOWN), r"A\r\nB\u{1b}[2J\\n");
            // What turns the direction of the text round, and ends a line in some viewers.
            assert_eq!(shown("\u{202e}\u{2028}é", SHOWN), r"\u{202e}\u{2028}é");
        }

        #[test]
        fn a_long_text_is_cut_between_characters() {
            let long = "é".repeat(65);
            assert_eq!(shown(&long, 64), "é".repeat(64) + "…");
            assert_eq!(shown(&long[..128], 64), "é".repeat(64));
        }
    }
}

#[cfg(feature = "metrics")]
mod count {
    use std::time::Duration;

    pub(super) fn verdict(outcome: &'static str, kind: &'static str, elapsed: Option<Duration>) {
        metrics::counter!("bitrix24_events_total", "outcome" => outcome, "kind" => kind)
            .increment(1);
        if let Some(elapsed) = elapsed {
            metrics::histogram!("bitrix24_verification_seconds", "outcome" => outcome)
                .record(elapsed);
        }
    }

    #[cfg(feature = "portals")]
    pub(super) fn not_forgotten() {
        metrics::counter!("bitrix24_portals_not_forgotten_total").increment(1);
    }

    pub(super) fn mismatch(kind: &'static str) {
        metrics::counter!("bitrix24_mismatches_total", "kind" => kind).increment(1);
    }

    #[cfg(feature = "cache")]
    pub(super) fn accepted_stale() {
        metrics::counter!("bitrix24_portals_accepted_stale_total").increment(1);
    }

    pub(super) fn rejection(reason: &'static str) {
        metrics::counter!("bitrix24_rejections_total", "reason" => reason).increment(1);
    }
}

/// Tells the installed recorder the units and the descriptions of the [metrics](self#the-metrics),
/// which some exporters show. Call it once, after the recorder is installed.
///
/// ```
/// use metrics_util::debugging::DebuggingRecorder;
///
/// let recorder = DebuggingRecorder::new();
/// metrics::with_local_recorder(&recorder, tower_bitrix24::telemetry::describe_metrics);
/// # // The recorder shows no description of a metric that has no value.
/// # metrics::with_local_recorder(&recorder, || {
/// #     metrics::histogram!("bitrix24_verification_seconds").record(0.1);
/// # });
/// let (_, unit, description, _) = recorder.snapshotter().snapshot().into_vec().remove(0);
/// assert_eq!(unit, Some(metrics::Unit::Seconds));
/// assert_eq!(description.as_deref(), Some("time from the end of a request's body to the verdict"));
/// ```
#[cfg(feature = "metrics")]
#[cfg_attr(docsrs, doc(cfg(feature = "metrics")))]
pub fn describe_metrics() {
    use metrics::Unit;

    metrics::describe_counter!(
        "bitrix24_events_total",
        Unit::Count,
        "requests taken for events, by outcome and kind of event"
    );
    metrics::describe_counter!(
        "bitrix24_rejections_total",
        Unit::Count,
        "requests rejected, by reason"
    );
    metrics::describe_counter!(
        "bitrix24_mismatches_total",
        Unit::Count,
        "events lost since their data do not fit their handler and no other takes them, by kind"
    );
    metrics::describe_counter!(
        "bitrix24_portals_not_forgotten_total",
        Unit::Count,
        "portals that could not be forgotten after ONAPPUNINSTALL"
    );
    metrics::describe_counter!(
        "bitrix24_portals_accepted_stale_total",
        Unit::Count,
        "events accepted by what is remembered of the token store, which failed"
    );
    metrics::describe_histogram!(
        "bitrix24_verification_seconds",
        Unit::Seconds,
        "time from the end of a request's body to the verdict"
    );
}
