//! Verified events and their payloads.
//!
//! An [`Event`] has passed verification; there is no other way to get one. Its [`Payload`] is that of
//! a [documented event](EventKind) or `Unknown`. In both cases [`Event::data`] has all of the data.

mod bot_auth;
#[cfg(feature = "dedup")]
pub(crate) mod dedup_key;
mod definitions;
pub mod entity;
pub mod kind;
mod macros;
pub mod payload;
mod subject;
mod typed;

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};
use subtle::ConstantTimeEq;

#[cfg(feature = "dedup")]
pub use self::dedup_key::DedupKey;
#[cfg(feature = "testing")]
pub(crate) use self::definitions::definitions;
pub use self::kind::UnknownCode;
pub use self::macros::{EventKind, Payload};
use self::subject::HasObjectId;
pub use self::subject::{Action, ObjectId, Subject};
use crate::envelope::{Auth, Envelope};
use crate::form::{FormReader, LazyTree, Mismatch, Value};
use crate::verify::{VerifyError, VerifyToken};

/// A verified event.
///
/// The layer inserts it into the request's extensions. With the feature `axum` it is an extractor
/// too. [`verify`](Self::verify) creates one without a layer. Clones are cheap and share all data.
///
/// `Debug` and the serialized form are safe to log: tokens are redacted and the body is left out. A
/// serialized event has the fields `event`, `kind`, `handler_id`, `ts`, `auth`, `payload`,
/// `mismatch` and `data`. `kind` is the [name of the kind](EventKind::name), such as `CrmDealAdd`,
/// and `event` is the code as it was sent.
#[derive(Clone)]
pub struct Event(Arc<Inner>);

struct Inner {
    envelope: Envelope,
    kind: Option<EventKind>,
    payload: Payload,
    // Boxed together, so that an event is small.
    unusual: Option<Box<Unusual>>,
    // Most handlers need neither, so they are read on first use.
    auth: OnceLock<Box<Auth>>,
    tree: LazyTree,
}

/// The parts that few events have.
struct Unusual {
    /// Set only if it differs from the code of the event's kind.
    code: Option<Box<str>>,
    mismatch: Option<Mismatch>,
}

impl Unusual {
    // Not inlined, so that the way of the other events is short.
    #[cold]
    #[inline(never)]
    fn new(code: Option<Box<str>>, mismatch: Option<Mismatch>) -> Box<Self> {
        Box::new(Self { code, mismatch })
    }
}

impl Event {
    /// Verifies an envelope and parses the event, for use without a layer, for example in the worker
    /// of a queue.
    ///
    /// ```
    /// use tower_bitrix24::{ApplicationToken, Envelope, Event, Payload};
    ///
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// let token = ApplicationToken::new("51856fefc120afa4b628cc82d3935cce")?;
    /// let body = "event=ONCRMREQUISITEADD&data[FIELDS][ID]=27&ts=1466439714\
    ///             &auth[application_token]=51856fefc120afa4b628cc82d3935cce";
    ///
    /// let envelope = Envelope::scan(body)?;
    /// let event = Event::verify(envelope, &token).await?;
    /// let Payload::CrmRequisiteAdd(requisite) = event.payload() else { panic!("{event:?}") };
    /// assert_eq!(requisite.id, 27);
    ///
    /// let other = ApplicationToken::new("c289487163b58658eae5e8b42eaf11b8")?;
    /// let error = Event::verify(Envelope::scan(body)?, &other).await.unwrap_err();
    /// assert_eq!(error.to_string(), "the application token is rejected");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Returns the verifier's error, or [`Missing`](crate::verify::VerifyErrorKind::Missing) if the
    /// envelope has no token and the verifier does not
    /// [accept such envelopes](VerifyToken::insecure_verify_without_token).
    pub async fn verify<V>(envelope: Envelope, verifier: &V) -> Result<Self, VerifyError>
    where
        V: VerifyToken + ?Sized,
    {
        if !crate::verify::is_verifiable(&envelope, verifier) {
            return Err(VerifyError::missing());
        }
        verifier.verify(&envelope).await?;
        Ok(Self::from_verified(envelope))
    }

