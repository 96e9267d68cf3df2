//! `Record`: an entry as it is stored, and what selects several.

use std::fmt;
use std::str::FromStr;

use super::super::entry::{Entry, clean_member_id};

/// The state of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum State {
    /// It waits for its first attempt, its next one, or for the lane.
    Waiting,
    /// A worker runs it.
    Running,
    /// It was handled, or discarded.
    Done,
    /// It failed for good and is a dead letter. An operator can retry it.
    Dead,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 4] = [Self::Waiting, Self::Running, Self::Done, Self::Dead];

    /// Returns the state in lower case, such as `waiting`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Done => "done",
            Self::Dead => "dead",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for State {
    type Err = UnknownState;

    fn from_str(text: &str) -> Result<Self, UnknownState> {
        let mut states = Self::ALL.into_iter();
        states
            .find(|state| state.as_str() == text)
            .ok_or(UnknownState)
    }
}

/// The error of parsing a [`State`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownState;

impl fmt::Display for UnknownState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a state is waiting, running, done or dead")
    }
}

impl std::error::Error for UnknownState {}

/// An entry as it is stored. All times are unix milliseconds by the store's clock.
#[derive(Clone, Debug)]
pub struct Record {
    /// The sequence number, which ascends in the order of acceptance.
    pub seq: i64,
    /// The entry. Its body is empty if it was removed.
    pub entry: Entry,
    /// The state.
    pub state: State,
    /// `true` if the entry holds its lane: the others of the lane wait for it.
    pub head: bool,
    /// The time of the first receipt.
    pub first_received: i64,
    /// The time of the last receipt, which differs if entries were merged.
    pub received: i64,
    /// The number of entries that were merged into this one.
    pub merged: u32,
    /// The time of the next attempt; while it runs, the end of the lease.
    pub due: i64,
    /// The number of attempts, including the running one.
    pub attempts: u32,
    /// The number of attempts that do not count towards the maximum.
    pub forgiven: u32,
    /// `true` if its last lease ended without an outcome, so that it runs alone.
    pub suspect: bool,
    /// `true` if an operator replayed it.
    pub replayed: bool,
    /// The time of the first failed attempt, if none has succeeded since.
    pub failing_since: Option<i64>,
    /// The error of the last failed attempt, without secrets.
    pub error: Option<String>,
}

impl Record {
    /// Creates the record of an entry that was taken from a broker, for an
    /// [`EntryHandler`](crate::inbox::EntryHandler). It is running and has no attempts; times are 0.
    pub const fn new(seq: i64, entry: Entry) -> Self {
        Self {
            seq,
            entry,
            state: State::Running,
            head: true,
            first_received: 0,
            received: 0,
            merged: 0,
            due: 0,
            attempts: 0,
            forgiven: 0,
            suspect: false,
            replayed: false,
            failing_since: None,
            error: None,
        }
    }
}

/// A lane whose oldest entry has failed and waits for its next attempt, so that the others wait too.
#[derive(Clone, Debug)]
pub struct BlockedLane {
    /// The oldest entry. It has held the lane since [`failing_since`](Record::failing_since), because of
    /// its [`error`](Record::error), and is tried again when it is [`due`](Record::due).
    pub head: Record,
    /// The number of entries that wait behind it.
    pub behind: u64,
}

/// Selects entries. All conditions must hold; the default selects every entry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Filter {
    /// Only this entry.
    pub seq: Option<i64>,
    /// Only entries after this sequence number.
    pub after: Option<i64>,
    /// Only entries up to this sequence number.
    pub until: Option<i64>,
    /// Only entries in this state.
    pub state: Option<State>,
    /// Only entries of this portal.
    pub member_id: Option<String>,
    /// Only entries with this code.
    pub code: Option<String>,
}

impl Filter {
    /// Selects every entry.
    pub fn new() -> Self {
        Self::default()
    }

    /// Selects one entry.
    pub fn seq(mut self, seq: i64) -> Self {
        self.seq = Some(seq);
        self
    }

    /// Selects entries after this sequence number, for the next page of a list.
    pub fn after(mut self, seq: i64) -> Self {
        self.after = Some(seq);
        self
    }

    /// Selects entries up to this sequence number, to change a page of a list at a time.
    pub fn until(mut self, seq: i64) -> Self {
        self.until = Some(seq);
        self
    }

    /// Selects entries in this state.
    pub fn state(mut self, state: State) -> Self {
        self.state = Some(state);
        self
    }

    /// Selects entries of this portal.
    pub fn member_id(mut self, member_id: impl AsRef<str>) -> Self {
        self.member_id = Some(clean_member_id(member_id.as_ref()));
        self
    }

    /// Selects entries with this code, as it was sent.
    pub fn code(mut self, code: impl Into<String>) -> Self {
        self.code = Some(code.into());
        self
    }

    pub(in crate::inbox) fn selects(&self, record: &Record) -> bool {
        self.seq.is_none_or(|seq| seq == record.seq)
            && self.after.is_none_or(|after| record.seq > after)
            && self.until.is_none_or(|until| record.seq <= until)
            && self.state.is_none_or(|state| state == record.state)
            && matches(self.member_id.as_deref(), &record.entry.member_id)
            && matches(self.code.as_deref(), &record.entry.code)
    }
}

fn matches(wanted: Option<&str>, text: &str) -> bool {
    wanted.is_none_or(|wanted| wanted == text)
}

/// The number of entries in each state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Entries that wait.
    pub waiting: u64,
    /// Entries that run.
    pub running: u64,
    /// Entries that are done and not purged yet.
    pub done: u64,
    /// Entries that are dead letters and not purged yet.
    pub dead: u64,
    /// Lanes whose oldest entry has failed and waits for its next attempt.
    pub blocked_lanes: u64,
    /// The age of the oldest waiting entry since its first receipt, in milliseconds.
    pub oldest_waiting_ms: Option<u64>,
}

impl Stats {
    /// Creates stats, for a store.
    pub const fn new() -> Self {
        Self {
            waiting: 0,
            running: 0,
            done: 0,
            dead: 0,
            blocked_lanes: 0,
            oldest_waiting_ms: None,
        }
    }
}
