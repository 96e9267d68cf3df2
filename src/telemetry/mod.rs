//! Tracing spans, log lines (feature `tracing`) and metrics (feature `metrics`).
//!
//! Tokens and body contents are never recorded. Requests that the layer does not select are not
//! recorded at all.
//!
//! # The span
//!
//! With the feature `tracing`, every selected request has one span `bitrix24.event` with the target
//! `tower_bitrix24` and the level INFO. The span covers the layer's call up to its response, but not
//! the body of the response. The verifier and the inner service run inside the span, and so does a
//! handler that runs in the background.
//!
//! | field | type | known after | meaning |
//! |---|---|---|---|
//! | `body_bytes` | integer | the body's end | the length of the body in bytes |
//! | `code` | string | the scan | the event's code **as claimed** |
//! | `kind` | string | verification | the name of the [`EventKind`](crate::EventKind), or `undocumented`; for a callback that of its [kind](crate::callback::CallbackKind), such as `robot` |
//! | `member_id` | string | verification | the portal |
//! | `handler_id` | integer | verification | [`Event::handler_id`](crate::Event::handler_id), if the event has one |
//! | `elapsed_us` | integer | the verdict | the time from the body's end to the verdict, in microseconds |
//! | `inbox_key` | string | the call of [`Receive`](crate::inbox::Receive) | the [key](crate::event::DedupKey) of the entry, which the spans of its attempts have too |
//! | `outcome` | string | the verdict | `accepted`, `rejected`, `passed` (another callback) or `probed` (see [`respond_to_probes`](crate::EventLayer::respond_to_probes)) |
//! | `reason` | string | a rejection | [`RejectionKind::as_str`](crate::RejectionKind::as_str) |
//!
//! Strings are truncated to 64 characters. Control characters and other unprintable characters are
//! escaped, so a forged request can neither flood a log nor write a line of its own. A request that is
//! cancelled before the verdict has no `outcome`.
//!
//! With the feature `inbox`, every attempt of a worker has a span `bitrix24.attempt`, which the handler
//! runs in. It may be in another process, and days later, so it is no child of the receipt's span but
//! has its `inbox_key`.
//!
//! | field | type | meaning |
//! |---|---|---|
//! | `inbox_key` | string | the [key](crate::event::DedupKey) of the entry: the same for each attempt and for the span of the receipt |
//! | `seq` | integer | the sequence number of the entry |
//! | `attempt` | integer | the attempt, the first being 1 |
//! | `first_received` | integer | the time of the first receipt in unix milliseconds |
//! | `code`, `member_id` | string | the event's code and portal |
//!
//! # The log lines
//!
//! | level | logged if |
//! |---|---|
//! | ERROR | the verifier could not decide (`unavailable`); the field `error` is the verifier's error |
//! | ERROR | a router or the extractor `On<K>` responds with 422, because the data of an event do not fit and no other handler takes it; the fields are `code`, `member_id`, `domain` and the `path` of the field in the data. [`EventRouterBuilder::on`](crate::handler::EventRouterBuilder::on) shows how to keep such an event |
//! | ERROR | a verified event is not handled: a handler, the background queue or an extractor failed. The fields are `code`, `member_id`, `domain`, `outcome` as in `bitrix24_handled_total`, and `error` (the error and its sources) or `status` (of a response without a [`HandlerError`](crate::handler::HandlerError)) |
//! | ERROR | a verified callback is not handled: its handler failed, its data do not fit, its proof is too weak for the handler, or no handler takes the page. The fields are `kind`, `member_id` and `error` |
//! | ERROR | a portal could not be removed after ONAPPUNINSTALL; the fields are `member_id` and `error` |
//! | ERROR | an inbox could not store events, or a worker could not reach its store; the field `error` is the store's |
//! | ERROR | accepted events in the database of an inbox cannot be read, because something changed them; the fields are `table` and `seq` |
//! | ERROR | an entry of an inbox is dead; the fields are `seq`, `attempt`, `code`, `member_id` and `error` |
//! | WARN | an attempt of a worker did not succeed; the fields are those of a dead entry and `outcome` |
//! | WARN | a request was rejected with `token_missing`, `token_rejected`, `url_secret_rejected`, `head_rejected`, `malformed` or `body_budget_exhausted` |
//! | WARN | a router or an extractor got a request without an event |
//! | WARN | the data of a verified event or callback do not fit its type; the field `path` names the place, the value is not logged |
//! | WARN | an inbox could not place accepted events for a list, which does not show them yet; the field `error` is the store's |
//! | WARN | the token store failed and an event was accepted by remembered tokens; the fields are `member_id` and `error` |
//! | INFO | a request was rejected with `body_too_large`, `body_timeout` or `body_incomplete` |
//! | DEBUG | a request was rejected with `method_not_allowed`, `not_a_form`, `content_encoding` or `no_event`; an event or a callback was accepted |
//!
//! An event that is not handled has exactly one such line, with one exception: if the inner service returns an
//! error of its own, the line has no `error`, because the layer passes that error on without reading it.
//! The errors of handlers are the application's own, escaped and truncated to 256 characters, so **a
//! handler must not put secrets into its errors**. [`EventRouter::handle`](crate::EventRouter::handle) writes
//! the line also without a layer, but counts nothing.
//!
//! The `error` of an `unavailable` is the [source](crate::VerifyError::unavailable) that the
//! application's own verifier gave, escaped and truncated to 256 characters. Without it a failing
//! store could not be repaired. The layer does not know its contents, so **a verifier must not put the
//! token into its errors**.
//!
//! ```
//! use std::sync::{Arc, Mutex};
//!
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::Full;
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//! use tower_bitrix24::{ApplicationToken, EventLayer};
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
//!     |_: Request<Full<Bytes>>| async {
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
//! With the feature `metrics`, these are recorded through the [`metrics`](https://docs.rs/metrics)
//! facade:
//!
//! | metric | type | unit | labels |
//! |---|---|---|---|
//! | `bitrix24_events_total` | counter | selected requests | `outcome`: `accepted`, `rejected`, `passed`, `probed`; `kind`: the name of the [`EventKind`](crate::EventKind), `undocumented`, the name of the [kind of a callback](crate::callback::CallbackKind), or `none` if the request is not verified |
//! | `bitrix24_rejections_total` | counter | rejected requests | `reason`: [`RejectionKind::as_str`](crate::RejectionKind::as_str) |
//! | `bitrix24_handled_total` | counter | accepted events whose handling has ended, each counted once | `outcome`: `completed` (a 2xx response), `failed` (another response or an error), `mismatch` and `unexpected_kind` (422), `timed_out`, `panicked`, `cancelled` (the client or the server dropped the call), `queue_full`, `shutting_down`, `aborted` (by a shutdown), `overloaded` (no memory to wait for the inner service) |
//! | `bitrix24_handling_seconds` | histogram | seconds from the verdict, or from the start in the background, to the end | `outcome`, as above |
//! | `bitrix24_queue_queued`, `bitrix24_queue_queued_bytes`, `bitrix24_queue_running` | gauge | events, bytes, events in all background queues together | |
//! | `bitrix24_queue_wait_seconds` | histogram | seconds in a background queue | |
//! | `bitrix24_inbox_accepted_total` | counter | events for an inbox | `outcome`: `stored`, `rejected` (with 503), `merged`, `duplicate`; a database finds the last two later, when they are counted as `stored` already |
//! | `bitrix24_inbox_commit_seconds`, `bitrix24_inbox_batch_entries` | histogram | seconds and entries of a transaction that stores events | |
//! | `bitrix24_inbox_attempts_total` | counter | attempts of workers | `outcome`: `done`, `retry`, `dead`, `released` (by a shutdown), `lost` (the lease ended) |
//! | `bitrix24_inbox_entries` | gauge | entries in the store, every 15 seconds | `state`: `waiting`, `running`, `dead` |
//! | `bitrix24_inbox_oldest_waiting_seconds`, `bitrix24_inbox_blocked_lanes` | gauge | the age of the oldest waiting entry; lanes whose oldest entry has failed and waits for its next attempt | |
//! | `bitrix24_mismatches_total` | counter | events that a router or `On<K>` rejected with 422, because their data do not fit and no other handler takes them | `kind`: the name of the [`EventKind`](crate::EventKind) |
//! | `bitrix24_portals_not_forgotten_total` | counter | portals that could not be removed after ONAPPUNINSTALL | |
//! | `bitrix24_portals_accepted_stale_total` | counter | events accepted by remembered tokens while the token store failed | |
//! | `bitrix24_verification_seconds` | histogram | seconds | `outcome`: `accepted`, `rejected` |
//!
//! An event that an inbox stores is not handled yet: `bitrix24_handled_total` does not count it, and the
//! attempts are counted instead.
//!
//! `bitrix24_verification_seconds` measures the time from the body's end to the verdict. Requests that
//! are rejected before their body has ended are not in it. No label holds anything of a request, so the number of
//! series is bounded by the tables above.

