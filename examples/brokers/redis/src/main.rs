//! An inbox in Redis Streams: an event gets a 200 once Redis has synced it, and is handled from
//! there by any number of workers.
//!
//! ```text
//! export BITRIX24_APPLICATION_TOKEN=51856fefc120afa4b628cc82d3935cce
//! export BITRIX24_INBOX_KEY=$(openssl rand -hex 32)
//! redis-server --appendonly yes --appendfsync always &
//! cargo run -p inbox-redis -- serve
//! ```

mod check;
mod streams;

use std::process::ExitCode;

use brokers::BoxError;
use clap::Parser;

use self::streams::Streams;

/// An inbox in Redis Streams.
#[derive(Parser)]
#[command(name = "inbox-redis")]
struct Arguments {
    #[command(flatten)]
    common: brokers::Options,
    /// The address of Redis.
    #[arg(long, global = true, env = "REDIS_URL", hide_env_values = true)]
    #[arg(default_value = "redis://127.0.0.1:6379")]
    redis_url: String,
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
    let streams = Streams::connect(&arguments.redis_url, common.partitions, common.lease()).await?;
    check::durable(streams.connection()).await?;
    brokers::run(streams, common).await
}
