//! A slow-call rule that counts calls while they are in flight (S32).
#![cfg(feature = "test-util")]
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::time::Duration;

use halfopen::{
    Backoff, CircuitBreaker, CircuitBreakerConfig, Clock, ManualClock, OwnedPermit, RejectReason, State,
    Trip, TripReason,
};

const SECOND: Duration = Duration::from_secs(1);
/// An eighth of `slow_after`: calls that are admitted within it become overdue together.
const BUCKET: Duration = Duration::from_millis(1_000);
const SLOW_AFTER: Duration = Duration::from_secs(8);

#[test]
fn calls_that_hang_open_before_they_end() {
    let (breaker, hands) = breaker(true);
    let hanging = admit(&breaker, 5);
    hands.advance(SLOW_AFTER + BUCKET - Duration::from_nanos(1));
    assert_eq!(breaker.snapshot().counts.overdue, 0);
    hands.advance(Duration::from_nanos(1));
    assert_eq!(breaker.snapshot().counts.overdue, 5, "all of the first bucket");
    assert_eq!(breaker.state(), State::Closed, "no rule is evaluated by a look");

    let rejected = breaker.try_acquire().unwrap_err();
    assert_eq!(rejected.reason(), RejectReason::Open);
    let trip = breaker.snapshot().last_trip.unwrap();
    assert_eq!(trip.reasons, [TripReason::SlowCallRate]);
    assert_eq!((trip.counts.calls, trip.counts.overdue), (0, 5));
    assert_eq!(trip.counts.slow_call_rate(), Some(1.0));
    assert_eq!(
        rejected.to_string(),
        "circuit breaker `search` is open (slow-call rate 100% >= 50% of 5 calls); retry in 1s"
    );
    drop(hanging);
}

#[test]
fn without_it_a_hang_is_not_seen() {
    let (breaker, hands) = breaker(false);
    let _hanging = admit(&breaker, 50);
    hands.advance(60 * SECOND);
    assert!(breaker.try_acquire().is_ok());
    assert_eq!(breaker.snapshot().counts.overdue, 0);
}

#[test]
fn a_call_is_slow_once() {
    let (breaker, hands) = breaker(true);
    let hanging = admit(&breaker, 2);
    succeed(&breaker, 6);
    hands.advance(SLOW_AFTER + BUCKET);
    let before = breaker.snapshot().counts;
    assert_eq!((before.calls, before.slow, before.overdue), (6, 0, 2));
    for permit in hanging {
        permit.success();
    }
    let after = breaker.snapshot().counts;
    assert_eq!((after.calls, after.slow, after.overdue), (8, 2, 0));
    assert_eq!(before.slow_call_rate(), after.slow_call_rate());
    assert_eq!(breaker.snapshot().totals.slow, 2);
}

#[test]
fn overdue_calls_count_towards_the_minimum() {
    let (breaker, hands) = breaker(true);
    let _hanging = admit(&breaker, 4);
    hands.advance(SLOW_AFTER + BUCKET);
    assert!(breaker.try_acquire().is_ok(), "four of the five calls that the rule needs");
    let fifth = breaker.try_acquire().unwrap();
    fifth.success();
    assert_eq!(breaker.state(), State::Open, "the success completes the minimum");
}

#[test]
fn calls_of_an_earlier_visit_are_not_overdue() {
    let (breaker, hands) = breaker(true);
    let hanging = admit(&breaker, 10);
    breaker.reset();
    hands.advance(60 * SECOND);
    assert!(breaker.try_acquire().is_ok());
    assert_eq!(breaker.snapshot().counts.overdue, 0);
    drop(hanging);
    assert_eq!(breaker.snapshot().totals.late, 10);
    assert_eq!(breaker.snapshot().counts.overdue, 0, "and leave nothing behind");
}

#[test]
fn a_call_that_is_dropped_is_not_overdue() {
    let (breaker, hands) = breaker(true);
    let hanging = admit(&breaker, 10);
    hands.advance(SLOW_AFTER + BUCKET);
    drop(hanging);
    assert!(breaker.try_acquire().is_ok());
    assert_eq!(breaker.snapshot().counts.overdue, 0);
}

