//! Receiving: 200 only after the commit, 503 with the event otherwise.

use std::future::{Future, pending};
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Semaphore;
use tower_bitrix24::handler::{HandlerError, HandlerErrorKind};
use tower_bitrix24::inbox::{Accepted, Entry, Filter, State};

use super::*;

/// A store that commits once it is allowed to, or fails.
struct Gate {
    inner: MemoryInbox,
    commits: Arc<Semaphore>,
    fails: Arc<AtomicBool>,
}

impl Accept for Gate {
    type Error = &'static str;

    async fn accept(&self, entries: &[Entry]) -> Result<Vec<Accepted>, &'static str> {
        self.commits.acquire().await.unwrap().forget();
        if self.fails.load(Ordering::Relaxed) {
            return Err("the disk is full");
        }
        Ok(self.inner.accept(entries).await.unwrap())
    }
}

fn gate() -> (Inbox<Gate>, MemoryInbox, Arc<Semaphore>, Arc<AtomicBool>) {
    let inner = MemoryInbox::new();
    let commits = Arc::new(Semaphore::new(0));
    let fails = Arc::new(AtomicBool::new(false));
    let store = Gate {
        inner: inner.clone(),
        commits: commits.clone(),
        fails: fails.clone(),
    };
    let inbox = Inbox::builder(store, key()).max_waiting(2).build();
    (inbox, inner, commits, fails)
}

#[tokio::test]
async fn response_waits_for_the_commit() {
    let (inbox, _, commits, _) = gate();
    let mut response = Box::pin(send(&inbox, form("ONCRMDEALADD", 1, 1, "a")));
    let waiting = tokio::time::timeout(Duration::from_millis(50), &mut response).await;
    assert!(waiting.is_err());
    commits.add_permits(1);
    assert_eq!(response.await.status(), 200);
}

#[tokio::test]
async fn event_that_is_not_stored_gets_503_and_is_handed_out() {
    let (inbox, _, commits, fails) = gate();
    fails.store(true, Ordering::Relaxed);
    // It is repeated once.
    commits.add_permits(2);
    let response = send(&inbox, form("ONCRMDEALADD", 1, 1, "a")).await;
    assert_eq!(response.status(), 503);
    let error = response.extensions().get::<HandlerError>().unwrap();
    assert_eq!(error.kind(), HandlerErrorKind::NotStored);
    assert_eq!(error.event().unwrap().code(), "ONCRMDEALADD");
    let source = std::error::Error::source(error).unwrap();
    assert_eq!(source.to_string(), "the disk is full");
}

#[test]
fn events_are_handed_out_if_the_runtime_of_the_inbox_ends() {
    let mut own = tokio::runtime::Builder::new_multi_thread();
    let own = own.worker_threads(1).build().unwrap();
    let (inbox, ..) = own.block_on(async { gate() });
    let mut serving = tokio::runtime::Builder::new_current_thread();
    let serving = serving.enable_time().build().unwrap();
    serving.block_on(async {
        // The transaction of the first waits, and the second waits for it.
        let first = send(&inbox, form("ONCRMDEALADD", 1, 1, "a"));
        let mut first = Box::pin(first);
        let second = send(&inbox, form("ONCRMDEALADD", 2, 1, "b"));
        let mut second = Box::pin(second);
        for response in [&mut first, &mut second] {
            let waiting = tokio::time::timeout(Duration::from_millis(50), response).await;
            assert!(waiting.is_err());
        }
        own.shutdown_background();
        for (response, portal) in [(first, "a"), (second, "b")] {
            let response = response.await;
            assert_eq!(response.status(), 503);
            let error = response.extensions().get::<HandlerError>().unwrap();
            assert_eq!(error.event().unwrap().auth().member_id().unwrap(), portal);
        }
    });
}

/// Few wait after a transaction of many, so that the next one waits for more.
#[test]
fn event_is_handed_out_if_the_runtime_ends_while_a_batch_gathers() {
    let mut statuses = Vec::new();
    for turns in 0..5 {
        let runtime = || {
            tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
        };
        let (own, serving) = (runtime().unwrap(), runtime().unwrap());
        let inbox = own.block_on(async { Inbox::builder(MemoryInbox::new(), key()).build() });
        let take_turns = |turns| {
            own.block_on(async {
                for _ in 0..turns {
                    tokio::task::yield_now().await;
                }
            });
        };
        let begin = |id| {
            let mut response = Box::pin(send(&inbox, form("ONCRMDEALADD", id, 1, "a")));
            serving.block_on(async {
                let polled = tokio::time::timeout(Duration::from_millis(1), &mut response);
                assert!(polled.await.is_err());
            });
            response
        };
        let many: Vec<_> = (0..8).map(&begin).collect();
        take_turns(10);
        for response in many {
            assert_eq!(serving.block_on(response).status(), 200);
        }
        let late = begin(8);
        take_turns(turns);
        drop(own);
        let response = serving.block_on(late);
        if response.status() == 503 {
            let error = response.extensions().get::<HandlerError>().unwrap();
            assert_eq!(error.event().unwrap().code(), "ONCRMDEALADD");
        }
        statuses.push(response.status().as_u16());
    }
    assert!(
        statuses.contains(&200) && statuses.contains(&503),
        "{statuses:?}"
    );
}

