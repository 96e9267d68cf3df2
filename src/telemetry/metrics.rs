//! The counters and the histogram, for the `metrics` facade.

use metrics::Unit;

#[cfg(feature = "background")]
use super::QueueChange;
use super::labels::{HandlingOutcome, Outcome, kind_name};
use super::timer::VerificationTimer;
use crate::callback::Callback;
use crate::event::Event;
use crate::rejection::Rejection;

/// The value of the label `kind` for requests that are not verified events.
const NO_KIND: &str = "none";

pub(super) const ENABLED: bool = true;

pub(super) fn unverified(outcome: Outcome) {
    count_request(outcome, NO_KIND);
}

pub(super) fn accepted(event: &Event, timer: VerificationTimer) {
    count_request(Outcome::Accepted, kind_name(event));
    record_time(Outcome::Accepted, timer);
}

pub(super) fn callback_accepted(callback: &Callback, timer: VerificationTimer) {
    count_request(Outcome::Accepted, callback.kind().as_str());
    record_time(Outcome::Accepted, timer);
}

pub(super) fn rejected(rejection: &Rejection, timer: VerificationTimer) {
    count_request(Outcome::Rejected, NO_KIND);
    record_time(Outcome::Rejected, timer);
    let reason = rejection.kind().as_str();
    metrics::counter!("bitrix24_rejections_total", "reason" => reason).increment(1);
}

pub(super) fn mismatch(event: &Event) {
    let kind = kind_name(event);
    metrics::counter!("bitrix24_mismatches_total", "kind" => kind).increment(1);
}

pub(super) fn handled(outcome: HandlingOutcome, elapsed: Option<std::time::Duration>) {
    let outcome = outcome.as_str();
    metrics::counter!("bitrix24_handled_total", "outcome" => outcome).increment(1);
    if let Some(elapsed) = elapsed {
        metrics::histogram!("bitrix24_handling_seconds", "outcome" => outcome).record(elapsed);
    }
}

/// The gauges change by differences, so that they are sums if there are several queues.
#[cfg(feature = "background")]
pub(super) fn queue_changed(change: QueueChange) {
    metrics::gauge!("bitrix24_queue_queued").increment(change.queued as f64);
    metrics::gauge!("bitrix24_queue_queued_bytes").increment(change.bytes as f64);
    metrics::gauge!("bitrix24_queue_running").increment(change.running as f64);
}

#[cfg(feature = "background")]
pub(super) fn queue_waited(elapsed: std::time::Duration) {
    metrics::histogram!("bitrix24_queue_wait_seconds").record(elapsed);
}

#[cfg(feature = "portals")]
pub(super) fn not_forgotten() {
    metrics::counter!("bitrix24_portals_not_forgotten_total").increment(1);
}

#[cfg(feature = "portals")]
pub(super) fn accepted_stale() {
    metrics::counter!("bitrix24_portals_accepted_stale_total").increment(1);
}

fn count_request(outcome: Outcome, kind: &'static str) {
    let outcome = outcome.as_str();
    metrics::counter!("bitrix24_events_total", "outcome" => outcome, "kind" => kind).increment(1);
}

fn record_time(outcome: Outcome, timer: VerificationTimer) {
    if let Some(elapsed) = timer.elapsed() {
        let outcome = outcome.as_str();
        metrics::histogram!("bitrix24_verification_seconds", "outcome" => outcome).record(elapsed);
    }
}

/// Registers the units and descriptions of the [metrics](crate::telemetry#the-metrics) with the
/// installed recorder.
///
/// Some exporters show them. Call this once, after the recorder is installed.
///
/// ```
/// tower_bitrix24::telemetry::describe_metrics();
/// ```
pub fn describe_metrics() {
    metrics::describe_counter!(
        "bitrix24_events_total",
        Unit::Count,
        "selected requests, by outcome and kind of event or callback"
    );
    metrics::describe_counter!(
        "bitrix24_rejections_total",
        Unit::Count,
        "rejected requests, by reason"
    );
    metrics::describe_counter!(
        "bitrix24_mismatches_total",
        Unit::Count,
        "events lost because their data do not fit any handler, by kind"
    );
    metrics::describe_counter!(
        "bitrix24_portals_not_forgotten_total",
        Unit::Count,
        "portals that could not be removed after ONAPPUNINSTALL"
    );
    metrics::describe_counter!(
        "bitrix24_portals_accepted_stale_total",
        Unit::Count,
        "events accepted by remembered tokens because the token store failed"
    );
    metrics::describe_counter!(
        "bitrix24_handled_total",
        Unit::Count,
        "verified events whose handling has ended, by outcome"
    );
    metrics::describe_histogram!(
        "bitrix24_handling_seconds",
        Unit::Seconds,
        "time from the verdict, or the start in the background, to the end of the handling"
    );
    metrics::describe_gauge!(
        "bitrix24_queue_queued",
        Unit::Count,
        "events in background queues that have not started"
    );
    metrics::describe_gauge!(
        "bitrix24_queue_queued_bytes",
        Unit::Bytes,
        "memory of the events in background queues that have not started"
    );
    metrics::describe_gauge!(
        "bitrix24_queue_running",
        Unit::Count,
        "events that are being handled in the background"
    );
    metrics::describe_histogram!(
        "bitrix24_queue_wait_seconds",
        Unit::Seconds,
        "time that events waited in background queues"
    );
    #[cfg(feature = "inbox")]
    super::inbox::describe();
    metrics::describe_histogram!(
        "bitrix24_verification_seconds",
        Unit::Seconds,
        "time from the end of a request's body to the verdict"
    );
}
