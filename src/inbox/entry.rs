//! `Entry`: an event as a store keeps it.

use std::fmt;

use bytes::Bytes;

use crate::callback::Proof;
use crate::event::dedup_key::hash;
use crate::event::{Action, DedupKey, Event, EventKind, ObjectId, Subject};
use crate::form::Value;

/// The version of the format of [`Entry::body`] that this version of the crate writes. A store hands
/// out no entries of a later format, and leaves them for a process that knows it.
pub const FORMAT: i64 = CALLBACK_FORMAT;

/// Events keep the first format, so that a process of an earlier version handles them too.
const EVENT_FORMAT: i64 = 1;

/// The body begins with the proof of the callback.
pub(super) const CALLBACK_FORMAT: i64 = 2;

/// Longer member ids are stored as a hash, since databases bound the size of an indexed value.
const MAX_MEMBER_ID_LEN: usize = 128;
pub(super) const MAX_CODE_LEN: usize = 128;
pub(super) const MAX_SUBJECT_LEN: usize = 128;

/// An event as a store keeps it: what it needs for order and identity, and the sealed body.
///
/// Nothing but [`body`](Self::body) holds a secret, and that is sealed.
#[derive(Clone, PartialEq, Eq)]
pub struct Entry {
    /// The identity of the delivery. Entries with the same key have the same lane.
    pub key: DedupKey,
    /// The lane: entries of one lane are handled one at a time, in order. `None` if the event is
    /// about no object, so that nothing waits for it and it waits for nothing.
    ///
    /// Not all of its bytes look random: lanes of objects that were created one after another may
    /// follow each other.
    pub lane: Option<[u8; 32]>,
    /// An entry replaces the last one of its lane that has the same merge key and was never tried.
    /// `None` if it replaces none.
    pub merge: Option<[u8; 32]>,
    /// `true` if the platform sends such an event once, so that an equal one is a duplicate for as
    /// long as the store remembers the first. Otherwise it is one only while the first waits untried.
    pub once: bool,
    /// The portal, without control characters. A member id of more than 128 bytes is a hash.
    pub member_id: String,
    /// The code of the event, shortened if it is long, without control characters.
    pub code: String,
    /// The object as an operator reads it, such as `crm.deal 42`. Empty if there is none.
    pub subject: String,
    /// The id of the handler registration.
    pub handler_id: Option<i64>,
    /// The time of the event by the portal's clock, in unix seconds.
    pub timestamp: Option<i64>,
    /// The format of the body. The store keeps it with the entry.
    pub format: i64,
    /// Identifies the key that sealed the body. `None` if the body is not sealed.
    pub key_id: Option<i64>,
    /// The sealed request target and body.
    pub body: Bytes,
}

/// Everything of an [`Entry`] but its body.
pub(super) struct Identity {
    pub(super) key: DedupKey,
    pub(super) lane: Option<[u8; 32]>,
    pub(super) merge: Option<[u8; 32]>,
    pub(super) once: bool,
    pub(super) member_id: String,
    pub(super) code: String,
    pub(super) subject: String,
    pub(super) handler_id: Option<i64>,
    pub(super) timestamp: Option<i64>,
    pub(super) format: i64,
    /// `None` for an event, whose proof is always its token.
    pub(super) proof: Option<Proof>,
}

impl Identity {
    pub(super) fn of(event: &Event, coalesce: bool) -> Self {
        let member_id = &*event.member_id().unwrap_or_default();
        let handler_id = event.handler_id().and_then(|id| i64::try_from(id).ok());
        let subject = event.subject();
        let merge = subject
            .as_ref()
            .filter(|subject| coalesce && is_mergeable(subject, event.data()))
            .map(|_| merge_key(event, member_id, handler_id));
        let action = subject.as_ref().map(|subject| subject.action);
        Self {
            key: event.dedup_key(),
            lane: lane(event, member_id, subject.as_ref()),
            merge,
            once: matches!(action, Some(Action::Added | Action::Deleted)),
            member_id: clean_member_id(member_id),
            code: clean(event.code(), MAX_CODE_LEN),
            subject: subject.map_or(String::new(), |subject| {
                let id = match subject.entity_type_id {
                    Some(kind) => format!("{} {kind}:{}", subject.entity, subject.id),
                    None => format!("{} {}", subject.entity, subject.id),
                };
                clean(id, MAX_SUBJECT_LEN)
            }),
            handler_id,
            timestamp: event.timestamp(),
            format: EVENT_FORMAT,
            proof: None,
        }
    }

