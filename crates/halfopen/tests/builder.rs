//! Builders: custom rules, listeners, and the initial state.
#![cfg(feature = "test-util")]

use std::panic::resume_unwind;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use halfopen::adapter::Signal;
use halfopen::{
    CircuitBreaker, CircuitBreakerConfig, Clock, Counts, Event, Interest, Listener, State, TripReason,
};

const ALL: [State; 6] =
    [State::Closed, State::Open, State::HalfOpen, State::ForcedOpen, State::Disabled, State::MetricsOnly];

#[test]
fn each_custom_rule_opens_even_if_another_panics() {
    type Rule = fn(&Counts) -> bool;
    let (never, second, panics): (Rule, Rule, Rule) =
        (|_| false, |counts| counts.calls == 2, |_| resume_unwind(Box::new("a rule's own trouble")));
    for [one, other] in [[never, second], [second, never], [panics, second], [second, panics]] {
        let config = CircuitBreakerConfig::builder().no_trip_rules().build().unwrap();
        let breaker =
            CircuitBreaker::builder("owned").config(config).ready_to_trip(one).ready_to_trip(other).build();
        breaker.try_acquire().unwrap().success();
        assert!(breaker.is_closed());
        breaker.try_acquire().unwrap().success();
        let trip = breaker.snapshot().last_trip.expect("one of the two holds");
        assert_eq!(trip.reasons, [TripReason::Custom]);
    }
}

#[test]
fn the_initial_state_is_not_reported() {
    for state in ALL {
        let heard: Arc<Mutex<Vec<(State, State)>>> = Arc::default();
        let notes = Arc::clone(&heard);
        let breaker = CircuitBreaker::builder("begun")
            .on_state_change(move |change| notes.lock().unwrap().push((change.from, change.to)))
            .start_in(state)
            .build();
        assert!(heard.lock().unwrap().is_empty());
        breaker.reset();
        let from = if state == State::HalfOpen { State::Open } else { state };
        assert_eq!(*heard.lock().unwrap(), [(from, State::Closed)]);
    }
}

#[test]
fn a_breaker_that_starts_open_closes_by_a_probe() {
    for (state, wait) in [(State::Open, Duration::from_secs(10)), (State::HalfOpen, Duration::ZERO)] {
        let (clock, hands) = Clock::manual();
        let breaker = CircuitBreaker::builder("begun").clock(clock).start_in(state).build();
        assert_eq!(breaker.check().is_err(), state == State::Open);
        hands.advance(wait);
        breaker.try_acquire().unwrap().success();
        assert_eq!(breaker.state(), State::Closed);
    }
}

#[test]
fn a_shared_listener_keeps_its_interest() {
    struct Ear(Mutex<Vec<&'static str>>);
    impl Listener for Ear {
        fn on_event(&self, _: &CircuitBreaker, event: &Event) {
            self.0.lock().unwrap().push(match event {
                Event::Rejected(_) => "rejected",
                Event::Recorded { .. } => "recorded",
                _ => "changed",
            });
        }

        fn on_signal(&self, _: &CircuitBreaker, signal: &Signal) {
            self.0.lock().unwrap().push(match signal {
                Signal::WindowRolled { .. } => "rolled",
                _ => "another",
            });
        }

        fn interest(&self) -> Interest {
            Interest::CHANGES | Interest::CALLS | Interest::WINDOW_ROLLS
        }
    }
    let (clock, hands) = Clock::manual();
    let ear = Arc::new(Ear(Mutex::default()));
    let breaker = CircuitBreaker::builder("heard").clock(clock).listener(Arc::clone(&ear)).build();
    hands.advance(Duration::from_secs(1));
    breaker.try_acquire().unwrap().success();
    breaker.force_open();
    breaker.try_acquire().unwrap_err();
    assert_eq!(*ear.0.lock().unwrap(), ["recorded", "rolled", "changed"]);
}

#[test]
fn a_slow_trickle_of_failures_opens_by_default() {
    let (clock, hands) = Clock::manual();
    let breaker = CircuitBreaker::builder("quiet").clock(clock).build();
    for call in 1..=15 {
        assert!(breaker.is_closed(), "before call {call}, one in three seconds");
        breaker.try_acquire().unwrap().failure();
        hands.advance(Duration::from_secs(3));
    }
    let trip = breaker.snapshot().last_trip.expect("fifteen failures in a row");
    assert_eq!(trip.reasons, [TripReason::ConsecutiveFailures]);
}

#[test]
fn the_end_of_a_wait_is_reported_with_its_reason() {
    let changes: Arc<Mutex<Vec<(State, State, String)>>> = Arc::default();
    let notes = Arc::clone(&changes);
    let breaker = CircuitBreaker::builder("checked")
        .on_state_change(move |change| {
            notes.lock().unwrap().push((change.from, change.to, change.why().into_owned()));
        })
        .build();
    breaker.open_for(Duration::from_secs(60));
    breaker.end_wait();
    breaker.end_wait();
    breaker.try_acquire().unwrap().failure();

    let told = |from, to, why: &str| (from, to, String::from(why));
    let changes = changes.lock().unwrap();
    assert_eq!(
        *changes,
        [
            told(State::Closed, State::Open, "manual"),
            told(State::Open, State::HalfOpen, "manual"),
            told(State::HalfOpen, State::Open, "probe_failed"),
        ],
        "the second call finds nothing to end"
    );
}

#[test]
fn only_an_open_breaker_has_a_wait_to_end() {
    for state in ALL {
        let breaker = CircuitBreaker::builder("any").start_in(state).build();
        breaker.end_wait();
        let expected = if state == State::Open { State::HalfOpen } else { state };
        assert_eq!(breaker.state(), expected, "from {state:?}");
    }
}

#[test]
fn the_clock_is_moved_to_the_probe_whatever_the_wait() {
    let hint = Duration::from_secs(33);
    for seed in 0..50 {
        let (clock, hands) = Clock::manual();
        let breaker = CircuitBreaker::builder("tested").clock(clock).seed(seed).build();
        for _ in 0..5 {
            breaker.try_acquire().unwrap().failure_with_hint(hint);
        }
        assert_eq!(hands.advance_to_probe(&breaker), hint);
        assert!(breaker.is_half_open());

        breaker.try_acquire().unwrap().failure();
        let wait = hands.advance_to_probe(&breaker);
        assert!((1600..=2400).contains(&wait.as_millis()), "two seconds with jitter, not {wait:?}");
        assert!(breaker.is_half_open());
        assert_eq!(hands.advance_to_probe(&breaker), Duration::ZERO, "it is there");
    }
}
