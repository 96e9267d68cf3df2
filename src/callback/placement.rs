//! `Placement`: a page of the application that a portal shows.

use std::fmt;

use serde::de::DeserializeOwned;
use serde::{Serialize, Serializer};

use super::fields::Fields;
use super::json_error::JsonError;
use super::shown_json::ShownJson;
use crate::form::{Value, read_form};
use crate::macros::open_enum;
use crate::secret::{REDACTED, Secret};

/// A page of the application that a portal shows to an employee: a placement, the application's page,
/// its installation page, a field of its own type, or the settings of its robot.
///
/// Respond with 200 and HTML that may be [framed](super::html_response). The tokens are in
/// [`Callback::auth`](super::Callback::auth). **Nothing here proves the user**: an employee who has
/// opened the application once can send any placement. Ask the portal who the access token belongs to
/// before you show what is not for everybody.
///
/// Documentation pages: *Widgets*, *Local applications*.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Placement {
    /// The place where the page is shown. The application's page and its installation page are both
    /// [`Default`](PlacementCode::Default), and only the URL tells them apart.
    pub placement: PlacementCode,
    /// The options of the place, such as the id of a deal. `None` if there are none.
    pub options: Option<PlacementOptions>,
    /// The portal's host from the query, perhaps with a port. Unlike `member_id`, it is not unique.
    pub domain: Option<String>,
    /// The user's language from the query, such as `en`.
    pub lang: Option<String>,
    /// `true` if the query says that the portal is opened by HTTPS.
    pub is_https: Option<bool>,
    /// The id of this rendering from the query.
    pub app_sid: Option<Secret>,
}

pub(super) const PLACEMENT_OPTIONS: &str = "PLACEMENT_OPTIONS";

impl Placement {
    pub(super) fn read(form: &Value, query: Option<&str>) -> Self {
        let fields = Fields(form);
        let query = read_form(query.unwrap_or_default().as_bytes()).ok();
        let query = |key: &str| Fields(query.as_ref()?).filled(key);
        let code = fields.filled("PLACEMENT");
        Self {
            placement: code
                .as_deref()
                .map_or(PlacementCode::Default, PlacementCode::from),
            options: fields.filled(PLACEMENT_OPTIONS).map(PlacementOptions),
            domain: query("DOMAIN"),
            lang: query("LANG"),
            is_https: query("PROTOCOL").map(|protocol| protocol == "1"),
            app_sid: query("APP_SID").map(Secret::new),
        }
    }
}

/// The options of a placement, which are JSON: mostly an object, but a portal has been seen to send
/// the string `"undefined"`.
///
/// `Debug` and the serialized form redact secrets, and show nothing of a text that is not JSON.
#[derive(Clone, PartialEq, Eq)]
pub struct PlacementOptions(String);

impl PlacementOptions {
    /// Returns the JSON as it was sent.
    pub fn as_json(&self) -> &str {
        &self.0
    }

    /// Deserializes the options as a `T`, for example as a `serde_json::Value`.
    ///
    /// Values are mostly strings, numbers too: `{"ID":"8061"}`.
    ///
    /// # Errors
    ///
    /// Returns an error if the options are not JSON or do not fit `T`. The message may quote values.
    pub fn options_as<T: DeserializeOwned>(&self) -> Result<T, JsonError> {
        serde_json::from_str(&self.0).map_err(JsonError::new)
    }

    fn redacted(&self) -> Option<ShownJson> {
        ShownJson::read(self.0.as_bytes())
    }
}

/// Returns options as JSON without secrets, or `None` if they have none and may be shown as they came.
pub(super) fn redacted_options(options: &str) -> Option<String> {
    let Some((shown, is_redacted)) = ShownJson::read_redacted(options.as_bytes()) else {
        // Secrets cannot be told apart in what only looks like JSON.
        return options.contains(['{', '[']).then(|| REDACTED.to_owned());
    };
    is_redacted.then(|| shown.to_string())
}

impl fmt::Debug for PlacementOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.redacted() {
            Some(json) => write!(f, "{json}"),
            None => f.write_str("not JSON"),
        }
    }
}

impl Serialize for PlacementOptions {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.redacted().serialize(serializer)
    }
}

