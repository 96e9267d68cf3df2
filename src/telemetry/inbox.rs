//! The records of the inbox: log lines, spans of attempts, counters and gauges.

use std::error::Error;
use std::fmt::Display;
use std::future::Future;
use std::time::Duration;

/// The number of entries in each state, for the gauges.
pub(crate) struct Gauges {
    pub(crate) waiting: u64,
    pub(crate) running: u64,
    pub(crate) dead: u64,
    pub(crate) blocked_lanes: u64,
    pub(crate) oldest_waiting: Duration,
}

/// An attempt as a log shows it.
#[derive(Clone, Copy)]
pub(crate) struct Attempt<'a> {
    pub(crate) seq: i64,
    pub(crate) attempt: u32,
    pub(crate) key: &'a (dyn Display + Sync),
    pub(crate) first_received: i64,
    pub(crate) code: &'a str,
    pub(crate) member_id: &'a str,
}

/// Records the key of an entry in the span of its receipt, by which the spans of its attempts are found.
pub(crate) fn received(key: &dyn Display) {
    #[cfg(feature = "tracing")]
    tracing::Span::current().record("inbox_key", tracing::field::display(key));
    let _ = key;
}

/// Records a transaction with an outcome for each of its entries.
pub(crate) fn committed(elapsed: Duration, outcomes: impl ExactSizeIterator<Item = &'static str>) {
    #[cfg(feature = "metrics")]
    {
        metrics::histogram!("bitrix24_inbox_commit_seconds").record(elapsed);
        metrics::histogram!("bitrix24_inbox_batch_entries").record(outcomes.len() as f64);
        for outcome in outcomes {
            metrics::counter!("bitrix24_inbox_accepted_total", "outcome" => outcome).increment(1);
        }
    }
    #[cfg(not(feature = "metrics"))]
    let _ = (elapsed, outcomes);
}

/// Records stored entries that were merged into others, and duplicates.
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub(crate) fn placed(merged: usize, duplicates: usize) {
    #[cfg(feature = "metrics")]
    for (outcome, entries) in [("merged", merged), ("duplicate", duplicates)] {
        if entries > 0 {
            metrics::counter!("bitrix24_inbox_accepted_total", "outcome" => outcome)
                .increment(entries as u64);
        }
    }
    let _ = (merged, duplicates);
}

/// Records accepted entries that the store cannot read: they were changed.
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub(crate) fn unreadable(table: &str, seq: i64) {
    #[cfg(feature = "tracing")]
    tracing::error!(
        target: "tower_bitrix24",
        table,
        seq,
        "a row of accepted events cannot be read and is set aside: something changed it"
    );
    let _ = (table, seq);
}

/// Records that accepted entries could not be given their place, so that a list does not show them.
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub(crate) fn not_placed(error: &dyn Error) {
    #[cfg(feature = "tracing")]
    tracing::warn!(
        target: "tower_bitrix24",
        error = &*super::span::sanitize_error(error),
        "the inbox could not place accepted events: a list does not show them yet"
    );
    let _ = error;
}

/// Records that entries could not be stored, so that their senders got a 503.
pub(crate) fn not_committed(entries: usize, error: &dyn Error) {
    #[cfg(feature = "metrics")]
    metrics::counter!("bitrix24_inbox_accepted_total", "outcome" => "rejected")
        .increment(entries as u64);
    #[cfg(feature = "tracing")]
    tracing::error!(
        target: "tower_bitrix24",
        entries,
        error = &*super::span::sanitize_error(error),
        "the inbox could not store events: they get 503"
    );
    let _ = (entries, error);
}

/// Records that a worker could not reach the store.
pub(crate) fn worker_failed(error: &dyn Error) {
    #[cfg(feature = "tracing")]
    tracing::error!(
        target: "tower_bitrix24",
        error = &*super::span::sanitize_error(error),
        "the worker could not reach the inbox and tries again"
    );
    let _ = error;
}

/// Records that a worker has ended by a panic of its store.
pub(crate) fn worker_panicked() {
    #[cfg(feature = "tracing")]
    tracing::error!(
        target: "tower_bitrix24",
        "the worker panicked and handles nothing until it is started again"
    );
}

