//! The budget of waiting bodies.

use std::convert::Infallible;
use std::future::{Future, Ready};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body::Body;
use http_body_util::{BodyExt, Channel, Full};
use tower::{Layer, Service, ServiceExt};
use tower_bitrix24::{Envelope, EventLayer, RejectionKind, VerifyToken};

use crate::common::{BoxError, Frames, SEED, TOKEN, data, post};
use crate::{Handler, event, layer, rejection, send, with_token};

#[derive(Clone)]
struct Busy;

impl<B> Service<Request<B>> for Busy {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Full<Bytes>>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Pending
    }

    fn call(&mut self, _: Request<B>) -> Self::Future {
        panic!("called while not ready")
    }
}

/// Asserts that the budget, which clones of the layer share, has room for two bodies of 1,000
/// bytes, and for another once one of them is dropped.
fn assert_two_fit<V, B>(layer: EventLayer<V>, body: impl Fn() -> B)
where
    V: VerifyToken,
    B: Body,
    B::Error: Into<BoxError>,
{
    let layer = layer.body_budget(3000);
    let call = || {
        let layer = layer.clone().path("/bitrix24/events");
        let mut call = Box::pin(layer.wrap_body().layer(Busy).call(post(body())));
        match call.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Pending => Ok(call),
            Poll::Ready(response) => Err(rejection(&response.unwrap())),
        }
    };
    let exhausted = Some(RejectionKind::BodyBudgetExhausted);
    let (first, second) = (call(), call());
    assert!(first.is_ok() && second.is_ok());
    assert_eq!(call().err(), exhausted);
    assert_eq!(call().err(), exhausted);
    drop(first);
    let third = call();
    assert!(third.is_ok());
    assert_eq!(call().err(), exhausted);
}

fn endless(frames: &[&str]) -> impl Body<Data = Bytes, Error = BoxError> + use<> {
    let frames: Vec<_> = frames.iter().map(|frame| data(frame)).collect();
    let end = std::future::pending::<Option<Result<HeaderMap, BoxError>>>();
    Frames(frames.into_iter()).with_trailers(end)
}

#[tokio::test]
async fn waiting_body_counts_against_the_budget_wherever_it_waits() {
    let whole = |start: &str| {
        let body = Bytes::from(format!("{start:a<1000}"));
        move || Full::new(body.clone())
    };
    let event = whole(&format!("event=E&auth[application_token]={TOKEN}&x="));
    // It waits in the verifier, or, once verified, for the service in a second budget.
    let verifier = |_: &Envelope| std::future::pending();
    assert_two_fit(EventLayer::new(verifier), &event);
    assert_two_fit(layer().pass_other_callbacks(), whole("a="));
    assert_two_fit(layer(), &event);
}

/// Polls without a waker.
fn poll_once<F: Future>(future: &mut Pin<Box<F>>) -> Poll<F::Output> {
    future
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
}

#[tokio::test]
async fn oldest_incomplete_body_makes_room_for_the_newest() {
    let layer = layer().wrap_body().body_budget(3000);
    let call = || {
        let body = endless(&[&"a".repeat(1000)]);
        let mut call = Box::pin(layer.layer(Handler).call(post(body)));
        assert!(poll_once(&mut call).is_pending());
        call
    };
    let mut calls: Vec<_> = (0..5).map(|_| call()).collect();
    let polls = calls.iter_mut().map(poll_once);
    let kinds = polls.map(|poll| match poll {
        Poll::Ready(response) => Some(rejection(&response.unwrap())),
        Poll::Pending => None,
    });
    let exhausted = Some(RejectionKind::BodyBudgetExhausted);
    let expected = [exhausted, exhausted, exhausted, None, None];
    assert_eq!(kinds.collect::<Vec<_>>(), expected);
}

/// Sends events of the usual sizes while incomplete bodies of all sizes hold the whole budget.
async fn assert_events_get_through<V: VerifyToken>(layer: EventLayer<V>) {
    let layer = layer.wrap_body();
    let mut strangers = Vec::new();
    for (count, size) in [
        (48, 1 << 20),
        (1024, 8 << 10),
        (1024, 4 << 10),
        (1024, 2 << 10),
    ]
    .into_iter()
    .chain([(1024, 1 << 10), (10_000, 100)])
    {
        let frame = "a".repeat(size);
        for _ in 0..count {
            let mut call = Box::pin(layer.layer(Handler).call(post(endless(&[&frame]))));
            assert!(poll_once(&mut call).is_pending());
            strangers.push(call);
        }
    }
    for size in [1_710, 4_010, 100_000] {
        let body = with_token("E", TOKEN, &"a".repeat(size));
        // In one segment and in two.
        let whole = post(Full::new(body.clone()));
        let response = layer.layer(Handler).oneshot(whole).await.unwrap();
        assert_eq!(event(&response).body(), &body);
        let (mut sender, channel) = Channel::<Bytes>::new(1);
        let mut call = Box::pin(layer.layer(Handler).call(post(channel)));
        for segment in [body.slice(..size / 2), body.slice(size / 2..)] {
            sender.send_data(segment).await.unwrap();
            assert!(poll_once(&mut call).is_pending());
        }
        drop(sender);
        assert_eq!(event(&call.await.unwrap()).body(), &body);
    }
    let evicted = strangers.iter_mut().map(poll_once).filter(Poll::is_ready);
    assert!((1..48).contains(&evicted.count()));
}

#[tokio::test(start_paused = true)]
async fn events_get_through_while_incomplete_bodies_hold_the_whole_budget() {
    assert_events_get_through(layer()).await;
    let verifier = |_: &Envelope| async {
        tokio::time::sleep(Duration::from_millis(5)).await;
        Ok(())
    };
    assert_events_get_through(EventLayer::new(verifier)).await;
}

#[tokio::test]
async fn incomplete_body_keeps_no_larger_buffer_alive() {
    struct Owner(Vec<u8>, #[expect(dead_code)] std::sync::Arc<()>);
    impl AsRef<[u8]> for Owner {
        fn as_ref(&self) -> &[u8] {
            &self.0
        }
    }
    let alive = std::sync::Arc::new(());
    let (mut sender, body) = Channel::<Bytes>::new(1);
    let buffer = Bytes::from_owner(Owner(vec![b'e'; 1 << 20], alive.clone()));
    sender.send_data(buffer.slice(..1)).await.unwrap();
    drop(buffer);
    let mut call = Box::pin(layer().wrap_body().layer(Handler).call(post(body)));
    assert!(poll_once(&mut call).is_pending());
    assert_eq!(std::sync::Arc::strong_count(&alive), 1);
    // The bytes that arrived are kept.
    let rest = Bytes::from(SEED).slice(1..);
    sender.send_data(rest).await.unwrap();
    drop(sender);
    assert_eq!(event(&call.await.unwrap()).body(), SEED);
}

#[tokio::test]
async fn body_without_room_in_the_budget_is_rejected_with_503() {
    let rejected = send(layer().body_budget(0), post(endless(&["event="]))).await;
    assert_eq!(rejected.status(), 503);
    assert_eq!(rejection(&rejected), RejectionKind::BodyBudgetExhausted);
    let text = rejected.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(
        text,
        "too many bodies are being received, try again later\n"
    );
    // A body that never waits needs no budget.
    let response = send(layer().body_budget(0), post(Full::new(Bytes::from(SEED)))).await;
    assert_eq!(event(&response).body(), SEED);
}
