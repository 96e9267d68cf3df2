//! The commands: serve, stats and retry-dead.

use std::io::Write;
use std::time::Duration;

use axum::Router;
use axum::routing::post_service;
use clap::{Args, Subcommand};
use serde_json::json;
use tokio::sync::watch;
use tokio::time::Instant;
use tower_bitrix24::inbox::{Delivery, Inbox, InboxKey};
use tower_bitrix24::{Event, EventConfig};

use crate::graceful::{listen, serve as serve_http, stopped};
use crate::work::work;
use crate::{BoxError, Broker};

const SHUTDOWN: Duration = Duration::from_secs(10);

/// The arguments of the inboxes in brokers.
#[derive(Args, Debug)]
pub struct Options {
    #[command(subcommand)]
    command: Command,
    /// The number of partitions. Entries of one object are in one partition, which has one entry in
    /// work at a time.
    #[arg(long, global = true, env = "PARTITIONS", default_value_t = 16)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub partitions: u32,
    /// Seconds after which another worker takes the entries of one that vanished.
    #[arg(long, global = true, env = "LEASE", default_value_t = 20)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=3600))]
    lease: u64,
    /// The key that seals the entries, 64 hex digits, the same on every machine.
    #[arg(
        long,
        global = true,
        env = "BITRIX24_INBOX_KEY",
        hide_env_values = true
    )]
    inbox_key: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Receive events into the broker and work them off.
    Serve {
        /// Only receive.
        #[arg(long, conflicts_with = "work_only")]
        receive_only: bool,
        /// Only work.
        #[arg(long)]
        work_only: bool,
    },
    /// Count the entries, as JSON.
    Stats,
    /// Make the dead letters wait again.
    RetryDead,
}

impl Options {
    /// Returns the lease of an entry.
    pub const fn lease(&self) -> Duration {
        Duration::from_secs(self.lease)
    }
}

/// Runs a command.
///
/// # Errors
///
/// Returns an error if a setting is missing or the broker fails.
pub async fn run<B: Broker>(broker: B, options: &Options) -> Result<(), BoxError> {
    match options.command {
        Command::Serve {
            receive_only,
            work_only,
        } => serve(broker, options, !work_only, !receive_only).await,
        Command::Stats => {
            let stats = broker.stats().await?;
            let stats = json!({ "waiting": stats.waiting, "dead": stats.dead });
            say(&stats.to_string());
            Ok(())
        }
        Command::RetryDead => {
            let retried = broker.retry_dead().await?;
            say(&format!("{retried} dead letters wait again"));
            Ok(())
        }
    }
}

async fn serve<B: Broker>(
    broker: B,
    options: &Options,
    receives: bool,
    works: bool,
) -> Result<(), BoxError> {
    let key = options.inbox_key.as_deref();
    let key = key.ok_or("set BITRIX24_INBOX_KEY to 64 hex digits: openssl rand -hex 32")?;
    let inbox = Inbox::builder(broker.clone(), InboxKey::from_hex(key.trim())?).build();
    let (stop, stopping) = watch::channel(None);
    let worker = works.then(|| {
        let handler = inbox.worker(Router::new().fallback(handle)).handler();
        tokio::spawn(work(broker, handler, options.lease(), stopping))
    });
    if receives {
        let mut config = EventConfig::from_env()?;
        let path = config
            .path
            .get_or_insert_with(|| "/bitrix24/events".to_owned());
        let route = Router::new().route(path, post_service(inbox.receive()));
        let listener = listen().await?;
        say(&format!("listening on http://{}", listener.local_addr()?));
        serve_http(listener, route.layer(config.into_layer()?), stopped()).await;
    } else {
        say("working");
        stopped().await;
    }
    stop.send_replace(Some(Instant::now() + SHUTDOWN));
    if let Some(worker) = worker {
        worker.await?;
    }
    Ok(())
}

async fn handle(event: Event, delivery: Delivery) {
    let (entity, id) = match event.subject() {
        Some(subject) => (subject.entity, subject.id.to_string()),
        None => ("-", "-".to_owned()),
    };
    let (code, attempt) = (event.code().escape_debug(), delivery.attempt);
    let id = id.escape_debug();
    say(&format!("handled {code} {entity} {id} attempt {attempt}"));
}

/// Writes a line at once, also into a pipe. A reader that is gone is no reason to fail.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}
