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
//! address. Defaults to `127.0.0.1:3000`.

use std::error::Error;

use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::post;
use axum::{Extension, Router};
use serde::Serialize;
use tokio::net::TcpListener;
use tower_bitrix24::envelope::Auth;
use tower_bitrix24::{Event, EventKind, EventLayer, Payload, TokenSet, Value};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let tokens = std::env::var("BITRIX24_APPLICATION_TOKEN").unwrap_or_default();
    let tokens = TokenSet::from_list(&tokens).unwrap_or_else(|error| {
        eprintln!("BITRIX24_APPLICATION_TOKEN is not set: {error}");
        eprintln!("Set the token that the portal shows, or several separated by commas:");
        eprintln!("  BITRIX24_APPLICATION_TOKEN=51856fefc120afa4b628cc82d3935cce cargo run --example inspect");
        std::process::exit(2);
    });
    let app = Router::new().route(
        "/bitrix24/events",
        post(inspect).layer(EventLayer::new(tokens)),
    );

    let bind = std::env::var("BIND").unwrap_or_else(|_| "127.0.0.1:3000".to_owned());
    let listener = TcpListener::bind(&bind).await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app).await?;
    Ok(())
}

#[derive(Serialize)]
struct Inspection<'a, D> {
    event: &'a str,
    kind: Option<EventKind>,
    typed: &'a Payload,
    mismatch: Option<String>,
    handler_id: Option<u64>,
    ts: Option<i64>,
    auth: &'a Auth,
    data: Option<D>,
}

async fn inspect(Extension(event): Extension<Event>) -> impl IntoResponse {
    let inspection = Inspection {
        event: event.code(),
        kind: event.kind(),
        typed: event.payload(),
        mismatch: event.mismatch().map(ToString::to_string),
        handler_id: event.handler_id(),
        ts: event.timestamp(),
        auth: event.auth(),
        data: event.data().map(Value::expose),
    };
    // Written straight from the event, which keeps the order of its keys.
    let json = serde_json::to_string(&inspection).expect("an event has only texts for keys");
    ([(CONTENT_TYPE, "application/json")], json)
}
