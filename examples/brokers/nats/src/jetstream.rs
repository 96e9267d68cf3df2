//! `JetStream`: entries in one stream, with a subject and a consumer for each partition.

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, PullConsumer, pull};
use async_nats::jetstream::context::ContextBuilder;
use async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy, StorageType, Stream};
use async_nats::jetstream::{AckKind, Context, Message};
use async_nats::{ConnectOptions, HeaderMap, HeaderValue};
use brokers::{BoxError, Broker, Stats, Taken, cloud_event, partition_of};
use futures_util::StreamExt;
use tokio::sync::OnceCell;
use tokio::time::timeout;
use tower_bitrix24::inbox::{Accept, Accepted, Entry, Outcome, Record};

use crate::Arguments;

const EVENTS: &str = "BITRIX24";
const DEAD: &str = "BITRIX24_DEAD";
const DEAD_SUBJECT: &str = "bitrix24.dead";

/// The prefix of the attributes, by the NATS binding of CloudEvents.
const PREFIX: &str = "ce-";

const CALL_TIMEOUT: Duration = Duration::from_secs(5);

/// The time for which the server holds a request for an entry, and the time that its response may
/// take beyond that.
const TAKE_EXPIRES: Duration = Duration::from_secs(1);
const TAKE_SLACK: Duration = Duration::from_secs(5);

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Entries in JetStream. A clone shares the connection.
#[derive(Clone)]
pub(crate) struct JetStream {
    context: Context,
    events: Stream,
    dead: Stream,
    lease: Duration,
    /// The consumers of the partitions, made when a worker needs them.
    consumers: Arc<[OnceCell<PullConsumer>]>,
}

impl JetStream {
    /// Connects and creates the streams if they are missing.
    pub(crate) async fn connect(arguments: &Arguments) -> Result<Self, BoxError> {
        let mut options = ConnectOptions::new().name("bitrix24-inbox");
        if let Some(file) = &arguments.nats_credentials {
            options = options.credentials_file(file).await?;
        }
        let client = options.connect(&arguments.nats_url).await;
        let client = client.map_err(|error| format!("cannot connect to NATS: {error}"))?;
        let context = ContextBuilder::new().timeout(CALL_TIMEOUT).build(client);
        let events = context.get_or_create_stream(Config {
            name: EVENTS.to_owned(),
            subjects: vec!["bitrix24.events.*".to_owned()],
            storage: StorageType::File,
            retention: RetentionPolicy::WorkQueue,
            discard: DiscardPolicy::New,
            // An event that is sent once is a duplicate within this time.
            duplicate_window: Duration::from_secs(60 * 60),
            num_replicas: arguments.nats_replicas,
            ..Config::default()
        });
        let events = events.await.map_err(|error| {
            format!("cannot create the stream {EVENTS}: {error}. Is JetStream on?")
        })?;
        let dead = context.get_or_create_stream(Config {
            name: DEAD.to_owned(),
            subjects: vec![DEAD_SUBJECT.to_owned()],
            storage: StorageType::File,
            discard: DiscardPolicy::New,
            max_age: DAY * 30,
            num_replicas: arguments.nats_replicas,
            ..Config::default()
        });
        let partitions = arguments.common.partitions;
        Ok(Self {
            dead: dead.await?,
            context,
            events,
            lease: arguments.common.lease(),
            consumers: (0..partitions).map(|_| OnceCell::new()).collect(),
        })
    }

    /// Returns the settings of the stream.
    pub(crate) fn config(&self) -> &Config {
        &self.events.cached_info().config
    }

    /// Returns the names of the servers that keep the entries.
    pub(crate) fn servers(&self) -> Vec<String> {
        let Some(cluster) = &self.events.cached_info().cluster else {
            return vec![self.context.client().server_info().server_name];
        };
        let replicas = cluster.replicas.iter().map(|replica| replica.name.clone());
        cluster.leader.iter().cloned().chain(replicas).collect()
    }

    pub(crate) fn max_payload(&self) -> usize {
        self.context.client().server_info().max_payload
    }

    /// Returns the consumer of a partition. At most one of its entries is delivered and not
    /// acknowledged, to whichever worker asks first: that keeps the order.
    async fn consumer(&self, partition: u32) -> Result<&PullConsumer, BoxError> {
        let create = async || {
            let name = format!("partition-{partition}");
            let config = pull::Config {
                durable_name: Some(name.clone()),
                filter_subject: subject(partition),
                ack_policy: AckPolicy::Explicit,
                ack_wait: self.lease,
                max_ack_pending: 1,
                max_deliver: -1,
                ..pull::Config::default()
            };
            let consumer = self.events.get_or_create_consumer(&name, config).await;
            consumer.map_err(BoxError::from)
        };
        self.consumers[partition as usize]
            .get_or_try_init(create)
            .await
    }

