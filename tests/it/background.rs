//! Events that get their response first and are handled later: nothing waits for a handler, nothing exceeds its bounds,
//! and every event is accounted for.

use std::future::{Future, pending};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use tokio::sync::Semaphore;
use tokio::time::{advance, sleep};
use tower::limit::ConcurrencyLimitLayer;
use tower::util::BoxCloneSyncService;
use tower::{Service, ServiceBuilder, ServiceExt, service_fn};
use tower_bitrix24::background::{BackgroundQueue, Stats};
use tower_bitrix24::handler::{HandlerError, HandlerErrorKind};
use tower_bitrix24::testing::{Tamper, TestEvent};
use tower_bitrix24::{ApplicationToken, Event, EventKind, EventLayer};

const SECOND: Duration = Duration::from_secs(1);

type Handled = Result<Response<Full<Bytes>>, &'static str>;
type App = BoxCloneSyncService<Request<Full<Bytes>>, Response<Bytes>, &'static str>;

/// Builds the layers around a handler. Responses have their bodies collected.
fn app<F>(
    background: &BackgroundQueue,
    handler: impl Fn(Option<Event>) -> F + Clone + Send + Sync + 'static,
) -> App
where
    F: Future<Output = Handled> + Send + 'static,
{
    let handler = service_fn(move |request: Request<Full<Bytes>>| {
        handler(request.extensions().get::<Event>().cloned())
    });
    around(background, handler)
}

fn around<S>(background: &BackgroundQueue, handler: S) -> App
where
    S: Service<Request<Full<Bytes>>, Response = Response<Full<Bytes>>>
        + Clone
        + Send
        + Sync
        + 'static,
    S::Error: Into<&'static str>,
    S::Future: Send,
{
    let token = ApplicationToken::new(TestEvent::TOKEN).unwrap();
    let service = ServiceBuilder::new()
        .layer(EventLayer::new(token).pass_other_callbacks())
        .layer(background.layer())
        .service(handler);
    let service = service
        .map_err(Into::into)
        .and_then(async |response: Response<_>| {
            let (head, body) = response.into_parts();
            let body: Full<Bytes> = body;
            let bytes = body.collect().await.unwrap().to_bytes();
            Ok(Response::from_parts(head, bytes))
        });
    BoxCloneSyncService::new(service)
}

fn event(id: u64) -> Request<Full<Bytes>> {
    TestEvent::new(EventKind::CrmDealAdd).id(id).request("/")
}

async fn respond(app: &App, request: Request<Full<Bytes>>) -> Response<Bytes> {
    app.clone().oneshot(request).await.unwrap()
}

async fn status(app: &App, id: u64) -> StatusCode {
    respond(app, event(id)).await.status()
}

fn id(event: &Event) -> u64 {
    let id = &event.data().unwrap()["FIELDS"]["ID"];
    id.as_str().unwrap().parse().unwrap()
}

fn status_of(status: StatusCode) -> Response<Full<Bytes>> {
    Response::builder()
        .status(status)
        .body(Full::default())
        .unwrap()
}

/// Yields until all tasks wait.
async fn on_handled() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

/// Counts every event once.
fn total(stats: Stats) -> u64 {
    stats.queued as u64
        + stats.running as u64
        + stats.completed
        + stats.failed
        + stats.timed_out
        + stats.dropped
}

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
        .capacity_bytes(8 << 10);
    let background = background.build();
    let app = app(&background, async |_| {
        sleep(SECOND).await;
        Ok(status_of(StatusCode::OK))
    });
    for id in 0..50 {
        assert_eq!(status(&app, id).await, StatusCode::OK);
        sleep(SECOND).await;
    }
    on_handled().await;
    assert_eq!(background.stats().queued_bytes, 0);
}

#[tokio::test(start_paused = true)]
async fn background_responds_before_the_handler_ends() {
    let background = BackgroundQueue::new();
    let app = app(&background, async |_| {
        sleep(30 * SECOND).await;
        Ok(Response::new(Full::from("nobody reads it")))
    });
    let start = tokio::time::Instant::now();
    let response = respond(&app, event(1)).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert!(response.body().is_empty());
    assert_eq!(start.elapsed(), Duration::ZERO);
    assert_eq!(
        (background.stats().running, background.stats().completed),
        (1, 0)
    );

    assert!(background.shutdown(60 * SECOND).await.is_empty());
    assert_eq!(start.elapsed(), 30 * SECOND);
    assert_eq!(
        (background.stats().running, background.stats().completed),
        (0, 1)
    );
}

