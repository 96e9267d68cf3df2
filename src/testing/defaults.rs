//! The data of each documented event, with the values of the documentation's samples.

use super::auth::OAuth;
use super::literals::{array, entries};
use super::objects::{
    bot, by_id, chat, connector, connector_message, message, old_bot, old_user, portal_chat,
    portal_user, session, user,
};
use crate::event::{EventKind, definitions};
use crate::form::Value;

macro_rules! is_in_fields {
    (fields) => {
        true
    };
    (data) => {
        false
    };
}

macro_rules! places {
    ($(
        scope $scope:literal {$(
            $variant:ident {
                code: $code:literal,
                name: $name:literal,
                payload: $place:ident($payload:ident),
                $($rest:tt)*
            }
        )+}
    )+) => {
        const fn is_in_fields(kind: EventKind) -> bool {
            match kind {
                $($(EventKind::$variant => is_in_fields!($place),)+)+
            }
        }
    };
}

definitions!(places);

/// Returns the data of an event about the object `id`, or about the sample's object without one.
/// Returns `None` if the event has no data.
pub(super) fn data(kind: EventKind, id: Option<&str>, auth: &OAuth<'_>) -> Option<Value> {
    let payload = payload(kind, |sample| id.unwrap_or(sample).to_owned(), auth)?;
    Some(if is_in_fields(kind) {
        array! { "FIELDS": payload }
    } else {
        payload
    })
}

