#!/usr/bin/env bash
# kube 5.0.0: a client made from a `Config` repeats a request that is answered with 503 for minutes.
#
# Expected: an API server that answers "unavailable" makes a call fail within the timeouts of the configuration.
# Seen: the call has not ended after three seconds and has sent eight requests or more; by the policy there are 15
# retries whose pauses double from 5 ms. `config.default_retry = false` makes it one request.
# Behind a circuit breaker: a layer that is added with `ClientBuilder::with_layer` lies outside this retry and sees
# no failure in all that time.
#
# Output (30 November 2026, rustc 1.95.0):
#
#   kube v5.0.0
#   default_retry = true: ended within 3 s: false, requests: 9
#   default_retry = false: ended within 3 s: true, requests: 1
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/src"
cat >"$work/Cargo.toml" <<'TOML'
[package]
name = "kube-retries-a-503-for-minutes"
version = "0.0.0"
edition = "2024"

[workspace]

[dependencies]
kube = { version = "=5.0.0", default-features = false, features = ["client"] }
k8s-openapi = { version = "=0.29.0", features = ["latest"] }
tokio = { version = "=1.54.1", features = ["io-util", "macros", "net", "rt", "time"] }

[profile.dev]
debug = 0
TOML
cat >"$work/src/main.rs" <<'RUST'
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let answer = "HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}";
    for default_retry in [true, false] {
        let (url, requests) = serve(answer).await;
        let mut config = kube::Config::new(url.parse().unwrap());
        config.default_retry = default_retry;
        let client = kube::Client::try_from(config).unwrap();
        let ended = tokio::time::timeout(Duration::from_secs(3), client.apiserver_version()).await.is_ok();
        let requests = requests.load(SeqCst);
        println!("default_retry = {default_retry}: ended within 3 s: {ended}, requests: {requests}");
        assert_eq!(ended, !default_retry);
        assert!(if default_retry { requests >= 8 } else { requests == 1 });
    }
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
cargo tree --quiet --depth 1 --prefix none --edges normal | grep -E '^(kube) ' | cut -d ' ' -f 1,2 | sort
cargo run --quiet
