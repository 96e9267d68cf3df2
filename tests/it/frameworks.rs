//! The layer in axum and in hyper, over a real socket with a real client.

use std::convert::Infallible;
use std::time::Duration;

use crate::common::client::HttpClient;
use crate::common::server::{send, send_body, serve_axum, serve_hyper};
use crate::common::{Frames, SEED, data, forged, layer};
use axum::extract::State;
use axum::routing::{get, post};
use axum::{Extension, Form, Router};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tower::{ServiceBuilder, service_fn};
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
        .layer(layer())
        .layer(timeout)
        .layer(CorsLayer::new());
    let address = serve_axum(Router::new().route("/", post(code)).layer(layers)).await;
    assert_eq!(
        send(address, "/", SEED).await,
        (200, "ONCRMREQUISITEADD".into())
    );
    assert_eq!(send(address, "/", forged()).await.0, 403);

    // The limit outside ends a body whose length is not announced: too large, not broken.
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
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 413");
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
        .layer(layer().path("/bitrix24/events"))
        .service(service_fn(code_and_length));
    let address = serve_hyper(service).await;

    let whole = format!("ONCRMREQUISITEADD {}", SEED.len());
    assert_eq!(send(address, "/bitrix24/events", SEED).await, (200, whole));
    assert_eq!(send(address, "/bitrix24/events", forged()).await.0, 403);
    assert_eq!(send(address, "/", "a=1").await, (200, "3".into()));
}
