//! Changes of one entry, or of many with a bar on a terminal.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use clap::Args;
use serde_json::json;
use tower_bitrix24::inbox::{Filter, Inbox, InboxStore, State};

use super::BoxError;

/// The entries of one step, so that a bar moves and receivers wait briefly.
const STEP: usize = 100;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[derive(Args)]
pub(crate) struct Selection {
    /// The sequence number of the entry.
    #[arg(required_unless_present = "all")]
    seq: Option<i64>,
    /// Every dead entry.
    #[arg(long, conflicts_with = "seq")]
    all: bool,
    /// With --all, only those of this portal.
    #[arg(long, requires = "all")]
    member_id: Option<String>,
    /// With --all, only those with this code.
    #[arg(long, requires = "all")]
    code: Option<String>,
}

#[derive(Args)]
pub(crate) struct PurgeArguments {
    /// Delete entries that have been done for this number of days.
    #[arg(long, default_value_t = 1)]
    done_days: u32,
    /// Delete entries that have been dead for this number of days.
    #[arg(long, default_value_t = 30)]
    dead_days: u32,
}

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Change {
    Retry,
    Discard,
    Replay,
}

impl Change {
    fn participle(self) -> &'static str {
        match self {
            Self::Retry => "retried",
            Self::Discard => "discarded",
            Self::Replay => "replayed",
        }
    }
}

/// A bar on stderr, which is drawn only if that is a terminal.
struct Bar {
    all: u64,
    is_drawn: bool,
}

impl Bar {
    const WIDTH: u64 = 40;

    fn new(all: u64) -> Self {
        Self {
            all,
            is_drawn: std::io::stderr().is_terminal(),
        }
    }

    fn draw(&self, done: u64) {
        if !self.is_drawn {
            return;
        }
        let filled = (Self::WIDTH * done.min(self.all)) / self.all.max(1);
        let (filled, rest) = (filled as usize, (Self::WIDTH - filled) as usize);
        let bar = "█".repeat(filled) + &"░".repeat(rest);
        let mut out = std::io::stderr().lock();
        let _ = write!(out, "\r{bar} {done} of at most {}", self.all).and_then(|()| out.flush());
    }
}

/// Clears the line, also after an error.
impl Drop for Bar {
    fn drop(&mut self) {
        if self.is_drawn {
            eprint!("\r\x1b[K");
        }
    }
}

pub(crate) async fn change<S: InboxStore + 'static>(
    inbox: &Inbox<S>,
    change: Change,
    selection: &Selection,
    json: bool,
) -> Result<(), BoxError> {
    let participle = change.participle();
    let Some(seq) = selection.seq else {
        let changed = change_all(inbox, change, selection).await?;
        return print(participle, changed, json);
    };
    let is_changed = match change {
        Change::Retry => inbox.retry(seq).await,
        Change::Discard => inbox.discard(seq).await,
        Change::Replay => {
            let replayed = inbox.replay(&Filter::new().seq(seq)).await;
            replayed.map(|replayed| replayed > 0)
        }
    };
    if !is_changed.map_err(Into::into)? {
        let error = format!("the entry {seq} is not there, or not in a state to be {participle}");
        return Err(error.into());
    }
    if json {
        println!("{}", json!({ "seq": seq, participle: true }));
    } else {
        println!("{participle} {seq}");
    }
    Ok(())
}

/// Changes a page of a list at a time.
async fn change_all<S: InboxStore + 'static>(
    inbox: &Inbox<S>,
    change: Change,
    selection: &Selection,
) -> Result<u64, BoxError> {
    let mut filter = Filter::new().state(State::Dead);
    filter.member_id.clone_from(&selection.member_id);
    filter.code.clone_from(&selection.code);
    let bar = Bar::new(inbox.stats().await.map_err(Into::into)?.dead);
    let (mut changed, mut seen) = (0, 0);
    loop {
        let page = inbox.list(&filter, STEP).await.map_err(Into::into)?;
        let Some(last) = page.last() else { break };
        let page_filter = filter.clone().until(last.seq);
        changed += match change {
            Change::Retry => inbox.retry_dead(page_filter).await.map_err(Into::into)?,
            Change::Replay => inbox.replay(&page_filter).await.map_err(Into::into)?,
            Change::Discard => {
                let mut discarded = 0;
                for record in &page {
                    let is_discarded = inbox.discard(record.seq).await.map_err(Into::into)?;
                    discarded += u64::from(is_discarded);
                }
                discarded
            }
        };
        seen += page.len() as u64;
        bar.draw(seen);
        filter = filter.after(last.seq);
    }
    Ok(changed)
}

pub(crate) async fn purge<S: InboxStore + 'static>(
    inbox: &Inbox<S>,
    purge: &PurgeArguments,
    json: bool,
) -> Result<(), BoxError> {
    let finished = async || -> Result<u64, BoxError> {
        let stats = inbox.stats().await.map_err(Into::into)?;
        Ok(stats.done + stats.dead)
    };
    let before = finished().await?;
    let bar = Bar::new(before);
    let purging = inbox.purge(DAY * purge.done_days, DAY * purge.dead_days);
    let mut purging = std::pin::pin!(purging);
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    let purged = loop {
        tokio::select! {
            purged = &mut purging => break purged.map_err(Into::into)?,
            _ = ticks.tick() => bar.draw(before.saturating_sub(finished().await?)),
        }
    };
    drop(bar);
    print("purged", purged, json)
}

fn print(participle: &str, entries: u64, json: bool) -> Result<(), BoxError> {
    if json {
        println!("{}", json!({ participle: entries }));
    } else {
        println!("{participle} {entries} entries");
    }
    Ok(())
}
