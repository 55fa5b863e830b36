#!/usr/bin/env bash
# sqlx 0.9.0, SQLite: with a shared cache no timeout of the pool ends the wait for an open transaction.
#
# Expected: a write that meets an open transaction fails after `busy_timeout`.
# Seen: it waits until the transaction ends, however long that is: `busy_timeout` and `acquire_timeout` do not apply.
# Behind a circuit breaker: a call without a timeout of its own is neither a failure nor a slow call while it hangs.
#
# Output (30 November 2026, rustc 1.95.0):
#
#   sqlx v0.9.0
#   busy_timeout and acquire_timeout 100ms; still waiting after 2s: true
#   written after the transaction has ended: true
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/src"
cat >"$work/Cargo.toml" <<'TOML'
[package]
name = "sqlx-sqlite-shared-cache-has-no-timeout"
version = "0.0.0"
edition = "2024"

[workspace]

[dependencies]
sqlx = { version = "=0.9.0", default-features = false, features = ["runtime-tokio", "sqlite"] }
tokio = { version = "=1.54.1", features = ["macros", "rt", "time"] }

[profile.dev]
debug = 0
TOML
cat >"$work/src/main.rs" <<'RUST'
use std::str::FromStr;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let short = Duration::from_millis(100);
    let options = SqliteConnectOptions::from_str("sqlite:file:shared?mode=memory&cache=shared").unwrap();
    let pool = SqlitePoolOptions::new().max_connections(2).acquire_timeout(short);
    let pool = pool.connect_with(options.busy_timeout(short)).await.unwrap();
    sqlx::query("CREATE TABLE orders (id INTEGER)").execute(&pool).await.unwrap();

    let open = pool.begin_with("BEGIN IMMEDIATE").await.unwrap();
    let write = sqlx::query("INSERT INTO orders VALUES (7)").execute(&pool);
    let mut write = std::pin::pin!(write);
    let still_waits = tokio::time::timeout(20 * short, &mut write).await.is_err();
    println!("busy_timeout and acquire_timeout {short:?}; still waiting after {:?}: {still_waits}", 20 * short);
    open.rollback().await.unwrap();
    let written = write.await.is_ok();
    println!("written after the transaction has ended: {written}");
    assert!(still_waits && written);
}
RUST
cd "$work"
cargo tree --quiet --depth 1 --prefix none --edges normal | grep -E '^(sqlx) ' | cut -d ' ' -f 1,2 | sort
cargo run --quiet
