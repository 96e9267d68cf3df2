//! rocket: its requests have types of their own, so a request guard copies the head.

use std::convert::Infallible;

use bytes::Bytes;
use rocket::http::{ContentType, Status};
use rocket::local::asynchronous::Client;
use rocket::request::{FromRequest, Outcome};
use rocket::{Config, State, routes};

use super::{Events, REQUESTS, large, respond};

struct Head(http::request::Builder);

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Head {
    type Error = Infallible;

    async fn from_request(request: &'r rocket::Request<'_>) -> Outcome<Self, Infallible> {
        let mut head = http::Request::builder()
            .method(request.method().as_str())
            .uri(request.uri().to_string());
        for header in request.headers().iter() {
            head = head.header(header.name().as_str(), header.value());
        }
        Outcome::Success(Self(head))
    }
}

#[rocket::post("/bitrix24/events", data = "<body>")]
async fn on_event(head: Head, body: Vec<u8>, events: &State<Events>) -> (Status, Vec<u8>) {
    let Ok(request) = head.0.body(Bytes::from(body)) else {
        return (Status::BadRequest, Vec::new());
    };
    let response = respond(events, request).await;
    let status = Status::new(response.status().as_u16());
    (status, response.into_body().into())
}

#[tokio::test]
async fn rocket_handler_verifies_events() {
    let config = Config::figment().merge(("limits.bytes", "1MiB"));
    let app = rocket::custom(config)
        .manage(super::events())
        .mount("/", routes![on_event]);
    let client = Client::untracked(app).await.unwrap();
    let large = large();
    let accepted = (&*large, 200, REQUESTS[0].2);
    for (form, status, want) in REQUESTS.into_iter().chain([accepted]) {
        let request = client.post("/bitrix24/events").header(ContentType::Form);
        let response = request.body(form).dispatch().await;
        assert_eq!(response.status().code, status, "{want}");
        let body = response.into_string().await.unwrap_or_default();
        assert!(body.starts_with(want), "{body}");
    }
}
