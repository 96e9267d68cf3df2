//! Payloads of the scope `imconnector`.

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use super::{ImFileType, ImGender};
use crate::form::Value;
use crate::form::field::{
    Flag, List, OneOrMany, lenient, objects, optional_flag, optional_number, optional_object,
};
use crate::secret::Secret;

/// A dialog through a connector was opened or closed. Documentation pages:
/// *OnImConnectorDialogStart* and *OnImConnectorDialogFinish*.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[non_exhaustive]
pub struct ConnectorDialog {
    /// The connector's code.
    pub connector: Option<String>,
    /// The id of the open line.
    #[serde(default, deserialize_with = "optional_number")]
    pub line: Option<u64>,
    /// The dialogs (`DATA`).
    #[serde(rename = "DATA", default)]
    pub records: OneOrMany<ConnectorDialogRecord>,
}

/// A dialog that was opened or closed. Documentation page: *OnImConnectorDialogStart*.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[non_exhaustive]
pub struct ConnectorDialogRecord {
    /// The connector that the dialog goes through.
    #[serde(default, deserialize_with = "optional_object")]
    pub connector: Option<ConnectorInfo>,
    /// The dialog's session.
    #[serde(default, deserialize_with = "optional_object")]
    pub session: Option<ConnectorSession>,
    /// The chat in the external system.
    #[serde(default, deserialize_with = "optional_object")]
    pub chat: Option<ConnectorChat>,
    /// The user in the external system.
    #[serde(default, deserialize_with = "optional_object")]
    pub user: Option<ConnectorUser>,
}

/// The connector that a dialog of an open line goes through. Documentation pages:
/// *OnImConnectorDialogStart* and *OnOpenLineMessageAdd*.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[non_exhaustive]
pub struct ConnectorInfo {
    /// The connector's code, such as `livechat`.
    pub connector_id: Option<String>,
    /// The id of the open line.
    #[serde(default, deserialize_with = "optional_number")]
    pub line_id: Option<u64>,
    /// The chat's id. In events of messages it is the id in the external system, of any form.
    pub chat_id: Option<String>,
    /// The customer's id, or `0`. The documentation calls it an id of the external system on one page,
    /// and an id of Bitrix24 on another.
    pub user_id: Option<String>,
}

/// A session of an open line. Documentation pages: *OnImConnectorDialogStart* and *OnSessionStart*.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[non_exhaustive]
pub struct ConnectorSession {
    /// The session's id.
    #[serde(default, deserialize_with = "optional_number")]
    pub id: Option<u64>,
    /// Yes if the session is over.
    #[serde(default, deserialize_with = "optional_flag")]
    pub closed: Option<Flag>,
    /// The id of the previous session, or 0.
    #[serde(default, deserialize_with = "optional_number")]
    pub parent_id: Option<u64>,
    /// The time until the session closes itself, in minutes.
    #[serde(default, deserialize_with = "optional_number")]
    pub close_term: Option<u64>,
}

/// A chat in the external system. Documentation pages: *OnImConnectorMessageAdd* and
/// *OnImConnectorDialogStart*.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[non_exhaustive]
pub struct ConnectorChat {
    /// The chat's id in the external system, such as `channel-123`.
    pub id: Option<String>,
}

/// A user in the external system. Documentation pages: *OnImConnectorDialogStart* and
/// *OnSessionStart*.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[non_exhaustive]
pub struct ConnectorUser {
    /// The user's id, in the form of the external system, or `0`.
    pub id: Option<String>,
}

/// An operator wrote a message that a connector must deliver. Documentation page:
/// *OnImConnectorMessageAdd*.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[non_exhaustive]
pub struct ConnectorMessageAdd {
    /// The connector's code.
    pub connector: Option<String>,
    /// The id of the open line.
    #[serde(default, deserialize_with = "optional_number")]
    pub line: Option<u64>,
    /// The messages.
    #[serde(default)]
    pub messages: OneOrMany<ConnectorMessageAddRecord>,
}

