//! Calls of an adaptive breaker that begin or end while another thread holds the evidence.

use std::time::Duration;

use loom::sync::Arc;
use loom::sync::atomic::{AtomicBool, Ordering};

use super::race::race;
use crate::breaker::CircuitBreaker;
use crate::clock::{Clock, ManualClock};
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

/// An adaptive breaker that knows a latency, and whose clock has readings that lag.
fn lagging() -> (CircuitBreaker, ManualClock) {
    let (clock, hands) = Clock::manual();
    let config = CircuitBreakerConfig::adaptive();
    let breaker = CircuitBreaker::builder("race").config(config).clock(clock).seed(1).build();
    for _ in 0..20 {
        breaker.try_acquire().unwrap().success();
    }
    hands.lag(Duration::from_millis(1));
    hands.advance(Duration::from_millis(30));
    (breaker, hands)
}

/// A success that passes without the lock while another thread resets the breaker is counted once, and not in the
/// new visit.
///
/// Fails if `add_unlocked_success` compares no epochs.
#[test]
fn a_success_that_meets_a_reset_is_counted_once() {
    race(|start| {
        let (breaker, hands) = lagging();
        let permit = breaker.try_acquire_owned().unwrap();
        hands.advance(Duration::from_millis(1));
        let breaker = Arc::new(breaker);
        let resetting = Arc::clone(&breaker);
        start.two(
            move || permit.success(),
            move || {
                resetting.reset();
                // Given up: a call of the new visit, with which its buckets begin.
                drop(resetting.try_acquire_owned());
            },
        );
        let snapshot = breaker.snapshot();
        let totals = snapshot.totals;
        assert_eq!((totals.successes + totals.late, totals.trips), (21, 0));
        assert_eq!(snapshot.counts.calls, 0, "the new visit has had no call");
        let stays = breaker.try_acquire_owned().unwrap();
        assert_eq!(breaker.inner().traffic().unwrap().in_flight(), 1, "the call of the new visit");
        drop(stays);
    });
}

/// A success that begins after the end of a failure finds the doubt, and is evidence.
///
/// Fails if `step` does not publish the word when the doubt begins, or if `is_healthy` does not ask for it.
#[test]
fn a_success_after_a_failure_is_weighed() {
    race(|start| {
        let (breaker, _hands) = lagging();
        let [bad, good] = [breaker.try_acquire_owned().unwrap(), breaker.try_acquire_owned().unwrap()];
        let breaker = Arc::new(breaker);
        let failed = Arc::new(AtomicBool::new(false));
        let (told, seen) = (Arc::clone(&failed), Arc::clone(&failed));
        let asked = Arc::clone(&breaker);
        let (_, before) = start.two(
            move || {
                bad.failure();
                told.store(true, Ordering::Release);
            },
            move || {
                let before = seen.load(Ordering::Acquire).then(|| down(&asked));
                good.success();
                before
            },
        );
        if let Some(before) = before {
            let after = down(&breaker);
            assert!(after < before, "{after} after a good call, {before} before");
        }
    });
}
