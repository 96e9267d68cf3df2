//! The structure of `src/` that ARCHITECTURE.md describes: each room uses only the rooms above it,
//! no two files of a room use each other, and every file begins with a `//!` line.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The rooms from the top down. A room uses only those above it.
const ROOMS: [&str; 18] = [
    "error",
    "secret",
    "form",
    "macros",
    "envelope",
    "verify",
    "event",
    "callback",
    "rejection",
    "telemetry",
    "layer",
    "handler",
    "background",
    "rest",
    "sql",
    "inbox",
    "portals",
    "testing",
];

struct Source {
    /// The path below `src`, such as `layer/future.rs`.
    path: String,
    code: String,
}

impl Source {
    fn room(&self) -> &str {
        let end = self.path.find('/').unwrap_or(self.path.len() - ".rs".len());
        &self.path[..end]
    }

    fn module(&self) -> Vec<&str> {
        let stem = self.path.trim_end_matches(".rs").trim_end_matches("/mod");
        stem.split('/').collect()
    }

    /// Returns the paths that the file names from `crate` on, as segments.
    fn uses(&self) -> Vec<Vec<String>> {
        let lines = self.code.lines().map(str::trim_start);
        let code: String = lines
            .filter(|line| !line.starts_with("//"))
            .flat_map(|line| [line, "\n"])
            .collect();
        let module = self.module();
        let parent = if self.path.ends_with("/mod.rs") {
            &module[..]
        } else {
            &module[..module.len() - 1]
        };
        let within = |up: usize| -> String {
            let kept = &parent[..parent.len().saturating_sub(up)];
            kept.iter().flat_map(|segment| ["::", *segment]).collect()
        };
        // In `mod.rs`, `super` is the module above; elsewhere it is the module of the folder.
        let above = usize::from(self.path.ends_with("/mod.rs"));
        let code = code
            .replace("super::super::", &format!("crate{}::", within(above + 1)))
            .replace("super::", &format!("crate{}::", within(above)));
        let mut paths = Vec::new();
        for (start, _) in code.match_indices("crate::") {
            expand(&[], &code[start + "crate::".len()..], &mut paths);
        }
        paths
    }
}

/// Reads one `a::{b, c::d}` and adds each of its paths.
fn expand<'a>(prefix: &[&'a str], text: &'a str, paths: &mut Vec<Vec<String>>) -> &'a str {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    let text = text.trim_start();
    if let Some(mut rest) = text.strip_prefix('{') {
        loop {
            rest = expand(prefix, rest, paths).trim_start();
            rest = match rest.strip_prefix(',') {
                Some(rest) => rest,
                None => return rest.strip_prefix('}').unwrap_or(rest),
            };
        }
    }
    let end = text.find(|c| !is_name(c)).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let path = [prefix, &[name]].concat();
    match rest.strip_prefix("::") {
        Some(rest) if rest.starts_with(|c: char| is_name(c) || c == '{') => {
            expand(&path, rest, paths)
        }
        _ => {
            paths.push(path.into_iter().map(str::to_owned).collect());
            rest
        }
    }
}

fn sources() -> Vec<Source> {
    fn read(folder: &Path, sources: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                read(&path, sources);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                sources.push(path);
            }
        }
    }
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    read(&src, &mut paths);
    paths.sort();
    assert!(paths.len() > 50, "src has {} files", paths.len());
    let read = |path: PathBuf| Source {
        code: {
            let code = fs::read_to_string(&path).unwrap();
            // Tests may use any room.
            let tests = if path.ends_with("tests.rs") {
                code.find("\n\n")
            } else {
                code.find("#[cfg(test)]\nmod tests {")
            };
            code[..tests.unwrap_or(code.len())].to_owned()
        },
        path: path
            .strip_prefix(&src)
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned(),
    };
    paths.into_iter().map(read).collect()
}

fn rank(room: &str) -> Option<usize> {
    ROOMS.iter().position(|known| *known == room)
}

#[test]
fn room_uses_only_the_rooms_above_it() {
    let mut wrong = Vec::new();
    let mut arrows = 0;
    for source in sources() {
        if ["lib.rs", "cookbook.rs"].contains(&&*source.path) {
            continue;
        }
        let Some(own) = rank(source.room()) else {
            wrong.push(format!(
                "{} is in no room that ARCHITECTURE.md lists",
                source.path
            ));
            continue;
        };
        for used in source.uses().into_iter().filter(|used| !used[0].is_empty()) {
            match rank(&used[0]) {
                Some(other) if other == own => {}
                Some(other) if other < own => arrows += 1,
                Some(_) => wrong.push(format!(
                    "{} uses {}, below it",
                    source.path,
                    used.join("::")
                )),
                None => wrong.push(format!(
                    "{} uses crate::{}: name its room",
                    source.path, used[0]
                )),
            }
        }
    }
    assert!(arrows > 100, "only {arrows} arrows were read");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn files_of_a_room_do_not_use_each_other() {
    let sources = sources();
    let modules: BTreeMap<String, &Source> = sources
        .iter()
        .map(|source| (source.module().join("::"), source))
        .collect();
    let mut arrows: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (module, source) in &modules {
        for used in source.uses() {
            // The longest beginning of the path that is a file.
            let file = (1..=used.len())
                .rev()
                .find_map(|length| modules.get_key_value(&used[..length].join("::")));
            let Some((file, _)) = file else { continue };
            // A folder's `mod.rs` re-exports its files, which may use what it has itself.
            let is_own_folder = module.starts_with(&format!("{file}::"));
            if file != module && !is_own_folder {
                arrows.entry(module).or_default().insert(file);
            }
        }
    }
    for start in arrows.keys() {
        let mut reached = BTreeSet::new();
        let mut next: Vec<&str> = arrows[start].iter().copied().collect();
        while let Some(module) = next.pop() {
            assert!(
                module != *start,
                "{start} uses itself through other files: {reached:?}"
            );
            if reached.insert(module) {
                next.extend(arrows.get(module).into_iter().flatten());
            }
        }
    }
}

#[test]
fn every_file_begins_with_a_module_comment() {
    let silent: Vec<String> = sources()
        .into_iter()
        .filter(|source| !source.code.starts_with("//! "))
        .map(|source| source.path)
        .collect();
    assert!(silent.is_empty(), "without a //! line: {silent:?}");
}

#[test]
fn use_paths_are_read_in_every_spelling() {
    let source = |path: &str, code: &str| Source {
        path: path.to_owned(),
        code: code.to_owned(),
    };
    let uses = |path, code| -> Vec<String> {
        let uses = source(path, code).uses();
        uses.iter().map(|path| path.join("::")).collect()
    };
    assert_eq!(
        uses(
            "layer/future.rs",
            "use crate::{event::Event, form::{self, Value}};\nuse super::shared::Shared;"
        ),
        [
            "event::Event",
            "form::self",
            "form::Value",
            "layer::shared::Shared"
        ]
    );
    assert_eq!(
        uses("layer/mod.rs", "fn f(_: super::event::Event) {}"),
        ["event::Event"]
    );
    assert_eq!(
        uses("portals/store/sql/a.rs", "use super::super::token::T;"),
        ["portals::store::token::T"]
    );
    assert_eq!(
        uses("a.rs", "// use crate::b::C;\n/// crate::d"),
        [] as [&str; 0]
    );
}
