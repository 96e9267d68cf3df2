//! The envelope of an entry: the attributes of a [CloudEvent](https://cloudevents.io), 1.0.
//!
//! | attribute | of the entry |
//! |---|---|
//! | `id` | the key, 64 hex digits |
//! | `source` | the portal: `/bitrix24/` and the member id |
//! | `type` | `com.bitrix24.` and the code |
//! | `subject` | the object, such as `crm.deal 42`; absent if there is none |
//! | `time` | the time of the event by the portal's clock |
//! | `partitionkey` | the lane, 64 hex digits; absent if there is none |
//! | `datacontenttype` | `application/octet-stream`: the data are the sealed body |
//! | `format`, `keyid`, `handlerid`, `once` | what opens the body, and identifies the delivery |
//!
//! Brokers show attributes in logs and consoles, so none holds a secret. The key of the inbox binds
//! the body to source, type, id and format: a message whose attributes were changed does not open.

use bytes::Bytes;
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tower_bitrix24::event::DedupKey;
use tower_bitrix24::inbox::Entry;

const SOURCE: &str = "/bitrix24/";
const TYPE: &str = "com.bitrix24.";

/// As the HTTP binding of CloudEvents encodes the values of headers.
const HEADER: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'%');

/// The bytes that are escaped in a segment of a path.
const SEGMENT: &AsciiSet = &HEADER.add(b'#').add(b'/').add(b'<').add(b'>').add(b'?');

/// Returns the attributes of an entry. Values are printable ASCII, as headers need it.
pub fn attributes(entry: &Entry) -> Vec<(&'static str, String)> {
    let member_id = utf8_percent_encode(&entry.member_id, SEGMENT);
    let mut attributes = vec![
        ("specversion", "1.0".to_owned()),
        ("id", entry.key.to_string()),
        ("source", format!("{SOURCE}{member_id}")),
        ("type", encode(&format!("{TYPE}{}", entry.code))),
        ("datacontenttype", "application/octet-stream".to_owned()),
        ("format", entry.format.to_string()),
        ("once", entry.once.to_string()),
    ];
    let mut add = |name, value: Option<String>| attributes.extend(value.map(|value| (name, value)));
    let subject = Some(&entry.subject).filter(|subject| !subject.is_empty());
    add("subject", subject.map(|subject| encode(subject)));
    add("time", entry.timestamp.and_then(rfc3339));
    add("partitionkey", entry.lane.map(|lane| hex(&lane)));
    add("keyid", entry.key_id.map(|id| id.to_string()));
    add("handlerid", entry.handler_id.map(|id| id.to_string()));
    attributes
}

/// Reads an entry back.
///
/// # Errors
///
/// Returns an error if a required attribute is missing or a value cannot be read.
pub fn entry<'a>(get: impl Fn(&str) -> Option<&'a str>, body: Bytes) -> Result<Entry, String> {
    let required = |name: &str| get(name).ok_or_else(|| format!("no attribute `{name}`"));
    let source = required("source")?;
    let kind = required("type")?;
    let format = number("format", Some(required("format")?))?;
    Ok(Entry {
        key: DedupKey::from_bytes(bytes("id", required("id")?)?),
        lane: get("partitionkey")
            .map(|lane| bytes("partitionkey", lane))
            .transpose()?,
        // A broker does not merge.
        merge: None,
        once: get("once") == Some("true"),
        member_id: decode("source", source.strip_prefix(SOURCE))?,
        code: decode("type", kind.strip_prefix(TYPE))?,
        subject: decode("subject", Some(get("subject").unwrap_or_default()))?,
        handler_id: number("handlerid", get("handlerid"))?,
        timestamp: get("time").map(unix_seconds).transpose()?,
        format: format.unwrap_or_default(),
        key_id: number("keyid", get("keyid"))?,
        body,
    })
}

fn encode(text: &str) -> String {
    utf8_percent_encode(text, HEADER).to_string()
}

fn decode(name: &str, text: Option<&str>) -> Result<String, String> {
    let text = text.and_then(|text| percent_decode_str(text).decode_utf8().ok());
    text.map(Into::into).ok_or_else(|| unreadable(name))
}

fn unreadable(name: &str) -> String {
    format!("the attribute `{name}` cannot be read")
}

