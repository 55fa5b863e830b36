#!/usr/bin/env bash
# opentelemetry-otlp 0.33.1, HTTP: every error of the `HttpClient` is retried, and its cause is lost.
#
# Expected: an error that the client reports as final is returned, with its cause.
# Seen: one export calls the client four times over most of a second; the error is "network error" alone.
# `with_retry_policy(RetryPolicy::disabled())` makes it one call.
# Behind a circuit breaker: each rejection by a breaker inside the client is repeated three times and cannot be told
# from a failure; a breaker belongs around the exporter.
#
# Output (30 November 2026, rustc 1.95.0):
#
#   opentelemetry-otlp v0.33.1
#   default: calls of the client: 4, error: Operation failed: HTTP export failed: network error
#   disabled: calls of the client: 1, error: Operation failed: HTTP export failed: network error
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/src"
cat >"$work/Cargo.toml" <<'TOML'
[package]
name = "otlp-http-retries-every-error"
version = "0.0.0"
edition = "2024"

[workspace]

[dependencies]
async-trait = "=0.1.92"
bytes = "=1.12.2"
http = "=1.5.0"
opentelemetry-http = { version = "=0.33.1", default-features = false }
opentelemetry-otlp = { version = "=0.33.1", default-features = false, features = ["http-proto", "trace"] }
opentelemetry_sdk = { version = "=0.33.1", default-features = false, features = ["trace"] }
tokio = { version = "=1.54.1", features = ["io-util", "macros", "net", "rt", "time"] }

[profile.dev]
debug = 0
TOML
cat >"$work/src/main.rs" <<'RUST'
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use bytes::Bytes;
use http::{Request, Response};
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{RetryPolicy, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::trace::SpanExporter as _;

/// Refuses every request, and counts them.
#[derive(Debug, Default, Clone)]
struct Refuses(Arc<AtomicUsize>);

#[async_trait::async_trait]
impl HttpClient for Refuses {
    async fn send_bytes(&self, _request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        self.0.fetch_add(1, SeqCst);
        Err("refused, and no retry would help".into())
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    for (what, policy, expected) in [("default", None, 4), ("disabled", Some(RetryPolicy::disabled()), 1)] {
        let client = Refuses::default();
        let mut builder = SpanExporter::builder()
            .with_http()
            .with_endpoint("http://collector.example/v1/traces")
            .with_http_client(client.clone());
        if let Some(policy) = policy {
            builder = builder.with_retry_policy(policy);
        }
        let error = builder.build().unwrap().export(Vec::new()).await.unwrap_err();
        println!("{what}: calls of the client: {}, error: {error}", client.0.load(SeqCst));
        assert_eq!(client.0.load(SeqCst), expected);
        assert!(!error.to_string().contains("refused"));
    }
}
RUST
cd "$work"
cargo tree --quiet --depth 1 --prefix none --edges normal | grep -E '^(opentelemetry-otlp) ' | cut -d ' ' -f 1,2 | sort
cargo run --quiet
