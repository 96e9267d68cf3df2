//! An axum application that prints the Bitrix24 events it receives.
//!
//! ```text
//! BITRIX24_APPLICATION_TOKEN=51856fefc120afa4b628cc82d3935cce cargo run --example axum
//! ```
//!
//! `BIND` sets the address. Defaults to `127.0.0.1:3000`. The variables of
//! `EventConfig::from_env` set the rest.

use std::error::Error;

use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Extension, Router};
use tokio::net::TcpListener;
use tower_bitrix24::{Event, EventConfig, Payload};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut settings = EventConfig::from_env().unwrap_or_else(|error| {
        eprintln!("{error}");
        eprintln!("Set the token that the portal shows for your webhook or application:");
        eprintln!(
            "  BITRIX24_APPLICATION_TOKEN=51856fefc120afa4b628cc82d3935cce cargo run --example axum"
        );
        std::process::exit(2);
    });

    let path = settings
        .path
        .get_or_insert_with(|| "/bitrix24/events".to_owned())
        .clone();
    let app = Router::new()
        .route(
            "/",
            get(|| async { "The events have a path of their own.\n" }),
        )
        .route(&path, post(on_event))
        .layer(settings.into_layer());

    let bind = std::env::var("BIND").unwrap_or_else(|_| "127.0.0.1:3000".to_owned());
    let listener = TcpListener::bind(&bind).await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app).await?;
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
