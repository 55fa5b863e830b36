//! What documents and dashboards see.
#![cfg(all(feature = "serde", feature = "test-util"))]

use std::time::Duration;

use fusebox::{CircuitBreaker, Clock, Event, Outcome, Registry};
use serde_json::{json, to_value};

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
