//! A bound on the memory that waiting bodies take together.

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

/// The part of a budget that one body holds, released on drop.
#[derive(Default)]
pub(super) struct Reservation {
    // Most bodies never wait, so they need not count a reference.
    budget: Option<Arc<Budget>>,
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
        let bytes = buffer.capacity();
        if bytes == 0 {
            return true;
        }
        let parked = Parked {
            buffer,
            waker: waker.clone(),
        };
        let budget = self.budget.get_or_insert_with(|| budget.clone());
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

    /// Takes the buffer back, which is empty if none was parked. Returns `None` if the body was evicted.
    pub(super) fn resume(&mut self) -> Option<Vec<u8>> {
        let Some(budget) = self.budget.as_ref().filter(|_| self.is_parked) else {
            return Some(Vec::new());
        };
        self.is_parked = false;
        let class = budget.class(self.bytes);
        let parked = budget.lock().incomplete[class].parked.remove(&self.arrival);
        if parked.is_none() {
            self.bytes = 0;
        }
        parked.map(|parked| parked.buffer)
    }

    /// Reserves room for a complete body that holds `bytes`, which is not evicted from now on. Returns
    /// `false` if there is no room.
    pub(super) fn complete(&mut self, budget: &Arc<Budget>, bytes: usize) -> bool {
        if bytes == 0 || self.is_complete {
            return true;
        }
        let budget = self.budget.get_or_insert_with(|| budget.clone());
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

impl Drop for Reservation {
    fn drop(&mut self) {
        // Removes a parked buffer, or finds that it was evicted.
        drop(self.resume());
        let Some(budget) = self.budget.as_ref().filter(|_| self.bytes > 0) else {
            return;
        };
        let mut state = budget.lock();
        if self.is_complete {
            state.complete -= self.bytes;
        } else {
            state.incomplete[budget.class(self.bytes)].bytes -= self.bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use super::*;

    const KIB: usize = 1024;
    const MIB: usize = 1024 * KIB;

    #[derive(Default)]
    struct Wakes(AtomicUsize);

    impl Wake for Wakes {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn budget() -> Arc<Budget> {
        Arc::new(Budget::new(64 * MIB))
    }

    fn park(reservation: &mut Reservation, budget: &Arc<Budget>, bytes: usize) -> bool {
        reservation.park(budget, Vec::with_capacity(bytes), Waker::noop())
    }

    fn parked(budget: &Arc<Budget>, bytes: usize) -> Reservation {
        let mut reservation = Reservation::default();
        assert!(park(&mut reservation, budget, bytes), "{bytes}");
        reservation
    }

    /// Reserves complete bodies until the budget is full.
    fn fill(budget: &Arc<Budget>, bytes: usize) -> Vec<Reservation> {
        let reserve = || {
            let mut reservation = Reservation::default();
            reservation.complete(budget, bytes).then_some(reservation)
        };
        std::iter::from_fn(reserve).collect()
    }

    fn held(budget: &Budget) -> usize {
        let state = budget.lock();
        state.complete + state.incomplete_bytes()
    }

    fn is_evicted(reservation: &mut Reservation) -> bool {
        reservation.resume().is_none()
    }

    #[track_caller]
    fn assert_empty(budget: &Budget) {
        assert_eq!(held(budget), 0);
        let state = budget.lock();
        assert!(state.incomplete.iter().all(|class| class.parked.is_empty()));
    }

    #[test]
    fn budget_keeps_a_quarter_for_small_complete_bodies() {
        let budget = budget();
        let large = fill(&budget, MIB);
        assert_eq!(large.len(), 48);
        // Smaller bodies still fit when larger ones do not.
        let mut all = vec![large];
        for size in [8 * KIB, 4 * KIB, 2 * KIB, KIB, 512, 64] {
            let more = fill(&budget, size);
            assert!(more.len() >= 1024, "{size}: {}", more.len());
            all.push(more);
        }
        assert!(held(&budget) <= 64 * MIB);
        drop(all);
        assert_empty(&budget);
    }

    #[test]
    fn oldest_incomplete_body_is_evicted_freed_and_woken() {
        let budget = budget();
        let wakes = Arc::new(Wakes::default());
        let mut oldest = Reservation::default();
        let waker = Waker::from(wakes.clone());
        assert!(oldest.park(&budget, vec![7; MIB], &waker));
        let mut others: Vec<_> = (0..47).map(|_| parked(&budget, MIB)).collect();
        // A later poll does not make a body younger.
        let buffer = oldest.resume().unwrap();
        assert_eq!(buffer, vec![7; MIB]);
        assert!(oldest.park(&budget, buffer, &waker));
        assert_eq!(held(&budget), 48 * MIB);

        let mut newcomer = parked(&budget, 4 * KIB);
        assert_eq!(held(&budget), 47 * MIB + 4 * KIB);
        assert_eq!(wakes.0.load(Ordering::Relaxed), 1);
        assert!(is_evicted(&mut oldest));
        drop(oldest);
        assert_eq!(held(&budget), 47 * MIB + 4 * KIB);
        assert!(!others.iter_mut().any(is_evicted) && !is_evicted(&mut newcomer));
        drop((others, newcomer));
        assert_empty(&budget);
    }

    #[test]
    fn oldest_body_evicts_nobody_in_order_to_grow() {
        let budget = budget();
        let mut oldest = parked(&budget, MIB);
        let mut others: Vec<_> = (0..47).map(|_| parked(&budget, MIB)).collect();
        oldest.resume().unwrap();
        assert!(!park(&mut oldest, &budget, 2 * MIB));
        assert!(!others.iter_mut().any(is_evicted));
        assert_eq!(held(&budget), 47 * MIB);
        drop((oldest, others));
        assert_empty(&budget);
    }

    #[test]
    fn large_incomplete_bodies_evict_no_small_ones_and_the_reverse() {
        for [few, many] in [[(20_000, KIB), (100, MIB)], [(20, MIB), (60_000, KIB)]] {
            let budget = budget();
            let fill = |(count, bytes)| (0..count).map(|_| parked(&budget, bytes)).collect();
            let (mut few, many): (Vec<_>, Vec<_>) = (fill(few), fill(many));
            assert!(!few.iter_mut().any(is_evicted));
            assert!((47 * MIB..=48 * MIB).contains(&held(&budget)));
            drop((few, many));
            assert_empty(&budget);
        }
    }

    #[test]
    fn complete_body_is_never_evicted_and_evicts_incomplete_ones() {
        let budget = budget();
        let mut incomplete: Vec<_> = (0..48).map(|_| parked(&budget, MIB)).collect();
        // The reserved part, then the place of the oldest.
        let complete = fill(&budget, MIB);
        assert_eq!(complete.len(), 48);
        assert_eq!(held(&budget), 64 * MIB);
        assert!(incomplete[..32].iter_mut().all(is_evicted));
        assert!(!is_evicted(&mut incomplete[32]));
        let newcomers: Vec<_> = (0..100).map(|_| parked(&budget, MIB)).collect();
        assert_eq!(budget.lock().complete, 48 * MIB);
        drop((complete, incomplete, newcomers));
        assert_empty(&budget);
    }

    #[test]
    fn budget_counts_only_granted_bytes_and_releases_them_on_drop() {
        let budget = budget();
        let mut one = parked(&budget, 10);
        assert_eq!(held(&budget), 10);
        // A body without bytes, and one that never fits, evict nobody.
        let none = parked(&budget, 0);
        assert!(!park(&mut Reservation::default(), &budget, 49 * MIB));
        assert!(!Reservation::default().complete(&budget, 48 * MIB + 1));
        assert!(!Reservation::default().complete(&budget, usize::MAX));
        assert_eq!(one.resume().map(|buffer| buffer.capacity()), Some(10));
        // It is being polled: it counts, and cannot be evicted.
        assert!(!park(&mut Reservation::default(), &budget, 48 * MIB));
        assert_eq!(held(&budget), 10);
        assert!(one.complete(&budget, 20) && one.complete(&budget, 20));
        assert_eq!(held(&budget), 20);
        drop((one, none));
        assert_empty(&budget);
    }

    #[test]
    fn budget_of_any_size_allows_an_empty_body() {
        for limit in [0, 1, 3, usize::MAX] {
            let budget = Arc::new(Budget::new(limit));
            drop(parked(&budget, 0));
            let mut one = Reservation::default();
            assert!(one.complete(&budget, 0));
            assert_eq!(one.complete(&budget, 1), limit > 0, "{limit}");
            assert!(!Reservation::default().complete(&budget, usize::MAX));
            assert_eq!(park(&mut Reservation::default(), &budget, 1), limit > 1);
            drop(one);
            assert_empty(&budget);
        }
    }

    #[test]
    fn budget_is_never_exceeded_by_concurrent_threads() {
        const LIMIT: usize = 20_000_000;
        let budget = Arc::new(Budget::new(LIMIT));
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let budget = &budget;
                scope.spawn(move || {
                    let mut all = Vec::new();
                    for round in 0..4_000 {
                        let bytes = (round * 7919 + thread) % 40_000;
                        let mut one = Reservation::default();
                        if park(&mut one, budget, bytes) {
                            all.push(one);
                        }
                        let index = round * 31 % all.len().max(1);
                        match (round % 4, all.get_mut(index)) {
                            (0, Some(one)) => drop(one.resume()),
                            (1, Some(one)) => {
                                let _ = one.resume().is_some() && one.complete(budget, 40_000);
                            }
                            (2, Some(_)) => drop(all.swap_remove(index)),
                            _ => {}
                        }
                        assert!(held(budget) <= LIMIT);
                    }
                });
            }
        });
        assert_empty(&budget);
    }
}
