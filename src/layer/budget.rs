//! A bound on the memory that waiting bodies take together.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

/// Limits the bytes of waiting bodies. An incomplete body without room evicts older incomplete bodies,
/// as a SYN cache does: otherwise slow strangers could fill the budget and shut everybody else out.
pub(super) struct Budget {
    limit: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The bytes of complete bodies, which are never evicted.
    complete: usize,
    incomplete: [Class; 2],
    arrivals: u64,
}

/// Incomplete bodies of similar size.
#[derive(Default)]
struct Class {
    bytes: usize,
    /// By arrival. Only a body that is being polled has bytes but is missing here.
    parked: BTreeMap<u64, Parked>,
}

/// The buffer stays here while its request waits, so that an eviction frees it at once.
struct Parked {
    buffer: Vec<u8>,
    waker: Waker,
}

const SMALL: usize = 0;
const LARGE: usize = 1;

/// A body of this part of the budget or more is large.
const LARGE_PART: usize = 4096;

/// Small bodies keep their chance: a complete body is admitted only if this many others of its size fit
/// too.
const RESERVED_BODIES: usize = 1024;

/// Large bodies keep theirs: it is also admitted while one part in so many is free. Incomplete bodies
/// never take this part.
const RESERVED_PART: usize = 4;

impl Budget {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            state: Mutex::default(),
        }
    }

    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn class(&self, bytes: usize) -> usize {
        if bytes < self.limit / LARGE_PART {
            SMALL
        } else {
            LARGE
        }
    }
}

impl State {
    fn incomplete_bytes(&self) -> usize {
        self.incomplete[SMALL].bytes + self.incomplete[LARGE].bytes
    }

    /// Returns the class that is to make room. Small bodies thus lose no room to large ones unless they
    /// hold the greater part, and the reverse.
    fn fuller_class(&self) -> usize {
        if self.incomplete[SMALL].bytes > self.incomplete[LARGE].bytes {
            SMALL
        } else {
            LARGE
        }
    }

    /// Evicts the oldest body of a class, if it arrived before `before`.
    fn evict(&mut self, class: usize, before: u64) -> Option<Parked> {
        let class = &mut self.incomplete[class];
        let oldest = class.parked.first_entry()?;
        if *oldest.key() >= before {
            return None;
        }
        let parked = oldest.remove();
        class.bytes -= parked.buffer.capacity();
        Some(parked)
    }
}

/// The part of a budget that one body holds, released on drop. Empty until the body waits, which most
/// never do.
#[derive(Default)]
pub(super) struct Reservation(Option<Box<Reserved>>);

struct Reserved {
    budget: Arc<Budget>,
    bytes: usize,
    /// Zero until the body is parked for the first time.
    arrival: u64,
    is_parked: bool,
    is_complete: bool,
}

impl Reservation {
    /// Reserves room for an incomplete body and keeps its buffer until [`resume`](Self::resume). If the
    /// body is evicted before, `waker` is woken. Returns `false` if there is no room.
    pub(super) fn park(&mut self, budget: &Arc<Budget>, buffer: Vec<u8>, waker: &Waker) -> bool {
        buffer.capacity() == 0 || self.of(budget).park(buffer, waker)
    }

    /// Returns `true` if the body has waited.
    pub(super) fn is_some(&self) -> bool {
        self.0.is_some()
    }

    /// Takes the buffer back, which is empty if none was parked. Returns `None` if the body was evicted.
    pub(super) fn resume(&mut self) -> Option<Vec<u8>> {
        self.0
            .as_mut()
            .map_or_else(|| Some(Vec::new()), |reserved| reserved.resume())
    }

    /// Reserves room for a complete body that holds `bytes`, which is not evicted from now on. Returns
    /// `false` if there is no room.
    pub(super) fn complete(&mut self, budget: &Arc<Budget>, bytes: usize) -> bool {
        bytes == 0 || self.of(budget).complete(bytes)
    }

