# What the steps share. Source it at a step's start.
set -euo pipefail
export CARGO_TERM_COLOR=never

# Notes a check that cannot run here; the end of the run lists them.
skip() {
    echo "SKIPPED: $*"
    [ -z "${SKIPPED-}" ] || echo "- $*" >>"$SKIPPED"
}

# installed COMMAND PACKAGE…: returns success if the command is there, installing Debian's packages
# if it is not.
installed() {
    local command=$1
    shift
    command -v "$command" >/dev/null && return
    { apt-get update -qq && apt-get install -y -qq "$@"; } >/dev/null && command -v "$command" >/dev/null
}

# cargo_tool NAME: returns success if `cargo NAME` is there, installing cargo-NAME if it is not. Built
# without optimization, since the tools' own work is little.
cargo_tool() {
    cargo "$1" --version >/dev/null 2>&1 || cargo install --locked --debug "cargo-$1"
}

has_nightly() { rustup toolchain list 2>/dev/null | grep -q '^nightly'; }

# The manifests beside the workspace's.
manifests=(
    fuzz/Cargo.toml tests/public-api/Cargo.toml tests/frameworks/Cargo.toml
    tests/frameworks/workers/Cargo.toml examples/brokers/Cargo.toml
)
