//! The context of a bot that a user opened.

use serde::{Deserialize, Serialize};

use super::{ImBotEntry, ImBotUser};
use crate::event::payload::ImMessageType;
use crate::form::Value;
use crate::form::field::{IdMap, lenient, objects_by_id, optional_object};

/// A user opened the dialog with a bot from a link or an application that passes a context.
///
/// The documentation only names the event. The fields are those of the platform's source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[non_exhaustive]
pub struct ImBotContext {
    /// The bots that the event is for, by their ids (`BOT`).
    #[serde(rename = "BOT", default, deserialize_with = "objects_by_id")]
    pub bots: IdMap<ImBotEntry>,
    /// The dialog and the context.
    #[serde(default, deserialize_with = "optional_object")]
    pub params: Option<ImBotContextParams>,
    /// The user who opened the dialog.
    #[serde(default, deserialize_with = "optional_object")]
    pub user: Option<ImBotUser>,
}

/// The dialog that a user opened with a bot, and the context.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[non_exhaustive]
pub struct ImBotContextParams {
    /// The kind of chat.
    #[serde(default, deserialize_with = "lenient")]
    pub chat_type: Option<ImMessageType>,
    /// The kind of chat, repeated.
    #[serde(default, deserialize_with = "lenient")]
    pub message_type: Option<ImMessageType>,
    /// The id of the user who opened the dialog.
    #[serde(default, deserialize_with = "lenient")]
    pub user_id: Option<u64>,
    /// The id of the chat, in group chats.
    #[serde(default, deserialize_with = "lenient")]
    pub chat_id: Option<u64>,
    /// The id of the user who owns the chat, or 0 in private chats.
    #[serde(default, deserialize_with = "lenient")]
    pub chat_author_id: Option<u64>,
    /// The kind of object that the chat belongs to.
    #[serde(default, deserialize_with = "lenient")]
    pub chat_entity_type: Option<String>,
    /// The id of that object.
    #[serde(default, deserialize_with = "lenient")]
    pub chat_entity_id: Option<String>,
    /// The context, in any shape.
    pub context: Option<Value>,
    /// The dialog: `chat` and the chat's id, such as `chat5`, or in a private chat the id of the
    /// user.
    #[serde(default, deserialize_with = "lenient")]
    pub dialog_id: Option<String>,
    /// The portal's language, such as `de`.
    #[serde(default, deserialize_with = "lenient")]
    pub language: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::payload::samples::parse;

    #[test]
    fn imbot_context_has_its_bot_dialog_and_user() {
        let event: ImBotContext = parse(
            "event=ONIMBOTCONTEXTGET&data[BOT][7][BOT_ID]=7&data[BOT][7][AUTH][access_token]=aa11\
             &data[PARAMS][CHAT_TYPE]=P&data[PARAMS][USER_ID]=1\
             &data[PARAMS][CONTEXT][entityId]=164&data[PARAMS][DIALOG_ID]=1\
             &data[PARAMS][LANGUAGE]=ru&data[USER][ID]=1&data[USER][NAME]=A+B",
        )
        .unwrap();
        let auth = event.bots.get(7).unwrap().auth.as_ref().unwrap();
        assert_eq!(auth.access_token.as_ref().unwrap().expose(), "aa11");
        let params = event.params.unwrap();
        assert_eq!(params.chat_type, Some(ImMessageType::Private));
        assert_eq!(params.dialog_id.as_deref(), Some("1"));
        assert_eq!(params.context.unwrap()["entityId"].as_str(), Some("164"));
        assert_eq!(event.user.unwrap().id, Some(1));
    }

    #[test]
    fn imbot_context_may_have_any_shape() {
        let fields = [
            "",
            "=x",
            "=0",
            "[7]=x",
            "[x][y]=z",
            "[7][BOT_ID][x]=1",
            "[7][access_token][x]=s",
            "[7][AUTH][scope][0]=crm",
            "[7][AUTH]=x",
            "[DIALOG_ID][x]=1",
            "[CONTEXT]=x",
            "[CONTEXT][0][1][2]=x",
            "[CHAT_TYPE][0]=P",
            "[ID][0]=1",
            "[GENDER][x]=M",
            "[NAME]=%FF",
            "[IS_BOT][0]=N",
        ];
        for key in ["BOT", "PARAMS", "USER", "OTHER"] {
            for field in fields {
                let body = format!("event=ONIMBOTCONTEXTGET&data[{key}]{field}");
                parse::<ImBotContext>(body.clone())
                    .unwrap_or_else(|error| panic!("{body}: {error}"));
            }
        }
        assert_eq!(
            parse::<ImBotContext>("event=X").unwrap(),
            ImBotContext::default()
        );
    }
}
