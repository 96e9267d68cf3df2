//! Bodies sent to do harm, each with a bound on what it may cost: allocations and bytes are counted,
//! and time is compared between two sizes of one body in one run. `--nocapture` shows the figures.

#[path = "it/common/mod.rs"]
mod common;

use std::convert::Infallible;
use std::future::{Future, Ready, ready};
use std::hint::black_box;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use allocation_counter::{AllocationInfo, measure};
use bytes::Bytes;
use common::{BoxError, Frames, SEED, TOKEN, data, forged, post};
use cpu_time::ThreadTime;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Channel, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tower::{Layer, Service, ServiceExt};
use tower_bitrix24::envelope::EnvelopeErrorKind;
use tower_bitrix24::rejection::RejectionPolicy;
use tower_bitrix24::{
    ApplicationToken, Envelope, Event, EventBody, EventConfig, EventKind, EventLayer, Rejection,
    RejectionKind, Value,
};

type TestResponse = Response<EventBody<Full<Bytes>>>;

/// A service that tells which event it got, and allocates as little as it can.
#[derive(Clone)]
struct Handler;

impl<B> Service<Request<B>> for Handler {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Full<Bytes>>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let event = request.extensions().get::<Event>().expect("only events");
        let mut response = Response::default();
        response.extensions_mut().insert(event.clone());
        ready(Ok(response))
    }
}

fn layer() -> EventLayer<ApplicationToken> {
    EventLayer::new(ApplicationToken::new(TOKEN).unwrap())
}

/// The layer without a text to write in its responses, whose length would blur the counts.
fn silent() -> EventLayer<ApplicationToken> {
    let layer = layer().on_rejection(RejectionPolicy::Acknowledge);
    layer.body_limit(usize::MAX)
}

async fn send<B>(layer: EventLayer<ApplicationToken>, request: Request<B>) -> TestResponse
where
    B: Body,
    B::Error: Into<BoxError>,
{
    layer
        .wrap_body()
        .layer(Handler)
        .oneshot(request)
        .await
        .unwrap()
}

fn rejection<T>(response: &Response<T>) -> RejectionKind {
    let rejection = response.extensions().get::<Rejection>();
    rejection.expect("the request is rejected").kind()
}

fn event<T>(response: &Response<T>) -> &Event {
    response.extensions().get().expect("the event is delivered")
}

/// What a call costs whose body is there at once.
fn cost(body: &Bytes) -> (AllocationInfo, Response<Full<Bytes>>) {
    // A second handle, so that the layer's own is no first one and costs no count.
    let request = post(Full::new(body.clone()));
    let mut service = silent().layer(Handler);
    let mut response = None;
    let info = measure(|| {
        let call = pin!(service.call(request));
        response = Some(now(call));
    });
    (info, response.unwrap().unwrap())
}

/// The output of a future that has nothing to wait for.
fn now<F: Future>(future: Pin<&mut F>) -> F::Output {
    match future.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("there is nothing to wait for"),
    }
}

fn verified(body: &Bytes) -> Event {
    let token = ApplicationToken::new(TOKEN).unwrap();
    let envelope = Envelope::scan(body.clone()).unwrap();
    now(pin!(Event::verify(envelope, &token))).unwrap()
}

fn with_token(code: &str, token: &str, rest: &str) -> Bytes {
    Bytes::from(format!(
        "event={code}&auth[application_token]={token}&{rest}"
    ))
}

/// Asserts that `run` on something eight times as large takes at most 30 times as long: linear work
/// takes 8 times, quadratic 64. The time is the thread's own and the best of several runs, and more
/// runs are made before it counts as too long, since the machine may be busy; next to seconds, that
/// is nothing.
fn assert_linear<T>(what: &str, small: &T, large: &T, mut run: impl FnMut(&T)) {
    let (mut few, mut many) = (Duration::MAX, Duration::MAX);
    let mut spent = Duration::ZERO;
    for round in 1.. {
        for (input, best) in [(small, &mut few), (large, &mut many)] {
            let start = ThreadTime::now();
            run(input);
            let taken = start.elapsed();
            *best = taken.min(*best);
            spent += taken;
        }
        let ratio = many.as_secs_f64() / few.as_secs_f64();
        let last = round == 40 || spent > Duration::from_secs(5);
        if last || (round >= 4 && ratio <= 30.0) {
            println!("{what}: 8 times the size takes {ratio:.1} times as long");
            assert!(ratio <= 30.0, "{what}: {ratio:.1} times as long");
            return;
        }
    }
}

/// A shape of what an attacker may send behind the envelope, so many bytes of it.
struct Shape {
    name: &'static str,
    start: &'static str,
    unit: &'static str,
    end: &'static str,
}

impl Shape {
    fn of(&self, bytes: usize) -> String {
        let units = self.unit.repeat(bytes / self.unit.len());
        [self.start, &units, self.end].concat()
    }
}

const fn shape(
    name: &'static str,
    start: &'static str,
    unit: &'static str,
    end: &'static str,
) -> Shape {
    Shape {
        name,
        start,
        unit,
        end,
    }
}

