//! A bound on the memory of unverified bodies, all together.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The bytes that bodies which are not yet verified may hold together, and those that they hold.
#[derive(Debug)]
pub(super) struct Budget {
    limit: usize,
    held: AtomicUsize,
}

/// A body may grow only while there is room for so many others of its new size.
const OTHERS: usize = 1024;

/// Or while this part of the budget is free, so that the few large bodies fit.
const FREE_PART: usize = 4;

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

    /// Takes `more` bytes for a body that holds `size` with them. Returns `false` if it may not.
    fn take(&self, more: usize, size: usize) -> bool {
        let reserve = size.saturating_mul(OTHERS).min(self.limit / FREE_PART);
        let most = self.limit - reserve;
        let grow = |held: usize| held.checked_add(more).filter(|held| *held <= most);
        self.held
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, grow)
            .is_ok()
    }
}

/// What one body holds of a budget. Its drop gives it back.
#[derive(Default)]
pub(super) struct Reservation {
    /// Set once the body holds something: most never have to.
    budget: Option<Arc<Budget>>,
    bytes: usize,
}

impl Reservation {
    /// Grows to `bytes`, if it is smaller. Returns `false` if the budget does not allow that.
    pub(super) fn grow(&mut self, budget: &Arc<Budget>, bytes: usize) -> bool {
        if bytes <= self.bytes {
            return true;
        }
        if !budget.take(bytes - self.bytes, bytes) {
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

    /// As many reservations of `bytes` as the budget allows.
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
    fn large_bodies_leave_a_quarter_to_small_ones() {
        let budget = budget();
        let large = fill(&budget, MIB);
        assert_eq!(large.len(), 48);
        // Each smaller size finds room where larger ones find none.
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
    fn what_is_held_is_given_back_and_what_is_rejected_is_not_held() {
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
    fn a_budget_of_any_size_allows_a_body_that_holds_nothing() {
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
    fn threads_never_hold_more_than_the_limit_together() {
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