/// Records the end of an attempt. The error has no secrets.
pub(crate) fn attempt_ended(attempt: Attempt<'_>, outcome: &'static str, error: Option<&str>) {
    #[cfg(feature = "metrics")]
    metrics::counter!("bitrix24_inbox_attempts_total", "outcome" => outcome).increment(1);
    #[cfg(feature = "tracing")]
    {
        let Attempt {
            seq,
            attempt,
            code,
            member_id,
            ..
        } = attempt;
        let error = error.unwrap_or_default();
        match outcome {
            "dead" => tracing::error!(
                target: "tower_bitrix24", seq, attempt, code, member_id, error,
                "the entry is dead: retry or discard it"
            ),
            "done" => tracing::debug!(target: "tower_bitrix24", seq, attempt, "the entry is done"),
            _ => tracing::warn!(
                target: "tower_bitrix24", seq, attempt, code, member_id, outcome, error,
                "the attempt did not succeed"
            ),
        }
    }
    let _ = (
        attempt.seq,
        attempt.attempt,
        attempt.key,
        attempt.first_received,
        attempt.code,
        attempt.member_id,
    );
    let _ = (outcome, error);
}

/// Runs the handler in the span of its attempt.
pub(crate) fn in_attempt<F: Future>(
    attempt: Attempt<'_>,
    work: F,
) -> impl Future<Output = F::Output> + use<F> {
    #[cfg(feature = "tracing")]
    let work = tracing::Instrument::instrument(
        work,
        tracing::info_span!(
            target: "tower_bitrix24",
            "bitrix24.attempt",
            inbox_key = tracing::field::display(attempt.key),
            seq = attempt.seq,
            attempt = attempt.attempt,
            first_received = attempt.first_received,
            code = attempt.code,
            member_id = attempt.member_id,
        ),
    );
    let _ = attempt;
    work
}

pub(crate) const HAS_GAUGES: bool = cfg!(feature = "metrics");

pub(crate) fn gauges(gauges: &Gauges) {
    #[cfg(feature = "metrics")]
    {
        for (state, entries) in [
            ("waiting", gauges.waiting),
            ("running", gauges.running),
            ("dead", gauges.dead),
        ] {
            metrics::gauge!("bitrix24_inbox_entries", "state" => state).set(entries as f64);
        }
        metrics::gauge!("bitrix24_inbox_blocked_lanes").set(gauges.blocked_lanes as f64);
        metrics::gauge!("bitrix24_inbox_oldest_waiting_seconds")
            .set(gauges.oldest_waiting.as_secs_f64());
    }
    let Gauges {
        waiting,
        running,
        dead,
        blocked_lanes,
        oldest_waiting,
    } = gauges;
    let _ = (waiting, running, dead, blocked_lanes, oldest_waiting);
}

#[cfg(feature = "metrics")]
pub(super) fn describe() {
    use metrics::Unit;

    metrics::describe_counter!(
        "bitrix24_inbox_accepted_total",
        Unit::Count,
        "events for an inbox, by outcome"
    );
    metrics::describe_histogram!(
        "bitrix24_inbox_commit_seconds",
        Unit::Seconds,
        "time of a transaction that stores events"
    );
    metrics::describe_histogram!(
        "bitrix24_inbox_batch_entries",
        Unit::Count,
        "events of a transaction that stores events"
    );
    metrics::describe_counter!(
        "bitrix24_inbox_attempts_total",
        Unit::Count,
        "attempts of workers, by outcome"
    );
    metrics::describe_gauge!(
        "bitrix24_inbox_entries",
        Unit::Count,
        "entries in the store of an inbox, by state"
    );
    metrics::describe_gauge!(
        "bitrix24_inbox_blocked_lanes",
        Unit::Count,
        "lanes whose oldest entry has failed and waits for its next attempt"
    );
    metrics::describe_gauge!(
        "bitrix24_inbox_oldest_waiting_seconds",
        Unit::Seconds,
        "age of the oldest entry that waits"
    );
}
