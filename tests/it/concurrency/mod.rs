//! The layer under load, and calls that are dropped at any await: nothing is called twice or
//! without verification, and nothing leaks.

mod auto_traits;
mod connection;
mod readiness;

use std::convert::Infallible;
use std::future::{Future, Pending};
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use crate::common::{SEED, TOKEN, forged, post};
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body::{Body, Frame};
use http_body_util::{Channel, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tower::balance::p2c::Balance;
use tower::buffer::BufferLayer;
use tower::discover::ServiceList;
use tower::limit::ConcurrencyLimitLayer;
use tower::load::Constant;
use tower::load_shed::error::Overloaded;
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};
use tower_bitrix24::envelope::{ApplicationStatus, Auth, EnvelopeError, EnvelopeErrorKind};
use tower_bitrix24::event::payload::ItemId;
use tower_bitrix24::event::{ObjectId, Subject, kind, payload};
use tower_bitrix24::form::Mismatch;
use tower_bitrix24::form::{Array, field};
use tower_bitrix24::layer::{BodyFrom, EventService, KeepBody, ResponseFuture, WrapBody};
use tower_bitrix24::rejection::RejectionPolicy;
use tower_bitrix24::verify::VerifyErrorKind;
use tower_bitrix24::{
    ApplicationToken, ConfigError, Envelope, Event, EventBody, EventConfig, EventKind, EventLayer,
    Payload, Rejection, RejectionKind, Secret, TokenSet, Value, VerifyError, VerifyToken,
};

/// Counts calls, and guards that are alive.
#[derive(Clone, Default)]
struct Tally(Arc<Counts>);

#[derive(Default)]
struct Counts {
    verified: AtomicUsize,
    rejected: AtomicUsize,
    called: AtomicUsize,
    finished: AtomicUsize,
}

impl Tally {
    fn guard(&self) -> Self {
        self.clone()
    }

    /// Returns the number of guards besides this one.
    fn alive(&self) -> usize {
        Arc::strong_count(&self.0) - 1
    }

    fn counts(&self) -> [usize; 3] {
        let Counts {
            verified,
            called,
            finished,
            ..
        } = &*self.0;
        [verified, called, finished].map(|count| count.load(Ordering::Relaxed))
    }
}

/// Pending for so many polls, and wakes its task each time.
struct Waits(usize);

impl Future for Waits {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let Some(left) = self.0.checked_sub(1) else {
            return Poll::Ready(());
        };
        self.0 = left;
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

/// Resolves after three polls, and counts that.
struct Slowly<T> {
    waits: Waits,
    output: Option<T>,
    count: fn(&Counts) -> &AtomicUsize,
    tally: Tally,
}

impl<T> Slowly<T> {
    fn new(output: T, count: fn(&Counts) -> &AtomicUsize, tally: &Tally) -> Self {
        Self {
            waits: Waits(3),
            output: Some(output),
            count,
            tally: tally.guard(),
        }
    }
}

impl<T: Unpin> Future for Slowly<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        ready!(Pin::new(&mut self.waits).poll(context));
        (self.count)(&self.tally.0).fetch_add(1, Ordering::Relaxed);
        Poll::Ready(self.output.take().expect("polled once more"))
    }
}

/// Makes its reader wait before each of its frames and before its end.
struct Slow {
    frames: Vec<Bytes>,
    ready: bool,
    _guard: Tally,
}

impl Slow {
    fn new(text: &str, tally: &Tally) -> Self {
        let frames = text.as_bytes().chunks(text.len().div_ceil(3));
        Self {
            frames: frames.rev().map(Bytes::copy_from_slice).collect(),
            ready: false,
            _guard: tally.guard(),
        }
    }
}

impl Body for Slow {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.ready = !self.ready;
        if self.ready {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(self.frames.pop().map(|frame| Ok(Frame::data(frame))))
    }
}

/// Waits, then verifies as [`ApplicationToken`] does.
struct SlowVerifier {
    token: ApplicationToken,
    tally: Tally,
}

impl VerifyToken for SlowVerifier {
    type Future = Slowly<Result<(), VerifyError>>;

    fn verify(&self, envelope: &Envelope) -> Self::Future {
        let verdict = self.token.verify(envelope).into_inner();
        let count: fn(&Counts) -> &AtomicUsize = match verdict {
            Ok(()) => |counts| &counts.verified,
            Err(_) => |counts| &counts.rejected,
        };
        Slowly::new(verdict, count, &self.tally)
    }
}

/// Waits, and panics if it is called while not ready or without an event.
struct SlowService {
    ready: bool,
    tally: Tally,
}

impl Clone for SlowService {
    fn clone(&self) -> Self {
        Self {
            ready: false,
            tally: self.tally.guard(),
        }
    }
}

impl<B> Service<Request<EventBody<B>>> for SlowService {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Slowly<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<EventBody<B>>) -> Self::Future {
        assert!(std::mem::take(&mut self.ready), "called while not ready");
        assert!(request.extensions().get::<Event>().is_some());
        let tally = self.tally.guard();
        let called = tally.0.called.fetch_add(1, Ordering::Relaxed) + 1;
        let [verified, ..] = tally.counts();
        assert!(called <= verified, "called without verification");
        Slowly::new(Ok(Response::default()), |counts| &counts.finished, &tally)
    }
}

