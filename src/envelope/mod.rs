//! The unverified part of a request, found in one flat scan.
//!
//! Unverified input meets only [`Envelope::scan`]. It walks the `key=value` pairs once, builds no tree,
//! allocates nothing and stops at [`Envelope::MAX_PAIRS`] pairs. It rejects a body with an envelope
//! key that appears twice or in two spellings: any later parser of the body sees the token that was
//! verified.

mod auth;
mod callback;
mod callback_key;
mod callback_kind;
mod error;
mod key;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use bytes::Bytes;

pub use self::auth::{ApplicationStatus, Auth};
pub use self::callback::CallbackEnvelope;
pub use self::callback_kind::CallbackKind;
pub use self::error::{EnvelopeError, EnvelopeErrorKind};
use self::key::{Field, Key, Root, visit_pairs};
use crate::form::pairs::{Pair, end_of_value, pairs};
use crate::form::percent::{decode, decode_text};

/// The parts of an event request's body, located and **not yet verified**.
///
/// An envelope holds what a request claims. Until it is verified and becomes an
/// [`Event`](crate::Event), do not trust anything in it, least of all the addresses.
///
/// ```
/// use tower_bitrix24::Envelope;
///
/// let envelope = Envelope::scan(
///     "event=ONCRMREQUISITEADD&data[FIELDS][ID]=27&auth[domain]=some-domain.bitrix24.com\
///      &auth[application_token]=51856fefc120afa4b628cc82d3935cce",
/// )?;
/// assert_eq!(envelope.code(), "ONCRMREQUISITEADD");
/// assert_eq!(envelope.auth().domain(), "some-domain.bitrix24.com");
///
/// // A second token would let the verifier and a later parser see different values.
/// let rejected = Envelope::scan("event=ONAPPTEST&auth[application_token]=a&auth%5bapplication_token]=b");
/// assert_eq!(rejected.unwrap_err().to_string(), "the key auth[application_token] appears twice");
/// # Ok::<(), tower_bitrix24::envelope::EnvelopeError>(())
/// ```
#[derive(Clone)]
pub struct Envelope {
    body: Bytes,
    places: Places,
}

/// The places of the envelope's parts in the body.
#[derive(Clone, Default)]
struct Places {
    fields: Fields,
    data: DataSpan,
    /// Set by the scan for callbacks, never by the scan for events.
    callback: Option<CallbackKind>,
}

/// The offset in the body at which the value of each field starts. It ends at the next `&`.
type Fields = [ValueStart; Field::COUNT];

/// 0 if there is no value: a key stands before each.
#[derive(Clone, Copy, Default)]
struct ValueStart(u32);

impl ValueStart {
    fn is_some(self) -> bool {
        self.0 != 0
    }

    fn is_empty(self, body: &[u8]) -> bool {
        matches!(body[self.0 as usize..], [] | [b'&', ..])
    }
}

/// From the start of the first pair of `data` to the end of the last.
#[derive(Clone, Copy, Default)]
struct DataSpan {
    start: u32,
    /// 0 if there are none.
    end: u32,
    /// Other pairs stand between those of `data`.
    is_mixed: bool,
}

impl DataSpan {
    #[inline]
    fn add(&mut self, body: &[u8], pair: &Pair<'_, Key>) {
        if self.end == 0 {
            self.start = pair.start as u32;
        } else if self.end as usize + 1 != pair.start {
            // Adjacent pairs have nothing but their `&`s between them.
            let between = &body[self.end as usize..pair.start];
            self.is_mixed |= between.iter().any(|&byte| byte != b'&');
        }
        self.end = pair.end as u32;
    }
}

impl Envelope {
    /// The maximum number of `key=value` pairs in a body. The longest documented event has under a
    /// hundred, and PHP reads no more than 1,000 by default.
    pub const MAX_PAIRS: usize = 10_000;

    /// Finds the envelope in a form-encoded body.
    ///
    /// # Errors
    ///
    /// Returns an error of kind [`EnvelopeErrorKind::NoEvent`] if the body has no `event` or an empty
    /// one, and of another kind if the body is ambiguous or too long. The error never contains the
    /// body.
    pub fn scan(body: impl Into<Bytes>) -> Result<Self, EnvelopeError> {
        let mut envelope = Self::unscanned(body.into());
        envelope.find_event()?;
        Ok(envelope)
    }

    /// Creates an envelope without fields. They are then filled in place, so that no envelope is moved.
    pub(crate) fn unscanned(body: Bytes) -> Self {
        Self {
            body,
            places: Places::default(),
        }
    }

