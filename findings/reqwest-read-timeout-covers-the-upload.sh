#!/usr/bin/env bash
# reqwest 0.13.5: `read_timeout` expires during an upload to a healthy server.
#
# Expected: "applies to each read operation, and resets after a successful read": an upload that makes progress is
# no read that waits.
# Seen: until the head of the answer has come it is one timer over connecting, upload and head, so that an upload of
# 0.9 s fails after 0.3 s.
# Behind a circuit breaker: a caller's own slow upload looks like a server that hangs and counts as a failure.
#
# Output (30 November 2026, rustc 1.95.0):
#
#   reqwest v0.13.5
#   read_timeout 300ms: timed out: true, before the upload was sent: true
#   read_timeout 5s: timed out: false, before the upload was sent: false
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/src"
cat >"$work/Cargo.toml" <<'TOML'
[package]
name = "reqwest-read-timeout-covers-the-upload"
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
use std::time::{Duration, Instant};

use futures_util::stream;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const PIECES: u32 = 9;
const PERIOD: Duration = Duration::from_millis(100);

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let url = serve().await;
    for limit in [Duration::from_millis(300), Duration::from_secs(5)] {
        let pieces = stream::unfold(0, async |sent| {
            tokio::time::sleep(PERIOD).await;
            (sent < PIECES).then(|| (Ok::<_, std::io::Error>("piece"), sent + 1))
        });
        let client = reqwest::Client::builder().read_timeout(limit).build().unwrap();
        let begun = Instant::now();
        let result = client.post(&url).body(reqwest::Body::wrap_stream(pieces)).send().await;
        let early = begun.elapsed() < PERIOD * PIECES;
        let timed_out = result.as_ref().is_err_and(|error| error.is_timeout());
        println!("read_timeout {limit:?}: timed out: {timed_out}, before the upload was sent: {early}");
        assert_eq!((timed_out, early), (limit < PERIOD * PIECES, limit < PERIOD * PIECES));
    }
}

/// Serves HTTP/1.1: reads a chunked request to its end as it comes, and answers immediately after.
async fn serve() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut request = Vec::new();
                while !request.ends_with(b"0\r\n\r\n") {
                    if connection.read_buf(&mut request).await.unwrap_or(0) == 0 {
                        return;
                    }
                }
                let _sent = connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
            });
        }
    });
    url
}
RUST
cd "$work"
cargo tree --quiet --depth 1 --prefix none --edges normal | grep -E '^(reqwest) ' | cut -d ' ' -f 1,2 | sort
cargo run --quiet
