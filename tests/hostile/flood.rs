//! Floods of bodies, which share one budget.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use allocation_counter::measure;
use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame};
use http_body_util::{Channel, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tower::{Layer, Service};
use tower_bitrix24::{ApplicationToken, EventConfig, EventLayer, RejectionKind};

use crate::common::{SEED, TOKEN, post};
use crate::{Handler, event, layer, rejection, send, with_token};

/// Waits after each frame, and never ends.
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

/// Returns the peak memory of 2,000 senders of large bodies and 10,000 senders of small ones, which
/// send `large` and `small` frames each. Meanwhile `events` runs.
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
            // The paused clock advances once every call waits.
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
fn flood_of_bodies_stays_within_the_budget_and_events_get_through() {
    let flooded = memory_of_a_flood([63, 2], async |layer| {
        // In one piece and in several.
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
    // One body may be growing besides those that wait.
    let most = bare + EventConfig::DEFAULT_BODY_BUDGET as u64 + (2 << 20);
    assert!(flooded < most, "{flooded} bytes, {bare} without bodies");
}

/// The number of senders of large bodies; five times as many send small ones slowly. CI sets
/// `BITRIX24_FLOOD=2000`, which needs 25,000 open files.
fn large_senders() -> usize {
    let senders = std::env::var("BITRIX24_FLOOD").ok();
    senders.map_or(50, |senders| senders.parse().expect("a number of senders"))
}

/// Opens a connection that announces `length` bytes and sends `body`.
async fn connect(address: SocketAddr, length: usize, body: String) -> TcpStream {
    let head = format!(
        "POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n\
         content-type: application/x-www-form-urlencoded\r\n\r\n"
    );
    let mut stream = TcpStream::connect(address).await.unwrap();
    // The server may close the connection of a rejected body early.
    let _: std::io::Result<()> = stream.write_all((head + &body).as_bytes()).await;
    stream
}

/// Returns the peak memory of a server during a flood over sockets, in which 20 events are sent.
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

fn memory_with_budget(budget: usize, large_senders: usize) -> u64 {
    let layer = layer().body_budget(budget);
    let layer = layer.body_timeout(Duration::from_secs(300));
    memory_of_a_flooded_server(layer.wrap_body().layer(Handler), large_senders)
}

#[test]
fn flood_over_sockets_stays_within_the_budget_and_events_get_through() {
    const LARGE: usize = 1_000_000;
    let senders = large_senders();
    let budget = senders * (64 << 20) / 2000;
    let flooded = memory_with_budget(budget, senders);
    // Few senders, since without a budget all of their bodies are in memory.
    let few = 50;
    let of_few = memory_with_budget(2 * few * LARGE, few);
    let unbounded = of_few * senders as u64 / few as u64;
    println!("over sockets: {flooded} bytes with a budget of {budget}, {unbounded} without one");
    // Both figures contain the memory of the connections.
    let spared = (senders * LARGE - budget) as u64;
    assert!(
        flooded + spared * 3 / 4 < unbounded,
        "{flooded} bytes, {unbounded} without a budget"
    );
}
