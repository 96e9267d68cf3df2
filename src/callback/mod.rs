//! Verified callbacks: the requests of the platform that are not events, typed.
//!
//! Bitrix24 calls an application's URLs for more than its events: robots and workflow activities ask
//! it to work, message providers to send, placements to show a page, the settings form to describe
//! itself. [`EventLayer::callbacks`](crate::EventLayer::callbacks) makes the layer verify these too,
//! by the same token and within the same limits.
//!
//! A [`Callback`] has passed verification; there is no other way to get one. What it proves is its
//! [`Proof`], which is less than it seems: **every employee can read the application's token**.

mod document;
mod fields;
mod json_error;
mod message;
mod payload;
mod placement;
mod proof;
mod response;
mod robot;
mod settings;
mod settings_form;
mod shown_json;
mod unknown;

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

pub use self::document::Document;
pub use self::json_error::JsonError;
pub use self::message::{Binding, Message};
pub use self::payload::CallbackPayload;
use self::placement::PLACEMENT_OPTIONS;
pub use self::placement::{Placement, PlacementCode, PlacementOptions};
pub use self::proof::{Proof, ProofLevel};
pub use self::response::{html_response, json_response};
pub use self::robot::{Robot, RobotResult};
pub use self::settings::{Settings, SettingsAction};
pub use self::settings_form::{SettingsField, SettingsForm, SettingsStep};
use self::shown_json::ShownJson;
pub use self::unknown::UnknownKind;
use crate::envelope::Auth;
#[cfg(any(feature = "inbox", feature = "tracing"))]
use crate::envelope::Envelope;
pub use crate::envelope::{CallbackEnvelope, CallbackKind};
#[cfg(feature = "inbox")]
use crate::envelope::{EnvelopeError, EnvelopeErrorKind};
use crate::form::{Mismatch, Value, read_form, read_value};
use crate::verify::{VerifyError, VerifyToken};

/// A verified callback.
///
/// The layer inserts it into the request's extensions if
/// [`callbacks`](crate::EventLayer::callbacks) are on. [`verify`](Self::verify) creates one without a
/// layer. Clones are cheap and share all data.
///
/// `Debug` and the serialized form redact tokens, and leave the body out. A serialized callback has
/// the fields `callback`, `proof`, `auth`, `typed`, `unknown_kind`, `mismatch` and `data`.
#[derive(Clone)]
pub struct Callback(Arc<Inner>);

struct Inner {
    envelope: CallbackEnvelope,
    payload: CallbackPayload,
    mismatch: Option<Mismatch>,
    proof: Proof,
    /// `None` if it is not read, or not a form.
    data: Option<Value>,
    is_json: bool,
    auth: OnceLock<Box<Auth>>,
}

impl Callback {
    /// Verifies the token of a callback and reads it, for use without a layer.
    ///
    /// ```
    /// use tower_bitrix24::ApplicationToken;
    /// use tower_bitrix24::callback::{Callback, CallbackEnvelope, CallbackPayload};
    ///
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// let body = "workflow_id=1&code=ship&document_id[0]=crm&document_id[1]=CCrmDocumentDeal\
    ///             &document_id[2]=DEAL_18&document_type[0]=crm&document_type[1]=CCrmDocumentDeal\
    ///             &document_type[2]=DEAL&event_token=1.a&properties[weight]=2.5&timeout_duration=0\
    ///             &ts=1769083200&auth[application_token]=192735";
    /// let token = ApplicationToken::new("192735")?;
    /// let callback = Callback::verify(CallbackEnvelope::scan(body)?, &token).await?;
    /// let CallbackPayload::Robot(robot) = callback.payload() else { panic!("{callback:?}") };
    /// assert_eq!((robot.code.as_str(), robot.document.id.as_str()), ("ship", "18"));
    ///
    /// let other = ApplicationToken::new("guess")?;
    /// assert!(Callback::verify(CallbackEnvelope::scan(body)?, &other).await.is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Returns the verifier's error, or [`Missing`](crate::verify::VerifyErrorKind::Missing) if the
    /// callback has no token. A callback without a token is never verified, not even by a verifier that
    /// [accepts such events](VerifyToken::insecure_verify_without_token). A page without the
    /// application's token is verified if the verifier [introspects](VerifyToken::introspect) it.
    pub async fn verify<V>(callback: CallbackEnvelope, verifier: &V) -> Result<Self, VerifyError>
    where
        V: VerifyToken + ?Sized,
    {
        if callback.envelope().has_token_of_user() {
            if let Some(introspection) = verifier.introspect(callback.envelope()) {
                let proof = introspection.await?.into();
                return Ok(Self::from_verified(callback, proof, None));
            }
        }
        if !callback.envelope().has_application_token() {
            return Err(VerifyError::missing());
        }
        verifier.verify(callback.envelope()).await?;
        Ok(Self::from_verified(callback, Proof::ApplicationToken, None))
    }