/// A message to deliver. Documentation page: *OnImConnectorMessageAdd*.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[non_exhaustive]
pub struct ConnectorMessageAddRecord {
    /// The message in Bitrix24.
    #[serde(default, deserialize_with = "optional_object")]
    pub im: Option<ConnectorIm>,
    /// The text and the author.
    #[serde(default, deserialize_with = "optional_object")]
    pub message: Option<ConnectorNewMessage>,
    /// The chat in the external system.
    #[serde(default, deserialize_with = "optional_object")]
    pub chat: Option<ConnectorChat>,
    /// The operator who wrote the message, as customers see them.
    #[serde(default, deserialize_with = "optional_object")]
    pub user: Option<ConnectorOperator>,
}

/// The content of a message to deliver. Documentation page: *OnImConnectorMessageAdd*.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[non_exhaustive]
pub struct ConnectorNewMessage {
    /// The id of the operator who wrote it.
    #[serde(default, deserialize_with = "optional_number")]
    pub user_id: Option<u64>,
    /// The text, with BB codes.
    pub text: Option<String>,
    /// The files, which must be delivered too.
    #[serde(default, deserialize_with = "objects")]
    pub files: List<ConnectorFile>,
    /// The attachments. The platform sends each as a string of JSON.
    #[serde(default)]
    pub attachments: OneOrMany<Value>,
    /// The message's parameters, such as `IS_DELIVERED`.
    pub params: Option<Value>,
}

/// A file of a message that a connector must deliver.
///
/// The links are secrets: anyone who has them can open the file.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ConnectorFile {
    /// The file's name, such as `photo.jpg`.
    #[serde(default, deserialize_with = "lenient")]
    pub name: Option<String>,
    /// The kind of file (`type`).
    #[serde(rename = "type", default, deserialize_with = "lenient")]
    pub kind: Option<ImFileType>,
    /// The media type, such as `image/jpeg`.
    #[serde(default, deserialize_with = "lenient")]
    pub mime: Option<String>,
    /// The public address of the file, which redirects to [`download_link`](Self::download_link).
    #[serde(default, deserialize_with = "lenient")]
    pub link: Option<Secret>,
    /// The address that downloads the file, without the portal's host, or empty.
    #[serde(default, deserialize_with = "lenient")]
    pub download_link: Option<Secret>,
    /// The size in bytes.
    #[serde(default, deserialize_with = "lenient")]
    pub size: Option<u64>,
    /// The size in the portal's language (`sizef`), such as `33.7 KB`.
    #[serde(default, deserialize_with = "lenient")]
    pub sizef: Option<String>,
    /// The width of a picture, in pixels.
    #[serde(default, deserialize_with = "lenient")]
    pub width: Option<u64>,
    /// The height of a picture, in pixels.
    #[serde(default, deserialize_with = "lenient")]
    pub height: Option<u64>,
}

/// An operator of an open line, as customers see them.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[non_exhaustive]
pub struct ConnectorOperator {
    /// The operator's id.
    #[serde(default, deserialize_with = "lenient")]
    pub id: Option<u64>,
    /// The full name.
    #[serde(default, deserialize_with = "lenient")]
    pub name: Option<String>,
    /// The first name.
    #[serde(default, deserialize_with = "lenient")]
    pub first_name: Option<String>,
    /// The last name.
    #[serde(default, deserialize_with = "lenient")]
    pub last_name: Option<String>,
    /// The job title.
    #[serde(default, deserialize_with = "lenient")]
    pub work_position: Option<String>,
    /// The gender.
    #[serde(default, deserialize_with = "lenient")]
    pub gender: Option<ImGender>,
    /// The address of the picture, or empty.
    #[serde(default, deserialize_with = "lenient")]
    pub avatar: Option<String>,
    /// The id of the picture; 0 if there is none.
    #[serde(default, deserialize_with = "lenient")]
    pub avatar_id: Option<u64>,
    /// Yes if the operator is online.
    #[serde(default, deserialize_with = "lenient")]
    pub online: Option<Flag>,
}

