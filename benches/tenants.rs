//! The latency of a tenant's events beside a hostile tenant, over sockets.
//!
//! `cargo bench -p benches --bench tenants` prints a table: the median and the 99th percentile of a
//! tenant that sends one event after another, alone and beside four connections that send the most
//! expensive verified bodies at 832 KiB a second together. `-- --check` fails if the 99th
//! percentile beside the hostile tenant is more than 5 times the one alone.
//!
//! The server is a separate process. Each round measures both, since the machine's other work
//! affects both, and the median round counts.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use axum::routing::post;
use axum::{Extension, Router};
use bodies::bodies;
use bodies::hostile::hostile;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tower_bitrix24::{Event, EventLayer, TokenSet};

const PATH: &str = "/bitrix24/events";
const HOSTILE_TOKEN: &str = "a-tenant-of-no-good-will";
const HOSTILE_BYTES: usize = 256 << 10;
const HOSTILE_CONNECTIONS: usize = 4;
/// For all hostile connections together.
const HOSTILE_BYTES_PER_SECOND: usize = 832 << 10;
const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_secs(3);
/// A portal sends its events one by one.
const PAUSE: Duration = Duration::from_millis(1);
const MAX_RATIO: f64 = 5.0;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|first| first == "serve") {
        serve();
        return ExitCode::SUCCESS;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let is_within = runtime.block_on(compare());
    if is_within || !arguments.iter().any(|argument| argument == "--check") {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Serves until standard input ends, which means that the parent has exited.
fn serve() {
    std::thread::spawn(|| {
        let _ = std::io::stdin().read(&mut [0]);
        std::process::exit(0);
    });
    let victim = bodies().swap_remove(0).token;
    let tokens = TokenSet::new([victim.as_str(), HOSTILE_TOKEN]).unwrap();
    let app = Router::new()
        .route(
            PATH,
            post(|Extension(_): Extension<Event>| async { StatusCode::OK }),
        )
        .layer(EventLayer::new(tokens).path(PATH));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        println!("{}", listener.local_addr().unwrap());
        axum::serve(listener, app).await.unwrap();
    });
}

struct Served {
    child: Child,
    address: String,
}

impl Served {
    fn start() -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .arg("serve")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut address = String::new();
        let stdout = child.stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut address).unwrap();
        let address = address.trim().to_owned();
        Self { child, address }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct Client(SendRequest<Full<Bytes>>);

impl Client {
    async fn connect(address: &str) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let (client, connection) = handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        Self(client)
    }

    async fn send(&mut self, body: &Bytes) {
        let request = Request::post(PATH)
            .header("host", "localhost")
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Full::new(body.clone()))
            .unwrap();
        self.0.ready().await.unwrap();
        let response: Response<Incoming> = self.0.send_request(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        response.into_body().collect().await.unwrap();
    }
}

/// Returns the median and the 99th percentile of the latency, in seconds.
async fn victim(address: &str) -> [f64; 2] {
    let event = bodies().swap_remove(0).form;
    let mut client = Client::connect(address).await;
    let began = Instant::now();
    let mut times = Vec::new();
    while began.elapsed() < ROUND {
        let sent = Instant::now();
        client.send(&event).await;
        times.push(sent.elapsed().as_secs_f64());
        tokio::time::sleep(PAUSE).await;
    }
    times.sort_by(f64::total_cmp);
    [times[times.len() / 2], times[times.len() * 99 / 100]]
}

async fn beside(address: &str, body: &Bytes) -> [f64; 2] {
    let is_over = Arc::new(AtomicBool::new(false));
    let pause = (body.len() * HOSTILE_CONNECTIONS) as f64 / HOSTILE_BYTES_PER_SECOND as f64;
    let mut sending = JoinSet::new();
    for _ in 0..HOSTILE_CONNECTIONS {
        let mut client = Client::connect(address).await;
        let (body, is_over) = (body.clone(), Arc::clone(&is_over));
        sending.spawn(async move {
            let mut ticks = tokio::time::interval(Duration::from_secs_f64(pause));
            while !is_over.load(Ordering::Relaxed) {
                ticks.tick().await;
                client.send(&body).await;
            }
        });
    }
    let times = victim(address).await;
    is_over.store(true, Ordering::Relaxed);
    sending.join_all().await;
    times
}

/// Prints the table. Returns `true` if every shape is within the bound.
async fn compare() -> bool {
    let served = Served::start();
    victim(&served.address).await;
    println!(
        "| hostile bodies | alone: median, p99 (ms) | beside: median, p99 (ms) | p99, ratio |"
    );
    println!("|---|---|---|---|");
    let mut is_within = true;
    for (name, body) in hostile(HOSTILE_TOKEN, HOSTILE_BYTES) {
        let mut rounds = Vec::new();
        for _ in 0..ROUNDS {
            let alone = victim(&served.address).await;
            let beside = beside(&served.address, &body).await;
            rounds.push((beside[1] / alone[1], alone, beside));
        }
        rounds.sort_by(|left, right| left.0.total_cmp(&right.0));
        let (ratio, alone, beside) = rounds[ROUNDS / 2];
        let [alone, beside] =
            [alone, beside].map(|[median, p99]| format!("{:.2}, {:.2}", 1e3 * median, 1e3 * p99));
        println!("| {name} | {alone} | {beside} | {ratio:.1} |");
        is_within &= ratio <= MAX_RATIO;
    }
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!("\nload average: {}", load.trim());
    is_within
}
