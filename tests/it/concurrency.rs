//! The layer under load, and calls that are dropped at any await: nothing is called twice or
//! without verification, and nothing leaks.

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

// Readiness.

/// Sends an event while 40 strangers have each sent the beginning of a body to a service with few
/// places.
async fn event_among_strangers<S>(name: &str, tally: &Tally, inner: S)
where
    S: Service<Request<EventBody<Channel<Bytes>>>, Response = Response<Full<Bytes>>>,
    S: Clone + Send + 'static,
    S::Future: Send,
    S::Error: std::fmt::Debug + Send,
{
    let service = slow_layer(tally).wrap_body().layer(inner);
    let send = |text: String, whole: bool| {
        let service = service.clone();
        async move {
            let (mut sender, body) = Channel::<Bytes>::new(1);
            sender.send_data(text.into()).await.unwrap();
            let _sender = (!whole).then_some(sender);
            service.oneshot(post(body)).await
        }
    };
    let mut strangers = JoinSet::new();
    for _ in 0..40 {
        strangers.spawn(send(forged(), false));
    }
    // The paused clock advances once every stranger waits.
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert_eq!(tally.counts(), [0, 0, 0], "{name}");

    let event = tokio::time::timeout(Duration::from_secs(1), send(SEED.to_owned(), true));
    let response = event
        .await
        .unwrap_or_else(|_| panic!("{name}: the event waits"));
    assert_eq!(response.unwrap().status(), StatusCode::OK, "{name}");
    assert_eq!(tally.counts(), [1, 1, 1], "{name}");
    assert_eq!(strangers.len(), 40);
    while let Some(stranger) = strangers.join_next().await {
        let response = stranger.unwrap().unwrap();
        assert_eq!(response.status(), StatusCode::REQUEST_TIMEOUT, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn unverified_requests_take_no_permit_of_the_inner_service() {
    type Body = EventBody<Channel<Bytes>>;
    let builder = ServiceBuilder::new;

    let (tally, inner) = slow_service();
    let service = builder().concurrency_limit(1).service(inner);
    event_among_strangers("ConcurrencyLimit", &tally, service).await;

    let (tally, inner) = slow_service();
    let service = builder().buffer::<Request<Body>>(1).service(inner);
    event_among_strangers("Buffer", &tally, service).await;

    let (tally, inner) = slow_service();
    let service = builder().load_shed().concurrency_limit(1).service(inner);
    event_among_strangers("LoadShed", &tally, service).await;

    let (tally, inner) = slow_service();
    let service = builder().buffer::<Request<Body>>(1);
    let service = service
        .rate_limit(1, Duration::from_secs(3600))
        .service(inner);
    event_among_strangers("RateLimit", &tally, service).await;

    let (tally, inner) = slow_service();
    let limited = || builder().concurrency_limit(1).service(inner.clone());
    let replicas = [limited(), limited(), limited()];
    let replicas = replicas.map(|replica| Constant::new(replica, 1));
    let balance = Balance::<_, Request<Body>>::new(ServiceList::new::<Request<Body>>(replicas));
    let service = builder().buffer::<Request<Body>>(1).service(balance);
    event_among_strangers("Balance", &tally, service).await;
}

#[tokio::test(start_paused = true)]
async fn event_waiting_for_a_permit_is_handled_or_dropped_cleanly() {
    let (tally, inner) = slow_service();
    let inner = ServiceBuilder::new().concurrency_limit(1).service(inner);
    let mut place = inner.clone();
    let service = slow_layer(&tally).wrap_body().layer(inner);

    ServiceExt::<Request<EventBody<Slow>>>::ready(&mut place)
        .await
        .unwrap();
    let mut calls = [(); 3].map(|()| {
        let call = service.clone().oneshot(post(Slow::new(SEED, &tally)));
        tokio::spawn(call)
    });
    tokio::time::sleep(Duration::from_millis(1)).await;
    // All are verified and wait.
    assert_eq!(tally.counts(), [3, 0, 0]);
    calls[0].abort();
    tokio::time::sleep(Duration::from_millis(1)).await;
    drop(place);
    for call in &mut calls[1..] {
        let response = tokio::time::timeout(Duration::from_secs(5), call).await;
        let response = response.expect("there is a place").unwrap().unwrap();
        assert_eq!(response.status(), StatusCode::OK);
    }
    assert_eq!(tally.counts(), [3, 2, 2]);
    drop(service);
    assert_eq!(tally.alive(), 0);
}

#[tokio::test(start_paused = true)]
async fn load_shed_behind_the_layer_affects_only_verified_events() {
    let (tally, inner) = slow_service();
    let inner = ServiceBuilder::new()
        .load_shed()
        .concurrency_limit(1)
        .service(inner);
    let service = slow_layer(&tally).wrap_body().layer(inner);
    let send = |text: &str| service.clone().oneshot(post(Slow::new(text, &tally)));

    let (first, second, stranger) = tokio::join!(send(SEED), send(SEED), send(&forged()));
    let (handled, shed): (Vec<_>, Vec<_>) = [first, second].into_iter().partition(Result::is_ok);
    assert_eq!((handled.len(), shed.len()), (1, 1));
    for error in shed {
        assert!(error.unwrap_err().is::<Overloaded>());
    }
    assert_eq!(stranger.unwrap().status(), StatusCode::FORBIDDEN);
}

/// A service that fails to become ready.
#[derive(Clone)]
struct Broken;

impl<B> Service<Request<B>> for Broken {
    type Response = Response<Full<Bytes>>;
    type Error = &'static str;
    type Future = Pending<Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Err("broken"))
    }

    fn call(&mut self, _: Request<B>) -> Self::Future {
        panic!("called while not ready")
    }
}

#[tokio::test]
async fn inner_readiness_error_is_the_error_of_the_call() {
    let tally = Tally::default();
    let layer = slow_layer(&tally).pass_other_callbacks().wrap_body();
    let service = layer.when(|head| head.method != Method::PUT).layer(Broken);
    let slow = |text: &str| post(Slow::new(text, &tally));
    let method = |method| {
        let mut request = slow(SEED);
        *request.method_mut() = method;
        request.headers_mut().clear();
        request
    };
    // An event, a form without one, another callback, and an unselected request.
    for request in [
        slow(SEED),
        slow("a=1"),
        method(Method::GET),
        method(Method::PUT),
    ] {
        let call = service.clone().oneshot(request);
        assert_eq!(call.await.unwrap_err(), "broken");
    }
    let call = service.clone().oneshot(slow(&forged()));
    assert_eq!(call.await.unwrap().status(), StatusCode::FORBIDDEN);
    drop(service);
    assert_eq!(tally.alive(), 0);
}

// A real connection.

/// Serves one connection. Returns the client and a handle that shuts the server down gracefully.
async fn serve_one(tally: &Tally) -> (TcpStream, Arc<Notify>, tokio::task::JoinHandle<bool>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap())
        .await
        .unwrap();
    let (stream, _) = listener.accept().await.unwrap();

    let guard = tally.guard();
    let handle = service_fn(move |request: Request<EventBody<Incoming>>| {
        assert!(request.extensions().get::<Event>().is_some());
        guard.0.called.fetch_add(1, Ordering::Relaxed);
        async { Ok::<_, Infallible>(Response::new(Full::<Bytes>::default())) }
    });
    let service = TowerToHyperService::new(slow_layer(tally).wrap_body().layer(handle));
    let stop = Arc::new(Notify::new());
    let stopped = stop.clone();
    let server = tokio::spawn(async move {
        let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        tokio::pin!(connection);
        tokio::select! {
            ended = connection.as_mut() => return ended.is_ok(),
            () = stopped.notified() => connection.as_mut().graceful_shutdown(),
        }
        connection.await.is_ok()
    });
    (client, stop, server)
}

