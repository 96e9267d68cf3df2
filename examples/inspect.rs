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
//! The platform's other requests are verified too. Their JSON has `callback` (`robot`, `message`,
//! `placement`, `settings` or `unknown`), `proof`, `typed`, `unknown_kind`, `mismatch`, `auth`, and
//! `data` as PHP's `json_encode` prints the form without `auth`, with secrets redacted.
//!
//! Requests that Bitrix24 sends without a token are verified by the query parameter `secret`, if
//! `BITRIX24_URL_SECRET` holds its value, or several values separated by commas. Otherwise they are rejected.
//!
//! `BITRIX24_APPLICATION_TOKEN` may hold several tokens, separated by commas. `BIND` sets the
//! address and defaults to `127.0.0.1:3000`. The variables of `EventConfig::from_env` set the rest.

mod support {
    pub(crate) mod server;
}

use std::error::Error;

use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Extension, Router};
use serde::Serialize;
use support::server::{event_layer, listen};
use tower_bitrix24::envelope::Auth;
use tower_bitrix24::layer::UrlSecret;
use tower_bitrix24::{Callback, Event, EventKind, Payload, Value};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (path, events) = event_layer("inspect");
    let mut events = events.callbacks();
    if let Ok(secrets) = std::env::var("BITRIX24_URL_SECRET") {
        let secret = UrlSecret::query("secret", secrets.split(',').map(str::trim))?;
        events = events.url_secret(secret.only_without_token());
    }
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

async fn inspect(
    event: Option<Extension<Event>>,
    callback: Option<Extension<Callback>>,
) -> Response {
    match (event, callback) {
        (Some(Extension(event)), _) => json(&Inspection {
            event: event.code(),
            kind: event.kind(),
            typed: event.payload(),
            mismatch: event.mismatch().map(ToString::to_string),
            handler_id: event.handler_id(),
            ts: event.timestamp(),
            auth: event.auth(),
            data: event.data().map(Value::expose),
        }),
        (None, Some(Extension(callback))) => json(&callback),
        // Passed unverified, if the configuration lets other callbacks pass.
        (None, None) => StatusCode::NO_CONTENT.into_response(),
    }
}

/// Serialized directly, which keeps the order of the keys.
fn json(inspection: &impl Serialize) -> Response {
    let json = serde_json::to_string(inspection).expect("the keys are strings");
    ([(CONTENT_TYPE, "application/json")], json).into_response()
}
