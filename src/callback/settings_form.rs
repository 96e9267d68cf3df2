//! `SettingsForm`: the form that a portal shows as the application's settings.

use serde::Serialize;

/// The settings form of the application, which responds to each
/// [`SettingsAction`](super::SettingsAction) but `Save`.
///
/// ```
/// use tower_bitrix24::callback::{SettingsField, SettingsForm, SettingsStep, json_response};
///
/// let form = SettingsForm::new("Shipping", "https://app.example.com/settings/save", "local.6537665f")
///     .step(SettingsStep::new("account", "Account").field(
///         SettingsField::input("key", "api-key").label("API key").placeholder("from your account"),
///     ));
/// let response = json_response(&form)?;
/// assert_eq!(
///     response.body(),
///     r#"{"title":"Shipping","version":"1","steps":[{"id":"account","title":"Account","fields":[{"id":"key","name":"api-key","type":"input","label":"API key","placeholder":"from your account"}]}],"form":{"id":"settings","action":"https://app.example.com/settings/save","clientId":"local.6537665f"}}"#,
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[must_use]
pub struct SettingsForm {
    title: String,
    version: &'static str,
    steps: Vec<SettingsStep>,
    form: Target,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Target {
    id: String,
    action: String,
    client_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    redirect: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    save_caption: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cancel_caption: Option<String>,
}

impl SettingsForm {
    /// Creates a form without steps. `action` is the URL of the application that saves it, `client_id`
    /// the application's own id.
    pub fn new(
        title: impl Into<String>,
        action: impl Into<String>,
        client_id: impl Into<String>,
    ) -> Self {
        Self {
            title: title.into(),
            version: "1",
            steps: Vec::new(),
            form: Target {
                id: "settings".to_owned(),
                action: action.into(),
                client_id: client_id.into(),
                redirect: None,
                save_caption: None,
                cancel_caption: None,
            },
        }
    }

    /// Adds a step.
    pub fn step(mut self, step: SettingsStep) -> Self {
        self.steps.push(step);
        self
    }

    /// Sets the id of the form. Defaults to `settings`.
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.form.id = id.into();
        self
    }

    /// Sets the address that is opened after the form is saved.
    pub fn redirect(mut self, url: impl Into<String>) -> Self {
        self.form.redirect = Some(url.into());
        self
    }

    /// Sets the captions of the buttons that save and cancel.
    pub fn captions(mut self, save: impl Into<String>, cancel: impl Into<String>) -> Self {
        self.form.save_caption = Some(save.into());
        self.form.cancel_caption = Some(cancel.into());
        self
    }
}

/// A step of a [`SettingsForm`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[must_use]
pub struct SettingsStep {
    id: String,
    title: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    fields: Vec<SettingsField>,
}

impl SettingsStep {
    /// Creates a step without fields.
    pub fn new(id: impl Into<String>, title: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            title: title.into(),
            description: None,
            fields: Vec::new(),
        }
    }

    /// Sets the description.
    pub fn description(mut self, text: impl Into<String>) -> Self {
        self.description = Some(text.into());
        self
    }

    /// Adds a field.
    pub fn field(mut self, field: SettingsField) -> Self {
        self.fields.push(field);
        self
    }
}

/// A field of a [`SettingsStep`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[must_use]
pub struct SettingsField {
    id: String,
    name: String,
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    placeholder: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    items: Vec<Item>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    update_form: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Item {
    value: String,
    name: String,
}

impl SettingsField {
    /// Creates a field for a line of text. Its value returns as `data[name]`.
    pub fn input(id: impl Into<String>, name: impl Into<String>) -> Self {
        Self::new("input", id.into(), name.into())
    }

    /// Creates a field for one of several values, each with the name that the user sees.
    pub fn dropdown<V: Into<String>, N: Into<String>>(
        id: impl Into<String>,
        name: impl Into<String>,
        items: impl IntoIterator<Item = (V, N)>,
    ) -> Self {
        let item = |(value, name): (V, N)| Item {
            value: value.into(),
            name: name.into(),
        };
        Self {
            items: items.into_iter().map(item).collect(),
            ..Self::new("dropdown-list", id.into(), name.into())
        }
    }

    fn new(kind: &'static str, id: String, name: String) -> Self {
        Self {
            id,
            name,
            kind,
            label: None,
            placeholder: None,
            value: None,
            items: Vec::new(),
            update_form: false,
        }
    }

    /// Sets the label.
    pub fn label(mut self, text: impl Into<String>) -> Self {
        self.label = Some(text.into());
        self
    }

    /// Sets the text that an empty field shows.
    pub fn placeholder(mut self, text: impl Into<String>) -> Self {
        self.placeholder = Some(text.into());
        self
    }

    /// Sets the value. The portal shows it to the user: it must not be a secret of the application.
    pub fn value(mut self, value: impl Into<String>) -> Self {
        self.value = Some(value.into());
        self
    }

    /// Makes a change of the field request the form again, with
    /// [`SettingsAction::Change`](super::SettingsAction::Change).
    pub fn update_form(mut self) -> Self {
        self.update_form = true;
        self
    }
}
