//! `CallbackEnvelope`: the unverified part of a request other than an event, found in one flat scan.

use std::fmt;

use bytes::Bytes;

use super::callback_key::{CallbackKey, Entry};
use super::callback_kind::CallbackKind;
use super::error::{EnvelopeError, EnvelopeErrorKind};
use super::key::{Field, Key, Root, visit_pairs};
use super::{DataSpan, Envelope, Places, ValueStart};
use crate::form::pairs::end_of_value;
use crate::form::percent::decode;

/// The parts of a callback's body, located and **not yet verified**.
///
/// A callback is any request of the platform that is not an event: a robot, a message, a placement,
/// the settings form. Like an [`Envelope`], it holds what a request claims. The envelope within has
/// no [`code`](Envelope::code), except that of a settings form.
///
/// A form is rejected if parsers could take it for two kinds of request, or could see two tokens.
///
/// ```
/// use tower_bitrix24::envelope::{CallbackEnvelope, CallbackKind};
///
/// let placement = CallbackEnvelope::scan("AUTH_ID=4d7c9b68&member_id=a223&APPLICATION_TOKEN=192735")?;
/// assert_eq!(placement.kind(), CallbackKind::Placement);
/// assert_eq!(placement.envelope().member_id().as_deref(), Some("a223"));
///
/// let two_tokens = "AUTH_ID=4d7c9b68&APPLICATION_TOKEN=192735&auth[application_token]=guess";
/// assert!(CallbackEnvelope::scan(two_tokens).is_err());
/// let two_kinds = "event=ONAPPTEST&event_token=1&auth[application_token]=192735";
/// assert!(CallbackEnvelope::scan(two_kinds).is_err());
/// # Ok::<(), tower_bitrix24::envelope::EnvelopeError>(())
/// ```
#[derive(Clone)]
pub struct CallbackEnvelope {
    envelope: Envelope,
    kind: CallbackKind,
}

impl CallbackEnvelope {
    /// Finds the callback in a form-encoded body.
    ///
    /// # Errors
    ///
    /// Returns an error of kind [`EnvelopeErrorKind::NoCallback`] if the body is an event, or has neither
    /// the keys of a callback nor a token, and of another kind if the body is ambiguous or too long.
    /// The error never contains the body.
    pub fn scan(body: impl Into<Bytes>) -> Result<Self, EnvelopeError> {
        let no_callback = EnvelopeError::new(EnvelopeErrorKind::NoCallback);
        let envelope = match Envelope::scan_with_callbacks(body.into()) {
            Ok(envelope) => envelope,
            Err(error) if error.kind() == EnvelopeErrorKind::NoEvent => return Err(no_callback),
            Err(error) => return Err(error),
        };
        match envelope.places.callback {
            Some(kind) if envelope.claims_callback() => Ok(Self::new(envelope, kind)),
            _ => Err(no_callback),
        }
    }

    pub(crate) fn new(envelope: Envelope, kind: CallbackKind) -> Self {
        Self { envelope, kind }
    }

    /// Returns the kind of the callback.
    pub fn kind(&self) -> CallbackKind {
        self.kind
    }

    /// Returns the fields that verify the callback: the token, the portal and the tokens of OAuth.
    /// Those of a placement are read from its own keys, such as `APPLICATION_TOKEN` and `AUTH_ID`.
    pub fn envelope(&self) -> &Envelope {
        &self.envelope
    }
}

/// Shows what the envelope shows, and the kind.
impl fmt::Debug for CallbackEnvelope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallbackEnvelope")
            .field("kind", &self.kind)
            .field("envelope", &self.envelope)
            .finish()
    }
}

impl Envelope {
    /// Finds an event or a callback in a body.
    pub(crate) fn scan_with_callbacks(body: Bytes) -> Result<Self, EnvelopeError> {
        let mut envelope = Self::unscanned(body);
        envelope.find_event_or_callback()?;
        Ok(envelope)
    }

    /// Fills in the places of an event or a callback.
    pub(crate) fn find_event_or_callback(&mut self) -> Result<(), EnvelopeError> {
        self.check_length()?;
        self.places = Places::find_event_or_callback(&self.body)?;
        Ok(())
    }

    /// Makes this the envelope of a body that is not a form. It has no fields.
    pub(crate) fn set_other_content(&mut self) {
        self.places.callback = Some(CallbackKind::Unknown);
    }

    /// Returns `true` if the platform sends such a callback without the application's token.
    pub(crate) fn may_lack_token(&self) -> bool {
        let kind = self.places.callback;
        kind.is_some_and(|kind| !kind.always_has_token()) && !self.has_application_token()
    }

