#!/usr/bin/env bash
# reqwest 0.13.5: the stream of a body goes on after its `read_timeout`, with one error each period.
#
# Expected: a stream of a body ends with its first error.
# Seen: every further poll is another timeout; five items are taken here.
# Behind a circuit breaker: a consumer that skips errors never ends, and one that records each of them records one
# hang as many failures. What watches a body must settle its call with the first error.
#
# Output (30 November 2026, rustc 1.95.0):
#
#   reqwest v0.13.5
#   Ok, 1 byte
#   Err, is_timeout true
#   Err, is_timeout true
#   Err, is_timeout true
#   Err, is_timeout true
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/src"
cat >"$work/Cargo.toml" <<'TOML'
[package]
name = "reqwest-body-stream-repeats-its-timeout"
version = "0.0.0"
edition = "2024"

[workspace]

[dependencies]
futures-util = "=0.3.34"
reqwest = { version = "=0.13.5", default-features = false, features = ["stream"] }
tokio = { version = "=1.54.1", features = ["io-util", "macros", "net", "rt", "time"] }

[profile.dev]
debug = 0
TOML
cat >"$work/src/main.rs" <<'RUST'
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use futures_util::StreamExt;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    // One byte of a hundred: the server keeps its connection and sends no more.
    let (url, _requests) = serve("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n0").await;
    let client = reqwest::Client::builder().read_timeout(std::time::Duration::from_millis(100)).build().unwrap();
    let body = client.get(url).send().await.unwrap().bytes_stream();
    let items: Vec<_> = body.take(5).collect().await;
    for item in &items {
        match item {
            Ok(bytes) => println!("Ok, {} byte", bytes.len()),
            Err(error) => println!("Err, is_timeout {}", error.is_timeout()),
        }
    }
    assert_eq!(items.iter().filter(|item| item.is_err()).count(), 4);
}

/// Serves HTTP/1.1, one request a connection, and counts the requests.
async fn serve(answer: &'static str) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let requests = Arc::new(AtomicUsize::new(0));
    let seen = requests.clone();
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            let mut connection = BufReader::new(connection);
            let (mut line, mut length) = (String::new(), 0);
            while line != "\r\n" {
                line.clear();
                connection.read_line(&mut line).await.unwrap();
                if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
            }
            connection.read_exact(&mut vec![0; length]).await.unwrap();
            seen.fetch_add(1, SeqCst);
            connection.write_all(answer.as_bytes()).await.unwrap();
            std::mem::forget(connection);
        }
    });
    (url, requests)
}
RUST
cd "$work"
cargo tree --quiet --depth 1 --prefix none --edges normal | grep -E '^(reqwest) ' | cut -d ' ' -f 1,2 | sort
cargo run --quiet
