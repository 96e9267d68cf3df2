//! Events of bots of the second version.

use serde::{Deserialize, Serialize};

use super::BotAuth;
use crate::event::payload::{ImChat, ImMessage, ImReactionAction, ImUser};
use crate::form::Value;
use crate::form::field::{Flag, optional_flag, optional_number, optional_object};
use crate::macros::open_enum;

/// A user wrote to a bot, or a message in a chat of a bot was edited. Documentation page: *Events*,
/// of `imbot.v2`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ImBotV2Message {
    /// The bot that the event is for.
    #[serde(default, deserialize_with = "optional_object")]
    pub bot: Option<ImBotV2Bot>,
    /// The message; after an edit, with the new text.
    #[serde(default, deserialize_with = "optional_object")]
    pub message: Option<ImMessage>,
    /// The chat of the message.
    #[serde(default, deserialize_with = "optional_object")]
    pub chat: Option<ImChat>,
    /// The message's author.
    #[serde(default, deserialize_with = "optional_object")]
    pub user: Option<ImUser>,
    /// The portal's language, such as `en`.
    pub language: Option<String>,
}

/// A message in a chat of a bot was deleted. Documentation page: *Events*, of `imbot.v2`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ImBotV2MessageDelete {
    /// The bot that the event is for.
    #[serde(default, deserialize_with = "optional_object")]
    pub bot: Option<ImBotV2Bot>,
    /// The id of the deleted message.
    pub message_id: u64,
    /// The chat of the message.
    #[serde(default, deserialize_with = "optional_object")]
    pub chat: Option<ImChat>,
    /// The message's author.
    #[serde(default, deserialize_with = "optional_object")]
    pub user: Option<ImUser>,
    /// The portal's language, such as `en`.
    pub language: Option<String>,
}

/// A bot was added to a chat. Documentation page: *Events*, of `imbot.v2`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ImBotV2JoinChat {
    /// The bot that the event is for.
    #[serde(default, deserialize_with = "optional_object")]
    pub bot: Option<ImBotV2Bot>,
    /// The dialog: `chat` and the chat's id, such as `chat5`, or the id of a user.
    pub dialog_id: String,
    /// The chat.
    #[serde(default, deserialize_with = "optional_object")]
    pub chat: Option<ImChat>,
    /// The user who added the bot.
    #[serde(default, deserialize_with = "optional_object")]
    pub user: Option<ImUser>,
    /// The portal's language, such as `en`.
    pub language: Option<String>,
}

/// A reaction to a message of a bot was set or removed. Documentation page: *Events*, of
/// `imbot.v2`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ImBotV2Reaction {
    /// The bot that the event is for.
    #[serde(default, deserialize_with = "optional_object")]
    pub bot: Option<ImBotV2Bot>,
    /// The reaction's code, such as `like`.
    pub reaction: Option<String>,
    /// The change: set or removed.
    pub action: Option<ImReactionAction>,
    /// The message with the reaction.
    #[serde(default, deserialize_with = "optional_object")]
    pub message: Option<ImMessage>,
    /// The chat of the message.
    #[serde(default, deserialize_with = "optional_object")]
    pub chat: Option<ImChat>,
    /// The user who reacted.
    #[serde(default, deserialize_with = "optional_object")]
    pub user: Option<ImUser>,
    /// The portal's language, such as `en`.
    pub language: Option<String>,
}

/// A user called a command of a bot. Documentation page: *Events*, of `imbot.v2`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ImBotV2Command {
    /// The bot that the event is for.
    #[serde(default, deserialize_with = "optional_object")]
    pub bot: Option<ImBotV2Bot>,
    /// The command.
    pub command: ImBotV2CommandCall,
    /// The message with the command.
    #[serde(default, deserialize_with = "optional_object")]
    pub message: Option<ImMessage>,
    /// The chat of the message.
    #[serde(default, deserialize_with = "optional_object")]
    pub chat: Option<ImChat>,
    /// The user who called the command.
    #[serde(default, deserialize_with = "optional_object")]
    pub user: Option<ImUser>,
    /// The portal's language, such as `en`.
    pub language: Option<String>,
}

