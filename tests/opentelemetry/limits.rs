//! The instruments of limits.

use std::time::Duration;

use halfopen::Clock;
use halfopen_limit::{Bulkhead, BulkheadConfig, KeyedRateLimiter, LimitRegistry, Quota, RateLimiter};
use opentelemetry_sdk::metrics::Temporality;

use crate::collected::{Collected, Collector};

fn of<'a>(collected: &'a Collected, kind: &'a str, name: &'a str) -> impl Fn(&str) -> Option<f64> {
    move |metric| collected.value(&format!("{kind}.{metric}"), &[(kind, name)])
}

#[test]
fn limits_are_reported_from_when_they_are_added() {
    let limits = LimitRegistry::new();
    let collector = Collector::of_nothing(Temporality::Cumulative);
    collector.observe_limits(&limits);
    let bulkhead = Bulkhead::new("ai", BulkheadConfig::builder().max_concurrent_calls(1).build().unwrap());
    let quota = Quota::calls(1).per(Duration::from_secs(60)).build().unwrap();
    let rate = RateLimiter::builder("tasks", quota).clock(Clock::manual().0).build();
    let keyed = KeyedRateLimiter::builder("tools", quota).clock(Clock::manual().0).build().unwrap();
    limits.add_bulkhead(&bulkhead);
    limits.add_rate_limiter(&rate);
    limits.add_keyed_rate_limiter(&keyed);

    let _permit = bulkhead.try_acquire().unwrap();
    for _ in 0..3 {
        let _ = (bulkhead.try_acquire(), rate.try_acquire(), keyed.try_acquire("list"));
    }
    let collected = collector.collect();

    let ai = of(&collected, "bulkhead", "ai");
    assert_eq!(["rejected", "in_flight", "waiting"].map(ai), [3.0, 1.0, 0.0].map(Some));
    let tasks = of(&collected, "rate_limit", "tasks");
    let shown = ["rejected", "available", "waiting", "keys"].map(tasks);
    assert_eq!(shown, [Some(2.0), Some(0.0), Some(0.0), None]);
    let tools = of(&collected, "rate_limit", "tools");
    let shown = ["rejected", "available", "waiting", "keys", "evicted"].map(tools);
    assert_eq!(shown, [Some(2.0), None, Some(0.0), Some(1.0), Some(0.0)]);
    assert_eq!(collected.kind("bulkhead.rejected"), "monotonic sum, {call}");
    assert_eq!(collected.kind("rate_limit.keys"), "gauge, {key}");
    assert_eq!(of(&collected, "bulkhead", "ai")("max_concurrent_calls"), Some(1.0));
}
