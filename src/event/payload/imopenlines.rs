//! Payloads of the scope `imopenlines`.

use serde::{Deserialize, Serialize};

use super::{ConnectorIm, ConnectorInfo, ConnectorSession, ConnectorUser};
use crate::form::Value;
use crate::form::field::{Flag, OneOrMany, optional_flag, optional_number, optional_object};

/// A message was added to the chat of an open line. Documentation pages: *OnOpenLineMessageAdd* and
/// *Overview of Events When Working with Open Channels*.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[non_exhaustive]
pub struct OpenLineMessageAdd {
    /// The connector's code, for a message to the customer.
    pub connector: Option<String>,
    /// The id of the open line, for a message to the customer.
    #[serde(default, deserialize_with = "optional_number")]
    pub line: Option<u64>,
    /// The messages (`DATA`). The documentation shows a list on the event's own page and a single
    /// record in the overview.
    #[serde(rename = "DATA", default)]
    pub records: OneOrMany<OpenLineMessageAddRecord>,
}

/// A message that was added. Documentation page: *OnOpenLineMessageAdd*.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[non_exhaustive]
pub struct OpenLineMessageAddRecord {
    /// The connector that the dialog goes through.
    #[serde(default, deserialize_with = "optional_object")]
    pub connector: Option<ConnectorInfo>,
    /// The chat.
    #[serde(default, deserialize_with = "optional_object")]
    pub chat: Option<OpenLineChat>,
    /// The message.
    #[serde(default, deserialize_with = "optional_object")]
    pub message: Option<OpenLineMessage>,
    /// The tracker code `trackId`, which connects the message with an object of the CRM (`ref`).
    #[serde(rename = "ref")]
    pub tracking: Option<Value>,
    /// More about the message.
    #[serde(default, deserialize_with = "optional_object")]
    pub extra: Option<OpenLineExtra>,
}

/// The content of a message that was added. Documentation page: *OnOpenLineMessageAdd*.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[non_exhaustive]
pub struct OpenLineMessage {
    /// The message's ids: those of the external system for a customer's message, of any form, and
    /// otherwise the number in Bitrix24. The documentation shows a single id.
    #[serde(default)]
    pub id: OneOrMany<String>,
    /// The time of the message, or empty.
    pub date: Option<String>,
    /// The text.
    pub text: Option<String>,
    /// The files.
    pub files: Option<Value>,
    /// The attachments, or empty.
    pub attach: Option<Value>,
    /// Yes if it is a system message.
    #[serde(default, deserialize_with = "optional_flag")]
    pub system: Option<Flag>,
    /// The author's id.
    #[serde(default, deserialize_with = "optional_number")]
    pub user_id: Option<u64>,
}

/// More about a message that was added. Documentation page: *OnOpenLineMessageAdd*.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[non_exhaustive]
pub struct OpenLineExtra {
    /// An external link, or empty.
    pub extra_url: Option<String>,
}

/// A message in the chat of an open line was changed or deleted. Documentation pages:
/// *OnOpenLineMessageUpdate*, *OnOpenLineMessageDelete* and *Overview of Events When Working with
/// Open Channels*.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[non_exhaustive]
pub struct OpenLineMessageChange {
    /// The connector's code, for a message to the customer.
    pub connector: Option<String>,
    /// The id of the open line, for a message to the customer.
    #[serde(default, deserialize_with = "optional_number")]
    pub line: Option<u64>,
    /// The messages (`DATA`). The documentation shows a list on the event's own page and a single
    /// record in the overview.
    #[serde(rename = "DATA", default)]
    pub records: OneOrMany<OpenLineMessageChangeRecord>,
}

/// A message that was changed or deleted. Documentation page: *OnOpenLineMessageUpdate*.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[non_exhaustive]
pub struct OpenLineMessageChangeRecord {
    /// The message in Bitrix24, if an operator or the system wrote it.
    #[serde(default, deserialize_with = "optional_object")]
    pub im: Option<ConnectorIm>,
    /// The connector that the dialog goes through, if the customer wrote it.
    #[serde(default, deserialize_with = "optional_object")]
    pub connector: Option<ConnectorInfo>,
    /// The message.
    #[serde(default, deserialize_with = "optional_object")]
    pub message: Option<OpenLineChangedMessage>,
    /// The chat.
    #[serde(default, deserialize_with = "optional_object")]
    pub chat: Option<OpenLineChat>,
}

/// The content of a message that was changed or deleted. Documentation pages:
/// *OnOpenLineMessageUpdate* and *Overview of Events When Working with Open Channels*.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[non_exhaustive]
pub struct OpenLineChangedMessage {
    /// The ids of the message in the external system: a list for an operator's change, a single id
    /// for any other event.
    #[serde(default)]
    pub id: OneOrMany<String>,
    /// The new text, after a change.
    pub text: Option<String>,
}

/// A session of an open line began or ended. Documentation pages: *OnSessionStart*,
/// *OnSessionFinish* and *Overview of Events When Working with Open Channels*.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[non_exhaustive]
pub struct OpenLineSession {
    /// The sessions (`DATA`). The documentation shows a list on the event's own page and a single
    /// record in the overview.
    #[serde(rename = "DATA", default)]
    pub records: OneOrMany<OpenLineSessionRecord>,
}

/// A session that began or ended. Documentation pages: *OnSessionStart* and *Overview of Events
/// When Working with Open Channels*.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[non_exhaustive]
pub struct OpenLineSessionRecord {
    /// The connector that the dialog goes through.
    #[serde(default, deserialize_with = "optional_object")]
    pub connector: Option<ConnectorInfo>,
    /// The session.
    #[serde(default, deserialize_with = "optional_object")]
    pub session: Option<ConnectorSession>,
    /// The chat.
    #[serde(default, deserialize_with = "optional_object")]
    pub chat: Option<OpenLineChat>,
    /// The customer.
    #[serde(default, deserialize_with = "optional_object")]
    pub user: Option<ConnectorUser>,
    /// The open line.
    #[serde(default, deserialize_with = "optional_object")]
    pub line: Option<OpenLine>,
}