/// What must be read to its end: under no key that is rejected, and of few pairs for its bytes.
const SHAPES: [Shape; 26] = [
    shape("a long key", "data[", "a", "]=1"),
    shape("a long name", "", "a", "=1"),
    shape("a long value", "data[a]=", "a", ""),
    shape("depth", "data", "[a]", "=1"),
    shape("escaped depth", "data", "%5Ba%5d", "=1"),
    shape("empty brackets", "data", "[]", "=1"),
    shape("opening brackets", "data", "[", "=1"),
    shape("opening brackets that one closes", "data", "[", "]=1"),
    shape("closing brackets", "data[a", "]", "=1"),
    shape("a deep key of auth", "auth[x]", "[a]", "=1"),
    shape("a long token", "auth[access_token]=", "a", ""),
    shape("an escaped token", "auth[refresh_token]=", "%61", ""),
    shape("escapes of nothing", "data[a]=", "%", ""),
    shape("spaces before a key", "", "+", "x=1"),
    shape("dots in a name", "a", ".", "=1"),
    shape("NUL in a key", "data[a", "%00", "]=1"),
    shape("NUL in a value", "data[a]=", "\0", ""),
    shape("lone surrogates", "data[%ED%A0%80]=", "%ED%A0%80", ""),
    shape("invalid UTF-8 in a key", "data[", "%FF", "]=1"),
    shape("equals signs", "data[a]", "=", ""),
    shape("ampersands", "", "&", ""),
    shape("pairs of one key", "", "&data[aaaaaa]=1", ""),
    shape("appended values", "", "&data[aaaaaa][]=1", ""),
    shape("data between others", "", "&data[aaaaaa]=1&bbbb=1", ""),
    shape("a text and an array", "", "&data[a]=1&data[a][b]=1", ""),
    shape(
        "depth in every pair",
        "",
        "&data[a][b][c][d][e][][f][]=1",
        "",
    ),
];

const SMALL: usize = 8 * 1024;
const LARGE: usize = 8 * SMALL;

// Before the proof.

#[test]
fn rejecting_takes_time_in_proportion_and_no_memory_whatever_the_body() {
    // What a response alone takes: that to a body that announces to be too long.
    let response = {
        let mut request = post(Full::new(Bytes::new()));
        let length = HeaderValue::from_static("18446744073709551615");
        request.headers_mut().insert(CONTENT_LENGTH, length);
        let service = layer()
            .on_rejection(RejectionPolicy::Acknowledge)
            .wrap_body()
            .layer(Handler);
        measure(|| drop(now(pin!(service.clone().call(request)))))
    };
    for shape in &SHAPES {
        let [small, large] = [SMALL, LARGE].map(|size| {
            let body = with_token("ONUSERADD", "guess", &shape.of(size));
            let (info, rejected) = cost(&body);
            assert_eq!(rejection(&rejected), RejectionKind::TokenRejected);
            let more = info.count_total.saturating_sub(response.count_total);
            assert!(more <= 1, "{}: {more} allocations", shape.name);
            assert!(info.bytes_max < 2048, "{}: {info:?}", shape.name);
            body
        });
        assert_linear(shape.name, &small, &large, |body| drop(cost(body)));
    }
    println!("the response alone: {response:?}");
}

#[test]
fn a_hundred_thousand_pairs_are_not_read_to_the_end() {
    for unit in ["&a=1", "&data[FIELDS][ID]=1", "&%", "&+a", "&auth[x]"] {
        let [ten, hundred] = [10_000, 100_000].map(|pairs| {
            let body = with_token("ONUSERADD", TOKEN, &unit.repeat(pairs));
            assert_eq!(
                Envelope::scan(body.clone()).unwrap_err().kind(),
                EnvelopeErrorKind::TooManyPairs,
            );
            let (info, rejected) = cost(&body);
            assert_eq!(rejection(&rejected), RejectionKind::Malformed);
            (info.count_total, info.bytes_max)
        });
        assert_eq!(ten, hundred, "{unit}");
        assert!(hundred.1 < 2048, "{hundred:?}");
    }
}

#[test]
fn a_right_token_of_any_length_costs_at_most_its_decoding() {
    let token = "%61".repeat(64 * 1024);
    let (info, rejected) = cost(&with_token("X", &token, ""));
    assert_eq!(rejection(&rejected), RejectionKind::TokenRejected);
    // Decoded once to see whether it is there and once to be compared, never both at a time.
    assert!(info.bytes_max < token.len() as u64 + 2048, "{info:?}");
}

/// Every way to write a key that decodes to it: a byte escaped here, all bytes, the brackets alone.
fn spellings(key: &str) -> Vec<String> {
    let escape = |which: &dyn Fn(usize, u8) -> bool, lower: bool| -> String {
        let bytes = key.bytes().enumerate().map(|(at, byte)| match byte {
            byte if !which(at, byte) => char::from(byte).to_string(),
            byte if lower => format!("%{byte:02x}"),
            byte => format!("%{byte:02X}"),
        });
        bytes.collect()
    };
    let bracket = |_, byte| matches!(byte, b'[' | b']');
    let mut spellings = vec![key.to_owned()];
    for lower in [false, true] {
        spellings.push(escape(&bracket, lower));
        spellings.push(escape(&|_, _| true, lower));
        spellings.extend((0..key.len()).map(|place| escape(&|at, _| at == place, lower)));
    }
    spellings
}

