//! An axum application with one URL and a handler for each kind of event.
//!
//! ```text
//! BITRIX24_APPLICATION_TOKEN=51856fefc120afa4b628cc82d3935cce cargo run --example router
//! ```
//!
//! `BIND` sets the address and defaults to `127.0.0.1:3000`. The variables of
//! `EventConfig::from_env` set the rest.

mod support {
    pub(crate) mod server;
}

use std::error::Error;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use support::server::{event_layer, listen};
use tower_bitrix24::event::{entity, kind, payload::ItemId};
use tower_bitrix24::form::Mismatch;
use tower_bitrix24::{Event, EventRouter};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (path, events) = event_layer("router");

    let router = EventRouter::builder()
        .on(kind::CrmRequisiteAdd, requisite_added)
        .on_entity(entity::CRM_DEAL, deal_changed)
        .on_scope("task", async |event: Event| {
            println!("a task: {:?}", event.payload());
        })
        .on_code("ONSHIPMENT", shipment)
        .fallback(anything_else)
        .build()?;

    let app = Router::new()
        .route("/", get(|| async { "Events have a path of their own.\n" }))
        .route_service(&path, router)
        .layer(events);

    axum::serve(listen().await?, app).await?;
    Ok(())
}

async fn requisite_added(requisite: ItemId, event: Event) {
    println!(
        "CrmRequisiteAdd: requisite {} on {}",
        requisite.id,
        event.auth().domain()
    );
}

/// Handles whatever happens to a deal.
async fn deal_changed(event: Event) {
    match event.subject() {
        Some(subject) => println!("{:?}: {} {}", subject.action, subject.entity, subject.id),
        None => println!("{}: data {:?}", event.code(), event.data()),
    }
}

/// Handles an undocumented event. The response to data that are not a number is 500, with a message
/// that does not contain the data.
async fn shipment(event: Event) -> Result<(), Mismatch> {
    println!("shipment {}", event.data_as::<u64>()?);
    Ok(())
}

async fn anything_else(event: Event) -> StatusCode {
    println!("{}: data {:?}", event.code(), event.data());
    StatusCode::ACCEPTED
}
