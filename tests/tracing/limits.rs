//! The events of limits that reject (feature `tracing` of `halfopen-limit`).

use std::time::Duration;

use halfopen::{Clock, ManualClock};
use halfopen_limit::{Bulkhead, BulkheadConfig, KeyedRateLimiter, Quota, RateLimiter};
use tracing::Level;

use crate::collector::{Heard, listen};

const SECOND: Duration = Duration::from_secs(1);

/// One call a minute.
fn quota() -> Quota {
    Quota::calls(1).per(60 * SECOND).build().unwrap()
}

fn limiter() -> (RateLimiter, ManualClock) {
    let (clock, hands) = Clock::manual();
    let limiter = RateLimiter::builder("create-task", quota()).clock(clock).build();
    limiter.try_acquire().unwrap();
    (limiter, hands)
}

fn fields<const N: usize>(heard: &Heard, names: [&str; N]) -> [Option<String>; N] {
    names.map(|name| heard.field(name).map(str::to_owned))
}

fn some<const N: usize>(values: [&str; N]) -> [Option<String>; N] {
    values.map(|value| Some(value.to_owned()))
}

#[test]
fn a_full_bulkhead_is_reported_with_its_calls() {
    let config = BulkheadConfig::builder().max_concurrent_calls(1).build().unwrap();
    let ai = Bulkhead::new("ai", config);
    let _permit = ai.try_acquire().unwrap();
    let heard = listen(Level::DEBUG, || drop(ai.try_acquire().unwrap_err()));
    assert_eq!(heard.len(), 1, "{heard:#?}");
    assert_eq!((heard[0].level, &*heard[0].target), (Level::DEBUG, "halfopen"));
    assert_eq!(heard[0].message, "bulkhead rejected calls");
    let names = ["name", "rejected", "over_seconds", "reason", "in_flight", "waiting"];
    assert_eq!(fields(&heard[0], names), some(["ai", "1", "0.0", "bulkhead_full", "1", "0"]));
}

#[test]
fn a_flood_beyond_a_rate_is_one_event_a_second() {
    let (limiter, hands) = limiter();
    let heard = listen(Level::DEBUG, || {
        for _ in 0..2500 {
            limiter.try_acquire().unwrap_err();
            hands.advance(Duration::from_millis(1));
        }
    });
    let rejected: Vec<_> = heard.iter().map(|event| event.field("rejected").unwrap()).collect();
    assert_eq!(rejected, ["1", "1000", "1000"]);
    assert_eq!(heard[1].message, "rate limit rejected calls");
    let names = ["name", "over_seconds", "reason", "retry_after_seconds", "key"];
    let [.., key] = fields(&heard[1], names);
    assert_eq!(key, None, "the limit has no keys");
    let names = ["name", "over_seconds", "reason", "retry_after_seconds"];
    assert_eq!(fields(&heard[1], names), some(["create-task", "1.0", "rate_limited", "59.0"]));
}

#[test]
fn a_keyed_limit_is_reported_as_one_with_its_last_key() {
    let (clock, hands) = Clock::manual();
    let tools = KeyedRateLimiter::builder("tools", quota()).clock(clock).build().unwrap();
    let heard = listen(Level::DEBUG, || {
        for key in ["list", "show"] {
            tools.try_acquire(key).unwrap();
            tools.try_acquire(key).unwrap_err();
        }
        hands.advance(SECOND);
        tools.try_acquire("show").unwrap_err();
    });
    let seen: Vec<_> = heard.iter().map(|event| fields(event, ["name", "key", "rejected"])).collect();
    assert_eq!(seen, [some(["tools", "list", "1"]), some(["tools", "show", "2"])]);
}

#[test]
fn without_debug_no_rejection_is_counted() {
    let (limiter, _hands) = limiter();
    let heard = listen(Level::INFO, || drop(limiter.try_acquire().unwrap_err()));
    assert!(heard.is_empty(), "{heard:#?}");
    let heard = listen(Level::DEBUG, || drop(limiter.try_acquire().unwrap_err()));
    assert_eq!(heard[0].field("rejected"), Some("1"));
}
