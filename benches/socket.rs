//! Requests per second over a socket: bare axum, axum with the layer, a hand-written handler, and
//! two lower bounds: a layer that does nothing, and one that only collects the body.
//!
//! `cargo bench -p benches --bench socket` prints the tables. It uses 127.0.0.1 alone and needs
//! `wrk` (Debian's package `wrk`). Each server is a child process with a single-threaded runtime.
//! With `taskset` it has a core of its own, and `wrk` has another.
//!
//! Each round loads all servers in turn, and a ratio is taken within a round. The spread of the
//! ratios shows the effect of the machine's other work. Requests per second of a server's processor
//! time do not count the time for which it waits for a core.
//!
//! The idle connections need 10,100 open files on each side: run `ulimit -n 20000` first, or
//! `prlimit --nofile=20000 cargo bench -p benches --bench socket`. They are skipped if the limit is
//! lower.

use std::future::Future;
use std::hint::black_box;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::pin::Pin;
use std::process::{Child, Command, ExitCode, Stdio};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use axum::routing::post;
use axum::{Extension, Router};
use bodies::bodies;
use bytes::Bytes;
use cpu_time::ThreadTime;
use tokio::net::TcpListener;
use tower::{Layer, Service};
use tower_bitrix24::{ApplicationToken, Envelope, Event, EventLayer, Payload};

const PATH: &str = "/bitrix24/events";
const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_secs(3);
const CONNECTIONS: usize = 32;
const AT_REST: usize = 10_000;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let ["serve", server] = arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        serve(server);
        return ExitCode::SUCCESS;
    }
    if Command::new("wrk").arg("-v").output().is_err() {
        eprintln!("wrk is not installed; on Debian: apt-get install wrk");
        return ExitCode::FAILURE;
    }
    requests();
    bytes();
    at_rest();
    ExitCode::SUCCESS
}

// The servers.

const SERVERS: [&str; 5] = [
    "bare",
    "layer",
    "hand-written",
    "does nothing",
    "collects only",
];
const BARE: usize = 0;
const LAYER: usize = 1;
const HAND_WRITTEN: usize = 2;
const DOES_NOTHING: usize = 3;
const COLLECTS_ONLY: usize = 4;

/// Numerator, denominator and goal.
const RATIOS: [(usize, usize, &str); 6] = [
    (LAYER, COLLECTS_ONLY, "at least 0.93"),
    (LAYER, BARE, "at least 0.90"),
    (LAYER, HAND_WRITTEN, "at least 1.40"),
    (DOES_NOTHING, BARE, ""),
    (COLLECTS_ONLY, BARE, ""),
    (HAND_WRITTEN, BARE, ""),
];

/// Serves until standard input ends, which means that the parent has exited.
fn serve(server: &str) {
    std::thread::spawn(|| {
        let _ = std::io::stdin().read(&mut [0]);
        std::process::exit(0);
    });
    let app = app(server);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        println!("{}", listener.local_addr().unwrap());
        axum::serve(listener, app).await.unwrap();
    });
}

fn app(server: &str) -> Router {
    let seed = bodies().swap_remove(0);
    match server {
        "bare" => bare(),
        "does nothing" => bare().layer(DoesNothing(())),
        "collects only" => bare().layer(CollectsOnly(())),
        "layer" => Router::new()
            .route(PATH, post(on_event))
            .layer(EventLayer::new(ApplicationToken::new(&seed.token).unwrap()).path(PATH)),
        "hand-written" => Router::new().route(
            PATH,
            post(move |body: Bytes| {
                let token = (seed.by_serde_qs)(&body);
                std::future::ready(if token == seed.token {
                    StatusCode::OK
                } else {
                    StatusCode::FORBIDDEN
                })
            }),
        ),
        server => panic!("no server {server}"),
    }
}

fn bare() -> Router {
    Router::new().route(
        PATH,
        post(|body: Bytes| async {
            drop(black_box(body));
            StatusCode::OK
        }),
    )
}

/// The minimum cost of any layer.
#[derive(Clone)]
struct DoesNothing<S>(S);

impl<S> Layer<S> for DoesNothing<()> {
    type Service = DoesNothing<S>;

    fn layer(&self, inner: S) -> DoesNothing<S> {
        DoesNothing(inner)
    }
}

impl<S: Service<Request<Body>>> Service<Request<Body>> for DoesNothing<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> S::Future {
        self.0.call(request)
    }
}

/// The minimum cost of a layer that needs the body, written as most are: a boxed async block.
#[derive(Clone)]
struct CollectsOnly<S>(S);

impl<S> Layer<S> for CollectsOnly<()> {
    type Service = CollectsOnly<S>;

    fn layer(&self, inner: S) -> CollectsOnly<S> {
        CollectsOnly(inner)
    }
}

