//! The names that the crate makes public, and whose types they mention.
//!
//! `cargo test --all-features --test public_api -- --ignored` needs a nightly toolchain, for
//! rustdoc's JSON. With `UPDATE=1` it writes `tests/public-api.txt` anew.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

/// The crates whose types a public signature may mention.
const FOREIGN: [&str; 12] = [
    "alloc",
    "axum_core",
    "bytes",
    "core",
    "http",
    "http_body",
    "serde",
    "serde_core",
    "std",
    "tower",
    "tower_layer",
    "tower_service",
];

/// In the bound of the `Unpin` that `pin_project!` writes for a type; nobody can name it.
const OF_PIN_PROJECT: &str = "pin_project_lite::__private::PinnedFieldsOf";

#[test]
#[ignore = "needs a nightly toolchain"]
fn the_public_names_are_those_of_the_list_and_mention_no_other_crates() {
    let target = concat!(env!("CARGO_TARGET_TMPDIR"), "/public-api");
    let status = Command::new("rustup")
        .args(["run", "nightly", "cargo", "rustdoc", "--quiet", "--lib"])
        .args(["--all-features", "--target-dir", target])
        .args(["--", "-Z", "unstable-options", "--output-format", "json"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status()
        .unwrap();
    assert!(status.success());
    let json = std::fs::read(format!("{target}/doc/tower_bitrix24.json")).unwrap();
    let json: Value = serde_json::from_slice(&json).unwrap();
    let mut api = Api {
        index: &json["index"],
        paths: &json["paths"],
        names: BTreeSet::new(),
        foreign: BTreeMap::new(),
    };
    api.item(&json["root"], "");

    let unintended: Vec<_> = api
        .foreign
        .iter()
        .filter(|(path, _)| path.as_str() != OF_PIN_PROJECT)
        .filter(|(path, _)| !FOREIGN.contains(&path.split("::").next().unwrap()))
        .collect();
    assert!(unintended.is_empty(), "{unintended:#?}");

    let listed: String = api.names.iter().map(|name| format!("{name}\n")).collect();
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/public-api.txt");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(file, &listed).unwrap();
    }
    let known = std::fs::read_to_string(file).unwrap();
    let known: BTreeSet<String> = known.lines().map(str::to_owned).collect();
    let added: Vec<_> = api.names.difference(&known).collect();
    let removed: Vec<_> = known.difference(&api.names).collect();
    assert!(
        added.is_empty() && removed.is_empty(),
        "added {added:#?}, removed {removed:#?}: UPDATE=1 writes tests/public-api.txt anew"
    );
}

struct Api<'a> {
    index: &'a Value,
    paths: &'a Value,
    names: BTreeSet<String>,
    /// Each path of another crate, and where it is mentioned first.
    foreign: BTreeMap<String, String>,
}

impl Api<'_> {
    /// What the id names, as a member of `parent`.
    fn item(&mut self, id: &Value, parent: &str) {
        let item = &self.index[id.to_string()];
        let Some((kind, inner)) = item["inner"]
            .as_object()
            .and_then(|inner| inner.iter().next())
        else {
            return self.mentioned(id, parent);
        };
        if !matches!(item["visibility"].as_str(), Some("public" | "default")) {
            return;
        }
        if kind == "use" {
            return match inner["is_glob"].as_bool() {
                Some(true) => {
                    let module = &self.index[inner["id"].to_string()];
                    self.each(&module["inner"]["module"]["items"], parent);
                }
                _ => self.item(&inner["id"], parent),
            };
        }
        if kind == "impl" {
            return self.implementation(inner, parent);
        }
        let name = item["name"].as_str().unwrap_or_default();
        let path = match parent {
            "" => name.to_owned(),
            parent => format!("{parent}::{name}"),
        };
        if !self.names.insert(format!("{path} ({kind})")) {
            return;
        }
        match kind.as_str() {
            "module" => self.each(&inner["items"], &path),
            "struct" => {
                self.each(&inner["kind"]["plain"]["fields"], &path);
                self.each(&inner["kind"]["tuple"], &path);
                self.each(&inner["impls"], &path);
                self.mentions(&inner["generics"], &path);
            }
            "enum" => {
                self.each(&inner["variants"], &path);
                self.each(&inner["impls"], &path);
                self.mentions(&inner["generics"], &path);
            }
            "variant" => {
                self.each(&inner["kind"]["struct"]["fields"], &path);
                self.each(&inner["kind"]["tuple"], &path);
            }
            "trait" => {
                self.each(&inner["items"], &path);
                self.each(&inner["implementations"], &path);
                self.mentions(&inner["generics"], &path);
                self.mentions(&inner["bounds"], &path);
            }
            _ => self.mentions(inner, &path),
        }
    }

    fn each(&mut self, ids: &Value, parent: &str) {
        let ids = ids.as_array().into_iter().flatten();
        ids.filter(|id| !id.is_null())
            .for_each(|id| self.item(id, parent));
    }

    fn implementation(&mut self, inner: &Value, parent: &str) {
        // `Send` and the like, and what other crates implement for every type.
        if inner["is_synthetic"] == true || !inner["blanket_impl"].is_null() {
            return;
        }
        for part in ["generics", "for", "trait"] {
            self.mentions(&inner[part], parent);
        }
        if inner["trait"].is_null() {
            self.each(&inner["items"], parent);
            return;
        }
        let path = self.paths[inner["trait"]["id"].to_string()]["path"].as_array();
        let path: Vec<_> = path
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        self.names
            .insert(format!("{parent} (impl of {})", path.join("::")));
        // The types that it names, `Future` and `Error` among them.
        for id in inner["items"].as_array().into_iter().flatten() {
            let associated = &self.index[id.to_string()]["inner"]["assoc_type"];
            self.mentions(associated, parent);
        }
    }

    /// The paths in a signature.
    fn mentions(&mut self, signature: &Value, place: &str) {
        match signature {
            Value::Array(parts) => parts.iter().for_each(|part| self.mentions(part, place)),
            Value::Object(parts) => {
                if parts.contains_key("path") && parts.contains_key("id") {
                    self.mentioned(&parts["id"], place);
                }
                parts.values().for_each(|part| self.mentions(part, place));
            }
            _ => {}
        }
    }

    fn mentioned(&mut self, id: &Value, place: &str) {
        let known = &self.paths[id.to_string()];
        if known["crate_id"].as_u64().is_none_or(|id| id == 0) {
            return;
        }
        let path = known["path"].as_array().into_iter().flatten();
        let path: Vec<_> = path.filter_map(Value::as_str).collect();
        self.foreign
            .entry(path.join("::"))
            .or_insert_with(|| place.to_owned());
    }
}