    /// Returns `true` if the body is a callback that may pass unverified: it has nothing that could
    /// prove its origin, and the platform sends such callbacks.
    pub(crate) fn is_callback_without_proof(&self) -> bool {
        self.may_lack_token() && !self.has_access_token()
    }

    /// Returns `true` if the keys name a kind of callback, or a proof of one.
    pub(crate) fn claims_callback(&self) -> bool {
        self.places.callback.is_some()
            && (self.places.callback != Some(CallbackKind::Unknown)
                || self.raw(Field::ApplicationToken).is_some()
                || self.raw(Field::AccessToken).is_some())
    }

    /// Returns `true` if the access token of the body is that of the user who sees a page.
    pub(crate) fn has_token_of_user(&self) -> bool {
        matches!(
            self.places.callback,
            Some(CallbackKind::Placement | CallbackKind::Settings)
        ) && self.has_access_token()
    }

    fn has_access_token(&self) -> bool {
        self.has_value(Field::AccessToken)
    }

    /// Returns `None` if this is an event.
    pub(crate) fn callback_kind(&self) -> Option<CallbackKind> {
        self.places.callback
    }
}

impl Places {
    fn find_event_or_callback(body: &[u8]) -> Result<Self, EnvelopeError> {
        let mut found = Found::default();
        found.scan(body)?;
        let event = found.places.fields[Field::Event as usize];
        if event.is_some() {
            found.check_event(event.is_empty(body))?;
            if names_settings(&body[event.0 as usize..]) {
                found.places.callback = Some(CallbackKind::Settings);
            }
        } else {
            found.places.callback = Some(found.check_callback()?);
            found.places.data = DataSpan::default();
        }
        Ok(found.places)
    }
}

/// Returns `true` if an encoded code is that of the settings form. `code` may have more behind it.
fn names_settings(code: &[u8]) -> bool {
    // The code of an event is not decoded for this.
    !code.starts_with(b"ON") && decode(&code[..end_of_value(code)]).starts_with(b"OnAppSettings")
}

/// The keys of a body that decide what it is.
#[derive(Default)]
struct Found {
    places: Places,
    keys: [ValueStart; CallbackKey::COUNT],
    /// A bit for each of the keys that appeared without brackets.
    texts: u32,
    has_phone_number: bool,
    /// Concerns the keys of an event, and counts only if the form turns out to be one.
    malformed_event: Option<EnvelopeError>,
    /// Concerns the keys of a proof, so that it counts even if the form turns out to be of no kind.
    malformed_proof: Option<EnvelopeError>,
    malformed: Option<EnvelopeError>,
}

impl Found {
    fn scan(&mut self, body: &[u8]) -> Result<(), EnvelopeError> {
        visit_pairs(body, |pair| {
            let value = ValueStart(pair.value_start as u32);
            match pair.key {
                Key::Field(field) => self.field(field, value),
                Key::Data => self.places.data.add(body, &pair),
                key => {
                    let text = &body[pair.start..pair.value_start];
                    self.rare(key, text.strip_suffix(b"=").unwrap_or(text), value)?;
                }
            }
            Ok(())
        })
    }

    /// Reads a key that is rare in an event. Inlined, it would slow the scan of the others.
    #[inline(never)]
    fn rare(&mut self, read: Key, key: &[u8], value: ValueStart) -> Result<(), EnvelopeError> {
        let Key::Alias(root) = read else {
            self.other(key, value);
            return Ok(());
        };
        let error = EnvelopeError::ambiguous_key(root.as_str());
        if root == Root::Field(Field::Event) {
            return Err(error);
        }
        self.malformed_event = self.malformed_event.or(Some(error));
        let is_proof = !matches!(
            root,
            Root::Data | Root::Field(Field::EventHandlerId | Field::Ts)
        );
        self.reject(is_proof, error);
        Ok(())
    }

    #[inline]
    fn field(&mut self, field: Field, value: ValueStart) {
        let place = &mut self.places.fields[field as usize];
        let is_duplicate = place.is_some();
        *place = value;
        if is_duplicate {
            self.duplicate(field);
        }
    }

    #[cold]
    fn duplicate(&mut self, field: Field) {
        let is_proof = matches!(field, Field::ApplicationToken | Field::AccessToken);
        let error = EnvelopeError::duplicate_key(field.key());
        self.malformed_event = self.malformed_event.or(Some(error));
        self.reject(is_proof, error);
    }

    fn other(&mut self, key: &[u8], value: ValueStart) {
        match CallbackKey::read(key) {
            Some(Entry::Key { key, is_array }) => self.key(key, is_array, value),
            Some(Entry::PhoneNumber) => {
                self.has_phone_number = true;
                self.key(CallbackKey::Properties, true, value);
            }
            Some(Entry::Alias(key)) => {
                let error = EnvelopeError::ambiguous_key(key.as_str());
                self.reject(key.is_marker(), error);
            }
            Some(Entry::OtherCase(key)) => {
                let error = EnvelopeError::ambiguous_key(key.as_str());
                self.reject(false, error);
            }
            None => {}
        }
    }

