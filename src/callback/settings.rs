//! `Settings`: a request of the application's settings form.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::form::{Mismatch, Value, read_value};
use crate::macros::open_enum;

use super::fields::Fields;

/// A request of the application's settings form.
///
/// A person waits for the response: to [`Save`](SettingsAction::Save) `{"status":"success"}`, to any
/// other action the [form](super::SettingsForm) as JSON. Take [`data`](Self::data) as the input of the
/// user in [`auth`](super::Callback::auth), who need not be an administrator. Any employee can make
/// the portal send such a request.
///
/// Documentation page: *Applications with a settings form*.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Settings {
    /// The reason for the request.
    pub action: SettingsAction,
    /// The values of the form's fields. `None` if the form is shown for the first time.
    pub data: Option<Value>,
}

open_enum! {
    /// The reason for which a portal requests a settings form.
    SettingsAction {
        /// The form is shown for the first time.
        Install = "OnAppSettingsInstall",
        /// The form is shown.
        Display = "OnAppSettingsDisplay",
        /// A field that changes the form was changed.
        Change = "OnAppSettingsChange",
        /// The form was submitted. Its request names no event.
        Save = "",
    }
}

impl Settings {
    pub(super) fn read(form: &Value) -> Self {
        let event = Fields(form).text("event").unwrap_or_default();
        Self {
            action: SettingsAction::from(&*event),
            data: form.get("data").cloned(),
        }
    }

    /// Deserializes the values of the fields as a `T`.
    ///
    /// # Errors
    ///
    /// Returns an error if they do not fit `T`. The message quotes their values.
    pub fn data_as<T: DeserializeOwned>(&self) -> Result<T, Mismatch> {
        match &self.data {
            Some(data) => read_value(data, "data"),
            None => read_value(&Value::Text(String::new()), "data"),
        }
    }
}
