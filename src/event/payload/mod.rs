//! The payloads of the documented events, by scope.
//!
//! Fields have the names of the wire in Rust's spelling. A field is optional unless the event is
//! useless without it, since the documentation does not say reliably which are required.
//!
//! The platform puts ids in several places, and all of them are read: in `FIELDS` or beside it, as
//! `ID`, `id` or `Id`, under its own name again (`[ID][ID]`), as the only element of a list, or in the
//! first argument of a call (`data[0][ID]`).

mod basic;
mod calendar;
mod catalog;
mod crm;
mod hcmlink;
mod im;
mod imbot;
mod imconnector;
mod imopenlines;
mod log;
mod sale;
#[cfg(test)]
mod samples;
mod shared;
mod sign;
mod task;
mod telephony;
mod user;

pub use self::basic::{
    AppInstall, AppMethodConfirm, AppPayment, AppTest, AppUninstall, AppUpdate, AppUserReady,
    NoData,
};
pub use self::calendar::CalendarItem;
pub use self::catalog::{CatalogProduct, ProductType};
pub use self::crm::{
    CrmAddress, CrmCurrency, CrmDealMove, CrmDocument, CrmDynamicItem, CrmOutdatedItem,
    CrmRecurringDeal, CrmRecurringDealExpose, CrmRecurringInvoice, CrmRecurringInvoiceExpose,
    CrmTimelineAction, InvoiceUserField, UserField,
};
pub use self::hcmlink::{HcmLinkFieldValues, HcmLinkJob};
pub use self::log::FeedPost;
pub use self::sale::{OrderAction, SaleOrder};

pub use self::im::{
    ImChat, ImChatType, ImForward, ImGender, ImMessage, ImMessageType, ImReactionAction, ImUser,
    ImUserType, ImV2JoinChat, ImV2Message, ImV2MessageDelete, ImV2Reaction,
};
pub use self::imbot::{
    BotAuth, ImAttach, ImBotCommand, ImBotCommandContext, ImBotCommandEntry, ImBotCommandParams,
    ImBotContext, ImBotContextParams, ImBotDelete, ImBotEntry, ImBotFile, ImBotJoinChat,
    ImBotJoinChatParams, ImBotMessageAdd, ImBotMessageAddParams, ImBotMessageDelete,
    ImBotMessageDeleteParams, ImBotMessageUpdate, ImBotMessageUpdateParams, ImBotUser, ImBotV2Bot,
    ImBotV2Command, ImBotV2CommandCall, ImBotV2CommandContext, ImBotV2Context, ImBotV2Delete,
    ImBotV2EventMode, ImBotV2JoinChat, ImBotV2Message, ImBotV2MessageDelete, ImBotV2Reaction,
    ImFileType, ImMessageParams,
};
pub use self::imconnector::{
    ConnectorChangedMessage, ConnectorChat, ConnectorDeletedMessage, ConnectorDialog,
    ConnectorDialogRecord, ConnectorFile, ConnectorIm, ConnectorInfo, ConnectorLineId,
    ConnectorMessageAdd, ConnectorMessageAddRecord, ConnectorMessageDelete,
    ConnectorMessageDeleteRecord, ConnectorMessageUpdate, ConnectorMessageUpdateRecord,
    ConnectorNewMessage, ConnectorOperator, ConnectorSession, ConnectorStatus, ConnectorUser,
};
pub use self::imopenlines::{
    OpenLine, OpenLineChangedMessage, OpenLineChat, OpenLineExtra, OpenLineMessage,
    OpenLineMessageAdd, OpenLineMessageAddRecord, OpenLineMessageChange,
    OpenLineMessageChangeRecord, OpenLineSession, OpenLineSessionRecord,
};
pub use self::shared::ItemId;
pub use self::sign::{SignDocumentStatus, SignHcmLinkDocument, SignMemberStatus};
pub use self::task::{
    AddedTaskComment, ChangedTaskComment, TaskChange, TaskComment, TaskCommentAction,
    TaskCommentAdd, TaskCommentChange, TaskFields,
};
pub use self::telephony::{
    CallEnd, CallFailedCode, CallInit, CallStart, CallType, CrmCreatedEntity, CrmEntityType,
    ExternalCall, ExternalCallback,
};
pub use self::user::User;