    fn key(&mut self, key: CallbackKey, is_array: bool, value: ValueStart) {
        let place = &mut self.keys[key as usize];
        let is_duplicate = place.is_some();
        *place = value;
        let was_text = self.texts & (1 << key as u32) != 0;
        if !is_array {
            self.texts |= 1 << key as u32;
        }
        // Empty arrays are sent as a text.
        let is_misshaped = if key.is_array() {
            is_duplicate && (was_text || !is_array)
        } else {
            is_array
        };
        if is_misshaped {
            let error = EnvelopeError::ambiguous_key(key.as_str());
            self.reject(key.is_marker(), error);
        } else if is_duplicate && !key.is_array() {
            self.reject(key.is_marker(), EnvelopeError::duplicate_key(key.as_str()));
        }
    }

    fn reject(&mut self, is_proof: bool, error: EnvelopeError) {
        let place = if is_proof {
            &mut self.malformed_proof
        } else {
            &mut self.malformed
        };
        *place = place.or(Some(error));
    }

    fn has(&self, field: Field) -> bool {
        self.places.fields[field as usize].is_some()
    }

    fn has_key(&self, key: CallbackKey) -> bool {
        self.keys[key as usize].is_some()
    }

    fn is_placement(&self) -> bool {
        self.has_key(CallbackKey::AuthId)
            || self.has_key(CallbackKey::ApplicationToken)
            || self.has_key(CallbackKey::Placement)
    }

    /// Rejects what the scan for events does, and what a later parser could take for a callback.
    fn check_event(&self, is_empty: bool) -> Result<(), EnvelopeError> {
        let mixed = || EnvelopeError::new(EnvelopeErrorKind::MixedKinds);
        if CallbackKey::MARKERS.iter().any(|key| self.has_key(*key)) {
            return Err(mixed());
        }
        // An event without a code, with a token, is of no kind.
        let has_token = self.has(Field::ApplicationToken) || self.has(Field::AccessToken);
        if is_empty && has_token {
            return Err(mixed());
        }
        if let Some(error) = self.malformed_proof.or(self.malformed_event) {
            return Err(error);
        }
        if is_empty {
            return Err(EnvelopeError::new(EnvelopeErrorKind::NoEvent));
        }
        Ok(())
    }

    /// Returns the kind of a body without an event.
    fn check_callback(&mut self) -> Result<CallbackKind, EnvelopeError> {
        if let Some(error) = self.malformed_proof {
            return Err(error);
        }
        let is_placement = self.is_placement();
        let is_robot = self.has_key(CallbackKey::EventToken);
        let has_message_key =
            self.has_key(CallbackKey::MessageId) || self.has_key(CallbackKey::MessageBody);
        let has_auth = (Field::AccessToken as usize..Field::COUNT)
            .any(|field| self.places.fields[field].is_some());
        let is_mixed = is_placement && (is_robot || has_message_key || has_auth)
            || is_robot && has_message_key;
        if is_mixed {
            return Err(EnvelopeError::new(EnvelopeErrorKind::MixedKinds));
        }
        let is_message = self.has_key(CallbackKey::MessageId)
            && self.has_key(CallbackKey::MessageBody)
            || self.has_key(CallbackKey::Type) && self.has_phone_number;
        let kind = if is_placement {
            self.take_placement();
            CallbackKind::Placement
        } else if is_robot {
            CallbackKind::Robot
        } else if is_message {
            CallbackKind::Message
        } else if self.places.data.end != 0 && self.has(Field::ApplicationToken) {
            CallbackKind::Settings
        } else {
            CallbackKind::Unknown
        };
        match self.malformed {
            Some(error) if kind != CallbackKind::Unknown => Err(error),
            _ => Ok(kind),
        }
    }

    /// A placement has the fields of `auth` under keys of its own.
    fn take_placement(&mut self) {
        for (key, field) in [
            (CallbackKey::AuthId, Field::AccessToken),
            (CallbackKey::AuthExpires, Field::ExpiresIn),
            (CallbackKey::RefreshId, Field::RefreshToken),
            (CallbackKey::ServerEndpoint, Field::ServerEndpoint),
            (CallbackKey::ApplicationToken, Field::ApplicationToken),
            (CallbackKey::ApplicationScope, Field::Scope),
            (CallbackKey::MemberId, Field::MemberId),
            (CallbackKey::Status, Field::Status),
        ] {
            self.places.fields[field as usize] = self.keys[key as usize];
        }
    }
}
