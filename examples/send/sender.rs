//! Sends the requests and prints the responses.

use std::error::Error;
use std::io::IsTerminal;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anstyle::{AnsiColor, Style};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, USER_AGENT};
use http::{Request, StatusCode, Uri};
use http_body_util::Full;
use tokio::task::JoinSet;
use tokio::time::{interval, timeout};
use tower_bitrix24::testing::TestEvent;

use crate::client::{HttpClient, is_connect, text};

type BoxError = Box<dyn Error + Send + Sync>;

const TIMEOUT: Duration = Duration::from_secs(30);

pub(crate) struct Sender {
    client: HttpClient,
    url: Uri,
    body: Bytes,
}

struct Reply {
    status: StatusCode,
    text: String,
    time: Duration,
}

impl Sender {
    pub(crate) fn new(url: Uri, body: Vec<u8>) -> Self {
        Self {
            client: HttpClient::new(),
            url,
            body: body.into(),
        }
    }

    async fn send(&self) -> Result<Reply, BoxError> {
        let request = Request::post(&self.url)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(USER_AGENT, TestEvent::USER_AGENT)
            .body(Full::new(self.body.clone()))?;
        let start = Instant::now();
        let response = timeout(TIMEOUT, self.client.send(request)).await??;
        Ok(Reply {
            status: response.status(),
            text: text(&response),
            time: start.elapsed(),
        })
    }

    /// Sends one request and prints the response.
    pub(crate) async fn once(&self, name: &str) -> Result<ExitCode, Box<dyn Error>> {
        let reply = self
            .send()
            .await
            .map_err(|error| self.no_response(&error))?;
        let style = style_of(reply.status);
        anstream::println!(
            "{name} to {}: {style}{}{style:#} in {:.1?}",
            self.url,
            reply.status,
            reply.time
        );
        if !reply.text.is_empty() {
            anstream::println!("{}", reply.text.trim_end());
        }
        Ok(exit_code(reply.status.is_success()))
    }

    /// Sends many requests and prints a summary of the responses.
    pub(crate) async fn burst(
        self,
        name: &str,
        requests: usize,
        concurrency: usize,
    ) -> Result<ExitCode, Box<dyn Error>> {
        let sender = Arc::new(self);
        let started = Arc::new(AtomicUsize::new(0));
        let finished = Arc::new(AtomicUsize::new(0));
        let start = Instant::now();
        let mut workers = JoinSet::new();
        for _ in 0..concurrency.min(requests) {
            let (sender, started, finished) = (sender.clone(), started.clone(), finished.clone());
            workers.spawn(async move {
                let mut replies = Vec::new();
                while started.fetch_add(1, Ordering::Relaxed) < requests {
                    replies.push(sender.send().await);
                    finished.fetch_add(1, Ordering::Relaxed);
                }
                replies
            });
        }
        let progress = tokio::spawn(async move { show_progress(&finished, requests).await });
        let replies = workers.join_all().await.into_iter().flatten();
        let total = start.elapsed();
        progress.abort();
        // Waits until nothing more is shown. The task is cancelled, which is no error.
        let _ = progress.await;
        clear_progress();

        let mut summary = Summary::default();
        replies.for_each(|reply| summary.add(reply));
        println!("{name} to {}, {concurrency} at once", sender.url);
        summary.print(total);
        match summary.errors.first() {
            Some(error) => Err(sender.no_response(error).into()),
            None => Ok(exit_code(summary.is_success())),
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

/// Shows the number of responses on a terminal, until it is cancelled.
async fn show_progress(finished: &AtomicUsize, requests: usize) {
    if !std::io::stderr().is_terminal() {
        return;
    }
    let mut ticks = interval(Duration::from_millis(100));
    loop {
        ticks.tick().await;
        eprint!("\r{}/{requests}", finished.load(Ordering::Relaxed));
    }
}

fn clear_progress() {
    if std::io::stderr().is_terminal() {
        eprint!("\r\x1b[K");
    }
}

/// A summary of the responses to a burst.
#[derive(Default)]
struct Summary {
    times: Vec<Duration>,
    statuses: Vec<(StatusCode, usize)>,
    errors: Vec<BoxError>,
}

impl Summary {
    fn add(&mut self, reply: Result<Reply, BoxError>) {
        let reply = match reply {
            Ok(reply) => reply,
            Err(error) => return self.errors.push(error),
        };
        self.times.push(reply.time);
        let known = self
            .statuses
            .iter_mut()
            .find(|(status, _)| *status == reply.status);
        match known {
            Some((_, count)) => *count += 1,
            None => self.statuses.push((reply.status, 1)),
        }
    }

    fn is_success(&self) -> bool {
        self.statuses.iter().all(|(status, _)| status.is_success())
    }

    fn print(&mut self, total: Duration) {
        self.times.sort_unstable();
        self.statuses.sort_unstable();
        let responses = self.times.len();
        let rate = responses as f64 / total.as_secs_f64();
        println!("  responses      {responses} in {total:.1?}, {rate:.0} per second");
        for (status, count) in &self.statuses {
            let (style, status) = (style_of(*status), status.to_string());
            anstream::println!("  {style}{status:<13}{style:#}  {count}");
        }
        if !self.errors.is_empty() {
            println!("  no response    {}", self.errors.len());
        }
        if let (Some(min), Some(max)) = (self.times.first(), self.times.last()) {
            let [median, p95, p99] = [50, 95, 99].map(|percent| self.percentile(percent));
            println!(
                "  latency        min {min:.1?}, median {median:.1?}, p95 {p95:.1?}, \
                 p99 {p99:.1?}, max {max:.1?}"
            );
        }
    }

    /// Returns the time within which `percent` of the responses arrived.
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
