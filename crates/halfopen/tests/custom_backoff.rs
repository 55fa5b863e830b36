//! Waits that are computed by a user's function.
#![cfg(feature = "test-util")]
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use halfopen::{
    Backoff, CircuitBreaker, CircuitBreakerConfig, CircuitBreakerConfigBuilder, Clock, HalfOpen, ManualClock,
    Opening, State, Trip,
};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn an_opening_names_its_step_rate_and_hint() {
    let (seen, backoff) = recording(|opening| (opening.openings + 3) * SECOND);
    let (breaker, hands) = breaker(plain(backoff).trip(Trip::failure_rate(0.5).minimum_calls(4)));
    for _ in 0..2 {
        breaker.try_acquire().unwrap().success();
    }
    breaker.try_acquire().unwrap().failure();
    breaker.try_acquire().unwrap().failure_with_hint(SECOND);
    assert_eq!(breaker.snapshot().open_duration, 3 * SECOND);
    assert_eq!(breaker.snapshot().hint, None, "the function's wait is longer");
    hands.advance_to_probe(&breaker);
    breaker.try_acquire().unwrap().failure();
    assert_eq!(breaker.snapshot().open_duration, 4 * SECOND);

    let seen = seen.lock().unwrap();
    let told: Vec<_> =
        seen.iter().map(|opening| (opening.openings, opening.failure_rate, opening.hint)).collect();
    assert_eq!(
        told,
        [(0, Some(0.5), Some(SECOND)), (1, None, None), (1, Some(1.0), None)],
        "the second is for a probe that may not report"
    );
    assert!(seen.iter().all(|opening| opening.open_duration == 2 * SECOND));
}

#[test]
fn a_longer_hint_lengthens_the_wait_up_to_its_limit() {
    let (seen, backoff) = recording(|_| SECOND);
    let (breaker, _) = breaker(one_failure(backoff).hint_max(9 * SECOND));
    breaker.try_acquire().unwrap().failure_with_hint(60 * SECOND);
    assert_eq!(breaker.snapshot().open_duration, 9 * SECOND);
    assert_eq!(breaker.snapshot().hint, Some(9 * SECOND));
    assert_eq!(seen.lock().unwrap()[0].hint, Some(9 * SECOND));
}

#[test]
fn a_panic_is_counted_and_the_wait_is_open_duration() {
    let (breaker, _) = breaker(one_failure(Backoff::with(|_| panic!("in a backoff"))));
    breaker.try_acquire().unwrap().failure();
    let snapshot = breaker.snapshot();
    assert_eq!((snapshot.state, snapshot.open_duration), (State::Open, 2 * SECOND));
    assert_eq!(snapshot.totals.panics, 1);
}

#[test]
fn a_wait_is_at_most_the_limit_and_never_overflows() {
    for (limit, wait) in [(Some(5 * SECOND), 5 * SECOND), (None, Duration::from_nanos(u64::MAX))] {
        let backoff = Backoff::with(|_| Duration::MAX);
        let backoff = limit.map_or(backoff.clone(), |limit| backoff.max(limit));
        let (breaker, _) = breaker(one_failure(backoff));
        breaker.trip();
        assert_eq!(breaker.snapshot().open_duration, wait);
    }
}

#[test]
fn the_function_runs_under_no_lock_of_the_breaker() {
    let handle: Arc<OnceLock<CircuitBreaker>> = Arc::default();
    let inside = Arc::clone(&handle);
    let backoff = Backoff::with(move |_| {
        let breaker = inside.get().unwrap();
        // Each of them takes the transition lock, and would deadlock.
        let _ = (breaker.snapshot(), breaker.explain(), breaker.changes_in());
        7 * SECOND
    });
    let (breaker, hands) = breaker(one_failure(backoff));
    handle.set(breaker.clone()).unwrap();
    breaker.try_acquire().unwrap().failure();
    assert_eq!(breaker.snapshot().open_duration, 7 * SECOND, "by a rule");
    hands.advance_to_probe(&breaker);
    breaker.try_acquire().unwrap().failure();
    assert_eq!(breaker.snapshot().open_duration, 7 * SECOND, "by a probe");
    hands.advance_to_probe(&breaker);
    breaker.trip();
    assert_eq!(breaker.snapshot().open_duration, 7 * SECOND, "by hand, once the wait was over");
    assert!(breaker.is_open());
}