#[cfg(any(feature = "tracing", feature = "metrics"))]
mod handling;
#[cfg(feature = "inbox")]
pub(crate) mod inbox;
mod labels;
#[cfg(feature = "metrics")]
mod metrics;
#[cfg(not(all(feature = "tracing", feature = "metrics")))]
mod noop;
#[cfg(feature = "tracing")]
mod span;
#[cfg(any(feature = "tracing", feature = "metrics"))]
mod timer;

use std::error::Error;
#[cfg(feature = "background")]
use std::future::Future;
#[cfg(any(feature = "tracing", feature = "metrics"))]
use std::time::Instant;

use bytes::Bytes;

#[cfg(any(feature = "tracing", feature = "metrics"))]
pub(crate) use self::handling::{Handling, mark_recorded};
#[cfg(all(
    any(feature = "background", feature = "inbox"),
    any(feature = "tracing", feature = "metrics")
))]
pub(crate) use self::handling::{count_handled, log_failure, log_response};
pub(crate) use self::labels::HandlingOutcome;
use self::labels::Outcome;
#[cfg(feature = "metrics")]
pub use self::metrics::describe_metrics;
#[cfg(not(any(feature = "tracing", feature = "metrics")))]
pub(crate) use self::noop::handling::{Handling, mark_recorded};
#[cfg(all(
    any(feature = "background", feature = "inbox"),
    not(any(feature = "tracing", feature = "metrics"))
))]
pub(crate) use self::noop::handling::{count_handled, log_failure, log_response};
#[cfg(not(feature = "metrics"))]
use self::noop::metrics;
#[cfg(not(feature = "tracing"))]
use self::noop::span;
#[cfg(not(any(feature = "tracing", feature = "metrics")))]
use self::noop::timer;
use self::span::RequestSpan;
pub(crate) use self::span::SpanGuard;
pub(crate) use self::timer::VerificationTimer;
use crate::callback::Callback;
use crate::envelope::Envelope;
use crate::event::Event;
use crate::rejection::Rejection;
#[cfg(feature = "portals")]
use crate::verify::VerifyError;

