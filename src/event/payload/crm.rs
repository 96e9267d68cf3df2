use serde::{Deserialize, Serialize};

use crate::event::Value;
use crate::event::field::optional_number;

/// An address of a requisite or a lead. Documentation pages: *onCrmAddressRegister* and
/// *onCrmAddressUnregister*.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[non_exhaustive]
pub struct CrmAddress {
    /// The kind of address (`TYPE_ID`), as `crm.enum.addresstype` lists them.
    #[serde(rename = "TYPE_ID")]
    pub type_id: u64,
    /// The kind of object that the address belongs to (`ENTITY_TYPE_ID`), as `crm.enum.ownertype`
    /// lists them: 8 for a requisite, 1 for a lead.
    #[serde(rename = "ENTITY_TYPE_ID")]
    pub entity_type_id: u64,
    /// The id of the object that the address belongs to (`ENTITY_ID`).
    #[serde(rename = "ENTITY_ID")]
    pub entity_id: u64,
    /// The id of that object's own parent (`ANCHOR_ID`), for the platform's inner use.
    #[serde(rename = "ANCHOR_ID", default, deserialize_with = "optional_number")]
    pub anchor_id: Option<u64>,
    /// The kind of that parent (`ANCHOR_TYPE_ID`), for the platform's inner use.
    #[serde(
        rename = "ANCHOR_TYPE_ID",
        default,
        deserialize_with = "optional_number"
    )]
    pub anchor_type_id: Option<u64>,
}

/// A unit of measure or a product section in the outdated part of the CRM. Documentation pages:
/// *onCrmMeasureAdd*, *onCrmProductSectionAdd* and their neighbours, which show a template in the
/// place of an id: it is kept as it comes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[non_exhaustive]
pub struct CrmOutdatedItem {
    /// The id (`ID`), a number by all that is known.
    #[serde(rename = "ID")]
    pub id: String,
}

/// A custom field of CRM objects. Documentation page: *onCrmRequisiteUserFieldAdd* and those of the
/// other objects. The pages of old invoices name the keys `id`, `entityId` and `fieldName`; either
/// spelling is read.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[non_exhaustive]
pub struct UserField {
    /// The id of the custom field (`ID`).
    #[serde(rename = "ID", alias = "id")]
    pub id: u64,
    /// The kind of object that has the field (`ENTITY_ID`), such as `CRM_REQUISITE`.
    #[serde(rename = "ENTITY_ID", alias = "entityId")]
    pub entity_id: Option<String>,
    /// The field's name in the object (`FIELD_NAME`), such as `UF_CRM_1594`.
    #[serde(rename = "FIELD_NAME", alias = "fieldName")]
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

/// A deal that went to another sales funnel. Documentation page: *onCrmDealMoveToCategory*.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[non_exhaustive]
pub struct CrmDealMove {
    /// The deal's id (`ID`).
    #[serde(rename = "ID")]
    pub id: u64,
    /// The id of the funnel that the deal is in now (`CATEGORY_ID`).
    #[serde(rename = "CATEGORY_ID", default, deserialize_with = "optional_number")]
    pub category_id: Option<u64>,
    /// The code of the stage that the deal is in now (`STAGE_ID`), such as `C1:NEW`.
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
    /// The kind of object that the document is of (`ENTITY_TYPE_ID`), as `crm.enum.ownertype` lists
    /// them.
    #[serde(
        rename = "ENTITY_TYPE_ID",
        default,
        deserialize_with = "optional_number"
    )]
    pub entity_type_id: Option<u64>,
    /// The id of the object that the document is of (`ENTITY_ID`).
    #[serde(rename = "ENTITY_ID", default, deserialize_with = "optional_number")]
    pub entity_id: Option<u64>,
}

/// An item of a smart process, or a new invoice. Documentation pages: *onCrmDynamicItemAdd*,
/// *onCrmDynamicItemUpdate* and *onCrmDynamicItemDelete*.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[non_exhaustive]
pub struct CrmDynamicItem {
    /// The item's id (`ID`) among those of its kind.
    #[serde(rename = "ID")]
    pub id: u64,
    /// The kind of object that the item is (`ENTITY_TYPE_ID`): the smart process.
    #[serde(rename = "ENTITY_TYPE_ID")]
    pub entity_type_id: u64,
}