#[test]
fn an_envelope_key_that_stands_twice_is_rejected_in_every_encoding() {
    let fields = [
        "access_token",
        "expires",
        "expires_in",
        "scope",
        "domain",
        "server_endpoint",
        "status",
        "client_endpoint",
        "member_id",
        "user_id",
        "refresh_token",
        "application_token",
        "date_finish",
        "client_id",
        "error",
        "error_description",
    ];
    let mut keys: Vec<_> = fields.map(|field| format!("auth[{field}]")).into();
    keys.extend(["event", "event_handler_id", "ts"].map(str::to_owned));
    let mut count = 0;
    for key in keys {
        let all = spellings(&key);
        for (first, second) in all.iter().zip(all.iter().rev()).chain(all.iter().zip(&all)) {
            let once = ["event", "auth[application_token]"];
            let rest = once.iter().filter(|name| **name != key);
            let rest: String = rest.map(|name| format!("{name}={TOKEN}&")).collect();

            let body = format!("{rest}{first}={TOKEN}");
            assert!(Envelope::scan(body).is_ok(), "{first}");
            for body in [
                format!("{rest}{first}={TOKEN}&{second}={TOKEN}"),
                format!("{first}={TOKEN}&{rest}&data[a]=1&{second}"),
            ] {
                let error = Envelope::scan(body).unwrap_err();
                assert_eq!(error.kind(), EnvelopeErrorKind::DuplicateKey);
            }
            count += 1;
        }
        // And what PHP or serde_qs would fold into the key.
        for alias in ["+{}", "%20{}", "{}%00", "{}%00x", "{}\0", "[{}]", "{}[]"] {
            for spelling in &all {
                let alias = alias.replace("{}", spelling);
                let body = format!("event=E&auth[application_token]={TOKEN}&{alias}=x");
                let Err(error) = Envelope::scan(body) else {
                    panic!("{alias} is let through")
                };
                assert_eq!(error.kind(), EnvelopeErrorKind::AmbiguousKey, "{alias}");
            }
        }
    }
    println!("{count} pairs of spellings");
}

#[test]
fn a_percent_sign_at_the_end_is_itself_and_makes_no_other_token() {
    for tail in [
        "%",
        "%5",
        "%5%",
        "%GG",
        "%%",
        "%u0041",
        "+",
        "%00",
        "%ED%A0%80",
    ] {
        let body = with_token("X", &format!("{TOKEN}{tail}"), "");
        assert_eq!(rejection(&cost(&body).1), RejectionKind::TokenRejected);
        let body = with_token("X", TOKEN, &format!("data[a]=1{tail}"));
        assert!(event(&cost(&body).1).data().is_some());
        // In a key's end too, where the rest decides nothing.
        let body = with_token("X", TOKEN, &format!("data[a]=1&x{tail}"));
        assert_eq!(
            event(&cost(&body).1).data().unwrap()["a"].as_str(),
            Some("1")
        );
    }
    for body in [
        "%", "event%", "event=%", "%=%", "&%", "=", "==&=", "&&&", "\0",
    ] {
        let rejected = cost(&Bytes::from(body)).1;
        let kind = rejection(&rejected);
        if body.starts_with('=') {
            // A key without a name is every field to readers that fill structs in order.
            assert_eq!(kind, RejectionKind::Malformed, "{body}");
        } else {
            assert!(
                matches!(kind, RejectionKind::NoEvent | RejectionKind::TokenMissing),
                "{body}: {kind:?}"
            );
        }
    }
}

// Lengths, encodings and what comes beside the data.

#[tokio::test]
async fn a_content_length_that_lies_changes_nothing_but_what_is_over_the_limit() {
    // Too small, too large, and no number at all.
    for length in [
        "0",
        "5",
        "200000",
        "-1",
        "5, 5",
        "99999999999999999999999",
        "x",
    ] {
        let mut request = post(Full::new(Bytes::from(SEED)));
        let length = HeaderValue::from_static(length);
        request.headers_mut().insert(CONTENT_LENGTH, length);
        assert_eq!(event(&send(layer(), request).await).body(), SEED);
    }
    // What announces little and sends more than the limit.
    let frames = (0..1100).map(|_| data(&"a".repeat(1000)));
    let mut request = post(Frames(frames));
    let length = HeaderValue::from_static("5");
    request.headers_mut().insert(CONTENT_LENGTH, length);
    let rejected = send(layer(), request).await;
    assert_eq!(rejection(&rejected), RejectionKind::BodyTooLarge);
}

/// A body that announces more than it has, by its size hint.
struct Boasting(Option<Bytes>);

