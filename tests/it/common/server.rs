//! Services on a real socket, and a client.

use std::error::Error;
use std::net::SocketAddr;

use axum::Router;
use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tower::Service;

use super::client::{HttpClient, text};

pub(crate) async fn serve_axum(app: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    address
}

pub(crate) async fn serve_hyper<S, B>(service: S) -> SocketAddr
where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
    S::Future: Send,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = TowerToHyperService::new(service.clone());
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    address
}

/// Posts a form and returns the response's status and text.
pub(crate) async fn send(address: SocketAddr, path: &str, form: impl Into<Bytes>) -> (u16, String) {
    send_body(address, path, Full::new(form.into())).await
}

/// Posts a body and returns the response's status and text.
pub(crate) async fn send_body<B>(address: SocketAddr, path: &str, body: B) -> (u16, String)
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let request = Request::post(format!("http://{address}{path}"))
        .header("content-type", "application/x-www-form-urlencoded")
        .header("user-agent", "Bitrix24 Webhook Engine")
        .body(body)
        .unwrap();
    let response = HttpClient::new().send(request).await.unwrap();
    (response.status().as_u16(), text(&response))
}
