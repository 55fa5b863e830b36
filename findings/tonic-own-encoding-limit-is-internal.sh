#!/usr/bin/env bash
# tonic 0.14.9: a message above the client's own `max_encoding_message_size` fails with INTERNAL.
#
# Expected: OUT_OF_RANGE or RESOURCE_EXHAUSTED with the limit in its message, as for the limit of decoding.
# Seen: INTERNAL "h2 protocol error: http2 error"; only its source, a reset "sent by user", shows whose doing it is.
# Behind a circuit breaker: INTERNAL is a failure of the server, so that a caller's own large messages would open
# the breaker of a healthy server.
#
# Output (30 November 2026, rustc 1.95.0):
#
#   tonic v0.14.9
#   tonic-health v0.14.9
#   max_decoding_message_size 1: OutOfRange "Error, decoded message length too large: found 2 bytes, the limit is: 1 bytes", first cause None
#   max_encoding_message_size 1: Internal "h2 protocol error: http2 error", first cause Some("stream error sent by user: unexpected internal error encountered")
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/src"
cat >"$work/Cargo.toml" <<'TOML'
[package]
name = "tonic-own-encoding-limit-is-internal"
version = "0.0.0"
edition = "2024"

[workspace]

[dependencies]
tonic = { version = "=0.14.9", default-features = false, features = ["router", "server", "transport"] }
tonic-health = "=0.14.9"
tokio = { version = "=1.54.1", features = ["io-util", "macros", "net", "rt", "time"] }

[profile.dev]
debug = 0
TOML
cat >"$work/src/main.rs" <<'RUST'
use std::error::Error as _;

use tokio::net::TcpListener;
use tonic::Code;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Endpoint, Server};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (_reporter, service) = tonic_health::server::health_reporter();
    tokio::spawn(Server::builder().add_service(service).serve_with_incoming(TcpIncoming::from(listener)));

    let channel = Endpoint::from_shared(url).unwrap().connect_lazy();
    let request = HealthCheckRequest { service: "a name of more than one byte".to_owned() };
    let decoding = HealthClient::new(channel.clone()).max_decoding_message_size(1);
    let encoding = HealthClient::new(channel).max_encoding_message_size(1);
    let served = HealthCheckRequest::default();
    for (what, mut client, request, code) in [
        ("max_decoding_message_size", decoding, served, Code::OutOfRange),
        ("max_encoding_message_size", encoding, request, Code::Internal),
    ] {
        let status = client.check(request).await.unwrap_err();
        let sources = std::iter::successors(status.source(), |error| (*error).source());
        let cause = sources.last().map(|cause| cause.to_string());
        println!("{what} 1: {:?} {:?}, first cause {cause:?}", status.code(), status.message());
        assert_eq!(status.code(), code);
    }
}
RUST
cd "$work"
cargo tree --quiet --depth 1 --prefix none --edges normal | grep -E '^(tonic|tonic-health) ' | cut -d ' ' -f 1,2 | sort
cargo run --quiet
