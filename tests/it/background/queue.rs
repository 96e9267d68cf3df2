//! The bounds, the order and the counts of the queue.

use super::*;

#[tokio::test(start_paused = true)]
async fn background_queue_full_of_large_events_has_room_for_small_ones() {
    let background = BackgroundQueue::builder()
        .concurrency(1)
        .capacity_bytes(1 << 20);
    let background = background.build();
    let app = app(&background, async |_| pending().await);
    let large = || TestEvent::new(EventKind::AppTest).set("QUERY[text]", "a".repeat(100_000));
    assert_eq!(status(&app, 1).await, StatusCode::OK);

    let mut accepted = 0;
    while respond(&app, large().request("/")).await.status() == StatusCode::OK {
        accepted += 1;
        let stats = background.stats();
        assert_eq!(stats.queued, accepted);
        assert!(stats.queued_bytes <= 1 << 20, "{stats:?}");
    }
    assert_eq!(accepted, 2);
    assert_eq!(status(&app, 2).await, StatusCode::OK);

    let rejected = respond(&app, large().request("/")).await;
    let error = rejected.extensions().get::<HandlerError>().unwrap();
    assert_eq!(error.kind(), HandlerErrorKind::QueueFull);
    assert!(error.event().unwrap().body().len() > 100_000);

    // Returned events are no longer held.
    let unfinished = background.shutdown(SECOND).await;
    assert_eq!(unfinished.queued().len(), 3);
    assert_eq!(background.stats().queued_bytes, 0);
}

#[tokio::test(start_paused = true)]
async fn background_queue_releases_the_bytes_of_a_running_event() {
    let background = BackgroundQueue::builder()
        .concurrency(1)
        .capacity_bytes(16 << 10);
    let background = background.build();
    let app = app(&background, async |_| {
        sleep(SECOND).await;
        Ok(status_of(StatusCode::OK))
    });
    for id in 0..50 {
        assert_eq!(status(&app, id).await, StatusCode::OK);
        sleep(SECOND).await;
    }
    yield_to_tasks().await;
    assert_eq!(background.stats().queued_bytes, 0);
}

