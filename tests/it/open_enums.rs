//! The open enumerations against the values of the documentation.

use std::fmt::{Debug, Display};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use tower_bitrix24::envelope::ApplicationStatus;
use tower_bitrix24::event::payload::{
    CallFailedCode, CallType, CrmEntityType, ImBotCommandContext, ImBotV2CommandContext,
    ImBotV2EventMode, ImChatType, ImGender, ImMessageType, ImReactionAction, ImUserType,
    OrderAction, ProductType, TaskCommentAction,
};

fn assert_documented<E>(values: &[(&str, E)])
where
    E: Debug + Display + PartialEq,
    E: Serialize + DeserializeOwned + for<'a> From<&'a str>,
{
    for (text, value) in values {
        assert_eq!(E::from(*text), *value, "{text}");
        assert_eq!(&serde_json::from_value::<E>(json!(text)).unwrap(), value);
        assert_eq!(serde_json::to_value(value).unwrap(), json!(text));
        assert_eq!(value.to_string(), *text);
    }
}

#[test]
fn open_enums_know_every_documented_value() {
    assert_documented(&[
        ("F", ApplicationStatus::Free),
        ("D", ApplicationStatus::Demo),
        ("T", ApplicationStatus::Trial),
        ("P", ApplicationStatus::Paid),
        ("L", ApplicationStatus::Local),
        ("S", ApplicationStatus::Subscription),
    ]);
    assert_documented(&[
        ("1", ProductType::Simple),
        ("3", ProductType::Parent),
        ("4", ProductType::Variation),
        ("5", ProductType::VariationWithoutProduct),
        ("6", ProductType::ParentWithoutVariations),
        ("7", ProductType::Service),
    ]);
    assert_documented(&[("save", OrderAction::Save), ("delete", OrderAction::Delete)]);
    assert_documented(&[
        ("EDIT", TaskCommentAction::Edit),
        ("DEL", TaskCommentAction::Delete),
    ]);
    assert_documented(&[
        ("1", CallType::Outgoing),
        ("2", CallType::Incoming),
        ("3", CallType::IncomingRedirected),
        ("4", CallType::Callback),
        ("5", CallType::Informational),
    ]);
    assert_documented(&[
        ("200", CallFailedCode::Success),
        ("304", CallFailedCode::Missed),
        ("402", CallFailedCode::InsufficientFunds),
        ("403", CallFailedCode::Forbidden),
        ("404", CallFailedCode::InvalidNumber),
        ("423", CallFailedCode::Blocked),
        ("480", CallFailedCode::TemporarilyUnavailable),
        ("484", CallFailedCode::AddressIncomplete),
        ("486", CallFailedCode::Busy),
        ("503", CallFailedCode::ServiceUnavailable),
        ("603", CallFailedCode::Declined),
        ("603-S", CallFailedCode::Cancelled),
        ("OTHER", CallFailedCode::Undefined),
    ]);
    assert_documented(&[
        ("CONTACT", CrmEntityType::Contact),
        ("COMPANY", CrmEntityType::Company),
        ("LEAD", CrmEntityType::Lead),
    ]);
}

#[test]
fn open_enums_of_the_messenger_know_every_documented_value() {
    assert_documented(&[
        ("add", ImReactionAction::Add),
        ("delete", ImReactionAction::Delete),
    ]);
    assert_documented(&[
        ("private", ImChatType::Private),
        ("chat", ImChatType::Chat),
        ("open", ImChatType::Open),
        ("channel", ImChatType::Channel),
        ("openChannel", ImChatType::OpenChannel),
        ("copilot", ImChatType::Copilot),
        ("thread", ImChatType::Thread),
        ("generalChannel", ImChatType::GeneralChannel),
    ]);
    assert_documented(&[
        ("P", ImMessageType::Private),
        ("C", ImMessageType::Chat),
        ("O", ImMessageType::Open),
        ("L", ImMessageType::OpenLine),
        ("S", ImMessageType::System),
        ("N", ImMessageType::Channel),
        ("J", ImMessageType::OpenChannel),
        ("T", ImMessageType::Thread),
        ("A", ImMessageType::Copilot),
        ("B", ImMessageType::Collab),
        ("X", ImMessageType::External),
    ]);
    assert_documented(&[
        ("employee", ImUserType::Employee),
        ("extranet", ImUserType::Extranet),
        ("email", ImUserType::Email),
        ("collaber", ImUserType::Collaber),
        ("bot", ImUserType::Bot),
    ]);
    assert_documented(&[("M", ImGender::Male), ("F", ImGender::Female)]);
    assert_documented(&[
        ("TEXTAREA", ImBotCommandContext::TextArea),
        ("KEYBOARD", ImBotCommandContext::Keyboard),
    ]);
    assert_documented(&[
        ("textarea", ImBotV2CommandContext::TextArea),
        ("keyboard", ImBotV2CommandContext::Keyboard),
        ("menu", ImBotV2CommandContext::Menu),
    ]);
    assert_documented(&[
        ("webhook", ImBotV2EventMode::Webhook),
        ("fetch", ImBotV2EventMode::Fetch),
    ]);
}
