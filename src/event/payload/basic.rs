//! Payloads of the scope `basic`: the life of an application.

use serde::{Deserialize, Serialize};

use crate::envelope::ApplicationStatus;
use crate::form::Value;
use crate::form::field::{Flag, optional_flag, optional_number};
use crate::secret::Secret;

/// The payload of an event without data.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[non_exhaustive]
pub struct NoData {}

/// An application was installed on a portal. Its `auth` has the portal's application token for the
/// first time. Documentation page: *OnAppInstall*.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[non_exhaustive]
pub struct AppInstall {
    /// The version that is now installed (`VERSION`), such as `1.0.0` or `1`.
    #[serde(rename = "VERSION")]
    pub version: Option<String>,
    /// Yes if the application is active (`ACTIVE`).
    #[serde(rename = "ACTIVE", default, deserialize_with = "optional_flag")]
    pub active: Option<Flag>,
    /// Yes if the application is ready for use (`INSTALLED`).
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
    /// Yes if the user chose to delete the application's data (`CLEAN`).
    #[serde(rename = "CLEAN", default, deserialize_with = "optional_flag")]
    pub clean: Option<Flag>,
    /// The portal's language (`LANGUAGE_ID`), such as `de`.
    #[serde(rename = "LANGUAGE_ID")]
    pub language_id: Option<String>,
}

/// The system user of an application is ready. Its tokens do not depend on an employee. The event is
/// sent with every installation, possibly before [`AppInstall`], and never again: store the
/// tokens. The event's `auth` has the tokens of the employee who installed the application.
/// Documentation page: *ONAPPUSERREADY*.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[non_exhaustive]
pub struct AppUserReady {
    /// The system user's access token.
    pub access_token: Option<Secret>,
    /// The system user's refresh token, which gives new access tokens.
    pub refresh_token: Option<Secret>,
    /// The lifetime of the access token after the event, in seconds.
    #[serde(default, deserialize_with = "optional_number")]
    pub expires_in: Option<u64>,
    /// The permissions of the application, such as `crm`, separated by commas.
    pub scope: Option<String>,
    /// The authorization server's host.
    pub domain: Option<String>,
    /// The authorization server's REST address.
    pub server_endpoint: Option<String>,
    /// The portal's REST address, **as the data claim it**.
    pub client_endpoint: Option<String>,
    /// The portal's id, **as the data claim it**: any portal can send any id here. The verified id is in
    /// [`Event::auth`](crate::Event::auth); store tokens under that one.
    pub member_id: Option<String>,
    /// The system user's id on the portal.
    #[serde(default, deserialize_with = "optional_number")]
    pub user_id: Option<u64>,
    /// The application's id, such as `app.573ad8a0346747.09223434`.
    pub client_id: Option<String>,
    /// The kind of installation.
    pub status: Option<ApplicationStatus>,
    /// The portal's language (`LANGUAGE_ID`), such as `de`.
    #[serde(rename = "LANGUAGE_ID")]
    pub language_id: Option<String>,
    /// The end of the subscription (`date_finish`), as it was sent. `None` if it is unknown to the portal.
    pub date_finish: Option<String>,
}

/// A new version of an application was installed. Its `auth` may have a new application token.
/// Documentation page: *OnAppUpdate*.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[non_exhaustive]
pub struct AppUpdate {
    /// The version that is now installed (`VERSION`).
    #[serde(rename = "VERSION")]
    pub version: Option<String>,
    /// The previous version (`PREVIOUS_VERSION`).
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
    /// The kind of installation (`STATUS`).
    #[serde(rename = "STATUS")]
    pub status: Option<ApplicationStatus>,
    /// Yes if the paid or trial term is over (`PAYMENT_EXPIRED`).
    #[serde(
        rename = "PAYMENT_EXPIRED",
        default,
        deserialize_with = "optional_flag"
    )]
    pub payment_expired: Option<Flag>,
    /// The remaining days of the term (`DAYS`).
    #[serde(rename = "DAYS", default, deserialize_with = "optional_number")]
    pub days: Option<i64>,
    /// The portal's language (`LANGUAGE_ID`), such as `de`.
    #[serde(rename = "LANGUAGE_ID")]
    pub language_id: Option<String>,
}

/// An administrator allowed or denied the use of a REST method that needs permission. Documentation
/// page: *onAppMethodConfirm*.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[non_exhaustive]
pub struct AppMethodConfirm {
    /// The OAuth token that the permission is for (`TOKEN`). It is valid.
    #[serde(rename = "TOKEN")]
    pub token: Option<Secret>,
    /// The method (`METHOD`), such as `voximplant.user.get`.
    #[serde(rename = "METHOD")]
    pub method: String,
    /// Yes if it was allowed (`CONFIRMED`).
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
    /// The parameter of the method (`QUERY`), in any shape.
    #[serde(rename = "QUERY")]
    pub query: Option<Value>,
    /// The portal's language (`LANGUAGE_ID`), such as `de`.
    #[serde(rename = "LANGUAGE_ID")]
    pub language_id: Option<String>,
}
