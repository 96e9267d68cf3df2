//! The memory of queued events.

use std::convert::Infallible;
use std::future::pending;
use std::hint::black_box;

use allocation_counter::measure;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use tower::{Layer, ServiceExt, service_fn};
use tower_bitrix24::background::BackgroundQueue;
use tower_bitrix24::{Event, EventKind};

use crate::common::TOKEN;
use crate::verified::expensive_bodies;
use crate::{verified, with_token};

/// Returns the bytes that an event counts in a queue.
async fn counted(event: &Event) -> u64 {
    let queue = BackgroundQueue::builder().concurrency(1);
    let queue = queue.capacity_bytes(usize::MAX).build();
    let service = queue
        .layer()
        .layer(service_fn(async |_: Request<Full<Bytes>>| {
            pending::<Result<Response<Full<Bytes>>, Infallible>>().await
        }));
    // The first one runs.
    for _ in 0..2 {
        let mut request = Request::new(Full::new(event.body().clone()));
        request.extensions_mut().insert(event.clone());
        let response = service.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), 200);
    }
    let stats = queue.stats();
    assert_eq!((stats.running, stats.queued), (1, 1));
    stats.queued_bytes as u64
}

/// Asserts that an event holds at most what it counts, with all that it reads on first use. Returns the
/// part that it holds.
async fn assert_holds_at_most_what_counts(name: &str, code: &str, body: &Bytes) -> f64 {
    let mut event = None;
    let info = measure(|| {
        let read = verified(body);
        black_box((read.auth(), read.data()));
        event = Some(read);
    });
    let held = u64::try_from(info.bytes_current).unwrap() + body.len() as u64;
    let counted = counted(&event.unwrap()).await;
    assert!(
        held <= counted,
        "{code}, {name}, {} bytes: {held} held, {counted} counted",
        body.len()
    );
    held as f64 / counted as f64
}

/// Returns chains of arrays, which cost the most memory for each byte.
fn chains(code: &str, pairs: usize) -> Bytes {
    let pairs: Vec<_> = (0..pairs)
        .map(|at| format!("data[QUERY][{at}]{}=", "[a]".repeat(60)))
        .collect();
    with_token(code, TOKEN, &pairs.join("&"))
}

#[tokio::test]
async fn queued_event_holds_at_most_the_memory_that_it_counts() {
    for bytes in [4 << 10, 64 << 10, 1 << 20] {
        for (name, body) in expensive_bodies("ONAPPTEST", bytes) {
            let part = assert_holds_at_most_what_counts(name, "ONAPPTEST", &body).await;
            println!("{} bytes, {name}: holds {part:.2} of the count", body.len());
        }
    }
    for pairs in 1..6 {
        let body = chains("ONAPPTEST", pairs);
        let part = assert_holds_at_most_what_counts("chains", "ONAPPTEST", &body).await;
        println!("{} bytes, chains: holds {part:.2} of the count", body.len());
    }
    let mut most = 0.0_f64;
    for &kind in EventKind::ALL {
        let code = kind.as_str();
        for (name, body) in expensive_bodies(code, 4 << 10) {
            most = most.max(assert_holds_at_most_what_counts(name, code, &body).await);
        }
    }
    println!("of all kinds, one holds {most:.2} of the count");
}
