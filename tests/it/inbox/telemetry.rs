//! Metrics and log lines of the inbox: receipts and attempts, linked by the key of the entry, and no secret.

use std::io::Write;

use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};
use tower_bitrix24::inbox::{Backoff, Filter};

use super::*;

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

/// Returns the values by name and labels; of a histogram the number of its values.
fn values(snapshotter: &Snapshotter) -> std::collections::BTreeMap<String, u64> {
    let values = snapshotter.snapshot().into_vec().into_iter();
    let values = values.map(|(key, _, _, value)| {
        let (name, labels) = key.key().clone().into_parts();
        let labels = labels
            .iter()
            .map(|label| format!("{}={}", label.key(), label.value()));
        let value = match value {
            DebugValue::Counter(count) => count,
            DebugValue::Gauge(gauge) => gauge.into_inner() as u64,
            DebugValue::Histogram(values) => values.len() as u64,
        };
        let labels = labels.collect::<Vec<_>>().join(",");
        (format!("{}{{{labels}}}", name.as_str()), value)
    });
    values.collect()
}

#[tokio::test]
async fn receipt_and_attempts_are_counted_and_logged_with_one_key_and_no_secret() {
    crate::telemetry::set_global_subscriber();
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_span_events(tracing_subscriber::fmt::format::FmtSpan::CLOSE)
        .with_writer(move || writer.clone())
        .finish();
    let _logs = tracing::subscriber::set_default(subscriber);
    let recorder = DebuggingRecorder::new();
    let _metrics = metrics::set_default_local_recorder(&recorder);

    let inbox = Inbox::builder(MemoryInbox::new(), key())
        .coalesce(true)
        .build();
    send_ok(&inbox, form("ONCRMDEALADD", 1, 1, "a")).await;
    send_ok(&inbox, form("ONCRMDEALADD", 1, 1, "a")).await;
    send_ok(&inbox, form("ONCRMDEALUPDATE", 2, 1, "a")).await;
    send_ok(&inbox, form("ONCRMDEALUPDATE", 2, 2, "a")).await;
    let entry_key = inbox.list(&Filter::new(), 1).await.unwrap()[0].entry.key;
    let seen = Seen::default();
    let service = handler(&seen, |event, delivery| match event.code() {
        "ONCRMDEALADD" if delivery.attempt == 1 => 503,
        "ONCRMDEALADD" => 200,
        _ => 422,
    });
    let quick = Backoff::new().first(Duration::from_millis(10));
    let worker = inbox.worker(service).retry(quick);
    let worker = worker.poll_interval(Duration::from_millis(5)).spawn();
    wait_for(&inbox, |stats| stats.done == 1 && stats.dead == 1).await;
    worker.shutdown(Duration::ZERO).await;

    let values = values(&recorder.snapshotter());
    for (name, value) in [
        ("bitrix24_inbox_accepted_total{outcome=stored}", 2),
        ("bitrix24_inbox_accepted_total{outcome=duplicate}", 1),
        ("bitrix24_inbox_accepted_total{outcome=merged}", 1),
        ("bitrix24_inbox_attempts_total{outcome=retry}", 1),
        ("bitrix24_inbox_attempts_total{outcome=done}", 1),
        ("bitrix24_inbox_attempts_total{outcome=dead}", 1),
        ("bitrix24_inbox_commit_seconds{}", 4),
        ("bitrix24_inbox_batch_entries{}", 4),
    ] {
        assert_eq!(values.get(name), Some(&value), "{name} of {values:#?}");
    }
    assert!(values.contains_key("bitrix24_inbox_entries{state=dead}"));
    // A stored event is not handled yet.
    let handled = |name: &&String| name.starts_with("bitrix24_handled_total");
    assert_eq!(values.keys().find(handled), None);

    let text = log.text();
    let with_key = |span: &str| {
        let key = entry_key.to_string();
        let of_key = |line: &&str| line.contains(span) && line.contains(&key);
        text.lines().filter(of_key).count()
    };
    // Two receipts, of which one is a duplicate, and two attempts.
    assert!(with_key("bitrix24.event{") >= 2, "{text}");
    assert!(with_key("bitrix24.attempt{") >= 2, "{text}");
    assert!(text.contains("the entry is dead"), "{text}");
    assert!(
        !text.contains("canary") && !text.contains("192735"),
        "{text}"
    );
}