open_enum! {
    /// The place of a page (`PLACEMENT`). The set is open: those of smart processes hold their id,
    /// such as `CRM_DYNAMIC_1036_DETAIL_TAB`.
    ///
    /// Documentation page: *Places for widgets*.
    PlacementCode {
        /// The application's page or its installation page.
        Default = "DEFAULT",
        /// The settings of a robot or an activity of the application.
        RobotSettings = "BIZPROC_ACTIVITY_PROPERTIES_DIALOG",
        /// A field of a type of the application.
        UserFieldType = "USERFIELD_TYPE",
        /// A tab of a lead.
        CrmLeadDetailTab = "CRM_LEAD_DETAIL_TAB",
        /// A tab of a deal.
        CrmDealDetailTab = "CRM_DEAL_DETAIL_TAB",
        /// A tab of a contact.
        CrmContactDetailTab = "CRM_CONTACT_DETAIL_TAB",
        /// A tab of a company.
        CrmCompanyDetailTab = "CRM_COMPANY_DETAIL_TAB",
        /// A button of a deal.
        CrmDealDetailToolbar = "CRM_DEAL_DETAIL_TOOLBAR",
        /// An item in the menu of a lead in the list.
        CrmLeadListMenu = "CRM_LEAD_LIST_MENU",
        /// A button of the list of leads.
        CrmLeadListToolbar = "CRM_LEAD_LIST_TOOLBAR",
        /// An item in the menu of a deal's timeline.
        CrmDealTimelineMenu = "CRM_DEAL_ACTIVITY_TIMELINE_MENU",
        /// A button of the designer of a deal's robots.
        CrmDealRobotDesignerToolbar = "CRM_DEAL_ROBOT_DESIGNER_TOOLBAR",
        /// The search for a client in the form of an object.
        CrmDetailSearch = "CRM_DETAIL_SEARCH",
        /// The menu of the CRM's analytics.
        CrmAnalyticsMenu = "CRM_ANALYTICS_MENU",
        /// The card of a call.
        CallCard = "CALL_CARD",
        /// The main menu.
        LeftMenu = "LEFT_MENU",
        /// A button of a user's profile.
        UserProfileToolbar = "USER_PROFILE_TOOLBAR",
        /// A tab of a task.
        TaskViewTab = "TASK_VIEW_TAB",
        /// A button of the list of a group's tasks.
        TaskGroupListToolbar = "TASK_GROUP_LIST_TOOLBAR",
        /// A tab of a group.
        GroupDetailTab = "SONET_GROUP_DETAIL_TAB",
        /// The contact center.
        ContactCenter = "CONTACT_CENTER",
        /// The settings of a connector of open channels.
        SettingConnector = "SETTING_CONNECTOR",
        /// The menu of the telephony's analytics.
        TelephonyAnalyticsMenu = "TELEPHONY_ANALYTICS_MENU",
        /// A worker that runs hidden on every page.
        PageBackgroundWorker = "PAGE_BACKGROUND_WORKER",
        /// A button of a chat's text field.
        ImTextarea = "IM_TEXTAREA",
        /// A chat's sidebar.
        ImSidebar = "IM_SIDEBAR",
        /// The navigation of the messenger.
        ImNavigation = "IM_NAVIGATION",
        /// The context menu of the mobile messenger.
        ImMobileContextMenu = "IMMOBILE_CONTEXT_MENU",
        /// The settings of a site.
        LandingSettings = "LANDING_SETTINGS",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value as Json;

    use super::*;

    #[test]
    fn options_show_no_secret_and_nothing_that_is_not_json() {
        let json = r#"{"a":[{"access_token":"canary","ID":"7"}],"URI":"/d/?auth=canary&x=1"}"#;
        let options = PlacementOptions(json.to_owned());
        let shown = [
            format!("{options:?}"),
            serde_json::to_string(&options).unwrap(),
        ];
        for shown in shown {
            assert!(!shown.contains("canary"), "{shown}");
            assert!(
                shown.contains(r#""ID":"7""#) && shown.contains("&x=1"),
                "{shown}"
            );
        }
        let broken = PlacementOptions("{canary".to_owned());
        assert_eq!(format!("{broken:?}"), "not JSON");
        assert_eq!(serde_json::to_string(&broken).unwrap(), "null");
        assert!(options.options_as::<Json>().is_ok());
        assert!(broken.options_as::<Json>().is_err());
    }
}
