//! The history of state changes.
#![cfg(feature = "test-util")]

use std::time::{Duration, SystemTime};

use halfopen::{
    CircuitBreaker, CircuitBreakerConfig, Clock, History, Registry, State, StateChange, Trip, TripReason,
};

#[test]
fn the_last_changes_are_kept_with_reasons_and_counts() {
    let strict = CircuitBreakerConfig::builder().trip(Trip::consecutive_failures(2)).build().unwrap();
    let (clock, hands) = Clock::manual();
    let registry = Registry::builder().default_config(strict).clock(clock).build();
    let before = registry.get_or_create("before");
    let history = registry.keep_history(10);

    before.try_acquire().unwrap().success();
    before.try_acquire().unwrap().failure();
    before.try_acquire().unwrap().failure();
    hands.advance(Duration::from_secs(60));
    before.try_acquire().unwrap().success();
    registry.get_or_create("later").force_open();

    assert_eq!(
        shown(&history.changes()),
        [
            "before closed open consecutive_failures",
            "before open half_open wait_over",
            "before half_open closed probes_passed",
            "later closed forced_open manual",
        ]
    );
    let opening = &history.changes()[0];
    assert_eq!(opening.reasons, [TripReason::ConsecutiveFailures]);
    assert_eq!((opening.counts.calls, opening.counts.failures), (3, 2));
    assert!(opening.at > SystemTime::UNIX_EPOCH);
    assert_eq!(shown(&history.changes_of("later")), ["later closed forced_open manual"]);
    assert_eq!(history.changes_of("unknown"), []);
}

#[test]
fn the_oldest_change_is_displaced_first() {
    let registry = Registry::new();
    let history = registry.keep_history(3);
    let breaker = registry.get_or_create("api");
    breaker.trip();
    assert_eq!(history.pushed_out(), 0);
    breaker.disable();
    breaker.force_open();
    breaker.metrics_only();
    breaker.reset();

    let states: Vec<_> = history.changes().iter().map(|change| change.to).collect();
    assert_eq!(states, [State::ForcedOpen, State::MetricsOnly, State::Closed]);
    assert_eq!(history.pushed_out(), 2);
    assert_eq!(history.changes().iter().map(|change| change.sequence).collect::<Vec<_>>(), [3, 4, 5]);
}

#[test]
fn a_history_of_one_breaker_keeps_at_least_one_change() {
    let history = History::new(0);
    let breaker = CircuitBreaker::builder("api").listener(history.clone()).build();
    breaker.force_open();
    breaker.disable();
    assert_eq!(shown(&history.changes()), ["api forced_open disabled manual"]);
}

#[test]
fn a_history_keeps_no_breaker() {
    let (clock, hands) = Clock::manual();
    let registry = Registry::builder().idle_after(Duration::from_secs(60)).clock(clock).build();
    let history = registry.keep_history(10);
    let breaker = registry.get_or_create("api");
    breaker.trip();
    breaker.reset();
    drop(breaker);
    hands.advance(Duration::from_secs(120));

    assert_eq!(registry.evict_idle(), 1);
    assert_eq!(history.changes_of("api").len(), 2, "the history outlives the breaker");
}

fn shown(changes: &[StateChange]) -> Vec<String> {
    let show = |change: &StateChange| {
        format!("{} {} {} {}", change.name, change.from.as_str(), change.to.as_str(), change.why())
    };
    changes.iter().map(show).collect()
}
