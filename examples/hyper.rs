//! A hyper server, without a framework, that prints the Bitrix24 events it receives.
//!
//! ```text
//! BITRIX24_APPLICATION_TOKEN=51856fefc120afa4b628cc82d3935cce cargo run --example hyper
//! ```
//!
//! `BIND` sets the address and defaults to `127.0.0.1:3000`. The variables of
//! `EventConfig::from_env` set the rest.

mod support {
    pub(crate) mod server;
}

use std::convert::Infallible;
use std::error::Error;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use support::server::{event_layer, listen};
use tower::{ServiceBuilder, service_fn};
use tower_bitrix24::{Event, EventBody, Payload};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (_, events) = event_layer("hyper");
    let service = ServiceBuilder::new()
        .layer(events.wrap_body())
        .service(service_fn(on_request));

    let listener = listen().await?;
    loop {
        let (stream, _) = listener.accept().await?;
        let service = TowerToHyperService::new(service.clone());
        tokio::spawn(async move {
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .serve_connection(TokioIo::new(stream), service);
            if let Err(error) = connection.await {
                eprintln!("connection failed: {error}");
            }
        });
    }
}

async fn on_request(
    request: Request<EventBody<Incoming>>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let mut response = Response::default();
    match request.extensions().get::<Event>() {
        Some(event) => on_event(event),
        // The path is not that of events.
        None => *response.status_mut() = StatusCode::NOT_FOUND,
    }
    Ok(response)
}

fn on_event(event: &Event) {
    match event.payload() {
        Payload::CrmRequisiteAdd(requisite) => {
            println!(
                "CrmRequisiteAdd: requisite {} on {}",
                requisite.id,
                event.auth().domain()
            );
        }
        Payload::Unknown => match event.mismatch() {
            Some(mismatch) => println!("{}: {mismatch}, data {:?}", event.code(), event.data()),
            None => println!("{}: data {:?}", event.code(), event.data()),
        },
        payload => println!("{payload:?} on {}", event.auth().domain()),
    }
}
