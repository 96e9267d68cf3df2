//! The time from the end of a request's body to the verdict.

use std::time::{Duration, Instant};

/// Runs from the body's end. A default timer was never started and has no time.
#[derive(Clone, Copy, Default)]
pub(crate) struct VerificationTimer {
    started: Option<Instant>,
    stopped: Option<Duration>,
}

impl VerificationTimer {
    pub(super) fn start() -> Self {
        Self {
            started: super::now(),
            stopped: None,
        }
    }

    /// Stops the timer, so that parsing the payload is not counted.
    pub(crate) fn stop(&mut self) {
        self.stopped = self.elapsed();
    }

    pub(super) fn elapsed(self) -> Option<Duration> {
        if self.stopped.is_some() {
            return self.stopped;
        }
        Some(self.started?.elapsed())
    }
}
