//! Mistakes of other webhook receivers, a test for each.

use std::convert::Infallible;
use std::error::Error;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use crate::common::{Frames, SEED, TOKEN, data, forged, full, layer, post};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Channel, Full};
use tower::buffer::BufferLayer;
use tower::limit::ConcurrencyLimitLayer;
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};
use tower_bitrix24::handler::HandlerError;
use tower_bitrix24::{
    ApplicationToken, Envelope, Event, EventBody, EventLayer, EventRouter, RejectionKind, TokenSet,
    VerifyError,
};
use tower_http::normalize_path::NormalizePathLayer;

type Body = Full<Bytes>;

async fn respond_with_code<B>(request: Request<B>) -> Result<Response<Body>, Infallible> {
    let event: &Event = request.extensions().get().unwrap();
    Ok(Response::new(Full::from(event.code().to_owned())))
}

/// Panics if it is called without having been polled ready, as `tower::limit::ConcurrencyLimit`
/// does.
#[derive(Default)]
struct Strict {
    ready: bool,
    called: Arc<AtomicUsize>,
}

impl Clone for Strict {
    fn clone(&self) -> Self {
        Self {
            ready: false,
            called: self.called.clone(),
        }
    }
}

impl Service<Request<Body>> for Strict {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Body>) -> Self::Future {
        assert!(
            std::mem::take(&mut self.ready),
            "called without having been polled ready"
        );
        self.called.fetch_add(1, Ordering::Relaxed);
        std::future::ready(Ok(Response::default()))
    }
}

#[tokio::test]
async fn mistake_1_called_service_was_polled_ready() {
    let strict = Strict::default();
    let layer = layer().path("/bitrix24/events").pass_other_callbacks();
    let mut service = layer.layer(strict.clone());
    let get = |path| Request::get(path).body(Body::default()).unwrap();
    for _ in 0..3 {
        let (other, callback) = (get("/"), get("/bitrix24/events"));
        for request in [
            post(full(SEED)),
            post(full(forged())),
            post(full("a=1")),
            other,
            callback,
        ] {
            service.ready().await.unwrap().call(request).await.unwrap();
        }
    }
    assert_eq!(strict.called.load(Ordering::Relaxed), 12);
}

#[tokio::test]
async fn mistake_1_layer_works_around_and_inside_limits_and_buffers() {
    let service = ServiceBuilder::new()
        .layer(BufferLayer::new(8))
        .layer(ConcurrencyLimitLayer::new(2))
        .layer(layer())
        .layer(ConcurrencyLimitLayer::new(1))
        .layer(BufferLayer::new(8))
        .service(service_fn(respond_with_code::<Body>));
    let calls = (0..20).map(|i| {
        let body = if i % 2 == 0 {
            SEED.to_owned()
        } else {
            forged()
        };
        tokio::spawn(service.clone().oneshot(post(full(body))))
    });
    for (i, call) in calls.collect::<Vec<_>>().into_iter().enumerate() {
        let status = call.await.unwrap().unwrap().status();
        assert_eq!(
            status,
            if i % 2 == 0 {
                StatusCode::OK
            } else {
                StatusCode::FORBIDDEN
            }
        );
    }
}

#[tokio::test]
async fn mistake_1_rejected_request_releases_its_permit() {
    let mut service = ServiceBuilder::new()
        .layer(layer())
        .layer(ConcurrencyLimitLayer::new(1))
        .service(service_fn(respond_with_code::<Body>));
    for _ in 0..3 {
        let response = service
            .ready()
            .await
            .unwrap()
            .call(post(full(forged())))
            .await
            .unwrap();
        assert_eq!(response.status(), StatusCode::FORBIDDEN);
    }
    let response = service
        .ready()
        .await
        .unwrap()
        .call(post(full(SEED)))
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::OK);
}

#[tokio::test]
async fn mistake_2_body_ends_with_its_frames_or_an_error() {
    let service = layer().wrap_body().layer(service_fn(respond_with_code));
    let (first, second) = SEED.split_at(100);
    let whole = vec![data(first), data(""), data(second)].into_iter();
    let response = service.clone().oneshot(post(Frames(whole))).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);

    let broken = vec![data(SEED), Err("reset".into())].into_iter();
    let response = service.oneshot(post(Frames(broken))).await.unwrap();
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
}

