//! The parameters of messages to bots of the first version.

use serde::{Deserialize, Serialize};

use super::message::{attachments, files};
use super::{ImAttach, ImBotCommandContext, ImBotFile, ImMessageParams};
use crate::event::payload::ImMessageType;
use crate::form::Value;
use crate::form::field::{Flag, IdMap, List, optional_flag, optional_number};

/// The chat that a bot was added to, and the user who added it. Documentation page:
/// *ONIMBOTJOINCHAT*.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[non_exhaustive]
pub struct ImBotJoinChatParams {
    /// The kind of chat.
    pub chat_type: Option<ImMessageType>,
    /// The kind of chat, repeated.
    pub message_type: Option<ImMessageType>,
    /// The bot's id.
    #[serde(default, deserialize_with = "optional_number")]
    pub bot_id: Option<u64>,
    /// The id of the user who added the bot.
    #[serde(default, deserialize_with = "optional_number")]
    pub user_id: Option<u64>,
    /// The id of one of the users, in private chats.
    #[serde(default, deserialize_with = "optional_number")]
    pub to_user_id: Option<u64>,
    /// The id of the other user, in private chats.
    #[serde(default, deserialize_with = "optional_number")]
    pub from_user_id: Option<u64>,
    /// The chat's id, in group chats.
    #[serde(default, deserialize_with = "optional_number")]
    pub chat_id: Option<u64>,
    /// The id of the user who owns the chat, in group chats.
    #[serde(default, deserialize_with = "optional_number")]
    pub chat_author_id: Option<u64>,
    /// The kind of object that the chat belongs to.
    pub chat_entity_type: Option<String>,
    /// The id of that object.
    pub chat_entity_id: Option<String>,
    /// Yes if the bot may read earlier messages, in group chats.
    #[serde(default, deserialize_with = "optional_flag")]
    pub access_history: Option<Flag>,
    /// Yes if the bot was added without a system message, in group chats with the AI assistant.
    #[serde(default, deserialize_with = "optional_flag")]
    pub silent_join: Option<Flag>,
    /// The dialog to reply to: `chat` and the chat's id, such as `chat1157`, or a user's id.
    pub dialog_id: String,
    /// The portal's language, such as `de`.
    pub language: Option<String>,
}

