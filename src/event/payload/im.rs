//! Payloads of the scope `im`: chats, messages, users.

use serde::{Deserialize, Serialize};

use crate::form::Value;
use crate::form::field::{Flag, List, optional_flag, optional_number, optional_object};
use crate::macros::open_enum;

/// A message was added to a chat or edited. According to the documentation, only `im.v2.Event.get`
/// returns this event. Documentation page: *Events*, of `im.v2`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ImV2Message {
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

/// A message was deleted from a chat. According to the documentation, only `im.v2.Event.get` returns
/// this event. Documentation page: *Events*, of `im.v2`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ImV2MessageDelete {
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

/// A member was added to a chat. According to the documentation, only `im.v2.Event.get` returns this
/// event. Documentation page: *Events*, of `im.v2`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ImV2JoinChat {
    /// The dialog: `chat` and the chat's id, such as `chat5`.
    pub dialog_id: String,
    /// The chat.
    #[serde(default, deserialize_with = "optional_object")]
    pub chat: Option<ImChat>,
    /// The user who was added.
    #[serde(default, deserialize_with = "optional_object")]
    pub user: Option<ImUser>,
    /// The portal's language, such as `en`.
    pub language: Option<String>,
}

/// A reaction to a message was set or removed. According to the documentation, only `im.v2.Event.get`
/// returns this event. Documentation page: *Events*, of `im.v2`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ImV2Reaction {
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

/// A chat message. The object *Message* of the events of `im.v2` and `imbot.v2`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ImMessage {
    /// The message's id. A shortened sample of the documentation has no id.
    #[serde(default, deserialize_with = "optional_number")]
    pub id: Option<u64>,
    /// The id of the chat.
    #[serde(default, deserialize_with = "optional_number")]
    pub chat_id: Option<u64>,
    /// The author's id, or 0 for a system message.
    #[serde(default, deserialize_with = "optional_number")]
    pub author_id: Option<u64>,
    /// The time of sending, in ISO 8601.
    pub date: Option<String>,
    /// The text. The platform truncates it to 20000 characters and appends ` (...)`.
    pub text: Option<String>,
    /// Yes if it is a system message.
    #[serde(default, deserialize_with = "optional_flag")]
    pub is_system: Option<Flag>,
    /// The sender's id of the message, which identifies duplicates. Often empty.
    pub uuid: Option<String>,
    /// The origin of a forwarded message.
    #[serde(default, deserialize_with = "optional_object")]
    pub forward: Option<ImForward>,
    /// The parameters of the message: attachments, a keyboard, files and more.
    pub params: Option<Value>,
    /// Yes if a user other than the author has read it.
    #[serde(default, deserialize_with = "optional_flag")]
    pub viewed_by_others: Option<Flag>,
}

/// The origin of a forwarded message. The field `forward` of the object *Message* of the events of
/// `im.v2` and `imbot.v2`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ImForward {
    /// The id of the original message.
    pub id: Option<String>,
    /// The id of the original author.
    #[serde(default, deserialize_with = "optional_number")]
    pub user_id: Option<u64>,
    /// The id of the original chat.
    #[serde(default, deserialize_with = "optional_number")]
    pub chat_id: Option<u64>,
    /// The time of sending.
    pub date: Option<String>,
}

/// A chat. The object *Chat* of the events of `im.v2` and `imbot.v2`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ImChat {
    /// The chat's id.
    #[serde(default, deserialize_with = "optional_number")]
    pub id: Option<u64>,
    /// The dialog: `chat` and the chat's id, such as `chat5`. In a private chat, the id of the other
    /// user.
    pub dialog_id: Option<String>,
    /// The title.
    pub name: Option<String>,
    /// The kind of chat (`type`).
    #[serde(rename = "type")]
    pub kind: Option<ImChatType>,
    /// The kind of chat as a letter.
    pub message_type: Option<ImMessageType>,
    /// The id of the user who owns the chat.
    #[serde(default, deserialize_with = "optional_number")]
    pub owner: Option<u64>,
    /// The color, in hexadecimal, such as `#ab7761`.
    pub color: Option<String>,
    /// The address of the picture, or empty.
    pub avatar: Option<String>,
    /// The description.
    pub description: Option<String>,
    /// Yes if external users take part.
    #[serde(default, deserialize_with = "optional_flag")]
    pub extranet: Option<Flag>,
    /// Yes if collaborators take part.
    #[serde(default, deserialize_with = "optional_flag")]
    pub contains_collaber: Option<Flag>,
    /// The kind of object that the chat belongs to, such as `LINES` for an open line.
    pub entity_type: Option<String>,
    /// The id of that object.
    pub entity_id: Option<String>,
    /// More about that object.
    pub entity_data1: Option<String>,
    /// More about that object.
    pub entity_data2: Option<String>,
    /// More about that object.
    pub entity_data3: Option<String>,
    /// A link to that object.
    pub entity_link: Option<Value>,
    /// The id of the chat's folder on the drive.
    #[serde(default, deserialize_with = "optional_number")]
    pub disk_folder_id: Option<u64>,
    /// The user's permissions in the chat.
    pub permissions: Option<Value>,
    /// The id of the chat that a thread belongs to, otherwise 0.
    #[serde(default, deserialize_with = "optional_number")]
    pub parent_chat_id: Option<u64>,
    /// The id of the message that a thread belongs to, otherwise 0.
    #[serde(default, deserialize_with = "optional_number")]
    pub parent_message_id: Option<u64>,
    /// Yes if the chat is new.
    #[serde(default, deserialize_with = "optional_flag")]
    pub is_new: Option<Flag>,
    /// Yes if the chat has an input field.
    #[serde(default, deserialize_with = "optional_flag")]
    pub text_field_enabled: Option<Flag>,
    /// The id of the background.
    pub background_id: Option<String>,
}

