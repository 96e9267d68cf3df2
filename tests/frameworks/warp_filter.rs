//! warp: filters behind the layer, with `ext::get` for the event.

use http_body_util::Full;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tower::ServiceBuilder;
use tower_bitrix24::Event;
use warp::Filter;

use crate::{assert_guards, client, events, full};

fn filter() -> impl Filter<Extract = (impl warp::Reply,), Error = warp::Rejection> + Clone {
    let event = warp::path!("bitrix24" / "events")
        .and(warp::ext::get())
        .map(|event: Event| event.code().to_owned());
    let echo = warp::path!("echo")
        .and(warp::body::bytes())
        .map(|body: bytes::Bytes| String::from_utf8(body.to_vec()).unwrap());
    event.or(echo)
}

#[tokio::test]
async fn warp_filters_run_behind_the_layer() {
    let service = ServiceBuilder::new()
        .layer(events())
        .service(warp::service(filter()));
    assert_guards(service, Full::<bytes::Bytes>::from).await;
}

#[tokio::test]
async fn hyper_serves_warp_filters_behind_the_layer() {
    let service = ServiceBuilder::new()
        .layer(events().wrap_body())
        .service(warp::service(filter()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let service = TowerToHyperService::new(service);
        http1::Builder::new()
            .serve_connection(TokioIo::new(stream), service)
            .await
    });
    let client = client(TcpStream::connect(address).await.unwrap()).await;
    assert_guards(client, full).await;
}