impl Body for Boasting {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Some(bytes) = self.0.as_mut().filter(|bytes| !bytes.is_empty()) else {
            return Poll::Ready(None);
        };
        Poll::Ready(Some(Ok(Frame::data(bytes.split_to(1)))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(900 << 20)
    }
}

#[test]
fn no_memory_is_set_aside_for_what_is_only_announced() {
    let forged = forged();
    let mut request = post(Boasting(Some(Bytes::from(forged.clone()).slice(..60))));
    let length = HeaderValue::from_static("943718400");
    request.headers_mut().insert(CONTENT_LENGTH, length);
    let mut service = silent().wrap_body().layer(Handler);
    let info = measure(|| {
        let rejected = now(pin!(service.call(request))).unwrap();
        assert_eq!(rejection(&rejected), RejectionKind::TokenMissing);
    });
    assert!(info.bytes_max < 2048, "{info:?}");
}

#[tokio::test]
async fn a_compressed_body_is_rejected_before_it_is_polled() {
    for coding in ["gzip", "GZIP", "br", "deflate", "identity, gzip", "", "x"] {
        let never = std::iter::from_fn(|| panic!("the body was polled"));
        let mut request = post(Frames(never));
        let headers = request.headers_mut();
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("identity"));
        headers.append(CONTENT_ENCODING, HeaderValue::from_static(coding));
        let rejected = send(layer(), request).await;
        assert_eq!(rejection(&rejected), RejectionKind::ContentEncoding);
        assert_eq!(rejected.status(), 415);
        let text = rejected.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(text, "events are sent without content encoding\n");
    }
}

#[tokio::test]
async fn a_charset_changes_neither_the_token_nor_the_data() {
    for charset in [
        "utf-7",
        "utf-16",
        "IBM037",
        "windows-1251",
        "\"; charset=x",
        "é",
    ] {
        let mut request = post(Full::new(Bytes::from(SEED)));
        let value = format!("application/x-www-form-urlencoded; charset={charset}");
        let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
        request.headers_mut().insert(CONTENT_TYPE, value);
        let response = send(layer(), request).await;
        assert_eq!(event(&response).body(), SEED);
    }
}

#[tokio::test]
async fn trailers_make_no_event_and_do_not_pile_up() {
    let trailers = || {
        let token = HeaderValue::from_static(TOKEN);
        let name = http::HeaderName::from_static("auth-application_token");
        let trailers = HeaderMap::from_iter([(name, token)]);
        Ok::<_, BoxError>(Frame::trailers(trailers))
    };
    let frames = vec![data("event=E"), trailers()];
    let rejected = send(layer(), post(Frames(frames.into_iter()))).await;
    assert_eq!(rejection(&rejected), RejectionKind::TokenMissing);
}

#[tokio::test]
async fn a_body_of_trailers_without_end_meets_the_deadline() {
    let trailers = || Ok(Frame::trailers(HeaderMap::new()));
    let layer = layer().body_timeout(Duration::from_millis(20));
    let rejected = send(layer, post(Frames(std::iter::repeat_with(trailers)))).await;
    assert_eq!(rejection(&rejected), RejectionKind::BodyTimeout);
}

#[tokio::test]
async fn a_body_that_breaks_off_is_no_event_even_if_all_of_it_had_come() {
    for sent in [1, 60, SEED.len() - 1, SEED.len()] {
        let frames = vec![data(&SEED[..sent]), Err("connection reset".into())];
        let rejected = send(layer(), post(Frames(frames.into_iter()))).await;
        assert_eq!(rejection(&rejected), RejectionKind::BodyIncomplete);
    }
}

// Slow and endless senders.

#[test]
fn a_body_that_never_ends_is_held_to_the_limit_and_costs_few_times_as_much() {
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
        // Room is doubled as it fills, and for a moment the old and the new are both there: at most
        // twice the limit.
        println!("endless, {frame} bytes a frame: {info:?}");
        assert!(
            info.bytes_max < 2 * LIMIT as u64 + 2048,
            "{frame}: {info:?}"
        );
        assert!(info.count_total < 60, "{frame}: {info:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn one_byte_a_second_is_too_slow_and_with_more_patience_is_an_event() {
    for (patience, kind) in [(10, Some(RejectionKind::BodyTimeout)), (3600, None)] {
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
        let layer = layer().body_timeout(Duration::from_secs(patience));
        let response = send(layer, post(body)).await;
        match kind {
            Some(kind) => {
                assert_eq!(rejection(&response), kind);
                assert_eq!(start.elapsed().as_secs(), patience);
            }
            None => {
                assert_eq!(event(&response).body(), SEED);
                assert_eq!(start.elapsed().as_secs(), SEED.len() as u64);
            }
        }
    }
}

/// The most memory that each of so many `receive`s takes whose senders have sent the beginning of an
/// event and then nothing more. They must all end at the deadline.
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
fn ten_thousand_slow_senders_cost_little_each_and_are_all_rejected_at_the_deadline() {
    const SENDERS: usize = 10_000;
    let layer = layer().wrap_body().layer(Handler);
    let with_layer = move |body| {
        let mut service = layer.clone();
        async move { rejection(&service.call(post(body)).await.unwrap()) }
    };
    // What a request costs that waits with no layer round it.
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

// All bodies together.

/// A body that waits after each of so many frames, and never ends.
struct Dribble {
    frame: &'static [u8],
    frames: usize,
    waits: bool,
}

impl Dribble {
    fn new(frame: &'static [u8], frames: usize) -> Self {
        Self {
            frame,
            frames,
            waits: false,
        }
    }
}

impl Body for Dribble {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.waits = !self.waits;
        if self.frames == 0 {
            return Poll::Pending;
        }
        if self.waits {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.frames -= 1;
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(self.frame)))))
    }
}

