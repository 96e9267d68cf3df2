use serde::{Deserialize, Serialize};

use crate::event::Value;
use crate::event::field::{Flag, optional_flag, optional_number};
use crate::{ApplicationStatus, Secret};

/// An event that says no more than that it happened.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[non_exhaustive]
pub struct NoData {}

/// An application was installed on a portal. Its `auth` brings the portal's application token for
/// the first time. Documentation page: *OnAppInstall*.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[non_exhaustive]
pub struct AppInstall {
    /// The version that is now installed (`VERSION`), such as `1.0.0` or `1`.
    #[serde(rename = "VERSION")]
    pub version: Option<String>,
    /// Whether the application is active (`ACTIVE`).
    #[serde(rename = "ACTIVE", default, deserialize_with = "optional_flag")]
    pub active: Option<Flag>,
    /// Whether the application is ready for use (`INSTALLED`).
    #[serde(rename = "INSTALLED", default, deserialize_with = "optional_flag")]
    pub installed: Option<Flag>,
    /// The portal's language (`LANGUAGE_ID`), such as `de`.
    #[serde(rename = "LANGUAGE_ID")]
    pub language_id: Option<String>,
}

/// An application was removed from a portal. Documentation page: *onAppUninstall*.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[non_exhaustive]
pub struct AppUninstall {
    /// Whether the user chose to have the application's data wiped (`CLEAN`).
    #[serde(rename = "CLEAN", default, deserialize_with = "optional_flag")]
    pub clean: Option<Flag>,
    /// The portal's language (`LANGUAGE_ID`), such as `de`.
    #[serde(rename = "LANGUAGE_ID")]
    pub language_id: Option<String>,
}

/// A new version of an application was installed. Its `auth` may bring a new application token.
/// Documentation page: *OnAppUpdate*.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[non_exhaustive]
pub struct AppUpdate {
    /// The version that is now installed (`VERSION`).
    #[serde(rename = "VERSION")]
    pub version: Option<String>,
    /// The version before (`PREVIOUS_VERSION`).
    #[serde(rename = "PREVIOUS_VERSION")]
    pub previous_version: Option<String>,
    /// The portal's language (`LANGUAGE_ID`), such as `de`.
    #[serde(rename = "LANGUAGE_ID")]
    pub language_id: Option<String>,
}

/// An application was paid for. Documentation page: *onAppPayment*.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[non_exhaustive]
pub struct AppPayment {
    /// The application's code (`CODE`), such as `bitrix.gds_company`.
    #[serde(rename = "CODE")]
    pub code: Option<String>,
    /// The version that is installed (`VERSION`).
    #[serde(rename = "VERSION")]
    pub version: Option<String>,
    /// What kind of installation it is (`STATUS`).
    #[serde(rename = "STATUS")]
    pub status: Option<ApplicationStatus>,
    /// Whether the paid or trial term is over (`PAYMENT_EXPIRED`).
    #[serde(
        rename = "PAYMENT_EXPIRED",
        default,
        deserialize_with = "optional_flag"
    )]
    pub payment_expired: Option<Flag>,
    /// How many days are left of the term (`DAYS`).
    #[serde(rename = "DAYS", default, deserialize_with = "optional_number")]
    pub days: Option<i64>,
    /// The portal's language (`LANGUAGE_ID`), such as `de`.
    #[serde(rename = "LANGUAGE_ID")]
    pub language_id: Option<String>,
}

/// An administrator allowed or refused a REST method that asks for permission. Documentation page:
/// *onAppMethodConfirm*.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[non_exhaustive]
pub struct AppMethodConfirm {
    /// The OAuth token that the permission was asked for (`TOKEN`). It is live.
    #[serde(rename = "TOKEN")]
    pub token: Option<Secret>,
    /// The method (`METHOD`), such as `voximplant.user.get`.
    #[serde(rename = "METHOD")]
    pub method: String,
    /// Whether it was allowed (`CONFIRMED`).
    #[serde(rename = "CONFIRMED")]
    pub confirmed: Flag,
    /// The portal's language (`LANGUAGE_ID`), such as `de`.
    #[serde(rename = "LANGUAGE_ID")]
    pub language_id: Option<String>,
}

/// The test event of the method `event.test`. Documentation page: *Testing the handler*.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[non_exhaustive]
pub struct AppTest {
    /// What was passed to the method (`QUERY`), in any shape.
    #[serde(rename = "QUERY")]
    pub query: Option<Value>,
    /// The portal's language (`LANGUAGE_ID`), such as `de`.
    #[serde(rename = "LANGUAGE_ID")]
    pub language_id: Option<String>,
}