/// A message to a bot, and its chat. Documentation page: *ONIMBOTMESSAGEADD*.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[non_exhaustive]
pub struct ImBotMessageAddParams {
    /// The text.
    pub message: Option<String>,
    /// The template's id, a UUID.
    pub template_id: Option<String>,
    /// The kind of chat that the message is in.
    pub message_type: Option<ImMessageType>,
    /// The id of the sender.
    #[serde(default, deserialize_with = "optional_number")]
    pub from_user_id: Option<u64>,
    /// The dialog to reply to: `chat` and the chat's id, such as `chat1157`, or a user's id.
    pub dialog_id: Option<String>,
    /// The id of the receiving chat.
    #[serde(default, deserialize_with = "optional_number")]
    pub to_chat_id: Option<u64>,
    /// The id of the message's author.
    #[serde(default, deserialize_with = "optional_number")]
    pub author_id: Option<u64>,
    /// Yes if it is a system message.
    #[serde(default, deserialize_with = "optional_flag")]
    pub system: Option<Flag>,
    /// The id of the receiving user.
    #[serde(default, deserialize_with = "optional_number")]
    pub to_user_id: Option<u64>,
    /// The chat's id, in group chats.
    #[serde(default, deserialize_with = "optional_number")]
    pub chat_id: Option<u64>,
    /// The chat's title, in group chats.
    pub chat_title: Option<String>,
    /// The id of the user who owns the chat, in group chats.
    #[serde(default, deserialize_with = "optional_number")]
    pub chat_author_id: Option<u64>,
    /// The kind of chat.
    pub chat_type: Option<ImMessageType>,
    /// The id of the chat's picture, or `0`.
    pub chat_avatar: Option<String>,
    /// The name of the chat's color, such as `GREEN`.
    pub chat_color: Option<String>,
    /// The kind of object that the chat belongs to.
    pub chat_entity_type: Option<String>,
    /// The id of that object.
    pub chat_entity_id: Option<String>,
    /// More about that object.
    pub chat_entity_data_1: Option<String>,
    /// More about that object.
    pub chat_entity_data_2: Option<String>,
    /// More about that object.
    pub chat_entity_data_3: Option<String>,
    /// Yes if external users take part in the chat.
    #[serde(default, deserialize_with = "optional_flag")]
    pub chat_extranet: Option<Flag>,
    /// The id of the previous message of the chat.
    #[serde(default, deserialize_with = "optional_number")]
    pub chat_prev_message_id: Option<u64>,
    /// The users who may write in the chat, such as `MEMBER`.
    pub chat_can_post: Option<String>,
    /// The id of the relation's record.
    #[serde(default, deserialize_with = "optional_number")]
    pub rid: Option<u64>,
    /// The field `IS_MANAGER`. The documentation does not explain it.
    #[serde(default, deserialize_with = "optional_flag")]
    pub is_manager: Option<Flag>,
    /// The sender's setting `PUSH`. The documentation does not explain it.
    #[serde(default, deserialize_with = "optional_flag")]
    pub push: Option<Flag>,
    /// The sender's setting `PUSH_IMPORTANT`. The documentation does not explain it.
    #[serde(default, deserialize_with = "optional_flag")]
    pub push_important: Option<Flag>,
    /// The sender's setting `RECENT_SKIP_AUTHOR`. The documentation does not explain it.
    #[serde(default, deserialize_with = "optional_flag")]
    pub recent_skip_author: Option<Flag>,
    /// The sender's setting `CONVERT`. The documentation does not explain it.
    #[serde(default, deserialize_with = "optional_flag")]
    pub convert: Option<Flag>,
    /// The sender's setting `SKIP_COMMAND`. The documentation does not explain it.
    #[serde(default, deserialize_with = "optional_flag")]
    pub skip_command: Option<Flag>,
    /// The sender's setting `SKIP_COUNTER_INCREMENTS`. The documentation does not
    /// explain it.
    #[serde(default, deserialize_with = "optional_flag")]
    pub skip_counter_increments: Option<Flag>,
    /// The sender's setting `SILENT_CONNECTOR`. The documentation does not explain it.
    #[serde(default, deserialize_with = "optional_flag")]
    pub silent_connector: Option<Flag>,
    /// The sender's setting `SKIP_CONNECTOR`. The documentation does not explain it.
    #[serde(default, deserialize_with = "optional_flag")]
    pub skip_connector: Option<Flag>,
    /// The sender's setting `IMPORTANT_CONNECTOR`. The documentation does not explain it.
    #[serde(default, deserialize_with = "optional_flag")]
    pub important_connector: Option<Flag>,
    /// The sender's setting `NO_SESSION_OL`. The documentation does not explain it.
    #[serde(default, deserialize_with = "optional_flag")]
    pub no_session_ol: Option<Flag>,
    /// For the platform's internal use.
    #[serde(default, deserialize_with = "optional_number")]
    pub fake_relation: Option<u64>,
    /// The sender's setting `SKIP_URL_INDEX`. The documentation does not explain it.
    #[serde(default, deserialize_with = "optional_flag")]
    pub skip_url_index: Option<Flag>,
    /// The place where the message was written.
    pub command_context: Option<ImBotCommandContext>,
    /// The number of the chat's members.
    #[serde(default, deserialize_with = "optional_number")]
    pub chat_user_count: Option<u64>,
    /// The ids of the users and bots that the text mentions, as keys and as values.
    #[serde(default)]
    pub mentioned_list: IdMap<u64>,
    /// The platform on which the message was written, such as `web`.
    pub platform_context: Option<String>,
    /// The text with BB codes.
    pub message_original: Option<String>,
    /// The message's id.
    pub message_id: u64,
    /// The portal's language, such as `de`.
    pub language: Option<String>,
    /// The files, by their ids.
    #[serde(default, deserialize_with = "files")]
    pub files: IdMap<ImBotFile>,
    /// The message's parameters: attachments, the message that it replies to, a keyboard and more.
    pub params: Option<ImMessageParams>,
    /// Parameters that the sender added for display with the message.
    pub extra_params: Option<Value>,
    /// The previews of links in the text.
    #[serde(default, deserialize_with = "attachments")]
    pub url_attach: List<ImAttach>,
}

