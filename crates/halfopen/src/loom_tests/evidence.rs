//! Calls of an adaptive breaker that end while another thread holds the evidence.

use loom::sync::Arc;

use crate::breaker::CircuitBreaker;
use crate::clock::Clock;
use crate::config::CircuitBreakerConfig;
use crate::word::State;

fn adaptive() -> CircuitBreaker {
    let (clock, _) = Clock::manual();
    CircuitBreaker::builder("race").config(CircuitBreakerConfig::adaptive()).clock(clock).seed(1).build()
}

fn down(breaker: &CircuitBreaker) -> f64 {
    breaker.snapshot().adaptive.expect("the breaker is adaptive").down
}

/// Two failures at the same time are both evidence when both have returned, whichever thread held the lock.
///
/// Fails if `after_transition` does not look for outcomes that were left, or if `weigh_slow` leaves none.
#[test]
fn no_failure_is_left_behind() {
    let expected = std::sync::Arc::new(std::sync::OnceLock::new());
    let alone = std::sync::Arc::clone(&expected);
    loom::model(move || {
        let breaker = adaptive();
        let permits = [breaker.try_acquire_owned().unwrap(), breaker.try_acquire_owned().unwrap()];
        permits.into_iter().for_each(|permit| permit.failure());
        let _ = alone.set(down(&breaker));
    });
    let expected = *expected.get().expect("the model has run");
    loom::model(move || {
        let breaker = Arc::new(adaptive());
        let [one, other] = [breaker.try_acquire_owned().unwrap(), breaker.try_acquire_owned().unwrap()];
        let failing = loom::thread::spawn(move || other.failure());
        one.failure();
        failing.join().unwrap();
        assert_eq!(breaker.state(), State::Closed);
        let down = down(&breaker);
        // The order of two outcomes, and the numbers learned from them, may differ slightly; one failure more
        // or less changes the evidence by a factor.
        let ratio = down / expected;
        assert!((0.5..2.0).contains(&ratio), "{down} where two failures make {expected}");
    });
}
