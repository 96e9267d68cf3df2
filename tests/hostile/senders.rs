//! Slow and endless senders.

use std::future::Future;
use std::time::Duration;

use allocation_counter::measure;
use bytes::Bytes;
use http_body::Frame;
use http_body_util::{BodyExt, Channel};
use tokio::task::JoinSet;
use tower::{Layer, Service};
use tower_bitrix24::RejectionKind;
use tower_bitrix24::rejection::RejectionPolicy;

use crate::common::{Frames, SEED, post};
use crate::{Handler, event, layer, rejection, send};

#[test]
fn endless_body_is_read_to_the_limit_and_costs_at_most_twice_as_much() {
    const LIMIT: usize = 64 * 1024;
    for frame in [1, 7, 1000, 16 * 1024] {
        let text = Bytes::from(vec![b'a'; frame]);
        let mut taken = 0;
        let frames = std::iter::repeat_with(|| {
            taken += frame;
            Ok(Frame::data(text.clone()))
        });
        let layer = layer().body_limit(LIMIT);
        let mut service = layer
            .on_rejection(RejectionPolicy::Acknowledge)
            .wrap_body()
            .layer(Handler);
        let request = post(Frames(frames));
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.enable_time().build().unwrap();
        let info = measure(|| {
            let rejected = runtime.block_on(service.call(request)).unwrap();
            assert_eq!(rejection(&rejected), RejectionKind::BodyTooLarge);
        });
        assert!(taken <= LIMIT + frame, "{taken} bytes were taken");
        // The buffer doubles, and for a moment the old and the new one exist: at most twice the
        // limit.
        println!("endless, {frame} bytes a frame: {info:?}");
        assert!(
            info.bytes_max < 2 * LIMIT as u64 + 2048,
            "{frame}: {info:?}"
        );
        assert!(info.count_total < 60, "{frame}: {info:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn body_of_one_byte_a_second_is_rejected_unless_the_timeout_allows_it() {
    for (timeout, kind) in [(10, Some(RejectionKind::BodyTimeout)), (3600, None)] {
        let (mut sender, body) = Channel::<Bytes>::new(1);
        tokio::spawn(async move {
            for at in 0..SEED.len() {
                tokio::time::sleep(Duration::from_secs(1)).await;
                let byte = Bytes::from_static(&SEED.as_bytes()[at..=at]);
                if sender.send_data(byte).await.is_err() {
                    break;
                }
            }
        });
        let start = tokio::time::Instant::now();
        let layer = layer().body_timeout(Duration::from_secs(timeout));
        let response = send(layer, post(body)).await;
        match kind {
            Some(kind) => {
                assert_eq!(rejection(&response), kind);
                assert_eq!(start.elapsed().as_secs(), timeout);
            }
            None => {
                assert_eq!(event(&response).body(), SEED);
                assert_eq!(start.elapsed().as_secs(), SEED.len() as u64);
            }
        }
    }
}

/// Returns the peak memory for each sender that has sent the beginning of an event and then nothing
/// more. All must be rejected at the timeout.
fn memory_of_slow_senders<F>(senders: usize, receive: impl Fn(Channel<Bytes>) -> F) -> u64
where
    F: Future<Output = RejectionKind> + Send + 'static,
{
    const SENT: &str = "event=ONCRMREQUISITEADD&data[FIELDS][ID]=27&ts=";

    let runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = { runtime }.enable_time().start_paused(true).build();
    let runtime = runtime.unwrap();
    let mut rejected = 0;
    let info = measure(|| {
        runtime.block_on(async {
            let mut held = Vec::with_capacity(senders);
            let mut calls = JoinSet::new();
            for _ in 0..senders {
                let (mut sender, body) = Channel::<Bytes>::new(1);
                let sent = Bytes::from_static(SENT.as_bytes());
                sender.send_data(sent).await.unwrap();
                held.push(sender);
                calls.spawn(receive(body));
            }
            let start = tokio::time::Instant::now();
            while let Some(kind) = calls.join_next().await {
                assert_eq!(kind.unwrap(), RejectionKind::BodyTimeout);
                rejected += 1;
            }
            let waited = start.elapsed().as_millis();
            assert!((10_000..10_100).contains(&waited), "{waited} ms");
        });
    });
    assert_eq!(rejected, senders);
    info.bytes_max / senders as u64
}

#[test]
fn ten_thousand_slow_senders_cost_little_and_are_rejected_at_the_timeout() {
    const SENDERS: usize = 10_000;
    let layer = layer().wrap_body().layer(Handler);
    let with_layer = move |body| {
        let mut service = layer.clone();
        async move { rejection(&service.call(post(body)).await.unwrap()) }
    };
    // The cost of a request that waits without the layer.
    let without = |body: Channel<Bytes>| async move {
        let mut request = post(body);
        request.body_mut().frame().await.unwrap().unwrap();
        tokio::time::sleep(Duration::from_secs(10)).await;
        drop(request);
        RejectionKind::BodyTimeout
    };
    let guarded = memory_of_slow_senders(SENDERS, with_layer);
    let bare = memory_of_slow_senders(SENDERS, without);
    println!("bytes a slow sender: {guarded}, of which {bare} without the layer");
    assert!(guarded < 8192, "{guarded} bytes each");
    assert!(guarded < bare + 1024, "{guarded} bytes each, {bare} bare");
}
