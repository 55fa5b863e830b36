#!/usr/bin/env bash
# sqlx 0.9.0, SQLite: a write whose future was dropped by a timeout is made nevertheless.
#
# Expected: a call that a timeout ended while it waited for a lock has changed nothing.
# Seen: the thread of the connection does not learn of it; the row is there as soon as the lock is free.
# Behind a circuit breaker, and anything else with a timeout: a retry of the call writes twice.
#
# Output (30 November 2026, rustc 1.95.0):
#
#   sqlx v0.9.0
#   timed out: true; rows after the lock is free: 1
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/src"
cat >"$work/Cargo.toml" <<'TOML'
[package]
name = "sqlx-sqlite-makes-a-dropped-write"
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
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let file = std::env::current_dir().unwrap().join("orders.db");
    let options = SqliteConnectOptions::new().filename(file).create_if_missing(true);
    let pool = SqlitePoolOptions::new().max_connections(2).connect_with(options).await.unwrap();
    sqlx::query("CREATE TABLE orders (id INTEGER)").execute(&pool).await.unwrap();

    let lock = pool.begin_with("BEGIN IMMEDIATE").await.unwrap();
    let write = sqlx::query("INSERT INTO orders VALUES (7)").execute(&pool);
    let timed_out = tokio::time::timeout(Duration::from_millis(200), write).await.is_err();
    lock.rollback().await.unwrap();

    let mut rows = 0;
    for _ in 0..100 {
        rows = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM orders").fetch_one(&pool).await.unwrap();
        if rows > 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    println!("timed out: {timed_out}; rows after the lock is free: {rows}");
    assert!(timed_out && rows == 1);
}
RUST
cd "$work"
cargo tree --quiet --depth 1 --prefix none --edges normal | grep -E '^(sqlx) ' | cut -d ' ' -f 1,2 | sort
cargo run --quiet
