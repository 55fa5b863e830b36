//! `halfopen-redis` against real `redis-server` processes, which the tests start, freeze, fill, demote and kill.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod clusters;
mod codes;
mod connections;
mod fleet_events;
mod fleet_script;
mod fleets;
mod limit_script;
mod limits;
mod outages;
mod sentinels;
mod world;

use proptest::test_runner::{Config, TestRunner};

/// A runner without a regression file: a failure prints its history, which then becomes a test.
fn runner(cases: u32) -> TestRunner {
    TestRunner::new(Config { cases, failure_persistence: None, max_shrink_iters: 2_000, ..Config::default() })
}
