//! Clocks that step back, and clocks at their maximum.
#![cfg(feature = "test-util")]
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use halfopen::{
    Backoff, CircuitBreaker, CircuitBreakerConfig, Clock, Event, HalfOpen, ManualClock, State, Trip,
    TripReason,
};

const SECOND: Duration = Duration::from_secs(1);

/// Opens for five seconds after one failure; a probe has one second.
fn breaker() -> (CircuitBreaker, ManualClock) {
    let config = CircuitBreakerConfig::builder()
        .trip(Trip::consecutive_failures(1))
        .open_duration(5 * SECOND)
        .backoff(Backoff::none())
        .half_open(HalfOpen::new().max_calls(2).success_threshold(2).probe_timeout(SECOND))
        .build()
        .unwrap();
    let (clock, hands) = Clock::manual();
    hands.set(100 * SECOND);
    (CircuitBreaker::builder("late").config(config).clock(clock).build(), hands)
}

/// A thread that reads the clock and then waits for the lock arrives with a time in the past. For the breaker
/// this is the same as a clock that steps back.
#[test]
fn nothing_is_dated_before_what_led_to_it() {
    let (breaker, hands) = breaker();
    let dates: Arc<Mutex<Vec<(State, SystemTime)>>> = Arc::default();
    let notes = Arc::clone(&dates);
    let _sub = breaker.on_event(move |_, event| {
        if let Event::StateChanged(change) = event {
            notes.lock().unwrap().push((change.to, change.at));
        }
    });
    let steps: [fn(&CircuitBreaker); 9] = [
        |breaker| breaker.try_acquire().unwrap().failure(),
        |breaker| breaker.open_for(Duration::ZERO),
        |breaker| breaker.try_acquire().unwrap().failure(),
        CircuitBreaker::force_open,
        CircuitBreaker::disable,
        CircuitBreaker::metrics_only,
        |breaker| assert!(breaker.set_enabled(true) || breaker.state() == State::MetricsOnly),
        CircuitBreaker::reset,
        CircuitBreaker::trip,
    ];
    for (n, step) in steps.into_iter().enumerate() {
        step(&breaker);
        // Further back each time.
        hands.set((90 - n as u32) * SECOND);
    }
    let dates = dates.lock().unwrap();
    assert!(dates.len() >= 9, "{dates:?}");
    assert!(dates.is_sorted_by_key(|&(_, at)| at), "{dates:?}");
}

#[test]
fn a_probe_of_a_moment_gone_by_is_not_overdue() {
    let (breaker, hands) = breaker();
    breaker.open_for(Duration::ZERO);
    let first = breaker.try_acquire().unwrap();
    hands.set(98 * SECOND); // read two seconds before the visit began, twice the time of a probe
    let second = breaker.try_acquire().unwrap();
    hands.set(100 * SECOND);
    assert_eq!(breaker.state(), State::HalfOpen, "both have their whole second");
    first.success();
    second.success();
    assert_eq!(breaker.state(), State::Closed);
    assert!(!breaker.snapshot().last_trip.unwrap().reasons.contains(&TripReason::ProbeTimedOut));
}

#[test]
fn no_wait_left_is_longer_than_the_whole_wait() {
    let (breaker, hands) = breaker();
    breaker.trip();
    hands.set(SECOND);
    let whole = Some(5 * SECOND);
    assert_eq!(breaker.try_acquire().unwrap_err().retry_after(), whole);
    assert_eq!(breaker.check().unwrap_err().retry_after(), whole);
    assert_eq!(breaker.snapshot().retry_after, whole);
    assert_eq!(breaker.changes_in(), whole);
    assert_eq!(
        halfopen::adapter::refusal_until(&breaker).unwrap().1,
        Some(105 * SECOND),
        "the moment itself stays"
    );
}

#[test]
fn a_probe_at_the_end_of_time_releases_its_slot() {
    let (breaker, hands) = breaker();
    breaker.open_for(Duration::ZERO);
    hands.set(Duration::MAX);
    let probe = breaker.try_acquire().unwrap();
    hands.set(SECOND);
    probe.ignore();
    let both = [breaker.try_acquire(), breaker.try_acquire()];
    assert!(both.iter().all(Result::is_ok), "both slots are free: {both:?}");
}

#[test]
fn a_wait_past_the_end_of_time_ends_with_it() {
    let (breaker, hands) = breaker();
    hands.set(Duration::from_nanos(u64::MAX - 2));
    breaker.open_for(Duration::MAX);
    assert!(breaker.is_open());

    // The clock saturates one nanosecond before `u64::MAX`, where the wait ends.
    hands.advance(breaker.changes_in().unwrap());
    assert!(breaker.is_half_open(), "{:?}", breaker.snapshot());
    assert!(breaker.try_acquire().is_ok());
}