/// A command that was called. Documentation page: *Events*, of `imbot.v2`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ImBotV2CommandCall {
    /// The command's id.
    pub id: u64,
    /// The command with its slash, such as `/help`.
    pub command: Option<String>,
    /// The text after the command.
    pub params: Option<String>,
    /// The way in which the command was called.
    pub context: Option<ImBotV2CommandContext>,
}

/// A user opened the dialog with a bot from a link or an application that passes a context.
/// Documentation page: *Events*, of `imbot.v2`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ImBotV2Context {
    /// The bot that the event is for.
    #[serde(default, deserialize_with = "optional_object")]
    pub bot: Option<ImBotV2Bot>,
    /// The dialog: `chat` and the chat's id, such as `chat5`, or in a private chat the id of the
    /// user.
    pub dialog_id: Option<String>,
    /// The context, in any shape.
    pub context: Option<Value>,
    /// The chat.
    #[serde(default, deserialize_with = "optional_object")]
    pub chat: Option<ImChat>,
    /// The user who opened the dialog.
    #[serde(default, deserialize_with = "optional_object")]
    pub user: Option<ImUser>,
    /// The portal's language, such as `en`.
    pub language: Option<String>,
}

/// A bot was removed from the portal. Documentation page: *Events*, of `imbot.v2`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ImBotV2Delete {
    /// The bot.
    pub bot: ImBotV2Bot,
}

/// A bot that an event is for. Events sent to a handler have `id`, `code` and `auth`. Events from
/// polling have all fields except `auth`. Documentation page: *Events*, of `imbot.v2`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ImBotV2Bot {
    /// The bot's id.
    #[serde(default, deserialize_with = "optional_number")]
    pub id: Option<u64>,
    /// The bot's code.
    pub code: Option<String>,
    /// The bot's tokens.
    #[serde(default, deserialize_with = "optional_object")]
    pub auth: Option<BotAuth>,
    /// The bot's type (`type`), such as `bot`.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// Yes if the bot is hidden.
    #[serde(default, deserialize_with = "optional_flag")]
    pub is_hidden: Option<Flag>,
    /// Yes if the bot works in open lines.
    #[serde(default, deserialize_with = "optional_flag")]
    pub is_support_openline: Option<Flag>,
    /// Yes if users can react to the bot's messages.
    #[serde(default, deserialize_with = "optional_flag")]
    pub is_reactions_enabled: Option<Flag>,
    /// The id of the background of its chats.
    pub background_id: Option<String>,
    /// The bot's language, such as `en`.
    pub language: Option<String>,
    /// The module that the bot belongs to, such as `rest`.
    pub module_id: Option<String>,
    /// The way in which its events are delivered.
    pub event_mode: Option<ImBotV2EventMode>,
    /// The number of its messages.
    #[serde(default, deserialize_with = "optional_number")]
    pub count_message: Option<u64>,
    /// The number of its commands.
    #[serde(default, deserialize_with = "optional_number")]
    pub count_command: Option<u64>,
    /// The number of its chats.
    #[serde(default, deserialize_with = "optional_number")]
    pub count_chat: Option<u64>,
    /// The number of its users.
    #[serde(default, deserialize_with = "optional_number")]
    pub count_user: Option<u64>,
}

open_enum! {
    /// The way in which a command was called. Documentation page: *Events*, of `imbot.v2`.
    ImBotV2CommandContext {
        /// It was typed.
        TextArea = "textarea",
        /// A button was pressed.
        Keyboard = "keyboard",
        /// It was chosen from a menu.
        Menu = "menu",
    }
}

open_enum! {
    /// The way in which events of a bot are delivered. Documentation page: *Events*, of `imbot.v2`.
    ImBotV2EventMode {
        /// To a handler's address.
        Webhook = "webhook",
        /// By polling.
        Fetch = "fetch",
    }
}
