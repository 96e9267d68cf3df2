//! Entries that ran as a process died: they run alone, and keep no other entry waiting for long.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::time::Instant;

use tower_bitrix24::inbox::{Backoff, ClaimRequest, Filter};

use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// Stores an event of each id, and has a process take them and vanish.
async fn interrupted(inbox: &Inbox<MemoryInbox>, ids: RangeInclusive<u32>, lease: Duration) {
    let gone = ClaimRequest {
        owner: "gone",
        limit: ids.clone().count(),
        lease,
        backoff: &Backoff::new(),
        alone: true,
        portal_limit: usize::MAX,
        running: &[],
        after: "",
    };
    for id in ids {
        send_ok(inbox, form("ONCRMDEALADD", id, id, "a")).await;
    }
    let claims = inbox.store().claim(&gone).await.unwrap();
    assert_eq!(claims.entries.len(), gone.limit);
}

/// The ids of the events whose handlers have begun, in this order.
#[derive(Clone, Default)]
struct Begun(Arc<Mutex<Vec<i64>>>);

impl Begun {
    fn ids(&self) -> Vec<i64> {
        self.0.lock().unwrap().clone()
    }

    async fn wait(&self, id: i64) {
        let begun = Instant::now();
        while !self.ids().contains(&id) {
            assert!(begun.elapsed() < 20 * SECOND, "{:?}", self.ids());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Returns a handler that ends for these events alone.
    fn handler(
        &self,
        ends: impl Fn(i64) -> bool + Clone + Send + 'static,
    ) -> impl Service<
        WorkerRequest,
        Response = Response<Full<Bytes>>,
        Error = Infallible,
        Future: Send,
    > + Clone
    + Send
    + 'static {
        let begun = self.clone();
        service_fn(move |request: WorkerRequest| {
            let event = request.extensions().get::<Event>().unwrap();
            let id = event.timestamp().unwrap();
            begun.0.lock().unwrap().push(id);
            let ends = ends(id);
            async move {
                if !ends {
                    std::future::pending::<()>().await;
                }
                Ok(Response::new(Full::default()))
            }
        })
    }
}

#[tokio::test]
async fn suspects_whose_handlers_hang_do_not_keep_others_waiting() {
    let inbox = inbox();
    interrupted(&inbox, 1..=2, Duration::ZERO).await;
    let begun = Begun::default();
    let worker = inbox.worker(begun.handler(|id| id > 2)).spawn();
    begun.wait(1).await;
    for id in 3..=20 {
        send_ok(&inbox, form("ONCRMDEALADD", id, id, "b")).await;
    }
    begun.wait(2).await;
    let others: BTreeSet<i64> = begun.ids().into_iter().filter(|id| *id > 2).collect();
    assert_eq!(others, (3..=20).collect(), "{:?}", begun.ids());
    worker.shutdown(Duration::ZERO).await;
}

#[tokio::test]
async fn suspect_runs_beside_handlers_that_do_not_end() {
    let inbox = inbox();
    interrupted(&inbox, 1..=1, SECOND).await;
    for id in 10..=12 {
        send_ok(&inbox, form("ONCRMDEALADD", id, id, "hangs")).await;
    }
    let begun = Begun::default();
    let worker = inbox.worker(begun.handler(|id| id < 10)).spawn();
    wait_for(&inbox, |stats| (stats.done, stats.running) == (1, 3)).await;
    assert_eq!(begun.ids(), [10, 11, 12, 1]);
    worker.shutdown(Duration::ZERO).await;
}

#[tokio::test]
async fn suspects_that_end_at_once_are_handled_at_once() {
    let inbox = inbox();
    interrupted(&inbox, 1..=16, Duration::ZERO).await;
    let begun = Begun::default();
    let started = Instant::now();
    // Far longer than the test may take, so that no poll helps.
    let worker = inbox.worker(begun.handler(|_| true));
    let worker = worker.poll_interval(60 * SECOND).spawn();
    wait_for(&inbox, |stats| stats.done == 16).await;
    assert_eq!(begun.ids(), (1..=16).collect::<Vec<_>>());
    assert!(started.elapsed() < 10 * SECOND);
    worker.shutdown(Duration::ZERO).await;
}

#[tokio::test]
async fn worker_goes_on_once_another_has_taken_the_suspect() {
    let inbox = inbox();
    interrupted(&inbox, 1..=1, SECOND).await;
    send_ok(&inbox, form("ONCRMDEALADD", 2, 2, "a")).await;
    let begun = Begun::default();
    let worker = inbox.worker(begun.handler(|id| id != 2)).spawn();
    let is_suspect = async || inbox.list(&Filter::new(), 1).await.unwrap()[0].suspect;
    while !is_suspect().await {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    send_ok(&inbox, form("ONCRMDEALADD", 3, 3, "a")).await;
    assert!(inbox.discard(1).await.unwrap());
    send_ok(&inbox, form("ONCRMDEALADD", 4, 4, "a")).await;
    wait_for(&inbox, |stats| (stats.done, stats.running) == (3, 1)).await;
    assert_eq!(begun.ids(), [2, 3, 4]);
    worker.shutdown(Duration::ZERO).await;
}

#[tokio::test]
async fn suspects_of_a_portal_leave_a_place_for_another() {
    let inbox = inbox();
    interrupted(&inbox, 1..=2, Duration::ZERO).await;
    let begun = Begun::default();
    let worker = inbox.worker(begun.handler(|id| id > 2));
    let worker = worker.concurrency(2).spawn();
    begun.wait(1).await;
    // Longer than the turns before the next suspect.
    tokio::time::sleep(4 * SECOND).await;
    send_ok(&inbox, form("ONCRMDEALADD", 3, 3, "b")).await;
    wait_for(&inbox, |stats| stats.done == 1).await;
    assert_eq!(begun.ids(), [1, 3]);
    worker.shutdown(Duration::ZERO).await;
}
