//! utoipa-axum: the event is an argument, by the feature `axum`.

use axum::body::Body;
use tower_bitrix24::Event;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::{assert_guards, events};

#[utoipa::path(post, path = "/bitrix24/events", responses((status = OK, body = String)))]
async fn on_event(event: Event) -> String {
    event.code().to_owned()
}

#[utoipa::path(post, path = "/echo", responses((status = OK, body = String)))]
async fn echo(body: String) -> String {
    body
}

#[tokio::test]
async fn utoipa_axum_documents_and_runs_handlers_behind_the_layer() {
    let (app, api) = OpenApiRouter::new()
        .routes(routes!(on_event))
        .routes(routes!(echo))
        .layer(events())
        .split_for_parts();
    assert!(api.paths.paths.contains_key("/bitrix24/events"));
    assert_guards::<axum::Router, _, _>(app, Body::from).await;
}
