#!/usr/bin/env bash
# octocrab 0.54.9: one POST that is answered with 503 is sent four times.
#
# Expected: a request that is not idempotent is sent once; the caller decides whether an issue is created again.
# Seen: the client that the builder makes retries three times by default (`RetryConfig::Simple(3)`), immediately,
# whatever the method. `add_retry_config(RetryConfig::None)` switches that off.
# Behind a circuit breaker: a breaker outside this retry sees one failure for four requests, one inside it has each
# rejection repeated three times.
#
# Output (30 November 2026, rustc 1.95.0):
#
#   octocrab v0.54.9
#   issues().create() failed: true
#   POST requests at the server: 4
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/src"
cat >"$work/Cargo.toml" <<'TOML'
[package]
name = "octocrab-repeats-posts"
version = "0.0.0"
edition = "2024"

[workspace]

[dependencies]
octocrab = { version = "=0.54.9", default-features = false, features = ["reqwest", "retry"] }
reqwest = { version = "=0.13.5", default-features = false }
tokio = { version = "=1.54.1", features = ["io-util", "macros", "net", "rt", "time"] }

[profile.dev]
debug = 0
TOML
cat >"$work/src/main.rs" <<'RUST'
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let answer = "HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}";
    let (url, requests) = serve(answer).await;
    let builder = octocrab::Octocrab::builder().base_uri(url).unwrap();
    let octocrab = builder.build_with_reqwest(reqwest::Client::new()).unwrap();
    let result = octocrab.issues("owner", "repository").create("a title").send().await;
    println!("issues().create() failed: {}", result.is_err());
    println!("POST requests at the server: {}", requests.load(SeqCst));
    assert_eq!(requests.load(SeqCst), 4);
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
        }
    });
    (url, requests)
}
RUST
cd "$work"
cargo tree --quiet --depth 1 --prefix none --edges normal | grep -E '^(octocrab) ' | cut -d ' ' -f 1,2 | sort
cargo run --quiet