/// An edited message to a bot, and its chat. Documentation page: *ONIMBOTMESSAGEUPDATE*.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[non_exhaustive]
pub struct ImBotMessageUpdateParams {
    /// The message's id, repeated.
    #[serde(default, deserialize_with = "optional_number")]
    pub id: Option<u64>,
    /// The chat's id, in group chats.
    #[serde(default, deserialize_with = "optional_number")]
    pub chat_id: Option<u64>,
    /// The id of the message's author.
    #[serde(default, deserialize_with = "optional_number")]
    pub author_id: Option<u64>,
    /// The new text.
    pub message: Option<String>,
    /// The kind of chat that the message is in.
    pub message_type: Option<ImMessageType>,
    /// The id of the user who owns the chat, in group chats.
    #[serde(default, deserialize_with = "optional_number")]
    pub chat_author_id: Option<u64>,
    /// The kind of object that the chat belongs to.
    pub chat_entity_type: Option<String>,
    /// The id of that object.
    pub chat_entity_id: Option<String>,
    /// More about that object.
    pub chat_entity_data_1: Option<String>,
    /// More about that object.
    pub chat_entity_data_2: Option<String>,
    /// More about that object.
    pub chat_entity_data_3: Option<String>,
    /// The id of the sender.
    #[serde(default, deserialize_with = "optional_number")]
    pub from_user_id: Option<u64>,
    /// The id of the receiving user.
    #[serde(default, deserialize_with = "optional_number")]
    pub to_user_id: Option<u64>,
    /// The number of the chat's members.
    #[serde(default, deserialize_with = "optional_number")]
    pub chat_user_count: Option<u64>,
    /// The ids of the users and bots that the text mentions, as keys and as values.
    #[serde(default)]
    pub mentioned_list: IdMap<u64>,
    /// The platform on which the message was written, such as `web`.
    pub platform_context: Option<String>,
    /// The text with BB codes.
    pub message_original: Option<String>,
    /// The dialog to reply to: `chat` and the chat's id, such as `chat1157`, or a user's id.
    pub dialog_id: Option<String>,
    /// The message's id.
    pub message_id: u64,
    /// The kind of chat.
    pub chat_type: Option<ImMessageType>,
    /// The portal's language, such as `de`.
    pub language: Option<String>,
    /// The files, by their ids.
    #[serde(default, deserialize_with = "files")]
    pub files: IdMap<ImBotFile>,
    /// The message's parameters: attachments, the message that it replies to, a keyboard and more.
    pub params: Option<ImMessageParams>,
    /// Parameters that the sender added for display with the message.
    pub extra_params: Option<Value>,
    /// The previews of links in the text.
    #[serde(default, deserialize_with = "attachments")]
    pub url_attach: List<ImAttach>,
}

