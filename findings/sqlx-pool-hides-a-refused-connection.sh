#!/usr/bin/env bash
# sqlx 0.9.0: a pool retries a refused connection until `acquire_timeout`, and its error has no cause.
#
# Expected: nothing listens on the port, so a call fails immediately with "connection refused", as a single connection does.
# Seen: every call waits for the whole `acquire_timeout` (30 s by default) and ends with `PoolTimedOut`, which has no source: the
# same error as that of a pool which is too small. Also the first call of a pool that has never connected.
# Behind a circuit breaker: each failure that opens it takes 30 s, and a classifier cannot distinguish the two causes.
#
# Output (30 November 2026, rustc 1.95.0):
#
#   sqlx v0.9.0
#   a single connection: error communicating with database: Connection refused (os error 111)
#   a pool: pool timed out while waiting for an open connection; waited for all of acquire_timeout: true; source: None
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/src"
cat >"$work/Cargo.toml" <<'TOML'
[package]
name = "sqlx-pool-hides-a-refused-connection"
version = "0.0.0"
edition = "2024"

[workspace]

[dependencies]
sqlx = { version = "=0.9.0", default-features = false, features = ["postgres", "runtime-tokio"] }
tokio = { version = "=1.54.1", features = ["macros", "rt", "time"] }

[profile.dev]
debug = 0
TOML
cat >"$work/src/main.rs" <<'RUST'
use std::error::Error as _;
use std::time::{Duration, Instant};

use sqlx::postgres::PgPoolOptions;
use sqlx::{Connection, Error, PgConnection};

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("postgres://user@{}/database", listener.local_addr().unwrap());
    drop(listener);

    let single = PgConnection::connect(&url).await.unwrap_err();
    println!("a single connection: {single}");
    assert!(matches!(&single, Error::Io(error) if error.kind() == std::io::ErrorKind::ConnectionRefused));

    assert_eq!(PgPoolOptions::new().get_acquire_timeout(), Duration::from_secs(30));
    let limit = Duration::from_secs(1);
    let pool = PgPoolOptions::new().acquire_timeout(limit).connect_lazy(&url).unwrap();
    let started = Instant::now();
    let pooled = pool.acquire().await.unwrap_err();
    let waited = started.elapsed() >= limit;
    println!("a pool: {pooled}; waited for all of acquire_timeout: {waited}; source: {:?}", pooled.source());
    assert!(matches!(pooled, Error::PoolTimedOut) && waited && pooled.source().is_none());
}
RUST
cd "$work"
cargo tree --quiet --depth 1 --prefix none --edges normal | grep -E '^(sqlx) ' | cut -d ' ' -f 1,2 | sort
cargo run --quiet