#[tokio::test]
async fn background_never_queues_an_unverified_request() {
    let background = BackgroundQueue::new();
    // A body that lost its `event` passes as another callback.
    let app = app(&background, async |event| {
        assert!(event.is_none());
        Ok(status_of(StatusCode::NOT_FOUND))
    });
    for &tamper in Tamper::ALL {
        let request = TestEvent::new(EventKind::CrmDealAdd)
            .tampered(tamper)
            .request("/");
        let response = respond(&app, request).await;
        assert!(response.status().is_client_error(), "{tamper:?}");
    }
    assert_eq!(background.stats(), Stats::default());
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
    on_handled().await;
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
    on_handled().await;
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
async fn background_oldest_queued_age_is_that_of_the_first() {
    let background = BackgroundQueue::builder().concurrency(1).build();
    let app = app(&background, async |_| {
        sleep(10 * SECOND).await;
        Ok(Response::default())
    });
    status(&app, 1).await;
    on_handled().await;
    assert_eq!(background.stats().oldest_queued_age, None);
    advance(SECOND).await;
    status(&app, 2).await;
    advance(2 * SECOND).await;
    status(&app, 3).await;
    assert_eq!(background.stats().oldest_queued_age, Some(2 * SECOND));
    sleep(8 * SECOND).await;
    assert_eq!(background.stats().oldest_queued_age, Some(8 * SECOND));
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
    on_handled().await;

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
    on_handled().await;
    gate.add_permits(1);
    for drain in drains {
        assert!(drain.await.unwrap().is_empty());
    }
    assert_eq!(background.stats().completed, 1);
}

#[tokio::test(start_paused = true)]
async fn background_waits_for_a_service_that_is_not_ready() {
    let background = BackgroundQueue::builder()
        .concurrency(4)
        .capacity(4)
        .build();
    let most = Arc::new(AtomicUsize::new(0));
    let limited = ServiceBuilder::new()
        .layer(ConcurrencyLimitLayer::new(1))
        .service({
            let (most, running) = (most.clone(), Arc::new(AtomicUsize::new(0)));
            service_fn(move |_| {
                let (most, running) = (most.clone(), running.clone());
                async move {
                    most.fetch_max(
                        running.fetch_add(1, Ordering::Relaxed) + 1,
                        Ordering::Relaxed,
                    );
                    sleep(SECOND).await;
                    running.fetch_sub(1, Ordering::Relaxed);
                    Ok::<_, &str>(Response::default())
                }
            })
        });
    let app = around(&background, limited);
    let start = tokio::time::Instant::now();
    for id in 0..8 {
        assert_eq!(status(&app, id).await, StatusCode::OK);
    }
    assert_eq!(start.elapsed(), Duration::ZERO);
    assert!(background.shutdown(60 * SECOND).await.is_empty());
    assert_eq!(start.elapsed(), 8 * SECOND);
    assert_eq!(most.load(Ordering::Relaxed), 1);
    assert_eq!(background.stats().completed, 8);
}

#[tokio::test(start_paused = true)]
async fn background_handles_other_callbacks_in_the_foreground() {
    let background = BackgroundQueue::builder()
        .concurrency(1)
        .capacity(0)
        .build();
    let app = app(&background, async |event| match event {
        Some(_) => pending().await,
        None => {
            sleep(SECOND).await;
            Ok(Response::new(Full::from("the application's page")))
        }
    });
    // The queue is full.
    assert_eq!(status(&app, 1).await, StatusCode::OK);
    assert_eq!(status(&app, 2).await, StatusCode::SERVICE_UNAVAILABLE);
    let page = respond(&app, Request::get("/").body(Full::default()).unwrap()).await;
    assert_eq!(
        (page.status(), page.body()),
        (StatusCode::OK, &Bytes::from("the application's page"))
    );
    assert_eq!(total(background.stats()), 2);
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

#[test]
#[should_panic(expected = "a concurrency of 0 runs nothing")]
fn background_concurrency_of_zero_panics() {
    let _ = BackgroundQueue::builder().concurrency(0);
}

#[test]
fn background_debug_contains_no_secret() {
    let background = BackgroundQueue::new();
    let layered = tower::Layer::layer(&background.layer(), "a handler");
    let shown = format!("{background:?} {:?} {layered:?}", background.layer());
    assert!(
        shown.contains("concurrency: 16") && shown.contains("queued: 0"),
        "{shown}"
    );
}