    /// Runs the verifier's [completion hook](VerifyToken::on_handled). Call this after handling an
    /// event from [`verify`](Self::verify); the layers do it for you.
    ///
    /// Of this crate's verifiers only `PortalVerifier` has a hook: it removes the portal of an
    /// ONAPPUNINSTALL.
    pub async fn mark_handled<V>(&self, verifier: &V)
    where
        V: VerifyToken + ?Sized,
    {
        if let Some(on_handled) = verifier.on_handled(&self.0.envelope) {
            on_handled.await;
        }
    }

    pub(crate) fn from_verified(envelope: Envelope) -> Self {
        let Some(kind) = EventKind::of_wire(envelope.raw_code()) else {
            return Self::of_unusual_code(envelope);
        };
        let tree = LazyTree::new();
        let data = FormReader::new(envelope.data(), &tree);
        let (payload, unusual) = match Payload::read(kind, &data) {
            Ok(payload) => (payload, None),
            Err(mismatch) => (Payload::Unknown, Some(Unusual::new(None, Some(mismatch)))),
        };
        drop(data);
        Self::new(envelope, Some(kind), payload, unusual, tree)
    }

    #[cold]
    fn of_unusual_code(envelope: Envelope) -> Self {
        let code = envelope.code();
        let kind = EventKind::from_code(&code);
        let code = code.into();
        let tree = LazyTree::new();
        let data = FormReader::new(envelope.data(), &tree);
        let (payload, mismatch) = match kind.map(|kind| Payload::read(kind, &data)) {
            Some(Ok(payload)) => (payload, None),
            Some(Err(mismatch)) => (Payload::Unknown, Some(mismatch)),
            None => (Payload::Unknown, data.unreadable()),
        };
        drop(data);
        let unusual = Some(Unusual::new(Some(code), mismatch));
        Self::new(envelope, kind, payload, unusual, tree)
    }

    fn new(
        envelope: Envelope,
        kind: Option<EventKind>,
        payload: Payload,
        unusual: Option<Box<Unusual>>,
        tree: LazyTree,
    ) -> Self {
        Self(Arc::new(Inner {
            envelope,
            kind,
            payload,
            unusual,
            auth: OnceLock::new(),
            tree,
        }))
    }

    /// Returns the code as it was sent, such as `ONCRMREQUISITEADD`.
    pub fn code(&self) -> &str {
        let unusual = self.0.unusual.as_deref();
        match unusual.and_then(|unusual| unusual.code.as_deref()) {
            Some(code) => code,
            None => self.kind().map_or("", EventKind::as_str),
        }
    }

    /// Returns the kind of the event, or `None` if its code is not documented.
    pub fn kind(&self) -> Option<EventKind> {
        self.0.kind
    }

    /// Returns the id of the handler registration that this request is for (`event_handler_id`).
    /// Two handlers of one event get two requests that differ only in this id. Older portals do not
    /// send it.
    pub fn handler_id(&self) -> Option<u64> {
        self.0.envelope.handler_id()
    }

    /// Returns the time of the event (`ts`), in unix seconds by the portal's clock. The request may
    /// arrive any time later.
    pub fn timestamp(&self) -> Option<i64> {
        self.0.envelope.timestamp()
    }

    /// Returns the time of the event, by the portal's clock. Returns `None` if there is no
    /// [`timestamp`](Self::timestamp), or if `SystemTime` cannot represent it.
    pub fn time(&self) -> Option<SystemTime> {
        let ts = self.timestamp()?;
        let distance = Duration::from_secs(ts.unsigned_abs());
        if ts < 0 {
            SystemTime::UNIX_EPOCH.checked_sub(distance)
        } else {
            SystemTime::UNIX_EPOCH.checked_add(distance)
        }
    }

