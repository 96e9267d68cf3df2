//! An axum application that responds to each verified event with JSON of what was read from it.
//!
//! ```text
//! BITRIX24_APPLICATION_TOKEN=51856fefc120afa4b628cc82d3935cce cargo run --example inspect
//! ```
//!
//! The JSON of `POST /bitrix24/events` has `event` (the code), `kind` (the variant or null), `typed`
//! (the payload or null), `mismatch` (the reason or null), `handler_id`, `ts`, `auth` with redacted
//! tokens, and `data` as PHP's `json_encode` prints it. `data` is exposed, with the tokens that some
//! events carry in it, because only the sender gets the response.
//!
//! `BITRIX24_APPLICATION_TOKEN` may hold several tokens, separated by commas. `BIND` sets the
//! address and defaults to `127.0.0.1:3000`. The variables of `EventConfig::from_env` set the rest.

mod support {
    pub(crate) mod server;
}

use std::error::Error;

use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::post;
use axum::{Extension, Router};
use serde::Serialize;
use support::server::{event_layer, listen};
use tower_bitrix24::envelope::Auth;
use tower_bitrix24::{Event, EventKind, Payload, Value};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (path, events) = event_layer("inspect");
    let app = Router::new().route(&path, post(inspect).layer(events));

    axum::serve(listen().await?, app).await?;
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
    // Serialized directly from the event, which keeps the order of the keys.
    let json = serde_json::to_string(&inspection).expect("the keys of an event are strings");
    ([(CONTENT_TYPE, "application/json")], json)
}
