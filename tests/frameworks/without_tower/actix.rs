//! actix-web: its requests have types of their own, so the head is copied.

use actix_web::http::StatusCode;
use actix_web::{App, HttpRequest, HttpResponse, test, web};
use bytes::Bytes;

use super::{Events, REQUESTS, large, respond};

async fn on_event(head: HttpRequest, body: Bytes, events: web::Data<Events>) -> HttpResponse {
    let mut request = http::Request::builder()
        .method(head.method().as_str())
        .uri(head.uri().to_string());
    for (name, value) in head.headers() {
        request = request.header(name.as_str(), value.as_bytes());
    }
    let Ok(request) = request.body(body) else {
        return HttpResponse::BadRequest().finish();
    };
    let response = respond(&events, request).await;
    let status = StatusCode::from_u16(response.status().as_u16()).expect("the same codes");
    HttpResponse::build(status).body(response.into_body())
}

#[tokio::test]
async fn actix_web_handler_verifies_events() {
    let app = App::new()
        .app_data(web::Data::new(super::events()))
        .app_data(web::PayloadConfig::new(1 << 20))
        .route("/bitrix24/events", web::to(on_event));
    let app = test::init_service(app).await;
    let large = large();
    let accepted = (&*large, 200, REQUESTS[0].2);
    for (form, status, want) in REQUESTS.into_iter().chain([accepted]) {
        let request = test::TestRequest::post()
            .uri("/bitrix24/events")
            .insert_header(("content-type", "application/x-www-form-urlencoded"))
            .set_payload(form.to_owned());
        let response = test::call_service(&app, request.to_request()).await;
        assert_eq!(response.status().as_u16(), status, "{want}");
        let body = test::read_body(response).await;
        assert!(body.starts_with(want.as_bytes()), "{body:?}");
    }
    let probe = test::TestRequest::get().uri("/bitrix24/events");
    let response = test::call_service(&app, probe.to_request()).await;
    assert_eq!(response.status().as_u16(), 405);
}
