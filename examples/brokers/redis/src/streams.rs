//! `Streams`: entries in a stream for each partition.
//!
//! A consumer group hands entries to any consumer that asks, so it keeps no order among workers. Here
//! a worker leases a partition for one entry, in a script: its first entry runs, and no other.

use std::collections::HashMap;
use std::time::Duration;

use brokers::cloud_event;
use brokers::{BoxError, Broker, Stats, Taken, partition_of};
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{AsyncCommands, Client, Script, Value};
use tower_bitrix24::inbox::{Accept, Accepted, Entry, InboxKey, Outcome, Record};

const DEAD: &str = "bitrix24:dead";

/// The field of the sealed body, beside the attributes.
const DATA: &str = "data";

const CALL_TIMEOUT: Duration = Duration::from_secs(5);

/// The pause before another look at a partition that has no entry due.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// Entries in Redis. A clone shares the connection.
#[derive(Clone)]
pub(crate) struct Streams {
    redis: ConnectionManager,
    partitions: u32,
    lease: Duration,
    /// A random name, so that no two processes have the same.
    owner: String,
}

/// An attempt at an entry.
#[derive(Debug)]
pub(crate) struct Receipt {
    partition: u32,
    id: String,
    attempt: u32,
}

impl Streams {
    pub(crate) async fn connect(
        url: &str,
        partitions: u32,
        lease: Duration,
    ) -> Result<Self, BoxError> {
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(CALL_TIMEOUT))
            .set_response_timeout(Some(CALL_TIMEOUT))
            .set_max_delay(Duration::from_secs(1));
        let client = Client::open(url)?;
        let redis = ConnectionManager::new_with_config(client, config).await;
        let redis = redis.map_err(|error| format!("cannot connect to Redis: {error}"))?;
        Ok(Self {
            redis,
            partitions,
            lease,
            owner: InboxKey::generate().to_hex(),
        })
    }

    pub(crate) fn connection(&self) -> ConnectionManager {
        self.redis.clone()
    }

    fn lease_millis(&self) -> u64 {
        u64::try_from(self.lease.as_millis()).unwrap_or(u64::MAX)
    }
}

fn stream(partition: u32) -> String {
    format!("bitrix24:events:{partition}")
}

fn lease(partition: u32) -> String {
    format!("bitrix24:lease:{partition}")
}

fn first(partition: u32) -> String {
    format!("bitrix24:first:{partition}")
}

impl Accept for Streams {
    type Error = BoxError;

    /// One transaction, which Redis syncs before it replies.
    async fn accept(&self, entries: &[Entry]) -> Result<Vec<Accepted>, BoxError> {
        let script = Script::new(include_str!("accept.lua"));
        let mut pipe = redis::pipe();
        pipe.atomic().load_script(&script).ignore();
        for entry in entries {
            let mut call = script.key(stream(partition_of(entry, self.partitions)));
            call.key(format!("bitrix24:once:{}", entry.key));
            call.arg(if entry.once { "once" } else { "often" });
            for (name, value) in cloud_event::attributes(entry) {
                call.arg(name).arg(value);
            }
            call.arg(DATA).arg(&entry.body[..]);
            pipe.invoke_script(&call);
        }
        let outcomes: Vec<String> = pipe.query_async(&mut self.connection()).await?;
        let outcome = |name: &String| match name.as_str() {
            "duplicate" => Accepted::Duplicate,
            _ => Accepted::Stored,
        };
        Ok(outcomes.iter().map(outcome).collect())
    }
}

impl Broker for Streams {
    type Receipt = Receipt;

    fn partitions(&self) -> u32 {
        self.partitions
    }

    async fn take(&self, partition: u32) -> Result<Option<Taken<Receipt>>, BoxError> {
        let script = Script::new(include_str!("take.lua"));
        let mut call = script.key(stream(partition));
        call.key(lease(partition)).key(first(partition));
        call.arg(&self.owner).arg(self.lease_millis());
        let taken: Option<(String, u32, Vec<Value>)> =
            call.invoke_async(&mut self.connection()).await?;
        let Some((id, attempt, fields)) = taken else {
            tokio::time::sleep(POLL_INTERVAL).await;
            return Ok(None);
        };
        let record = record(&id, attempt, &fields);
        let receipt = Receipt {
            partition,
            id,
            attempt,
        };
        Ok(Some(Taken { record, receipt }))
    }

    async fn extend(&self, receipt: &Receipt) -> Result<bool, BoxError> {
        let extend = "return redis.call('GET', KEYS[1]) == ARGV[1] \
                      and redis.call('PEXPIRE', KEYS[1], ARGV[2]) or 0";
        let script = Script::new(extend);
        let mut call = script.key(lease(receipt.partition));
        call.arg(&self.owner).arg(self.lease_millis());
        Ok(call.invoke_async(&mut self.connection()).await?)
    }

