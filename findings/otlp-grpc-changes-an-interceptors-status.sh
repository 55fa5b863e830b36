#!/usr/bin/env bash
# opentelemetry-otlp 0.33.1, gRPC: the status of an interceptor is replaced, and not retried as the server's is.
#
# Expected: UNAVAILABLE is UNAVAILABLE, whether a server sends it or an interceptor returns it.
# Seen: the export fails with code Internal after one call; a server's UNAVAILABLE is retried three times.
# Behind a circuit breaker: an interceptor that refuses calls with UNAVAILABLE and a delay is not understood here;
# a breaker belongs around the exporter.
#
# Output (30 November 2026, rustc 1.95.0):
#
#   opentelemetry-otlp v0.33.1
#   tonic v0.14.9
#   calls of the interceptor: 1, error: Operation failed: TonicTracesClient export failed with gRPC code: Internal
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/src"
cat >"$work/Cargo.toml" <<'TOML'
[package]
name = "otlp-grpc-changes-an-interceptors-status"
version = "0.0.0"
edition = "2024"

[workspace]

[dependencies]
opentelemetry-otlp = { version = "=0.33.1", default-features = false, features = ["grpc-tonic", "trace"] }
opentelemetry_sdk = { version = "=0.33.1", default-features = false, features = ["trace"] }
tonic = { version = "=0.14.9", default-features = false }
tokio = { version = "=1.54.1", features = ["io-util", "macros", "net", "rt", "time"] }

[profile.dev]
debug = 0
TOML
cat >"$work/src/main.rs" <<'RUST'
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use opentelemetry_otlp::{SpanExporter, WithExportConfig, WithTonicConfig};
use opentelemetry_sdk::trace::SpanExporter as _;
use tonic::{Request, Status};

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let calls = Arc::new(AtomicUsize::new(0));
    let seen = calls.clone();
    let refuse = move |_: Request<()>| {
        seen.fetch_add(1, SeqCst);
        Err(Status::unavailable("try again in a second"))
    };
    let builder = SpanExporter::builder().with_tonic().with_endpoint("http://127.0.0.1:1");
    let exporter = builder.with_interceptor(refuse).build().unwrap();
    let error = exporter.export(Vec::new()).await.unwrap_err();
    println!("calls of the interceptor: {}, error: {error}", calls.load(SeqCst));
    assert_eq!(calls.load(SeqCst), 1);
    assert!(error.to_string().contains("Internal"));
}
RUST
cd "$work"
cargo tree --quiet --depth 1 --prefix none --edges normal | grep -E '^(opentelemetry-otlp|tonic) ' | cut -d ' ' -f 1,2 | sort
cargo run --quiet
