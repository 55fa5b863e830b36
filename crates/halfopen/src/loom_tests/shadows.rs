//! Shadows, while calls are admitted and end.

use super::breaker;
use super::race::race;
use crate::breaker::{CircuitBreaker, Shadow};
use crate::config::{CircuitBreakerConfig, Trip};

/// Adds a shadow that opens with the first failure.
fn strict(breaker: &CircuitBreaker, name: &str) -> Shadow {
    let config = CircuitBreakerConfig::builder().trip(Trip::consecutive_failures(1)).build().unwrap();
    breaker.shadow(name, config).unwrap()
}

/// Two calls that a shadow sees: each is counted once by the breaker and once by the shadow, and leaves its place.
///
/// Fails if `Calls::reserve` returns a place without taking it from the free ones, or if `Calls::leave` does not free it.
#[test]
fn a_shadow_counts_each_call_once() {
    race(|start| {
        let (breaker, _hands) = breaker(3);
        let shadow = strict(&breaker, "strict");
        let call = || {
            let breaker = breaker.clone();
            move || breaker.try_acquire().unwrap().failure()
        };
        start.two(call(), call());
        let found = shadow.snapshot();
        assert_eq!(found.admitted.failures + found.rejected.failures, 2, "{found}");
        assert!(found.admitted.failures >= 1, "{found}");
        assert_eq!(breaker.snapshot().totals.failures, 2);
        assert_eq!(breaker.inner().shadowed_calls(), 0, "both have left");
    });
}

/// A call, while a shadow comes and goes: the breaker counts it once, whether the shadow saw it or not.
///
/// Fails if the end of a call does not pass the table, or if the drop of a shadow publishes before it changes the list.
#[test]
fn a_shadow_that_comes_and_goes_loses_no_call() {
    race(|start| {
        let (breaker, _hands) = breaker(3);
        let (one, other) = (breaker.clone(), breaker.clone());
        let call = move || one.try_acquire().unwrap().failure();
        let shadow = move || {
            let shadow = strict(&other, "strict");
            let seen = shadow.snapshot();
            drop(shadow);
            seen.admitted.calls()
        };
        let ((), seen) = start.two(call, shadow);
        assert!(seen <= 1);
        let totals = breaker.snapshot().totals;
        assert_eq!((totals.failures, totals.calls()), (1, 1));
        assert_eq!(breaker.inner().shadowed_calls(), 0, "it has left");
        assert!(!breaker.inner().word().load().is_shadowed());
    });
}

/// One shadow ends while another begins: calls pass the shadows if there is one.
///
/// Fails if `shadow` or the drop of one publishes before it changes the list, or if `publish` is called with a flag that
/// was read without the lock of the breaker.
#[test]
fn the_flag_is_that_of_the_list() {
    race(|start| {
        let (breaker, _hands) = breaker(3);
        let first = strict(&breaker, "first");
        let other = breaker.clone();
        let ((), second) = start.two(move || drop(first), move || strict(&other, "second"));
        assert!(breaker.inner().word().load().is_shadowed(), "the second is there");
        breaker.try_acquire().unwrap().failure();
        assert_eq!(second.snapshot().admitted.failures, 1);
        drop(second);
        assert!(!breaker.inner().word().load().is_shadowed());
    });
}