    /// `query` is that of the request's URL.
    pub(crate) fn from_verified(
        envelope: CallbackEnvelope,
        proof: Proof,
        query: Option<&str>,
    ) -> Self {
        let auth = OnceLock::new();
        let data = read_form(envelope.envelope().body()).map(|mut form| {
            if let Value::Array(form) = &mut form {
                form.remove("auth");
            }
            form
        });
        let read = data.as_ref().map_err(Clone::clone).and_then(|data| {
            let auth = auth.get_or_init(|| Box::new(envelope.envelope().auth()));
            payload::read(envelope.kind(), data, auth, query)
        });
        let (payload, mismatch) = match read {
            Ok(payload) => (payload, None),
            Err(mismatch) => (CallbackPayload::Unknown, Some(mismatch)),
        };
        Self(Arc::new(Inner {
            envelope,
            payload,
            mismatch,
            proof,
            data: data.ok(),
            is_json: false,
            auth,
        }))
    }

    /// Reads a callback that was verified before it was sealed.
    #[cfg(feature = "inbox")]
    pub(crate) fn reopen(body: Bytes, proof: Proof) -> Result<Self, EnvelopeError> {
        let envelope = Envelope::scan_with_callbacks(body)?;
        let kind = envelope.callback_kind();
        let kind = kind.ok_or(EnvelopeError::new(EnvelopeErrorKind::NoCallback))?;
        let envelope = CallbackEnvelope::new(envelope, kind);
        Ok(Self::from_verified(envelope, proof, None))
    }

    pub(crate) fn from_verified_json(envelope: CallbackEnvelope, proof: Proof) -> Self {
        Self(Arc::new(Inner {
            envelope,
            payload: CallbackPayload::Unknown,
            mismatch: None,
            proof,
            data: None,
            is_json: true,
            auth: OnceLock::new(),
        }))
    }

    /// Returns the kind that the keys of the form tell.
    pub fn kind(&self) -> CallbackKind {
        self.0.envelope.kind()
    }

    /// Returns what has proved the origin of the callback.
    pub fn proof(&self) -> Proof {
        self.0.proof
    }

    /// Returns which of the rarer requests a callback of the kind
    /// [`Unknown`](CallbackKind::Unknown) seems to be.
    pub fn unknown_kind(&self) -> Option<UnknownKind> {
        if self.kind() != CallbackKind::Unknown {
            return None;
        }
        if self.0.is_json {
            return UnknownKind::of_json(&serde_json::from_slice(self.body()).ok()?);
        }
        UnknownKind::of_form(self.data()?, self.auth().access_token().is_some())
    }

    /// Returns `true` if somebody waits for the response: a person for a page or a form, or the portal
    /// for JSON. Such a callback cannot be handled later.
    ///
    /// Nobody waits for the response to a robot, a message, a Webhook robot, an error of a placement or a
    /// marketing webhook. Nor is it known of a callback that is none of the documented ones.
    ///
    /// ```
    /// # #[cfg(feature = "testing")] {
    /// use tower_bitrix24::callback::PlacementCode;
    /// use tower_bitrix24::testing::TestCallback;
    ///
    /// assert!(TestCallback::placement(PlacementCode::Default).callback().wants_response());
    /// assert!(!TestCallback::robot("ship").callback().wants_response());
    /// # }
    /// ```
    pub fn wants_response(&self) -> bool {
        match self.kind() {
            CallbackKind::Placement | CallbackKind::Settings => true,
            CallbackKind::Robot | CallbackKind::Message => false,
            CallbackKind::Unknown if self.0.is_json => true,
            CallbackKind::Unknown => matches!(
                self.unknown_kind(),
                Some(
                    UnknownKind::PageWidget
                        | UnknownKind::PaySystem
                        | UnknownKind::Cashbox
                        | UnknownKind::Delivery
                        | UnknownKind::AiEngine
                        | UnknownKind::BiConnector
                )
            ),
        }
    }

    /// Runs the verifier's [completion hook](VerifyToken::on_handled), unless the verifier has not seen
    /// the callback.
    #[cfg(feature = "inbox")]
    pub(crate) async fn mark_handled<V: VerifyToken + ?Sized>(&self, verifier: &V) {
        if self.proof() == Proof::UrlSecret {
            return;
        }
        if let Some(on_handled) = verifier.on_handled(self.0.envelope.envelope()) {
            on_handled.await;
        }
    }

