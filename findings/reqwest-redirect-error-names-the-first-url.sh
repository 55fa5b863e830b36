#!/usr/bin/env bash
# reqwest 0.13.5: the error of a call that was redirected names the first URL, not the one that failed.
#
# Expected: the URL of the server that could not be reached; `Response::url()` of a call that succeeds is the last one.
# Seen: a server answers 302 to a port on which nothing listens. The error is one of connecting, and `Error::url()` and
# its text name the first server, which has just answered. A limit of redirects that is reached does name the last one.
# Behind a circuit breaker per host: the failure counts for the healthy host, and the host that is down has no breaker at
# all, as redirects are followed below every middleware and layer. A redirect policy of its own sees each step.
#
# Output (30 November 2026, rustc 1.95.0):
#
#   reqwest v0.13.5
#   connecting failed: true, the error names: /first
#   too many redirects: true, the error names: /again
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/src"
cat >"$work/Cargo.toml" <<'TOML'
[package]
name = "reqwest-redirect-error-names-the-first-url"
version = "0.0.0"
edition = "2024"

[workspace]

[dependencies]
reqwest = { version = "=0.13.5", default-features = false }
tokio = { version = "=1.54.1", features = ["io-util", "macros", "net", "rt"] }

[profile.dev]
debug = 0
TOML
cat >"$work/src/main.rs" <<'RUST'
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    // A port on which nothing listens any more.
    let dead = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let alive = serve(format!("http://{dead}/second")).await;

    let error = reqwest::Client::new().get(format!("http://{alive}/first")).send().await.unwrap_err();
    println!("connecting failed: {}, the error names: {}", error.is_connect(), named(&error));
    assert!(error.is_connect());
    assert_eq!(named(&error), "/first");
    assert!(error.to_string().contains("/first"), "{error}");

    let looping = serve("/again".into()).await;
    let error = reqwest::Client::new().get(format!("http://{looping}/first")).send().await.unwrap_err();
    println!("too many redirects: {}, the error names: {}", error.is_redirect(), named(&error));
    assert!(error.is_redirect());
    assert_eq!(named(&error), "/again");
}

fn named(error: &reqwest::Error) -> &str {
    error.url().expect("a URL").path()
}

/// Answers every request with a redirect.
async fn serve(location: String) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            let _ = connection.read(&mut [0; 4096]).await;
            let answer = format!("HTTP/1.1 302 Found\r\nlocation: {location}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            connection.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    address
}
RUST
cd "$work"
cargo tree --quiet --depth 1 --prefix none --edges normal | grep -E '^reqwest ' | cut -d ' ' -f 1,2
cargo run --quiet
