//! The layer in axum and in hyper, over a real socket with a real client.

use std::convert::Infallible;
use std::time::Duration;

use crate::common::client::HttpClient;
use crate::common::server::{send, send_body, serve_axum, serve_hyper};
use crate::common::{Frames, SEED, data, forged, layer};
use axum::ServiceExt;
use axum::extract::{self, State};
use axum::middleware::{Next, from_fn};
use axum::routing::{get, post};
use axum::{Extension, Form, Router};
use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tower::{Layer as _, ServiceBuilder, ServiceExt as _, service_fn};
use tower_bitrix24::{Event, EventBody, EventConfig};
use tower_http::cors::CorsLayer;
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::timeout::TimeoutLayer;

async fn code(Extension(event): Extension<Event>) -> String {
    event.code().to_owned()
}

#[tokio::test]
async fn layer_of_an_axum_router_guards_only_its_path() {
    let app = Router::new()
        .route("/", get(|| async { "index" }))
        .route("/echo", post(|body: String| async { body }))
        .route("/bitrix24/events", post(code))
        .layer(layer().path("/bitrix24/events"));
    let address = serve_axum(app).await;

    assert_eq!(
        send(address, "/bitrix24/events", SEED).await,
        (200, "ONCRMREQUISITEADD".into())
    );
    assert_eq!(send(address, "/bitrix24/events", forged()).await.0, 403);
    assert_eq!(send(address, "/echo", "a=1").await, (200, "a=1".into()));
    let client = HttpClient::new();
    let index = client.get(&format!("http://{address}/")).await.unwrap();
    assert_eq!(index.body(), "index");
    let url = format!("http://{address}/bitrix24/events");
    let probe = client.get(&url).await.unwrap();
    assert_eq!(probe.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(probe.headers()["allow"], "POST");
}

#[tokio::test]
async fn layer_of_an_axum_route_guards_it_nested_or_not() {
    let events = Router::new().route("/events", post(code).layer(layer()));
    let app = Router::new()
        .route("/events", post(code))
        .route_layer(layer().path("/events"))
        .nest("/bitrix24", events);
    let address = serve_axum(app).await;
    for path in ["/events", "/bitrix24/events"] {
        assert_eq!(
            send(address, path, SEED).await,
            (200, "ONCRMREQUISITEADD".into()),
            "{path}"
        );
        assert_eq!(send(address, path, forged()).await.0, 403, "{path}");
    }
}

#[tokio::test]
async fn axum_extracts_the_body_behind_the_layer() {
    async fn bytes(
        State(greeting): State<&'static str>,
        Extension(event): Extension<Event>,
        body: Bytes,
    ) -> String {
        assert_eq!(event.body(), &body);
        format!("{greeting} {}", body.len())
    }
    async fn form(
        Extension(event): Extension<Event>,
        Form(form): Form<Vec<(String, String)>>,
    ) -> String {
        let (_, id) = form
            .iter()
            .find(|(key, _)| key == "data[FIELDS][ID]")
            .unwrap();
        format!("{} {id}", event.code())
    }
    let app = Router::new()
        .route("/bytes", post(bytes))
        .route("/form", post(form))
        .layer(layer())
        .with_state("read");
    let address = serve_axum(app).await;
    assert_eq!(
        send(address, "/bytes", SEED).await,
        (200, format!("read {}", SEED.len()))
    );
    assert_eq!(
        send(address, "/form", SEED).await,
        (200, "ONCRMREQUISITEADD 27".into())
    );
}

#[tokio::test]
async fn chunked_body_is_accepted_and_a_too_large_one_gets_413() {
    let address = serve_axum(Router::new().route("/", post(code)).layer(layer())).await;
    let chunked = |body: &str| {
        let chunks = body
            .as_bytes()
            .chunks(50)
            .map(|chunk| data(std::str::from_utf8(chunk).unwrap()));
        Frames(chunks.collect::<Vec<_>>().into_iter())
    };
    assert_eq!(
        send_body(address, "/", chunked(SEED)).await,
        (200, "ONCRMREQUISITEADD".into())
    );
    let large = format!(
        "{SEED}&data[x]={}",
        "a".repeat(EventConfig::DEFAULT_BODY_LIMIT)
    );
    assert_eq!(
        send_body(address, "/", chunked(&large)).await,
        (413, "the body is too large\n".into())
    );
}

#[tokio::test]
async fn layer_works_between_tower_http_layers() {
    let timeout =
        TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, Duration::from_secs(5));
    let layers = ServiceBuilder::new()
        .layer(timeout)
        .layer(CorsLayer::new())
        .layer(RequestBodyLimitLayer::new(SEED.len() + 10))
        // The body of the limit cannot be made from bytes.
        .layer(layer().wrap_body())
        .layer(timeout)
        .layer(CorsLayer::new());
    let address = serve_axum(Router::new().route("/", post(code)).layer(layers)).await;
    assert_eq!(
        send(address, "/", SEED).await,
        (200, "ONCRMREQUISITEADD".into())
    );
    assert_eq!(send(address, "/", forged()).await.0, 403);

    // The outer limit ends a body of unknown length: it is too large, not incomplete.
    let long = format!("{SEED}&data[x]=too_long");
    let frames = vec![data(&long)].into_iter();
    assert_eq!(send_body(address, "/", Frames(frames)).await.0, 413);
}

