//! The counters of the queue, and the events that a shutdown leaves unfinished.

use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::event::Event;

/// The counters of a [`BackgroundQueue`](super::BackgroundQueue), all read at the same moment.
///
/// Each event that reached the layer is in exactly one of `queued`, `running`, `completed`,
/// `failed`, `timed_out` and `dropped`. `queued` and `running` are current numbers, the others
/// count since the queue was built.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Stats {
    /// Events in the queue that have not started.
    pub queued: usize,
    /// Bytes that the queued events hold, as
    /// [`capacity_bytes`](super::BackgroundBuilder::capacity_bytes) counts them.
    pub queued_bytes: usize,
    /// Events that are being handled.
    pub running: usize,
    /// Events whose handler responded with a 2xx status.
    pub completed: u64,
    /// Events whose handler responded with another status, returned an error or panicked.
    pub failed: u64,
    /// Events that ran longer than the [timeout](super::BackgroundBuilder::timeout).
    pub timed_out: u64,
    /// Events that were rejected with 503, aborted by a
    /// [shutdown](super::BackgroundQueue::shutdown), or running when the runtime ended.
    pub dropped: u64,
    /// The time that the oldest queued event has waited, or `None` if the queue is empty. It is serialized
    /// as seconds, with a fraction.
    #[serde(serialize_with = "seconds")]
    pub oldest_queued_age: Option<Duration>,
}

fn seconds<S: Serializer>(age: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    age.map(|age| age.as_secs_f64()).serialize(serializer)
}

/// The events that a [shutdown](super::BackgroundQueue::shutdown) could not finish.
///
/// They are not handled any more. An application that stores their [bodies](Event::body) can
/// [verify](Event::verify) and handle them after its next start.
#[derive(Clone, Debug, Default)]
#[must_use = "these events are not handled by anything else"]
pub struct Unfinished {
    pub(super) interrupted: Vec<Event>,
    pub(super) queued: Vec<Event>,
}

impl Unfinished {
    /// Returns `true` if every event was finished.
    pub fn is_empty(&self) -> bool {
        self.interrupted.is_empty() && self.queued.is_empty()
    }

    /// Returns the events whose handling was aborted at an await, in the order they started.
    ///
    /// They may be half handled.
    pub fn interrupted(&self) -> &[Event] {
        &self.interrupted
    }

    /// Returns the events that had not started, oldest first.
    pub fn queued(&self) -> &[Event] {
        &self.queued
    }

    /// Returns all events: the interrupted, then the queued.
    pub fn events(&self) -> impl Iterator<Item = &Event> {
        self.interrupted.iter().chain(&self.queued)
    }

    /// Returns all events by value: the interrupted, then the queued.
    pub fn into_events(self) -> impl Iterator<Item = Event> {
        self.interrupted.into_iter().chain(self.queued)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stats_are_serialized_with_the_age_in_seconds() {
        let stats = Stats {
            queued: 1,
            oldest_queued_age: Some(Duration::from_millis(1500)),
            ..Stats::default()
        };
        let json = serde_json::to_value(stats).unwrap();
        assert_eq!(json["queued"], 1);
        assert_eq!(json["oldest_queued_age"], 1.5);
        let idle = serde_json::to_value(Stats::default()).unwrap();
        assert!(idle["oldest_queued_age"].is_null(), "{idle}");
    }
}
