//! A worker whose handlers block their threads or ask for a retry at once, or whose store does not answer.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use http::Response;
use http_body_util::Full;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, Executor};
use tower::service_fn;
use tower_bitrix24::Event;
use tower_bitrix24::inbox::{Backoff, Inbox, InboxStore, SqliteInbox, WorkerRequest};

use super::{Directory, form, key, respond, send, wait_for};

fn portal(request: &WorkerRequest) -> String {
    let event = request.extensions().get::<Event>().unwrap();
    event.auth().member_id().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn handler_that_blocks_and_has_lost_its_lease_stops_no_other_portal() {
    let directory = Directory::new();
    let store = SqliteInbox::open(directory.file()).await.unwrap();
    let inbox = Inbox::builder(store.clone(), key()).build();
    let blocking = Arc::new(AtomicUsize::new(0));
    let has_ended = Arc::new(AtomicBool::new(false));
    let (begun, ended) = (blocking.clone(), has_ended.clone());
    let service = service_fn(move |request: WorkerRequest| {
        let (begun, ended) = (begun.clone(), ended.clone());
        async move {
            if portal(&request) == "blocks" && begun.fetch_add(1, Ordering::Relaxed) == 0 {
                std::thread::sleep(Duration::from_secs(8));
                ended.store(true, Ordering::Relaxed);
            }
            respond(200)
        }
    });
    let worker = inbox.worker(service).lease(Duration::from_secs(1)).spawn();
    let deal = |portal: &str| form("ONCRMDEALUPDATE", 1, 1, portal);
    assert_eq!(send(&inbox, deal("blocks")).await, 200);
    while blocking.load(Ordering::Relaxed) == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // As after the database could not be reached for longer than the lease.
    let options = SqliteConnectOptions::new().filename(directory.file());
    let mut writer = options.connect().await.unwrap();
    let lost = "UPDATE bitrix24_inbox SET state = 0, owner = NULL, suspect = 1, due = 0";
    writer.execute(lost).await.unwrap();
    writer.close().await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(send(&inbox, deal("quiet")).await, 200);
    wait_for(&store, |stats| stats.done == 2).await;
    assert!(!has_ended.load(Ordering::Relaxed));
    worker.shutdown(Duration::from_secs(10)).await;
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn shutdown_releases_entries_beside_a_handler_that_blocks() {
    let directory = Directory::new();
    let store = SqliteInbox::open(directory.file()).await.unwrap();
    let inbox = Inbox::builder(store.clone(), key()).build();
    let begun = Arc::new(AtomicUsize::new(0));
    let count = begun.clone();
    let service = service_fn(move |request: WorkerRequest| {
        let count = count.clone();
        async move {
            count.fetch_add(1, Ordering::Relaxed);
            if portal(&request) == "blocks" {
                std::thread::sleep(Duration::from_secs(6));
            }
            std::future::pending::<()>().await;
            respond(200)
        }
    });
    let worker = inbox.worker(service).spawn();
    for portal in ["blocks", "a", "b", "c"] {
        let form = form("ONCRMDEALUPDATE", 1, 1, portal);
        assert_eq!(send(&inbox, form).await, 200);
    }
    while begun.load(Ordering::Relaxed) < 4 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    worker.shutdown(Duration::ZERO).await;
    let stats = store.stats().await.unwrap();
    assert_eq!((stats.waiting, stats.running), (3, 1));
    store.close().await;
}

#[tokio::test]
async fn retry_after_zero_does_not_use_up_the_attempts_in_a_moment() {
    for after in ["0", "Sun, 06 Nov 1994 08:49:37 GMT"] {
        let directory = Directory::new();
        let store = SqliteInbox::open(directory.file()).await.unwrap();
        let inbox = Inbox::builder(store.clone(), key()).build();
        let begun = Instant::now();
        let service = service_fn(move |_: WorkerRequest| async move {
            if begun.elapsed() > Duration::from_millis(500) {
                return respond(200);
            }
            let response = Response::builder().status(503).header("retry-after", after);
            Ok(response.body(Full::default()).unwrap())
        });
        let backoff = Backoff::new().first(Duration::from_secs(1));
        let worker = inbox.worker(service).retry(backoff).spawn();
        let form = form("ONCRMDEALUPDATE", 1, 1, "a");
        assert_eq!(send(&inbox, form).await, 200);
        let stats = wait_for(&store, |stats| stats.done + stats.dead == 1).await;
        assert_eq!(stats.dead, 0, "{after}");
        worker.shutdown(Duration::ZERO).await;
        store.close().await;
    }
}

#[tokio::test]
async fn handler_is_stopped_as_its_lease_ends_while_the_store_does_not_answer() {
    let directory = Directory::new();
    let store = SqliteInbox::open(directory.file()).await.unwrap();
    let inbox = Inbox::builder(store.clone(), key()).build();
    let lease = Duration::from_secs(1);
    let alive = Arc::new(Mutex::new(None));
    let seen = alive.clone();
    let service = service_fn(move |_: WorkerRequest| {
        let seen = seen.clone();
        async move {
            for _ in 0..10_000 {
                *seen.lock().unwrap() = Some(Instant::now());
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            respond(200)
        }
    });
    let worker = inbox.worker(service).lease(lease).spawn();
    let form = form("ONCRMDEALUPDATE", 1, 1, "a");
    assert_eq!(send(&inbox, form).await, 200);
    wait_for(&store, |stats| stats.running == 1).await;
    let options = SqliteConnectOptions::new().filename(directory.file());
    let mut writer = options.connect().await.unwrap();
    writer.execute("BEGIN IMMEDIATE").await.unwrap();
    let locked = Instant::now();
    // Less than the time after which a call of the store ends.
    tokio::time::sleep(Duration::from_secs(4)).await;
    writer.execute("ROLLBACK").await.unwrap();
    let last = alive.lock().unwrap().unwrap();
    assert!(last.duration_since(locked) < Duration::from_secs(3));
    // It is handled again.
    wait_for(&store, |stats| stats.running == 1).await;
    while alive.lock().unwrap().is_some_and(|now| now == last) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    worker.shutdown(Duration::ZERO).await;
    writer.close().await.unwrap();
    store.close().await;
}

#[tokio::test]
async fn handler_that_ends_as_the_store_does_not_answer_is_not_run_again() {
    let directory = Directory::new();
    let store = SqliteInbox::open(directory.file()).await.unwrap();
    let inbox = Inbox::builder(store.clone(), key()).build();
    let runs = Arc::new(AtomicUsize::new(0));
    let count = runs.clone();
    let service = service_fn(move |_: WorkerRequest| {
        count.fetch_add(1, Ordering::Relaxed);
        async {
            tokio::time::sleep(Duration::from_millis(1200)).await;
            respond(200)
        }
    });
    // No claim waits for the lock: it would take the entry from this worker first.
    let worker = inbox.worker(service).lease(Duration::from_secs(2));
    let worker = worker.poll_interval(Duration::from_secs(60)).spawn();
    let form = form("ONCRMDEALUPDATE", 1, 1, "a");
    assert_eq!(send(&inbox, form).await, 200);
    wait_for(&store, |stats| stats.running == 1).await;
    // The next claim follows at once.
    tokio::time::sleep(Duration::from_millis(300)).await;
    let options = SqliteConnectOptions::new().filename(directory.file());
    let mut writer = options.connect().await.unwrap();
    writer.execute("BEGIN IMMEDIATE").await.unwrap();
    // Past the end of the lease.
    tokio::time::sleep(Duration::from_secs(3)).await;
    writer.execute("ROLLBACK").await.unwrap();
    wait_for(&store, |stats| stats.done == 1).await;
    assert_eq!(runs.load(Ordering::Relaxed), 1);
    worker.shutdown(Duration::ZERO).await;
    writer.close().await.unwrap();
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attempt_that_is_stopped_as_its_lease_ends_counts() {
    let directory = Directory::new();
    let store = SqliteInbox::open(directory.file()).await.unwrap();
    let inbox = Inbox::builder(store.clone(), key()).build();
    let runs = Arc::new(AtomicUsize::new(0));
    let (count, file) = (runs.clone(), directory.file());
    // It keeps the store from extending its own lease.
    let service = service_fn(move |_: WorkerRequest| {
        count.fetch_add(1, Ordering::Relaxed);
        let options = SqliteConnectOptions::new().filename(&file);
        async move {
            let mut writer = options.connect().await.unwrap();
            writer.execute("BEGIN IMMEDIATE").await.unwrap();
            tokio::time::sleep(Duration::from_secs(60)).await;
            respond(200)
        }
    });
    let backoff = Backoff::new()
        .first(Duration::from_millis(100))
        .max_attempts(2);
    let worker = inbox.worker(service).lease(Duration::from_secs(1));
    let worker = worker.retry(backoff).spawn();
    let form = form("ONCRMDEALUPDATE", 1, 1, "a");
    assert_eq!(send(&inbox, form).await, 200);
    wait_for(&store, |stats| stats.dead == 1).await;
    assert_eq!(runs.load(Ordering::Relaxed), 2);
    assert_eq!(worker.shutdown(Duration::ZERO).await, 0);
    store.close().await;
}
