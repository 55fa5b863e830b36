#!/usr/bin/env bash
# reqwest 0.13.5 (hyper 1.12, h2 0.4): over HTTP/2 a body that is shorter than its content-length can be `Ok`.
#
# Expected: ten bytes of a hundred are an error, as they are over HTTP/1.1.
# Seen: where the server ends the stream with RST_STREAM(NO_ERROR), `bytes()` returns the ten bytes; with CANCEL it
# is an error of the decoder.
# Behind a circuit breaker: one that trusts the end of a body counts a truncated answer as a success.
#
# Output (30 November 2026, rustc 1.95.0):
#
#   h2 v0.4.20
#   reqwest v0.13.5
#   NO_ERROR: Ok, 10 of 100 bytes
#   CANCEL: Err, is_decode true
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/src"
cat >"$work/Cargo.toml" <<'TOML'
[package]
name = "reqwest-http2-short-body-is-ok"
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
use h2::Reason;
use h2::server::SendResponse;
use tokio::net::TcpListener;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let client = reqwest::Client::builder().http2_prior_knowledge().build().unwrap();
    for reason in [Reason::NO_ERROR, Reason::CANCEL] {
        let body = if reason == Reason::NO_ERROR { body(&client, no_error).await } else { body(&client, cancel).await };
        match &body {
            Ok(body) => println!("{reason:?}: Ok, {} of 100 bytes", body.len()),
            Err(error) => println!("{reason:?}: Err, is_decode {}", error.is_decode()),
        }
        assert_eq!(body.is_ok(), reason == Reason::NO_ERROR);
    }
}

async fn body(client: &reqwest::Client, answer: fn(SendResponse<Bytes>)) -> reqwest::Result<Bytes> {
    let (url, _requests) = serve(answer).await;
    client.get(url).send().await.unwrap().bytes().await
}

fn no_error(respond: SendResponse<Bytes>) {
    end(respond, Reason::NO_ERROR);
}

fn cancel(respond: SendResponse<Bytes>) {
    end(respond, Reason::CANCEL);
}

/// A head that announces 100 bytes, ten bytes, and the end of the stream a moment later.
fn end(mut respond: SendResponse<Bytes>, reason: Reason) {
    let head = http::Response::builder().header("content-length", "100").body(()).unwrap();
    let mut stream = respond.send_response(head, false).unwrap();
    stream.send_data(Bytes::from_static(b"0123456789"), false).unwrap();
    tokio::spawn(async move {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        stream.send_reset(reason);
    });
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
