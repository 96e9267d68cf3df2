//! The documentation's list of events, and a form for each.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::Deserialize;

use super::TOKEN;

/// A documented event.
#[derive(Deserialize)]
pub(crate) struct Documented {
    pub(crate) code: String,
    pub(crate) doc_name: String,
    pub(crate) scope: String,
    pub(crate) data: BTreeMap<String, Field>,
    pub(crate) deprecated: bool,
}

#[derive(Deserialize)]
pub(crate) struct Field {
    pub(crate) r#type: String,
    #[serde(default)]
    pub(crate) note: String,
    #[serde(default)]
    pub(crate) fields: BTreeMap<String, Field>,
    #[serde(default)]
    pub(crate) items: Option<BTreeMap<String, Field>>,
}

pub(crate) fn documented() -> Vec<Documented> {
    serde_json::from_str(include_str!("../../corpus/events.json")).unwrap()
}

/// Returns a form of the event with a value for every documented field.
pub(crate) fn body(event: &Documented) -> String {
    let mut form = format!("event={}", event.code);
    match event.data.get("$data") {
        Some(_) => form.push_str("&data=107"),
        None => write_fields(&event.data, "data", &mut form),
    }
    write!(form, "&ts=1714649632&auth[application_token]={TOKEN}").unwrap();
    form
}

fn write_fields(fields: &BTreeMap<String, Field>, path: &str, form: &mut String) {
    for (name, field) in fields {
        let key = match name.as_str() {
            // Placeholders, and names for array elements without a name.
            name if name.starts_with('{') => "7",
            name if name.starts_with(['*', '(']) => continue,
            name => name,
        };
        let path = format!("{path}[{key}]");
        if let Some(items) = &field.items {
            write_fields(items, &format!("{path}[0]"), form);
        } else if !field.fields.is_empty() {
            write_fields(&field.fields, &path, form);
        } else if field.r#type.ends_with("[]") {
            write!(form, "&{path}[0]=1&{path}[3]=2").unwrap();
        } else if let Some(value) = value(name, field) {
            write!(form, "&{path}={value}").unwrap();
        }
    }
}

fn value(name: &str, field: &Field) -> Option<&'static str> {
    let says = |text: &str| field.note.contains(text);
    Some(match field.r#type.as_str() {
        // An object of unknown fields, or an empty array: PHP sends nothing for it.
        "object" | "Message" | "Chat" | "User" | "array" | "array|null" | "object|null" => {
            return None;
        }
        "string" if says("Y or N") || says("Y, N") || says("Y/N") => "Y",
        "string" | "integer" if says("1 or 0") || says("\"1\"") || says("0 or 1") => "1",
        // Some documented strings are numeric ids: those of the calendar and of open lines.
        "string" if matches!(name, "id" | "LINE") => "27",
        "string" if name == "closed" => "N",
        "string" => "text",
        "boolean" | "string|boolean" | "object|boolean" => "1",
        "double" => "12.5",
        "datetime" | "timestamp" => "1714649632",
        "string|null" => "text",
        _ => "27",
    })
}
