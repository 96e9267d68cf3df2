//! A bound on the memory that unverified bodies take together.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

#[derive(Debug)]
pub(super) struct Budget {
    limit: usize,
    held: AtomicUsize,
}

/// Small bodies keep their chance: a body may grow only if this many others of its new size fit too.
const RESERVED_BODIES: usize = 1024;

/// Large bodies keep theirs: growing is also allowed while one part in so many is free.
const RESERVED_PART: usize = 4;

impl Budget {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            held: AtomicUsize::new(0),
        }
    }

    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    /// Takes `more` bytes for a body of `size` bytes including them. Returns `false` if there is no
    /// room.
    fn try_take(&self, more: usize, size: usize) -> bool {
        let reserved = size
            .saturating_mul(RESERVED_BODIES)
            .min(self.limit / RESERVED_PART);
        let available = self.limit - reserved;
        let grow = |held: usize| held.checked_add(more).filter(|held| *held <= available);
        self.held
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, grow)
            .is_ok()
    }
}

/// The part of a budget that one body holds, released on drop.
#[derive(Default)]
pub(super) struct Reservation {
    // Most bodies never wait, so they need not count a reference.
    budget: Option<Arc<Budget>>,
    bytes: usize,
}

impl Reservation {
    /// Grows to at least `bytes`. Returns `false` if the budget has no room.
    pub(super) fn grow(&mut self, budget: &Arc<Budget>, bytes: usize) -> bool {
        if bytes <= self.bytes {
            return true;
        }
        if !budget.try_take(bytes - self.bytes, bytes) {
            return false;
        }
        if self.budget.is_none() {
            self.budget = Some(budget.clone());
        }
        self.bytes = bytes;
        true
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if let Some(budget) = &self.budget {
            budget.held.fetch_sub(self.bytes, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1024 * 1024;

    fn budget() -> Arc<Budget> {
        Arc::new(Budget::new(64 * MIB))
    }

    fn fill(budget: &Arc<Budget>, bytes: usize) -> Vec<Reservation> {
        let reserve = || {
            let mut reservation = Reservation::default();
            reservation.grow(budget, bytes).then_some(reservation)
        };
        std::iter::from_fn(reserve).collect()
    }

    fn held(budget: &Budget) -> usize {
        budget.held.load(Ordering::Relaxed)
    }

    #[test]
    fn budget_keeps_a_quarter_for_small_bodies() {
        let budget = budget();
        let large = fill(&budget, MIB);
        assert_eq!(large.len(), 48);
        // Smaller bodies still fit when larger ones do not.
        let mut all = vec![large];
        for size in [8 * 1024, 4 * 1024, 2 * 1024, 1024, 512, 64] {
            let more = fill(&budget, size);
            assert!(more.len() >= 1024, "{size}: {}", more.len());
            all.push(more);
        }
        assert!(held(&budget) <= 64 * MIB);
        drop(all);
        assert_eq!(held(&budget), 0);
    }

    #[test]
    fn budget_counts_only_granted_bytes_and_releases_them_on_drop() {
        let budget = budget();
        let mut one = Reservation::default();
        assert!(one.grow(&budget, 0) && one.grow(&budget, 10) && one.grow(&budget, 5));
        assert_eq!(held(&budget), 10);
        assert!(one.grow(&budget, 48 * MIB));
        assert!(!one.grow(&budget, 48 * MIB + 1));
        assert!(!one.grow(&budget, usize::MAX));
        assert_eq!(held(&budget), 48 * MIB);
        drop(one);
        assert_eq!(held(&budget), 0);
    }

    #[test]
    fn budget_of_any_size_allows_an_empty_body() {
        for limit in [0, 1, 3, usize::MAX] {
            let budget = Arc::new(Budget::new(limit));
            let mut none = Reservation::default();
            assert!(none.grow(&budget, 0));
            let mut all = Reservation::default();
            assert_eq!(all.grow(&budget, 1), limit > 0, "{limit}");
            assert!(!all.grow(&budget, usize::MAX));
        }
    }

    #[test]
    fn budget_is_never_exceeded_by_concurrent_threads() {
        let budget = Arc::new(Budget::new(10_000));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for bytes in 1..2_000 {
                        let mut one = Reservation::default();
                        one.grow(&budget, bytes);
                        one.grow(&budget, 2 * bytes);
                        assert!(held(&budget) <= 10_000);
                    }
                });
            }
        });
        assert_eq!(held(&budget), 0);
    }
}
