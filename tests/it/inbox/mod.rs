//! The durable inbox: an event that got 200 is handled, in order, until it is done or dead.

mod callbacks;
mod conformance;
mod model;
mod receive;
mod suspects;
#[cfg(feature = "telemetry")]
mod telemetry;
mod worker;

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http_body_util::Full;
use tower::{Service, ServiceBuilder, ServiceExt, service_fn};
use tower_bitrix24::inbox::{
    Accept, Delivery, Inbox, InboxKey, InboxStore, MemoryInbox, Stats, WorkerRequest,
};
use tower_bitrix24::{ApplicationToken, Event, EventLayer};

use crate::common::post;

fn key() -> InboxKey {
    InboxKey::new([7; 32])
}

fn inbox() -> Inbox<MemoryInbox> {
    Inbox::builder(MemoryInbox::new(), key()).build()
}

fn form(code: &str, id: u32, ts: u32, portal: &str) -> String {
    format!(
        "event={code}&event_handler_id=1&data[FIELDS][ID]={id}&ts={ts}&auth[member_id]={portal}\
         &auth[access_token]=canary-access&auth[application_token]=192735"
    )
}

/// Sends a form through the layer and returns the response.
async fn send<S: Accept + 'static>(
    inbox: &Inbox<S>,
    form: String,
) -> Response<impl http_body::Body<Data = Bytes>> {
    let layer = EventLayer::new(ApplicationToken::new("192735").unwrap());
    let service = ServiceBuilder::new().layer(layer).service(inbox.receive());
    let request = post(Full::<Bytes>::from(form));
    service.oneshot(request).await.unwrap()
}

async fn send_ok<S: Accept + 'static>(inbox: &Inbox<S>, form: String) {
    assert_eq!(send(inbox, form).await.status(), 200);
}

type Seen = Arc<Mutex<Vec<(String, Delivery)>>>;

/// Records each event and responds with the status that `status_of` returns.
fn handler<F>(
    seen: &Seen,
    status_of: F,
) -> impl Service<WorkerRequest, Response = Response<Full<Bytes>>, Error = Infallible, Future: Send>
+ Clone
+ Send
+ 'static
where
    F: Fn(&Event, Delivery) -> u16 + Clone + Send + 'static,
{
    let seen = seen.clone();
    service_fn(move |request: WorkerRequest| {
        let event = request.extensions().get::<Event>().unwrap().clone();
        let delivery = *request.extensions().get::<Delivery>().unwrap();
        let subject = event.subject().map(|subject| subject.id.to_string());
        let name = format!("{} {}", event.code(), subject.unwrap_or_default());
        seen.lock().unwrap().push((name, delivery));
        let status = status_of(&event, delivery);
        async move {
            Ok(Response::builder()
                .status(status)
                .body(Full::default())
                .unwrap())
        }
    })
}

async fn wait_for<S>(inbox: &Inbox<S>, wanted: impl Fn(&Stats) -> bool) -> Stats
where
    S: InboxStore<Error: std::fmt::Debug> + 'static,
{
    for _ in 0..2000 {
        let stats = inbox.stats().await.unwrap();
        if wanted(&stats) {
            return stats;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("{:?}", inbox.stats().await);
}

proptest::proptest! {
    #[test]
    fn memory_inbox_agrees_with_the_model(calls in model::calls()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(model::agree(&MemoryInbox::new(), calls));
    }
}

#[tokio::test]
async fn memory_inbox_conforms() {
    let store = MemoryInbox::new();
    let checked = tower_bitrix24::testing::inbox_conformance::check(&store);
    checked.await.unwrap();
}