#[test]
fn a_visit_that_ends_meanwhile_takes_no_wait_of_it() {
    let handle: Arc<OnceLock<CircuitBreaker>> = Arc::default();
    let inside = Arc::clone(&handle);
    let backoff = Backoff::with(move |_| {
        inside.get().unwrap().force_open();
        7 * SECOND
    });
    let (breaker, _) = breaker(one_failure(backoff));
    handle.set(breaker.clone()).unwrap();
    breaker.try_acquire().unwrap().failure();
    assert_eq!(breaker.state(), State::ForcedOpen);
    assert_eq!(breaker.snapshot().totals.trips, 0);
}

#[test]
fn a_probe_that_does_not_report_waits_as_it_decides() {
    let half_open = HalfOpen::new().probe_timeout(10 * SECOND);
    let backoff = Backoff::with(|opening| (opening.openings + 3) * SECOND);
    let (breaker, hands) = breaker(one_failure(backoff).half_open(half_open));
    breaker.trip();
    hands.advance_to_probe(&breaker);
    let probe = breaker.try_acquire().unwrap();
    hands.advance(11 * SECOND);
    let seen = breaker.snapshot();
    assert_eq!(
        (seen.state, seen.open_duration, seen.retry_after),
        (State::Open, 4 * SECOND, Some(3 * SECOND))
    );
    // The reader above changed nothing; the late probe makes the change.
    probe.success();
    let noted = breaker.snapshot();
    assert_eq!(
        (noted.open_duration, noted.retry_after),
        (4 * SECOND, Some(3 * SECOND)),
        "as every reader saw"
    );
}

#[test]
fn the_wait_to_come_is_not_promised() {
    let (breaker, hands) = breaker(one_failure(Backoff::with(|_| 7 * SECOND)));
    assert!(
        breaker
            .explain()
            .ends_with("It would then reject every call for the time that its backoff function returns.")
    );
    breaker.trip();
    hands.advance_to_probe(&breaker);
    assert!(breaker.explain().ends_with("It closes after 1 success and opens again after 1 failure."));
}

#[cfg(feature = "serde")]
#[test]
fn no_document_holds_a_function() {
    let config = one_failure(Backoff::with(|_| SECOND)).build().unwrap();
    let error = serde_json::to_string(&config).unwrap_err().to_string();
    assert_eq!(error, "`open.backoff` is a function (`Backoff::with`), which cannot be serialized");
}

fn plain(backoff: Backoff) -> CircuitBreakerConfigBuilder {
    CircuitBreakerConfig::builder().open_duration(2 * SECOND).backoff(backoff)
}

fn one_failure(backoff: Backoff) -> CircuitBreakerConfigBuilder {
    plain(backoff).trip(Trip::consecutive_failures(1))
}

fn breaker(config: CircuitBreakerConfigBuilder) -> (CircuitBreaker, ManualClock) {
    let (clock, hands) = Clock::manual();
    (CircuitBreaker::builder("payments").config(config.build().unwrap()).clock(clock).build(), hands)
}

/// A backoff that records its arguments.
fn recording(
    wait: impl Fn(&Opening) -> Duration + Send + Sync + 'static,
) -> (Arc<Mutex<Vec<Opening>>>, Backoff) {
    let seen: Arc<Mutex<Vec<Opening>>> = Arc::default();
    let keep = Arc::clone(&seen);
    let backoff = Backoff::with(move |opening| {
        keep.lock().unwrap().push(opening.clone());
        wait(opening)
    });
    (seen, backoff)
}
