//! `Subject`: the one object that an event is about.

use std::fmt;

use serde::Serialize;

use super::payload::*;

/// The one object that an event is about, and what happened to it.
///
/// Most events carry nothing else. A handler that reads the object again through REST does not need
/// an arm for each event:
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
    /// The kind of object, such as `crm.deal`: one of the constants of
    /// [`event::entity`](super::entity). It is usually the prefix of the REST methods that read the
    /// object.
    pub entity: &'static str,
    /// The id of the object type of a smart process item (`crm.item`), from the payload or otherwise
    /// from the event's code. `None` for any other object.
    pub entity_type_id: Option<u64>,
    /// The object's id.
    pub id: ObjectId<'a>,
    /// The change, such as an update or a deletion.
    pub action: Action,
}

/// The id of an object. Most ids are numbers. The id of a currency is its code, and that of a call
/// is a string.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(untagged)]
pub enum ObjectId<'a> {
    /// A number.
    Number(u64),
    /// A string.
    Text(&'a str),
}

impl<'a> ObjectId<'a> {
    fn parse(id: &'a str) -> Self {
        id.parse().map_or(Self::Text(id), Self::Number)
    }

    /// The platform sends 0 or an empty string if there is no object.
    const fn is_valid(&self) -> bool {
        match self {
            Self::Number(id) => *id != 0,
            Self::Text(id) => !id.is_empty(),
        }
    }

    /// Returns the id if it is a number.
    pub const fn number(self) -> Option<u64> {
        match self {
            Self::Number(id) => Some(id),
            Self::Text(_) => None,
        }
    }

    /// Returns the id if it is a string.
    pub const fn as_str(self) -> Option<&'a str> {
        match self {
            Self::Number(_) => None,
            Self::Text(id) => Some(id),
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

/// A change of an object.
///
/// `Display` and `Serialize` write it in snake case, such as `added`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Action {
    /// The object is new.
    Added,
    /// The object was changed, or something that belongs to it.
    Updated,
    /// The object is new or was changed. The event is the same for both.
    Saved,
    /// The object is about to be deleted and can still be read.
    Deleting,
    /// The object was deleted.
    Deleted,
    /// A call, a dialog or a session began.
    Started,
    /// A call, a dialog or a session ended.
    Finished,
}

impl Action {
    /// Returns the action in snake case, such as `added`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Updated => "updated",
            Self::Saved => "saved",
            Self::Deleting => "deleting",
            Self::Deleted => "deleted",
            Self::Started => "started",
            Self::Finished => "finished",
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A payload with the id of the object that the event is about.
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
    // The new task card sends 0.
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
