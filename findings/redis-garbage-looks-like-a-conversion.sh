#!/usr/bin/env bash
# redis 1.8.1: an answer that is not Redis has the error of an answer with another type than the requested one.
#
# Expected: a server that is no Redis (a proxy's HTTP page) is distinguishable from a missing key that was read as a number.
# Seen: kind `Parse`, a `ParsingError` as the source and `is_unrecoverable_error()` for both; only the texts differ.
# Behind a circuit breaker: a classifier of the final error takes every miss for an outage, or no garbage for one. Below the
# conversion, in `ConnectionLike`, only the former can occur.
#
# Output (30 November 2026, rustc 1.95.0):
#
#   redis v1.8.1
#   not Redis: Parse, source ParsingError true, unrecoverable true
#   missing key as i64: Parse, source ParsingError true, unrecoverable true
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/src"
cat >"$work/Cargo.toml" <<'TOML'
[package]
name = "redis-garbage-looks-like-a-conversion"
version = "0.0.0"
edition = "2024"

[workspace]

[dependencies]
redis = { version = "=1.8.1", default-features = false }

[profile.dev]
debug = 0
TOML
cat >"$work/src/main.rs" <<'RUST'
use std::error::Error as _;

use redis::{ErrorKind, ParsingError, RedisError, Value};

fn main() {
    let garbage = redis::parse_redis_value(b"HTTP/1.1 400 Bad Request\r\n").unwrap_err();
    let missing = RedisError::from(redis::from_redis_value::<i64>(Value::Nil).unwrap_err());
    for (name, error) in [("not Redis", garbage), ("missing key as i64", missing)] {
        let is_conversion = error.source().is_some_and(|source| source.is::<ParsingError>());
        let unrecoverable = error.is_unrecoverable_error();
        println!("{name}: {:?}, source ParsingError {is_conversion}, unrecoverable {unrecoverable}", error.kind());
        assert!(error.kind() == ErrorKind::Parse && is_conversion && unrecoverable);
    }
}
RUST
cd "$work"
cargo tree --quiet --depth 1 --prefix none --edges normal | grep -E '^(redis) ' | cut -d ' ' -f 1,2 | sort
cargo run --quiet
