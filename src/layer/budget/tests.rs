//! Admission to a budget, eviction, and that all room is given back.

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