#[tokio::test]
async fn too_large_content_length_gets_413_before_the_body_is_sent() {
    let address = serve_axum(Router::new().route("/", post(code)).layer(layer())).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = "POST / HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-www-form-urlencoded\r\n\
                content-length: 10000000\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut response = [0; 12];
    stream.read_exact(&mut response).await.unwrap();
    assert_eq!(&response, b"HTTP/1.1 413");
}

/// Between two layers a body keeps axum's type, so that `from_fn` and the router take it.
#[tokio::test]
async fn axum_from_fn_works_on_both_sides_of_the_layer() {
    async fn mark(request: extract::Request, next: Next) -> axum::response::Response {
        let is_event = request.extensions().get::<Event>().is_some();
        let mut response = next.run(request).await;
        let name = if is_event { "x-inside" } else { "x-outside" };
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static("1"));
        response
    }
    let layers = ServiceBuilder::new()
        .layer(from_fn(mark))
        .layer(layer())
        .layer(from_fn(mark));
    let app: Router = Router::new().route("/", post(code)).layer(layers);
    let response = app
        .clone()
        .oneshot(post_form("/", axum::body::Body::from(SEED)))
        .await
        .unwrap();
    assert_eq!(response.status(), 200);
    assert!(response.headers().contains_key("x-inside"));
    assert!(response.headers().contains_key("x-outside"));
    let forged = post_form("/", axum::body::Body::from(forged()));
    let response = app.oneshot(forged).await.unwrap();
    assert_eq!(response.status(), 403);
    assert!(!response.headers().contains_key("x-inside"));
    assert!(response.headers().contains_key("x-outside"));
}

#[tokio::test]
async fn axum_serves_the_layer_around_a_whole_router() {
    let app = Router::new().route("/bitrix24/events", post(code));
    let service = layer().path("/bitrix24/events").layer(app);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let make = ServiceExt::<extract::Request>::into_make_service(service);
    tokio::spawn(async move { axum::serve(listener, make).await.unwrap() });
    assert_eq!(
        send(address, "/bitrix24/events", SEED).await,
        (200, "ONCRMREQUISITEADD".into())
    );
    assert_eq!(send(address, "/bitrix24/events", forged()).await.0, 403);
    assert_eq!(send(address, "/", "a=1").await.0, 404);
}

fn post_form<B>(path: &str, body: B) -> Request<B> {
    Request::post(path)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(body)
        .unwrap()
}

/// A body that is not `From<Bytes>` keeps its type nevertheless.
#[tokio::test]
async fn body_from_makes_the_bodies_of_events_and_rejections() {
    type Body = Limited<Full<Bytes>>;
    let echo =
        |request: Request<Body>| async { Ok::<_, Infallible>(Response::new(request.into_body())) };
    let service = layer()
        .path("/bitrix24/events")
        .body_from(|bytes| Limited::new(Full::new(bytes), usize::MAX))
        .layer(service_fn(echo));
    for (path, body, status, want) in [
        ("/bitrix24/events", SEED, 200, SEED),
        ("/bitrix24/events", "a=1", 400, "the body has no event\n"),
        ("/", "a=1", 200, "a=1"),
    ] {
        let request = post_form(path, Limited::new(Full::from(body), usize::MAX));
        let response: Response<Body> = service.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), status, "{path}");
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(bytes, want, "{path}");
    }
}

#[tokio::test]
async fn hyper_serves_the_layer_without_a_framework() {
    async fn code_and_length(
        request: Request<EventBody<Incoming>>,
    ) -> Result<Response<Full<Bytes>>, Infallible> {
        let event = request.extensions().get::<Event>().cloned();
        let body = request.into_body().collect().await.unwrap().to_bytes();
        let text = event
            .map(|event| format!("{} ", event.code()))
            .unwrap_or_default();
        Ok(Response::new(Full::from(format!("{text}{}", body.len()))))
    }
    let service = ServiceBuilder::new()
        .layer(layer().path("/bitrix24/events").wrap_body())
        .service(service_fn(code_and_length));
    let address = serve_hyper(service).await;

    let whole = format!("ONCRMREQUISITEADD {}", SEED.len());
    assert_eq!(send(address, "/bitrix24/events", SEED).await, (200, whole));
    assert_eq!(send(address, "/bitrix24/events", forged()).await.0, 403);
    assert_eq!(send(address, "/", "a=1").await, (200, "3".into()));
}