/// The most memory that 2,000 strangers with large bodies and 10,000 slow small ones take at once, who
/// send so many frames each. Meanwhile `events` are sent.
fn memory_of_a_flood<F>(
    [large, small]: [usize; 2],
    events: impl FnOnce(EventLayer<ApplicationToken>) -> F,
) -> u64
where
    F: Future<Output = ()>,
{
    static LARGE: [u8; 16 * 1024] = [b'a'; 16 * 1024];
    const SMALL: &[u8] = b"event=ONCRMREQUISITEADD&data[FIELDS][ID]=27&";

    let runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = { runtime }.enable_time().start_paused(true).build();
    let runtime = runtime.unwrap();
    let info = measure(|| {
        runtime.block_on(async {
            let layer = layer();
            let mut calls = JoinSet::new();
            for number in 0..12_000 {
                let body = match number % 6 {
                    0 => Dribble::new(&LARGE, large),
                    _ => Dribble::new(SMALL, small),
                };
                let mut service = layer.clone().wrap_body().layer(Handler);
                calls.spawn(async move { service.call(post(body)).await.unwrap() });
            }
            // The clock moves on when all wait.
            tokio::time::sleep(Duration::from_millis(1)).await;
            events(layer.clone()).await;

            let (mut late, mut rejected) = (0, 0);
            while let Some(response) = calls.join_next().await {
                match rejection(&response.unwrap()) {
                    RejectionKind::BodyTimeout => late += 1,
                    RejectionKind::BodyBudgetExhausted => rejected += 1,
                    kind => panic!("{kind:?}"),
                }
            }
            println!("{late} were late, {rejected} found no room");
            assert_eq!(rejected > 0, large > 0);
            assert!(late >= 10_000, "a small body found no room");
            let large = with_token("X", TOKEN, &"a".repeat(1 << 19));
            let response = send(layer, post(Full::new(large.clone()))).await;
            assert_eq!(event(&response).body(), &large);
        });
    });
    info.bytes_max
}

#[test]
fn a_flood_of_bodies_stays_within_the_budget_and_events_get_through() {
    let flooded = memory_of_a_flood([63, 2], async |layer| {
        // In one piece, and in pieces.
        let response = send(layer.clone(), post(Full::new(Bytes::from(SEED)))).await;
        assert_eq!(event(&response).body(), SEED);
        let (mut sender, body) = Channel::<Bytes>::new(1);
        tokio::spawn(async move {
            for piece in SEED.as_bytes().chunks(50) {
                tokio::time::sleep(Duration::from_millis(1)).await;
                sender.send_data(Bytes::from_static(piece)).await.unwrap();
            }
        });
        let response = send(layer, post(body)).await;
        assert_eq!(event(&response).body(), SEED);
    });
    let bare = memory_of_a_flood([0, 0], async |_| ());
    println!("a flood: {flooded} bytes, of which {bare} without bodies");
    // One body may be growing, beside what waits.
    let most = bare + EventConfig::DEFAULT_BODY_BUDGET as u64 + (2 << 20);
    assert!(flooded < most, "{flooded} bytes, {bare} without bodies");
}

/// The strangers that send large bodies over sockets; five times as many send slow small ones. Set
/// `BITRIX24_FLOOD=2000` for the full form, which needs 25,000 open files.
fn large_senders() -> usize {
    let senders = std::env::var("BITRIX24_FLOOD").ok();
    senders.map_or(50, |senders| senders.parse().expect("a number of senders"))
}

/// A connection that has announced so many bytes, and sent `body`.
async fn connect(address: SocketAddr, length: usize, body: String) -> TcpStream {
    let head = format!(
        "POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n\
         content-type: application/x-www-form-urlencoded\r\n\r\n"
    );
    let mut stream = TcpStream::connect(address).await.unwrap();
    // A rejected body breaks off.
    let _: std::io::Result<()> = stream.write_all((head + &body).as_bytes()).await;
    stream
}

