//! Payloads of the scope `crm`.

use std::fmt;

use serde::de::{Error, MapAccess};
use serde::{Deserialize, Deserializer, Serialize};

use crate::form::Value;
use crate::form::field::{NumberOrName, optional_number};

/// An address of a requisite or a lead. The documentation shows the kinds as numbers, but portals send
/// their names. Documentation pages: *onCrmAddressRegister* and *onCrmAddressUnregister*.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[non_exhaustive]
pub struct CrmAddress {
    /// The kind of address (`TYPE_ID`), as `crm.enum.addresstype` lists them: 1 or `PRIMARY`.
    #[serde(rename = "TYPE_ID")]
    pub type_id: NumberOrName,
    /// The kind of object that the address belongs to (`ENTITY_TYPE_ID`), as `crm.enum.ownertype`
    /// lists them: 8 or `REQUISITE`, 1 or `LEAD`.
    #[serde(rename = "ENTITY_TYPE_ID")]
    pub entity_type_id: NumberOrName,
    /// The id of the object that the address belongs to (`ENTITY_ID`).
    #[serde(rename = "ENTITY_ID")]
    pub entity_id: u64,
    /// The id of that object's parent (`ANCHOR_ID`), for the platform's internal use.
    #[serde(rename = "ANCHOR_ID", default, deserialize_with = "optional_number")]
    pub anchor_id: Option<u64>,
    /// The kind of that parent (`ANCHOR_TYPE_ID`), for the platform's internal use.
    #[serde(
        rename = "ANCHOR_TYPE_ID",
        default,
        deserialize_with = "optional_number"
    )]
    pub anchor_type_id: Option<NumberOrName>,
}

/// A unit of measure or a product section in the outdated part of the CRM. Documentation pages:
/// *onCrmMeasureAdd*, *onCrmProductSectionAdd* and the like. They show a template instead of an id, so
/// the id is kept as it was sent.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[non_exhaustive]
pub struct CrmOutdatedItem {
    /// The id (`ID`), probably a number.
    #[serde(rename = "ID")]
    pub id: String,
}

/// A custom field of CRM objects. Documentation page: *onCrmRequisiteUserFieldAdd* and those of the
/// other objects.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[non_exhaustive]
pub struct UserField {
    /// The id of the custom field (`ID`).
    #[serde(rename = "ID")]
    pub id: u64,
    /// The kind of object that has the field (`ENTITY_ID`), such as `CRM_REQUISITE`.
    #[serde(rename = "ENTITY_ID")]
    pub entity_id: Option<String>,
    /// The field's name in the object (`FIELD_NAME`), such as `UF_CRM_1594`.
    #[serde(rename = "FIELD_NAME")]
    pub field_name: Option<String>,
}

/// A custom field of old-style invoices. Documentation page: *onCrmInvoiceUserFieldAdd* and
/// the like. The keys may also be spelled like those of [`UserField`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct InvoiceUserField {
    /// The id of the custom field (`id`).
    pub id: u64,
    /// The kind of object that has the field (`entityId`), such as `CRM_INVOICE`.
    pub entity_id: Option<String>,
    /// The field's name in the object (`fieldName`), such as `UF_CRM_1594`.
    pub field_name: Option<String>,
}

/// A currency. Documentation pages: *onCrmCurrencyAdd*, *onCrmCurrencyUpdate* and
/// *onCrmCurrencyDelete*.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[non_exhaustive]
pub struct CrmCurrency {
    /// The currency's code (`ID`), such as `CHE`.
    #[serde(rename = "ID")]
    pub id: String,
}

/// A deal that was moved to another sales funnel. Documentation page: *onCrmDealMoveToCategory*.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[non_exhaustive]
pub struct CrmDealMove {
    /// The deal's id (`ID`).
    #[serde(rename = "ID")]
    pub id: u64,
    /// The id of the deal's new funnel (`CATEGORY_ID`).
    #[serde(rename = "CATEGORY_ID", default, deserialize_with = "optional_number")]
    pub category_id: Option<u64>,
    /// The code of the deal's new stage (`STAGE_ID`), such as `C1:NEW`.
    #[serde(rename = "STAGE_ID")]
    pub stage_id: Option<String>,
}