#[tokio::test]
async fn transaction_that_fails_once_is_repeated() {
    let (inbox, inner, commits, fails) = gate();
    fails.store(true, Ordering::Relaxed);
    let mut response = Box::pin(send(&inbox, form("ONCRMDEALADD", 1, 1, "a")));
    let mut poll = async |permits| {
        commits.add_permits(permits);
        let waiting = tokio::time::timeout(Duration::from_millis(50), &mut response);
        waiting.await.map(|response| response.status().as_u16())
    };
    assert!(poll(1).await.is_err());
    fails.store(false, Ordering::Relaxed);
    assert_eq!(poll(1).await, Ok(200));
    assert_eq!(inner.stats().await.unwrap().waiting, 1);
}

/// A store that cannot hold the entries of one portal, as a broker that bounds the size of a message.
struct Picky {
    inner: MemoryInbox,
    commits: Arc<Semaphore>,
    largest_batch: Arc<Mutex<usize>>,
}

impl Accept for Picky {
    type Error = &'static str;

    async fn accept(&self, entries: &[Entry]) -> Result<Vec<Accepted>, &'static str> {
        self.commits.acquire().await.unwrap().forget();
        {
            let mut largest = self.largest_batch.lock().unwrap();
            *largest = entries.len().max(*largest);
        }
        if entries.iter().any(|entry| entry.member_id == "picky") {
            return Err("the message is too long");
        }
        Ok(self.inner.accept(entries).await.unwrap())
    }
}

/// A store that breaks its contract for some portals.
struct Faulty(MemoryInbox);

impl Accept for Faulty {
    type Error = Infallible;

    async fn accept(&self, entries: &[Entry]) -> Result<Vec<Accepted>, Infallible> {
        let is_of = |portal: &str| entries.iter().any(|entry| entry.member_id == portal);
        assert!(!is_of("panics"), "the store has a bug");
        let mut accepted = self.0.accept(entries).await?;
        if is_of("forgets") {
            accepted.pop();
        }
        Ok(accepted)
    }
}

#[tokio::test(start_paused = true)]
async fn store_that_panics_or_forgets_an_outcome_gets_503_and_stores_the_next_event() {
    let inner = MemoryInbox::new();
    let inbox = Inbox::builder(Faulty(inner.clone()), key()).build();
    for round in 0..3 {
        for portal in ["panics", "forgets"] {
            let response = send(&inbox, form("ONCRMDEALADD", round, 1, portal)).await;
            assert_eq!(response.status(), 503, "{portal}");
        }
        send_ok(&inbox, form("ONCRMDEALADD", round, 1, "a")).await;
    }
    let stored = inner.list(&Filter::new().member_id("a"), 10).await.unwrap();
    assert_eq!(stored.len(), 3);
}

/// The clock stands still, since a batch is divided for a second only.
#[tokio::test(start_paused = true)]
async fn entry_that_cannot_be_stored_costs_no_other_portal_its_200() {
    const EVENTS: u32 = 40;
    let inner = MemoryInbox::new();
    let commits = Arc::new(Semaphore::new(0));
    let largest_batch = Arc::new(Mutex::new(0));
    let store = Picky {
        inner: inner.clone(),
        commits: commits.clone(),
        largest_batch: largest_batch.clone(),
    };
    let inbox = Inbox::builder(store, key()).build();
    let mut sending = tokio::task::JoinSet::new();
    for id in 1..=EVENTS {
        let inbox = inbox.clone();
        sending.spawn(async move {
            let portal = if id % 13 == 0 { "picky" } else { "other" };
            let response = send(&inbox, form("ONCRMDEALADD", id, 1, portal)).await;
            (portal, response.status().as_u16())
        });
    }
    // All of them wait for the first transaction.
    tokio::time::sleep(Duration::from_millis(1)).await;
    commits.add_permits(1000);
    for (portal, status) in sending.join_all().await {
        assert_eq!(status, if portal == "picky" { 503 } else { 200 });
    }
    assert!(*largest_batch.lock().unwrap() > 13);
    let records = inner.list(&Filter::new(), 1000).await.unwrap();
    let expected: Vec<String> = (1..=EVENTS)
        .filter(|id| id % 13 != 0)
        .map(|id| format!("crm.deal {id}"))
        .collect();
    let stored: Vec<String> = records.into_iter().map(|r| r.entry.subject).collect();
    assert_eq!(stored, expected);
}

