//! Compiles the libraries that stand between a process and its system: `shim.c` keeps a copy of a
//! database with only what was synced, `clock.c` moves the clock.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Compiles the library of this source into the directory and returns its path.
pub(crate) fn compile(directory: &Path, source: &str) -> PathBuf {
    let shim = directory.join("shim.so");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(source);
    let compiled = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-w", "-o"])
        .args([&shim, &source])
        .args(["-ldl", "-lpthread"])
        .status()
        .unwrap();
    assert!(compiled.success());
    shim
}