/// A document made from a template. Documentation pages: *onCrmDocumentGeneratorDocumentAdd*,
/// *onCrmDocumentGeneratorDocumentUpdate* and *onCrmDocumentGeneratorDocumentDelete*.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[non_exhaustive]
pub struct CrmDocument {
    /// The document's id (`ID`).
    #[serde(rename = "ID")]
    pub id: u64,
    /// The kind of object that the document belongs to (`ENTITY_TYPE_ID`), as listed by
    /// `crm.enum.ownertype`.
    #[serde(
        rename = "ENTITY_TYPE_ID",
        default,
        deserialize_with = "optional_number"
    )]
    pub entity_type_id: Option<u64>,
    /// The id of the object that the document belongs to (`ENTITY_ID`).
    #[serde(rename = "ENTITY_ID", default, deserialize_with = "optional_number")]
    pub entity_id: Option<u64>,
}

/// An item of a smart process, or a new invoice. Documentation pages: *onCrmDynamicItemAdd*,
/// *onCrmDynamicItemUpdate* and *onCrmDynamicItemDelete*.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[non_exhaustive]
pub struct CrmDynamicItem {
    /// The item's id (`ID`), unique within its kind.
    #[serde(rename = "ID")]
    pub id: u64,
    /// The item's kind (`ENTITY_TYPE_ID`): the smart process. If it is absent, it may be in the event's
    /// code; [`Event::entity_type_id`](crate::Event::entity_type_id) returns either.
    #[serde(
        rename = "ENTITY_TYPE_ID",
        default,
        deserialize_with = "optional_number"
    )]
    pub entity_type_id: Option<u64>,
}

/// The template of a recurring deal. Documentation pages: *onCrmDealRecurringAdd* and
/// *onCrmDealRecurringUpdate*.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[non_exhaustive]
pub struct CrmRecurringDeal {
    /// The id of the template's settings (`ID`), not of a deal.
    #[serde(rename = "ID")]
    pub id: u64,
    /// The id of the template (`RECURRING_DEAL_ID`).
    #[serde(
        rename = "RECURRING_DEAL_ID",
        default,
        deserialize_with = "optional_number"
    )]
    pub recurring_deal_id: Option<u64>,
}

/// A deal made from the template of a recurring deal. Documentation page:
/// *onCrmDealRecurringExpose*.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[non_exhaustive]
pub struct CrmRecurringDealExpose {
    /// The id of the template's settings (`ID`), not of a deal.
    #[serde(rename = "ID", default, deserialize_with = "optional_number")]
    pub id: Option<u64>,
    /// The id of the template (`RECURRING_DEAL_ID`).
    #[serde(
        rename = "RECURRING_DEAL_ID",
        default,
        deserialize_with = "optional_number"
    )]
    pub recurring_deal_id: Option<u64>,
    /// The id of the deal that was made (`DEAL_ID`).
    #[serde(rename = "DEAL_ID")]
    pub deal_id: u64,
}

/// The template of a recurring invoice of the old kind. Documentation pages:
/// *onCrmInvoiceRecurringAdd* and *onCrmInvoiceRecurringUpdate*.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[non_exhaustive]
pub struct CrmRecurringInvoice {
    /// The id of the template's settings (`ID`), not of an invoice.
    #[serde(rename = "ID")]
    pub id: u64,
    /// The id of the template (`RECURRING_INVOICE_ID`).
    #[serde(
        rename = "RECURRING_INVOICE_ID",
        default,
        deserialize_with = "optional_number"
    )]
    pub recurring_invoice_id: Option<u64>,
}

/// An invoice of the old kind made from the template of a recurring invoice. Documentation page:
/// *onCrmInvoiceRecurringExpose*.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[non_exhaustive]
pub struct CrmRecurringInvoiceExpose {
    /// The id of the template's settings (`ID`), not of an invoice.
    #[serde(rename = "ID", default, deserialize_with = "optional_number")]
    pub id: Option<u64>,
    /// The id of the template (`RECURRING_INVOICE_ID`).
    #[serde(
        rename = "RECURRING_INVOICE_ID",
        default,
        deserialize_with = "optional_number"
    )]
    pub recurring_invoice_id: Option<u64>,
    /// The id of the invoice that was made (`INVOICE_ID`).
    #[serde(rename = "INVOICE_ID")]
    pub invoice_id: u64,
}