#[tokio::test]
async fn fallback_handles_what_is_not_stored_and_the_response_is_503() {
    for hangs_up in [false, true] {
        let (inbox, _, commits, fails) = gate();
        fails.store(true, Ordering::Relaxed);
        let seen = Seen::default();
        let queue = tower_bitrix24::background::BackgroundQueue::new();
        let handlers = tower::Layer::layer(&queue.layer(), handler(&seen, |_, _| 200));
        let layer = EventLayer::new(ApplicationToken::new("192735").unwrap());
        let receive = inbox.receive().fallback(handlers);
        let service = ServiceBuilder::new().layer(layer).service(receive);
        let mut call =
            Box::pin(service.oneshot(post(Full::<Bytes>::from(form("ONCRMDEALADD", 1, 1, "a")))));
        let waiting = tokio::time::timeout(Duration::from_millis(20), &mut call).await;
        assert!(waiting.is_err());
        commits.add_permits(2);
        if hangs_up {
            drop(call);
        } else {
            let response = call.await.unwrap();
            assert_eq!(response.status(), 503);
            let error = response.extensions().get::<HandlerError>().unwrap();
            assert_eq!(error.kind(), HandlerErrorKind::NotStored);
        }
        for _ in 0..2000 {
            if queue.stats().completed == 1 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let seen = seen.lock().unwrap();
        assert_eq!(seen.len(), 1, "hangs up: {hangs_up}");
        assert_eq!((seen[0].0.as_str(), seen[0].1.seq), ("ONCRMDEALADD 1", 0));
    }
}

#[tokio::test]
async fn fallback_is_not_called_for_what_is_stored() {
    let inbox = inbox();
    let seen = Seen::default();
    let receive = inbox.receive().fallback(handler(&seen, |_, _| 200));
    let layer = EventLayer::new(ApplicationToken::new("192735").unwrap());
    let service = ServiceBuilder::new().layer(layer).service(receive);
    let request = post(Full::<Bytes>::from(form("ONCRMDEALADD", 1, 1, "a")));
    assert_eq!(service.oneshot(request).await.unwrap().status(), 200);
    assert!(seen.lock().unwrap().is_empty());
}

#[tokio::test]
async fn events_beyond_the_bound_get_503_at_once() {
    let (inbox, _, commits, _) = gate();
    let inbox = Arc::new(inbox);
    let mut waiting = Vec::new();
    // The store has the first before the others arrive, so that two wait.
    for id in 0..3 {
        let inbox = inbox.clone();
        waiting.push(tokio::spawn(async move {
            send(&inbox, form("ONCRMDEALADD", id, 1, "a"))
                .await
                .status()
        }));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let response = send(&inbox, form("ONCRMDEALADD", 9, 1, "a")).await;
    assert_eq!(response.status(), 503);
    commits.add_permits(2);
    for response in waiting {
        assert_eq!(response.await.unwrap(), 200);
    }
}

#[tokio::test]
async fn flood_of_one_portal_does_not_take_the_room_of_another_portals_event() {
    let inner = MemoryInbox::new();
    let commits = Arc::new(Semaphore::new(0));
    let store = Gate {
        inner: inner.clone(),
        commits: commits.clone(),
        fails: Arc::default(),
    };
    let inbox = Inbox::builder(store, key()).max_waiting(16).build();
    let mut flood = tokio::task::JoinSet::new();
    for id in 0..100 {
        let inbox = inbox.clone();
        flood.spawn(async move {
            let response = send(&inbox, form("ONCRMDEALADD", id, 1, "flood")).await;
            response.status().as_u16()
        });
    }
    // Those beyond the room are rejected, while the others wait for the store.
    let mut statuses = Vec::new();
    while statuses.len() < 70 {
        statuses.push(flood.join_next().await.unwrap().unwrap());
    }
    assert!(statuses.iter().all(|status| *status == 503));
    let mut other = Box::pin(send(&inbox, form("ONCRMDEALADD", 1, 1, "other")));
    let waits = tokio::time::timeout(Duration::from_millis(50), &mut other);
    assert!(waits.await.is_err(), "it waits for its commit");
    commits.add_permits(1000);
    assert_eq!(other.await.status(), 200);
    let rest = flood.join_all().await;
    assert!(rest.contains(&200) && inner.stats().await.unwrap().waiting > 1);
}

#[tokio::test]
async fn sender_that_hangs_up_at_any_poll_leaves_the_event_stored_or_unanswered() {
    for polls in 1..6 {
        let (inbox, inner, commits, _) = gate();
        let mut call = Box::pin(send(&inbox, form("ONCRMDEALADD", 1, 1, "a")));
        let mut left = polls;
        let hung_up = std::future::poll_fn(|cx| {
            if left == 0 {
                return std::task::Poll::Ready(());
            }
            left -= 1;
            assert!(call.as_mut().poll(cx).is_pending());
            cx.waker().wake_by_ref();
            std::task::Poll::Pending
        });
        hung_up.await;
        drop(call);
        commits.add_permits(1);
        tokio::time::sleep(Duration::from_millis(20)).await;
        let records = inner.list(&Filter::new(), 10).await.unwrap();
        assert_eq!(records.len(), 1, "{polls}");
        assert_eq!(records[0].state, State::Waiting);
    }
}

#[tokio::test]
async fn request_without_an_event_gets_500() {
    let response = inbox().receive().oneshot(post(())).await.unwrap();
    assert_eq!(response.status(), 500);
    let error = response.extensions().get::<HandlerError>().unwrap();
    assert_eq!(error.kind(), HandlerErrorKind::NoEvent);
}

#[tokio::test]
async fn completion_hook_runs_after_the_handler_and_not_after_the_commit() {
    #[derive(Clone)]
    struct Hooked(ApplicationToken, Arc<AtomicBool>);

    impl tower_bitrix24::VerifyToken for Hooked {
        type Future = std::future::Ready<Result<(), tower_bitrix24::VerifyError>>;

        fn verify(&self, envelope: &tower_bitrix24::Envelope) -> Self::Future {
            self.0.verify(envelope)
        }

        fn on_handled(
            &self,
            _: &tower_bitrix24::Envelope,
        ) -> Option<tower_bitrix24::verify::OnHandled> {
            let ran = self.1.clone();
            Some(Box::pin(async move { ran.store(true, Ordering::Relaxed) }))
        }
    }

    let ran = Arc::new(AtomicBool::new(false));
    let verifier = Hooked(ApplicationToken::new("192735").unwrap(), ran.clone());
    let inbox = inbox();
    let service = ServiceBuilder::new()
        .layer(EventLayer::new(verifier.clone()))
        .service(inbox.receive());
    let request = post(Full::<Bytes>::from(form("ONAPPUNINSTALL", 1, 1, "a")));
    assert_eq!(service.oneshot(request).await.unwrap().status(), 200);
    assert!(!ran.load(Ordering::Relaxed));

    let seen = Seen::default();
    let worker = inbox.worker(handler(&seen, |_, _| 200)).verifier(verifier);
    let worker = worker.spawn();
    wait_for(&inbox, |stats| stats.done == 1).await;
    assert!(ran.load(Ordering::Relaxed));
    worker.shutdown(Duration::ZERO).await;
}

#[tokio::test]
async fn nothing_stored_shows_a_secret() {
    let inbox = inbox();
    send_ok(&inbox, form("ONCRMDEALADD", 1, 1, "a")).await;
    let record = inbox.list(&Filter::new(), 1).await.unwrap().remove(0);
    assert!(!record.entry.body.windows(6).any(|bytes| bytes == b"canary"));
    let opened = inbox.get(record.seq).await.unwrap().unwrap();
    assert!(!format!("{opened:?}").contains("canary"));
    let request = opened.request.unwrap();
    let event = request.event().unwrap();
    assert_eq!(
        event.auth().access_token().unwrap().expose(),
        "canary-access"
    );
    assert!(!serde_json::to_string(&event).unwrap().contains("canary"));
    assert!(inbox.get(record.seq + 1).await.unwrap().is_none());
}

#[tokio::test]
async fn store_that_never_answers_does_not_block_other_services() {
    struct Silent;
    impl Accept for Silent {
        type Error = &'static str;

        async fn accept(&self, _: &[Entry]) -> Result<Vec<Accepted>, &'static str> {
            pending().await
        }
    }
    let inbox = Inbox::builder(Silent, key()).build();
    let call = send(&inbox, form("ONCRMDEALADD", 1, 1, "a"));
    assert!(
        tokio::time::timeout(Duration::from_millis(50), call)
            .await
            .is_err()
    );
}
