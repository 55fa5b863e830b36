//! Random histories of the limits against plain models, and against the crate whose algorithm they share.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod answers;
mod bulkhead;
mod fallback;
mod governor;
mod layers;
mod metrics;
mod protection;
mod rate;
mod storm;

use proptest::test_runner::{Config, TestRunner};

/// A runner that keeps no file: a failure prints its history, and becomes a test of its own.
fn runner(cases: u32) -> TestRunner {
    TestRunner::new(Config {
        cases,
        failure_persistence: None,
        max_shrink_iters: 20_000,
        ..Config::default()
    })
}