fn head() -> String {
    let length = SEED.len();
    format!(
        "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\
         content-type: application/x-www-form-urlencoded\r\n\r\n"
    )
}

async fn ends(server: tokio::task::JoinHandle<bool>) -> bool {
    let ended = tokio::time::timeout(Duration::from_secs(5), server).await;
    ended.expect("the connection ends").unwrap()
}

#[tokio::test]
async fn graceful_shutdown_during_a_body_still_serves_the_event() {
    let tally = Tally::default();
    let (mut client, stop, server) = serve_one(&tally).await;
    let (first, second) = SEED.split_at(100);
    client.write_all((head() + first).as_bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(20)).await;
    stop.notify_one();
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert_eq!(tally.counts()[1], 0);
    client.write_all(second.as_bytes()).await.unwrap();

    let mut response = String::new();
    client.read_to_string(&mut response).await.unwrap();
    assert!(response.starts_with("HTTP/1.1 200 OK\r\n"), "{response}");
    assert!(ends(server).await);
    assert_eq!((tally.counts(), tally.alive()), ([1, 1, 0], 0));
}

#[tokio::test]
async fn client_that_disconnects_during_a_body_leaves_nothing() {
    for sent in [0, 1, 100, SEED.len() - 1] {
        let tally = Tally::default();
        let (mut client, _stop, server) = serve_one(&tally).await;
        let text = head() + &SEED[..sent];
        client.write_all(text.as_bytes()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
        drop(client);
        ends(server).await;
        assert_eq!((tally.counts(), tally.alive()), ([0, 0, 0], 0));
    }
}

// What the types promise to the compiler.

fn assert_shared<T: Send + Sync + Unpin + 'static>() {}
fn assert_sent<T: Send + Sync + 'static>() {}
fn assert_unwind_safe<T: UnwindSafe + RefUnwindSafe>() {}

#[test]
fn public_types_are_send_and_sync() {
    macro_rules! shared {
        ($($type:ty),+ $(,)?) => {$(assert_shared::<$type>();)+};
    }
    type B = Full<Bytes>;
    type Inner = tower::util::BoxCloneSyncService<Request<B>, Response<B>, Infallible>;
    shared![
        RejectionPolicy,
        ApplicationStatus,
        ApplicationToken,
        Array,
        Auth,
        ConfigError,
        Envelope,
        EnvelopeError,
        EnvelopeErrorKind,
        Event,
        EventBody<B>,
        EventKind,
        EventLayer<ApplicationToken>,
        EventLayer<TokenSet>,
        EventService<Inner, ApplicationToken>,
        KeepBody,
        WrapBody,
        BodyFrom<B>,
        EventConfig,
        Mismatch,
        ObjectId<'static>,
        Payload,
        Rejection,
        RejectionKind,
        Secret,
        Subject<'static>,
        TokenSet,
        Value,
        VerifyError,
        VerifyErrorKind,
        field::Flag,
        field::IdMap<ItemId>,
        field::List<ItemId>,
        field::OneOrMany<ItemId>,
        field::UndefinedOr<ItemId>,
        kind::UnknownCode,
        kind::CrmDealAdd,
        tower_bitrix24::event::Action,
    ];
    // `Payload` contains all payloads; these are a few that handlers hold.
    shared![
        payload::CrmDynamicItem,
        payload::ImBotMessageAdd,
        payload::User
    ];

    // The future is `Send` and `Sync` if the body, the verifier's future and the service's are.
    type Ready<T> = std::future::Ready<Result<T, Infallible>>;
    type ReadyService = tower::util::ServiceFn<fn(Request<B>) -> Ready<Response<B>>>;
    assert_sent::<ResponseFuture<ReadyService, B, ApplicationToken>>();
    fn assert_send<T: Send>(_: &T) {}
    let token = ApplicationToken::new(TOKEN).unwrap();
    let handle = |_: Request<axum::body::Body>| async {
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
    };
    let mut service = EventLayer::new(token).layer(service_fn(handle));
    assert_send(&service.call(post(axum::body::Body::empty())));

    assert_unwind_safe::<Envelope>();
    assert_unwind_safe::<Value>();
    assert_unwind_safe::<Payload>();
}
