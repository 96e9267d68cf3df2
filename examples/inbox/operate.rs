//! The operator's commands.

use clap::Args;
use serde_json::{Value, json};
use tower_bitrix24::inbox::{Filter, Inbox, InboxStore, Record, State};

use super::BoxError;

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
    let event = match &opened.event {
        Ok(event) => serde_json::to_value(event)?,
        Err(error) => json!({ "error": error }),
    };
    if json {
        let mut shown = as_json(&opened.record);
        shown["event"] = event;
        println!("{shown}");
    } else {
        println!("{}", line(&opened.record));
        println!("{}", serde_json::to_string_pretty(&event)?);
    }
    Ok(())
}

pub(crate) fn changed(done: &str, seq: i64, is_changed: bool, json: bool) -> Result<(), BoxError> {
    if !is_changed {
        return Err(format!("the entry {seq} is not there, or not in a state to be {done}").into());
    }
    if json {
        println!("{}", json!({ "seq": seq, done: true }));
    } else {
        println!("{done} {seq}");
    }
    Ok(())
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
