#!/usr/bin/env bash
# ureq 3.5.2: an error has no `source()`, whatever it is made of.
#
# Expected: `Error::Io` and `Error::Other` lead to the error within, as the standard library asks of errors that wrap.
# Seen: `source()` is `None` for both; only a match on the variant finds the cause. (etcd-client 0.21.1 is the same.)
# Behind a circuit breaker: a rejection that a middleware returns is on no chain, so that a walk over `source()` does
# not tell "not sent" from "failed".
#
# Output (30 November 2026, rustc 1.95.0):
#
#   ureq v3.5.2
#   Io(Kind(ConnectionRefused)): source None
#   Other(Kind(ConnectionRefused)): source None
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/src"
cat >"$work/Cargo.toml" <<'TOML'
[package]
name = "ureq-errors-have-no-source"
version = "0.0.0"
edition = "2024"

[workspace]

[dependencies]
ureq = { version = "=3.5.2", default-features = false }

[profile.dev]
debug = 0
TOML
cat >"$work/src/main.rs" <<'RUST'
use std::error::Error as _;
use std::io;

fn main() {
    let refused = || io::Error::from(io::ErrorKind::ConnectionRefused);
    let errors = [ureq::Error::Io(refused()), ureq::Error::Other(Box::new(refused()))];
    for error in &errors {
        println!("{error:?}: source {:?}", error.source().map(|source| source.to_string()));
        assert!(error.source().is_none());
    }
}
RUST
cd "$work"
cargo tree --quiet --depth 1 --prefix none --edges normal | grep -E '^(ureq) ' | cut -d ' ' -f 1,2 | sort
cargo run --quiet
