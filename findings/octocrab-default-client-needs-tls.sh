#!/usr/bin/env bash
# octocrab 0.54.9: the feature `default-client` does not compile without a TLS feature.
#
# Expected: it compiles; the code has a branch for it, and nothing names the other feature as needed.
# Seen: error E0433, `HttpConnector` does not exist in `hyper::client::conn::http1`.
# Behind a circuit breaker: a user who builds octocrab without C libraries (plain HTTP to a proxy or a test server)
# gives it a service of their own with `with_service`, which is where a breaker's layer goes as well.
#
# Output (30 November 2026, rustc 1.95.0):
#
#   octocrab v0.54.9
#   error[E0433]: cannot find `HttpConnector` in `http1`
#      --> octocrab-0.54.9/src/lib.rs:899:61
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/src"
cat >"$work/Cargo.toml" <<'TOML'
[package]
name = "octocrab-default-client-needs-tls"
version = "0.0.0"
edition = "2024"

[workspace]

[dependencies]
octocrab = { version = "=0.54.9", default-features = false, features = ["default-client"] }

[profile.dev]
debug = 0
TOML
cat >"$work/src/main.rs" <<'RUST'
fn main() {}
RUST
cd "$work"
cargo tree --quiet --depth 1 --prefix none --edges normal | grep -E '^octocrab ' | cut -d ' ' -f 1,2
if cargo check --quiet >"$work/log" 2>&1; then
    echo "it compiles"
    exit 1
fi
grep -m 1 -A 1 'E0433' "$work/log" | sed 's#/[^ ]*/octocrab-#octocrab-#'
grep -q 'HttpConnector' "$work/log"
