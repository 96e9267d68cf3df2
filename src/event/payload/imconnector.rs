use serde::{Deserialize, Serialize};

use crate::event::field::{Flag, OneOrMany, optional_flag, optional_number, optional_object};

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
    /// The chat in the outside system.
    #[serde(default, deserialize_with = "optional_object")]
    pub chat: Option<ConnectorChat>,
    /// The user in the outside system.
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
    /// The chat's id. With messages it is the one of the outside system, whatever that is.
    pub chat_id: Option<String>,
    /// The customer's id; `0` where there is none. The documentation says on one page that it is
    /// the outside system's and on another that it is Bitrix24's.
    pub user_id: Option<String>,
}

/// A session of an open line. Documentation pages: *OnImConnectorDialogStart* and *OnSessionStart*.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[non_exhaustive]
pub struct ConnectorSession {
    /// The session's id.
    #[serde(default, deserialize_with = "optional_number")]
    pub id: Option<u64>,
    /// Whether the session is over.
    #[serde(default, deserialize_with = "optional_flag")]
    pub closed: Option<Flag>,
    /// The id of the session before this one; 0 where there was none.
    #[serde(default, deserialize_with = "optional_number")]
    pub parent_id: Option<u64>,
    /// How long until the session closes itself, in minutes.
    #[serde(default, deserialize_with = "optional_number")]
    pub close_term: Option<u64>,
}

/// A chat in the outside system. Documentation pages: *OnImConnectorMessageAdd* and
/// *OnImConnectorDialogStart*.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[non_exhaustive]
pub struct ConnectorChat {
    /// The chat's id in the outside system, such as `channel-123`.
    pub id: Option<String>,
}

/// A user in the outside system. Documentation pages: *OnImConnectorDialogStart* and
/// *OnSessionStart*.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[non_exhaustive]
pub struct ConnectorUser {
    /// The user's id, whatever the outside system has for one; `0` where there is none.
    pub id: Option<String>,
}

/// An operator wrote a message that has to go out through a connector. Documentation page:
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

/// A message that has to go out. Documentation page: *OnImConnectorMessageAdd*.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[non_exhaustive]
pub struct ConnectorMessageAddRecord {
    /// The message in Bitrix24.
    #[serde(default, deserialize_with = "optional_object")]
    pub im: Option<ConnectorIm>,
    /// Its text and author.
    #[serde(default, deserialize_with = "optional_object")]
    pub message: Option<ConnectorNewMessage>,
    /// The chat in the outside system.
    #[serde(default, deserialize_with = "optional_object")]
    pub chat: Option<ConnectorChat>,
}

/// The content of a message that has to go out. Documentation page: *OnImConnectorMessageAdd*.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[non_exhaustive]
pub struct ConnectorNewMessage {
    /// The id of the operator who wrote it.
    #[serde(default, deserialize_with = "optional_number")]
    pub user_id: Option<u64>,
    /// The text, with BB codes.
    pub text: Option<String>,
}

/// An operator changed a message that went out through a connector. Documentation page:
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
    /// Its ids and new text.
    #[serde(default, deserialize_with = "optional_object")]
    pub message: Option<ConnectorChangedMessage>,
    /// The chat in the outside system.
    #[serde(default, deserialize_with = "optional_object")]
    pub chat: Option<ConnectorChat>,
}

/// The content of a message that was changed. Documentation page: *OnImConnectorMessageUpdate*.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[non_exhaustive]
pub struct ConnectorChangedMessage {
    /// The ids that the message has in the outside system. An update brings a list and a deletion a
    /// single one.
    #[serde(default)]
    pub id: OneOrMany<String>,
    /// The new text, with BB codes.
    pub text: Option<String>,
}

/// An operator deleted a message that went out through a connector. Documentation page:
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
    /// Its ids.
    #[serde(default, deserialize_with = "optional_object")]
    pub message: Option<ConnectorDeletedMessage>,
    /// The chat in the outside system.
    #[serde(default, deserialize_with = "optional_object")]
    pub chat: Option<ConnectorChat>,
}

/// What is left of a message that was deleted. Documentation page: *OnImConnectorMessageDelete*.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[non_exhaustive]
pub struct ConnectorDeletedMessage {
    /// The ids that the message has in the outside system. An update brings a list and a deletion a
    /// single one.
    #[serde(default)]
    pub id: OneOrMany<String>,
}

/// A message in Bitrix24. Documentation pages: *OnImConnectorMessageAdd* and
/// *OnOpenLineMessageUpdate*.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[non_exhaustive]
pub struct ConnectorIm {
    /// The id of its chat.
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

/// An open line was deleted: its id, which is the whole of `data`. Documentation page:
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
    fn a_dialog_opens_and_closes() {
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
    fn an_outside_system_s_ids_are_texts() {
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
    fn a_message_goes_out() {
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

    #[test]
    fn the_ids_of_a_message_are_a_list_or_a_single_one() {
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
    fn a_single_record_is_a_list_of_one_and_nothing_an_empty_one() {
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
    fn a_connector_is_switched_off() {
        let event: ConnectorStatus = sample("ONIMCONNECTORSTATUSDELETE");
        assert_eq!(
            (event.connector.as_deref(), event.line),
            (Some("myconnector"), Some(107))
        );
    }

    #[test]
    fn a_deleted_line_s_id_is_all_of_the_data() {
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
