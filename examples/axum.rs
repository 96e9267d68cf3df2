//! An axum application that prints the Bitrix24 events it receives.
//!
//! ```text
//! BITRIX24_APPLICATION_TOKEN=51856fefc120afa4b628cc82d3935cce cargo run --example axum
//! ```
//!
//! `BIND` sets the address and defaults to `127.0.0.1:3000`. The variables of
//! `EventConfig::from_env` set the rest.

mod support {
    pub(crate) mod server;
}

use std::error::Error;

use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Extension, Router};
use support::server::{event_layer, listen};
use tower_bitrix24::{Event, Payload};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (path, events) = event_layer("axum");
    let app = Router::new()
        .route("/", get(|| async { "Events have a path of their own.\n" }))
        .route(&path, post(on_event))
        .layer(events);

    axum::serve(listen().await?, app).await?;
    Ok(())
}

async fn on_event(Extension(event): Extension<Event>) -> StatusCode {
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
    StatusCode::OK
}