    /// Cheaper than `auth`, which decodes every field.
    #[cfg(any(feature = "dedup", feature = "tracing"))]
    pub(crate) fn member_id(&self) -> Option<Cow<'_, str>> {
        self.0.envelope.member_id()
    }

    /// Returns the portal that sent the event, and the tokens to call it with.
    ///
    /// OAuth tokens are not always there: events of outgoing webhooks, robots, agents and workflows
    /// have none. Since July 2026 the events of bots have none either, since their subscription does
    /// not belong to a user. [`bot_auth`](Self::bot_auth) returns the tokens of the bot.
    pub fn auth(&self) -> &Auth {
        self.0.auth.get_or_init(|| Box::new(self.0.envelope.auth()))
    }

    /// Returns the payload, in the type of its [`kind`](Self::kind).
    pub fn payload(&self) -> &Payload {
        &self.0.payload
    }

    /// Returns the one object that the event is about, and what happened to it.
    ///
    /// Returns `None` if the event is not about exactly one object, if the object's id is 0 or
    /// empty, or if the payload is [`Payload::Unknown`].
    pub fn subject(&self) -> Option<Subject<'_>> {
        let mut subject = self.payload().subject()?;
        subject.entity_type_id = subject
            .entity_type_id
            .or_else(|| self.entity_type_id_from_code());
        Some(subject)
    }

    /// Returns the id of the object type of a smart process item, from the payload or otherwise
    /// from the code (`ONCRMDYNAMICITEMADD_147`).
    pub fn entity_type_id(&self) -> Option<u64> {
        let from_payload = match self.payload() {
            Payload::CrmDynamicItemAdd(item)
            | Payload::CrmDynamicItemUpdate(item)
            | Payload::CrmDynamicItemDelete(item) => HasObjectId::entity_type_id(&**item),
            _ => None,
        };
        from_payload.or_else(|| self.entity_type_id_from_code())
    }

    fn entity_type_id_from_code(&self) -> Option<u64> {
        let (_, id) = EventKind::parse_dynamic_item_code(self.code())?;
        if id == 0 { None } else { Some(id) }
    }

    /// Returns the payload if the event is of the kind `K`.
    pub fn payload_of<K: kind::Kind>(&self) -> Option<&K::Payload> {
        K::payload(self.payload())
    }

    /// Returns why the payload of a documented event is [`Payload::Unknown`], or why the data of an
    /// event are [not read](Value::MAX_ARRAYS).
    pub fn mismatch(&self) -> Option<&Mismatch> {
        self.0.unusual.as_ref()?.mismatch.as_ref()
    }

    /// Returns all of the data, or `None` if the event has none.
    ///
    /// Also returns `None` if the data have more arrays than [are read](Value::MAX_ARRAYS). Then
    /// there is a [`mismatch`](Self::mismatch), and [`raw_data`](Self::raw_data) returns the data.
    pub fn data(&self) -> Option<&Value> {
        match self.0.tree.get() {
            Some(tree) => tree.as_ref().ok()?.as_ref(),
            None => FormReader::new(self.0.envelope.data(), &self.0.tree)
                .tree()
                .ok()?,
        }
    }

    /// Returns the pairs of the data as they were sent: encoded, and with tokens. Returns `None` if
    /// the event has no data.
    ///
    /// This is for data that are [not read](Value::MAX_ARRAYS), and for other parsers.
    ///
    /// ```
    /// use tower_bitrix24::{ApplicationToken, Envelope, Event};
    ///
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// let body = format!("event=ONAPPTEST&data[QUERY]{}=x&auth[application_token]=192735",
    ///     "[]".repeat(40));
    /// let hostile = body.replace("&data", &format!("&{}data", "data[QUERY][a][][][][][][]=&".repeat(99)));
    /// let token = ApplicationToken::new("192735")?;
    /// let event = Event::verify(Envelope::scan(body)?, &token).await?;
    /// assert!(event.data().is_some());
    ///
    /// let event = Event::verify(Envelope::scan(hostile)?, &token).await?;
    /// assert!(event.data().is_none());
    /// assert_eq!(
    ///     event.mismatch().expect("the data are not read").to_string(),
    ///     "data: more than 256 arrays, and one for each 64 bytes, are not read",
    /// );
    /// let pairs = event.raw_data().expect("they are there");
    /// assert!(pairs.starts_with(b"data[QUERY][a][]"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn raw_data(&self) -> Option<Cow<'_, [u8]>> {
        self.0.envelope.data()
    }

    /// Deserializes the data, which are everything under `data`, as a `T`.
    ///
    /// ```
    /// use serde::Deserialize;
    /// use tower_bitrix24::{ApplicationToken, Envelope, Event};
    ///
    /// #[derive(Deserialize)]
    /// struct Shipment {
    ///     weight: f64,
    ///     stops: Vec<String>,
    /// }
    ///
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// let body = "event=ONSHIPMENT&data[weight]=2.5&data[stops][0]=Riga&data[stops][1]=Kaunas\
    ///             &auth[application_token]=192735";
    /// let event = Event::verify(Envelope::scan(body)?, &ApplicationToken::new("192735")?).await?;
    /// let shipment: Shipment = event.data_as()?;
    /// assert_eq!((shipment.weight, shipment.stops.len()), (2.5, 2));
    /// assert!(event.data_as::<u64>().is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if the data do not fit `T`, or are [not read](Value::MAX_ARRAYS). The message
    /// quotes values of the data.
    pub fn data_as<T: DeserializeOwned>(&self) -> Result<T, Mismatch> {
        FormReader::new(self.0.envelope.data(), &self.0.tree).data()
    }

    /// Returns an upper bound of the event's memory, computed from its body. Strings are held in the
    /// body, the payload and the tree, and a pair costs more there than on the wire.
    #[cfg(feature = "background")]
    pub(crate) fn held_bytes(&self) -> usize {
        // An entry of an array is 56 bytes, besides its key. An array of one entry takes one in the
        // tree. A `Value` in the payload grows as it is read, and has room for four.
        const PER_ARRAY: usize = 5 * 64;
        // The payload of a message alone is more than one kilobyte.
        const PER_EVENT: usize = 4096;

        let body = self.body();
        let pairs = 128 * memchr::memchr_iter(b'&', body).count();
        PER_EVENT + 4 * body.len() + pairs + PER_ARRAY * crate::form::max_arrays(body)
    }

    /// Returns the whole body as it was sent, including tokens.
    pub fn body(&self) -> &Bytes {
        self.0.envelope.body()
    }
}