#[test]
fn mistake_3_documented_axum_use_compiles_and_keeps_the_service_error() {
    use axum::routing::post;
    use axum::{Extension, Router};

    async fn on_event(Extension(event): Extension<Event>) -> StatusCode {
        assert!(event.kind().is_some());
        StatusCode::OK
    }
    let _: Router = Router::new()
        .route("/bitrix24/events", post(on_event).layer(layer()))
        .route("/other", post(on_event))
        .layer(layer().path("/other"));

    struct OwnError;
    fn error_of<S: Service<Request<Body>, Error = OwnError>>(_: &S) {}
    let service = service_fn(|_: Request<Body>| async { Err::<Response<Body>, _>(OwnError) });
    error_of(&layer().layer(service));
}

#[tokio::test]
async fn mistake_4_no_more_than_the_body_limit_is_held() {
    let (mut sender, body) = Channel::<Bytes>::new(1);
    let service = layer()
        .body_limit(64 * 1024)
        .wrap_body()
        .layer(service_fn(respond_with_code));
    let sending = async {
        let mut sent = 0;
        while sender
            .send_data(Bytes::from_static(&[b'a'; 4096]))
            .await
            .is_ok()
        {
            sent += 4096;
        }
        sent
    };
    let (response, sent) = tokio::join!(service.oneshot(post(body)), sending);
    let response = response.unwrap();
    assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
    assert!(sent <= 64 * 1024 + 3 * 4096, "{sent} bytes were taken");
}

// Mistake 5, secrets in logs and errors, is `secrets.rs`.

#[tokio::test]
async fn mistake_6_old_and_new_token_are_accepted_together() {
    let tokens = TokenSet::new(["c289487163b58658eae5e8b42eaf11b8", TOKEN]).unwrap();
    let service = EventLayer::new(tokens).layer(service_fn(respond_with_code::<Body>));
    for body in [SEED.to_owned(), forged()] {
        let response = service.clone().oneshot(post(full(body))).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
    }
}

#[tokio::test]
async fn mistake_7_nothing_is_accepted_without_a_token() {
    assert!(ApplicationToken::new("").is_err());
    assert!(TokenSet::new([""; 0]).is_err());
    assert!(TokenSet::from_list("").is_err());

    // A store without a token for the portal.
    let empty = |_: &Envelope| async { Err(VerifyError::rejected()) };
    let service = EventLayer::new(empty).layer(service_fn(respond_with_code::<Body>));
    for token in ["", "undefined", "null", TOKEN] {
        let body = format!("event=ONAPPINSTALL&auth[application_token]={token}");
        let response = service.clone().oneshot(post(full(body))).await.unwrap();
        assert_eq!(response.status(), StatusCode::FORBIDDEN, "{token}");
    }
}

#[tokio::test]
async fn mistake_8_unknown_event_is_delivered() {
    let service = layer().layer(service_fn(respond_with_code::<Body>));
    let body = format!("event=ONSOMETHINGOF2030&auth[application_token]={TOKEN}");
    let response = service.oneshot(post(full(body))).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let code = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(code, "ONSOMETHINGOF2030");
}

// Mistake 9, `==` on secrets and a search that ends at the first match, is tested beside the
// comparison in `src/verify/token.rs`.

#[tokio::test]
async fn mistake_10_failing_verifier_gets_503_not_403() {
    let failing = |_: &Envelope| async { Err(VerifyError::unavailable("connection refused")) };
    let service = EventLayer::new(failing).layer(service_fn(respond_with_code::<Body>));
    let response = service.oneshot(post(full(SEED))).await.unwrap();
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    let rejection = response
        .extensions()
        .get::<tower_bitrix24::Rejection>()
        .unwrap();
    assert_eq!(rejection.kind(), RejectionKind::Unavailable);
    // The cause is for the application's log alone.
    assert_eq!(
        rejection.source().unwrap().to_string(),
        "connection refused"
    );
    assert!(!format!("{rejection} {rejection:?}").contains("rejected"));
}

