//! Compiles the library that keeps a copy of a database with only what was synced.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Compiles the library into the directory and returns its path.
pub(crate) fn compile(directory: &Path) -> PathBuf {
    let shim = directory.join("shim.so");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/shim.c");
    let compiled = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-w", "-o"])
        .args([shim.as_os_str(), source.as_ref()])
        .args(["-ldl", "-lpthread"])
        .status()
        .unwrap();
    assert!(compiled.success());
    shim
}
