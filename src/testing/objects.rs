//! The objects in the data of events: messages, chats, users, bots, sessions.

use super::auth::OAuth;
use super::literals::{Entries, array, entries};
use crate::event::EventKind;
use crate::form::Value;

pub(super) fn message(id: String) -> Value {
    array! {
        "id": id, "chatId": "5", "authorId": "1", "date": "2025-01-15T10:30:00+02:00",
        "text": "Hello everyone!", "isSystem": "0", "uuid": "", "viewedByOthers": "0",
    }
}

pub(super) fn chat(id: &str) -> Value {
    array! {
        "id": id, "dialogId": format!("chat{id}"), "type": "chat", "name": "Project Chat",
        "entityType": "", "owner": "1", "avatar": "", "color": "#ab7761",
    }
}

/// A chat as applications without a bot see it.
pub(super) fn portal_chat(id: &str) -> Value {
    array! {
        "id": id, "dialogId": format!("chat{id}"), "name": "Project Chat", "type": "chat",
        "messageType": "C", "owner": "1", "color": "#ab7761", "avatar": "", "description": "",
        "extranet": "0", "containsCollaber": "0", "entityType": "", "entityId": "",
        "entityData1": "", "entityData2": "", "entityData3": "", "diskFolderId": "42",
        "parentChatId": "0", "parentMessageId": "0", "isNew": "0", "textFieldEnabled": "Y",
    }
}

/// A user as applications without a bot see them.
pub(super) fn portal_user() -> Value {
    array! {
        "id": "1", "active": "1", "name": "John Smith", "firstName": "John", "lastName": "Smith",
        "workPosition": "Developer", "color": "#df532d", "avatar": "", "gender": "M",
        "birthday": "", "extranet": "0", "bot": "0", "connector": "0",
        "externalAuthId": "default", "status": "online", "idle": "0", "lastActivityDate": "0",
        "mobileLastDate": "0", "desktopLastDate": "0", "absent": "0",
        "departments": array! { "0": "1" }, "phones": "0", "website": "",
        "email": "john@example.com", "type": "employee",
    }
}

pub(super) fn user() -> Value {
    array! {
        "id": "1", "active": "1", "name": "John Smith", "firstName": "John", "lastName": "Smith",
        "workPosition": "Developer", "color": "#df532d", "avatar": "", "gender": "M",
        "birthday": "", "extranet": "0", "bot": "0", "connector": "0",
        "externalAuthId": "default", "status": "online", "idle": "0",
        "lastActivityDate": "2025-01-15T10:29:00+02:00", "absent": "0",
        "departments": array! { "0": "1" }, "phones": "0", "type": "employee",
    }
}

pub(super) fn bot(id: &str, auth: &OAuth<'_>) -> Value {
    array! {
        "id": id, "code": "support_bot", "auth": Value::from_entries(auth.for_bot(id)), "type": "bot", "isHidden": "0", "isSupportOpenline": "0",
        "isReactionsEnabled": "1", "language": "en", "moduleId": "rest", "eventMode": "webhook",
        "countMessage": "150", "countCommand": "3", "countChat": "12", "countUser": "45",
    }
}

pub(super) fn old_bot(id: &str, auth: &OAuth<'_>) -> Value {
    by_id(
        id,
        auth.for_bot(id),
        entries! { "BOT_ID": id, "BOT_CODE": "BOT" },
    )
}

/// Returns an entry under its id. The platform sends the tokens in `AUTH` and beside it.
pub(super) fn by_id(id: &str, auth: Entries, rest: Entries) -> Value {
    let mut entry = auth.clone();
    entry.extend(entries! { "AUTH": Value::from_entries(auth) });
    entry.extend(rest);
    array! { id: Value::from_entries(entry) }
}

pub(super) fn old_user() -> Value {
    array! {
        "ID": "27", "NAME": "Svetlana Ivanova", "FIRST_NAME": "Svetlana", "LAST_NAME": "Ivanova",
        "WORK_POSITION": "", "GENDER": "F", "IS_BOT": "N", "IS_CONNECTOR": "N",
        "IS_NETWORK": "N", "IS_EXTRANET": "N",
    }
}

pub(super) fn connector() -> Value {
    array! { "connector_id": "livechat", "line_id": "128", "chat_id": "10585", "user_id": "1984" }
}

pub(super) fn session(kind: EventKind, id: String) -> Value {
    let closed = match kind {
        EventKind::SessionFinish | EventKind::ImConnectorDialogFinish => "Y",
        _ => "N",
    };
    array! {
        "connector": connector(),
        "session": array! { "id": id, "closed": closed, "parent_id": "0", "close_term": "60" },
        "chat": array! { "id": "10585" }, "user": array! { "id": "1984" },
    }
}

pub(super) fn connector_message(id: String, message: Value) -> Value {
    array! {
        "CONNECTOR": "myconnector", "LINE": "107",
        "MESSAGES": array! { "0": array! {
            "im": array! { "chat_id": "1807", "message_id": id }, "message": message,
            "chat": array! { "id": "channel-123" },
        } },
    }
}
