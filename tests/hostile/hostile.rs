//! Bodies sent to do harm, each with a bound on what it may cost: allocations and bytes are counted,
//! and time is compared between two sizes of one body in one run. `--nocapture` shows the figures.

#[path = "../it/common/mod.rs"]
mod common;

mod budget;
mod flood;
mod queued;
mod rejected;
mod senders;
mod transport;
mod verified;

use std::convert::Infallible;
use std::future::{Future, Ready, ready};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use allocation_counter::{AllocationInfo, measure};
use bytes::Bytes;
use cpu_time::ThreadTime;
use http::{Request, Response};
use http_body::Body;
use http_body_util::Full;
use tower::{Layer, Service, ServiceExt};
use tower_bitrix24::rejection::RejectionPolicy;
use tower_bitrix24::{
    ApplicationToken, Envelope, Event, EventBody, EventLayer, Rejection, RejectionKind,
};

use common::{BoxError, TOKEN, post};

type TestResponse = Response<EventBody<Full<Bytes>>>;

/// Returns the event in the extensions of the response, with as few allocations as possible.
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

/// A response without text, whose length would blur the counts.
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

/// Returns the cost of a call with a complete body.
fn cost(body: &Bytes) -> (AllocationInfo, Response<Full<Bytes>>) {
    // A second handle, since the first clone of `Bytes` allocates.
    let request = post(Full::new(body.clone()));
    let mut service = silent().layer(Handler);
    let mut response = None;
    let info = measure(|| {
        let call = pin!(service.call(request));
        response = Some(now(call));
    });
    (info, response.unwrap().unwrap())
}

/// Returns the output of a future that never waits.
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

/// Asserts that `run` takes at most 30 times as long for eight times the input: linear work takes 8
/// times, quadratic work 64. Counts the time of this thread, and the best of several runs, with
/// more runs before it fails, because the machine may be busy.
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

/// A pattern that an attacker repeats after the envelope, up to a number of bytes.
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

/// Shapes that are read to their end: no key is rejected, and the pairs are few for the bytes.
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
