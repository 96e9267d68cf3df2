//! The operator's commands.

use std::time::SystemTime;

use clap::Args;
use serde_json::{Value, json};
use tower_bitrix24::inbox::{Filter, Inbox, InboxStore, Record, State};

use super::BoxError;

#[derive(Args)]
pub(crate) struct BlockedArguments {
    /// Only lanes whose oldest entry is after this sequence number.
    #[arg(long, default_value_t = 0)]
    after: i64,
    #[arg(long, default_value_t = 50)]
    limit: usize,
}

#[derive(Args)]
pub(crate) struct ListArguments {
    /// waiting, running, done or dead.
    #[arg(long)]
    state: Option<State>,
    /// Only entries of this portal.
    #[arg(long)]
    member_id: Option<String>,
    /// Only entries with this code.
    #[arg(long)]
    code: Option<String>,
    /// Only entries after this sequence number.
    #[arg(long)]
    after: Option<i64>,
    #[arg(long, default_value_t = 50)]
    limit: usize,
}

pub(crate) async fn list<S: InboxStore + 'static>(
    inbox: &Inbox<S>,
    list: &ListArguments,
    json: bool,
) -> Result<(), BoxError> {
    let mut filter = Filter::new();
    filter.state = list.state;
    filter.member_id.clone_from(&list.member_id);
    filter.code.clone_from(&list.code);
    filter.after = list.after;
    let records = inbox.list(&filter, list.limit).await.map_err(Into::into)?;
    if json {
        let records: Vec<_> = records.iter().map(as_json).collect();
        println!("{}", Value::from(records));
        return Ok(());
    }
    for record in &records {
        println!("{}", line(record));
    }
    Ok(())
}

pub(crate) async fn show<S: InboxStore + 'static>(
    inbox: &Inbox<S>,
    seq: i64,
    json: bool,
) -> Result<(), BoxError> {
    let opened = inbox.get(seq).await.map_err(Into::into)?;
    let opened = opened.ok_or_else(|| format!("there is no entry {seq}"))?;
    let request = match &opened.request {
        Ok(request) => serde_json::to_value(request)?,
        Err(error) => json!({ "error": error }),
    };
    if json {
        let mut shown = as_json(&opened.record);
        shown["request"] = request;
        println!("{shown}");
    } else {
        println!("{}", line(&opened.record));
        println!("{}", serde_json::to_string_pretty(&request)?);
    }
    Ok(())
}

/// Lists the lanes that wait behind an entry that failed.
pub(crate) async fn blocked<S: InboxStore + 'static>(
    inbox: &Inbox<S>,
    page: &BlockedArguments,
    json: bool,
) -> Result<(), BoxError> {
    let lanes = inbox.blocked_lanes(page.after, page.limit).await;
    let lanes = lanes.map_err(Into::into)?;
    if json {
        let lanes = lanes.iter().map(|lane| {
            let mut shown = as_json(&lane.head);
            shown["failing_since"] = lane.head.failing_since.into();
            shown["behind"] = lane.behind.into();
            shown
        });
        println!("{}", lanes.collect::<Value>());
        return Ok(());
    }
    for lane in &lanes {
        let head = &lane.head;
        println!(
            "{:>8} {:<28} {:<24} {:>6} behind, failing for {}, due in {}: {}",
            head.seq,
            head.entry.code,
            head.entry.subject,
            lane.behind,
            seconds(now() - head.failing_since.unwrap_or_default()),
            seconds(head.due - now()),
            head.error.as_deref().unwrap_or_default(),
        );
    }
    Ok(())
}

/// Returns unix milliseconds.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis() as i64)
}

fn seconds(millis: i64) -> String {
    format!("{} s", millis.max(0) / 1000)
}

pub(crate) async fn stats<S: InboxStore + 'static>(
    inbox: &Inbox<S>,
    json: bool,
) -> Result<(), BoxError> {
    let stats = inbox.stats().await.map_err(Into::into)?;
    let json_stats = json!({
        "waiting": stats.waiting,
        "running": stats.running,
        "done": stats.done,
        "dead": stats.dead,
        "blocked_lanes": stats.blocked_lanes,
        "oldest_waiting_ms": stats.oldest_waiting_ms,
    });
    if json {
        println!("{json_stats}");
    } else {
        for (name, value) in json_stats.as_object().into_iter().flatten() {
            println!("{name:<18} {value}");
        }
    }
    Ok(())
}

fn as_json(record: &Record) -> Value {
    json!({
        "seq": record.seq,
        "key": record.entry.key.to_string(),
        "state": record.state.as_str(),
        "member_id": record.entry.member_id,
        "code": record.entry.code,
        "subject": record.entry.subject,
        "handler_id": record.entry.handler_id,
        "ts": record.entry.timestamp,
        "first_received": record.first_received,
        "received": record.received,
        "merged": record.merged,
        "due": record.due,
        "attempts": record.attempts,
        "replayed": record.replayed,
        "error": record.error,
    })
}

fn line(record: &Record) -> String {
    let error = record.error.as_deref().unwrap_or_default();
    format!(
        "{:>8} {:<8} {:<28} {:<24} attempts {:<3} {error}",
        record.seq, record.state, record.entry.code, record.entry.subject, record.attempts
    )
}