/// A user clicked an element with a `restEvent` action in a timeline record of the application.
/// Documentation page: *Click Reaction*
/// (`api-reference/crm/timeline/activities/configurable/structure/action.md`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct CrmTimelineAction {
    /// The id that the application gave to the action (`id`), such as `resetButtonClick`.
    pub id: String,
    /// The kind of object that the record belongs to (`entityTypeId`), as listed by
    /// `crm.enum.ownertype`.
    pub entity_type_id: Option<u64>,
    /// The id of the object that the record belongs to (`entityId`).
    pub entity_id: Option<u64>,
    /// The id of the activity (`activityId`).
    pub activity_id: Option<u64>,
    /// The id of the user who clicked (`userId`).
    pub user_id: Option<u64>,
    /// The parameters that the application gave to the action (`actionParams`). They are sent beside
    /// the other keys and come from the user's browser, so do not trust them. `None` if there are no
    /// other keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action_params: Option<Value>,
}

/// Written by hand, since `flatten` would read arrays with ids as keys as lists.
impl<'de> Deserialize<'de> for CrmTimelineAction {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(field_identifier, rename_all = "camelCase")]
        enum Key {
            Id,
            EntityTypeId,
            EntityId,
            ActivityId,
            UserId,
            Param(String),
        }

        #[derive(Deserialize)]
        #[serde(transparent)]
        struct Number(#[serde(deserialize_with = "optional_number")] Option<u64>);

        struct Visitor;

        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = CrmTimelineAction;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an action of a timeline record")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
                let mut id = None;
                let [
                    mut entity_type_id,
                    mut entity_id,
                    mut activity_id,
                    mut user_id,
                ] = [None; 4];
                let mut params = Vec::new();
                while let Some(key) = entries.next_key()? {
                    let number = match key {
                        Key::Id => {
                            id = Some(entries.next_value()?);
                            continue;
                        }
                        Key::Param(key) => {
                            params.push((key, entries.next_value()?));
                            continue;
                        }
                        Key::EntityTypeId => &mut entity_type_id,
                        Key::EntityId => &mut entity_id,
                        Key::ActivityId => &mut activity_id,
                        Key::UserId => &mut user_id,
                    };
                    *number = entries.next_value::<Number>()?.0;
                }
                Ok(CrmTimelineAction {
                    id: id.ok_or_else(|| A::Error::missing_field("id"))?,
                    entity_type_id,
                    entity_id,
                    activity_id,
                    user_id,
                    action_params: (!params.is_empty()).then(|| Value::from_entries(params)),
                })
            }
        }

        // Not `deserialize_map`, which would not pass the names of the fields on.
        const FIELDS: &[&str] = &["id", "entityTypeId", "entityId", "activityId", "userId"];
        deserializer.deserialize_struct("CrmTimelineAction", FIELDS, Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::payload::samples;
    use crate::form::FormReader;

    #[test]
    fn currency_samples_are_typed() {
        let codes = [
            "ONCRMCURRENCYADD",
            "ONCRMCURRENCYDELETE",
            "ONCRMCURRENCYUPDATE",
        ];
        let currencies = samples::read(&codes, FormReader::fields::<CrmCurrency>);
        assert!(currencies.iter().all(|currency| currency.id == "CHE"));
    }

    #[test]
    fn deal_samples_are_typed() {
        let codes = ["ONCRMDEALMOVETOCATEGORY"];
        let moved = samples::read(&codes, FormReader::fields::<CrmDealMove>);
        assert_eq!((moved[0].id, moved[0].category_id), (6675, Some(1)));
        assert_eq!(moved[0].stage_id.as_deref(), Some("C1:NEW"));

        let codes = ["ONCRMDEALRECURRINGADD", "ONCRMDEALRECURRINGUPDATE"];
        let templates = samples::read(&codes, FormReader::fields::<CrmRecurringDeal>);
        assert_eq!(
            (templates[0].id, templates[0].recurring_deal_id),
            (11, Some(6797))
        );
        assert_eq!(
            (templates[1].id, templates[1].recurring_deal_id),
            (9, Some(6791))
        );

        let codes = ["ONCRMDEALRECURRINGEXPOSE"];
        let deals = samples::read(&codes, FormReader::fields::<CrmRecurringDealExpose>);
        let deal = &deals[0];
        assert_eq!(
            (deal.id, deal.recurring_deal_id, deal.deal_id),
            (Some(9), Some(6791), 6799)
        );
    }

    #[test]
    fn document_samples_are_typed() {
        let codes = [
            "ONCRMDOCUMENTGENERATORDOCUMENTADD",
            "ONCRMDOCUMENTGENERATORDOCUMENTDELETE",
            "ONCRMDOCUMENTGENERATORDOCUMENTUPDATE",
        ];
        for document in samples::read(&codes, FormReader::fields::<CrmDocument>) {
            assert_eq!((document.id, document.entity_type_id), (1869, Some(1)));
            assert_eq!(document.entity_id, Some(1_000_993));
        }
    }

    #[test]
    fn smart_process_samples_are_typed() {
        let codes = [
            "ONCRMDYNAMICITEMADD",
            "ONCRMDYNAMICITEMDELETE",
            "ONCRMDYNAMICITEMUPDATE",
        ];
        let items = samples::read(&codes, FormReader::fields::<CrmDynamicItem>);
        assert!(items.iter().all(|item| item.entity_type_id == Some(1220)));
        assert!(items.iter().map(|item| item.id).eq([22, 23, 24]));
    }

    #[test]
    fn invoice_made_from_a_template_is_typed() {
        let template: CrmRecurringInvoice = samples::data(
            "event=ONCRMINVOICERECURRINGADD&data[FIELDS][ID]=3\
             &data[FIELDS][RECURRING_INVOICE_ID]=41",
        )
        .fields()
        .unwrap();
        assert_eq!((template.id, template.recurring_invoice_id), (3, Some(41)));

        let invoice: CrmRecurringInvoiceExpose = samples::data(
            "event=ONCRMINVOICERECURRINGEXPOSE&data[FIELDS][ID]=3\
             &data[FIELDS][RECURRING_INVOICE_ID]=&data[FIELDS][INVOICE_ID]=42",
        )
        .fields()
        .unwrap();
        assert_eq!((invoice.id, invoice.recurring_invoice_id), (Some(3), None));
        assert_eq!(invoice.invoice_id, 42);
    }

    #[test]
    fn crm_timeline_action_keeps_the_parameters_of_the_application() {
        let action: CrmTimelineAction = samples::data(
            "event=ONCRMTIMELINEITEMACTION&data[myId]=123&data[someImportant]=qwerty\
             &data[entityTypeId]=2&data[entityId]=6675&data[activityId]=&data[userId]=27\
             &data[rows][7][9]=x&data[id]=resetButtonClick",
        )
        .data()
        .unwrap();
        assert_eq!(action.id, "resetButtonClick");
        assert_eq!(
            (action.entity_type_id, action.entity_id),
            (Some(2), Some(6675))
        );
        assert_eq!((action.activity_id, action.user_id), (None, Some(27)));
        let params = action.action_params.expect("the application gave three");
        assert_eq!(params["myId"].as_str(), Some("123"));
        assert_eq!(params["someImportant"].as_str(), Some("qwerty"));
        assert_eq!(params["rows"]["7"]["9"].as_str(), Some("x"));
        assert_eq!(params.as_array().map(crate::form::Array::len), Some(3));

        let read = |form: &str| samples::data(form).data::<CrmTimelineAction>();
        let bare = read("event=ONCRMTIMELINEITEMACTION&data[id]=a").unwrap();
        assert_eq!(bare.action_params, None);
        let reason = |form| read(form).unwrap_err().to_string();
        assert_eq!(
            reason("event=X&data[entityId]=1"),
            "data: missing field `id`"
        );
        let text = "data: invalid type: string \"1\", expected an action of a timeline record";
        assert_eq!(reason("event=X&data=1"), text);
        for (pairs, path) in [
            ("data[id]=a&data[entityId][x]=1", "data.entityId"),
            ("data[id][x]=a", "data.id"),
        ] {
            let mismatch = read(&format!("event=X&{pairs}")).unwrap_err();
            assert_eq!(mismatch.path(), path, "{mismatch}");
        }
    }
}