/// Records the course of one request. It is zero-sized without the features.
pub(crate) struct Telemetry {
    span: RequestSpan,
}

impl Telemetry {
    /// Records nothing, for a request that is not selected.
    pub(crate) fn disabled() -> Self {
        Self {
            span: RequestSpan::disabled(),
        }
    }

    /// Opens the span of a selected request.
    pub(crate) fn start() -> Self {
        Self {
            span: RequestSpan::new(),
        }
    }

    pub(crate) fn enter(&self) -> SpanGuard<'_> {
        self.span.enter()
    }

    pub(crate) fn collected(&self, body: &Bytes) -> VerificationTimer {
        self.span.record_body_bytes(body.len());
        // Reading the clock is the most expensive part, so it is skipped if the time is not recorded.
        if metrics::ENABLED || !self.span.is_disabled() {
            VerificationTimer::start()
        } else {
            VerificationTimer::default()
        }
    }

    pub(crate) fn record_code(&self, envelope: &Envelope) {
        self.span.record_code(envelope);
    }

    pub(crate) fn accepted(&self, event: &Event, timer: VerificationTimer) {
        self.span.accepted(event, timer);
        metrics::accepted(event, timer);
    }

    pub(crate) fn callback_accepted(&self, callback: &Callback, timer: VerificationTimer) {
        self.span.callback_accepted(callback, timer);
        metrics::callback_accepted(callback, timer);
    }

    pub(crate) fn rejected(&self, rejection: &Rejection, timer: VerificationTimer) {
        self.span.rejected(rejection, timer);
        metrics::rejected(rejection, timer);
    }

    pub(crate) fn probed(&self) {
        self.span.record_outcome(Outcome::Probed);
        metrics::unverified(Outcome::Probed);
    }

    pub(crate) fn passed(&self) {
        self.span.record_outcome(Outcome::Passed);
        metrics::unverified(Outcome::Passed);
    }
}

/// Runs `work` in the current span, also if it is polled elsewhere later.
#[cfg(feature = "background")]
pub(crate) fn in_span<F: Future>(work: F) -> impl Future<Output = F::Output> {
    span::in_current_span(work)
}

#[cfg(feature = "portals")]
pub(crate) fn not_forgotten(member_id: &str, error: &VerifyError) {
    span::not_forgotten(member_id, error);
    metrics::not_forgotten();
}

/// Reads the clock, if there is one: `Instant::now` panics on `wasm32-unknown-unknown`.
#[cfg(any(feature = "tracing", feature = "metrics"))]
fn now() -> Option<Instant> {
    (!cfg!(all(target_family = "wasm", target_os = "unknown"))).then(Instant::now)
}

/// Records that a handler failed with an error, in a line.
pub(crate) fn handler_failed(event: &Event, outcome: HandlingOutcome, error: &dyn Error) {
    span::not_handled(event, outcome, Some(error));
}

/// Records that a verified callback is not handled, in a line.
pub(crate) fn callback_not_handled(callback: &Callback, error: &dyn Error) {
    span::callback_not_handled(callback, error);
}

/// Records that a handler of events got a request without one.
pub(crate) fn no_event(error: &dyn Error) {
    span::no_event(error);
}

#[cfg(feature = "background")]
pub(crate) fn queue_changed(change: QueueChange) {
    metrics::queue_changed(change);
}

#[cfg(feature = "background")]
pub(crate) fn queue_waited(elapsed: std::time::Duration) {
    metrics::queue_waited(elapsed);
}

/// The change of a queue's numbers.
#[cfg(feature = "background")]
#[derive(Clone, Copy, Default)]
#[cfg_attr(
    not(feature = "metrics"),
    allow(dead_code, reason = "metrics read them")
)]
pub(crate) struct QueueChange {
    pub(crate) queued: i64,
    pub(crate) bytes: i64,
    pub(crate) running: i64,
}

/// Records that an event is lost: its data do not fit its handler, and no other handler takes it.
pub(crate) fn mismatch(event: &Event) {
    span::mismatch(event);
    metrics::mismatch(event);
}

#[cfg(feature = "portals")]
pub(crate) fn accepted_stale(member_id: &str, error: &VerifyError) {
    span::accepted_stale(member_id, error);
    metrics::accepted_stale();
}