fn number(name: &str, text: Option<&str>) -> Result<Option<i64>, String> {
    let number = text.map(str::parse).transpose();
    number.map_err(|_| unreadable(name))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes(name: &str, text: &str) -> Result<[u8; 32], String> {
    let digits = text.chars().map(|digit| digit.to_digit(16));
    let digits: Vec<u32> = digits
        .collect::<Option<_>>()
        .ok_or_else(|| unreadable(name))?;
    let pairs = digits.chunks(2).map(|pair| match *pair {
        [high, low] => Some((high * 16 + low) as u8),
        _ => None,
    });
    let bytes: Option<Vec<u8>> = pairs.collect();
    let bytes = bytes.and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or_else(|| unreadable(name))
}

/// A time that a portal made up is left out; the body has it.
fn rfc3339(timestamp: i64) -> Option<String> {
    let time = OffsetDateTime::from_unix_timestamp(timestamp).ok()?;
    time.format(&Rfc3339).ok()
}

fn unix_seconds(text: &str) -> Result<i64, String> {
    let time = OffsetDateTime::parse(text, &Rfc3339);
    time.map(OffsetDateTime::unix_timestamp)
        .map_err(|_| unreadable("time"))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::sync::{Arc, Mutex};

    use axum::Router;
    use tower::ServiceExt;
    use tower_bitrix24::inbox::{Accept, Accepted, Inbox, InboxKey, Outcome, Record};
    use tower_bitrix24::testing::TestEvent;
    use tower_bitrix24::{Event, EventKind};

    use super::*;

    /// Keeps what it is told to store.
    #[derive(Clone, Default)]
    struct Captured(Arc<Mutex<Vec<Entry>>>);

    impl Accept for Captured {
        type Error = std::convert::Infallible;

        async fn accept(&self, entries: &[Entry]) -> Result<Vec<Accepted>, Self::Error> {
            self.0.lock().unwrap().extend_from_slice(entries);
            Ok(vec![Accepted::Stored; entries.len()])
        }
    }

    async fn captured(member_id: &str) -> (Inbox<Captured>, Entry) {
        let store = Captured::default();
        let inbox = Inbox::builder(store.clone(), InboxKey::new([7; 32])).build();
        let event = TestEvent::new(EventKind::CrmDealAdd).member_id(member_id);
        let mut request = event.request::<String>("/bitrix24/events");
        request.extensions_mut().insert(event.event());
        let response = inbox.receive().oneshot(request).await.unwrap();
        assert_eq!(response.status(), 200);
        let entry = store.0.lock().unwrap().pop().unwrap();
        (inbox, entry)
    }

    fn read(attributes: &HashMap<&str, String>, body: &Bytes) -> Result<Entry, String> {
        entry(
            |name| attributes.get(name).map(String::as_str),
            body.clone(),
        )
    }

    #[tokio::test]
    async fn entry_is_the_same_after_it_was_an_envelope() {
        for member_id in [
            "a223c6b3710f85df22e9377d6c4f7553",
            "",
            "a/b c%20\u{e9}\"<\u{1f600}>?",
        ] {
            let (_, stored) = captured(member_id).await;
            let attributes: HashMap<_, _> = attributes(&stored).into_iter().collect();
            for (name, value) in &attributes {
                let is_printable = value.bytes().all(|byte| (0x21..0x7f).contains(&byte));
                assert!(is_printable && !value.is_empty(), "{name}: {value}");
            }
            assert_eq!(read(&attributes, &stored.body), Ok(stored));
        }
    }

    #[tokio::test]
    async fn entry_whose_envelope_was_changed_is_not_handled() {
        let (inbox, stored) = captured("riga").await;
        let handlers = Router::new().fallback(async |_: Event| ());
        let handler = inbox.worker(handlers).handler();
        let envelope: HashMap<_, _> = attributes(&stored).into_iter().collect();
        let mut genuine = Record::new(1, read(&envelope, &stored.body).unwrap());
        genuine.attempts = 1;
        assert_eq!(handler.handle(genuine).await, Outcome::Done);
        for (name, value) in [
            ("source", "/bitrix24/kaunas".to_owned()),
            ("type", "com.bitrix24.ONCRMDEALDELETE".to_owned()),
            ("id", "0".repeat(64)),
            ("format", "2".to_owned()),
            ("keyid", "1".to_owned()),
        ] {
            let mut forged = envelope.clone();
            forged.insert(name, value);
            let mut record = Record::new(1, read(&forged, &stored.body).unwrap());
            record.attempts = 1;
            let outcome = handler.handle(record).await;
            assert!(!matches!(outcome, Outcome::Done), "{name}: {outcome:?}");
        }
    }

    #[tokio::test]
    async fn message_that_is_no_entry_is_an_error_with_the_attribute_that_lacks() {
        let (_, stored) = captured("riga").await;
        let envelope: HashMap<_, _> = attributes(&stored).into_iter().collect();
        for name in ["id", "source", "type", "format"] {
            let mut without = envelope.clone();
            without.remove(name);
            let error = read(&without, &stored.body).unwrap_err();
            assert_eq!(error, format!("no attribute `{name}`"));
        }
        for (name, value) in [
            ("id", "\u{e9}".repeat(32)),
            ("id", "+1".repeat(32)),
            ("time", "x".to_owned()),
        ] {
            let mut broken = envelope.clone();
            broken.insert(name, value);
            let error = read(&broken, &stored.body).unwrap_err();
            assert_eq!(error, format!("the attribute `{name}` cannot be read"));
        }
    }
}
