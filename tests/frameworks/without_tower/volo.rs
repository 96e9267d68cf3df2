//! volo-http: its requests have the types of `http` 1.

use std::net::SocketAddr;

use http::StatusCode;
use motore::Service;
use volo_http::body::{Body, BodyConversion};
use volo_http::context::ServerContext;
use volo_http::request::Request;
use volo_http::response::Response;
use volo_http::server::IntoResponse;
use volo_http::server::route::{Router, any};
use volo_http::utils::Extension;

use super::{Events, REQUESTS, large, respond};

async fn on_event(Extension(events): Extension<Events>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let Ok(body) = body.into_bytes().await else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let request = http::Request::from_parts(head, body);
    respond(&events, request).await.map(Body::from)
}

#[tokio::test]
async fn volo_handler_verifies_events() {
    let app: Router = Router::new()
        .route("/bitrix24/events", any(on_event))
        .layer(Extension(super::events()));
    let send = async |method: &str, form: &str| {
        let request = http::Request::builder()
            .method(method)
            .uri("/bitrix24/events")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Body::from(form.to_owned()))
            .unwrap();
        let sender = SocketAddr::from(([127, 0, 0, 1], 1));
        let mut context = ServerContext::new(sender.into());
        app.call(&mut context, request).await.unwrap()
    };
    let large = large();
    let accepted = (&*large, 200, REQUESTS[0].2);
    for (form, status, want) in REQUESTS.into_iter().chain([accepted]) {
        let response = send("POST", form).await;
        assert_eq!(response.status().as_u16(), status, "{want}");
        let body = response.into_body().into_string().await.unwrap();
        assert!(body.starts_with(want), "{body}");
    }
    let probe = send("GET", "").await;
    assert_eq!(probe.status().as_u16(), 405);
    assert_eq!(probe.headers()["allow"], "POST");
}