#[test]
fn metrics_only_reports_a_hang_once() {
    let (breaker, hands) = breaker(true);
    breaker.metrics_only();
    let _hanging = admit(&breaker, 5);
    hands.advance(SLOW_AFTER + BUCKET);
    for _ in 0..3 {
        breaker.try_acquire().unwrap().ignore();
    }
    assert_eq!(breaker.snapshot().totals.would_trip, 1);
}

#[test]
fn another_limit_starts_without_calls() {
    let (breaker, hands) = breaker(true);
    let hanging = admit(&breaker, 10);
    breaker.set_config(config(true, SECOND));
    hands.advance(60 * SECOND);
    assert_eq!(breaker.snapshot().counts.overdue, 0);
    let _new = admit(&breaker, 1);
    drop(hanging);
    hands.advance(2 * SECOND);
    assert_eq!(breaker.snapshot().counts.overdue, 1, "those that leave take no other with them");
    breaker.set_config(config(false, SECOND));
    assert_eq!(breaker.snapshot().counts.overdue, 0);
    assert!(breaker.try_acquire().is_ok());
}

#[test]
fn probes_and_streams_are_not_in_flight() {
    let (breaker, hands) = breaker(true);
    breaker.trip();
    hands.advance(SECOND);
    let end = breaker.try_acquire_owned().unwrap().success_at_first_data();
    hands.advance(60 * SECOND);
    assert_eq!((breaker.state(), breaker.snapshot().counts.overdue), (State::Closed, 0));
    end.record(halfopen::Outcome::Success, Some(SECOND), None);
    assert_eq!(breaker.snapshot().counts.overdue, 0);
}

#[test]
fn explain_shows_calls_that_hang() {
    let (breaker, hands) = breaker(true);
    let _hanging = admit(&breaker, 2);
    succeed(&breaker, 6);
    hands.advance(SLOW_AFTER + BUCKET);
    let text = breaker.explain();
    assert!(text.contains("2 calls in flight have already taken 8s."), "{text}");
    assert!(text.contains("when 50% of the calls take 8s or longer (now 25%)"), "{text}");
    assert!(breaker.snapshot().to_string().ends_with(", 2 overdue"), "{}", breaker.snapshot());

    let _more = admit(&breaker, 8);
    hands.advance(SLOW_AFTER + BUCKET);
    breaker.try_acquire().unwrap_err();
    let text = breaker.explain();
    assert!(text.contains("because 62.5% of 16 calls were slow, 10 of them still in flight"), "{text}");
}

#[test]
fn only_a_slow_call_rate_counts_calls_in_flight() {
    for (rule, path) in [
        (Trip::failure_rate(0.5), "`trip.failure_rate`: in_flight"),
        (Trip::failure_count(5), "`trip.failure_count`: in_flight"),
        (Trip::consecutive_failures(5), "`trip.consecutive_failures`: in_flight"),
    ] {
        let error = CircuitBreakerConfig::builder().trip(rule.in_flight(true)).build().unwrap_err();
        assert!(error.to_string().starts_with(path), "{error}");
        assert!(CircuitBreakerConfig::builder().trip(rule.in_flight(false)).build().is_ok());
    }
}

fn config(in_flight: bool, slow_after: Duration) -> CircuitBreakerConfig {
    CircuitBreakerConfig::builder()
        .trip(Trip::slow_call_rate(0.5, slow_after).in_flight(in_flight))
        .window(halfopen::Window::last_calls(100))
        .open_duration(SECOND)
        .backoff(Backoff::none())
        .build()
        .unwrap()
}

fn breaker(in_flight: bool) -> (CircuitBreaker, ManualClock) {
    let (clock, hands) = Clock::manual();
    (CircuitBreaker::builder("search").config(config(in_flight, SLOW_AFTER)).clock(clock).build(), hands)
}

fn admit(breaker: &CircuitBreaker, calls: usize) -> Vec<OwnedPermit> {
    (0..calls).map(|_| breaker.try_acquire_owned().unwrap()).collect()
}

fn succeed(breaker: &CircuitBreaker, calls: usize) {
    for _ in 0..calls {
        breaker.try_acquire().unwrap().success();
    }
}