    /// Returns the callback in the type of its [`kind`](Self::kind).
    pub fn payload(&self) -> &CallbackPayload {
        &self.0.payload
    }

    /// Returns why the payload of a known kind is [`CallbackPayload::Unknown`], or why the data are
    /// [not read](Value::MAX_ARRAYS).
    pub fn mismatch(&self) -> Option<&Mismatch> {
        self.0.mismatch.as_ref()
    }

    /// Returns the portal and the tokens of the callback: those of its `auth`, or for a placement
    /// those of its own keys (`AUTH_ID`, `REFRESH_ID`, `member_id`, …).
    ///
    /// A placement has no `client_endpoint` and no `user_id`.
    pub fn auth(&self) -> &Auth {
        let envelope = self.0.envelope.envelope();
        self.0.auth.get_or_init(|| Box::new(envelope.auth()))
    }

    /// Returns the whole form except `auth`, as PHP's `$_POST` has it.
    ///
    /// Returns `None` if the form has more arrays than [are read](Value::MAX_ARRAYS). Then there is a
    /// [`mismatch`](Self::mismatch), and [`body`](Self::body) has the form. Returns `None` for JSON too,
    /// which [`json_as`](Self::json_as) reads.
    pub fn data(&self) -> Option<&Value> {
        self.0.data.as_ref()
    }

    /// Deserializes the whole form except `auth` as a `T`.
    ///
    /// # Errors
    ///
    /// Returns an error if the form does not fit `T`, is [not read](Value::MAX_ARRAYS), or is JSON. The
    /// message quotes values of the form.
    pub fn data_as<T: DeserializeOwned>(&self) -> Result<T, Mismatch> {
        match (&self.0.data, &self.0.mismatch) {
            (Some(data), _) => read_value(data, "data"),
            (None, Some(mismatch)) => Err(mismatch.clone()),
            (None, None) => Err(Mismatch::unfit(
                "",
                "the body is JSON: read it with `json_as`",
            )),
        }
    }

    /// Deserializes a JSON body as a `T`. Only deliveries and providers of AI send JSON.
    ///
    /// # Errors
    ///
    /// Returns an error if the body is not JSON or does not fit `T`. The message may quote values.
    pub fn json_as<T: DeserializeOwned>(&self) -> Result<T, JsonError> {
        serde_json::from_slice(self.body()).map_err(JsonError::new)
    }

    /// Returns the whole body as it was sent, including tokens.
    pub fn body(&self) -> &Bytes {
        self.0.envelope.envelope().body()
    }

    /// The options of a placement are JSON in a string, whose secrets the redaction of a form does not
    /// see.
    fn redacted_data(&self) -> Option<RedactedData<'_>> {
        if self.0.is_json {
            let mut json = ShownJson::read(self.body())?;
            json.remove("auth");
            return Some(RedactedData::Json(json));
        }
        let mut data = Cow::Borrowed(self.data()?);
        let options = data.get(PLACEMENT_OPTIONS).and_then(Value::as_str);
        if let Some(redacted) = options.and_then(placement::redacted_options) {
            if let Value::Array(form) = data.to_mut() {
                if let Some(options) = form.get_mut(PLACEMENT_OPTIONS) {
                    *options = redacted.into();
                }
            }
        }
        Some(RedactedData::Form(data))
    }

    #[cfg(feature = "tracing")]
    pub(crate) fn envelope(&self) -> &Envelope {
        self.0.envelope.envelope()
    }
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum RedactedData<'a> {
    Form(Cow<'a, Value>),
    Json(ShownJson),
}

impl fmt::Debug for Callback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Callback")
            .field("kind", &self.kind())
            .field("proof", &self.proof())
            .field("auth", self.auth())
            .field("payload", self.payload())
            .field("mismatch", &self.mismatch())
            .field("data", &self.redacted_data())
            .field("body_bytes", &self.body().len())
            .finish()
    }
}

impl Serialize for Callback {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut callback = serializer.serialize_struct("Callback", 7)?;
        callback.serialize_field("callback", self.kind().as_str())?;
        callback.serialize_field("proof", self.proof().as_str())?;
        callback.serialize_field("auth", self.auth())?;
        callback.serialize_field("typed", self.payload())?;
        callback.serialize_field("unknown_kind", &self.unknown_kind())?;
        callback.serialize_field("mismatch", &self.mismatch().map(Mismatch::to_string))?;
        callback.serialize_field("data", &self.redacted_data())?;
        callback.end()
    }
}
