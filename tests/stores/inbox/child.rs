//! A process that receives or works, until it is killed: this binary once more.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tower::service_fn;
use tower_bitrix24::Event;
use tower_bitrix24::inbox::{Backoff, Delivery, Inbox, InboxStore, SqliteInbox, WorkerRequest};

use super::{form, key, respond, send};

/// The objects that events are about.
pub(crate) const LANES: u64 = 12;

/// The work of a process.
#[derive(Clone, Debug, Default)]
pub(crate) struct Role {
    /// The number of senders; each waits for its response.
    pub(crate) senders: u64,
    /// The number of events after which it sends no more.
    pub(crate) events: Option<u64>,
    /// The `ts` of the first event, so that no two are equal.
    pub(crate) first: u64,
    pub(crate) works: bool,
}

/// A running process and its lines.
pub(crate) struct Process {
    child: Child,
    lines: BufReader<ChildStderr>,
}

impl Role {
    /// Starts a process on the file.
    pub(crate) fn start(&self, file: &Path, environment: &[(&str, String)]) -> Process {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["child::process", "--exact", "--nocapture"]);
        self.start_as(command, file, environment)
    }

    pub(crate) fn start_as(
        &self,
        mut command: Command,
        file: &Path,
        environment: &[(&str, String)],
    ) -> Process {
        let events = self.events.unwrap_or(u64::MAX);
        command
            .env("CHILD_FILE", file)
            .env("CHILD_SENDERS", self.senders.to_string())
            .env("CHILD_EVENTS", events.to_string())
            .env("CHILD_FIRST", self.first.to_string())
            .env("CHILD_WORKS", if self.works { "1" } else { "" })
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap());
        Process { child, lines }
    }
}

impl Process {
    #[cfg(feature = "postgres")]
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Reads a whole line. Returns `None` once the process has ended.
    pub(crate) fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        let line = line.strip_suffix('\n')?;
        Some(line.to_owned())
    }

    /// Reads the lines until this one.
    pub(crate) fn wait_for(&mut self, wanted: &str) -> Vec<String> {
        let mut lines = Vec::new();
        while let Some(line) = self.line() {
            let is_wanted = line.starts_with(wanted);
            lines.push(line);
            if is_wanted {
                return lines;
            }
        }
        panic!("the process ended before {wanted}: {lines:#?}");
    }

    /// Reads this number of lines, kills the process with SIGKILL, and returns all it has written.
    pub(crate) fn kill_after(mut self, lines: usize) -> Vec<String> {
        let mut read: Vec<String> = Vec::new();
        while read.len() < lines {
            match self.line() {
                Some(line) => read.push(line),
                None => break,
            }
        }
        self.child.kill().unwrap();
        // Lines from before the kill count.
        while let Some(line) = self.line() {
            read.push(line);
        }
        self.child.wait().unwrap();
        read
    }

    /// Reads all lines until the process ends by itself.
    pub(crate) fn finish(self) -> Vec<String> {
        self.kill_after(usize::MAX)
    }
}

/// Returns the numbers in the lines that begin with the word.
pub(crate) fn numbers(lines: &[String], word: &str) -> BTreeSet<u64> {
    let numbers = lines.iter().filter_map(|line| line.strip_prefix(word));
    numbers
        .map(|number| number.trim().parse().unwrap())
        .collect()
}

/// Writes a line at once, so that a killed process has written it whole or not.
fn say(line: &str) {
    let line = format!("{line}\n");
    let _ = std::io::stderr().write_all(line.as_bytes());
}

/// Runs in the process that is killed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn process() {
    let Some(file) = std::env::var_os("CHILD_FILE") else {
        return;
    };
    #[cfg(feature = "postgres")]
    if let Ok(url) = std::env::var("CHILD_URL") {
        let store = tower_bitrix24::inbox::PostgresInbox::connect(&url).await;
        work(&Inbox::builder(store.unwrap(), key()).build());
        return std::future::pending().await;
    }
    let number = |name: &str| -> u64 { std::env::var(name).unwrap().parse().unwrap() };
    let store = match SqliteInbox::open(file).await {
        Ok(store) => store,
        Err(error) => {
            say(&format!("not opened: {error:?}"));
            return;
        }
    };
    let inbox = Inbox::builder(store, key()).build();
    if std::env::var("CHILD_WORKS").unwrap() == "1" {
        work(&inbox);
    }
    let (events, senders) = (number("CHILD_EVENTS"), number("CHILD_SENDERS"));
    let next = Arc::new(AtomicU64::new(0));
    let first = number("CHILD_FIRST");
    let padding = std::env::var("CHILD_PADDING").map_or(0, |len| len.parse().unwrap());
    let padding = format!("&padding={}", "x".repeat(padding));
    let mut sending = tokio::task::JoinSet::new();
    for _ in 0..senders {
        let (inbox, next, padding) = (inbox.clone(), next.clone(), padding.clone());
        sending.spawn(async move {
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                if at >= events {
                    return;
                }
                let ts = first + at;
                let mut form = form("ONCRMDEALUPDATE", ts % LANES + 1, ts, "a");
                form.push_str(&padding);
                match send(&inbox, form).await {
                    200 => say(&format!("answered {ts}")),
                    503 => say(&format!("rejected {ts}")),
                    status => panic!("{status}"),
                }
            }
        });
    }
    sending.join_all().await;
    if senders > 0 {
        // Nothing is closed, and nothing synced on the way out.
        say("sent");
        std::process::exit(0);
    }
    std::future::pending::<()>().await;
}

/// Handles entries, and says so: the sequence number and the object.
fn work<S: InboxStore + 'static>(inbox: &Inbox<S>) {
    let service = service_fn(async |request: WorkerRequest| {
        let event = request.extensions().get::<Event>().unwrap();
        let delivery = request.extensions().get::<Delivery>().unwrap();
        let object = event.subject().unwrap().id.number().unwrap();
        let ts = event.timestamp().unwrap();
        say(&format!("begin {} {object} {ts}", delivery.seq));
        let pause = std::env::var("CHILD_HANDLES_MS").unwrap_or("2".to_owned());
        tokio::time::sleep(Duration::from_millis(pause.parse().unwrap())).await;
        say(&format!("end {} {object} {ts}", delivery.seq));
        respond(200)
    });
    let backoff = Backoff::new()
        .first(Duration::from_millis(10))
        .max(Duration::from_millis(50))
        .max_attempts(1000);
    inbox
        .worker(service)
        .concurrency(6)
        .lease(Duration::from_millis(500))
        .poll_interval(Duration::from_millis(20))
        .retry(backoff)
        .spawn();
}
