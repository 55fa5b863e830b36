//! `set_config`, and other publications of the state word, while calls run.

use super::race::race;
use super::{WAIT, breaker, probing};
use crate::breaker::CircuitBreaker;
use crate::config::{CircuitBreakerConfig, HalfOpen, Trip, Window};
use crate::observe::{Event, Interest, Listener};
use crate::word::State;

/// A configuration is swapped under a running call: the call is counted once, and the new values apply.
///
/// Fails if `set_form` empties the sums.
#[test]
fn a_configuration_is_swapped_under_a_call() {
    race(|start| {
        let (breaker, _hands) = breaker(1);
        let permit = breaker.try_acquire_owned().unwrap();
        let other = breaker.clone();
        let never =
            CircuitBreakerConfig::builder().no_trip_rules().window(Window::last_calls(4)).build().unwrap();
        start.two(move || other.set_config(never), || permit.failure());
        let totals = breaker.snapshot().totals;
        assert_eq!(totals.failures + totals.late, 1);
        assert!(totals.trips <= 1);
    });
}

/// A swap that keeps the shape of the window keeps its samples, including one that is recorded meanwhile.
///
/// Fails if `reconfigure` always makes a new window.
#[test]
fn a_sample_survives_new_rules() {
    for window in [Window::unbounded(), Window::last_calls(4)] {
        race(move |start| {
            let (breaker, _hands) = probing(Trip::consecutive_failures(2), window, HalfOpen::new());
            let permit = breaker.try_acquire_owned().unwrap();
            let other = breaker.clone();
            let rules = CircuitBreakerConfig::builder().trip(Trip::failure_count(3)).window(window);
            let rules = rules.build().unwrap();
            start.two(move || other.set_config(rules), || permit.success());
            let snapshot = breaker.snapshot();
            assert_eq!((snapshot.counts.calls, snapshot.totals.successes), (1, 1));
        });
    }
}

/// Rules change while calls run: the next outcome evaluates them over all samples in the window.
///
/// Fails if `reconfigure` does not arm the window.
#[test]
fn new_rules_are_asked_of_what_lies_in_the_window() {
    for window in [Window::unbounded(), Window::last(2 * WAIT).buckets(2), Window::last_calls(4)] {
        race(move |start| {
            let (breaker, _hands) = probing(Trip::failure_count(9), window, HalfOpen::new());
            let permit = || breaker.try_acquire_owned().unwrap();
            let (failed, first, second) = (permit(), permit(), permit());
            let quarter = Trip::failure_rate(0.25).minimum_calls(2);
            let rules = breaker.config().to_builder().no_trip_rules().trip(quarter).build().unwrap();
            let other = breaker.clone();
            let calls = || {
                failed.failure();
                first.success();
            };
            start.two(move || other.set_config(rules), calls);
            second.success();
            assert_eq!(breaker.snapshot().totals.trips, 1);
        });
    }
}

/// The values of a half-open visit are swapped while its probe ends: the visit ends by the values that it
/// started with.
///
/// Fails if `set_config` changes the values of a visit in progress.
#[test]
fn a_visit_is_judged_by_the_numbers_it_began_with() {
    race(|start| {
        let (breaker, hands) = breaker(1);
        breaker.trip();
        hands.advance(WAIT);
        let probe = breaker.try_acquire_owned().unwrap();
        let three = HalfOpen::new().max_calls(3).success_threshold(3);
        let config = breaker.config().to_builder().half_open(three).build().unwrap();
        let other = breaker.clone();
        start.two(move || other.set_config(config), || probe.success());
        let snapshot = breaker.snapshot();
        assert_eq!((snapshot.state, snapshot.totals.successes), (State::Closed, 1));
    });
}

/// A listener for every call, with which calls are timed from then on.
struct Watcher;

impl Listener for Watcher {
    fn on_event(&self, _: &CircuitBreaker, _: &Event) {}

    fn interest(&self) -> Interest {
        Interest::CALLS
    }
}

/// A listener for every call is added while an operator forces a state: neither overwrites the publication of
/// the other.
///
/// Fails if `republish` changes the flags of a word that it loaded without the lock.
#[test]
fn flags_and_state_are_published_together() {
    race(|start| {
        let (breaker, _hands) = breaker(1);
        let (one, other) = (breaker.clone(), breaker.clone());
        start.two(move || one.subscribe(Watcher).forget(), move || other.disable());
        assert_eq!(breaker.state(), State::Disabled);
        assert!(breaker.try_acquire_owned().unwrap().elapsed().is_some(), "timed from now on");
    });
}
