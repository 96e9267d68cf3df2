//! Fires any event at a running application, as a portal would.
//!
//! ```text
//! cargo run --example send --features testing -- ONCRMDEALADD --id 27 \
//!     --token 51856fefc120afa4b628cc82d3935cce
//! cargo run --example send --features testing -- --help
//! ```

mod support {
    pub(crate) mod client;
}

use std::error::Error;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anstyle::{AnsiColor, Style};
use bytes::Bytes;
use clap::Parser;
use http::header::{CONTENT_TYPE, USER_AGENT};
use http::{Request, StatusCode, Uri};
use http_body_util::Full;
use indicatif::{ProgressBar, ProgressStyle};
use support::client::{HttpClient, http_url, is_connect, text};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tower_bitrix24::testing::TestEvent;
use tower_bitrix24::{Envelope, EventKind};

const TOKEN_VARIABLE: &str = "BITRIX24_APPLICATION_TOKEN";

type BoxError = Box<dyn Error + Send + Sync>;

/// How long to wait for a response.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Fires a Bitrix24 event at a running application, as a portal would.
///
/// For your own applications: what is sent looks like what a portal sends.
#[derive(Parser)]
#[command(
    name = "send",
    after_help = "Exit codes: 0 every response was 2xx; 1 one was not; \
                  2 a usage error, or no response"
)]
struct Args {
    /// The event, by its code or documented name, in any case; with --list, a part of it
    #[arg(required_unless_present_any = ["list", "replay"], conflicts_with = "replay")]
    event: Option<String>,

    /// The address that the application listens on for events
    #[arg(long, default_value = "http://127.0.0.1:3000/bitrix24/events", value_parser = http_url)]
    url: Uri,

    /// The application token, or several separated by commas: the first is sent
    #[arg(long, env = TOKEN_VARIABLE, hide_env_values = true)]
    token: Option<String>,

    /// The id of the object that the event is about
    #[arg(long, conflicts_with = "replay")]
    id: Option<String>,

    /// A value in the data, such as FIELDS[ID]=27; may be repeated
    #[arg(long, value_name = "PATH=VALUE", value_parser = field, conflicts_with = "replay")]
    set: Vec<(String, String)>,

    /// The portal's host
    #[arg(long, value_name = "DOMAIN", conflicts_with = "replay")]
    portal: Option<String>,

    /// The portal's id
    #[arg(long, value_name = "ID", conflicts_with = "replay")]
    member_id: Option<String>,

    /// The id of the handler registration
    #[arg(long, value_name = "ID", conflicts_with = "replay")]
    handler_id: Option<u64>,

    /// Send the event as an outgoing webhook gets it: without OAuth fields
    #[arg(long, conflicts_with_all = ["robot", "replay"])]
    webhook: bool,

    /// Send the event as a robot causes it: without OAuth fields
    #[arg(long, conflicts_with = "replay")]
    robot: bool,

    /// Send a code that is not documented
    #[arg(long, conflicts_with = "replay")]
    undocumented: bool,

    /// Send the body in a file as it is, without line breaks at its end; - is standard input
    #[arg(long, value_name = "FILE")]
    replay: Option<PathBuf>,

    /// Show the body and send nothing
    #[arg(long)]
    print: bool,

    /// Send this many requests, and print a summary of the responses
    #[arg(long, value_name = "N", value_parser = positive, conflicts_with = "print")]
    burst: Option<usize>,

    /// Number of requests of a burst that run at once
    #[arg(long, value_name = "M", default_value = "8", value_parser = positive)]
    concurrency: usize,

    /// List the documented events by scope
    #[arg(long, conflicts_with_all = ["replay", "print", "burst"])]
    list: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    match run(args).await {
        Ok(code) => code,
        Err(error) => {
            let red = AnsiColor::Red.on_default().bold();
            anstream::eprintln!("{red}error:{red:#} {error}");
            ExitCode::from(2)
        }
    }
}

async fn run(args: Args) -> Result<ExitCode, Box<dyn Error>> {
    if args.list {
        list(args.event.as_deref().unwrap_or_default());
        return Ok(ExitCode::SUCCESS);
    }
    let (name, body) = match &args.replay {
        Some(file) => {
            let body = captured(file)?;
            let code = Envelope::scan(body.clone()).map(|envelope| envelope.code().into_owned());
            (code.unwrap_or_else(|_| "no event".to_owned()), body)
        }
        None => {
            let code = code(&args)?;
            let form = event(&args, &code)?.form();
            (code, form.into_bytes())
        }
    };
    if args.print {
        let mut out = std::io::stdout().lock();
        out.write_all(&body)?;
        out.write_all(b"\n")?;
        return Ok(ExitCode::SUCCESS);
    }
    let sender = Sender {
        client: HttpClient::new(),
        url: args.url,
        body: body.into(),
    };
    match args.burst {
        Some(requests) => sender.burst(&name, requests, args.concurrency).await,
        None => sender.once(&name).await,
    }
}