/// An operator changed a message that a connector delivered. Documentation page:
/// *OnImConnectorMessageUpdate*.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[non_exhaustive]
pub struct ConnectorMessageUpdate {
    /// The connector's code.
    pub connector: Option<String>,
    /// The id of the open line.
    #[serde(default, deserialize_with = "optional_number")]
    pub line: Option<u64>,
    /// The messages.
    #[serde(default)]
    pub messages: OneOrMany<ConnectorMessageUpdateRecord>,
}

/// A message that was changed. Documentation page: *OnImConnectorMessageUpdate*.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[non_exhaustive]
pub struct ConnectorMessageUpdateRecord {
    /// The message in Bitrix24.
    #[serde(default, deserialize_with = "optional_object")]
    pub im: Option<ConnectorIm>,
    /// The message's ids and new text.
    #[serde(default, deserialize_with = "optional_object")]
    pub message: Option<ConnectorChangedMessage>,
    /// The chat in the external system.
    #[serde(default, deserialize_with = "optional_object")]
    pub chat: Option<ConnectorChat>,
}

/// The content of a message that was changed. Documentation page: *OnImConnectorMessageUpdate*.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[non_exhaustive]
pub struct ConnectorChangedMessage {
    /// The ids of the message in the external system: a list for an update, a single id for a
    /// deletion.
    #[serde(default)]
    pub id: OneOrMany<String>,
    /// The new text, with BB codes.
    pub text: Option<String>,
}

/// An operator deleted a message that a connector delivered. Documentation page:
/// *OnImConnectorMessageDelete*.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[non_exhaustive]
pub struct ConnectorMessageDelete {
    /// The connector's code.
    pub connector: Option<String>,
    /// The id of the open line.
    #[serde(default, deserialize_with = "optional_number")]
    pub line: Option<u64>,
    /// The messages.
    #[serde(default)]
    pub messages: OneOrMany<ConnectorMessageDeleteRecord>,
}

/// A message that was deleted. Documentation page: *OnImConnectorMessageDelete*.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[non_exhaustive]
pub struct ConnectorMessageDeleteRecord {
    /// The message in Bitrix24.
    #[serde(default, deserialize_with = "optional_object")]
    pub im: Option<ConnectorIm>,
    /// The message's ids.
    #[serde(default, deserialize_with = "optional_object")]
    pub message: Option<ConnectorDeletedMessage>,
    /// The chat in the external system.
    #[serde(default, deserialize_with = "optional_object")]
    pub chat: Option<ConnectorChat>,
}

/// The content of a deleted message. Documentation page: *OnImConnectorMessageDelete*.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[non_exhaustive]
pub struct ConnectorDeletedMessage {
    /// The ids of the message in the external system: a list for an update, a single id for a
    /// deletion.
    #[serde(default)]
    pub id: OneOrMany<String>,
}

/// A message in Bitrix24. Documentation pages: *OnImConnectorMessageAdd* and
/// *OnOpenLineMessageUpdate*.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[non_exhaustive]
pub struct ConnectorIm {
    /// The id of the message's chat.
    #[serde(default, deserialize_with = "optional_number")]
    pub chat_id: Option<u64>,
    /// The message's id.
    #[serde(default, deserialize_with = "optional_number")]
    pub message_id: Option<u64>,
}

/// A connector was switched off on an open line. Documentation page: *OnImConnectorStatusDelete*.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[non_exhaustive]
pub struct ConnectorStatus {
    /// The connector's code.
    pub connector: Option<String>,
    /// The id of the open line.
    #[serde(default, deserialize_with = "optional_number")]
    pub line: Option<u64>,
}

/// An open line was deleted. Its id is the whole of `data`. Documentation page:
/// *OnImConnectorLineDelete*.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(transparent)]
pub struct ConnectorLineId(
    /// The id of the open line.
    pub u64,
);