    fn of(&mut self, budget: &Arc<Budget>) -> &mut Reserved {
        self.0
            .get_or_insert_with(|| Box::new(Reserved::new(budget)))
    }
}

impl Reserved {
    fn new(budget: &Arc<Budget>) -> Self {
        Self {
            budget: budget.clone(),
            bytes: 0,
            arrival: 0,
            is_parked: false,
            is_complete: false,
        }
    }

    fn park(&mut self, buffer: Vec<u8>, waker: &Waker) -> bool {
        let bytes = buffer.capacity();
        let parked = Parked {
            buffer,
            waker: waker.clone(),
        };
        let budget = &*self.budget;
        let mut evicted = Vec::new();
        let mut state = budget.lock();
        if self.arrival == 0 {
            state.arrivals += 1;
            self.arrival = state.arrivals;
        }
        state.incomplete[budget.class(self.bytes)].bytes -= self.bytes;
        let class = budget.class(bytes);
        let room = (budget.limit - budget.limit / RESERVED_PART).min(budget.limit - state.complete);
        let mut fits = bytes <= room;
        if fits {
            state.incomplete[class].bytes += bytes;
            while fits && state.incomplete_bytes() > room {
                let fuller = state.fuller_class();
                // The oldest of its own class does not evict others in order to grow.
                let before = if fuller == class {
                    self.arrival
                } else {
                    u64::MAX
                };
                match state.evict(fuller, before) {
                    Some(parked) => evicted.push(parked),
                    None => {
                        state.incomplete[class].bytes -= bytes;
                        fits = false;
                    }
                }
            }
        }
        self.is_parked = fits;
        self.bytes = if fits { bytes } else { 0 };
        if fits {
            state.incomplete[class].parked.insert(self.arrival, parked);
        }
        drop(state);
        free(evicted);
        fits
    }

    fn resume(&mut self) -> Option<Vec<u8>> {
        if !self.is_parked {
            return Some(Vec::new());
        }
        self.is_parked = false;
        let class = self.budget.class(self.bytes);
        let mut state = self.budget.lock();
        let parked = state.incomplete[class].parked.remove(&self.arrival);
        drop(state);
        if parked.is_none() {
            self.bytes = 0;
        }
        parked.map(|parked| parked.buffer)
    }

    fn complete(&mut self, bytes: usize) -> bool {
        if self.is_complete {
            return true;
        }
        let budget = &*self.budget;
        let reserved = bytes
            .saturating_mul(RESERVED_BODIES)
            .min(budget.limit / RESERVED_PART);
        let mut evicted = Vec::new();
        let mut state = budget.lock();
        let complete = state.complete.saturating_add(bytes);
        let mut fits = complete <= budget.limit - reserved;
        if fits {
            state.incomplete[budget.class(self.bytes)].bytes -= self.bytes;
            self.bytes = 0;
            while fits && state.incomplete_bytes() > budget.limit - complete {
                let fuller = state.fuller_class();
                let victim = state.evict(fuller, u64::MAX);
                match victim.or_else(|| state.evict(1 - fuller, u64::MAX)) {
                    Some(parked) => evicted.push(parked),
                    None => fits = false,
                }
            }
        }
        if fits {
            state.complete = complete;
            self.bytes = bytes;
            self.is_complete = true;
        }
        drop(state);
        free(evicted);
        fits
    }
}

/// Called without the lock: a waker is foreign code.
fn free(evicted: Vec<Parked>) {
    for Parked { buffer, waker } in evicted {
        drop(buffer);
        waker.wake();
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        // Removes a parked buffer, or finds that it was evicted.
        drop(self.resume());
        let mut state = self.budget.lock();
        if self.is_complete {
            state.complete -= self.bytes;
        } else {
            state.incomplete[self.budget.class(self.bytes)].bytes -= self.bytes;
        }
    }
}