// What to send.

/// The code of the wire.
fn code(args: &Args) -> Result<String, String> {
    let name = args.event.as_deref().unwrap_or_default();
    match EventKind::from_code(name) {
        Some(_) => Ok(name.to_ascii_uppercase()),
        None if args.undocumented => Ok(name.to_owned()),
        None => Err(format!(
            "{name} is not a documented event. Nearest: {}.\n       --list shows all, \
             --undocumented sends it anyway.",
            nearest(name).join(", ")
        )),
    }
}

/// The names of the events that are spelled most like `name`.
fn nearest(name: &str) -> Vec<&'static str> {
    let name = name.to_ascii_uppercase();
    let mut kinds: Vec<_> = EventKind::ALL.to_vec();
    kinds.sort_by_cached_key(|kind| strsim::damerau_levenshtein(&name, kind.as_str()));
    kinds.truncate(3);
    kinds.into_iter().map(EventKind::documented_name).collect()
}

fn event(args: &Args, code: &str) -> Result<TestEvent, String> {
    let tokens = args.token.as_deref().unwrap_or_default();
    let token = tokens
        .split(',')
        .map(str::trim)
        .find(|token| !token.is_empty());
    let token = token.ok_or_else(|| {
        format!("no application token: give the application's with --token or {TOKEN_VARIABLE}")
    })?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.map_or(0, |since| since.as_secs() as i64);

    let mut event = TestEvent::with_code(code).token(token).ts(now);
    if let Some(id) = &args.id {
        if !event.has_id() {
            return Err(format!("{code} has no id; --set puts a value anywhere"));
        }
        event = event.id(id);
    }
    for (path, value) in &args.set {
        event = event.set(path, value);
    }
    if let Some(domain) = &args.portal {
        event = event.portal(domain);
    }
    if let Some(id) = &args.member_id {
        event = event.member_id(id);
    }
    if let Some(id) = args.handler_id {
        event = event.handler_id(id);
    }
    if args.webhook || args.robot {
        event = event.webhook();
    }
    Ok(event)
}

fn captured(file: &Path) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    let read = match file.to_str() {
        Some("-") => std::io::stdin().read_to_end(&mut body).map(drop),
        _ => std::fs::read(file).map(|read| body = read),
    };
    read.map_err(|error| format!("{}: {error}", file.display()))?;
    // A form has no line breaks: the editor's or the shell's would become part of the token.
    while body.ends_with(b"\n") || body.ends_with(b"\r") {
        body.pop();
    }
    Ok(body)
}

// Sending.

struct Sender {
    client: HttpClient,
    url: Uri,
    body: Bytes,
}

struct Response {
    status: StatusCode,
    text: String,
    time: Duration,
}

impl Sender {
    async fn send(&self) -> Result<Response, BoxError> {
        let request = Request::post(&self.url)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(USER_AGENT, TestEvent::USER_AGENT)
            .body(Full::new(self.body.clone()))?;
        let start = Instant::now();
        let response = timeout(TIMEOUT, self.client.send(request)).await??;
        Ok(Response {
            status: response.status(),
            text: text(&response),
            time: start.elapsed(),
        })
    }

    /// Sends one request and shows the response.
    async fn once(&self, name: &str) -> Result<ExitCode, Box<dyn Error>> {
        let response = self
            .send()
            .await
            .map_err(|error| self.no_response(&error))?;
        let style = style_of(response.status);
        anstream::println!(
            "{name} to {}: {style}{}{style:#} in {:.1?}",
            self.url,
            response.status,
            response.time
        );
        if !response.text.is_empty() {
            anstream::println!("{}", response.text.trim_end());
        }
        Ok(exit_code(response.status.is_success()))
    }

