#!/usr/bin/env bash
# tonic 0.14.9: a handler that panics and a server's own timeout reach the client as CANCELLED.
#
# Expected: INTERNAL or UNKNOWN for the panic, DEADLINE_EXCEEDED for `Server::timeout`: CANCELLED is "typically by the
# caller", who has not cancelled anything.
# Seen: CANCELLED for both, and for the client's own `Endpoint::timeout` as well. The panic and the client's timeout
# have a source (a reset, `TimeoutExpired`); the server's timeout has none, it is a plain status from the peer.
# Behind a circuit breaker: one that ignores CANCELLED because "the caller went away" sees neither of the two most
# telling failures of a server.
#
# Output (30 November 2026, rustc 1.95.0):
#
#   tonic v0.14.9
#   tonic-health v0.14.9
#   the handler panics: Cancelled "h2 protocol error: http2 error", has a source: true
#   Server::timeout: Cancelled "Timeout expired", has a source: false
#   Endpoint::timeout: Cancelled "Timeout expired", has a source: true
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/src"
cat >"$work/Cargo.toml" <<'TOML'
[package]
name = "tonic-panic-and-timeout-arrive-as-cancelled"
version = "0.0.0"
edition = "2024"

[workspace]

[dependencies]
tonic = { version = "=0.14.9", default-features = false, features = ["router", "server", "transport"] }
tonic-health = "=0.14.9"
tokio-stream = "=0.1.19"
tokio = { version = "=1.54.1", features = ["io-util", "macros", "net", "rt", "time"] }

[profile.dev]
debug = 0
TOML
cat >"$work/src/main.rs" <<'RUST'
use std::error::Error as _;
use std::future::pending;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_stream::Empty;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Endpoint, Server};
use tonic::{Code, Request, Response, Status};
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

const LIMIT: Duration = Duration::from_millis(200);

#[tokio::main(flavor = "current_thread")]
async fn main() {
    std::panic::set_hook(Box::new(|_| {})); // the handler's panic is meant
    let panics = || panic!("a bug in the handler");
    let cases: [(&str, fn(), Option<Duration>, Option<Duration>, bool); 3] = [
        ("the handler panics", panics, None, None, true),
        ("Server::timeout", || {}, Some(LIMIT), None, false),
        ("Endpoint::timeout", || {}, None, Some(LIMIT), true),
    ];
    for (what, handler, server, client, has_source) in cases {
        let url = serve(handler, server).await;
        let mut endpoint = Endpoint::from_shared(url).unwrap();
        if let Some(limit) = client {
            endpoint = endpoint.timeout(limit);
        }
        let mut health = HealthClient::new(endpoint.connect_lazy());
        let status = health.check(HealthCheckRequest::default()).await.unwrap_err();
        println!("{what}: {:?} {:?}, has a source: {}", status.code(), status.message(), status.source().is_some());
        assert_eq!((status.code(), status.source().is_some()), (Code::Cancelled, has_source));
    }
}

/// Does its part, and then never answers.
struct Handler(fn());

#[tonic::async_trait]
impl Health for Handler {
    type WatchStream = Empty<Result<HealthCheckResponse, Status>>;

    async fn check(&self, _: Request<HealthCheckRequest>) -> Result<Response<HealthCheckResponse>, Status> {
        (self.0)();
        pending().await
    }

    async fn watch(&self, _: Request<HealthCheckRequest>) -> Result<Response<Self::WatchStream>, Status> {
        pending().await
    }
}

/// A service that answers with `answer`, and the address of its server.
async fn serve(answer: fn(), limit: Option<Duration>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let mut server = Server::builder();
    if let Some(limit) = limit {
        server = server.timeout(limit);
    }
    let router = server.add_service(HealthServer::new(Handler(answer)));
    tokio::spawn(router.serve_with_incoming(TcpIncoming::from(listener)));
    url
}
RUST
cd "$work"
cargo tree --quiet --depth 1 --prefix none --edges normal | grep -E '^(tonic|tonic-health) ' | cut -d ' ' -f 1,2 | sort
cargo run --quiet
