//! `CallbackPayload`: a callback in the type of its kind.

use serde::{Serialize, Serializer};

use super::message::Message;
use super::placement::Placement;
use super::robot::Robot;
use super::settings::Settings;
use crate::envelope::{Auth, CallbackKind};
use crate::form::{Mismatch, Value};

/// A callback in the type of its kind.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CallbackPayload {
    /// A robot or a workflow activity.
    Robot(Box<Robot>),
    /// A message for a message provider.
    Message(Box<Message>),
    /// A placement, the application's page or its installation page.
    Placement(Box<Placement>),
    /// A request of the settings form.
    Settings(Box<Settings>),
    /// A callback of no known kind, or one that does not fit its kind.
    /// [`Callback::data`](super::Callback::data) has all of it, and
    /// [`Callback::mismatch`](super::Callback::mismatch) the reason.
    Unknown,
}

pub(super) fn read(
    kind: CallbackKind,
    form: &Value,
    auth: &Auth,
    query: Option<&str>,
) -> Result<CallbackPayload, Mismatch> {
    Ok(match kind {
        CallbackKind::Robot => CallbackPayload::Robot(Box::new(Robot::read(form, auth)?)),
        CallbackKind::Message => CallbackPayload::Message(Box::new(Message::read(form, auth)?)),
        CallbackKind::Placement => {
            CallbackPayload::Placement(Box::new(Placement::read(form, query)))
        }
        CallbackKind::Settings => CallbackPayload::Settings(Box::new(Settings::read(form))),
        CallbackKind::Unknown => CallbackPayload::Unknown,
    })
}

/// Writes the payload itself, and nothing for one that is unknown.
impl Serialize for CallbackPayload {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Robot(robot) => robot.serialize(serializer),
            Self::Message(message) => message.serialize(serializer),
            Self::Placement(placement) => placement.serialize(serializer),
            Self::Settings(settings) => settings.serialize(serializer),
            Self::Unknown => serializer.serialize_none(),
        }
    }
}
