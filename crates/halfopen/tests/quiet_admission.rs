//! Queries of adapters that reject no call.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use halfopen::{CircuitBreaker, Clock, State, adapter};

const WAIT: Duration = Duration::from_secs(5);

#[test]
fn a_permit_that_is_not_to_be_had_is_no_rejection() {
    let (clock, hands) = Clock::manual();
    let breaker = CircuitBreaker::builder("quiet").clock(clock).build();
    adapter::acquire_if_permitted(&breaker).unwrap().success();

    breaker.open_for(WAIT);
    assert!(adapter::acquire_if_permitted(&breaker).is_none());
    hands.advance(WAIT);
    let probe = adapter::acquire_if_permitted(&breaker).unwrap();
    assert!(adapter::acquire_if_permitted(&breaker).is_none(), "the only probe is in flight");
    probe.success();

    assert_eq!(breaker.state(), State::Closed);
    breaker.force_open();
    assert!(adapter::acquire_if_permitted(&breaker).is_none());
    assert_eq!(breaker.snapshot().totals.rejected, 0);
}

#[test]
fn refusal_until_is_stable_as_time_passes() {
    let (clock, hands) = Clock::manual();
    let breaker = CircuitBreaker::builder("quiet").clock(clock).build();
    hands.advance(WAIT);
    assert!(adapter::refusal_until(&breaker).is_none());

    breaker.open_for(WAIT);
    for _ in 0..3 {
        assert_eq!(adapter::refusal_until(&breaker).unwrap().1, Some(2 * WAIT));
        hands.advance(Duration::from_secs(1));
    }
    breaker.force_open();
    assert_eq!(adapter::refusal_until(&breaker).unwrap().1, None);
}

#[test]
fn a_breaker_follows_the_clock_it_is_given() {
    let seconds = Arc::new(AtomicU64::new(100));
    let shown = Arc::clone(&seconds);
    let clock = Clock::from_fn(move || Duration::from_secs(shown.load(Ordering::Relaxed)));
    let breaker = CircuitBreaker::builder("simulated").clock(clock).build();
    breaker.open_for(WAIT);
    seconds.store(104, Ordering::Relaxed);
    assert_eq!((breaker.state(), breaker.check().unwrap_err().retry_after()), (State::Open, Some(WAIT / 5)));

    seconds.store(90, Ordering::Relaxed);
    assert_eq!(breaker.state(), State::Open, "a step back is no time");
    seconds.store(105, Ordering::Relaxed);
    assert_eq!(breaker.state(), State::HalfOpen);
}
