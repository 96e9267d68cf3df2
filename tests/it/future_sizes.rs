//! The sizes of the public futures: each request of a server keeps one, and moves it.

use std::convert::Infallible;
use std::future::Ready;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use tower::util::ServiceFn;
use tower::{Layer, Service, service_fn};
use tower_bitrix24::background::BackgroundQueue;
use tower_bitrix24::inbox::{Inbox, InboxKey, MemoryInbox};
use tower_bitrix24::{Event, EventRouter};

use crate::common::layer;

type Outcome = Result<Response<Full<Bytes>>, Infallible>;
type Inner = ServiceFn<fn(Request<Full<Bytes>>) -> Ready<Outcome>>;

fn inner() -> Inner {
    service_fn(|_| std::future::ready(Ok(Response::default())))
}

fn size_of_future<S: Service<Request<Full<Bytes>>>>(_: &S) -> usize {
    size_of::<S::Future>()
}

/// The layer's and the queue's hold the request and the inner service until it is called. The others are boxed, or
/// hold what waits for the commit.
#[tokio::test]
async fn public_futures_are_no_larger_than_stated() {
    let router = EventRouter::builder().fallback(async |_: Event| {});
    let router = router.build().unwrap();
    let inbox = Inbox::builder(MemoryInbox::new(), InboxKey::generate()).build();
    let queue = BackgroundQueue::new().layer().layer(inner());
    let sizes = [
        (
            "layer::ResponseFuture",
            size_of_future(&layer().layer(inner())),
        ),
        (
            "layer::ResponseFuture of a router",
            size_of_future(&layer().layer(router.clone())),
        ),
        ("handler::RouterFuture", size_of_future(&router)),
        ("background::BackgroundFuture", size_of_future(&queue)),
        ("inbox::ReceiveFuture", size_of_future(&inbox.receive())),
    ];
    let telemetry = if cfg!(feature = "telemetry") { 104 } else { 0 };
    let stated = [352 + telemetry, 352 + telemetry, 16, 264, 176];
    for ((future, size), stated) in sizes.into_iter().zip(stated) {
        assert!(size <= stated, "{future}: {size} bytes, more than {stated}");
    }
}
