//! Payloads of the scope `imconnector`.

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::payload::samples::{parse, sample};

    #[test]
    fn connector_dialog_opens_and_closes() {
        for (name, closed) in [("START", false), ("FINISH", true)] {
            let name = format!("ONIMCONNECTORDIALOG{name}");
            let event: ConnectorDialog = sample(&name);
            assert_eq!(event.connector.as_deref(), Some("newcustomconnector"));
            assert_eq!(event.line, Some(105));
            let [record] = &*event.records else {
                panic!("{event:?}")
            };
            let session = record.session.as_ref().unwrap();
            assert_eq!((session.id, session.close_term), (Some(3282), Some(10)));
            assert_eq!(session.closed, Some(closed.into()));
            let user = record.user.as_ref().unwrap();
            assert_eq!(user.id.as_deref(), Some("0"));
        }
    }

    #[test]
    fn external_ids_of_a_connector_are_strings() {
        let body = "event=ONIMCONNECTORDIALOGSTART&data[DATA][0][connector][chat_id]=repair-chat\
                    &data[DATA][0][chat][id]=repair-chat&data[DATA][0][user][id]=%2B49";
        let event: ConnectorDialog = parse(body).unwrap();
        let record = event.records.into_iter().next().unwrap();
        assert_eq!(
            record.connector.unwrap().chat_id.as_deref(),
            Some("repair-chat")
        );
        assert_eq!(record.chat.unwrap().id.as_deref(), Some("repair-chat"));
        assert_eq!(record.user.unwrap().id.as_deref(), Some("+49"));
    }

    #[test]
    fn connector_message_is_typed() {
        let event: ConnectorMessageAdd = sample("ONIMCONNECTORMESSAGEADD");
        assert_eq!(
            (event.connector.as_deref(), event.line),
            (Some("myconnector"), Some(107))
        );
        let record = event.messages.into_iter().next().unwrap();
        assert_eq!(record.im.unwrap().message_id, Some(86497));
        assert_eq!(record.message.unwrap().user_id, Some(27));
        assert_eq!(record.chat.unwrap().id.as_deref(), Some("channel-123"));
    }

    /// `pairs` are those of the message, each after an `&`.
    fn outgoing(pairs: &str) -> ConnectorMessageAddRecord {
        let pairs = pairs.replace('&', "&data[MESSAGES][0]");
        let body = format!("event=ONIMCONNECTORMESSAGEADD{pairs}&data[MESSAGES][0][chat][id]=7");
        let event: ConnectorMessageAdd =
            parse(body).unwrap_or_else(|mismatch| panic!("{pairs}: {mismatch}"));
        event.messages.into_iter().next().unwrap()
    }

    #[test]
    fn connector_message_has_its_files_and_operator() {
        let record = outgoing(
            "&[message][files][0][name]=a.jpg&[message][files][0][type]=image\
             &[message][files][0][downloadLink]=/disk/downloadFile/1/&[message][files][0][size]=9\
             &[message][files][0][width]=640&[message][files][1][name]=b.pdf\
             &[message][attachments][0]={}&[message][params][IS_DELIVERED]=Y\
             &[user][ID]=1&[user][NAME]=A&[user][ONLINE]=1&[user][AVATAR_ID]=0",
        );
        let message = record.message.unwrap();
        let [picture, document] = &message.files[..] else {
            panic!("{message:?}")
        };
        assert_eq!(picture.kind, Some(ImFileType::Image));
        assert_eq!((picture.size, picture.width), (Some(9), Some(640)));
        let link = picture.download_link.as_ref().unwrap();
        assert_eq!(link.expose(), "/disk/downloadFile/1/");
        assert_eq!(document.name.as_deref(), Some("b.pdf"));
        assert_eq!(message.attachments[0].as_str(), Some("{}"));
        let params = message.params.unwrap();
        assert_eq!(params["IS_DELIVERED"].as_str(), Some("Y"));
        let user = record.user.unwrap();
        assert_eq!((user.id, user.avatar_id), (Some(1), Some(0)));
        assert_eq!(user.online, Some(true.into()));
    }

    #[test]
    fn unexpected_files_attachments_and_operators_lose_no_connector_message() {
        for key in [
            "[message][files]",
            "[message][attachments]",
            "[message][params]",
            "[user]",
        ] {
            for shape in [
                "=",
                "=0",
                "=x",
                "[0]=x",
                "[x]=y",
                "[x][y]=z",
                "[0][name][x]=1",
                "[0][size]=x",
                "[ID][x]=1",
                "[NAME][0]=x",
                "[GENDER][x]=M",
                "[0][name]=%FF",
                "[]=x",
                "=%FF",
            ] {
                let record = outgoing(&format!("&{key}{shape}"));
                assert_eq!(
                    record.chat.unwrap().id.as_deref(),
                    Some("7"),
                    "{key}{shape}"
                );
            }
        }
    }

    #[test]
    fn connector_file_links_are_redacted() {
        let record = outgoing(
            "&[message][files][0][link]=https://p/~s3cret&[message][files][0][downloadLink]=s3cret",
        );
        let json = serde_json::to_string(&record).unwrap();
        for shown in [format!("{record:?}"), json] {
            assert!(!shown.contains("s3cret"), "{shown}");
            assert_eq!(shown.matches("[redacted]").count(), 2, "{shown}");
        }
    }

    #[test]
    fn connector_message_ids_are_a_list_or_a_single_one() {
        let event: ConnectorMessageUpdate = sample("ONIMCONNECTORMESSAGEUPDATE");
        let record = event.messages.into_iter().next().unwrap();
        assert_eq!(*record.message.unwrap().id, ["ext-msg-005"]);
        let event: ConnectorMessageDelete = sample("ONIMCONNECTORMESSAGEDELETE");
        let record = event.messages.into_iter().next().unwrap();
        assert_eq!(*record.message.unwrap().id, ["ext-msg-005"]);
        assert_eq!(record.im.unwrap().message_id, Some(86501));

        let body = "event=X&data[MESSAGES][2][message][id]=&data[MESSAGES][5][message][id][3]=a";
        let event: ConnectorMessageUpdate = parse(body).unwrap();
        let messages = event.messages.into_iter().map(|record| record.message);
        let ids = messages.map(|message| message.map(|message| message.id.into_vec()));
        assert_eq!(
            ids.collect::<Vec<_>>(),
            [Some(vec![]), Some(vec!["a".to_owned()])]
        );
    }

    #[test]
    fn connector_records_may_be_a_single_one_or_none() {
        let event: ConnectorDialog = parse("event=X&data[DATA][session][id]=7").unwrap();
        assert_eq!(event.records[0].session.as_ref().unwrap().id, Some(7));
        let event: ConnectorMessageAdd = parse("event=X&data[MESSAGES][chat][id]=a").unwrap();
        assert_eq!(event.messages.len(), 1);
        for nothing in ["", "0", "false"] {
            let body = format!("event=X&data[DATA]={nothing}&data[MESSAGES]={nothing}");
            assert!(
                parse::<ConnectorDialog>(body.clone())
                    .unwrap()
                    .records
                    .is_empty()
            );
            assert!(
                parse::<ConnectorMessageDelete>(body)
                    .unwrap()
                    .messages
                    .is_empty()
            );
        }
    }

    #[test]
    fn disconnected_connector_is_typed() {
        let event: ConnectorStatus = sample("ONIMCONNECTORSTATUSDELETE");
        assert_eq!(
            (event.connector.as_deref(), event.line),
            (Some("myconnector"), Some(107))
        );
    }

    #[test]
    fn deleted_line_has_only_its_id() {
        assert_eq!(sample::<ConnectorLineId>("ONIMCONNECTORLINEDELETE").0, 107);
        for body in [
            "event=X",
            "event=X&data=",
            "event=X&data=x",
            "event=X&data[ID]=107",
        ] {
            assert!(parse::<ConnectorLineId>(body).is_err(), "{body}");
        }
    }
}