/// A user of the messenger. The object *User* of the events of `im.v2` and `imbot.v2`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ImUser {
    /// The user's id.
    #[serde(default, deserialize_with = "optional_number")]
    pub id: Option<u64>,
    /// Yes if the user is active.
    #[serde(default, deserialize_with = "optional_flag")]
    pub active: Option<Flag>,
    /// The full name.
    pub name: Option<String>,
    /// The first name.
    pub first_name: Option<String>,
    /// The last name.
    pub last_name: Option<String>,
    /// The job title.
    pub work_position: Option<String>,
    /// The color, in hexadecimal, such as `#df532d`.
    pub color: Option<String>,
    /// The address of the picture, or empty.
    pub avatar: Option<String>,
    /// The gender.
    pub gender: Option<ImGender>,
    /// The birthday, or empty.
    pub birthday: Option<String>,
    /// Yes if the user is external.
    #[serde(default, deserialize_with = "optional_flag")]
    pub extranet: Option<Flag>,
    /// Yes if it is a bot.
    #[serde(default, deserialize_with = "optional_flag")]
    pub bot: Option<Flag>,
    /// Yes if it is a user of an open line's connector.
    #[serde(default, deserialize_with = "optional_flag")]
    pub connector: Option<Flag>,
    /// The way in which the user signs in: `default`, `bot`, `email`, `replica` or another way.
    pub external_auth_id: Option<String>,
    /// The status that the user chose, such as `online` or `dnd`.
    pub status: Option<String>,
    /// The time since which the user is idle, in ISO 8601, or false. In events it is false.
    pub idle: Option<Value>,
    /// The time of the last activity, in ISO 8601, or false.
    pub last_activity_date: Option<Value>,
    /// The time of the last activity on a mobile device, in ISO 8601, or false. In events it is false.
    pub mobile_last_date: Option<Value>,
    /// The time of the last activity in the desktop application, in ISO 8601, or false. In events it
    /// is false.
    pub desktop_last_date: Option<Value>,
    /// The end of the user's absence, in ISO 8601, or false.
    pub absent: Option<Value>,
    /// The ids of the user's departments.
    #[serde(default)]
    pub departments: List<u64>,
    /// The telephone numbers by their kind, or false.
    pub phones: Option<Value>,
    /// The kind of user (`type`).
    #[serde(rename = "type")]
    pub kind: Option<ImUserType>,
    /// The website.
    pub website: Option<String>,
    /// The e-mail address.
    pub email: Option<String>,
}

open_enum! {
    /// A change of a reaction. Documentation page: *Events*, of `im.v2`.
    ImReactionAction {
        /// The reaction was set.
        Add = "add",
        /// The reaction was removed.
        Delete = "delete",
    }
}

open_enum! {
    /// The kind of a chat. The field `type` of the object *Chat* of the events of `im.v2`
    /// and `imbot.v2`.
    ImChatType {
        /// A chat of two.
        Private = "private",
        /// A group chat.
        Chat = "chat",
        /// An open group chat.
        Open = "open",
        /// A channel.
        Channel = "channel",
        /// An open channel.
        OpenChannel = "openChannel",
        /// A chat with the AI assistant.
        Copilot = "copilot",
        /// A thread of comments.
        Thread = "thread",
        /// The channel of the whole portal.
        GeneralChannel = "generalChannel",
    }
}

open_enum! {
    /// The kind of chat that a message is in, as a letter. Documentation pages: *ONIMBOTMESSAGEADD*
    /// and *Events*, of `im.v2`.
    ImMessageType {
        /// A chat of two.
        Private = "P",
        /// A group chat.
        Chat = "C",
        /// An open group chat.
        Open = "O",
        /// An open line.
        OpenLine = "L",
        /// System notifications.
        System = "S",
        /// A channel.
        Channel = "N",
        /// An open channel.
        OpenChannel = "J",
        /// A thread of comments.
        Thread = "T",
        /// A chat with the AI assistant.
        Copilot = "A",
        /// A collaboration.
        Collab = "B",
        /// An external chat.
        External = "X",
    }
}

open_enum! {
    /// The kind of a user. The field `type` of the object *User* of the events of `im.v2`
    /// and `imbot.v2`.
    ImUserType {
        /// An employee.
        Employee = "employee",
        /// An external user.
        Extranet = "extranet",
        /// A user who is identified by e-mail.
        Email = "email",
        /// A collaborator.
        Collaber = "collaber",
        /// A bot.
        Bot = "bot",
    }
}