/// A chat of an open line. Documentation pages: *OnOpenLineMessageAdd*, *OnSessionStart* and
/// *Overview of Events When Working with Open Channels*.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[non_exhaustive]
pub struct OpenLineChat {
    /// The chat's id. In events of messages it is the id in the external system, of any form.
    pub id: Option<String>,
    /// The chat's id in Bitrix24.
    #[serde(default, deserialize_with = "optional_number")]
    pub chat_id: Option<u64>,
}

/// An open line. Documentation page: *Overview of Events When Working with Open Channels*.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[non_exhaustive]
pub struct OpenLine {
    /// The open line's id.
    #[serde(default, deserialize_with = "optional_number")]
    pub id: Option<u64>,
    /// The open line's name.
    pub name: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::payload::samples::{parse, sample};

    #[test]
    fn open_line_message_is_typed() {
        let event: OpenLineMessageAdd = sample("ONOPENLINEMESSAGEADD");
        let [record] = &*event.records else {
            panic!("{event:?}")
        };
        let message = record.message.as_ref().unwrap();
        assert_eq!(*message.id, ["80964"]);
        assert_eq!(
            (message.user_id, message.system),
            (Some(1985), Some(false.into()))
        );
        assert_eq!((&message.files, &record.tracking), (&None, &None));
        assert_eq!(record.connector.as_ref().unwrap().line_id, Some(128));
        assert_eq!(
            record.extra.as_ref().unwrap().extra_url.as_deref(),
            Some("")
        );
        assert_eq!((event.connector, event.line), (None, None));
    }

    #[test]
    fn changed_or_deleted_open_line_message_is_typed() {
        for name in ["ONOPENLINEMESSAGEUPDATE", "ONOPENLINEMESSAGEDELETE"] {
            let event: OpenLineMessageChange = sample(name);
            assert_eq!(
                (event.connector.as_deref(), event.line),
                (Some("livechat"), Some(128))
            );
            let record = event.records.into_iter().next().unwrap();
            assert_eq!(record.im.unwrap().message_id, Some(2056));
            assert_eq!(*record.message.unwrap().id, ["2056"]);
            assert_eq!(record.chat.unwrap().id.as_deref(), Some("1024"));
        }
    }

    #[test]
    fn open_line_session_begins_and_ends() {
        for (name, closed) in [("ONSESSIONSTART", false), ("ONSESSIONFINISH", true)] {
            let event: OpenLineSession = sample(name);
            let record = event.records.into_iter().next().unwrap();
            let session = record.session.unwrap();
            assert_eq!(
                (session.id, session.closed),
                (Some(42), Some(closed.into()))
            );
            assert_eq!(record.user.unwrap().id.as_deref(), Some("1984"));
        }
    }

    #[test]
    fn open_line_data_may_be_a_single_record() {
        let event: OpenLineSession = parse(
            "event=ONSESSIONSTART&data[DATA][connector][connector_id]=my_connector\
             &data[DATA][connector][line_id]=1&data[DATA][connector][chat_id]=17\
             &data[DATA][connector][user_id]=10&data[DATA][chat][chat_id]=17\
             &data[DATA][line][id]=1&data[DATA][line][name]=Open+channel",
        )
        .unwrap();
        let [record] = &*event.records else {
            panic!("{event:?}")
        };
        assert_eq!(record.chat.as_ref().unwrap().chat_id, Some(17));
        assert_eq!(
            record.connector.as_ref().unwrap().user_id.as_deref(),
            Some("10")
        );
        assert_eq!(
            record.line.as_ref().unwrap().name.as_deref(),
            Some("Open channel")
        );

        let event: OpenLineMessageChange = parse(
            "event=ONOPENLINEMESSAGEUPDATE&data[CONNECTOR]=my_connector&data[LINE]=1\
             &data[DATA][message][id][0]=ext-5&data[DATA][message][id][1]=ext-6\
             &data[DATA][message][text]=new&data[DATA][chat][id]=channel-123",
        )
        .unwrap();
        let record = event.records.into_iter().next().unwrap();
        assert_eq!(*record.message.unwrap().id, ["ext-5", "ext-6"]);
        assert_eq!(record.chat.unwrap().id.as_deref(), Some("channel-123"));
    }

    #[test]
    fn open_line_message_may_have_several_ids_or_none() {
        let ids = |pairs: &str| {
            let event: OpenLineMessageAdd =
                parse(format!("event=ONOPENLINEMESSAGEADD&{pairs}")).unwrap();
            let record = event.records.into_iter().next().unwrap();
            record.message.unwrap().id.into_vec()
        };
        let message = "data[DATA][0][message]";
        let several = format!("{message}[id][0]=ext-5&{message}[id][1]=ext-6");
        assert_eq!(ids(&several), ["ext-5", "ext-6"]);
        assert_eq!(ids(&format!("{message}[id]=ext-5")), ["ext-5"]);
        assert!(ids(&format!("{message}[text]=a")).is_empty());
    }

    #[test]
    fn open_line_data_without_records_is_typed() {
        for body in ["event=X", "event=X&data[DATA]="] {
            assert!(parse::<OpenLineSession>(body).unwrap().records.is_empty());
            assert!(
                parse::<OpenLineMessageAdd>(body)
                    .unwrap()
                    .records
                    .is_empty()
            );
        }
    }
}
