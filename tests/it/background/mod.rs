//! Events that get their response first and are handled later: nothing waits for a handler, nothing
//! exceeds its bounds, and every event is accounted for.

mod end;
mod queue;

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
async fn yield_to_tasks() {
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
