//! aide: the event is an `Extension` of a documented handler.

use aide::axum::ApiRouter;
use aide::axum::routing::post;
use aide::openapi::OpenApi;
use axum::Extension;
use axum::body::Body;
use tower_bitrix24::Event;

use crate::{assert_guards, events};

async fn on_event(Extension(event): Extension<Event>) -> String {
    event.code().to_owned()
}

#[tokio::test]
async fn aide_documents_and_runs_handlers_behind_the_layer() {
    let mut api = OpenApi::default();
    let app = ApiRouter::new()
        .api_route("/bitrix24/events", post(on_event))
        .api_route("/echo", post(async |body: String| body))
        .layer(events())
        .finish_api(&mut api);
    assert!(api.paths.unwrap().paths.contains_key("/bitrix24/events"));
    assert_guards::<axum::Router, _, _>(app, Body::from).await;
}
