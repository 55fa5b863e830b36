#!/usr/bin/env bash
# sqlx 0.9.0, SQLite: transactions that read and then write fail immediately in spite of `busy_timeout`.
#
# Expected: with a `busy_timeout` of five seconds, twenty short transactions that take turns all succeed.
# Seen: `begin()` is `BEGIN`, which locks nothing; a transaction that has read and then writes gets "database is locked" (5, or
# 517 after the commit of another) without a wait, and most of them fail. With `begin_with("BEGIN IMMEDIATE")` all succeed.
# Behind a circuit breaker: a classifier for which errors are failures opens on the load of a healthy file.
#
# Output (30 November 2026, rustc 1.95.0; the first number varies):
#
#   sqlx v0.9.0
#   BEGIN: 5 of 20 succeed, codes of the others ["5", "517"], busy_timeout elapsed: false
#   BEGIN IMMEDIATE: 20 of 20 succeed, codes of the others [], busy_timeout elapsed: false
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/src"
cat >"$work/Cargo.toml" <<'TOML'
[package]
name = "sqlx-sqlite-begin-ignores-busy-timeout"
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
use std::time::{Duration, Instant};

use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions};

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let file = std::env::current_dir().unwrap().join("orders.db");
    let busy_timeout = Duration::from_secs(5);
    let options = SqliteConnectOptions::new().filename(file).create_if_missing(true);
    let options = options.journal_mode(SqliteJournalMode::Wal).busy_timeout(busy_timeout);
    let pool = SqlitePoolOptions::new().max_connections(10).connect_with(options).await.unwrap();
    sqlx::raw_sql("CREATE TABLE stock (n INTEGER); INSERT INTO stock VALUES (100)").execute(&pool).await.unwrap();

    let mut succeeded = Vec::new();
    for statement in ["BEGIN", "BEGIN IMMEDIATE"] {
        let started = Instant::now();
        let tasks: Vec<_> = (0..20).map(|_| tokio::spawn(take(pool.clone(), statement))).collect();
        let mut codes = Vec::new();
        let mut taken = 0;
        for task in tasks {
            match task.await.unwrap() {
                Ok(()) => taken += 1,
                Err(error) => codes.push(error.as_database_error().unwrap().code().unwrap().into_owned()),
            }
        }
        codes.sort();
        codes.dedup();
        let waited = started.elapsed() >= busy_timeout;
        println!("{statement}: {taken} of 20 succeed, codes of the others {codes:?}, busy_timeout elapsed: {waited}");
        succeeded.push((taken, waited));
    }
    assert!(succeeded[0].0 < 20 && !succeeded[0].1, "transactions wait for each other now");
    assert_eq!(succeeded[1].0, 20);
}

async fn take(pool: SqlitePool, statement: &'static str) -> sqlx::Result<()> {
    let mut transaction = pool.begin_with(statement).await?;
    let n: i64 = sqlx::query_scalar("SELECT n FROM stock").fetch_one(&mut *transaction).await?;
    sqlx::query("UPDATE stock SET n = ?").bind(n - 1).execute(&mut *transaction).await?;
    transaction.commit().await
}
RUST
cd "$work"
cargo tree --quiet --depth 1 --prefix none --edges normal | grep -E '^(sqlx) ' | cut -d ' ' -f 1,2 | sort
cargo run --quiet
