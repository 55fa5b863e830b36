//! The heap usage of keys and permitted calls.
//!
//! In a separate program with a single test: the allocator counts for all threads.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of tests, and the figure")]

#[allow(dead_code, reason = "shared with the benches, which look at more")]
#[path = "../../benches/alloc.rs"]
mod alloc;

use std::fmt::Write;
use std::time::Duration;

use halfopen::Clock;
use halfopen_limit::{Bulkhead, BulkheadConfig, KeyedRateLimiter, Quota, RateLimiter};

#[global_allocator]
static ALLOCATOR: alloc::Watched = alloc::Watched;

#[test]
fn bounded_keys_let_permitted_calls_allocate_nothing() {
    a_million_keys_take_no_more_room_than_ten_thousand();
    permitted_calls_allocate_nothing();
}

fn a_million_keys_take_no_more_room_than_ten_thousand() {
    let (clock, _hands) = Clock::manual();
    let quota = Quota::calls(100).per(Duration::from_secs(60)).build().unwrap();
    let limiter = KeyedRateLimiter::builder("tenants", quota).clock(clock).max_keys(10_000).build().unwrap();
    let mut key = String::with_capacity(32);
    let mut use_keys = |keys: std::ops::Range<u32>| {
        for number in keys {
            key.clear();
            write!(key, "tenant-{number:08}").expect("a string takes everything");
            limiter.try_acquire(&key).unwrap();
        }
    };
    // Past the bound several times over, so that the tables have their final size.
    let (_, filled) = alloc::watch(|| use_keys(0..100_000));
    let (_, grown) = alloc::watch(|| use_keys(100_000..1_000_000));
    println!("10,000 keys keep {} bytes, 900,000 further ones {}", filled.live, grown.live);
    assert!(filled.live < 3_000_000, "10,000 keys keep {} bytes", filled.live);
    assert!(grown.live.abs() < 10_000, "900,000 further keys keep {} bytes", grown.live);
}

fn permitted_calls_allocate_nothing() {
    let quota = Quota::calls(1_000_000).per(Duration::from_secs(1)).build().unwrap();
    let limiter = RateLimiter::new("all", quota);
    let keyed = KeyedRateLimiter::new("tenants", quota);
    let config = BulkheadConfig::builder().max_concurrent_calls(2).build().unwrap();
    let bulkhead = Bulkhead::new("pool", config);
    keyed.try_acquire("acme").unwrap();
    let (_, seen) = alloc::watch(|| {
        for _ in 0..1000 {
            let _permit = bulkhead.try_acquire().unwrap();
            limiter.try_acquire().unwrap();
            keyed.try_acquire("acme").unwrap();
        }
    });
    assert_eq!(seen.allocations, 0);
}
