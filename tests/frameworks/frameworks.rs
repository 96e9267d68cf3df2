//! The layer in other frameworks: each compiles without an adapter and responds to good and bad events.

mod aide_axum;
mod lambda;
mod salvo_hoop;
mod tonic_routes;
mod utoipa;
mod warp_filter;
mod without_tower;
mod wrong_body;

use std::convert::Infallible;
use std::fmt::Debug;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tower::{Service, ServiceExt};
use tower_bitrix24::{ApplicationToken, EventLayer};

pub(crate) const GOOD: &str = "event=ONAPPTEST&auth[application_token]=192735";
pub(crate) const FORGED: &str = "event=ONAPPTEST&auth[application_token]=guess";

pub(crate) fn events() -> EventLayer<ApplicationToken> {
    EventLayer::new(ApplicationToken::new("192735").unwrap()).path("/bitrix24/events")
}

pub(crate) fn post<B>(path: &str, body: B) -> Request<B> {
    Request::post(path)
        .header("host", "localhost")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(body)
        .unwrap()
}

/// Asserts that a service accepts an event, rejects a forged one and passes another path.
pub(crate) async fn assert_guards<S, B, R>(service: S, body: impl Fn(&'static str) -> B)
where
    S: Service<Request<B>, Response = Response<R>> + Clone,
    S::Error: Debug,
    R: http_body::Body<Error: Debug>,
{
    for (path, form, status, want) in [
        ("/bitrix24/events", GOOD, 200, "ONAPPTEST"),
        (
            "/bitrix24/events",
            FORGED,
            403,
            "the application token is not accepted\n",
        ),
        ("/echo", "a=1", 200, "a=1"),
    ] {
        let request = post(path, body(form));
        let response = service.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), status, "{path}");
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(body, want, "{path}");
    }
}

type ClientBody = UnsyncBoxBody<Bytes, Infallible>;

/// Returns a service that sends requests over a stream.
pub(crate) async fn client(
    stream: TcpStream,
) -> impl Service<Request<ClientBody>, Response = Response<hyper::body::Incoming>, Error = hyper::Error>
+ Clone {
    let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    let sender = std::sync::Arc::new(tokio::sync::Mutex::new(sender));
    tower::service_fn(move |request| {
        let sender = sender.clone();
        async move {
            let mut sender = sender.lock().await;
            sender.ready().await?;
            sender.send_request(request).await
        }
    })
}

pub(crate) fn full(text: &'static str) -> ClientBody {
    http_body_util::Full::from(text).boxed_unsync()
}
