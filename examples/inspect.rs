//! Shows what a portal really sends: answers every verified event with what was read of it.
//!
//! ```text
//! BITRIX24_APPLICATION_TOKEN=51856fefc120afa4b628cc82d3935cce cargo run --example inspect
//! ```
//!
//! `POST /bitrix24/events` answers with JSON: `event` (the code), `kind` (the variant or null),
//! `typed` (the payload or null), `mismatch` (the reason or null), `handler_id`, `ts`, `auth` with
//! its tokens redacted, and `data` as PHP's `json_encode` would print it. `data` is exposed, with
//! the tokens that some events carry in it: the answer goes to nobody but the sender.
//!
//! `BITRIX24_APPLICATION_TOKEN` may hold several tokens, separated by commas. `BIND` sets the
//! address, `127.0.0.1:3000` unless set.

use std::error::Error;

use axum::routing::post;
use axum::{Extension, Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tower_bitrix24::{Event, EventSettings};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let settings = EventSettings::from_env().unwrap_or_else(|error| {
        eprintln!("{error}");
        eprintln!("Set the token that the portal shows, or several separated by commas:");
        eprintln!("  BITRIX24_APPLICATION_TOKEN=51856fefc120afa4b628cc82d3935cce cargo run --example inspect");
        std::process::exit(2);
    });
    let app = Router::new().route(
        "/bitrix24/events",
        post(inspect).layer(settings.into_layer()),
    );

    let bind = std::env::var("BIND").unwrap_or_else(|_| "127.0.0.1:3000".to_owned());
    let listener = TcpListener::bind(&bind).await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app).await?;
    Ok(())
}

async fn inspect(Extension(event): Extension<Event>) -> Json<Value> {
    Json(json!({
        "event": event.code(),
        "kind": event.kind(),
        "typed": event.payload(),
        "mismatch": event.mismatch().map(ToString::to_string),
        "handler_id": event.handler_id(),
        "ts": event.ts(),
        "auth": event.auth(),
        "data": event.data().map(|data| data.expose()),
    }))
}