    /// Fills in the places of an event.
    pub(crate) fn find_event(&mut self) -> Result<(), EnvelopeError> {
        self.check_length()?;
        let body = &*self.body;
        // Not in place: for each pair the scan would read and write what is behind `self`.
        let (mut fields, mut data) = (Fields::default(), DataSpan::default());
        // Duplicate keys matter only if the form turns out to be an event.
        let mut malformed = None;
        visit_pairs(body, |pair| {
            match pair.key {
                Key::Field(field) => {
                    let place = &mut fields[field as usize];
                    if place.is_some() {
                        malformed = malformed.or(Some(EnvelopeError::duplicate_key(field.key())));
                    }
                    *place = ValueStart(pair.value_start as u32);
                }
                Key::Data => data.add(body, &pair),
                Key::Alias(root) => {
                    let error = EnvelopeError::ambiguous_key(root.as_str());
                    if root == Root::Field(Field::Event) {
                        return Err(error);
                    }
                    malformed = malformed.or(Some(error));
                }
                Key::Other => {}
            }
            Ok(())
        })?;

        let code = fields[Field::Event as usize];
        match malformed {
            Some(error) if code.is_some() => Err(error),
            None if code.is_some() && !code.is_empty(body) => {
                (self.places.fields, self.places.data) = (fields, data);
                Ok(())
            }
            _ => Err(EnvelopeError::new(EnvelopeErrorKind::NoEvent)),
        }
    }

    fn check_length(&self) -> Result<(), EnvelopeError> {
        match u32::try_from(self.body.len()) {
            Ok(_) => Ok(()),
            Err(_) => Err(EnvelopeError::new(EnvelopeErrorKind::TooLong)),
        }
    }

    /// Returns the event's code as it was sent, such as `ONCRMREQUISITEADD`.
    pub fn code(&self) -> Cow<'_, str> {
        self.text(Field::Event).unwrap_or_default()
    }

    /// Returns the code, still encoded.
    pub(crate) fn raw_code(&self) -> &[u8] {
        self.raw(Field::Event).unwrap_or_default()
    }

    /// Returns the id of the handler registration (`event_handler_id`) that this request is for.
    ///
    /// Older portals do not send one.
    pub fn handler_id(&self) -> Option<u64> {
        self.number(Field::EventHandlerId)
    }

    /// Returns when the event happened by the portal's clock (`ts`), in unix seconds.
    pub fn timestamp(&self) -> Option<i64> {
        self.number(Field::Ts)
    }

    /// Returns the decoded bytes of `auth[application_token]`, which alone can verify a request.
    /// `None` if it is absent or empty.
    pub fn application_token(&self) -> Option<Cow<'_, [u8]>> {
        let token = decode(self.raw(Field::ApplicationToken)?);
        (!token.is_empty()).then_some(token)
    }

    pub(crate) fn has_application_token(&self) -> bool {
        self.has_value(Field::ApplicationToken)
    }

    /// Returns the portal that the request claims to come from, `auth[member_id]`.
    /// `None` if it is absent or empty.
    pub fn member_id(&self) -> Option<Cow<'_, str>> {
        self.text(Field::MemberId).filter(|id| !id.is_empty())
    }

    /// Returns everything in `auth`, decoded.
    pub fn auth(&self) -> Auth {
        Auth::read(self)
    }

    /// Returns the whole body.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// The pairs of `data`, still encoded, without the pairs between them. `None` if
    /// the body has no `data`.
    pub(crate) fn data(&self) -> Option<Cow<'_, [u8]>> {
        let DataSpan {
            start,
            end,
            is_mixed,
        } = self.places.data;
        if end == 0 {
            return None;
        }
        let data = &self.body[start as usize..end as usize];
        if !is_mixed {
            return Some(Cow::Borrowed(data));
        }
        let mut gathered = Vec::with_capacity(data.len());
        for pair in pairs(data).filter(|pair| Key::read(pair.key) == Key::Data) {
            if !gathered.is_empty() {
                gathered.push(b'&');
            }
            gathered.extend_from_slice(&data[pair.start..pair.end]);
        }
        Some(Cow::Owned(gathered))
    }

    fn raw(&self, field: Field) -> Option<&[u8]> {
        let start = self.places.fields[field as usize];
        start.is_some().then(|| {
            let text = &self.body[start.0 as usize..];
            &text[..end_of_value(text)]
        })
    }

    fn has_value(&self, field: Field) -> bool {
        let start = self.places.fields[field as usize];
        start.is_some() && !start.is_empty(&self.body)
    }

    fn text(&self, field: Field) -> Option<Cow<'_, str>> {
        self.raw(field).map(decode_text)
    }

    fn number<N: FromStr>(&self, field: Field) -> Option<N> {
        self.text(field)?.parse().ok()
    }
}

/// Shows only what is safe to log: no token and no values of the body beyond the envelope.
impl fmt::Debug for Envelope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Envelope")
            .field("code", &self.code())
            .field("handler_id", &self.handler_id())
            .field("ts", &self.timestamp())
            .field("member_id", &self.member_id())
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}