/// A deleted message to a bot, and its chat. Documentation page: *ONIMBOTMESSAGEDELETE*.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[non_exhaustive]
pub struct ImBotMessageDeleteParams {
    /// The message's id, repeated.
    #[serde(default, deserialize_with = "optional_number")]
    pub id: Option<u64>,
    /// The chat's id, in group chats.
    #[serde(default, deserialize_with = "optional_number")]
    pub chat_id: Option<u64>,
    /// The id of the message's author.
    #[serde(default, deserialize_with = "optional_number")]
    pub author_id: Option<u64>,
    /// A notice that the message was deleted, in place of its text.
    pub message: Option<String>,
    /// The kind of chat that the message is in.
    pub message_type: Option<ImMessageType>,
    /// The id of the user who owns the chat, in group chats.
    #[serde(default, deserialize_with = "optional_number")]
    pub chat_author_id: Option<u64>,
    /// The kind of object that the chat belongs to.
    pub chat_entity_type: Option<String>,
    /// The id of that object.
    pub chat_entity_id: Option<String>,
    /// More about that object.
    pub chat_entity_data_1: Option<String>,
    /// More about that object.
    pub chat_entity_data_2: Option<String>,
    /// More about that object.
    pub chat_entity_data_3: Option<String>,
    /// The dialog to reply to: `chat` and the chat's id, such as `chat1157`, or a user's id.
    pub dialog_id: Option<String>,
    /// The message's id.
    pub message_id: u64,
    /// The kind of chat.
    pub chat_type: Option<ImMessageType>,
    /// The portal's language, such as `de`.
    pub language: Option<String>,
    /// The id of the sender.
    #[serde(default, deserialize_with = "optional_number")]
    pub from_user_id: Option<u64>,
    /// The id of the receiving user.
    #[serde(default, deserialize_with = "optional_number")]
    pub to_user_id: Option<u64>,
}