/// The template of a recurring deal. Documentation pages: *onCrmDealRecurringAdd* and
/// *onCrmDealRecurringUpdate*.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[non_exhaustive]
pub struct CrmRecurringDeal {
    /// The id of the template's settings (`ID`), which is not that of a deal.
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
    /// The id of the template's settings (`ID`), which is not that of a deal.
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
    /// The id of the template's settings (`ID`), which is not that of an invoice.
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
    /// The id of the template's settings (`ID`), which is not that of an invoice.
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

/// A user pressed something in a timeline record of the application that has a `restEvent` action.
/// Documentation page: *Click Reaction*
/// (`api-reference/crm/timeline/activities/configurable/structure/action.md`).
///
/// Who pressed is told by [`Auth::user_id`](crate::Auth::user_id).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "Value", rename_all = "camelCase")]
#[non_exhaustive]
pub struct CrmTimelineAction {
    /// The id that the application gave to the action (`id`), such as `resetButtonClick`.
    pub id: String,
    /// The kind of object that the record is of (`entityTypeId`), as `crm.enum.ownertype` lists
    /// them.
    pub entity_type_id: Option<u64>,
    /// The id of the object that the record is of (`entityId`).
    pub entity_id: Option<u64>,
    /// The id of the activity (`activityId`).
    pub activity_id: Option<u64>,
    /// Everything else: what the application gave to the action as `actionParams`, which is sent
    /// beside the other keys. It has passed through the user's browser. `None` where there is
    /// nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action_params: Option<Value>,
}

impl TryFrom<Value> for CrmTimelineAction {
    type Error = String;

