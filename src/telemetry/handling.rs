//! Follows a verified event to the end of its handling: one line if it failed, one count, one time.

use std::error::Error;
use std::time::{Duration, Instant};

use http::{Extensions, Response};

use super::labels::HandlingOutcome;
use super::{metrics, span};
use crate::event::Event;

/// In the extensions of a response whose outcome has its line already.
#[derive(Clone, Copy)]
struct Recorded(HandlingOutcome);

/// Records one outcome. If it is dropped before, the handler panicked or the call was dropped.
#[derive(Default)]
pub(crate) struct Handling {
    event: Option<Event>,
    started: Option<Instant>,
    is_polling: bool,
}

impl Handling {
    pub(crate) fn start(event: &Event) -> Self {
        Self {
            event: Some(event.clone()),
            started: metrics::ENABLED.then(super::now).flatten(),
            is_polling: false,
        }
    }

    /// Marks the start and the end of a poll, so that a panic is distinguished from a dropped call.
    pub(crate) fn polling(&mut self, is_polling: bool) {
        self.is_polling = is_polling;
    }

    /// Records the outcome that a response shows.
    pub(crate) fn responded<B>(&mut self, response: &Response<B>) {
        let Some(event) = self.event.take() else {
            return;
        };
        let outcome = log_response(&event, response);
        if outcome != HandlingOutcome::Deferred {
            self.count(outcome);
        }
    }

    pub(crate) fn failed(&mut self, outcome: HandlingOutcome, error: Option<&dyn Error>) {
        if let Some(event) = self.event.take() {
            span::not_handled(&event, outcome, error);
            self.count(outcome);
        }
    }

    pub(crate) fn completed(&mut self) {
        if self.event.take().is_some() {
            self.count(HandlingOutcome::Completed);
        }
    }

    fn count(&self, outcome: HandlingOutcome) {
        count_handled(outcome, self.started.map(|started| started.elapsed()));
    }
}

impl Drop for Handling {
    fn drop(&mut self) {
        if self.is_polling || std::thread::panicking() {
            self.failed(HandlingOutcome::Panicked, None);
        } else {
            self.failed(HandlingOutcome::Cancelled, None);
        }
    }
}

/// Returns the outcome that a response shows, after its line if it has none yet.
pub(crate) fn log_response<B>(event: &Event, response: &Response<B>) -> HandlingOutcome {
    if let Some(Recorded(outcome)) = response.extensions().get() {
        return *outcome;
    }
    if response.status().is_success() {
        return HandlingOutcome::Completed;
    }
    span::bad_status(event, response.status());
    HandlingOutcome::Failed
}

pub(crate) fn mark_recorded(extensions: &mut Extensions, outcome: HandlingOutcome) {
    extensions.insert(Recorded(outcome));
}

#[cfg(any(feature = "background", feature = "inbox"))]
pub(crate) fn log_failure(event: &Event, outcome: HandlingOutcome, error: Option<&dyn Error>) {
    span::not_handled(event, outcome, error);
}

pub(crate) fn count_handled(outcome: HandlingOutcome, elapsed: Option<Duration>) {
    metrics::handled(outcome, elapsed);
}