/// A message with a command of a bot, and its chat. Documentation page: *ONIMCOMMANDADD*.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[non_exhaustive]
pub struct ImBotCommandParams {
    /// The text, with the command.
    pub message: Option<String>,
    /// The template's id, a UUID.
    pub template_id: Option<String>,
    /// The kind of chat that the message is in.
    pub message_type: Option<ImMessageType>,
    /// The id of the sender.
    #[serde(default, deserialize_with = "optional_number")]
    pub from_user_id: Option<u64>,
    /// The dialog to reply to: `chat` and the chat's id, such as `chat1157`, or a user's id.
    pub dialog_id: Option<String>,
    /// The id of the receiving chat.
    #[serde(default, deserialize_with = "optional_number")]
    pub to_chat_id: Option<u64>,
    /// The id of the message's author.
    #[serde(default, deserialize_with = "optional_number")]
    pub author_id: Option<u64>,
    /// Yes if it is a system message.
    #[serde(default, deserialize_with = "optional_flag")]
    pub system: Option<Flag>,
    /// The id of the receiving user.
    #[serde(default, deserialize_with = "optional_number")]
    pub to_user_id: Option<u64>,
    /// The sender's setting `SKIP_USER_CHECK`. The documentation does not explain it.
    #[serde(default, deserialize_with = "optional_flag")]
    pub skip_user_check: Option<Flag>,
    /// The sender's setting `PUSH`. The documentation does not explain it.
    #[serde(default, deserialize_with = "optional_flag")]
    pub push: Option<Flag>,
    /// The sender's setting `PUSH_IMPORTANT`. The documentation does not explain it.
    #[serde(default, deserialize_with = "optional_flag")]
    pub push_important: Option<Flag>,
    /// The sender's setting `RECENT_ADD`. The documentation does not explain it.
    #[serde(default, deserialize_with = "optional_flag")]
    pub recent_add: Option<Flag>,
    /// The sender's setting `RECENT_SKIP_AUTHOR`. The documentation does not explain it.
    #[serde(default, deserialize_with = "optional_flag")]
    pub recent_skip_author: Option<Flag>,
    /// The sender's setting `CONVERT`. The documentation does not explain it.
    #[serde(default, deserialize_with = "optional_flag")]
    pub convert: Option<Flag>,
    /// The sender's setting `SKIP_COMMAND`. The documentation does not explain it.
    #[serde(default, deserialize_with = "optional_flag")]
    pub skip_command: Option<Flag>,
    /// The sender's setting `SKIP_COUNTER_INCREMENTS`. The documentation does not
    /// explain it.
    #[serde(default, deserialize_with = "optional_flag")]
    pub skip_counter_increments: Option<Flag>,
    /// The sender's setting `SILENT_CONNECTOR`. The documentation does not explain it.
    #[serde(default, deserialize_with = "optional_flag")]
    pub silent_connector: Option<Flag>,
    /// The sender's setting `SKIP_CONNECTOR`. The documentation does not explain it.
    #[serde(default, deserialize_with = "optional_flag")]
    pub skip_connector: Option<Flag>,
    /// The sender's setting `IMPORTANT_CONNECTOR`. The documentation does not explain it.
    #[serde(default, deserialize_with = "optional_flag")]
    pub important_connector: Option<Flag>,
    /// The sender's setting `NO_SESSION_OL`. The documentation does not explain it.
    #[serde(default, deserialize_with = "optional_flag")]
    pub no_session_ol: Option<Flag>,
    /// For the platform's internal use.
    #[serde(default, deserialize_with = "optional_number")]
    pub fake_relation: Option<u64>,
    /// The sender's setting `SKIP_URL_INDEX`. The documentation does not explain it.
    #[serde(default, deserialize_with = "optional_flag")]
    pub skip_url_index: Option<Flag>,
    /// The message's id.
    #[serde(default, deserialize_with = "optional_number")]
    pub message_id: Option<u64>,
    /// The kind of chat.
    pub chat_type: Option<ImMessageType>,
    /// The portal's language, such as `de`.
    pub language: Option<String>,
    /// The chat's id, in group chats.
    #[serde(default, deserialize_with = "optional_number")]
    pub chat_id: Option<u64>,
    /// The id of the parent chat in group chats, otherwise 0.
    #[serde(default, deserialize_with = "optional_number")]
    pub chat_parent_id: Option<u64>,
    /// The id of the parent message in group chats, otherwise 0.
    #[serde(default, deserialize_with = "optional_number")]
    pub chat_parent_mid: Option<u64>,
    /// The chat's title, in group chats.
    pub chat_title: Option<String>,
    /// The id of the user who owns the chat, in group chats.
    #[serde(default, deserialize_with = "optional_number")]
    pub chat_author_id: Option<u64>,
    /// The id of the chat's picture, or `0`.
    pub chat_avatar: Option<String>,
    /// The name of the chat's color, such as `GREEN`.
    pub chat_color: Option<String>,
    /// The kind of object that the chat belongs to.
    pub chat_entity_type: Option<String>,
    /// The id of that object.
    pub chat_entity_id: Option<String>,
    /// More about that object.
    pub chat_entity_data_1: Option<String>,
    /// More about that object.
    pub chat_entity_data_2: Option<String>,
    /// More about that object.
    pub chat_entity_data_3: Option<String>,
    /// Yes if external users take part in the chat.
    #[serde(default, deserialize_with = "optional_flag")]
    pub chat_extranet: Option<Flag>,
    /// The id of the previous message of the chat.
    #[serde(default, deserialize_with = "optional_number")]
    pub chat_prev_message_id: Option<u64>,
    /// The users who may write in the chat, such as `MEMBER`.
    pub chat_can_post: Option<String>,
    /// The id of the relation's record.
    #[serde(default, deserialize_with = "optional_number")]
    pub rid: Option<u64>,
    /// The field `IS_MANAGER`. The documentation does not explain it.
    #[serde(default, deserialize_with = "optional_flag")]
    pub is_manager: Option<Flag>,
    /// The ids of the bots in the chat, as keys and as values.
    #[serde(default)]
    pub bot_in_chat: IdMap<u64>,
    /// The files, by their ids.
    #[serde(default, deserialize_with = "files")]
    pub files: IdMap<ImBotFile>,
    /// The message's parameters: attachments, the message that it replies to, a keyboard and more.
    pub params: Option<ImMessageParams>,
    /// Parameters that the sender added for display with the message.
    pub extra_params: Option<Value>,
    /// The previews of links in the text.
    #[serde(default, deserialize_with = "attachments")]
    pub url_attach: List<ImAttach>,
}
