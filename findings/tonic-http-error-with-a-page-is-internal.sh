#!/usr/bin/env bash
# tonic 0.14.9: an HTTP error is mapped to a code only if it has no body.
#
# Expected: 503 is UNAVAILABLE and 404 UNIMPLEMENTED, as gRPC's table for answers without a status has it.
# Seen: with a body of a few bytes, as proxies and load balancers send it, both are INTERNAL.
# Behind a circuit breaker: a classifier that sees the `Status` alone counts the 404 of a proxy as a failure; one that
# sees the head of the answer can go by the HTTP status.
#
# Output (30 November 2026, rustc 1.95.0):
#
#   h2 v0.4.20
#   tonic v0.14.9
#   tonic-health v0.14.9
#   503, no body: Unavailable
#   503, a page: Internal
#   404, no body: Unimplemented
#   404, a page: Internal
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/src"
cat >"$work/Cargo.toml" <<'TOML'
[package]
name = "tonic-http-error-with-a-page-is-internal"
version = "0.0.0"
edition = "2024"

[workspace]

[dependencies]
bytes = "=1.12.2"
h2 = "=0.4.20"
http = "=1.5.0"
tonic-health = "=0.14.9"
tonic = { version = "=0.14.9", default-features = false, features = ["transport"] }
tokio = { version = "=1.54.1", features = ["io-util", "macros", "net", "rt", "time"] }

[profile.dev]
debug = 0
TOML
cat >"$work/src/main.rs" <<'RUST'
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use bytes::Bytes;
use h2::server::SendResponse;
use tokio::net::TcpListener;
use tonic::Code;
use tonic::transport::Endpoint;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let answers: [(&str, fn(SendResponse<Bytes>), Code); 4] = [
        ("503, no body", |respond| send(respond, 503, ""), Code::Unavailable),
        ("503, a page", |respond| send(respond, 503, "<h1>503</h1>"), Code::Internal),
        ("404, no body", |respond| send(respond, 404, ""), Code::Unimplemented),
        ("404, a page", |respond| send(respond, 404, "<h1>404</h1>"), Code::Internal),
    ];
    for (what, answer, code) in answers {
        let (url, _requests) = serve(answer).await;
        let mut client = HealthClient::new(Endpoint::from_shared(url).unwrap().connect_lazy());
        let status = client.check(HealthCheckRequest::default()).await.unwrap_err();
        println!("{what}: {:?}", status.code());
        assert_eq!(status.code(), code);
    }
}

fn send(mut respond: SendResponse<Bytes>, status: u16, page: &'static str) {
    let head = http::Response::builder().status(status).header("content-type", "text/html").body(()).unwrap();
    let mut stream = respond.send_response(head, page.is_empty()).unwrap();
    if !page.is_empty() {
        stream.send_data(Bytes::from_static(page.as_bytes()), true).unwrap();
    }
}

/// Serves HTTP/2 and answers every request with `answer`.
async fn serve<F: Fn(SendResponse<Bytes>) + Copy + Send + 'static>(answer: F) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let requests = Arc::new(AtomicUsize::new(0));
    let seen = requests.clone();
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            let seen = seen.clone();
            tokio::spawn(async move {
                let mut connection = h2::server::handshake(connection).await.unwrap();
                while let Some(Ok((_request, respond))) = connection.accept().await {
                    seen.fetch_add(1, SeqCst);
                    answer(respond);
                }
            });
        }
    });
    (url, requests)
}
RUST
cd "$work"
cargo tree --quiet --depth 1 --prefix none --edges normal | grep -E '^(h2|tonic|tonic-health) ' | cut -d ' ' -f 1,2 | sort
cargo run --quiet
