//! The description of the failure that opened a breaker.
#![cfg(feature = "test-util")]
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use halfopen::{
    Backoff, CircuitBreaker, CircuitBreakerConfig, Classify, Clock, ManualClock, Outcome, Rejected, Trip,
};

const SECOND: Duration = Duration::from_secs(1);

/// Describes its failures, and counts the descriptions.
#[derive(Default)]
struct Describes(AtomicU32);

impl Classify<(), String> for Describes {
    fn classify(&self, result: &Result<(), String>) -> Outcome {
        if result.is_ok() { Outcome::Success } else { Outcome::Failure }
    }

    fn describe(&self, result: &Result<(), String>) -> Option<String> {
        self.0.fetch_add(1, Ordering::Relaxed);
        result.clone().err()
    }
}

#[test]
fn a_rejection_shows_the_failure_that_opened() {
    let (breaker, _) = breaker();
    let classifier = Describes::default();
    fail(&breaker, &classifier, "first");
    fail(&breaker, &classifier, "second\u{1b}[2J");
    assert_eq!(rejected(&breaker).last_error(), Some("second\u{fffd}[2J"));
    assert_eq!(breaker.check().unwrap_err().last_error(), Some("second\u{fffd}[2J"));
    assert!(format!("{:?}", rejected(&breaker)).contains("last_error: \"second\u{fffd}[2J\""));
    assert_eq!(classifier.0.load(Ordering::Relaxed), 1, "only the failure that opens is described");
}

#[test]
fn a_healthy_call_describes_nothing() {
    let (breaker, _) = breaker();
    let classifier = Arc::new(Describes::default());
    breaker.call_blocking_with(|| Ok(()), &classifier).unwrap();
    assert_eq!(classifier.0.load(Ordering::Relaxed), 0);
}

#[test]
fn a_failed_probe_replaces_the_text() {
    let (breaker, hands) = breaker();
    let classifier = Arc::new(Describes::default());
    for text in ["first", "second"] {
        fail(&breaker, &classifier, text);
    }
    hands.advance_to_probe(&breaker);
    fail(&breaker, &classifier, "probe");
    assert_eq!(rejected(&breaker).last_error(), Some("probe"), "through a shared classifier too");
}

#[test]
fn an_opening_for_another_reason_shows_no_text() {
    let (breaker, hands) = breaker();
    let classifier = Describes::default();
    for text in ["first", "second"] {
        fail(&breaker, &classifier, text);
    }
    hands.advance_to_probe(&breaker);
    breaker.trip();
    assert_eq!(rejected(&breaker).last_error(), None, "by hand");
    breaker.force_open();
    assert_eq!(rejected(&breaker).last_error(), None, "forced open");

    breaker.reset();
    let late = breaker.try_acquire().unwrap();
    breaker.trip();
    late.settle(&Err(String::from("late")), &classifier);
    assert_eq!(rejected(&breaker).last_error(), None, "a failure that came after the operator");
}

#[test]
fn a_classifier_that_describes_nothing_keeps_none() {
    let (breaker, _) = breaker();
    for _ in 0..2 {
        breaker.call_blocking(|| Err::<(), _>("down")).unwrap_err();
    }
    assert_eq!(rejected(&breaker).last_error(), None);
}

#[test]
fn an_owned_permit_keeps_the_text_too() {
    let (breaker, _) = breaker();
    for text in ["first", "second"] {
        let permit = breaker.try_acquire_owned().unwrap();
        permit.settle(&Err(text.to_owned()), &Describes::default());
    }
    assert_eq!(rejected(&breaker).last_error(), Some("second"));
}

#[test]
fn a_panic_in_a_description_is_caught_and_counted() {
    struct Falls;

    impl Classify<(), String> for Falls {
        fn classify(&self, _: &Result<(), String>) -> Outcome {
            Outcome::Failure
        }

        fn describe(&self, _: &Result<(), String>) -> Option<String> {
            panic!("in a description")
        }
    }

    let (breaker, _) = breaker();
    fail(&breaker, &Falls, "first");
    fail(&breaker, &Falls, "second");
    assert_eq!(rejected(&breaker).last_error(), None);
    assert_eq!(breaker.snapshot().totals.panics, 1);
}

/// Opens after two failures.
fn breaker() -> (CircuitBreaker, ManualClock) {
    let (clock, hands) = Clock::manual();
    let config = CircuitBreakerConfig::builder()
        .trip(Trip::consecutive_failures(2))
        .open_duration(2 * SECOND)
        .backoff(Backoff::none())
        .build()
        .unwrap();
    (CircuitBreaker::builder("payments").config(config).clock(clock).build(), hands)
}

fn fail(breaker: &CircuitBreaker, classifier: &impl Classify<(), String>, text: &str) {
    breaker.call_blocking_with(|| Err(text.to_owned()), classifier).unwrap_err();
}

fn rejected(breaker: &CircuitBreaker) -> Rejected {
    breaker.try_acquire().unwrap_err()
}
