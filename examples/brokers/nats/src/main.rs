//! An inbox in NATS JetStream: an event gets a 200 once JetStream has synced it, and is handled
//! from there by any number of workers.
//!
//! ```text
//! export BITRIX24_APPLICATION_TOKEN=51856fefc120afa4b628cc82d3935cce
//! export BITRIX24_INBOX_KEY=$(openssl rand -hex 32)
//! nats-server -c nats/nats-server.conf &
//! cargo run -p inbox-nats -- serve
//! ```

mod check;
mod jetstream;
mod monitor;

use std::process::ExitCode;

use brokers::BoxError;
use clap::Parser;

use self::jetstream::JetStream;

/// An inbox in NATS JetStream.
#[derive(Parser)]
#[command(name = "inbox-nats")]
struct Arguments {
    #[command(flatten)]
    common: brokers::Options,
    /// The address of NATS.
    #[arg(long, global = true, env = "NATS_URL", hide_env_values = true)]
    #[arg(default_value = "nats://127.0.0.1:4222")]
    nats_url: String,
    /// A file with credentials.
    #[arg(long, global = true, env = "NATS_CREDENTIALS")]
    nats_credentials: Option<String>,
    /// The monitoring addresses of all servers, separated by commas. They tell the settings.
    #[arg(long, global = true, env = "NATS_MONITOR", value_delimiter = ',')]
    #[arg(default_value = "http://127.0.0.1:8222")]
    nats_monitor: Vec<String>,
    /// The number of servers that keep each entry.
    #[arg(long, global = true, env = "NATS_REPLICAS", default_value_t = 1)]
    nats_replicas: usize,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<(), BoxError> {
    let common = &arguments.common;
    let jetstream = JetStream::connect(&arguments).await?;
    check::durable(&jetstream, &arguments.nats_monitor).await?;
    brokers::run(jetstream, common).await
}