    /// Returns the data that a sealed body is bound to.
    pub(super) fn associated_data(&self) -> Vec<u8> {
        associated_data(self.format, &self.member_id, &self.code, &self.key)
    }

    pub(super) fn with_body(self, key_id: Option<i64>, body: Bytes) -> Entry {
        Entry {
            key: self.key,
            lane: self.lane,
            merge: self.merge,
            once: self.once,
            member_id: self.member_id,
            code: self.code,
            subject: self.subject,
            handler_id: self.handler_id,
            timestamp: self.timestamp,
            format: self.format,
            key_id,
            body,
        }
    }
}

impl Entry {
    pub(super) fn associated_data(&self) -> Vec<u8> {
        associated_data(self.format, &self.member_id, &self.code, &self.key)
    }
}

fn associated_data(format: i64, member_id: &str, code: &str, key: &DedupKey) -> Vec<u8> {
    let parts = [member_id.as_bytes(), code.as_bytes(), key.as_bytes()];
    let mut data = Vec::with_capacity(8 + parts.map(|part| 8 + part.len()).iter().sum::<usize>());
    data.extend_from_slice(&format.to_be_bytes());
    for part in parts {
        data.extend_from_slice(&(part.len() as u64).to_be_bytes());
        data.extend_from_slice(part);
    }
    data
}

fn merge_key(event: &Event, member_id: &str, handler_id: Option<i64>) -> [u8; 32] {
    let handler = handler_id.map_or(String::new(), |id| id.to_string());
    let code = event.code().to_ascii_uppercase();
    let parts = [member_id, &code, &handler].map(str::as_bytes);
    let data = event.raw_data().unwrap_or_default();
    hash("merge", &[&parts[..], &[&data]].concat())
}

fn lane(event: &Event, member_id: &str, subject: Option<&Subject<'_>>) -> Option<[u8; 32]> {
    let member_id = member_id.as_bytes();
    if let Some(subject) = subject {
        let kind = subject.entity_type_id.map(|id| id.to_string());
        let kind = kind.unwrap_or_default();
        let parts = [member_id, subject.entity.as_bytes(), kind.as_bytes()];
        return Some(match subject.id {
            ObjectId::Number(id) => numbered(hash("objects", &parts), id),
            ObjectId::Text(id) => hash("lane", &[&parts[..], &[id.as_bytes()]].concat()),
        });
    }
    // The application itself is the object: an uninstallation must not overtake the installation.
    matches!(
        event.kind(),
        Some(EventKind::AppInstall | EventKind::AppUpdate | EventKind::AppUninstall)
    )
    .then(|| hash("application", &[member_id]))
}

/// A number follows those before it, so that a portal's newest objects lie together in an index.
fn numbered(mut objects: [u8; 32], id: u64) -> [u8; 32] {
    objects[24..].copy_from_slice(&id.to_be_bytes());
    objects
}

/// Returns `true` if the event says that the object was changed, and nothing about the change.
fn is_mergeable(subject: &Subject<'_>, data: Option<&Value>) -> bool {
    if !matches!(subject.action, Action::Updated | Action::Saved) {
        return false;
    }
    let id = subject.id.to_string();
    let kind = subject.entity_type_id.map(|id| id.to_string());
    // Events of tasks have `undefined` in fields that are not sent.
    let is_known = |text: &str| text == id || Some(text) == kind.as_deref() || text == "undefined";
    data.is_some_and(|data| all_texts(data, &is_known))
}

fn all_texts(value: &Value, accept: &dyn Fn(&str) -> bool) -> bool {
    match value.as_array() {
        Some(array) => array.values().all(|value| all_texts(value, accept)),
        None => value.as_str().is_some_and(accept),
    }
}

/// Returns the member id as entries have it.
pub(super) fn clean_member_id(member_id: &str) -> String {
    if member_id.len() > MAX_MEMBER_ID_LEN {
        let hash = hash("member_id", &[member_id.as_bytes()]);
        return format!("sha256:{}", DedupKey::from_bytes(hash));
    }
    clean(member_id, MAX_MEMBER_ID_LEN)
}

/// PostgreSQL rejects a zero byte in a text, and a line break would forge a line of a list.
pub(super) fn clean(text: impl Into<String> + AsRef<str>, limit: usize) -> String {
    let is_kept = |letter: char| !letter.is_control();
    if text.as_ref().len() <= limit && text.as_ref().chars().all(is_kept) {
        return text.into();
    }
    let text = text.as_ref();
    let mut end = text.len().min(limit);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let letters = text[..end].chars();
    letters
        .map(|letter| {
            if is_kept(letter) {
                letter
            } else {
                char::REPLACEMENT_CHARACTER
            }
        })
        .collect()
}