impl<S> Service<Request<Body>> for CollectsOnly<S>
where
    S: Service<Request<Body>> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let next = self.0.clone();
        let mut ready = std::mem::replace(&mut self.0, next);
        Box::pin(async move {
            let (head, body) = request.into_parts();
            let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
            ready.call(Request::from_parts(head, bytes.into())).await
        })
    }
}

async fn on_event(Extension(event): Extension<Event>) -> StatusCode {
    match event.payload() {
        Payload::CrmRequisiteAdd(requisite) => {
            black_box(&requisite.id);
            StatusCode::OK
        }
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

struct Served {
    child: Child,
    address: String,
}

impl Served {
    fn start(server: &str) -> Self {
        let mut child = on_core(0, std::env::current_exe().unwrap())
            .args(["serve", server])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut address = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut address)
            .unwrap();
        Self {
            child,
            address: address.trim().to_owned(),
        }
    }

    /// Returns the processor time of its only worker thread, in seconds.
    fn processor_time(&self) -> f64 {
        let path = format!("/proc/{}/schedstat", self.child.id());
        number_after(&std::fs::read_to_string(path).unwrap(), "") / 1e9
    }

    /// Returns its resident memory in bytes.
    fn memory(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        1024.0 * number_after(&status, "VmRSS:")
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Pins the program to a core, if the machine has several and `taskset`.
fn on_core(core: usize, program: impl AsRef<std::ffi::OsStr>) -> Command {
    let several = std::thread::available_parallelism().is_ok_and(|cores| cores.get() > 1);
    if several && Command::new("taskset").arg("-V").output().is_ok() {
        let mut command = Command::new("taskset");
        command.args(["-c", &core.to_string()]).arg(program);
        command
    } else {
        Command::new(program)
    }
}

// Requests per second.

fn requests() {
    let script = std::env::temp_dir().join(format!("bitrix24-{}.lua", std::process::id()));
    let seed = bodies().swap_remove(0);
    let lua = format!(
        "wrk.method = 'POST'\n\
         wrk.headers['Content-Type'] = 'application/x-www-form-urlencoded'\n\
         wrk.headers['User-Agent'] = 'Bitrix24 Webhook Engine'\n\
         wrk.body = '{}'\n",
        std::str::from_utf8(&seed.form).unwrap()
    );
    std::fs::write(&script, lua).unwrap();
    let load = |served: &Served, time: Duration| {
        let before = served.processor_time();
        let output = on_core(1, "wrk")
            .args(["-t1", &format!("-c{CONNECTIONS}")])
            .arg(format!("-d{}s", time.as_secs()))
            .arg("-s")
            .arg(&script)
            .arg(format!("http://{}{PATH}", served.address))
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{text}");
        assert!(
            !text.contains("Non-2xx") && !text.contains("Socket errors"),
            "{text}"
        );
        let (counted, _) = text.split_once(" requests in ").unwrap();
        let requests: f64 = counted.split_whitespace().last().unwrap().parse().unwrap();
        let rate = number_after(&text, "Requests/sec:");
        [rate, requests / (served.processor_time() - before)]
    };

    let served = SERVERS.map(Served::start);
    for server in &served {
        load(server, Duration::from_secs(1));
    }
    let mut rounds = Vec::new();
    for round in 0..ROUNDS {
        let mut rates = [[0.0; 2]; SERVERS.len()];
        // Each round starts with another server.
        for turn in 0..SERVERS.len() {
            let server = (round + turn) % SERVERS.len();
            rates[server] = load(&served[server], ROUND);
        }
        rounds.push(rates);
    }
    let _ = std::fs::remove_file(&script);

    println!(
        "\nThe seed body of {} bytes, {CONNECTIONS} connections, {ROUNDS} rounds of {} s each:\n",
        seed.form.len(),
        ROUND.as_secs()
    );
    let units = ["requests/s", "requests/s of processor time"];
    println!("| server | measured in | median | least | most |\n|---|---|---|---|---|");
    for (server, name) in SERVERS.iter().enumerate() {
        for (unit, unit_name) in units.iter().enumerate() {
            let Spread {
                median,
                least,
                most,
            } = Spread::of(rounds.iter().map(|rates| rates[server][unit]));
            println!("| {name} | {unit_name} | {median:.0} | {least:.0} | {most:.0} |");
        }
    }
    heading();
    for (over, under, goal) in RATIOS {
        for (unit, unit_name) in units.iter().enumerate() {
            let ratios = rounds
                .iter()
                .map(|rates| rates[over][unit] / rates[under][unit]);
            let name = format!("{} / {}, {unit_name}", SERVERS[over], SERVERS[under]);
            row(&name, Spread::of(ratios), goal);
        }
    }
}

fn number_after(text: &str, word: &str) -> f64 {
    let number = text
        .split_once(word)
        .and_then(|(_, rest)| rest.split_whitespace().next()?.parse().ok());
    number.unwrap_or_else(|| panic!("no number after {word} in:\n{text}"))
}

struct Spread {
    least: f64,
    median: f64,
    most: f64,
}

impl Spread {
    fn of(values: impl Iterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.collect();
        values.sort_by(f64::total_cmp);
        Self {
            least: values[0],
            median: values[values.len() / 2],
            most: values[values.len() - 1],
        }
    }
}

fn heading() {
    println!("\n| ratio | median | least | most | goal |\n|---|---|---|---|---|");
}

fn row(name: &str, spread: Spread, goal: &str) {
    let Spread {
        median,
        least,
        most,
    } = spread;
    println!("| {name} | {median:.2} | {least:.2} | {most:.2} | {goal} |");
}

// Cost per byte.

fn bytes() {
    let bot = bodies().swap_remove(2);
    assert_eq!(bot.name, "bot");
    let token = ApplicationToken::new(&bot.token).unwrap();
    let form = std::str::from_utf8(&bot.form).unwrap();
    let word = "%D0%9F%D1%80%D0%B8%D0%B2%D0%B5%D1%82%2C+";
    let message = |length: usize| {
        let text = word.repeat((length - form.len()) / word.len());
        let long = form.replacen("%5BMESSAGE%5D=", &format!("%5BMESSAGE%5D={text}"), 1);
        Bytes::from(long)
    };
    let messages = [10_000, 1_000_000].map(message);

    // Nanoseconds of processor time for each byte that is scanned, verified and parsed.
    let cost = |form: &Bytes| {
        let runs = 20_000_000 / form.len();
        let start = ThreadTime::now();
        for _ in 0..runs {
            let envelope = Envelope::scan(black_box(form).clone()).unwrap();
            let verify = std::pin::pin!(Event::verify(envelope, &token));
            let Poll::Ready(event) = verify.poll(&mut Context::from_waker(Waker::noop())) else {
                unreachable!("a static token waits for nothing")
            };
            let event = event.unwrap();
            assert!(matches!(event.payload(), Payload::ImBotMessageAdd(_)));
        }
        start.elapsed().as_nanos() as f64 / (runs * form.len()) as f64
    };
    messages.iter().for_each(|form| {
        cost(form);
    });
    let rounds: Vec<_> = (0..ROUNDS)
        .map(|_| [cost(&messages[0]), cost(&messages[1])])
        .collect();

    println!("\nA bot's message in process: scan, verification and typed payload.\n");
    println!("| bytes | ns per byte, median | least | most |\n|---|---|---|---|");
    for (index, form) in messages.iter().enumerate() {
        let Spread {
            median,
            least,
            most,
        } = Spread::of(rounds.iter().map(|costs| costs[index]));
        println!("| {} | {median:.3} | {least:.3} | {most:.3} |", form.len());
    }
    heading();
    let ratios = Spread::of(rounds.iter().map(|[small, large]| large / small));
    row("1 MB / 10 KB, cost per byte", ratios, "at most 1.3");
}

// Idle connections.

fn at_rest() {
    println!();
    let limit = open_files();
    if limit < AT_REST + 100 {
        println!(
            "{AT_REST} connections at rest: skipped, this shell allows {limit} open files \
             (ulimit -n 20000 before the run)"
        );
        return;
    }
    let seed = bodies().swap_remove(0);
    println!(
        "{AT_REST} connections, kept alive after one event each:\n\n\
         | server | bytes per connection |\n|---|---|"
    );
    let [bare, layer] = ["bare", "layer"].map(|server| {
        let served = Served::start(server);
        let request = format!(
            "POST {PATH} HTTP/1.1\r\nhost: {}\r\n\
             content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{}",
            served.address,
            seed.form.len(),
            std::str::from_utf8(&seed.form).unwrap()
        );
        let connect = || {
            let mut stream = TcpStream::connect(&served.address).unwrap();
            stream.write_all(request.as_bytes()).unwrap();
            let mut response = Vec::new();
            while !response.ends_with(b"\r\n\r\n") {
                let mut part = [0; 1024];
                let length = stream.read(&mut part).unwrap();
                assert_ne!(length, 0, "closed");
                response.extend_from_slice(&part[..length]);
            }
            assert!(response.starts_with(b"HTTP/1.1 200 "));
            stream
        };
        drop(connect());
        let before = served.memory();
        let connections: Vec<TcpStream> = (0..AT_REST).map(|_| connect()).collect();
        let each = (served.memory() - before) / connections.len() as f64;
        println!("| {server} | {each:.0} |");
        each
    });
    println!("\nlayer / bare: {:.3}", layer / bare);
}

/// Returns the maximum number of open files.
fn open_files() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"));
    let soft = line.and_then(|line| line.split_whitespace().next());
    match soft {
        Some("unlimited") => usize::MAX,
        soft => soft.and_then(|soft| soft.parse().ok()).unwrap_or(0),
    }
}