    /// Sends many requests and sums the responses up.
    async fn burst(
        self,
        name: &str,
        requests: usize,
        concurrency: usize,
    ) -> Result<ExitCode, Box<dyn Error>> {
        let bar = ProgressBar::new(requests as u64).with_style(ProgressStyle::with_template(
            "{bar:40} {pos}/{len} {per_sec} {eta} left",
        )?);
        let sender = Arc::new(self);
        let started = Arc::new(AtomicUsize::new(0));
        let start = Instant::now();
        let mut workers = JoinSet::new();
        for _ in 0..concurrency.min(requests) {
            let (sender, started, bar) = (sender.clone(), started.clone(), bar.clone());
            workers.spawn(async move {
                let mut responses = Vec::new();
                while started.fetch_add(1, Ordering::Relaxed) < requests {
                    responses.push(sender.send().await);
                    bar.inc(1);
                }
                responses
            });
        }
        let responses = workers.join_all().await.into_iter().flatten();
        let whole = start.elapsed();
        bar.finish_and_clear();

        let mut summary = Summary::default();
        responses.for_each(|response| summary.add(response));
        println!("{name} to {}, {concurrency} at once", sender.url);
        summary.show(whole);
        match summary.unanswered.first() {
            Some(error) => Err(sender.no_response(error).into()),
            None => Ok(exit_code(summary.all_are_good())),
        }
    }

    fn no_response(&self, error: &BoxError) -> String {
        let mut cause: &dyn Error = &**error;
        while let Some(source) = cause.source() {
            cause = source;
        }
        let hint = if is_connect(error) {
            "\n       Is the application running, and is --url its address?"
        } else {
            ""
        };
        format!("no response from {}: {cause}{hint}", self.url)
    }
}

/// The responses to a burst.
#[derive(Default)]
struct Summary {
    times: Vec<Duration>,
    statuses: Vec<(StatusCode, usize)>,
    unanswered: Vec<BoxError>,
}

impl Summary {
    fn add(&mut self, response: Result<Response, BoxError>) {
        let response = match response {
            Ok(response) => response,
            Err(error) => return self.unanswered.push(error),
        };
        self.times.push(response.time);
        let known = self
            .statuses
            .iter_mut()
            .find(|(status, _)| *status == response.status);
        match known {
            Some((_, count)) => *count += 1,
            None => self.statuses.push((response.status, 1)),
        }
    }

    fn all_are_good(&self) -> bool {
        self.statuses.iter().all(|(status, _)| status.is_success())
    }

    fn show(&mut self, whole: Duration) {
        self.times.sort_unstable();
        self.statuses.sort_unstable();
        let answered = self.times.len();
        let rate = answered as f64 / whole.as_secs_f64();
        println!("  answered       {answered} in {whole:.1?}, {rate:.0} a second");
        for (status, count) in &self.statuses {
            let (style, status) = (style_of(*status), status.to_string());
            anstream::println!("  {style}{status:<13}{style:#}  {count}");
        }
        if !self.unanswered.is_empty() {
            println!("  unanswered     {}", self.unanswered.len());
        }
        if let (Some(min), Some(max)) = (self.times.first(), self.times.last()) {
            let [median, p95, p99] = [50, 95, 99].map(|percent| self.percentile(percent));
            println!(
                "  latency        min {min:.1?}, median {median:.1?}, p95 {p95:.1?}, \
                 p99 {p99:.1?}, max {max:.1?}"
            );
        }
    }

    /// The time within which `percent` of the requests were answered.
    fn percentile(&self, percent: usize) -> Duration {
        let rank = (self.times.len() * percent).div_ceil(100);
        self.times[rank.saturating_sub(1)]
    }
}

fn exit_code(good: bool) -> ExitCode {
    ExitCode::from(if good { 0 } else { 1 })
}

fn style_of(status: StatusCode) -> Style {
    let color = if status.is_success() {
        AnsiColor::Green
    } else {
        AnsiColor::Red
    };
    color.on_default()
}

// The list of events.

/// Lists the events whose names have `part` in them.
fn list(part: &str) {
    let part = part.to_ascii_uppercase();
    let (bold, dim) = (Style::new().bold(), Style::new().dimmed());
    let mut text = String::new();
    let mut scope = "";
    for kind in EventKind::ALL {
        if !kind.as_str().contains(&part) {
            continue;
        }
        if scope != kind.scope() {
            scope = kind.scope();
            text.push_str(&format!("{bold}{scope}{bold:#}\n"));
        }
        let name = kind.documented_name();
        text.push_str(&if kind.is_deprecated() {
            format!("  {dim}{name} (deprecated){dim:#}\n")
        } else {
            format!("  {name}\n")
        });
    }
    // The reader of a pipe may have closed it: `| head`.
    let _ = anstream::stdout().write_all(text.as_bytes());
}

// Arguments.

fn field(text: &str) -> Result<(String, String), String> {
    let (path, value) = text.split_once('=').ok_or("it has no =")?;
    if TestEvent::is_path(path) {
        Ok((path.to_owned(), value.to_owned()))
    } else {
        Err(format!("{path} is not a path such as FIELDS[ID]"))
    }
}

fn positive(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("it must be at least 1".to_owned()),
        Ok(number) => Ok(number),
        Err(error) => Err(format!("{error}")),
    }
}
