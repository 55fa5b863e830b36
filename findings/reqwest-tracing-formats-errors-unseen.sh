#!/usr/bin/env bash
# reqwest-tracing 0.7.1: an error is formatted twice though no subscriber listens.
#
# Expected: a span that nobody records costs no formatting.
# Seen: the message and, with `{:?}`, the chain of causes are made for every failed request without any subscriber.
# Behind a circuit breaker: with RUST_BACKTRACE=1 the `Debug` of an anyhow error resolves and prints a backtrace, so
# that a rejection, which should be the cheapest answer there is, becomes the dearest.
#
# Output (30 November 2026, rustc 1.95.0):
#
#   reqwest-middleware v0.5.2
#   reqwest-tracing v0.7.1
#   failed: true, times the error was formatted: 2
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/src"
cat >"$work/Cargo.toml" <<'TOML'
[package]
name = "reqwest-tracing-formats-errors-unseen"
version = "0.0.0"
edition = "2024"

[workspace]

[dependencies]
anyhow = "=1.0.104"
async-trait = "=0.1.92"
http = "=1.5.0"
reqwest = { version = "=0.13.5", default-features = false }
reqwest-middleware = { version = "=0.5.2", default-features = false }
reqwest-tracing = { version = "=0.7.1", default-features = false }
tokio = { version = "=1.54.1", features = ["io-util", "macros", "net", "rt", "time"] }

[profile.dev]
debug = 0
TOML
cat >"$work/src/main.rs" <<'RUST'
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use reqwest::{Request, Response};
use reqwest_middleware::{Error, Middleware, Next};

static FORMATTED: AtomicUsize = AtomicUsize::new(0);

/// Counts how often it is formatted.
#[derive(Debug)]
struct Refused;

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        FORMATTED.fetch_add(1, SeqCst);
        f.write_str("refused")
    }
}

impl std::error::Error for Refused {}

struct Refuses;

#[async_trait::async_trait]
impl Middleware for Refuses {
    async fn handle(&self, _: Request, _: &mut http::Extensions, _: Next<'_>) -> Result<Response, Error> {
        Err(Error::Middleware(anyhow::Error::new(Refused)))
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let client = reqwest_middleware::ClientBuilder::new(reqwest::Client::new())
        .with(reqwest_tracing::TracingMiddleware::default())
        .with(Refuses)
        .build();
    let failed = client.get("http://127.0.0.1:1").send().await.is_err();
    println!("failed: {failed}, times the error was formatted: {}", FORMATTED.load(SeqCst));
    assert_eq!(FORMATTED.load(SeqCst), 2);
}
RUST
cd "$work"
cargo tree --quiet --depth 1 --prefix none --edges normal | grep -E '^(reqwest-middleware|reqwest-tracing) ' | cut -d ' ' -f 1,2 | sort
cargo run --quiet
