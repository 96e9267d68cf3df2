//! The end of an event: success, failure, timeout, panic, shutdown.

use super::*;

#[tokio::test(start_paused = true)]
async fn background_stops_an_event_after_its_timeout() {
    let background = BackgroundQueue::builder()
        .concurrency(1)
        .timeout(5 * SECOND)
        .build();
    let alive = Arc::new(());
    let app = app(&background, {
        let alive = alive.clone();
        move |event| {
            let alive = alive.clone();
            async move {
                let _alive = alive;
                match id(&event.unwrap()) {
                    1 => pending().await,
                    _ => Ok(Response::default()),
                }
            }
        }
    });
    let before = Arc::strong_count(&alive);
    status(&app, 1).await;
    status(&app, 2).await;
    yield_to_tasks().await;
    assert_eq!(
        Arc::strong_count(&alive),
        before + 3,
        "a handler, and two events with its clones"
    );
    sleep(4 * SECOND).await;
    assert_eq!(
        (background.stats().running, background.stats().queued),
        (1, 1)
    );
    sleep(2 * SECOND).await;
    let stats = background.stats();
    assert_eq!((stats.timed_out, stats.completed, total(stats)), (1, 1, 2));
    assert_eq!(
        Arc::strong_count(&alive),
        before,
        "what was stopped is dropped"
    );
}

#[tokio::test]
async fn background_panic_fails_only_its_event() {
    let background = BackgroundQueue::builder().concurrency(1).build();
    let app = app(&background, |event| {
        let id = id(&event.unwrap());
        assert_ne!(id, 1, "before the future");
        async move {
            tokio::task::yield_now().await;
            assert_ne!(id, 2, "in the future");
            Ok(Response::default())
        }
    });
    for id in 0..5 {
        assert_eq!(status(&app, id).await, StatusCode::OK);
    }
    assert!(background.shutdown(SECOND).await.is_empty());
    let stats = background.stats();
    assert_eq!((stats.failed, stats.completed, total(stats)), (2, 3, 5));
}

#[tokio::test]
async fn background_event_completes_only_with_a_success_status() {
    let background = BackgroundQueue::new();
    let app = app(&background, async |event| match id(&event.unwrap()) {
        0 => Err("no connection to db.local"),
        1 => Ok(status_of(StatusCode::INTERNAL_SERVER_ERROR)),
        2 => Ok(status_of(StatusCode::UNPROCESSABLE_ENTITY)),
        3 => Ok(status_of(StatusCode::SEE_OTHER)),
        4 => Ok(status_of(StatusCode::ACCEPTED)),
        _ => Ok(Response::default()),
    });
    for id in 0..6 {
        assert_eq!(status(&app, id).await, StatusCode::OK);
    }
    assert!(background.shutdown(SECOND).await.is_empty());
    let stats = background.stats();
    assert_eq!((stats.failed, stats.completed), (4, 2));
}

#[tokio::test(start_paused = true)]
async fn background_shutdown_rejects_new_events_and_returns_unfinished_ones() {
    let background = BackgroundQueue::builder().concurrency(2).build();
    let ended = Arc::new(AtomicUsize::new(0));
    let app = app(&background, {
        let ended = ended.clone();
        move |_| {
            let ended = ended.clone();
            async move {
                sleep(10 * SECOND).await;
                ended.fetch_add(1, Ordering::Relaxed);
                Ok(Response::default())
            }
        }
    });
    for id in 0..7 {
        status(&app, id).await;
    }
    let drain = tokio::spawn({
        let background = background.clone();
        async move { background.shutdown(15 * SECOND).await }
    });
    yield_to_tasks().await;

    let late = respond(&app, event(7)).await;
    assert_eq!(late.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(
        late.body(),
        "the application is shutting down: ONCRMDEALADD is rejected\n"
    );
    let error = late.extensions().get::<HandlerError>().unwrap();
    assert_eq!(error.kind(), HandlerErrorKind::ShuttingDown);

    let unfinished = drain.await.unwrap();
    let ids = |events: &[Event]| events.iter().map(id).collect::<Vec<_>>();
    assert!(!unfinished.is_empty());
    assert_eq!(ids(unfinished.interrupted()), [2, 3]);
    assert_eq!(ids(unfinished.queued()), [4, 5, 6]);
    assert_eq!(
        unfinished.events().map(id).collect::<Vec<_>>(),
        [2, 3, 4, 5, 6]
    );
    let stats = background.stats();
    assert_eq!((stats.completed, stats.dropped, total(stats)), (2, 6, 8));

    // A returned event is not handled behind the application's back.
    sleep(60 * SECOND).await;
    assert_eq!(ended.load(Ordering::Relaxed), 2);
    assert_eq!(background.stats(), stats);
    assert!(background.shutdown(SECOND).await.is_empty());
}

#[tokio::test]
async fn background_shutdown_of_nothing_ends_at_once_even_twice() {
    let background = BackgroundQueue::new();
    assert!(background.shutdown(Duration::MAX).await.is_empty());

    let background = BackgroundQueue::new();
    let gate = Arc::new(Semaphore::new(0));
    let app = app(&background, {
        let gate = gate.clone();
        move |_| {
            let gate = gate.clone();
            async move {
                gate.acquire().await.unwrap().forget();
                Ok(Response::default())
            }
        }
    });
    status(&app, 1).await;
    let drains = [(); 2].map(|()| {
        let background = background.clone();
        tokio::spawn(async move { background.shutdown(Duration::MAX).await })
    });
    yield_to_tasks().await;
    gate.add_permits(1);
    for drain in drains {
        assert!(drain.await.unwrap().is_empty());
    }
    assert_eq!(background.stats().completed, 1);
}

#[test]
fn background_counts_events_cancelled_with_the_runtime() {
    let background = BackgroundQueue::builder().concurrency(2).build();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let app = app(&background, async |_| pending().await);
    runtime.block_on(async {
        for id in 0..1000 {
            assert_eq!(status(&app, id).await, StatusCode::OK);
        }
    });
    drop(runtime);
    let stats = background.stats();
    assert_eq!((stats.running, stats.queued, stats.dropped), (0, 998, 2));
}
