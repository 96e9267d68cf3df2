//! Requests a second over HTTP: a route that stores against the same route without a store.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::{post, post_service};
use tokio::net::TcpListener;
use tower_bitrix24::inbox::SqliteInbox;
use tower_bitrix24::{ApplicationToken, Event, EventLayer};

use super::{PATH, PORTALS, TOKEN, form, inbox, load_average, median, runtime};

const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_secs(3);
/// The more there are, the more events share a sync, and the less the server waits for it.
const CONNECTIONS: [usize; 3] = [128, 256, 512];

/// Serves until the standard input ends: the parent is gone.
pub(super) fn serve(server: &str, file: &str) {
    std::thread::spawn(|| {
        let _ = std::io::stdin().read(&mut [0]);
        std::process::exit(0);
    });
    runtime().block_on(async {
        let route = match server {
            "memory" => post(async |_: Event| StatusCode::OK),
            "inbox" => {
                let inbox = inbox(SqliteInbox::open(file).await.unwrap());
                post_service(inbox.receive())
            }
            server => panic!("no server {server}"),
        };
        let layer = EventLayer::new(ApplicationToken::new(TOKEN).unwrap());
        let app = Router::new().route(PATH, route).layer(layer);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        println!("{}", listener.local_addr().unwrap());
        axum::serve(listener, app).await.unwrap();
    });
}

struct Server {
    child: Child,
    url: String,
}

impl Server {
    fn start(server: &str, file: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["serve", server, file])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut address = String::new();
        let stdout = child.stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut address).unwrap();
        let url = format!("http://{}{PATH}", address.trim());
        Self { child, url }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns requests a second, and p50 and p99 as wrk writes them.
fn load(server: &Server, script: &str, connections: usize, time: Duration) -> (f64, [String; 2]) {
    let output = Command::new("wrk")
        .args(["-t1", "--latency", "-s", script])
        .args([format!("-c{connections}"), format!("-d{}s", time.as_secs())])
        .arg(&server.url)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}");
    assert!(!text.contains("Non-2xx"), "{text}");
    let after = |name: &str| {
        let rest = text.split(name).nth(1).expect(name);
        rest.split_whitespace().next().unwrap().to_owned()
    };
    let rate = after("Requests/sec:").parse().unwrap();
    (rate, [after("50%"), after("99%")])
}

/// Returns `false` if wrk is not installed.
pub(super) fn measure() -> bool {
    if Command::new("wrk").arg("-v").output().is_err() {
        eprintln!("wrk is not installed; on Debian: apt-get install wrk");
        return false;
    }
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let script = path("events.lua");
    // Each request is another event, of the next deal of one of 50 portals.
    let body = form(11_111_111, 22_222_222, 33_333_333);
    let body = body.replace('%', "%%").replace("11111111", "%08d");
    let body = body.replace("22222222", "%d").replace("33333333", "%d");
    let lua = format!(
        "local first = os.time() % 100000 * 10000\n\
         local deals = {{}}\n\
         wrk.headers['Content-Type'] = 'application/x-www-form-urlencoded'\n\
         function request()\n\
             local portal = math.random(0, {PORTALS} - 1)\n\
             deals[portal] = (deals[portal] or first) + 1\n\
             local body = string.format(\n\
                 '{body}', deals[portal], os.time(), portal, portal, portal)\n\
             return wrk.format('POST', nil, nil, body)\n\
         end\n"
    );
    std::fs::write(&script, lua).unwrap();
    let memory = Server::start("memory", "");
    let inbox = Server::start("inbox", &path("inbox.sqlite"));
    println!("\n{}\n", load_average());
    println!(
        "| connections of wrk | route | requests/s | p50 | p99 | stored over from memory, goal 0.5 |"
    );
    println!("|---|---|---|---|---|---|");
    for connections in CONNECTIONS {
        compare([&memory, &inbox], &script, connections);
    }
    true
}

/// Prints a row for each route.
fn compare(servers: [&Server; 2], script: &str, connections: usize) {
    for server in servers {
        load(server, script, connections, Duration::from_secs(1));
    }
    let (mut rates, mut ratios) = ([Vec::new(), Vec::new()], Vec::new());
    let mut latencies = [const { [String::new(), String::new()] }; 2];
    for _ in 0..ROUNDS {
        let mut rate = [0.0; 2];
        for (at, server) in servers.into_iter().enumerate() {
            (rate[at], latencies[at]) = load(server, script, connections, ROUND);
            rates[at].push(rate[at]);
        }
        ratios.push(rate[1] / rate[0]);
    }
    let shown = [String::new(), format!("{:.2}", median(ratios))];
    for (at, name) in ["from memory", "stored"].into_iter().enumerate() {
        let rate = median(std::mem::take(&mut rates[at]));
        let ([p50, p99], ratio) = (&latencies[at], &shown[at]);
        println!("| {connections} | {name} | {rate:.0} | {p50} | {p99} | {ratio} |");
    }
}
