//! `StoredRequest`: a verified event or callback, as an inbox takes it in and hands it out.

use bytes::Bytes;
use http::{Extensions, Uri};
use serde::Serialize;

use super::entry::Entry;
use super::seal::{Keyring, OpenError};
use crate::callback::Callback;
use crate::envelope::{Auth, Envelope};
use crate::event::Event;
use crate::form::Value;
use crate::handler::{HandlerError, HandlerErrorKind};
use crate::verify::VerifyToken;

/// A verified request that an inbox stores. `Debug` and the serialized form are those of the event or
/// the callback, and have no tokens.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum StoredRequest {
    /// An event.
    Event(Event),
    /// A robot, an activity, a message, or another callback whose sender does not wait for the response.
    Callback(Callback),
}

impl StoredRequest {
    pub(super) fn find(extensions: &Extensions) -> Option<Self> {
        if let Some(callback) = extensions.get::<Callback>() {
            return Some(Self::Callback(callback.clone()));
        }
        extensions.get::<Event>().cloned().map(Self::Event)
    }

    /// Opens an entry. Returns the request and its target.
    pub(super) fn open(keys: &Keyring, entry: &Entry) -> Result<(Self, Uri), OpenError> {
        let contents = keys.open(entry)?;
        let request = match contents.proof {
            Some(proof) => Callback::reopen(contents.body, proof).map(Self::Callback),
            None => Envelope::scan(contents.body)
                .map(Event::from_verified)
                .map(Self::Event),
        };
        let request = request.map_err(OpenError::Unreadable)?;
        // Any path is better than losing the request.
        Ok((request, contents.target.parse().unwrap_or_default()))
    }

    /// Returns the event, or `None` if it is a callback.
    pub const fn event(&self) -> Option<&Event> {
        match self {
            Self::Event(event) => Some(event),
            Self::Callback(_) => None,
        }
    }

    /// Returns the callback, or `None` if it is an event.
    pub const fn callback(&self) -> Option<&Callback> {
        match self {
            Self::Callback(callback) => Some(callback),
            Self::Event(_) => None,
        }
    }

    /// Returns the whole body as it was sent, including tokens.
    pub fn body(&self) -> &Bytes {
        match self {
            Self::Event(event) => event.body(),
            Self::Callback(callback) => callback.body(),
        }
    }

    pub(super) fn insert_into(self, extensions: &mut Extensions) {
        match self {
            Self::Event(event) => {
                extensions.insert(event);
            }
            Self::Callback(callback) => {
                extensions.insert(callback);
            }
        }
    }

    pub(super) fn error(self, kind: HandlerErrorKind) -> HandlerError {
        match self {
            Self::Event(event) => HandlerError::new(kind, Some(event)),
            Self::Callback(callback) => HandlerError::of_callback(kind, callback),
        }
    }

    /// Runs the verifier's completion hook, as the layer does.
    pub(super) async fn mark_handled<V: VerifyToken + ?Sized>(&self, verifier: &V) {
        match self {
            Self::Event(event) => event.mark_handled(verifier).await,
            Self::Callback(callback) => callback.mark_handled(verifier).await,
        }
    }

    pub(super) fn auth(&self) -> &Auth {
        match self {
            Self::Event(event) => event.auth(),
            Self::Callback(callback) => callback.auth(),
        }
    }

    /// Returns the data of the event, or the whole form of the callback but `auth`.
    pub(super) fn data(&self) -> Option<&Value> {
        match self {
            Self::Event(event) => event.data(),
            Self::Callback(callback) => callback.data(),
        }
    }
}