/// Two events are equal if their bodies are.
impl PartialEq for Event {
    fn eq(&self, other: &Self) -> bool {
        // In constant time, since the bodies contain tokens.
        self.body()[..].ct_eq(&other.body()[..]).into()
    }
}

impl Eq for Event {}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event")
            .field("code", &self.code())
            .field("kind", &self.kind())
            .field("handler_id", &self.handler_id())
            .field("ts", &self.timestamp())
            .field("auth", self.auth())
            .field("payload", self.payload())
            .field("mismatch", &self.mismatch())
            .field("data", &self.data())
            .field("body_bytes", &self.body().len())
            .finish()
    }
}

impl Serialize for Event {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut event = serializer.serialize_struct("Event", 8)?;
        event.serialize_field("event", self.code())?;
        event.serialize_field("kind", &self.kind())?;
        event.serialize_field("handler_id", &self.handler_id())?;
        event.serialize_field("ts", &self.timestamp())?;
        event.serialize_field("auth", self.auth())?;
        event.serialize_field("payload", self.payload())?;
        event.serialize_field("mismatch", &self.mismatch().map(Mismatch::to_string))?;
        event.serialize_field("data", &self.data())?;
        event.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(body: impl Into<Bytes>) -> Event {
        Event::from_verified(Envelope::scan(body).unwrap())
    }

    #[test]
    fn events_are_equal_if_their_bodies_are() {
        let body = "event=ONCRMDEALADD&data[FIELDS][ID]=1";
        assert_eq!(parsed(body), parsed(body));
        assert_ne!(
            parsed(body),
            parsed("event=ONCRMDEALADD&data[FIELDS][ID]=2")
        );
        assert_ne!(
            parsed(body),
            parsed("event=ONCRMDEALADD&data[FIELDS][ID]=11")
        );
    }

    #[test]
    fn payloads_larger_than_an_id_are_boxed() {
        assert!(size_of::<Payload>() <= 16, "{}", size_of::<Payload>());
    }
}
