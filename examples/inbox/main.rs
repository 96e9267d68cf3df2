//! A durable inbox: receives events, responds after the commit, and handles them.
//!
//! ```text
//! export BITRIX24_APPLICATION_TOKEN=51856fefc120afa4b628cc82d3935cce
//! cargo run --example inbox --features inbox,sqlite -- serve
//! cargo run --example inbox --features inbox,sqlite -- stats
//! cargo run --example inbox --features inbox,sqlite -- blocked
//! ```
//!
//! | variable | meaning |
//! |---|---|
//! | `BITRIX24_APPLICATION_TOKEN` | the token, for `serve` |
//! | `BIND` | the address, `127.0.0.1:3000` by default; a socket of systemd comes first |
//! | `INBOX` | a SQLite file, or with the feature `postgres` a `postgres://` URL; `inbox.sqlite` by default |
//! | `BITRIX24_INBOX_KEY` | the key that seals the entries, 64 hex digits; made beside the file if there is none |

mod bulk;
#[path = "../support/graceful.rs"]
mod graceful;
mod key;
mod operate;
mod serve;

use std::error::Error;
use std::process::ExitCode;

use bulk::Change;
use clap::{Args, Parser, Subcommand};
use tower_bitrix24::inbox::{Inbox, InboxKey, InboxStore, SqliteInbox};

pub(crate) type BoxError = Box<dyn Error + Send + Sync>;

/// Receives Bitrix24 events durably and handles them.
#[derive(Parser)]
#[command(name = "inbox")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// Print JSON.
    #[arg(long, global = true)]
    json: bool,
    /// A SQLite file, or a postgres:// URL.
    #[arg(long, global = true, env = "INBOX", default_value = "inbox.sqlite")]
    inbox: String,
}

#[derive(Subcommand)]
enum Command {
    /// Receive events and handle them.
    Serve(ServeArguments),
    /// List entries.
    List(operate::ListArguments),
    /// Show an entry with its event; tokens are redacted.
    Show { seq: i64 },
    /// List the objects whose entries wait behind one that failed.
    Blocked(operate::BlockedArguments),
    /// Make a dead or waiting entry due now, or all dead ones.
    Retry(bulk::Selection),
    /// Discard a waiting or dead entry, or all dead ones.
    Discard(bulk::Selection),
    /// Hand a dead entry out again as a replay, or all of them; also a done one if its body is kept.
    Replay(bulk::Selection),
    /// Delete old entries, which a worker also does by itself.
    Purge(bulk::PurgeArguments),
    /// Count the entries in each state.
    Stats,
}

#[derive(Args)]
struct ServeArguments {
    /// Only receive.
    #[arg(long, conflicts_with = "work_only")]
    receive_only: bool,
    /// Only work.
    #[arg(long)]
    work_only: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    match open(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprint!("error: {error}");
            let mut source = error.source();
            while let Some(error) = source {
                eprint!(": {error}");
                source = error.source();
            }
            eprintln!();
            ExitCode::FAILURE
        }
    }
}

async fn open(arguments: Arguments) -> Result<(), BoxError> {
    let is_url =
        arguments.inbox.starts_with("postgres://") || arguments.inbox.starts_with("postgresql://");
    let key = key::read(&arguments.inbox, is_url)?;
    if is_url {
        #[cfg(feature = "postgres")]
        {
            use tower_bitrix24::inbox::PostgresInbox;
            let store = PostgresInbox::connect(&arguments.inbox).await?;
            return run(store, key, arguments).await;
        }
        #[cfg(not(feature = "postgres"))]
        return Err("INBOX is a PostgreSQL URL: build with the feature `postgres`".into());
    }
    let store = SqliteInbox::open(&arguments.inbox).await?;
    run(store, key, arguments).await
}

async fn run<S>(store: S, key: InboxKey, arguments: Arguments) -> Result<(), BoxError>
where
    S: InboxStore + 'static,
{
    let inbox = Inbox::builder(store, key).build();
    let json = arguments.json;
    match arguments.command {
        Command::Serve(ServeArguments {
            receive_only,
            work_only,
        }) => serve::serve(inbox, !work_only, !receive_only).await,
        Command::List(list) => operate::list(&inbox, &list, json).await,
        Command::Show { seq } => operate::show(&inbox, seq, json).await,
        Command::Blocked(page) => operate::blocked(&inbox, &page, json).await,
        Command::Retry(entries) => bulk::change(&inbox, Change::Retry, &entries, json).await,
        Command::Discard(entries) => bulk::change(&inbox, Change::Discard, &entries, json).await,
        Command::Replay(entries) => bulk::change(&inbox, Change::Replay, &entries, json).await,
        Command::Purge(purge) => bulk::purge(&inbox, &purge, json).await,
        Command::Stats => operate::stats(&inbox, json).await,
    }
}