/// Returns the contents of `data[FIELDS]`, or of `data` for events without `FIELDS`.
///
/// `id` maps the sample's id to the one to use.
fn payload(kind: EventKind, id: impl Fn(&str) -> String, auth: &OAuth<'_>) -> Option<Value> {
    Some(match kind {
        EventKind::OfflineEvent | EventKind::SubscriptionRenew => return None,

        // The application.
        EventKind::AppInstall => array! {
            "VERSION": "1", "ACTIVE": "Y", "INSTALLED": "Y", "LANGUAGE_ID": "en",
        },
        EventKind::AppUninstall => array! { "LANGUAGE_ID": "en", "CLEAN": "1" },
        EventKind::AppUpdate => {
            array! { "VERSION": "2", "PREVIOUS_VERSION": "1", "LANGUAGE_ID": "en" }
        }
        EventKind::AppUserReady => array! {
            "access_token": "s1a2b3c4d5e6f70890abcdef1234567890abcd",
            "refresh_token": "r1a2b3c4d5e6f70890abcdef1234567890abcd", "expires_in": "3600",
            "scope": "crm,user,task", "domain": "oauth.bitrix.info",
            "server_endpoint": "https://oauth.bitrix.info/rest/",
            "client_endpoint": "https://some-domain.bitrix24.com/rest/",
            "member_id": "a223c6b3710f85df22e9377d6c4f7553", "user_id": id("512"),
            "client_id": "app.573ad8a0346747.09223434", "status": "L", "LANGUAGE_ID": "en",
        },
        EventKind::AppPayment => array! {
            "CODE": "bitrix.gds_company", "VERSION": "1", "STATUS": "S", "PAYMENT_EXPIRED": "N",
            "DAYS": "28", "LANGUAGE_ID": "en",
        },
        EventKind::AppMethodConfirm => array! {
            "TOKEN": "fkp963yuv1ggkfbs5z3f5hy8lilm0iw6", "METHOD": "voximplant.user.get",
            "CONFIRMED": "1", "LANGUAGE_ID": "en",
        },
        EventKind::AppTest => array! { "QUERY": array! { "any": "data" }, "LANGUAGE_ID": "en" },
        EventKind::UserAdd => array! {
            "ID": id("123"), "ACTIVE": "Y", "EMAIL": "user@example.com", "NAME": "Klaus",
            "LAST_NAME": "Weber", "PERSONAL_GENDER": "M", "PERSONAL_BIRTHDAY": "1990-01-01",
            "UF_DEPARTMENT": array! { "0": "1", "1": "2" },
            "DATE_REGISTER": "2024-04-05T10:00:00+03:00", "WORK_POSITION": "Developer",
            "UF_EMPLOYMENT_DATE": "2024-04-05",
        },

        // CRM, the catalog, orders, the feed.
        EventKind::CalendarEntryAdd
        | EventKind::CalendarEntryDelete
        | EventKind::CalendarEntryUpdate
        | EventKind::CalendarRoomCreate
        | EventKind::CalendarRoomDelete
        | EventKind::CalendarRoomUpdate
        | EventKind::CalendarSectionAdd
        | EventKind::CalendarSectionDelete
        | EventKind::CalendarSectionUpdate => array! { "id": id("1414") },
        EventKind::CatalogProductAdd
        | EventKind::CatalogProductDelete
        | EventKind::CatalogProductUpdate => array! { "ID": id("27"), "TYPE": "1" },
        EventKind::CrmAddressRegister | EventKind::CrmAddressUnregister => array! {
            "TYPE_ID": "1", "ENTITY_TYPE_ID": "8", "ENTITY_ID": id("1"), "ANCHOR_ID": "17192",
            "ANCHOR_TYPE_ID": "3",
        },
        EventKind::CrmCurrencyAdd | EventKind::CrmCurrencyDelete | EventKind::CrmCurrencyUpdate => {
            array! { "ID": id("CHE") }
        }
        EventKind::CrmDealMoveToCategory => {
            array! { "ID": id("6675"), "CATEGORY_ID": "1", "STAGE_ID": "C1:NEW" }
        }
        EventKind::CrmDocumentGeneratorDocumentAdd
        | EventKind::CrmDocumentGeneratorDocumentDelete
        | EventKind::CrmDocumentGeneratorDocumentUpdate => {
            array! { "ID": id("1869"), "ENTITY_TYPE_ID": "1", "ENTITY_ID": "1000993" }
        }
        EventKind::CrmDynamicItemAdd
        | EventKind::CrmDynamicItemDelete
        | EventKind::CrmDynamicItemUpdate => array! { "ID": id("22"), "ENTITY_TYPE_ID": "1220" },
        EventKind::CrmDealRecurringAdd | EventKind::CrmDealRecurringUpdate => {
            array! { "ID": id("11"), "RECURRING_DEAL_ID": "6797" }
        }
        EventKind::CrmDealRecurringExpose => array! {
            "ID": "9", "RECURRING_DEAL_ID": "6791", "DEAL_ID": id("6799"),
        },
        EventKind::CrmInvoiceRecurringAdd | EventKind::CrmInvoiceRecurringUpdate => {
            array! { "ID": id("11"), "RECURRING_INVOICE_ID": "6797" }
        }
        EventKind::CrmInvoiceRecurringExpose => array! {
            "ID": "9", "RECURRING_INVOICE_ID": "6791", "INVOICE_ID": id("6799"),
        },
        EventKind::CrmTimelineItemAction => array! {
            "id": id("resetButtonClick"), "entityTypeId": "2", "entityId": "6675",
            "activityId": "7953", "userId": "27",
        },
        EventKind::CrmCompanyUserFieldAdd
        | EventKind::CrmCompanyUserFieldDelete
        | EventKind::CrmCompanyUserFieldSetEnumValues
        | EventKind::CrmCompanyUserFieldUpdate
        | EventKind::CrmContactUserFieldAdd
        | EventKind::CrmContactUserFieldDelete
        | EventKind::CrmContactUserFieldSetEnumValues
        | EventKind::CrmContactUserFieldUpdate
        | EventKind::CrmDealUserFieldAdd
        | EventKind::CrmDealUserFieldDelete
        | EventKind::CrmDealUserFieldSetEnumValues
        | EventKind::CrmDealUserFieldUpdate
        | EventKind::CrmLeadUserFieldAdd
        | EventKind::CrmLeadUserFieldDelete
        | EventKind::CrmLeadUserFieldSetEnumValues
        | EventKind::CrmLeadUserFieldUpdate
        | EventKind::CrmQuoteUserFieldAdd
        | EventKind::CrmQuoteUserFieldDelete
        | EventKind::CrmQuoteUserFieldSetEnumValues
        | EventKind::CrmQuoteUserFieldUpdate
        | EventKind::CrmRequisiteUserFieldAdd
        | EventKind::CrmRequisiteUserFieldDelete
        | EventKind::CrmRequisiteUserFieldSetEnumValues
        | EventKind::CrmRequisiteUserFieldUpdate
        | EventKind::CrmTypeUserFieldAdd
        | EventKind::CrmTypeUserFieldDelete
        | EventKind::CrmTypeUserFieldSetEnumValues
        | EventKind::CrmTypeUserFieldUpdate => array! {
            "ID": id("6979"), "ENTITY_ID": owner_of_field(kind), "FIELD_NAME": "UF_CRM_1743165530",
        },
        EventKind::CrmInvoiceUserFieldAdd
        | EventKind::CrmInvoiceUserFieldDelete
        | EventKind::CrmInvoiceUserFieldSetEnumValues
        | EventKind::CrmInvoiceUserFieldUpdate => array! {
            "id": id("6979"), "entityId": owner_of_field(kind), "fieldName": "UF_CRM_1743165530",
        },
        EventKind::SaleBeforeOrderDelete => {
            array! { "ID": id("300"), "XML_ID": "", "ACTION": "delete" }
        }
        EventKind::SaleOrderSaved => array! { "ID": id("300"), "XML_ID": "", "ACTION": "save" },
        EventKind::LiveFeedPostAdd
        | EventKind::LiveFeedPostDelete
        | EventKind::LiveFeedPostUpdate => array! { "POST_ID": id("209") },

        // Tasks: the platform sends "undefined" for a missing value.
        EventKind::TaskAdd | EventKind::TaskDelete | EventKind::TaskUpdate => {
            let task = || array! { "ID": id("123") };
            let undefined = || Value::from("undefined");
            let [before, after, seen_before, seen_after] = match kind {
                EventKind::TaskAdd => [undefined(), task(), "N".into(), undefined()],
                EventKind::TaskDelete => [task(), undefined(), undefined(), "N".into()],
                _ => [task(), task(), undefined(), undefined()],
            };
            array! {
                "FIELDS_BEFORE": before, "FIELDS_AFTER": after,
                "IS_ACCESSIBLE_BEFORE": seen_before, "IS_ACCESSIBLE_AFTER": seen_after,
            }
        }
        EventKind::TaskCommentAdd => array! {
            "FIELDS_BEFORE": "undefined",
            "FIELDS_AFTER": array! { "ID": id("123"), "TASK_ID": "555" },
            "IS_ACCESSIBLE_BEFORE": "undefined", "IS_ACCESSIBLE_AFTER": "undefined",
        },
        EventKind::TaskCommentDelete | EventKind::TaskCommentUpdate => {
            let action = match kind {
                EventKind::TaskCommentDelete => "DEL",
                _ => "EDIT",
            };
            array! {
                "FIELDS_BEFORE": array! { "ID": id("123"), "TASK_ID": "555" },
                "FIELDS_AFTER": array! { "ID": id("123"), "TASK_ID": "555", "ACTION": action },
                "IS_ACCESSIBLE_BEFORE": "undefined", "IS_ACCESSIBLE_AFTER": "undefined",
            }
        }

        // Telephony.
        EventKind::ExternalCallStart => array! {
            "PHONE_NUMBER": "+494951234567", "PHONE_NUMBER_INTERNATIONAL": "+494951234567",
            "EXTENSION": "", "USER_ID": "1269", "CALL_LIST_ID": "0", "LINE_NUMBER": "7",
            "IS_MOBILE": "0", "CALL_ID": id(CALL), "CRM_ENTITY_TYPE": "CONTACT",
            "CRM_ENTITY_ID": "797",
        },
        EventKind::ExternalCallBackStart => array! {
            "PHONE_NUMBER": "+494951234567", "TEXT": "A callback has been ordered from the website",
            "VOICE": "ruinternalfemale", "CRM_ENTITY_TYPE": "CONTACT", "CRM_ENTITY_ID": "5785",
            "LINE_NUMBER": "7",
        },
        EventKind::VoximplantCallInit => array! {
            "CALL_ID": id(CALL), "CALL_TYPE": "1", "ACCOUNT_SEARCH_ID": "reg150908",
            "PHONE_NUMBER": "+499999996666", "CALLER_ID": "reg150908",
        },
        EventKind::VoximplantCallStart => array! { "CALL_ID": id(CALL), "USER_ID": "1269" },
        EventKind::VoximplantCallEnd => array! {
            "CALL_ID": id(CALL), "CALL_TYPE": "1", "PHONE_NUMBER": "+499061234567",
            "PORTAL_NUMBER": "REST_APP:", "PORTAL_USER_ID": "1269", "CALL_DURATION": "0",
            "CALL_START_DATE": "2026-03-11T17:28:46+03:00", "COST": "0", "COST_CURRENCY": "",
            "CALL_FAILED_CODE": "304", "CALL_FAILED_REASON": "Call canceled",
            "CRM_ACTIVITY_ID": "7953",
        },

        // The messenger, and the bots that share its objects.
        EventKind::ImV2MessageAdd | EventKind::ImV2MessageUpdate => array! {
            "message": message(id("5012")), "chat": portal_chat("5"), "user": portal_user(),
            "language": "en",
        },
        EventKind::ImV2MessageDelete => array! {
            "messageId": id("5012"), "chat": portal_chat("5"), "user": portal_user(),
            "language": "en",
        },
        EventKind::ImV2JoinChat => array! {
            "dialogId": format!("chat{}", id("5")), "chat": portal_chat(&id("5")),
            "user": portal_user(), "language": "en",
        },
        EventKind::ImV2ReactionChange => array! {
            "reaction": "like", "action": "add", "message": message(id("5012")),
            "chat": portal_chat("5"), "user": portal_user(), "language": "en",
        },
        EventKind::ImBotV2MessageAdd | EventKind::ImBotV2MessageUpdate => array! {
            "bot": bot("456", auth), "message": message(id("789")), "chat": chat("5"), "user": user(),
            "language": "en",
        },
        EventKind::ImBotV2MessageDelete => array! {
            "bot": bot("456", auth), "messageId": id("789"), "chat": chat("5"), "user": user(),
            "language": "en",
        },
        EventKind::ImBotV2ReactionChange => array! {
            "bot": bot("456", auth), "reaction": "like", "action": "add", "message": message(id("789")),
            "chat": chat("5"), "user": user(), "language": "en",
        },
        EventKind::ImBotV2CommandAdd => array! {
            "bot": bot("456", auth),
            "command": array! {
                "id": id("78"), "command": "/help", "params": "topic", "context": "textarea",
            },
            "message": message("790".to_owned()), "chat": chat("5"), "user": user(),
            "language": "en",
        },
        EventKind::ImBotV2ContextGet => array! {
            "bot": bot(&id("456"), auth), "dialogId": "chat5",
            "context": array! { "entityId": "164", "entityType": "task", "source": "link" },
            "chat": chat("5"), "user": user(), "language": "en",
        },
        EventKind::ImBotV2JoinChat => array! {
            "bot": bot(&id("456"), auth), "dialogId": "chat5", "chat": chat("5"), "user": user(),
            "language": "en",
        },
        EventKind::ImBotV2Delete => array! { "bot": bot(&id("456"), auth) },

        // The older bots: entries by the ids of bots or commands, each with its tokens.
        EventKind::ImBotContextGet => array! {
            "BOT": old_bot(&id("567"), auth),
            "PARAMS": array! {
                "CHAT_TYPE": "P", "MESSAGE_TYPE": "P", "USER_ID": "27", "CHAT_AUTHOR_ID": "0",
                "CHAT_ENTITY_TYPE": "", "CHAT_ENTITY_ID": "",
                "CONTEXT": array! { "entityId": "164" }, "DIALOG_ID": "27", "LANGUAGE": "en",
            },
            "USER": array! {
                "ID": "27", "NAME": "Svetlana Ivanova", "FIRST_NAME": "Svetlana",
                "LAST_NAME": "Ivanova", "WORK_POSITION": "", "GENDER": "F",
            },
        },
        EventKind::ImBotDelete => array! { "BOT_ID": id("567"), "BOT_CODE": "BOT" },
        EventKind::ImBotJoinChat => array! {
            "BOT": old_bot(&id("571"), auth),
            "PARAMS": array! {
                "CHAT_TYPE": "P", "MESSAGE_TYPE": "P", "BOT_ID": id("571"), "USER_ID": "27",
                "TO_USER_ID": "27", "FROM_USER_ID": id("571"), "DIALOG_ID": "27", "LANGUAGE": "en",
            },
            "USER": array! {
                "ID": "27", "NAME": "Svetlana Ivanova", "FIRST_NAME": "Svetlana",
                "LAST_NAME": "Ivanova", "WORK_POSITION": "", "GENDER": "F",
            },
        },
        EventKind::ImBotMessageAdd => array! {
            "BOT": old_bot("567", auth),
            "PARAMS": array! {
                "MESSAGE": "Hello", "TEMPLATE_ID": "796c45aa-70e5-45aa-930c-c7fb32710c62",
                "MESSAGE_TYPE": "P", "FROM_USER_ID": "27", "DIALOG_ID": "27", "TO_CHAT_ID": "1407",
                "AUTHOR_ID": "27", "SYSTEM": "N", "TO_USER_ID": "567", "PUSH": "Y",
                "PUSH_IMPORTANT": "N", "RECENT_SKIP_AUTHOR": "N", "CONVERT": "N",
                "SKIP_COMMAND": "N", "SKIP_COUNTER_INCREMENTS": "N", "SILENT_CONNECTOR": "N",
                "SKIP_CONNECTOR": "N", "IMPORTANT_CONNECTOR": "N", "NO_SESSION_OL": "N",
                "FAKE_RELATION": "0", "SKIP_URL_INDEX": "N", "COMMAND_CONTEXT": "TEXTAREA",
                "CHAT_USER_COUNT": "2", "PLATFORM_CONTEXT": "web", "MESSAGE_ID": id("84331"),
                "CHAT_TYPE": "P", "LANGUAGE": "en",
            },
            "USER": old_user(),
        },
        EventKind::ImBotMessageUpdate => array! {
            "BOT": old_bot("571", auth),
            "PARAMS": array! {
                "ID": id("84531"), "CHAT_ID": "1453", "AUTHOR_ID": "27",
                "MESSAGE": "How to add an observer to the task?", "MESSAGE_TYPE": "P",
                "CHAT_AUTHOR_ID": "571", "CHAT_ENTITY_ID": "", "CHAT_ENTITY_DATA_1": "",
                "CHAT_ENTITY_DATA_2": "", "CHAT_ENTITY_DATA_3": "", "FROM_USER_ID": "27",
                "TO_USER_ID": "571", "CHAT_USER_COUNT": "2", "PLATFORM_CONTEXT": "web",
                "DIALOG_ID": "27", "MESSAGE_ID": id("84531"),
                "CHAT_TYPE": "P", "LANGUAGE": "en",
            },
            "USER": old_user(),
        },
        EventKind::ImBotMessageDelete => array! {
            "BOT": old_bot("571", auth),
            "PARAMS": array! {
                "ID": id("84525"), "CHAT_ID": "1453", "AUTHOR_ID": "27",
                "MESSAGE": "Message from 02/26/2026 09:27:30 has been deleted", "MESSAGE_TYPE": "P",
                "CHAT_AUTHOR_ID": "571", "CHAT_ENTITY_ID": "", "CHAT_ENTITY_DATA_1": "",
                "CHAT_ENTITY_DATA_2": "", "CHAT_ENTITY_DATA_3": "", "FROM_USER_ID": "27",
                "TO_USER_ID": "571", "DIALOG_ID": "27", "MESSAGE_ID": id("84525"),
                "CHAT_TYPE": "P", "LANGUAGE": "en",
            },
            "USER": old_user(),
        },
        EventKind::ImCommandAdd => array! {
            "COMMAND": by_id(&id("103"), auth.for_bot("1291"), entries! {
                "BOT_ID": "1291", "BOT_CODE": "BOT_GM", "COMMAND": "echo", "COMMAND_ID": id("103"),
                "COMMAND_PARAMS": "test", "COMMAND_CONTEXT": "TEXTAREA", "MESSAGE_ID": "33899",
            }),
            "PARAMS": array! {
                "MESSAGE": "/echo test", "TEMPLATE_ID": "acae8d22-4536-4f47-a276-2e3bdf866475",
                "MESSAGE_TYPE": "P", "FROM_USER_ID": "27", "DIALOG_ID": "27", "TO_CHAT_ID": "2737",
                "AUTHOR_ID": "27", "SYSTEM": "N", "TO_USER_ID": "1291", "SKIP_USER_CHECK": "Y",
                "PUSH": "Y", "PUSH_IMPORTANT": "N", "RECENT_ADD": "Y", "RECENT_SKIP_AUTHOR": "N",
                "CONVERT": "N", "SKIP_COMMAND": "N", "SKIP_COUNTER_INCREMENTS": "N",
                "SILENT_CONNECTOR": "N", "SKIP_CONNECTOR": "N", "IMPORTANT_CONNECTOR": "N",
                "NO_SESSION_OL": "N", "FAKE_RELATION": "0", "SKIP_URL_INDEX": "N",
                "MESSAGE_ID": "33899", "CHAT_TYPE": "P", "LANGUAGE": "en",
            },
            "USER": array! {
                "ID": "27", "NAME": "Svetlana Ivanova", "FIRST_NAME": "Svetlana",
                "LAST_NAME": "Ivanova", "GENDER": "F",
            },
        },

        // Open lines and connectors: lists of messages or sessions.
        EventKind::OpenLineMessageAdd => array! {
            "DATA": array! { "0": array! {
                "connector": connector(), "chat": array! { "id": "10585" },
                "message": array! {
                    "id": id("80964"), "date": "", "text": "hello", "attach": "", "system": "N",
                    "user_id": "1985",
                },
                "extra": array! { "EXTRA_URL": "" },
            } },
        },
        EventKind::OpenLineMessageDelete | EventKind::OpenLineMessageUpdate => array! {
            "CONNECTOR": "livechat", "LINE": "128",
            "DATA": array! { "0": array! {
                "im": array! { "chat_id": "1024", "message_id": id("2056") },
                "message": array! { "id": id("2056") }, "chat": array! { "id": "1024" },
            } },
        },
        EventKind::SessionFinish | EventKind::SessionStart => array! {
            "DATA": array! { "0": session(kind, id("42")) },
        },
        EventKind::ImConnectorDialogFinish | EventKind::ImConnectorDialogStart => array! {
            "CONNECTOR": "livechat", "LINE": "128",
            "DATA": array! { "0": session(kind, id("3282")) },
        },
        EventKind::ImConnectorMessageAdd => connector_message(
            id("86497"),
            array! {
                "user_id": "27", "text": "[b]Klaus Weber:[/b] [br]Guten Tag!",
            },
        ),
        EventKind::ImConnectorMessageUpdate => connector_message(
            id("86501"),
            array! {
                "id": array! { "0": "ext-msg-005" },
                "text": "[b]Klaus Weber:[/b][br] What questions do you have?",
            },
        ),
        EventKind::ImConnectorMessageDelete => {
            connector_message(id("86501"), array! { "id": "ext-msg-005" })
        }
        EventKind::ImConnectorStatusDelete => {
            array! { "connector": "myconnector", "line": id("107") }
        }
        EventKind::ImConnectorLineDelete => id("107").into(),

        // Signing, and the systems of human resources.
        EventKind::SignB2eDocumentStatusChanged => array! {
            "documentUid": id("R-LK-50JI-3AAK-WS1A"), "statusCode": "signing",
            "statusName": "Signing in progress",
        },
        EventKind::SignB2eMemberStatusChanged => array! {
            "memberUid": id("2ditmm6vjoolzbygaeua2jltkjb9hgks"),
            "documentUid": "R-LK-50JI-3AAK-WS1A", "statusCode": "done", "statusName": "Signed",
        },
        EventKind::SignHcmLinkB2eDocumentSigned => {
            array! { "id": id("3942"), "company": "acme-hr" }
        }
        EventKind::HumanResourcesHcmLinkEmployeeListMapped
        | EventKind::HumanResourcesHcmLinkEmployeeListRequested
        | EventKind::HumanResourcesHcmLinkPinRequested
        | EventKind::HumanResourcesHcmLinkSalaryVacationRequested => array! {
            "jobId": id("101"), "company": "acme-hr", "date": "2026-03-11T17:28:46+03:00",
        },
        EventKind::HumanResourcesHcmLinkFieldValueRequested => array! {
            "jobId": id("101"), "company": "acme-hr",
            "employees": array! { "0": "e-1", "1": "e-3" }, "fields": array! { "0": "snils" },
            "date": "2026-03-11T17:28:46+03:00",
        },

        // Most events only give an id. `tests/it/testing.rs` checks that every payload is typed.
        _ => array! { "ID": id("27") },
    })
}

const CALL: &str = "externalCall.7b0c7de811455ef32b18dc5917e4306a.1773239327";

/// Returns the kind of object of a custom field, for example `CRM_DEAL` for `ONCRMDEALUSERFIELDADD`.
fn owner_of_field(kind: EventKind) -> String {
    let code = kind.as_str();
    let code = code.strip_prefix("ONCRM").unwrap_or(code);
    match code.split("USERFIELD").next() {
        // A smart process is named by its number.
        Some("TYPE") | None => "CRM_13".to_owned(),
        Some(object) => format!("CRM_{object}"),
    }
}