/// The most memory that a server takes in a flood over sockets, during which 20 events are sent and
/// answered.
fn memory_of_a_flooded_server<S, B>(service: S, large_senders: usize) -> u64
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Clone + 'static,
    B: Body<Data = Bytes, Error = Infallible> + 'static,
{
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    let runtime = || {
        let runtime = tokio::runtime::Builder::new_current_thread();
        { runtime }.enable_all().build().unwrap()
    };
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    // In a thread of its own, whose memory is not counted.
    let clients = std::thread::spawn(move || {
        runtime().block_on(async {
            let mut strangers = JoinSet::new();
            for number in 0..6 * large_senders {
                let body = match number % 6 {
                    0 => "a".repeat(1_000_000),
                    _ => "event=ONCRMREQUISITEADD&".to_owned(),
                };
                strangers.spawn(connect(address, 1_000_001, body));
            }
            let strangers = strangers.join_all().await;
            let mut times = Vec::new();
            for _ in 0..20 {
                let start = Instant::now();
                let mut stream = connect(address, SEED.len(), SEED.to_owned()).await;
                let mut response = String::new();
                stream.read_to_string(&mut response).await.unwrap();
                assert!(response.starts_with("HTTP/1.1 200 OK"), "{response}");
                times.push(start.elapsed());
            }
            times.sort();
            println!("beside {} strangers: {:?}", strangers.len(), times[10]);
        });
        drop(stop);
    });
    let info = measure(|| {
        runtime().block_on(async {
            let listener = TcpListener::from_std(listener).unwrap();
            let local = tokio::task::LocalSet::new();
            let serving = local.run_until(async {
                loop {
                    let (stream, _) = listener.accept().await.unwrap();
                    let service = TowerToHyperService::new(service.clone());
                    let connection =
                        http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                    tokio::task::spawn_local(connection);
                }
            });
            tokio::select! {
                () = serving => {}
                _ = stopped => {}
            }
        });
    });
    clients.join().unwrap();
    info.bytes_max
}

/// The memory of a flooded server with the layer, with so many bytes for bodies.
fn memory_with_budget(budget: usize, large_senders: usize) -> u64 {
    let layer = layer().body_budget(budget);
    let layer = layer.body_timeout(Duration::from_secs(300));
    memory_of_a_flooded_server(layer.wrap_body().layer(Handler), large_senders)
}

#[test]
fn a_flood_over_sockets_stays_within_the_budget_and_events_get_through() {
    const LARGE: usize = 1_000_000;
    let senders = large_senders();
    let budget = senders * (64 << 20) / 2000;
    let flooded = memory_with_budget(budget, senders);
    // Few senders, since without a budget all of their bodies are in memory.
    let few = 50;
    let of_few = memory_with_budget(2 * few * LARGE, few);
    let unbounded = of_few * senders as u64 / few as u64;
    println!("over sockets: {flooded} bytes with a budget of {budget}, {unbounded} without one");
    // What the connections take beside the bodies is in both figures.
    let spared = (senders * LARGE - budget) as u64;
    assert!(
        flooded + spared * 3 / 4 < unbounded,
        "{flooded} bytes, {unbounded} without a budget"
    );
}

/// A service that is never ready.
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

/// Asserts that a budget has room for two bodies of 1,000 bytes, and for another once one of them is
/// dropped, and that the layer's clones share it.
fn assert_two_fit<V, B>(layer: EventLayer<V>, body: impl Fn() -> B)
where
    V: tower_bitrix24::VerifyToken,
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

/// A body of these frames that never ends.
fn endless(frames: &[&str]) -> impl Body<Data = Bytes, Error = BoxError> + use<> {
    let frames: Vec<_> = frames.iter().map(|frame| data(frame)).collect();
    let end = std::future::pending::<Option<Result<HeaderMap, BoxError>>>();
    Frames(frames.into_iter()).with_trailers(end)
}

#[tokio::test]
async fn an_unverified_body_counts_wherever_it_waits() {
    let whole = |start: &str| {
        let body = Bytes::from(format!("{start:a<1000}"));
        move || Full::new(body.clone())
    };
    let event = whole(&format!("event=E&auth[application_token]={TOKEN}&x="));
    // For the verifier and, in a budget of its own once it is verified, for the service.
    let verifier = |_: &Envelope| std::future::pending();
    assert_two_fit(EventLayer::new(verifier), &event);
    assert_two_fit(layer().pass_other_callbacks(), whole("a="));
    assert_two_fit(layer(), &event);
}

/// Polls once, without a waker.
fn poll_once<F: Future>(future: &mut Pin<Box<F>>) -> Poll<F::Output> {
    future
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
}