#[tokio::test(start_paused = true)]
async fn background_bounds_running_and_waiting_events_and_rejects_more_with_503() {
    let background = BackgroundQueue::builder()
        .concurrency(3)
        .capacity(4)
        .build();
    let running = Arc::new(AtomicUsize::new(0));
    let most = Arc::new(AtomicUsize::new(0));
    let app = app(&background, {
        let (running, most) = (running.clone(), most.clone());
        move |_| {
            let (running, most) = (running.clone(), most.clone());
            async move {
                let now = running.fetch_add(1, Ordering::Relaxed) + 1;
                most.fetch_max(now, Ordering::Relaxed);
                sleep(SECOND).await;
                running.fetch_sub(1, Ordering::Relaxed);
                Ok(Response::default())
            }
        }
    });
    for id in 0..7 {
        assert_eq!(status(&app, id).await, StatusCode::OK);
    }
    yield_to_tasks().await;
    let stats = background.stats();
    assert_eq!((stats.running, stats.queued, stats.dropped), (3, 4, 0));

    let rejected = respond(&app, event(7)).await;
    assert_eq!(rejected.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(
        rejected.body(),
        "the background queue is full: ONCRMDEALADD is rejected\n"
    );
    let error = rejected.extensions().get::<HandlerError>().unwrap();
    assert_eq!(error.kind(), HandlerErrorKind::QueueFull);
    assert_eq!(error.event().map(id), Some(7));
    assert_eq!(background.stats().dropped, 1);

    // A free slot is taken at once.
    sleep(SECOND + SECOND / 2).await;
    assert_eq!(status(&app, 8).await, StatusCode::OK);
    let stats = background.stats();
    assert_eq!(
        (stats.running, stats.queued, stats.completed, stats.dropped),
        (3, 2, 3, 1)
    );

    assert!(background.shutdown(60 * SECOND).await.is_empty());
    assert_eq!(most.load(Ordering::Relaxed), 3);
    assert_eq!(
        (background.stats().completed, total(background.stats())),
        (8, 9)
    );
}

#[tokio::test(start_paused = true)]
async fn background_queue_of_capacity_zero_accepts_what_can_run() {
    let background = BackgroundQueue::builder()
        .concurrency(1)
        .capacity(0)
        .build();
    let app = app(&background, async |_| {
        sleep(SECOND).await;
        Ok(Response::default())
    });
    assert_eq!(status(&app, 1).await, StatusCode::OK);
    assert_eq!(status(&app, 2).await, StatusCode::SERVICE_UNAVAILABLE);
    sleep(2 * SECOND).await;
    assert_eq!(status(&app, 3).await, StatusCode::OK);
}

#[tokio::test]
async fn background_runs_events_in_order() {
    let background = BackgroundQueue::builder().concurrency(1).build();
    let seen = Arc::new(std::sync::Mutex::new(Vec::new()));
    let app = app(&background, {
        let seen = seen.clone();
        move |event| {
            seen.lock().unwrap().push(id(&event.unwrap()));
            async { Ok(Response::default()) }
        }
    });
    for id in 0..50 {
        status(&app, id).await;
    }
    assert!(background.shutdown(SECOND).await.is_empty());
    assert_eq!(*seen.lock().unwrap(), Vec::from_iter(0..50));
}

#[tokio::test(start_paused = true)]
async fn background_oldest_queued_age_is_that_of_the_first() {
    let background = BackgroundQueue::builder().concurrency(1).build();
    let app = app(&background, async |_| {
        sleep(10 * SECOND).await;
        Ok(Response::default())
    });
    status(&app, 1).await;
    yield_to_tasks().await;
    assert_eq!(background.stats().oldest_queued_age, None);
    advance(SECOND).await;
    status(&app, 2).await;
    advance(2 * SECOND).await;
    status(&app, 3).await;
    assert_eq!(background.stats().oldest_queued_age, Some(2 * SECOND));
    sleep(8 * SECOND).await;
    assert_eq!(background.stats().oldest_queued_age, Some(8 * SECOND));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn background_loses_no_event_under_load() {
    const SENDERS: u64 = 8;
    const EACH: u64 = 500;
    let background = BackgroundQueue::builder()
        .concurrency(4)
        .capacity(16)
        .timeout(SECOND / 50)
        .build();
    let app = app(&background, async |event| match id(&event.unwrap()) % 50 {
        0 => panic!("one of those"),
        1 => Err("failed"),
        2 => pending().await,
        _ => {
            tokio::task::yield_now().await;
            Ok(Response::default())
        }
    });
    let senders = Vec::from_iter((0..SENDERS).map(|sender| {
        let (app, background) = (app.clone(), background.clone());
        tokio::spawn(async move {
            let mut accepted = 0;
            for id in 0..EACH {
                match status(&app, sender * EACH + id).await {
                    StatusCode::OK => accepted += 1,
                    status => assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE),
                }
                let stats = background.stats();
                assert!(stats.running <= 4 && stats.queued <= 16, "{stats:?}");
                if id % 10 == 0 {
                    sleep(SECOND / 1000).await;
                }
            }
            accepted
        })
    }));
    let mut accepted = 0;
    for sender in senders {
        accepted += sender.await.unwrap();
    }
    let seen = background.stats();
    assert_eq!(total(seen), SENDERS * EACH);
    assert_eq!(seen.dropped, SENDERS * EACH - accepted);

    let unfinished = background.shutdown(SECOND * 30).await;
    assert!(unfinished.is_empty());
    let stats = background.stats();
    assert_eq!(stats.completed + stats.failed + stats.timed_out, accepted);
    assert!(
        stats.completed > 0 && stats.failed > 0 && stats.timed_out > 0 && stats.dropped > 0,
        "{stats:?}"
    );
}
