//! The serialized forms of snapshots, events and statuses.
#![cfg(all(feature = "serde", feature = "test-util"))]

use std::time::Duration;

use halfopen::{Backoff, CircuitBreaker, CircuitBreakerConfig, Clock, Event, Outcome, Registry, Trip};
use serde_json::{Value, json, to_value};

#[test]
fn durations_are_numbers_of_seconds() {
    let (clock, hands) = Clock::manual();
    let breaker = CircuitBreaker::builder("api").clock(clock).build();
    breaker.try_acquire().unwrap().record_after(Outcome::Success, Duration::from_millis(250));
    breaker.open_for(Duration::from_secs(2));
    hands.advance(Duration::from_millis(500));
    let snapshot = to_value(breaker.snapshot()).unwrap();
    assert_eq!(snapshot["name"], "api");
    assert_eq!(snapshot["state"], "open");
    assert_eq!(snapshot["retry_after"], 1.5);
    assert_eq!(snapshot["open_duration"], 2.0);
    assert_eq!(snapshot["in_state_for"], 0.5);
    assert_eq!(snapshot["totals"]["response_time"], 0.25);
    assert!(snapshot["last_trip"]["at"].as_f64().unwrap() > 1.6e9);
    assert_eq!(snapshot["last_trip"]["reasons"], json!(["manual"]));
}

#[test]
fn what_nobody_knows_is_null() {
    let breaker = CircuitBreaker::builder("api").build();
    breaker.force_open();
    assert!(to_value(breaker.snapshot()).unwrap()["retry_after"].is_null());
    let rejected = breaker.try_acquire().unwrap_err();
    assert_eq!(
        to_value(Event::Rejected(rejected)).unwrap(),
        json!({ "rejected": { "name": "api", "reason": "forced_open", "retry_after": null } })
    );
}

#[test]
fn a_rejection_and_a_registry_read_the_same_way() {
    let (clock, _hands) = Clock::manual();
    let registry = Registry::builder().clock(clock).build();
    registry.get_or_create("api").open_for(Duration::from_millis(4200));
    let rejected = registry.get("api").unwrap().try_acquire().unwrap_err();
    assert_eq!(to_value(rejected).unwrap()["retry_after"], 4.2);
    let status = to_value(registry.status()).unwrap();
    assert_eq!(status["open_breakers"], json!(["api"]));
    assert_eq!(status["breakers"][0]["retry_after"], 4.2);
}

/// The document that the documentation of `RegistryStatus` shows.
const STATUS: &str = include_str!("../src/registry/status.json");

#[test]
fn a_status_reads_as_documented() {
    let (clock, hands) = Clock::manual();
    let config = CircuitBreakerConfig::builder()
        .trip(Trip::consecutive_failures(3))
        .trip(Trip::slow_call_rate(0.5, Duration::from_secs(1)))
        .backoff(Backoff::none())
        .build()
        .unwrap();
    let registry = Registry::builder().default_config(config).clock(clock).build();
    let mail = registry.get_or_create("mail");
    mail.try_acquire().unwrap().record_after(Outcome::Success, Duration::from_millis(250));
    let payments = registry.get_or_create("payments");
    for seconds in [1, 2, 1] {
        payments.try_acquire().unwrap().record_after(Outcome::Failure, Duration::from_secs(seconds));
    }
    payments.try_acquire().unwrap_err();
    hands.advance(Duration::from_millis(500));

    let mut status = to_value(registry.status()).unwrap();
    // The only value that differs between runs.
    let at = &mut status["breakers"][1]["last_trip"]["at"];
    assert!(at.as_f64().is_some_and(|at| at > 1.6e9), "{at}");
    *at = json!(1_764_000_000.25);

    let documented: Value = serde_json::from_str(STATUS).unwrap();
    assert_eq!(status, documented, "it is now:\n{status:#}");
}

#[test]
fn a_half_open_snapshot_reads_as_documented() {
    let (clock, hands) = Clock::manual();
    let breaker = CircuitBreaker::builder("api").clock(clock).build();
    breaker.open_for(Duration::from_secs(2));
    hands.advance(Duration::from_secs(2));
    let _probe = breaker.try_acquire().unwrap();
    hands.advance(Duration::from_secs(1));
    let snapshot = to_value(breaker.snapshot()).unwrap();
    assert_eq!(
        snapshot["probes"],
        json!({
            "in_flight": 1, "limit": 1, "has_slot": false, "successes": 0, "failures": 0,
            "needed": 1, "failures_to_open": 1, "failure_rate": null, "slow_call_rate": null, "due_in": 59.0,
            "ramp_left": null
        })
    );
    let cause = json!({ "reasons": ["manual"], "part": 0, "calls": 0, "threshold": null });
    assert_eq!(snapshot["cause"], cause);
}

#[test]
fn a_wait_that_a_server_asked_for_is_a_number() {
    let config = CircuitBreakerConfig::builder().trip(Trip::consecutive_failures(1)).build().unwrap();
    let breaker = CircuitBreaker::builder("api").config(config).build();
    breaker.try_acquire().unwrap().failure_with_hint(Duration::from_millis(7500));
    assert_eq!(to_value(breaker.snapshot()).unwrap()["hint"], 7.5);
}

#[test]
fn a_change_in_a_history_reads_like_the_last_trip() {
    let registry = Registry::new();
    let history = registry.keep_history(10);
    let breaker = registry.get_or_create("api");
    breaker.trip();
    let last = to_value(breaker.snapshot().last_trip).unwrap();
    assert_eq!(to_value(history.changes()).unwrap(), json!([last]));
}
