//! The entities of [`Subject`](super::Subject)s, as constants.
//!
//! An entity is usually the prefix of the REST methods that read the object. A comparison with a
//! constant cannot be misspelled:
//!
//! ```
//! use tower_bitrix24::event::entity;
//! use tower_bitrix24::{ApplicationToken, Envelope, Event, EventKind};
//!
//! # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
//! let body = "event=ONCRMDEALUPDATE&data[FIELDS][ID]=42&auth[application_token]=192735";
//! let event = Event::verify(Envelope::scan(body)?, &ApplicationToken::new("192735")?).await?;
//! let subject = event.subject().expect("the event is about a deal");
//! assert_eq!(subject.entity, entity::CRM_DEAL);
//!
//! assert_eq!(EventKind::CrmDealUserFieldAdd.entity(), Some(entity::CRM_DEAL_USERFIELD));
//! assert_eq!(EventKind::AppInstall.entity(), None);
//! assert!(entity::ALL.contains(&"crm.deal"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

macro_rules! entities {
    ($($(#[$doc:meta])+ $name:ident = $entity:literal;)+) => {
        $(
            $(#[$doc])+
            #[doc = concat!("\n\n`", $entity, "`")]
            pub const $name: &str = $entity;
        )+

        /// Every entity of a documented event.
        pub const ALL: &[&str] = &[$($name,)+];
    };
}

entities! {
    /// A booking.
    BOOKING_V1_BOOKING = "booking.v1.booking";
    /// A resource that can be booked.
    BOOKING_V1_RESOURCE = "booking.v1.resource";
    /// A type of resources that can be booked.
    BOOKING_V1_RESOURCE_TYPE = "booking.v1.resourceType";
    /// An entry of the waiting list for bookings.
    BOOKING_V1_WAITLIST = "booking.v1.waitlist";
    /// An event of a calendar.
    CALENDAR_EVENT = "calendar.event";
    /// A meeting room.
    CALENDAR_ROOM = "calendar.room";
    /// A calendar.
    CALENDAR_SECTION = "calendar.section";
    /// A unit of measure of the catalog.
    CATALOG_MEASURE = "catalog.measure";
    /// A price of a product.
    CATALOG_PRICE = "catalog.price";
    /// A type of prices.
    CATALOG_PRICE_TYPE = "catalog.priceType";
    /// A product of the catalog.
    CATALOG_PRODUCT = "catalog.product";
    /// A rule for rounding prices.
    CATALOG_ROUNDING_RULE = "catalog.roundingRule";
    /// An activity of the CRM.
    CRM_ACTIVITY = "crm.activity";
    /// A company.
    CRM_COMPANY = "crm.company";
    /// A custom field of companies.
    CRM_COMPANY_USERFIELD = "crm.company.userfield";
    /// A contact.
    CRM_CONTACT = "crm.contact";
    /// A custom field of contacts.
    CRM_CONTACT_USERFIELD = "crm.contact.userfield";
    /// A currency, whose id is its code.
    CRM_CURRENCY = "crm.currency";
    /// A deal.
    CRM_DEAL = "crm.deal";
    /// A template of recurring deals.
    CRM_DEAL_RECURRING = "crm.deal.recurring";
    /// A custom field of deals.
    CRM_DEAL_USERFIELD = "crm.deal.userfield";
    /// A document that was made from a template.
    CRM_DOCUMENTGENERATOR_DOCUMENT = "crm.documentgenerator.document";
    /// An invoice of the old kind.
    CRM_INVOICE = "crm.invoice";
    /// A template of recurring invoices.
    CRM_INVOICE_RECURRING = "crm.invoice.recurring";
    /// A custom field of invoices.
    CRM_INVOICE_USERFIELD = "crm.invoice.userfield";
    /// An item of a smart process.
    CRM_ITEM = "crm.item";
    /// A lead.
    CRM_LEAD = "crm.lead";
    /// A custom field of leads.
    CRM_LEAD_USERFIELD = "crm.lead.userfield";
    /// A unit of measure of the CRM.
    CRM_MEASURE = "crm.measure";
    /// A product of the CRM.
    CRM_PRODUCT = "crm.product";
    /// A property of products.
    CRM_PRODUCT_PROPERTY = "crm.product.property";
    /// A section of products.
    CRM_PRODUCTSECTION = "crm.productsection";
    /// A quote.
    CRM_QUOTE = "crm.quote";
    /// A custom field of quotes.
    CRM_QUOTE_USERFIELD = "crm.quote.userfield";
    /// The requisites of a company or a contact.
    CRM_REQUISITE = "crm.requisite";
    /// A bank detail of requisites.
    CRM_REQUISITE_BANKDETAIL = "crm.requisite.bankdetail";
    /// A custom field of requisites.
    CRM_REQUISITE_USERFIELD = "crm.requisite.userfield";
    /// A comment in the timeline.
    CRM_TIMELINE_COMMENT = "crm.timeline.comment";
    /// A smart process type.
    CRM_TYPE = "crm.type";
    /// A job of the link to an HR system.
    HUMANRESOURCES_HCMLINK_JOB = "humanresources.hcmlink.job";
    /// A message of a chat.
    IM_MESSAGE = "im.message";
    /// A bot.
    IMBOT = "imbot";
    /// An open channel.
    IMOPENLINES_CONFIG = "imopenlines.config";
    /// A post of the feed.
    LOG_BLOGPOST = "log.blogpost";
    /// An order of the online store.
    SALE_ORDER = "sale.order";
    /// A payment of an order.
    SALE_PAYMENT = "sale.payment";
    /// The value of a property of an order.
    SALE_PROPERTYVALUE = "sale.propertyvalue";
    /// A shipment of an order.
    SALE_SHIPMENT = "sale.shipment";
    /// A document to be signed.
    SIGN_B2E_DOCUMENT = "sign.b2e.document";
    /// A document of an HR system to be signed.
    SIGN_B2E_HCMLINK_DOCUMENT = "sign.b2e.hcmlink.document";
    /// Someone who signs a document.
    SIGN_B2E_MEMBER = "sign.b2e.member";
    /// A workgroup.
    SONET_GROUP = "sonet_group";
    /// A topic of workgroups.
    SONET_GROUP_SUBJECT = "sonet_group.subject";
    /// A comment on a task.
    TASK_COMMENTITEM = "task.commentitem";
    /// A task.
    TASKS_TASK = "tasks.task";
    /// A call of an external line.
    TELEPHONY_EXTERNALCALL = "telephony.externalcall";
    /// A user.
    USER = "user";
    /// A custom field's settings.
    USERFIELDCONFIG = "userfieldconfig";
    /// A call.
    VOXIMPLANT_CALL = "voximplant.call";
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::event::EventKind;

    #[test]
    fn every_entity_is_that_of_a_kind() {
        let kinds = EventKind::ALL.iter().filter_map(|kind| kind.entity());
        let used: BTreeSet<_> = kinds.collect();
        assert_eq!(used.len(), ALL.len());
        assert_eq!(used, ALL.iter().copied().collect());
    }
}
