//! Events of bots of the first version.

use serde::{Deserialize, Serialize};

use super::auth::with_auth_fields;
use super::{
    BotAuth, ImBotCommandContext, ImBotCommandParams, ImBotJoinChatParams, ImBotMessageAddParams,
    ImBotMessageDeleteParams, ImBotMessageUpdateParams,
};
use crate::envelope::ApplicationStatus;
use crate::event::payload::ImGender;
use crate::form::field::{Flag, IdMap, lenient, objects_by_id, optional_object};
use crate::secret::Secret;

/// A bot was deleted. Documentation page: *ONIMBOTDELETE*.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[non_exhaustive]
pub struct ImBotDelete {
    /// The bot's id.
    pub bot_id: u64,
    /// The bot's code.
    pub bot_code: Option<String>,
}

/// A bot was added to a chat. Documentation page: *ONIMBOTJOINCHAT*.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[non_exhaustive]
pub struct ImBotJoinChat {
    /// The bots that the event is for, by their ids (`BOT`).
    #[serde(rename = "BOT", default, deserialize_with = "objects_by_id")]
    pub bots: IdMap<ImBotEntry>,
    /// The chat, and the user who added the bot.
    pub params: ImBotJoinChatParams,
    /// The user who caused the event.
    #[serde(default, deserialize_with = "optional_object")]
    pub user: Option<ImBotUser>,
}

/// A user wrote to a bot. Documentation page: *ONIMBOTMESSAGEADD*.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[non_exhaustive]
pub struct ImBotMessageAdd {
    /// The bots that the event is for, by their ids (`BOT`).
    #[serde(rename = "BOT", default, deserialize_with = "objects_by_id")]
    pub bots: IdMap<ImBotEntry>,
    /// The message and its chat.
    pub params: ImBotMessageAddParams,
    /// The user who caused the event.
    #[serde(default, deserialize_with = "optional_object")]
    pub user: Option<ImBotUser>,
}

/// A message to a bot was edited. Documentation page: *ONIMBOTMESSAGEUPDATE*.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[non_exhaustive]
pub struct ImBotMessageUpdate {
    /// The bots that the event is for, by their ids (`BOT`).
    #[serde(rename = "BOT", default, deserialize_with = "objects_by_id")]
    pub bots: IdMap<ImBotEntry>,
    /// The message and its chat.
    pub params: ImBotMessageUpdateParams,
    /// The user who caused the event.
    #[serde(default, deserialize_with = "optional_object")]
    pub user: Option<ImBotUser>,
}

/// A message to a bot was deleted. Documentation page: *ONIMBOTMESSAGEDELETE*.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[non_exhaustive]
pub struct ImBotMessageDelete {
    /// The bots that the event is for, by their ids (`BOT`).
    #[serde(rename = "BOT", default, deserialize_with = "objects_by_id")]
    pub bots: IdMap<ImBotEntry>,
    /// The message and its chat.
    pub params: ImBotMessageDeleteParams,
    /// The user who caused the event.
    #[serde(default, deserialize_with = "optional_object")]
    pub user: Option<ImBotUser>,
}

/// A user called a command of a bot. Documentation page: *ONIMCOMMANDADD*.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[non_exhaustive]
pub struct ImBotCommand {
    /// The commands that were called, by their ids (`COMMAND`).
    #[serde(rename = "COMMAND", default, deserialize_with = "objects_by_id")]
    pub commands: IdMap<ImBotCommandEntry>,
    /// The message with the command and its chat.
    #[serde(default, deserialize_with = "optional_object")]
    pub params: Option<ImBotCommandParams>,
    /// The user who caused the event.
    #[serde(default, deserialize_with = "optional_object")]
    pub user: Option<ImBotUser>,
}

/// A bot that an event is for. Documentation page: *ONIMBOTMESSAGEADD*.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE", from = "Bot")]
#[non_exhaustive]
pub struct ImBotEntry {
    /// The bot's id.
    pub bot_id: Option<u64>,
    /// The bot's code.
    pub bot_code: Option<String>,
    /// The bot's tokens (`AUTH`). The platform sends them in `AUTH` and beside it. Fields missing from
    /// `AUTH` are taken from beside it.
    pub auth: Option<BotAuth>,
}

/// A command that was called. Documentation page: *ONIMCOMMANDADD*.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE", from = "Command")]
#[non_exhaustive]
pub struct ImBotCommandEntry {
    /// The command's code, without the slash.
    pub command: Option<String>,
    /// The command's id.
    pub command_id: Option<u64>,
    /// The text after the command.
    pub command_params: Option<String>,
    /// The way in which the command was called.
    pub command_context: Option<ImBotCommandContext>,
    /// The id of the message with the command, to which a reply goes.
    pub message_id: Option<u64>,
    /// The id of the command's bot.
    pub bot_id: Option<u64>,
    /// The code of that bot.
    pub bot_code: Option<String>,
    /// That bot's tokens, as in [`ImBotEntry`].
    pub auth: Option<BotAuth>,
}

/// The user who caused an event of a bot. Documentation page: *ONIMBOTMESSAGEADD*.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[non_exhaustive]
pub struct ImBotUser {
    /// The user's id.
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
    /// Yes if it is a bot. Only events of messages have this field and those below.
    #[serde(default, deserialize_with = "lenient")]
    pub is_bot: Option<Flag>,
    /// Yes if it is a user of an open line's connector.
    #[serde(default, deserialize_with = "lenient")]
    pub is_connector: Option<Flag>,
    /// Yes if it is a user of Bitrix24.Network.
    #[serde(default, deserialize_with = "lenient")]
    pub is_network: Option<Flag>,
    /// Yes if the user is external.
    #[serde(default, deserialize_with = "lenient")]
    pub is_extranet: Option<Flag>,
}

/// Declares the wire format of an entry: its own fields, `AUTH`, and the same tokens beside it.
macro_rules! wire_format {
    (
        [$($(#[$doc:meta])* $token:ident: $token_type:ty,)+]
        $wire:ident => $entry:ident {$($key:literal $field:ident: $type:ty,)+}
    ) => {
        #[derive(Deserialize)]
        struct $wire {
            $(
                #[serde(default, deserialize_with = "lenient")]
                $token: Option<$token_type>,
            )+
            #[serde(rename = "AUTH", default, deserialize_with = "optional_object")]
            auth: Option<BotAuth>,
            $(
                #[serde(rename = $key, default, deserialize_with = "lenient")]
                $field: Option<$type>,
            )+
        }

        impl From<$wire> for $entry {
            fn from(entry: $wire) -> Self {
                let beside = BotAuth { $($token: entry.$token,)+ };
                let auth = entry.auth.unwrap_or_default().or(beside);
                Self {
                    $($field: entry.$field,)+
                    auth: (auth != BotAuth::default()).then_some(auth),
                }
            }
        }
    };
}

with_auth_fields! {
    wire_format Bot => ImBotEntry {
        "BOT_ID" bot_id: u64,
        "BOT_CODE" bot_code: String,
    }
}

with_auth_fields! {
    wire_format Command => ImBotCommandEntry {
        "COMMAND" command: String,
        "COMMAND_ID" command_id: u64,
        "COMMAND_PARAMS" command_params: String,
        "COMMAND_CONTEXT" command_context: ImBotCommandContext,
        "MESSAGE_ID" message_id: u64,
        "BOT_ID" bot_id: u64,
        "BOT_CODE" bot_code: String,
    }
}