    async fn bury(&self, message: &Message, error: &str) -> Result<(), BoxError> {
        // The attributes alone: by its id the letter could be a duplicate of an earlier one.
        let mut headers = HeaderMap::new();
        for (name, values) in message.headers.iter().flat_map(HeaderMap::iter) {
            if AsRef::<str>::as_ref(name).starts_with(PREFIX) {
                let value = values.first().map_or("", HeaderValue::as_str);
                headers.insert(name.clone(), value);
            }
        }
        // Header values have no line breaks.
        let error: String = error
            .chars()
            .filter(|letter| !letter.is_control())
            .collect();
        headers.insert("error", error.as_str());
        let payload = message.payload.clone();
        let published = self
            .context
            .publish_with_headers(DEAD_SUBJECT, headers, payload);
        published.await?.await?;
        Ok(())
    }
}

fn subject(partition: u32) -> String {
    format!("bitrix24.events.{partition}")
}

impl Accept for JetStream {
    type Error = BoxError;

    /// Publishes all entries, then waits for all acknowledgements. An entry whose acknowledgement got
    /// lost may be stored although its sender gets a 503, and is handled then.
    async fn accept(&self, entries: &[Entry]) -> Result<Vec<Accepted>, BoxError> {
        let mut published = Vec::with_capacity(entries.len());
        for entry in entries {
            let mut headers = HeaderMap::new();
            for (name, value) in cloud_event::attributes(entry) {
                headers.insert(format!("{PREFIX}{name}").as_str(), value.as_str());
            }
            if entry.once {
                headers.insert("Nats-Msg-Id", entry.key.to_string().as_str());
            }
            let partition = partition_of(entry, self.partitions());
            let body = entry.body.clone();
            let publish = self
                .context
                .publish_with_headers(subject(partition), headers, body);
            published.push(publish.await?);
        }
        let mut accepted = Vec::with_capacity(entries.len());
        for acknowledged in published {
            accepted.push(if acknowledged.await?.duplicate {
                Accepted::Duplicate
            } else {
                Accepted::Stored
            });
        }
        Ok(accepted)
    }
}

impl Broker for JetStream {
    type Receipt = Message;

    fn partitions(&self) -> u32 {
        self.consumers.len() as u32
    }

    async fn take(&self, partition: u32) -> Result<Option<Taken<Message>>, BoxError> {
        let consumer = self.consumer(partition).await?;
        let fetch = consumer.fetch().max_messages(1).expires(TAKE_EXPIRES);
        let next = async { fetch.messages().await?.next().await.transpose() };
        let message = timeout(TAKE_EXPIRES + TAKE_SLACK, next).await;
        let message = message.map_err(|_| "NATS does not respond")??;
        Ok(message.map(|message| Taken {
            record: record(&message),
            receipt: message,
        }))
    }

    async fn extend(&self, message: &Message) -> Result<bool, BoxError> {
        call(message.double_ack_with(AckKind::Progress)).await?;
        Ok(true)
    }

    async fn finish(&self, message: &Message, outcome: &Outcome) -> Result<(), BoxError> {
        let kind = match outcome {
            Outcome::Done => AckKind::Ack,
            Outcome::Dead { error } => {
                // Buried before it is removed, so that it is never nowhere.
                self.bury(message, error).await?;
                AckKind::Ack
            }
            Outcome::Retry { after, .. } => AckKind::Nak(Some(*after)),
            _ => AckKind::Nak(None),
        };
        call(message.double_ack_with(kind)).await
    }

    async fn stats(&self) -> Result<Stats, BoxError> {
        let waiting = self.events.get_info().await?.state.messages;
        let dead = self.dead.get_info().await?.state.messages;
        Ok(Stats { waiting, dead })
    }

    async fn retry_dead(&self) -> Result<u64, BoxError> {
        let mut retried = 0;
        let state = self.dead.get_info().await?.state;
        for sequence in state.first_sequence..=state.last_sequence {
            let Ok(letter) = self.dead.get_raw_message(sequence).await else {
                continue;
            };
            let text = |name: &str| {
                letter
                    .headers
                    .get(format!("{PREFIX}{name}"))?
                    .as_str()
                    .into()
            };
            let mut entry = cloud_event::entry(text, letter.payload.clone())?;
            // It was accepted before, and is no duplicate.
            entry.once = false;
            self.accept(&[entry]).await?;
            self.dead.delete_message(sequence).await?;
            retried += 1;
        }
        Ok(retried)
    }
}

async fn call(call: impl Future<Output = Result<(), async_nats::Error>>) -> Result<(), BoxError> {
    let called = timeout(CALL_TIMEOUT, call).await;
    called.map_err(|_| "NATS does not respond")?
}

fn record(message: &Message) -> Result<Record, String> {
    let headers = message.headers.as_ref().ok_or("no attributes")?;
    let text = |name: &str| {
        let value = headers.get(format!("{PREFIX}{name}"));
        value.map(HeaderValue::as_str)
    };
    let entry = cloud_event::entry(text, message.payload.clone())?;
    let info = message.info().map_err(|error| error.to_string())?;
    let seq = i64::try_from(info.stream_sequence).unwrap_or(i64::MAX);
    let millis = info.published.unix_timestamp_nanos() / 1_000_000;
    let mut record = Record::new(seq, entry);
    record.attempts = u32::try_from(info.delivered).unwrap_or(u32::MAX);
    record.first_received = i64::try_from(millis).unwrap_or_default();
    record.received = record.first_received;
    Ok(record)
}
