//! Payloads of the scope `user`.

use serde::{Deserialize, Serialize};

use crate::form::field::{Flag, List, optional_flag};

/// A new user of the portal. Fields that the application has no right to see are absent.
/// Documentation page: *onUserAdd*.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[non_exhaustive]
pub struct User {
    /// The user's id (`ID`).
    #[serde(rename = "ID")]
    pub id: u64,
    /// Yes if the user is active (`ACTIVE`).
    #[serde(rename = "ACTIVE", default, deserialize_with = "optional_flag")]
    pub active: Option<Flag>,
    /// The e-mail address (`EMAIL`).
    #[serde(rename = "EMAIL")]
    pub email: Option<String>,
    /// The first name (`NAME`).
    #[serde(rename = "NAME")]
    pub name: Option<String>,
    /// The last name (`LAST_NAME`).
    #[serde(rename = "LAST_NAME")]
    pub last_name: Option<String>,
    /// The gender (`PERSONAL_GENDER`): `M` or `F`.
    #[serde(rename = "PERSONAL_GENDER")]
    pub gender: Option<String>,
    /// The birthday (`PERSONAL_BIRTHDAY`), as `YYYY-MM-DD`.
    #[serde(rename = "PERSONAL_BIRTHDAY")]
    pub birthday: Option<String>,
    /// The ids of the user's departments (`UF_DEPARTMENT`). Empty for an external user.
    #[serde(rename = "UF_DEPARTMENT", default)]
    pub departments: List<u64>,
    /// The time of registration (`DATE_REGISTER`), in ISO 8601.
    #[serde(rename = "DATE_REGISTER")]
    pub registered: Option<String>,
    /// The job title (`WORK_POSITION`).
    #[serde(rename = "WORK_POSITION")]
    pub work_position: Option<String>,
    /// The first day of work (`UF_EMPLOYMENT_DATE`), as `YYYY-MM-DD`.
    #[serde(rename = "UF_EMPLOYMENT_DATE")]
    pub employed: Option<String>,
}