open_enum! {
    /// The gender of a user. The field `gender` of the object *User* of the events of `im.v2` and
    /// `imbot.v2`, and `GENDER` of those of older bots.
    ImGender {
        /// Male.
        Male = "M",
        /// Female.
        Female = "F",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::payload::samples::{count, parse, sample};

    #[test]
    fn im_message_sample_is_typed() {
        assert_eq!(count("ONIMV2MESSAGEADD"), 1);
        let event: ImV2Message = sample("ONIMV2MESSAGEADD-data");
        let message = event.message.unwrap();
        assert_eq!((message.id, message.chat_id), (Some(5012), Some(5)));
        assert_eq!(message.is_system, Some(false.into()));
        assert_eq!((message.uuid.as_deref(), message.forward), (Some(""), None));

        let chat = event.chat.unwrap();
        assert_eq!(chat.kind, Some(ImChatType::Chat));
        assert_eq!(chat.message_type, Some(ImMessageType::Chat));
        assert_eq!(chat.text_field_enabled, Some(true.into()));

        let user = event.user.unwrap();
        assert_eq!(user.kind, Some(ImUserType::Employee));
        assert_eq!(user.gender, Some(ImGender::Male));
        assert_eq!(*user.departments, [1]);
        assert_eq!(user.idle, Some(Value::Text("0".into())));
        assert_eq!(event.language.as_deref(), Some("en"));
    }

    #[test]
    fn forwarded_im_message_has_its_origin() {
        let event: ImV2Message = parse(
            "event=ONIMV2MESSAGEUPDATE&data[message][id]=7&data[message][forward][id]=5012\
             &data[message][forward][userId]=1&data[message][forward][chatId]=5\
             &data[message][params][FILE_ID][0]=9&data[message][date]=",
        )
        .unwrap();
        let message = event.message.unwrap();
        let forward = message.forward.unwrap();
        assert_eq!(forward.id.as_deref(), Some("5012"));
        assert_eq!((forward.user_id, forward.chat_id), (Some(1), Some(5)));
        assert_eq!(message.params.unwrap()["FILE_ID"]["0"].as_str(), Some("9"));
        assert_eq!(message.date.as_deref(), Some(""));
    }

    #[test]
    fn deleted_im_message_has_its_id() {
        let body =
            "event=ONIMV2MESSAGEDELETE&data[messageId]=5012&data[chat][id]=5&data[user][id]=1";
        let event: ImV2MessageDelete = parse(body).unwrap();
        assert_eq!(event.message_id, 5012);
        assert_eq!(event.chat.unwrap().id, Some(5));
        assert!(parse::<ImV2MessageDelete>("event=X&data[chat][id]=5").is_err());
    }

    #[test]
    fn im_join_event_is_typed() {
        let body = "event=ONIMV2JOINCHAT&data[dialogId]=chat5&data[chat][id]=5\
                    &data[chat][type]=collab&data[user][id]=1&data[user][phones][work]=%2B49";
        let event: ImV2JoinChat = parse(body).unwrap();
        assert_eq!(event.dialog_id, "chat5");
        let kind = event.chat.unwrap().kind.unwrap();
        assert_eq!(kind, ImChatType::Other("collab".into()));
        let phones = event.user.unwrap().phones.unwrap();
        assert_eq!(phones["work"].as_str(), Some("+49"));
    }

    #[test]
    fn im_reaction_is_added_or_deleted() {
        let body = "event=ONIMV2REACTIONCHANGE&data[reaction]=like&data[action]=delete\
                    &data[message][id]=5012";
        let event: ImV2Reaction = parse(body).unwrap();
        assert_eq!(event.reaction.as_deref(), Some("like"));
        assert_eq!(event.action, Some(ImReactionAction::Delete));
        assert_eq!(event.message.unwrap().id, Some(5012));
    }

    #[test]
    fn im_event_is_typed_if_an_object_is_absent_or_a_string() {
        for body in [
            "event=ONIMV2MESSAGEADD",
            "event=ONIMV2MESSAGEADD&data=",
            "event=ONIMV2MESSAGEADD&data[message]=&data[chat]=&data[user]",
            "event=ONIMV2MESSAGEADD&data[message]=0&data[chat]=false&data[user]=",
        ] {
            let event: ImV2Message = parse(body).unwrap();
            assert_eq!((event.message, event.chat, event.user), (None, None, None));
        }
        let event: ImV2Message = parse("event=X&data[user][departments]=&data[user][id]=").unwrap();
        let user = event.user.unwrap();
        assert_eq!((user.id, user.departments.len()), (None, 0));
    }

    #[test]
    fn im_mismatch_names_the_path_of_the_field() {
        let body = "event=X&data[user][firstName]=a&data[user][departments][0]=b";
        let mismatch = parse::<ImV2Message>(body).unwrap_err();
        assert!(mismatch.path().starts_with("data.user"), "{mismatch}");
        assert!(mismatch.path().contains("departments"), "{mismatch}");
    }
}
