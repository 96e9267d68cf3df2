//! What the queue counts, and the events that a shutdown leaves unfinished.

use std::time::Duration;

use crate::event::Event;

/// How a [`BackgroundQueue`](super::Background) stands, all read at one moment.
///
/// Each event that reached the layer is in exactly one of the counters: they add up to the events
/// that there were. `queued` and `running` say what is now, the others what was since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Waiting to be run.
    pub queued: usize,
    /// The bytes that the waiting events hold, as [`capacity_bytes`](super::BackgroundBuilder::capacity_bytes)
    /// counts them.
    pub queued_bytes: usize,
    /// Being run.
    pub running: usize,
    /// Answered by the handler with a status below 500.
    pub done: u64,
    /// Answered with 500 or above or with the service's error, or ended by a panic.
    pub failed: u64,
    /// Stopped because it ran longer than it [may](super::BackgroundBuilder::timeout).
    pub timed_out: u64,
    /// Rejected with 503, given up by a [drain](super::Background::shutdown), or stopped by the end of
    /// the runtime.
    pub dropped: u64,
    /// How long the first in the queue has waited; `None` where the queue is empty.
    pub oldest_queued_age: Option<Duration>,
}

/// What a [drain](super::Background::shutdown) could not finish.
///
/// Nothing of it is handled any more: an application that keeps the [bodies](Event::body) can
/// [verify](Event::verify) and handle them after its next start.
#[derive(Clone, Debug, Default)]
#[must_use = "the events in it are handled by nobody else"]
pub struct Unfinished {
    pub(super) interrupted: Vec<Event>,
    pub(super) waiting: Vec<Event>,
}

impl Unfinished {
    /// Whether nothing is left.
    pub fn is_complete(&self) -> bool {
        self.unfinished().next().is_none()
    }

    /// The events whose handling had begun and was stopped at an await, half done perhaps; the
    /// first to begin first.
    pub fn interrupted(&self) -> &[Event] {
        &self.interrupted
    }

    /// The events that no handler has seen; the first to come first.
    pub fn waiting(&self) -> &[Event] {
        &self.waiting
    }

    /// All of them: the interrupted, then the waiting.
    pub fn unfinished(&self) -> impl Iterator<Item = &Event> {
        self.interrupted.iter().chain(&self.waiting)
    }
}