    async fn finish(&self, receipt: &Receipt, outcome: &Outcome) -> Result<(), BoxError> {
        let script = Script::new(include_str!("finish.lua"));
        let mut call = script.key(stream(receipt.partition));
        call.key(lease(receipt.partition));
        call.key(first(receipt.partition)).key(DEAD);
        call.arg(&self.owner).arg(receipt.attempt).arg(&receipt.id);
        call.arg(outcome.as_str());
        match outcome {
            Outcome::Retry { after, .. } => {
                call.arg(u64::try_from(after.as_millis()).unwrap_or(u64::MAX));
            }
            outcome => {
                call.arg(outcome.error().unwrap_or_default());
            }
        }
        // Otherwise the lease had ended, and another worker has the entry.
        let _: bool = call.invoke_async(&mut self.connection()).await?;
        Ok(())
    }

    async fn stats(&self) -> Result<Stats, BoxError> {
        let mut redis = self.connection();
        let mut waiting = 0;
        for partition in 0..self.partitions {
            let len: u64 = redis.xlen(stream(partition)).await?;
            waiting += len;
        }
        let dead = redis.xlen(DEAD).await?;
        Ok(Stats { waiting, dead })
    }

    async fn retry_dead(&self) -> Result<u64, BoxError> {
        let mut redis = self.connection();
        let mut retried = 0;
        loop {
            let letters: Vec<(String, Vec<Value>)> =
                redis.xrange_count(DEAD, "-", "+", 100).await?;
            if letters.is_empty() {
                return Ok(retried);
            }
            for (id, fields) in letters {
                // Without the error, which comes first.
                let fields = fields.get(2..).unwrap_or_default();
                let mut pipe = redis::pipe();
                let add = pipe.atomic().cmd("XADD");
                add.arg(stream(partition_of_fields(fields, self.partitions)));
                add.arg("*");
                for field in fields {
                    add.arg(bytes(field).unwrap_or_default());
                }
                add.ignore().xdel(DEAD, &[id]).ignore();
                let () = pipe.query_async(&mut redis).await?;
                retried += 1;
            }
        }
    }
}

fn bytes(value: &Value) -> Option<&[u8]> {
    match value {
        Value::BulkString(bytes) => Some(bytes),
        _ => None,
    }
}

fn fields_of(fields: &[Value]) -> HashMap<&str, &[u8]> {
    let pairs = fields.chunks_exact(2);
    let pairs = pairs.filter_map(|pair| {
        let name = std::str::from_utf8(bytes(&pair[0])?).ok()?;
        Some((name, bytes(&pair[1])?))
    });
    pairs.collect()
}

/// Returns the partition that holds the lane of an entry.
fn partition_of_fields(fields: &[Value], partitions: u32) -> u32 {
    // An unreadable letter has no lane.
    entry(&fields_of(fields)).map_or(0, |entry| partition_of(&entry, partitions))
}

fn entry(fields: &HashMap<&str, &[u8]>) -> Result<Entry, String> {
    let text = |name: &str| std::str::from_utf8(fields.get(name)?).ok();
    let data = fields.get(DATA).ok_or("no field `data`")?;
    cloud_event::entry(text, data.to_vec().into())
}

fn record(id: &str, attempt: u32, fields: &[Value]) -> Result<Record, String> {
    let entry = entry(&fields_of(fields))?;
    // The id is the time in milliseconds, and a number within the millisecond.
    let (millis, number) = id.split_once('-').unwrap_or((id, "0"));
    let millis: i64 = millis
        .parse()
        .map_err(|_| "the id of the entry is no time")?;
    let number: i64 = number.parse().unwrap_or_default();
    let mut record = Record::new(millis.saturating_mul(1000).saturating_add(number), entry);
    record.attempts = attempt;
    record.first_received = millis;
    record.received = millis;
    Ok(record)
}

#[cfg(test)]
mod tests {
    use tower_bitrix24::event::DedupKey;

    use super::*;

    #[test]
    fn dead_letter_returns_to_the_partition_of_its_lane() {
        for id in 0..100_u64 {
            let mut lane = [0xAB; 32];
            lane[24..].copy_from_slice(&id.to_be_bytes());
            let entry = Entry {
                key: DedupKey::from_bytes([7; 32]),
                lane: (id > 0).then_some(lane),
                merge: None,
                once: false,
                member_id: "a".to_owned(),
                code: "ONCRMDEALUPDATE".to_owned(),
                subject: "crm.deal 42".to_owned(),
                handler_id: None,
                timestamp: None,
                format: tower_bitrix24::inbox::FORMAT,
                key_id: None,
                body: "x".into(),
            };
            let value = |text: &[u8]| Value::BulkString(text.to_vec());
            let attributes = cloud_event::attributes(&entry).into_iter();
            let mut fields: Vec<Value> = attributes
                .flat_map(|(name, text)| [value(name.as_bytes()), value(text.as_bytes())])
                .collect();
            fields.extend([value(DATA.as_bytes()), value(&entry.body)]);
            assert_eq!(
                partition_of_fields(&fields, 16),
                partition_of(&entry, 16),
                "{id}"
            );
        }
        assert_eq!(partition_of_fields(&[], 16), 0);
    }
}
