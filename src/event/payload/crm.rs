use serde::{Deserialize, Serialize};

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