fn slow_service() -> (Tally, SlowService) {
    let tally = Tally::default();
    let service = SlowService {
        ready: false,
        tally: tally.guard(),
    };
    (tally, service)
}

fn slow_layer(tally: &Tally) -> EventLayer<SlowVerifier> {
    EventLayer::new(SlowVerifier {
        token: ApplicationToken::new(TOKEN).unwrap(),
        tally: tally.guard(),
    })
}

#[tokio::test]
async fn call_dropped_after_any_poll_releases_its_permit() {
    for body in [SEED.to_owned(), forged(), "no event".to_owned()] {
        let mut ended = None;
        for polls in 0.. {
            let tally = Tally::default();
            let limit = ConcurrencyLimitLayer::new(1);
            let inner = SlowService {
                ready: false,
                tally: tally.guard(),
            };
            let mut service = slow_layer(&tally).wrap_body().layer(limit.layer(inner));
            // Those of the layer's verifier and of the inner service.
            assert_eq!(tally.alive(), 2);

            let ready = ServiceExt::<Request<Slow>>::ready(&mut service);
            let ready = ready.await.unwrap();
            let mut call = Box::pin(ready.call(post(Slow::new(&body, &tally))));
            let mut response = None;
            for _ in 0..polls {
                assert!(response.is_none(), "it ended before");
                let mut context = Context::from_waker(Waker::noop());
                if let Poll::Ready(output) = call.as_mut().poll(&mut context) {
                    response = Some(output.unwrap());
                }
            }
            drop(call);

            let [verified, called, finished] = tally.counts();
            assert!(finished <= called && called <= verified && verified <= 1);
            assert_eq!(
                called == 1 && finished == 1,
                response.is_some() && body == SEED
            );
            assert_eq!(tally.alive(), 2, "after {polls} polls");

            // The only place of the inner service is free, so the next call succeeds.
            let next = async {
                let request = post(Slow::new(SEED, &tally));
                service.clone().oneshot(request).await.unwrap()
            };
            let next = tokio::time::timeout(Duration::from_secs(5), next).await;
            assert_eq!(next.expect("there is a place").status(), StatusCode::OK);
            assert_eq!(tally.counts(), [verified + 1, called + 1, finished + 1]);
            drop(service);
            assert_eq!(tally.alive(), 0);

            if let Some(response) = response {
                ended = Some((polls, response.status()));
                break;
            }
        }
        // Four waits for the body, three for the verifier and three for the service.
        let (polls, status) = ended.unwrap();
        let expected = if body == SEED {
            (11, StatusCode::OK)
        } else if body == forged() {
            (8, StatusCode::FORBIDDEN)
        } else {
            (5, StatusCode::BAD_REQUEST)
        };
        assert_eq!((polls, status), expected);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn limits_and_buffers_on_both_sides_hold_under_load_with_dropped_calls() {
    const CALLS: usize = 600;
    let tally = Tally::default();
    let inner = SlowService {
        ready: false,
        tally: tally.guard(),
    };
    let service = ServiceBuilder::new()
        .layer(BufferLayer::new(16))
        .layer(ConcurrencyLimitLayer::new(8))
        .layer(slow_layer(&tally).wrap_body())
        .layer(ConcurrencyLimitLayer::new(3))
        .layer(BufferLayer::new(4))
        .service(inner);

    let mut calls = JoinSet::new();
    for number in 0..CALLS {
        let (service, tally) = (service.clone(), tally.guard());
        calls.spawn(async move {
            let body = match number % 3 {
                0 => forged(),
                _ => SEED.to_owned(),
            };
            let call = service.oneshot(post(Slow::new(&body, &tally)));
            if number % 5 == 4 {
                // Dropped after as many polls as the other calls of its kind finish in.
                tokio::select! {
                    biased;
                    _ = call => {}
                    () = Waits(number % 13) => {}
                }
                return None;
            }
            Some((number % 3 == 0, call.await.unwrap().status()))
        });
    }
    let (mut served, mut rejected) = (0, 0);
    let all = async {
        while let Some(call) = calls.join_next().await {
            match call.unwrap() {
                Some((true, status)) => {
                    assert_eq!(status, StatusCode::FORBIDDEN);
                    rejected += 1;
                }
                Some((false, status)) => {
                    assert_eq!(status, StatusCode::OK);
                    served += 1;
                }
                None => {}
            }
        }
    };
    let all = tokio::time::timeout(Duration::from_secs(30), all).await;
    all.expect("no call waits for ever");
    assert_eq!((served, rejected), (320, 160));

    let [verified, called, finished] = tally.counts();
    assert!(finished <= called && called <= verified && finished >= served);
    assert!(verified <= CALLS - CALLS / 3, "a forged one was verified");

    // The workers of the buffers end with the last handle.
    drop(service);
    for _ in 0..1000 {
        if tally.alive() == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("{} are left", tally.alive());
}