/// Shows the length of the body.
impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry")
            .field("key", &self.key)
            .field("member_id", &self.member_id)
            .field("code", &self.code)
            .field("subject", &self.subject)
            .field("handler_id", &self.handler_id)
            .field("timestamp", &self.timestamp)
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::envelope::Envelope;

    fn identity(body: &str) -> Identity {
        let event = Event::from_verified(Envelope::scan(body.to_owned()).unwrap());
        Identity::of(&event, true)
    }

    const DEAL: &str = "event=ONCRMDEALUPDATE&event_handler_id=1&data[FIELDS][ID]=42&ts=9\
                        &auth[member_id]=a&auth[access_token]=t&auth[application_token]=t";

    #[test]
    fn key_depends_on_everything_but_the_tokens() {
        let key = |from: &str, to: &str| identity(&DEAL.replace(from, to)).key;
        let deal = identity(DEAL).key;
        assert_eq!(key("access_token]=t", "access_token]=u"), deal);
        assert_eq!(key("ONCRMDEALUPDATE", "onCrmDealUpdate"), deal);
        for (from, to) in [
            ("ONCRMDEALUPDATE", "ONCRMDEALADD"),
            ("handler_id=1", "handler_id=2"),
            ("[ID]=42", "[ID]=43"),
            ("ts=9", "ts=8"),
            ("member_id]=a", "member_id]=b"),
        ] {
            assert_ne!(key(from, to), deal, "{to}");
        }
    }

    #[test]
    fn lane_is_that_of_the_object_whatever_happened_to_it() {
        let lane = |from: &str, to: &str| identity(&DEAL.replace(from, to)).lane;
        let deal = identity(DEAL).lane;
        assert_eq!(lane("UPDATE", "DELETE"), deal);
        assert_eq!(lane("handler_id=1", "handler_id=2"), deal);
        assert_ne!(lane("=42", "=43"), deal);
        assert_ne!(lane("DEAL", "LEAD"), deal);
        assert_ne!(lane("member_id]=a", "member_id]=b"), deal);
        assert_eq!(lane("ONCRMDEALUPDATE", "ONSOMETHING"), None);
        assert_eq!(
            lane("ONCRMDEALUPDATE", "ONAPPINSTALL"),
            lane("ONCRMDEALUPDATE", "ONAPPUNINSTALL")
        );
    }

    #[test]
    fn lanes_of_objects_with_consecutive_numbers_follow_each_other() {
        let lane = |id: &str| identity(&DEAL.replace("=42", id)).lane.unwrap();
        let lanes = ["=254", "=255", "=256", "=70000"].map(lane);
        assert!(lanes.is_sorted());
        assert!(lanes.iter().all(|lane| lane[..24] == lanes[0][..24]));
        let currency = |id: &str| {
            let body = DEAL.replace("DEAL", "CURRENCY").replace("42", id);
            identity(&body).lane.unwrap()
        };
        assert_ne!(currency("EUR"), currency("USD"));
    }

    #[test]
    fn only_updates_that_hold_nothing_but_the_id_merge() {
        let merge = |from: &str, to: &str| identity(&DEAL.replace(from, to)).merge;
        assert!(identity(DEAL).merge.is_some());
        assert_eq!(merge("ts=9", "ts=8"), identity(DEAL).merge);
        assert_ne!(merge("handler_id=1", "handler_id=2"), identity(DEAL).merge);
        assert_eq!(merge("UPDATE", "ADD"), None);
        assert_eq!(merge("UPDATE", "DELETE"), None);
        assert_eq!(merge("&ts", "&data[FIELDS][STAGE]=NEW&ts"), None);
    }

    #[test]
    fn columns_have_no_control_characters_and_a_bounded_length() {
        let body = format!(
            "event=ON%00X%0AY{}&auth[member_id]={}&auth[application_token]=t",
            "é".repeat(100),
            "m".repeat(5000)
        );
        let identity = identity(&body);
        assert!(identity.code.starts_with("ON\u{fffd}X\u{fffd}Y"));
        assert!(identity.code.len() < 200);
        assert!(identity.member_id.starts_with("sha256:") && identity.member_id.len() == 71);
    }
}