#[tokio::test]
async fn mistake_11_handler_error_is_not_in_the_response() {
    let router = EventRouter::builder()
        .fallback(async |_: Event| Err::<(), _>("no connection to db.local"))
        .build()
        .unwrap();
    let response = layer()
        .layer(router)
        .oneshot(post(full(SEED)))
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    let error: &HandlerError = response.extensions().get().unwrap();
    assert_eq!(
        error.source().unwrap().to_string(),
        "no connection to db.local"
    );
    assert!(!format!("{error} {error:?} {:?}", response.headers()).contains("db.local"));
    let text = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(text, "the handler of ONCRMREQUISITEADD failed\n");
}

#[tokio::test(start_paused = true)]
async fn dropped_pending_call_calls_no_service() {
    let handled = Arc::new(AtomicUsize::new(0));
    let count = handled.clone();
    let service = service_fn(move |_: Request<EventBody<Channel<Bytes>>>| {
        count.fetch_add(1, Ordering::Relaxed);
        async { Ok::<_, Infallible>(Response::new(Body::default())) }
    });
    let slow = |_: &Envelope| async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        Ok(())
    };
    let service = EventLayer::new(slow).wrap_body().layer(service);

    // Dropped while the body arrives, dropped during verification, and not dropped.
    for (whole, timeout, calls) in [(false, 100, 0), (true, 100, 0), (true, 2_000, 1)] {
        let (mut sender, body) = Channel::<Bytes>::new(1);
        sender.send_data(Bytes::from(SEED)).await.unwrap();
        let sender = (!whole).then_some(sender);
        let call = pin!(service.clone().oneshot(post(body)));
        let ended = tokio::time::timeout(Duration::from_millis(timeout), call).await;
        assert_eq!(ended.is_ok(), calls == 1);
        assert_eq!(handled.load(Ordering::Relaxed), calls);
        drop(sender);
    }
}

#[tokio::test]
async fn normalize_path_behind_the_layer_does_not_bypass_it() {
    let event = |path: &str, body: &str| {
        let mut request = post(full(body.to_owned()));
        *request.uri_mut() = path.parse().unwrap();
        request
    };
    let reached = service_fn(|request: Request<Body>| async move {
        assert_eq!(
            request.uri().path().trim_end_matches('/'),
            "/bitrix24/events"
        );
        respond_with_code(request).await
    });
    for (selected, normalize) in [
        (
            "/bitrix24/events",
            NormalizePathLayer::trim_trailing_slash(),
        ),
        (
            "/bitrix24/events/",
            NormalizePathLayer::append_trailing_slash(),
        ),
    ] {
        let service = ServiceBuilder::new()
            .layer(layer().path(selected))
            .layer(normalize)
            .service(reached);
        for path in [
            "/bitrix24/events",
            "/bitrix24/events/",
            "/bitrix24/events///",
            "//bitrix24/events",
        ] {
            for (body, status) in [(SEED.to_owned(), 200), (forged(), 403)] {
                let response = service.clone().oneshot(event(path, &body)).await.unwrap();
                assert_eq!(response.status(), status, "{path}");
            }
        }
    }
}

#[tokio::test]
async fn every_path_spelling_that_axum_routes_is_verified() {
    use axum::{Router, body::Body, extract::Path, routing};

    async fn named(Path(name): Path<String>, event: Option<axum::Extension<Event>>) -> String {
        format!("{name} {}", event.is_some())
    }
    let app: Router = Router::new().nest(
        "/crm",
        Router::new()
            .route("/bitrix24/events/", routing::post(|| async { "reached" }))
            .route("/bitrix24/{name}", routing::post(named))
            .layer(layer().path("/bitrix24/events")),
    );
    for (path, status) in [
        ("/crm/bitrix24/events", 403),
        ("/crm/bitrix24/events/", 403),
        ("/crm/bitrix24/%65vents", 403),
        ("/crm/bitrix24/other", 200),
    ] {
        let mut request = post(Body::from(forged()));
        *request.uri_mut() = path.parse().unwrap();
        let response = app.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), status, "{path}");
    }
}
