//! The completion hook of a verifier: it runs only after the event was handled successfully.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::{Arc, Mutex};

use crate::common::{SEED, TOKEN, post};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use tower::{Service, ServiceBuilder, ServiceExt, service_fn};
use tower_bitrix24::verify::OnHandled;
use tower_bitrix24::{ApplicationToken, Envelope, EventLayer, VerifyError, VerifyToken};

type Body = Full<Bytes>;

/// The steps in their order.
#[derive(Clone, Default)]
struct Story(Arc<Mutex<Vec<String>>>);

impl Story {
    fn add(&self, what: impl Into<String>) {
        self.0.lock().unwrap().push(what.into());
    }

    fn so_far(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

struct Settling {
    token: ApplicationToken,
    story: Story,
}

impl VerifyToken for Settling {
    type Future = Ready<Result<(), VerifyError>>;

    fn verify(&self, envelope: &Envelope) -> Self::Future {
        self.token.verify(envelope)
    }

    fn on_handled(&self, envelope: &Envelope) -> Option<OnHandled> {
        let (story, code) = (self.story.clone(), envelope.code().into_owned());
        Some(Box::pin(async move {
            tokio::task::yield_now().await;
            story.add(format!("hook of {code}"));
        }))
    }
}

fn layer_with_hook(story: &Story) -> EventLayer<Settling> {
    EventLayer::new(Settling {
        token: ApplicationToken::new(TOKEN).unwrap(),
        story: story.clone(),
    })
}

/// Handles every event with this status.
fn handler(
    story: &Story,
    status: StatusCode,
) -> impl Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future: Send>
+ Clone
+ Send
+ 'static {
    let story = story.clone();
    service_fn(move |_: Request<Body>| {
        story.add("handled");
        let mut response = Response::new(Full::default());
        *response.status_mut() = status;
        ready(Ok(response))
    })
}

#[tokio::test]
async fn completion_hook_runs_after_the_handler_and_before_the_response() {
    let story = Story::default();
    let service = ServiceBuilder::new()
        .layer(layer_with_hook(&story))
        .service(handler(&story, StatusCode::NO_CONTENT));
    let response = service.oneshot(post(Full::from(SEED))).await.unwrap();
    story.add("responded");
    assert_eq!(response.status(), StatusCode::NO_CONTENT);
    assert_eq!(
        story.so_far(),
        ["handled", "hook of ONCRMREQUISITEADD", "responded"]
    );
}

#[tokio::test]
async fn completion_hook_does_not_run_if_the_handler_fails() {
    for status in [
        StatusCode::FOUND,
        StatusCode::NOT_FOUND,
        StatusCode::INTERNAL_SERVER_ERROR,
    ] {
        let story = Story::default();
        let service = ServiceBuilder::new()
            .layer(layer_with_hook(&story))
            .service(handler(&story, status));
        let response = service.oneshot(post(Full::from(SEED))).await.unwrap();
        assert_eq!(response.status(), status);
        assert_eq!(story.so_far(), ["handled"]);
    }
    let story = Story::default();
    let fails = service_fn(|_: Request<Body>| ready(Err::<Response<Body>, _>("down")));
    let service = ServiceBuilder::new()
        .layer(layer_with_hook(&story))
        .service(fails);
    assert_eq!(
        service.oneshot(post(Full::from(SEED))).await.unwrap_err(),
        "down"
    );
    assert!(story.so_far().is_empty());
}

#[tokio::test]
async fn completion_hook_does_not_run_for_a_rejected_event() {
    let story = Story::default();
    let service = ServiceBuilder::new()
        .layer(layer_with_hook(&story))
        .service(handler(&story, StatusCode::OK));
    let forged = crate::common::forged();
    let response = service.oneshot(post(Full::from(forged))).await.unwrap();
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    assert!(story.so_far().is_empty());
}

mod in_the_background {
    use std::time::Duration;

    use tower_bitrix24::background::BackgroundQueue;

    use super::*;

    async fn story_of(status: StatusCode) -> Vec<String> {
        let (story, background) = (Story::default(), BackgroundQueue::new());
        let service = ServiceBuilder::new()
            .layer(layer_with_hook(&story))
            .layer(background.layer())
            .service(handler(&story, status));
        let response = service.oneshot(post(Full::from(SEED))).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        story.add("responded");
        assert!(background.shutdown(Duration::from_secs(5)).await.is_empty());
        story.so_far()
    }

    #[tokio::test]
    async fn completion_hook_runs_after_background_handling_not_after_the_response() {
        assert_eq!(
            story_of(StatusCode::OK).await,
            ["responded", "handled", "hook of ONCRMREQUISITEADD"]
        );
    }

    #[tokio::test]
    async fn completion_hook_does_not_run_if_the_background_handler_fails() {
        for status in [StatusCode::NOT_FOUND, StatusCode::BAD_GATEWAY] {
            assert_eq!(story_of(status).await, ["responded", "handled"]);
        }
    }
}

#[tokio::test]
async fn verify_entry_leaves_the_hook_to_the_caller() {
    use tower_bitrix24::layer::Verdict;

    let story = Story::default();
    let layer = layer_with_hook(&story).path("/bitrix24/events");
    let Verdict::Event(event) = layer.verify(post(SEED)).await else {
        panic!("not an event");
    };
    assert!(story.so_far().is_empty());
    event.handled().await;
    assert_eq!(story.so_far(), ["hook of ONCRMREQUISITEADD"]);

    let Verdict::Event(event) = layer.verify(post(SEED)).await else {
        panic!("not an event");
    };
    event.failed(&std::io::Error::other("the disk is full"));
    let other = Request::post("/").body("a=1").unwrap();
    let Verdict::Pass(passed) = layer.verify(other).await else {
        panic!("not passed");
    };
    assert_eq!(
        (passed.uri().path(), &passed.body()[..]),
        ("/", &b"a=1"[..])
    );
    let Verdict::Respond(response) = layer.verify(post("event=A")).await else {
        panic!("no response");
    };
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    assert_eq!(response.body(), "the application token is not accepted\n");
    assert_eq!(story.so_far().len(), 1);
}
