#!/usr/bin/env bash
# http-cache-reqwest 1.0.0-alpha.10: the error of a GET below the cache becomes a text.
#
# Expected: an error of a middleware further in is returned, or is the source of the cache's.
# Seen: for GET and HEAD nothing of it is left but its words; for POST, which is not cached, it is whole.
# Behind a circuit breaker: with the cache outside, a rejection of a GET cannot be found by its type; with a retry
# outside that asks for the type, POST and GET behave differently.
#
# Output (30 November 2026, rustc 1.95.0):
#
#   http-cache-reqwest v1.0.0-alpha.10
#   reqwest-middleware v0.5.2
#   GET: Cache error: refused; the error itself found: false
#   HEAD: Cache error: refused; the error itself found: false
#   POST: refused; the error itself found: true
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/src"
cat >"$work/Cargo.toml" <<'TOML'
[package]
name = "http-cache-turns-errors-into-text"
version = "0.0.0"
edition = "2024"

[workspace]

[dependencies]
anyhow = "=1.0.104"
async-trait = "=0.1.92"
http = "=1.5.0"
http-cache-reqwest = { version = "=1.0.0-alpha.10", default-features = false, features = ["manager-moka", "reqwest-middleware", "url-standard"] }
reqwest = { version = "=0.13.5", default-features = false }
reqwest-middleware = { version = "=0.5.2", default-features = false }
tokio = { version = "=1.54.1", features = ["io-util", "macros", "net", "rt", "time"] }

[profile.dev]
debug = 0
TOML
cat >"$work/src/main.rs" <<'RUST'
use std::fmt;

use http_cache_reqwest::{Cache, CacheMode, HttpCache, HttpCacheOptions, MokaManager};
use reqwest::{Method, Request, Response};
use reqwest_middleware::{Error, Middleware, Next};

#[derive(Debug)]
struct Refused;

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
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
    let cache = HttpCache {
        mode: CacheMode::Default,
        manager: MokaManager::default(),
        options: HttpCacheOptions::default(),
    };
    let client = reqwest_middleware::ClientBuilder::new(reqwest::Client::new()).with(Cache(cache)).with(Refuses).build();
    for (method, whole) in [(Method::GET, false), (Method::HEAD, false), (Method::POST, true)] {
        let error = client.request(method.clone(), "http://127.0.0.1:1").send().await.unwrap_err();
        let Error::Middleware(error) = error else { panic!("not of a middleware") };
        let found = error.chain().any(|error| error.is::<Refused>());
        println!("{method}: {error:#}; the error itself found: {found}");
        assert_eq!(found, whole);
    }
}
RUST
cd "$work"
cargo tree --quiet --depth 1 --prefix none --edges normal | grep -E '^(http-cache-reqwest|reqwest-middleware) ' | cut -d ' ' -f 1,2 | sort
cargo run --quiet
