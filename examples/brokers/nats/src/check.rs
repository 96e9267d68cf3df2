//! Checks the settings without which JetStream loses what it has acknowledged.

use async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy, StorageType};
use brokers::BoxError;
use serde_json::Value;
use tower_bitrix24::EventConfig;

use crate::jetstream::JetStream;
use crate::monitor;

/// The room for the envelope beside the body of an event.
const ENVELOPE: usize = 16 * 1024;

/// An earlier NATS that is killed may number an empty stream from 1 again. The consumers then skip
/// new entries: <https://github.com/nats-io/nats-server/issues/6600> and 6881.
const OLDEST: (u32, u32) = (2, 12);

/// Returns an error that says what to change if JetStream may lose an entry that it has acknowledged.
pub(crate) async fn durable(jetstream: &JetStream, monitors: &[String]) -> Result<(), BoxError> {
    let mut wrong = Vec::new();
    let mut checked = Vec::new();
    for monitor in monitors {
        let varz = monitor::varz(monitor).await?;
        checked.extend(varz["server_name"].as_str().map(str::to_owned));
        wrong.extend(wrong_settings(&varz));
    }
    for server in jetstream.servers() {
        if !checked.contains(&server) {
            wrong.push(format!(
                "none of the monitoring addresses is that of the server {server}, which keeps the \
                 entries: set NATS_MONITOR to the addresses of all servers."
            ));
        }
    }
    wrong.extend(wrong_stream(jetstream.config()));
    let max_payload = jetstream.max_payload();
    let needed = EventConfig::DEFAULT_BODY_LIMIT + ENVELOPE;
    if max_payload < needed {
        wrong.push(format!(
            "NATS has `max_payload: {max_payload}`: an event may have {needed} bytes with its \
             envelope, and would get 503. Set `max_payload: 2MB` in nats-server.conf."
        ));
    }
    if wrong.is_empty() {
        return Ok(());
    }
    Err(wrong.join("\n       ").into())
}

fn wrong_settings(varz: &Value) -> Option<String> {
    let name = varz["server_name"].as_str().unwrap_or("unknown");
    let version = varz["version"].as_str().unwrap_or("unknown");
    let config = &varz["jetstream"]["config"];
    let (major, minor) = OLDEST;
    if major_and_minor(version).is_none_or(|version| version < OLDEST) {
        return Some(format!(
            "the server {name} (NATS {version}) may deliver no more entries after it was killed, since \
             it numbers them from 1 again. Install NATS {major}.{minor} or later."
        ));
    }
    if !config.is_object() {
        return Some(format!(
            "the server {name} has no JetStream. Set `jetstream {{ sync_interval: always }}` in \
             nats-server.conf."
        ));
    }
    if config["sync_always"] == Value::Bool(true) {
        return None;
    }
    Some(format!(
        "the server {name} acknowledges entries before they are on the disk: a loss of power loses \
         those of the last minutes. Set `jetstream {{ sync_interval: always }}` in nats-server.conf."
    ))
}

fn major_and_minor(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

fn wrong_stream(config: &Config) -> Vec<String> {
    let name = &config.name;
    let mut wrong = Vec::new();
    let mut check = |is_right: bool, problem: &str| {
        if !is_right {
            wrong.push(format!("the stream {name} {problem}."));
        }
    };
    check(
        config.storage == StorageType::File,
        "is in memory, and gone with the server: create it anew with file storage",
    );
    check(
        config.retention == RetentionPolicy::WorkQueue,
        "does not remove what is handled: create it anew with the retention `workqueue`",
    );
    check(
        config.discard == DiscardPolicy::New,
        "removes the oldest entries if it is full: set `discard` to `new`",
    );
    check(
        config.max_age.is_zero(),
        "removes entries that wait for long: set `max_age` to 0",
    );
    check(
        config.max_messages_per_subject <= 0,
        "removes entries beyond a number: set `max_msgs_per_subject` to -1",
    );
    check(
        !config.no_ack,
        "acknowledges nothing: set `no_ack` to false",
    );
    wrong
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;

    #[test]
    fn server_that_syncs_later_is_named_with_the_remedy() {
        let varz =
            |config| json!({ "server_name": "n1", "version": "2.12.0", "jetstream": config });
        let always = varz(
            json!({ "config": { "sync_interval": 120_000_000_000_u64, "sync_always": true } }),
        );
        assert_eq!(wrong_settings(&always), None);
        for later in [
            varz(json!({ "config": { "sync_interval": 120_000_000_000_u64 } })),
            varz(json!({ "config": { "sync_interval": 1, "sync_always": false } })),
            varz(json!({})),
        ] {
            let wrong = wrong_settings(&later).unwrap();
            assert!(
                wrong.contains("n1") && wrong.contains("sync_interval: always"),
                "{wrong}"
            );
        }
    }

    #[test]
    fn server_that_numbers_entries_anew_is_named_with_the_remedy() {
        let wrong = |version: &str| {
            let config = json!({ "sync_always": true });
            let jetstream = json!({ "config": config });
            let varz = json!({ "server_name": "n1", "version": version, "jetstream": jetstream });
            wrong_settings(&varz)
        };
        for fit in ["2.12.0", "2.12.0-RC.1", "2.15.1", "3.0.0"] {
            assert_eq!(wrong(fit), None, "{fit}");
        }
        for unfit in ["2.10.27", "2.11.14", "1.99.0", "", "2", "next"] {
            let wrong = wrong(unfit).unwrap_or_else(|| panic!("{unfit} is taken"));
            assert!(wrong.contains("n1") && wrong.contains("2.12"), "{wrong}");
        }
    }

    #[test]
    fn stream_that_drops_entries_is_named_with_the_remedy() {
        let right = || Config {
            name: "EVENTS".to_owned(),
            storage: StorageType::File,
            retention: RetentionPolicy::WorkQueue,
            discard: DiscardPolicy::New,
            ..Config::default()
        };
        assert_eq!(wrong_stream(&right()), [] as [&str; 0]);
        let changes: [fn(&mut Config); 6] = [
            |config| config.storage = StorageType::Memory,
            |config| config.retention = RetentionPolicy::Limits,
            |config| config.discard = DiscardPolicy::Old,
            |config| config.max_age = Duration::from_secs(1),
            |config| config.max_messages_per_subject = 1,
            |config| config.no_ack = true,
        ];
        for (at, change) in changes.iter().enumerate() {
            let mut config = right();
            change(&mut config);
            assert_eq!(wrong_stream(&config).len(), 1, "{at}");
        }
    }
}
