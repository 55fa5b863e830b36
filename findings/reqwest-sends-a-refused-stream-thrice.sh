#!/usr/bin/env bash
# reqwest 0.13.5: a server that refuses streams over HTTP/2 gets three requests for one call.
#
# Expected: one call, one request, unless a retry is asked for.
# Seen: reqwest sends a request again, up to twice, that was reset with REFUSED_STREAM, which is what an overloaded
# server does to shed load. `ClientBuilder::retry(reqwest::retry::never())` makes it one.
# Behind a circuit breaker: the retries lie below every middleware and layer, so that the breaker sees one failure
# where the server saw three requests.
#
# Output (30 November 2026, rustc 1.95.0):
#
#   h2 v0.4.20
#   reqwest v0.13.5
#   default: failed: true, POST requests at the server: 3
#   retry::never(): failed: true, POST requests at the server: 1
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/src"
cat >"$work/Cargo.toml" <<'TOML'
[package]
name = "reqwest-sends-a-refused-stream-thrice"
version = "0.0.0"
edition = "2024"

[workspace]

[dependencies]
bytes = "=1.12.2"
h2 = "=0.4.20"
http = "=1.5.0"
reqwest = { version = "=0.13.5", default-features = false, features = ["http2"] }
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

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let builder = || reqwest::Client::builder().http2_prior_knowledge();
    let never = builder().retry(reqwest::retry::never());
    for (what, client, expected) in [("default", builder(), 3), ("retry::never()", never, 1)] {
        let (url, requests) = serve(|mut respond| respond.send_reset(h2::Reason::REFUSED_STREAM)).await;
        let result = client.build().unwrap().post(url).body("order").send().await;
        let requests = requests.load(SeqCst);
        println!("{what}: failed: {}, POST requests at the server: {requests}", result.is_err());
        assert_eq!(requests, expected);
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
cargo tree --quiet --depth 1 --prefix none --edges normal | grep -E '^(h2|reqwest) ' | cut -d ' ' -f 1,2 | sort
cargo run --quiet