#[tokio::test]
async fn the_oldest_incomplete_body_makes_room_for_the_newest() {
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
async fn assert_events_get_through<V: tower_bitrix24::VerifyToken>(layer: EventLayer<V>) {
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
        // At once, and in two segments.
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
async fn an_incomplete_body_keeps_no_larger_buffer_alive() {
    /// A buffer that shows when it is freed.
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
    // What has arrived is still there.
    let rest = Bytes::from(SEED).slice(1..);
    sender.send_data(rest).await.unwrap();
    drop(sender);
    assert_eq!(event(&call.await.unwrap()).body(), SEED);
}

#[tokio::test]
async fn a_request_without_room_for_its_body_is_told_to_come_later() {
    let rejected = send(layer().body_budget(0), post(endless(&["event="]))).await;
    assert_eq!(rejected.status(), 503);
    assert_eq!(rejection(&rejected), RejectionKind::BodyBudgetExhausted);
    let text = rejected.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(
        text,
        "too many bodies are being received, try again later\n"
    );
    // What need not wait needs no budget.
    let response = send(layer().body_budget(0), post(Full::new(Bytes::from(SEED)))).await;
    assert_eq!(event(&response).body(), SEED);
}

// After the proof: the sender has the token, and the body may still be hostile.

/// Everything that can be asked of an event.
fn ask(event: &Event) {
    black_box((event.auth(), event.subject(), event.entity_type_id()));
    black_box((event.data(), event.data_as::<Value>().is_ok()));
    black_box(format!("{event:?}"));
    black_box(serde_json::to_string(event).unwrap());
}

#[test]
fn reading_and_showing_a_verified_event_takes_time_and_memory_in_proportion() {
    for shape in &SHAPES {
        let [small, large] = [SMALL / 4, LARGE / 4].map(|size| {
            let body = with_token("ONTASKUPDATE", TOKEN, &shape.of(size));
            let (info, _) = cost(&body);
            let read = info.bytes_max / body.len() as u64;
            let event = verified(&body);
            let info = measure(|| ask(&event));
            let asked = info.bytes_max / body.len() as u64;
            println!(
                "{}, {} bytes: peak {read} times the body to deliver, {asked} times to show",
                shape.name,
                body.len(),
            );
            assert!(read < 200 && asked < 200, "{}", shape.name);
            body
        });
        assert_linear(shape.name, &small, &large, |body| ask(&verified(body)));
    }
}

/// Bodies of as many arrays or pairs as their length allows, or more, each at another place.
fn dear(code: &str, bytes: usize) -> Vec<(&'static str, Bytes)> {
    type Unit = fn(usize) -> String;
    let deep = |levels: usize| "[]".repeat(levels);
    let filler = "x".repeat(50 * 64);
    let shapes: [(&'static str, Unit); 11] = [
        ("chains in data", |_| format!("data{}=", "[]".repeat(63))),
        ("chains in FIELDS", |_| {
            format!("data[FIELDS]{}=", "[]".repeat(62))
        }),
        ("chains in QUERY", |_| {
            format!("data[QUERY]{}=", "[]".repeat(62))
        }),
        ("plain chains", |at| {
            format!("data[FIELDS][{at}]{}=", "[a]".repeat(40))
        }),
        ("one chain", |_| {
            format!("data[FIELDS]{}=%FF", "[a]".repeat(62))
        }),
        ("arrays of one", |at| {
            format!("data[QUERY][{at}][a]={}", "x".repeat(48))
        }),
        ("arrays of one, escaped", |at| {
            format!("data%5BFIELDS%5D%5B{at}%5D%5Ba%5D=%FF{}", "x".repeat(32))
        }),
        ("many texts", |at| {
            format!("data[QUERY][{at}]={}", "x".repeat(90))
        }),
        ("many bytes", |_| {
            format!("data[FIELDS][ID]={}", "\u{e9}%FF".repeat(20_000))
        }),
        ("percent signs", |_| {
            format!("data[FIELDS][NAME]={}", "%".repeat(60_000))
        }),
        ("many keys", |at| format!("data[{at}{}]=", "%FF".repeat(25))),
    ];
    let mut bodies: Vec<_> = shapes
        .iter()
        .map(|(name, unit)| {
            let mut body = format!("event={code}&auth[application_token]={TOKEN}");
            for at in 0..Envelope::MAX_PAIRS - 2 {
                let pair = unit(at);
                if body.len() + pair.len() >= bytes {
                    break;
                }
                body = body + "&" + &pair;
            }
            (*name, Bytes::from(body))
        })
        .collect();
    // As many arrays as the rest of the body allows.
    let mut rest = String::new();
    for _ in 0..bytes / (50 * 64 + 200) {
        rest += &format!("data[QUERY]{}=1&data[T]={filler}&", deep(50));
    }
    bodies.push(("chains that texts allow", with_token(code, TOKEN, &rest)));
    bodies
}

/// The heap that a byte of a body may take at the most, beside what little bodies may.
const HEAP_PER_BYTE: u64 = 16;
const HEAP_OF_THE_LEAST: u64 = 512 * 1024;

fn assert_cheap(name: &str, code: &str, body: &Bytes) -> f64 {
    let read = measure(|| drop(verified(body)));
    let event = verified(body);
    let tree = measure(|| {
        black_box(event.data());
    });
    let typed = measure(|| drop(black_box(event.data_as::<Value>())));
    let most = [&read, &tree, &typed].map(|info| info.bytes_max);
    let most = most.into_iter().max().unwrap();
    let bound = HEAP_PER_BYTE * body.len() as u64 + HEAP_OF_THE_LEAST;
    assert!(
        most <= bound,
        "{code}, {name}: {most} bytes for {}",
        body.len()
    );
    most as f64 / body.len() as f64
}

#[test]
fn a_verified_body_takes_at_most_sixteen_bytes_of_heap_for_a_byte_whatever_its_shape() {
    for bytes in [64 << 10, 1 << 20] {
        for (name, body) in dear("ONAPPTEST", bytes) {
            let ratio = assert_cheap(name, "ONAPPTEST", &body);
            println!(
                "{} bytes, {name}: {ratio:.1} bytes of heap for a byte",
                body.len()
            );
        }
    }
    for &kind in EventKind::ALL {
        for (name, body) in dear(kind.as_str(), 4 << 10) {
            let read = measure(|| drop(verified(&body)));
            let bound = HEAP_PER_BYTE * body.len() as u64 + HEAP_OF_THE_LEAST;
            assert!(read.bytes_max <= bound, "{kind}, {name}: {read:?}");
        }
    }
}

#[test]
fn a_body_of_too_many_arrays_is_delivered_with_its_data_as_bytes() {
    for code in [
        "ONCRMDEALADD",
        "ONSONETGROUPSUBJECTADD",
        "ONAPPTEST",
        "ONUNKNOWN",
    ] {
        let data = format!("data[FIELDS]{}=1", "[]".repeat(60));
        let data = vec![&*data; 200].join("&");
        let body = with_token(code, TOKEN, &data);
        let (info, response) = cost(&body);
        let event = event(&response);
        assert_eq!(event.body(), &body);
        assert_eq!(event.raw_data().as_deref(), Some(data.as_bytes()));
        assert!(event.data().is_none() && event.subject().is_none());
        assert_eq!(*event.payload(), tower_bitrix24::Payload::Unknown);
        let reason = "data: more than 256 arrays, and one for each 64 bytes, are not read";
        assert_eq!(event.mismatch().unwrap().to_string(), reason);
        assert_eq!(event.data_as::<Value>().unwrap_err().to_string(), reason);
        assert!(info.bytes_max < 16 * body.len() as u64, "{code}: {info:?}");
        ask(event);
    }
}

#[test]
fn as_many_pairs_as_are_let_through_take_time_in_proportion() {
    const PAIRS: usize = Envelope::MAX_PAIRS - 2;
    for (name, pair) in [
        ("different keys", "data[{}]=1"),
        ("different keys in brackets", "data[FIELDS][{}][ID]=1"),
        ("escaped keys", "data%5BFIELDS%5D%5B{}%5D=1"),
        ("data and others", "data[{}]=1&x{}=1"),
        ("one key", "data[ID]=1"),
    ] {
        let at_once = pair.matches('&').count() + 1;
        let [few, many] = [PAIRS / 8, PAIRS].map(|pairs| {
            let pairs = (0..pairs / at_once).map(|at| pair.replace("{}", &at.to_string()));
            let pairs: Vec<_> = pairs.collect();
            with_token("ONTASKUPDATE", TOKEN, &pairs.join("&"))
        });
        assert_linear(name, &few, &many, |body| ask(&verified(body)));
    }
}

#[test]
fn an_index_reserves_nothing_in_any_payload() {
    let index = "999999999";
    for &kind in EventKind::ALL {
        for data in [
            format!("data[{index}]=1"),
            format!("data[{index}][ID]=1"),
            format!("data[FIELDS][{index}]=1"),
            format!("data[FIELDS_AFTER][{index}][ID]=1&data[BOT][{index}][BOT_ID]=1"),
            format!("data[UF_DEPARTMENT][{index}]=1&data[ID]=1&data[PARAMS][{index}]=1"),
            format!("data[message][{index}]=1&data[messages][{index}][{index}]=1"),
            "data[18446744073709551615][9223372036854775807][]=1".to_owned(),
        ] {
            let body = with_token(kind.as_str(), TOKEN, &data);
            let info = measure(|| ask(&verified(&body)));
            assert!(info.bytes_max < 32 * 1024, "{kind}, {data}: {info:?}");
        }
    }
}

#[test]
fn what_is_ten_thousand_brackets_deep_has_the_greatest_depth_and_loses_nothing() {
    for brackets in ["[a]", "[]", "[0]", "%5B1%5D", "[a%5D"] {
        let deep = brackets.repeat(10_000);
        let body = with_token("ONUSERADD", TOKEN, &format!("data{deep}=x&data{deep}=y"));
        let event = verified(&body);
        let (mut value, mut depth) = (event.data().unwrap(), 0);
        while let Some(array) = value.as_array() {
            (value, depth) = (array.values().last().unwrap(), depth + 1);
        }
        assert_eq!((value.as_str(), depth), (Some("y"), Value::MAX_DEPTH));
        ask(&event);
    }
}

#[test]
fn nul_and_what_is_not_utf8_stay_what_they_are() {
    let read = |data: &str| {
        let event = verified(&with_token("ONUSERADD", TOKEN, data));
        ask(&event);
        let value = event.data().unwrap().as_array().unwrap().iter().next();
        let (key, value) = value.unwrap();
        (key.to_owned(), value.as_bytes().unwrap().to_vec())
    };
    let pair = |key: &str, value: &[u8]| (key.to_owned(), value.to_vec());
    assert_eq!(read("data[a\0b]=\0"), pair("a\0b", b"\0"));
    assert_eq!(read("data[a%00]=%00x"), pair("a\0", b"\0x"));
    assert_eq!(read("data[a]=%ED%A0%80"), pair("a", b"\xED\xA0\x80"));
    assert_eq!(read("data[%ED%A0%80]=1"), pair("%ED%A0%80", b"1"));
    assert_eq!(read("data[a]=%FF%FE"), pair("a", b"\xFF\xFE"));
    assert_eq!(read("data[a]=%"), pair("a", b"%"));
    assert_eq!(read("data[a]=="), pair("a", b"="));
    assert_eq!(read("&&data[a]&&"), pair("a", b""));
    assert_eq!(read("data[]=%F0%9F%98%80"), pair("0", "😀".as_bytes()));
}
