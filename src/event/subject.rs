//! What an event is about, in one shape for all.

use std::fmt;

use serde::Serialize;

use super::payload::*;

/// The one object that an event is about: which, and what happened to it.
///
/// Most events tell no more than this. A handler that reads the object again, whatever it is, needs
/// no arm for each event:
///
/// ```
/// use tower_bitrix24::event::Action;
/// use tower_bitrix24::{ApplicationToken, Envelope, Event};
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let token = ApplicationToken::new("192735")?;
/// let mut seen = Vec::new();
/// for data in [
///     "event=ONCRMDEALUPDATE&data[FIELDS][ID]=42",
///     "event=ONCALENDARENTRYDELETE&data[id]=7",
///     "event=ONCRMCURRENCYADD&data[FIELDS][ID]=CHE",
///     "event=ONTASKUPDATE&data[FIELDS_BEFORE][ID]=9&data[FIELDS_AFTER][ID]=9",
/// ] {
///     let body = format!("{data}&auth[application_token]=192735");
///     let event = Event::verify(Envelope::scan(body)?, &token).await?;
///     let subject = event.subject().expect("these events are about one object");
///     match subject.action {
///         Action::Deleted => seen.push(format!("forget {} {}", subject.entity, subject.id)),
///         _ => seen.push(format!("read {} {}", subject.entity, subject.id)),
///     }
/// }
/// assert_eq!(
///     seen,
///     ["read crm.deal 42", "forget calendar.event 7", "read crm.currency CHE", "read tasks.task 9"],
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[non_exhaustive]
pub struct Subject<'a> {
    /// What kind of object it is, such as `crm.deal`: mostly the name of the REST methods that read
    /// it.
    pub entity: &'static str,
    /// The id of the object type of a smart process item (`crm.item`), from the payload or else from
    /// the event's code; otherwise none.
    pub entity_type_id: Option<u64>,
    /// The object's id.
    pub id: ObjectId<'a>,
    /// What happened to it.
    pub action: Action,
}

/// The id of an object. Most are numbers; a currency's is its code and a call's a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(untagged)]
pub enum ObjectId<'a> {
    /// A number.
    Number(u64),
    /// A text.
    Text(&'a str),
}

impl<'a> ObjectId<'a> {
    /// A number where the text is one.
    fn parse(text: &'a str) -> Self {
        text.parse().map_or(Self::Text(text), Self::Number)
    }

    /// Whether there can be an object with it: no number is 0, and no text empty.
    const fn is_valid(&self) -> bool {
        match self {
            Self::Number(id) => *id != 0,
            Self::Text(id) => !id.is_empty(),
        }
    }

    /// The id, if it is a number.
    pub const fn number(self) -> Option<u64> {
        match self {
            Self::Number(id) => Some(id),
            Self::Text(_) => None,
        }
    }
}

impl fmt::Display for ObjectId<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(id) => id.fmt(f),
            Self::Text(id) => id.fmt(f),
        }
    }
}

impl From<u64> for ObjectId<'_> {
    fn from(id: u64) -> Self {
        Self::Number(id)
    }
}

impl<'a> From<&'a str> for ObjectId<'a> {
    fn from(id: &'a str) -> Self {
        Self::Text(id)
    }
}

/// What happened to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Action {
    /// It is new.
    Added,
    /// It was changed, or something that belongs to it.
    Updated,
    /// It is new or was changed: the event does not tell which.
    Saved,
    /// It is about to be deleted and can still be read.
    Deleting,
    /// It is gone.
    Deleted,
    /// A call, a dialog or a session began.
    Started,
    /// A call, a dialog or a session ended.
    Finished,
}

/// A payload that tells the id of the object it is about.
pub(super) trait HasObjectId {
    fn object_id(&self) -> Option<ObjectId<'_>>;

    fn entity_type_id(&self) -> Option<u64> {
        None
    }

    fn subject(&self, entity: &'static str, action: Action) -> Option<Subject<'_>> {
        let id = self.object_id().filter(ObjectId::is_valid)?;
        Some(Subject {
            entity,
            entity_type_id: self.entity_type_id(),
            id,
            action,
        })
    }
}

/// Where each payload has the id.
macro_rules! object_ids {
    ($($payload:ident: |$this:ident| $id:expr;)+) => {$(
        impl HasObjectId for $payload {
            fn object_id(&self) -> Option<ObjectId<'_>> {
                let $this = self;
                $id.map(Into::into)
            }
        }
    )+};
}

object_ids! {
    ItemId: |item| Some(item.id);
    CalendarItem: |item| Some(item.id);
    User: |user| Some(user.id);
    UserField: |field| Some(field.id);
    InvoiceUserField: |field| Some(field.id);
    CatalogProduct: |product| Some(product.id);
    CrmCurrency: |currency| Some(currency.id.as_str());
    CrmOutdatedItem: |item| Some(ObjectId::parse(&item.id));
    CrmDealMove: |deal| Some(deal.id);
    CrmDocument: |document| Some(document.id);
    CrmRecurringDeal: |template| Some(template.id);
    CrmRecurringDealExpose: |made| Some(made.deal_id);
    CrmRecurringInvoice: |template| Some(template.id);
    CrmRecurringInvoiceExpose: |made| Some(made.invoice_id);
    SaleOrder: |order| Some(order.id);
    FeedPost: |post| Some(post.post_id);
    TaskChange: |task| task.id();
    // 0 in the new task card.
    TaskCommentAdd: |comment| comment.after.value().and_then(|comment| comment.id);
    TaskCommentChange: |comment| comment.id();
    CallInit: |call| Some(call.call_id.as_str());
    CallStart: |call| Some(call.call_id.as_str());
    CallEnd: |call| Some(call.call_id.as_str());
    ExternalCall: |call| call.call_id.as_deref();
    SignDocumentStatus: |document| Some(document.document_uid.as_str());
    SignMemberStatus: |member| Some(member.member_uid.as_str());
    SignHcmLinkDocument: |member| Some(member.id);
    HcmLinkJob: |job| Some(job.job_id);
    HcmLinkFieldValues: |job| Some(job.job_id);
    ImV2Message: |event| event.message.as_ref().and_then(|message| message.id);
    ImV2MessageDelete: |event| Some(event.message_id);
    ImV2Reaction: |event| event.message.as_ref().and_then(|message| message.id);
    ImBotDelete: |event| Some(event.bot_id);
    ImBotMessageAdd: |event| Some(event.params.message_id);
    ImBotMessageUpdate: |event| Some(event.params.message_id);
    ImBotMessageDelete: |event| Some(event.params.message_id);
    ImBotV2Delete: |event| event.bot.id;
    ImBotV2Message: |event| event.message.as_ref().and_then(|message| message.id);
    ImBotV2MessageDelete: |event| Some(event.message_id);
    ImBotV2Reaction: |event| event.message.as_ref().and_then(|message| message.id);
    ConnectorLineId: |line| Some(line.0);
}

impl HasObjectId for CrmDynamicItem {
    fn object_id(&self) -> Option<ObjectId<'_>> {
        Some(self.id.into())
    }

    fn entity_type_id(&self) -> Option<u64> {
        self.entity_type_id.filter(|&id| id != 0)
    }
}
