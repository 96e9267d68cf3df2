//! `Message`: a message for the application's message provider.

use serde::Serialize;

use super::document::Document;
use super::fields::{Fields, missing};
use crate::envelope::Auth;
use crate::form::{Array, Mismatch, Value};

/// A message that the application's provider is to send, for example an SMS.
///
/// Respond with any 2xx; Bitrix24 takes the message as sent at once. Report what became of it by
/// `messageservice.message.status.update`. A message **without an author**, for example of a marketing
/// campaign, has no token, and nothing proves where it comes from.
///
/// Documentation page: *messageservice.sender.add*. The withdrawn `bizproc.provider.add` sends the
/// same without an id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Message {
    /// The code of the provider.
    pub code: String,
    /// The type of the provider, such as `SMS`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The id of the message. It stays the same if the portal sends the message again. `None` from a
    /// provider of `bizproc.provider.add`.
    pub message_id: Option<String>,
    /// The recipient, such as a phone number.
    pub to: String,
    /// The text.
    pub body: String,
    /// The module that sends the message, such as `crm`.
    pub module_id: Option<String>,
    /// The objects of the CRM that the message is for.
    pub bindings: Vec<Binding>,
    /// The workflow that sends the message.
    pub workflow_id: Option<String>,
    /// The document of that workflow.
    pub document: Option<Document>,
    /// The values of the registered properties: `phone_number` and `message_text`.
    pub properties: Array,
    /// The time of the request by the portal's clock, in unix seconds.
    pub ts: Option<i64>,
    /// The author of the message.
    pub user_id: Option<u64>,
}

/// An object of the CRM that a message is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Binding {
    /// The type of the object: 1 for a lead, 2 for a deal, 3 for a contact, 4 for a company.
    pub owner_type_id: u64,
    /// The id of the object.
    pub owner_id: u64,
}

impl Message {
    pub(super) fn read(form: &Value, auth: &Auth) -> Result<Self, Mismatch> {
        let fields = Fields(form);
        let properties = fields.array("properties");
        let either = |key: &str, property: &str| {
            let of_properties = || Fields(form.get("properties")?).text(property);
            let text = fields.text(key).or_else(of_properties);
            text.ok_or_else(|| missing(key))
        };
        let document = match form.get("document_id") {
            Some(_) => Some(Document::read(form)?),
            None => None,
        };
        let bindings = fields.array("bindings");
        let bindings = bindings.iter().map(|(key, binding)| {
            Binding::read(binding)
                .ok_or_else(|| Mismatch::unfit(&format!("bindings.{key}"), "two ids are expected"))
        });
        Ok(Self {
            code: fields.required("code")?,
            kind: fields.required("type")?,
            message_id: fields.filled("message_id"),
            to: either("message_to", "phone_number")?,
            body: either("message_body", "message_text")?,
            module_id: fields.filled("module_id"),
            bindings: bindings.collect::<Result<_, _>>()?,
            workflow_id: fields.filled("workflow_id"),
            document,
            properties,
            ts: fields.number("ts"),
            user_id: auth.user_id(),
        })
    }
}

impl Binding {
    fn read(binding: &Value) -> Option<Self> {
        Some(Self {
            owner_type_id: Fields(binding).number("OWNER_TYPE_ID")?,
            owner_id: Fields(binding).number("OWNER_ID")?,
        })
    }
}
