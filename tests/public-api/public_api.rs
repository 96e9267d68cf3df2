//! The public items of the crate with their signatures, and the foreign types in them.
//!
//! `cargo test --manifest-path tests/public-api/Cargo.toml` needs a nightly toolchain, for
//! rustdoc's JSON. With `UPDATE=1` it writes `public-api.txt` anew.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::process::Command;
use std::sync::LazyLock;

use public_api::{Builder, PublicApi, PublicItem};

/// The crates whose types a public signature may mention.
const FOREIGN: [&str; 10] = [
    "alloc",
    "axum_core",
    "bytes",
    "core",
    "http",
    "http_body",
    "serde_core",
    "std",
    "tower_layer",
    "tower_service",
];

const OWN: &str = "tower_bitrix24";

/// The bound of the `Unpin` that `pin_project!` writes for a type. Nobody can name it.
const OF_PIN_PROJECT: &str = "pin_project_lite::__private::PinnedFieldsOf";

static API: LazyLock<PublicApi> = LazyLock::new(|| {
    let target = concat!(env!("CARGO_TARGET_TMPDIR"), "/rustdoc");
    let status = Command::new("rustup")
        .args(["run", "nightly", "cargo", "rustdoc", "--quiet", "--lib"])
        .args(["--all-features", "--target-dir", target])
        .args(["--", "-Z", "unstable-options", "--output-format", "json"])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
        .status();
    assert!(status.unwrap().success());
    Builder::from_rustdoc_json(format!("{target}/doc/{OWN}.json"))
        .omit_auto_trait_impls(true)
        .omit_blanket_impls(true)
        .build()
        .unwrap()
});

#[test]
fn public_items_equal_the_list() {
    let own = format!("{OWN}::");
    let items: Vec<_> = listed(&API).map(|item| item.replace(&own, "")).collect();
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/public-api.txt");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(file, items.join("\n") + "\n").unwrap();
    }
    let known = std::fs::read_to_string(file).unwrap();
    let known: BTreeSet<_> = known.lines().collect();
    let items: BTreeSet<_> = items.iter().map(String::as_str).collect();
    let added: Vec<_> = items.difference(&known).collect();
    let removed: Vec<_> = known.difference(&items).collect();
    assert!(
        added.is_empty() && removed.is_empty(),
        "added {added:#?}, removed {removed:#?}: UPDATE=1 writes public-api.txt anew"
    );
}

#[test]
fn foreign_types_in_signatures_are_the_intended_ones() {
    let mentions = |item: &String| paths(item).any(|path| !is_intended(path));
    let unintended: Vec<_> = listed(&API).filter(mentions).collect();
    assert!(unintended.is_empty(), "{unintended:#?}");
}

/// A type comes before its fields and methods.
fn listed(api: &PublicApi) -> impl Iterator<Item = String> {
    let lines: HashMap<_, _> = api
        .items()
        .map(|item| (item.id(), item.to_string()))
        .collect();
    let mut seen = HashSet::new();
    api.items()
        .map(PublicItem::to_string)
        .zip(api.items())
        .filter_map(move |(line, item)| {
            let parent = item.parent_id().and_then(|parent| lines.get(&parent));
            let implied = is_implied(&line, parent.map(String::as_str));
            (!implied && seen.insert(line.clone())).then_some(line)
        })
}

/// Returns `true` if another line implies this one: the items of a trait follow from its
/// implementation, except for the types that it chooses, and `StructuralPartialEq` follows from
/// `PartialEq`.
fn is_implied(item: &str, parent: Option<&str>) -> bool {
    let of_a_trait = |line: &str| line.starts_with("impl") && line.contains(" for ");
    parent.is_some_and(of_a_trait) && !item.starts_with("pub type ")
        || item.starts_with("impl core::marker::StructuralPartialEq for ")
}

fn paths(signature: &str) -> impl Iterator<Item = &str> {
    signature
        .split(|letter: char| !letter.is_alphanumeric() && !matches!(letter, '_' | ':'))
        .filter(|word| word.contains("::"))
}

fn is_intended(path: &str) -> bool {
    let (start, _) = path.split_once("::").unwrap_or((path, ""));
    // An associated type: `T::Error`, `Self::Error`, `<T as Trait>::Error`.
    let associated = start.chars().next().is_none_or(char::is_uppercase);
    associated || start == OWN || FOREIGN.contains(&start) || path == OF_PIN_PROJECT
}

#[test]
fn foreign_type_is_found_anywhere_in_a_signature() {
    for signature in [
        "pub fn tower_bitrix24::f(&subtle::Choice)",
        "pub fn tower_bitrix24::f() -> core::option::Option<subtle::Choice>",
        "pub fn tower_bitrix24::f<T>(T) where T: core::ops::Fn(&[subtle::Choice])",
        "impl<T: subtle::ConstantTimeEq> tower_bitrix24::Trait for T",
        "pub type tower_bitrix24::Type::Error = <T as subtle::Trait>::Error",
        "pub use tower_bitrix24::<<subtle::Choice>>",
    ] {
        let mut paths = paths(signature);
        assert!(paths.any(|path| !is_intended(path)), "{signature}");
    }
}
