//! Working off, with and without finished rows beside it, and the time of a claim.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use cpu_time::ProcessTime;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tower_bitrix24::inbox::{
    Backoff, ClaimRequest, Claims, Finish, Inbox, InboxStore, Outcome, Owned, Record,
};
use tower_bitrix24::{Event, EventRouter};

use super::{Opened, PORTALS, entry, form, inbox, load_average, median, send, written};

const ROUNDS: usize = 5;
/// Of a round.
const ENTRIES: usize = 16_000;
const LANES: u64 = 5_000;
const FINISHED: usize = 200_000;
const CLAIMS: usize = 200;
const LEASE: Duration = Duration::from_secs(3600);

/// Stores events over the lanes, from 128 senders.
async fn fill<S: InboxStore + 'static>(inbox: &Inbox<S>, from: u64) {
    let next = Arc::new(AtomicUsize::new(0));
    let mut senders = JoinSet::new();
    for _ in 0..128 {
        let (next, receive) = (next.clone(), inbox.receive());
        senders.spawn(async move {
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                if at >= ENTRIES {
                    return;
                }
                let lane = at as u64 % LANES;
                let ts = from + at as u64;
                send(&receive, form(lane % PORTALS, lane + 1, ts)).await;
            }
        });
    }
    senders.join_all().await;
}

/// Stores entries and ends them.
async fn finish(store: &impl InboxStore) {
    let backoff = Backoff::new();
    for _ in 0..FINISHED / 250 {
        let entries: Vec<_> = (0..250).map(|_| entry()).collect();
        done(store.accept(&entries).await);
        let claims = done(store.claim(&request(&backoff, 250)).await);
        let finishes = finishes(&claims, &Outcome::Done);
        assert_eq!(finishes.len(), 250);
        done(store.finish("bench", &finishes).await);
    }
}

fn done<T>(result: Result<T, impl Into<Box<dyn Error + Send + Sync>>>) -> T {
    result.map_err(Into::into).unwrap()
}

fn finishes(claims: &Claims, outcome: &Outcome) -> Vec<Finish> {
    let finish = |record: &Record| Finish {
        owned: Owned {
            seq: record.seq,
            attempt: record.attempts,
        },
        outcome: outcome.clone(),
    };
    let claims = claims.entries.iter();
    claims.map(|claim| finish(&claim.record)).collect()
}

fn request(backoff: &Backoff, limit: usize) -> ClaimRequest<'_> {
    ClaimRequest {
        owner: "bench",
        limit,
        lease: LEASE,
        backoff,
        alone: true,
        portal_limit: limit,
        running: &[],
        after: "",
    }
}

/// Returns the median time of a claim of 16 entries, in milliseconds. The entries stay claimed until
/// they are given back.
async fn claim(store: &impl InboxStore) -> f64 {
    let backoff = Backoff::new();
    let (mut times, mut released) = (Vec::new(), Vec::new());
    for _ in 0..CLAIMS {
        let started = Instant::now();
        let claims = done(store.claim(&request(&backoff, 16)).await);
        times.push(started.elapsed().as_secs_f64() * 1e3);
        assert_eq!(claims.entries.len(), 16);
        released.extend(finishes(&claims, &Outcome::Released));
    }
    done(store.finish("bench", &released).await);
    median(times)
}

/// Entries a second, and the processor time and the bytes that each costs.
struct Rate {
    rate: f64,
    microseconds: f64,
    kilobytes: f64,
}

async fn work<S: InboxStore + 'static>(inbox: &Inbox<S>) -> Rate {
    let handled = Arc::new((AtomicUsize::new(0), Notify::new()));
    let handlers = EventRouter::builder()
        .fallback({
            let handled = handled.clone();
            move |_: Event| {
                if handled.0.fetch_add(1, Ordering::Relaxed) + 1 == ENTRIES {
                    handled.1.notify_one();
                }
                std::future::ready(())
            }
        })
        .build()
        .unwrap();
    let (started, processor, before) = (Instant::now(), ProcessTime::now(), written());
    let worker = inbox.worker(handlers).concurrency(256).lease(LEASE).spawn();
    handled.1.notified().await;
    // Returns once the last ends of attempts are stored.
    worker.shutdown(Duration::from_secs(60)).await;
    let entries = ENTRIES as f64;
    Rate {
        rate: entries / started.elapsed().as_secs_f64(),
        microseconds: processor.elapsed().as_secs_f64() * 1e6 / entries,
        kilobytes: (written() - before) / 1e3 / entries,
    }
}

/// Works off in turns without and with finished rows, so that a disk that others use is the same for both.
pub(super) async fn measure<S: InboxStore + 'static>(
    database: &str,
    open: impl AsyncFn() -> Opened<S>,
) {
    println!(
        "\n{database}, {}, {ROUNDS} rounds of {ENTRIES} entries in {LANES} lanes of {PORTALS} portals\n",
        load_average()
    );
    let (empty, full) = (open().await, open().await);
    let inboxes = [inbox(empty.store), inbox(full.store)];
    finish(inboxes[1].store()).await;
    let mut measured = [const { Vec::new() }; 2];
    let mut ts = 1_466_439_714;
    for _ in 0..ROUNDS {
        // Of the rounds before.
        done(
            inboxes[0]
                .store()
                .purge(Duration::ZERO, Duration::ZERO)
                .await,
        );
        for (inbox, measured) in inboxes.iter().zip(&mut measured) {
            fill(inbox, ts).await;
            let claim = claim(inbox.store()).await;
            let rate = work(inbox).await;
            measured.push([rate.rate, claim, rate.microseconds, rate.kilobytes]);
        }
        ts += ENTRIES as u64;
    }
    println!(
        "| finished rows | worked off | claim of 16, median ms | processor, µs | written, KB |\n\
         |---|---|---|---|---|"
    );
    let of =
        |rounds: &[[f64; 4]], at: usize| median(rounds.iter().map(|round| round[at]).collect());
    for (rounds, finished) in measured.iter().zip([0, FINISHED]) {
        let [rate, claim, processor, written] = [0, 1, 2, 3].map(|at| of(rounds, at));
        println!("| {finished} | {rate:.0}/s | {claim:.2} | {processor:.0} | {written:.1} |");
    }
    let pairs = measured[0].iter().zip(&measured[1]);
    let ratios: Vec<_> = pairs
        .map(|(without, with)| [0, 1, 2, 3].map(|at| with[at] / without[at]))
        .collect();
    let [rate, claim, processor, written] = [0, 1, 2, 3].map(|at| of(&ratios, at));
    println!("| with / without | {rate:.2} | {claim:.2} | {processor:.2} | {written:.2} |");
    println!("\nGoal: at least 8,000/s, and not slower with finished rows.");
}
