//! An axum application whose events each have a handler of their own behind one URL.
//!
//! ```text
//! BITRIX24_APPLICATION_TOKEN=51856fefc120afa4b628cc82d3935cce cargo run --example router
//! ```
//!
//! `BIND` sets the address. Defaults to `127.0.0.1:3000`. The variables of
//! `EventConfig::from_env` set the rest.

use std::error::Error;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use tokio::net::TcpListener;
use tower_bitrix24::event::{kind, payload::ItemId};
use tower_bitrix24::form::Mismatch;
use tower_bitrix24::{Event, EventConfig, EventRouter};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut settings = EventConfig::from_env().unwrap_or_else(|error| {
        eprintln!("{error}");
        eprintln!("Set the token that the portal shows for your webhook or application:");
        eprintln!(
            "  BITRIX24_APPLICATION_TOKEN=51856fefc120afa4b628cc82d3935cce \
             cargo run --example router"
        );
        std::process::exit(2);
    });

    let router = EventRouter::builder()
        .on(kind::CrmRequisiteAdd, requisite_added)
        .on_prefix("ONCRMDEAL", deal_changed)
        .on_scope("task", |event| async move {
            println!("a task: {:?}", event.payload());
        })
        .on_code("ONSHIPMENT", shipment)
        .fallback(anything_else)
        .build()?;

    let path = settings
        .path
        .get_or_insert_with(|| "/bitrix24/events".to_owned())
        .clone();
    let app = Router::new()
        .route(
            "/",
            get(|| async { "The events have a path of their own.\n" }),
        )
        .route_service(&path, router)
        .layer(settings.into_layer());

    let bind = std::env::var("BIND").unwrap_or_else(|_| "127.0.0.1:3000".to_owned());
    let listener = TcpListener::bind(&bind).await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app).await?;
    Ok(())
}

async fn requisite_added(requisite: ItemId, event: Event) {
    println!(
        "CrmRequisiteAdd: requisite {} on {}",
        requisite.id,
        event.auth().domain()
    );
}

/// Takes all that happens to deals, their custom fields and their recurring templates.
async fn deal_changed(event: Event) {
    match event.subject() {
        Some(subject) => println!("{:?}: {} {}", subject.action, subject.entity, subject.id),
        None => println!("{}: data {:?}", event.code(), event.data()),
    }
}

/// Takes an event that the documentation does not know. Data that are no number are answered 500,
/// with a text that does not say what was found.
async fn shipment(event: Event) -> Result<(), Mismatch> {
    println!("shipment {}", event.data_as::<u64>()?);
    Ok(())
}

async fn anything_else(event: Event) -> StatusCode {
    println!("{}: data {:?}", event.code(), event.data());
    StatusCode::ACCEPTED
}
