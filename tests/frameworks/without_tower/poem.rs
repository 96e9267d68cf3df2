//! poem: its requests have the types of `http` 1.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use poem::listener::TcpAcceptor;
use poem::web::Data;
use poem::{EndpointExt, Request, Response, Route, Server, handler};
use tokio::net::{TcpListener, TcpStream};
use tower::ServiceExt;

use super::{Events, REQUESTS, large, respond};
use crate::{client, post};

#[handler]
async fn on_event(head: &Request, body: Bytes, events: Data<&Events>) -> Response {
    let mut request = http::Request::new(body);
    *request.method_mut() = head.method().clone();
    *request.uri_mut() = head.original_uri().clone();
    *request.headers_mut() = head.headers().clone();
    let (head, body) = respond(&events, request).await.into_parts();
    let mut response = Response::from((head.status, body));
    *response.headers_mut() = head.headers;
    response
}

#[tokio::test]
async fn poem_handler_verifies_events() {
    let app = Route::new()
        .at("/bitrix24/events", on_event)
        .data(super::events());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let acceptor = TcpAcceptor::from_tokio(listener).unwrap();
    tokio::spawn(Server::new_with_acceptor(acceptor).run(app));
    let client = client(TcpStream::connect(address).await.unwrap()).await;

    let large = large();
    let accepted = (&*large, 200, REQUESTS[0].2);
    for (form, status, want) in REQUESTS.into_iter().chain([accepted]) {
        let body = Full::from(form.to_owned()).boxed_unsync();
        let response = client.clone().oneshot(post("/bitrix24/events", body));
        let response = response.await.unwrap();
        assert_eq!(response.status(), status, "{want}");
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert!(body.starts_with(want.as_bytes()), "{body:?}");
    }
    let mut probe = post("/bitrix24/events", Full::default().boxed_unsync());
    *probe.method_mut() = http::Method::GET;
    let response = client.oneshot(probe).await.unwrap();
    assert_eq!(response.status(), 405);
    assert_eq!(response.headers()["allow"], "POST");
}
