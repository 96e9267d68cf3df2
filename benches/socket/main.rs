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

mod server;

use std::future::Future;
use std::hint::black_box;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, ExitCode};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bodies::bodies;
use bytes::Bytes;
use cpu_time::ThreadTime;
use tower_bitrix24::{ApplicationToken, Envelope, Event, Payload};

use self::server::{
    BARE, COLLECTS_ONLY, DOES_NOTHING, HAND_WRITTEN, LAYER, SERVERS, Served, number_after, on_core,
    serve,
};

const PATH: &str = "/bitrix24/events";
const ROUNDS: usize = 25;
// As short as wrk allows: the machine changes within seconds.
const ROUND: Duration = Duration::from_secs(1);
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

/// Numerator, denominator and goal.
const RATIOS: [(usize, usize, &str); 6] = [
    (LAYER, COLLECTS_ONLY, "at least 0.93"),
    (LAYER, BARE, "at least 0.90"),
    (LAYER, HAND_WRITTEN, "at least 1.40"),
    (DOES_NOTHING, BARE, ""),
    (COLLECTS_ONLY, BARE, ""),
    (HAND_WRITTEN, BARE, ""),
];

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
    println!(
        "| server | measured in | median | lower quartile | upper quartile |\n|---|---|---|---|---|"
    );
    for (server, name) in SERVERS.iter().enumerate() {
        for (unit, unit_name) in units.iter().enumerate() {
            let Spread {
                median,
                lower,
                upper,
            } = Spread::of(rounds.iter().map(|rates| rates[server][unit]));
            println!("| {name} | {unit_name} | {median:.0} | {lower:.0} | {upper:.0} |");
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

struct Spread {
    lower: f64,
    median: f64,
    upper: f64,
}

impl Spread {
    fn of(values: impl Iterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.collect();
        values.sort_by(f64::total_cmp);
        Self {
            lower: values[values.len() / 4],
            median: values[values.len() / 2],
            upper: values[values.len() * 3 / 4],
        }
    }
}

fn heading() {
    println!(
        "\n| ratio | median | lower quartile | upper quartile | goal |\n|---|---|---|---|---|"
    );
}

fn row(name: &str, spread: Spread, goal: &str) {
    let Spread {
        median,
        lower,
        upper,
    } = spread;
    println!("| {name} | {median:.2} | {lower:.2} | {upper:.2} | {goal} |");
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
    println!("| bytes | ns per byte, median | lower | upper |\n|---|---|---|---|");
    for (index, form) in messages.iter().enumerate() {
        let Spread {
            median,
            lower,
            upper,
        } = Spread::of(rounds.iter().map(|costs| costs[index]));
        println!("| {} | {median:.3} | {lower:.3} | {upper:.3} |", form.len());
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
