//! Random histories of the limits, compared with simple models and with the crate whose algorithm they share.
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

/// A runner without a regression file: a failure prints its history, which then becomes a test.
fn runner(cases: u32) -> TestRunner {
    TestRunner::new(Config {
        cases,
        failure_persistence: None,
        max_shrink_iters: 20_000,
        ..Config::default()
    })
}
