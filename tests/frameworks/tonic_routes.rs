//! tonic: gRPC and events on one port.

use axum::Extension;
use axum::routing::post;
use http_body_util::Full;
use tokio::net::{TcpListener, TcpStream};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::body::Body;
use tonic::service::Routes;
use tonic::transport::Server;
use tower::ServiceBuilder;
use tower_bitrix24::Event;

use crate::{assert_guards, client, events, full};

fn routes() -> Routes {
    let on_event = async |Extension(event): Extension<Event>| event.code().to_owned();
    axum::Router::new()
        .route("/bitrix24/events", post(on_event))
        .route("/echo", post(async |body: String| body))
        .into()
}

#[tokio::test]
async fn tonic_server_takes_the_layer() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = Server::builder()
        .accept_http1(true)
        .layer(events().wrap_body())
        .add_routes(routes())
        .serve_with_incoming(TcpListenerStream::new(listener));
    tokio::spawn(server);
    let client = client(TcpStream::connect(address).await.unwrap()).await;
    assert_guards(client, full).await;
}

#[tokio::test]
async fn tonic_keeps_its_body() {
    let service = ServiceBuilder::new()
        .layer(events().body_from(|bytes| Body::new(Full::new(bytes))))
        .service(routes());
    assert_guards(service, |text| Body::new(Full::<bytes::Bytes>::from(text))).await;
}
