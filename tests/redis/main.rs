//! `halfopen-redis` against real `redis-server` processes, which the tests start, freeze, fill, demote and kill.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod codes;
mod connections;
mod outages;
mod world;