    fn try_from(data: Value) -> Result<Self, String> {
        let Value::Array(mut data) = data else {
            return Err("expected an array".to_owned());
        };
        let mut text = |key: &str| match data.take(key) {
            None => Ok(None),
            Some(Value::Text(text)) => Ok(Some(text)),
            Some(_) => Err(format!("expected a text for `{key}`")),
        };
        let id = text("id")?.ok_or("missing field `id`")?;
        let mut number = |key: &str| match text(key)?.as_deref() {
            None | Some("") => Ok(None),
            Some(text) => match text.parse() {
                Ok(number) => Ok(Some(number)),
                Err(_) => Err(format!("expected a number for `{key}`, found {text:?}")),
            },
        };
        Ok(Self {
            id,
            entity_type_id: number("entityTypeId")?,
            entity_id: number("entityId")?,
            activity_id: number("activityId")?,
            action_params: (!data.is_empty()).then_some(Value::Array(data)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::data::Data;
    use crate::event::payload::samples;

    #[test]
    fn the_samples_of_currencies_are_read_whole() {
        let codes = [
            "ONCRMCURRENCYADD",
            "ONCRMCURRENCYDELETE",
            "ONCRMCURRENCYUPDATE",
        ];
        let currencies = samples::read(&codes, Data::fields::<CrmCurrency>);
        assert!(currencies.iter().all(|currency| currency.id == "CHE"));
    }

    #[test]
    fn the_samples_of_deals_are_read_whole() {
        let codes = ["ONCRMDEALMOVETOCATEGORY"];
        let moved = samples::read(&codes, Data::fields::<CrmDealMove>);
        assert_eq!((moved[0].id, moved[0].category_id), (6675, Some(1)));
        assert_eq!(moved[0].stage_id.as_deref(), Some("C1:NEW"));

        let codes = ["ONCRMDEALRECURRINGADD", "ONCRMDEALRECURRINGUPDATE"];
        let templates = samples::read(&codes, Data::fields::<CrmRecurringDeal>);
        assert_eq!(
            (templates[0].id, templates[0].recurring_deal_id),
            (11, Some(6797))
        );
        assert_eq!(
            (templates[1].id, templates[1].recurring_deal_id),
            (9, Some(6791))
        );

        let codes = ["ONCRMDEALRECURRINGEXPOSE"];
        let deals = samples::read(&codes, Data::fields::<CrmRecurringDealExpose>);
        let deal = &deals[0];
        assert_eq!(
            (deal.id, deal.recurring_deal_id, deal.deal_id),
            (Some(9), Some(6791), 6799)
        );
    }

    #[test]
    fn the_samples_of_documents_are_read_whole() {
        let codes = [
            "ONCRMDOCUMENTGENERATORDOCUMENTADD",
            "ONCRMDOCUMENTGENERATORDOCUMENTDELETE",
            "ONCRMDOCUMENTGENERATORDOCUMENTUPDATE",
        ];
        for document in samples::read(&codes, Data::fields::<CrmDocument>) {
            assert_eq!((document.id, document.entity_type_id), (1869, Some(1)));
            assert_eq!(document.entity_id, Some(1_000_993));
        }
    }

    #[test]
    fn the_samples_of_smart_processes_are_read_whole() {
        let codes = [
            "ONCRMDYNAMICITEMADD",
            "ONCRMDYNAMICITEMDELETE",
            "ONCRMDYNAMICITEMUPDATE",
        ];
        let items = samples::read(&codes, Data::fields::<CrmDynamicItem>);
        assert!(items.iter().all(|item| item.entity_type_id == 1220));
        assert!(items.iter().map(|item| item.id).eq([22, 23, 24]));
    }

    #[test]
    fn an_invoice_made_from_a_template_is_read() {
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
    fn a_custom_field_of_invoices_is_read_in_every_spelling() {
        for form in [
            "event=ONCRMINVOICEUSERFIELDADD&data[id]=7&data[entityId]=CRM_INVOICE\
             &data[fieldName]=UF_CRM_1594",
            "event=ONCRMINVOICEUSERFIELDADD&data[FIELDS][id]=7&data[FIELDS][entityId]=CRM_INVOICE\
             &data[FIELDS][fieldName]=UF_CRM_1594",
            "event=ONCRMINVOICEUSERFIELDADD&data[FIELDS][ID]=7&data[FIELDS][ENTITY_ID]=CRM_INVOICE\
             &data[FIELDS][FIELD_NAME]=UF_CRM_1594",
        ] {
            let field: UserField = samples::data(form).either().unwrap();
            assert_eq!(field.id, 7, "{form}");
            assert_eq!(field.entity_id.as_deref(), Some("CRM_INVOICE"), "{form}");
            assert_eq!(field.field_name.as_deref(), Some("UF_CRM_1594"), "{form}");
        }
    }

    #[test]
    fn what_the_application_gave_to_an_action_comes_back() {
        let action: CrmTimelineAction = samples::data(
            "event=ONCRMTIMELINEITEMACTION&data[myId]=123&data[someImportant]=qwerty\
             &data[entityTypeId]=2&data[entityId]=6675&data[activityId]=\
             &data[id]=resetButtonClick",
        )
        .data()
        .unwrap();
        assert_eq!(action.id, "resetButtonClick");
        assert_eq!(
            (action.entity_type_id, action.entity_id),
            (Some(2), Some(6675))
        );
        assert_eq!(action.activity_id, None);
        let params = action.action_params.expect("the application gave two");
        assert_eq!(params["myId"].as_str(), Some("123"));
        assert_eq!(params["someImportant"].as_str(), Some("qwerty"));
        assert_eq!(params.as_array().map(|params| params.len()), Some(2));

        let read = |form| samples::data(form).data::<CrmTimelineAction>();
        let bare = read("event=ONCRMTIMELINEITEMACTION&data[id]=a").unwrap();
        assert_eq!(bare.action_params, None);
        let reason = |form| read(form).unwrap_err().to_string();
        assert_eq!(
            reason("event=X&data[entityId]=1"),
            "data: missing field `id`"
        );
        assert_eq!(
            reason("event=X&data[id]=a&data[entityId]=b"),
            "data: expected a number for `entityId`, found \"b\""
        );
        assert_eq!(
            reason("event=X&data[id][x]=a"),
            "data: expected a text for `id`"
        );
        assert_eq!(reason("event=X&data=1"), "data: expected an array");
    }
}
