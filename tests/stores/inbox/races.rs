//! Calls at the same time, and calls that are dropped.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use tower::service_fn;
use tower_bitrix24::Event;
use tower_bitrix24::event::DedupKey;
use tower_bitrix24::inbox::{
    Accept, Backoff, ClaimRequest, Delivery, Entry, FORMAT, Filter, Finish, Inbox, InboxStore,
    Outcome, Owned, SqliteInbox, State, WorkerRequest,
};

use super::{Directory, form, key, model, records, respond, rounds, send, wait_for};

#[test]
fn sqlite_inbox_agrees_with_the_model() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let directory = Directory::new();
    let store = runtime
        .block_on(SqliteInbox::open(directory.file()))
        .unwrap();
    let config = ProptestConfig {
        cases: u32::try_from(rounds(8)).unwrap() * 4,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    // A file for all cases: each leaves it empty.
    let result = TestRunner::new(config).run(&model::calls(), |calls| {
        runtime.block_on(model::agree(&store, calls));
        Ok(())
    });
    result.unwrap();
}

/// Merges into the entries of a few objects while workers claim them. Returns the faults: events that
/// were neither handled nor merged, and objects whose last event was not handled last.
pub(crate) async fn merge_against_claim<S>(store: S)
where
    S: InboxStore<Error: std::fmt::Debug> + Clone + 'static,
{
    const OBJECTS: u64 = 3;
    let events = 40 * rounds(5) as u64;
    let inbox = Inbox::builder(store.clone(), key()).coalesce(true).build();
    // By object: the number of events handled or merged, and the last time.
    let seen: Arc<Mutex<BTreeMap<u64, (u64, i64)>>> = Arc::default();
    let kept = seen.clone();
    let service = service_fn(move |request: WorkerRequest| {
        let event = request.extensions().get::<Event>().unwrap();
        let delivery = request.extensions().get::<Delivery>().unwrap();
        let object = event.subject().unwrap().id.number().unwrap();
        let ts = event.timestamp().unwrap();
        let mut seen = kept.lock().unwrap();
        let (handled, last) = seen.entry(object).or_default();
        *handled += 1 + u64::from(delivery.merged);
        assert!(*last < ts, "{ts} of {object} is handled after {last}");
        *last = ts;
        async {
            tokio::time::sleep(Duration::from_millis(1)).await;
            respond(200)
        }
    });
    let workers: Vec<_> = (0..2)
        .map(|_| {
            let worker = inbox.worker(service.clone()).concurrency(4);
            worker.poll_interval(Duration::from_millis(5)).spawn()
        })
        .collect();
    let mut sending = tokio::task::JoinSet::new();
    for object in 1..=OBJECTS {
        let inbox = inbox.clone();
        sending.spawn(async move {
            for ts in 1..=events {
                let form = form("ONCRMDEALUPDATE", object, ts, "a");
                assert_eq!(send(&inbox, form).await, 200);
            }
        });
    }
    sending.join_all().await;
    wait_for(&store, |stats| stats.waiting + stats.running == 0).await;
    for worker in workers {
        worker.shutdown(Duration::ZERO).await;
    }
    let expected = (1..=OBJECTS).map(|object| (object, (events, events as i64)));
    assert_eq!(*seen.lock().unwrap(), expected.collect());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn merge_against_a_claim_loses_nothing_in_sqlite() {
    let directory = Directory::new();
    let store = SqliteInbox::open(directory.file()).await.unwrap();
    merge_against_claim(store).await;
}

/// The claims of a worker look at a few hundred portals each, and it polls once an hour.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn quiet_portal_is_served_beside_a_flood_and_many_portals_that_wait() {
    const WAITING: usize = 1_200;

    let directory = Directory::new();
    let store = SqliteInbox::open(directory.file()).await.unwrap();
    let inbox = Inbox::builder(store, key()).build();
    let counts: Arc<[AtomicUsize; 3]> = Arc::default();
    let [failed, hanging, quiet] = [0, 1, 2];
    let counted = counts.clone();
    let service = service_fn(move |request: WorkerRequest| {
        let event = request.extensions().get::<Event>().unwrap();
        let kind = match event.auth().member_id().unwrap().as_bytes()[0] {
            b'w' => failed,
            b'f' => hanging,
            _ => quiet,
        };
        counted[kind].fetch_add(1, Ordering::Relaxed);
        async move {
            if kind == hanging {
                std::future::pending::<()>().await;
            }
            respond(if kind == failed { 500 } else { 200 })
        }
    });
    let hour = Duration::from_secs(3600);
    let worker = inbox.worker(service).concurrency(16).timeout(hour);
    let worker = worker.retry(Backoff::new().first(hour));
    let worker = worker.poll_interval(hour).spawn();
    let send_all = async |forms: Vec<String>| {
        let mut sending = tokio::task::JoinSet::new();
        for form in forms {
            let inbox = inbox.clone();
            sending.spawn(async move { send(&inbox, form).await });
        }
        assert!(sending.join_all().await.iter().all(|status| *status == 200));
    };
    let reached = async |kind: usize, count: usize| {
        let reached = async {
            while counts[kind].load(Ordering::Relaxed) < count {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let in_time = tokio::time::timeout(Duration::from_secs(60), reached).await;
        in_time.unwrap_or_else(|_| panic!("{kind}: {counts:?}, not {count}"));
    };

    let form = |portal: &str, id| form("ONCRMDEALUPDATE", id, 1, portal);
    send_all(
        (0..WAITING)
            .map(|at| form(&format!("w{at:04}"), 1))
            .collect(),
    )
    .await;
    reached(failed, WAITING).await;
    send_all((1..=300).map(|id| form("flood", id)).collect()).await;
    reached(hanging, 12).await;
    for (count, portal) in ["a-quiet", "quiet", "z-quiet"].into_iter().enumerate() {
        send_all(vec![form(portal, 1)]).await;
        reached(quiet, count + 1).await;
    }
    worker.shutdown(Duration::ZERO).await;
}

fn entry(number: u64) -> Entry {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&number.to_be_bytes());
    Entry {
        key: DedupKey::from_bytes(key),
        lane: Some([1; 32]),
        merge: None,
        once: false,
        member_id: "a".to_owned(),
        code: "ONCRMDEALUPDATE".to_owned(),
        subject: String::new(),
        handler_id: None,
        timestamp: None,
        format: FORMAT,
        key_id: None,
        body: vec![1].into(),
    }
}

/// Polls the call this often and drops it. Returns its output if it had one before.
async fn drop_after<F: Future>(polls: usize, call: F) -> Option<F::Output> {
    let mut call = Box::pin(call);
    for _ in 0..polls {
        let polled = std::future::poll_fn(|cx| Poll::Ready(call.as_mut().poll(cx))).await;
        if let Poll::Ready(output) = polled {
            return Some(output);
        }
        // Another thread completes the awaited call.
        tokio::time::sleep(Duration::from_micros(300)).await;
    }
    None
}

/// Waits until no earlier call changes anything.
async fn barrier(store: &SqliteInbox) {
    assert!(!store.discard(i64::MAX).await.unwrap());
}

#[tokio::test]
async fn call_that_is_dropped_at_any_await_takes_full_effect_or_none() {
    let directory = Directory::new();
    let store = SqliteInbox::open(directory.file()).await.unwrap();
    let backoff = Backoff::new();
    let request = ClaimRequest {
        owner: "w",
        limit: 10,
        lease: Duration::from_secs(60),
        backoff: &backoff,
        alone: true,
        portal_limit: 10,
        running: &[],
        after: "",
    };
    let (mut dropped, mut number) = (0, 0);
    for polls in 0..24 {
        let batch: Vec<Entry> = (0..3).map(|at| entry(number + at)).collect();
        number += 3;
        let accepted = drop_after(polls, store.accept(&batch)).await;
        dropped += usize::from(accepted.is_none());
        barrier(&store).await;
        let stored = records(&store).await.len();
        assert!(
            stored == 3 || (stored == 0 && accepted.is_none()),
            "{stored}"
        );
        if stored == 0 {
            store.accept(&batch).await.unwrap();
        }
        let claims = drop_after(polls, store.claim(&request)).await;
        barrier(&store).await;
        let first = records(&store).await.remove(0);
        match claims {
            Some(claims) => assert_eq!(claims.unwrap().entries.len(), 1),
            // Nobody knows of it, so its lease would have to end.
            None if first.state == State::Running => {}
            None => assert_eq!(store.claim(&request).await.unwrap().entries.len(), 1),
        }
        let owned = Owned {
            seq: first.seq,
            attempt: 1,
        };
        let finish = Finish {
            owned,
            outcome: Outcome::Done,
        };
        let finished = drop_after(polls, store.finish("w", std::slice::from_ref(&finish))).await;
        barrier(&store).await;
        let all = records(&store).await;
        // The head of the lane moves with the end of the entry.
        let is_done = all[0].state == State::Done;
        assert_eq!(all[1].head, is_done);
        assert!(is_done || finished.is_none());
        if !is_done {
            assert_eq!(store.finish("w", &[finish]).await.unwrap(), [true]);
        }
        assert_eq!(store.remove_portal("a").await.unwrap(), 3);
    }
    assert!(dropped > 0);
}

#[tokio::test]
async fn flood_of_one_portal_does_not_delay_another_in_sqlite() {
    let directory = Directory::new();
    let store = SqliteInbox::open(directory.file()).await.unwrap();
    let flood: Vec<Entry> = (0..10_000)
        .map(|number| Entry {
            lane: None,
            key_id: Some(1),
            ..entry(number)
        })
        .collect();
    for batch in flood.chunks(1000) {
        store.accept(batch).await.unwrap();
    }
    let other = Entry {
        member_id: "b".to_owned(),
        ..entry(20_000)
    };
    let has_come = AtomicBool::new(false);
    let backoff = Backoff::new();
    let mut after = String::new();
    let mut before = 0;
    // The worker takes four at a time, and ends them.
    for turn in 0..10 {
        if turn == 3 {
            store.accept(std::slice::from_ref(&other)).await.unwrap();
        }
        let request = ClaimRequest {
            owner: "w",
            limit: 4,
            lease: Duration::from_secs(60),
            backoff: &backoff,
            alone: true,
            portal_limit: 3,
            running: &[],
            after: &after,
        };
        let claims = store.claim(&request).await.unwrap();
        let is_other = |id: &str| id == "b";
        let members = claims
            .entries
            .iter()
            .map(|claim| &claim.record.entry.member_id);
        if members.clone().any(|id| is_other(id)) {
            has_come.store(true, Ordering::Relaxed);
        } else if turn >= 3 && !has_come.load(Ordering::Relaxed) {
            before += claims.entries.len();
        }
        let finishes: Vec<Finish> = claims
            .entries
            .iter()
            .map(|claim| Finish {
                owned: Owned {
                    seq: claim.record.seq,
                    attempt: claim.record.attempts,
                },
                outcome: Outcome::Done,
            })
            .collect();
        store.finish("w", &finishes).await.unwrap();
        after = claims.after;
    }
    assert!(has_come.load(Ordering::Relaxed));
    assert_eq!(before, 0, "entries of the flood came first");
    let waiting = Filter::new().state(State::Waiting);
    assert!(!store.list(&waiting, 1).await.unwrap().is_empty());
}
