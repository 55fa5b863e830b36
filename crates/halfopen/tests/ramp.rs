//! The ramp of a half-open breaker (S31): a growing share of the calls, before it closes.
#![cfg(feature = "test-util")]
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Waker};
use std::time::Duration;

use halfopen::{
    Backoff, CircuitBreaker, CircuitBreakerConfig, Clock, Event, HalfOpen, ManualClock, RampReason,
    RejectReason, State, Trip, TripReason,
};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_passed_probe_begins_a_ramp_and_not_closed() {
    let (breaker, _) = in_ramp(HalfOpen::new());
    let snapshot = breaker.snapshot();
    assert_eq!((snapshot.state, snapshot.share), (State::HalfOpen, 0.1));
    assert_eq!(snapshot.probes.unwrap().ramp_left, Some(9 * SECOND));
    assert!(breaker.is_permitting(), "the first call of a ramp passes");
    assert_eq!(admitted(&breaker, 100), 10);
}

#[test]
fn the_share_grows_until_every_call_passes() {
    let (breaker, hands) = in_ramp(HalfOpen::new());
    let mut shares = Vec::new();
    for _ in 0..4 {
        shares.push((breaker.snapshot().share, admitted(&breaker, 1_000)));
        hands.advance(3 * SECOND);
    }
    assert_eq!(shares, [(0.1, 100), (0.4, 400), (0.7, 700), (1.0, 1_000)]);
}

#[test]
fn the_first_success_at_the_full_share_closes() {
    let (breaker, hands) = in_ramp(HalfOpen::new());
    breaker.try_acquire().unwrap().success();
    assert_eq!(breaker.state(), State::HalfOpen, "a success below the full share goes on");
    let long = breaker.try_acquire_owned();
    hands.advance(9 * SECOND);
    assert_eq!(breaker.state(), State::HalfOpen, "time alone does not close");
    assert!(long.is_err());
    breaker.try_acquire().unwrap().success();
    assert_eq!((breaker.state(), breaker.snapshot().reopenings), (State::Closed, 0));
}

#[test]
fn a_failure_in_a_ramp_is_a_failed_probe() {
    let (breaker, _) = in_ramp(HalfOpen::new());
    breaker.try_acquire().unwrap().failure();
    let snapshot = breaker.snapshot();
    let trip = snapshot.last_trip.unwrap();
    assert_eq!((snapshot.state, trip.reasons), (State::Open, vec![TripReason::ProbeFailed]));
    assert_eq!((trip.counts.successes, trip.counts.failures), (1, 1), "of the whole visit");
    assert_eq!(snapshot.open_duration, 2 * SECOND, "the next step of the backoff");
}

#[test]
fn a_ramp_bears_what_its_verdict_bears() {
    let (breaker, hands) = in_ramp(HalfOpen::new().success_threshold(4).max_failures(1));
    hands.advance(9 * SECOND / 2);
    for _ in 0..50 {
        end_next(&breaker, false);
        for _ in 0..4 {
            end_next(&breaker, true);
        }
    }
    assert_eq!(breaker.state(), State::HalfOpen, "one failure in five, verdict after verdict");
    end_next(&breaker, false);
    end_next(&breaker, false);
    assert_eq!(breaker.state(), State::Open, "two within one verdict");
}

#[test]
fn a_rate_is_taken_of_one_verdict() {
    let (breaker, hands) = in_ramp(HalfOpen::new().max_calls(4).failure_rate(0.5));
    hands.advance(9 * SECOND);
    end_next(&breaker, false);
    end_next(&breaker, true);
    end_next(&breaker, true);
    assert_eq!(breaker.state(), State::HalfOpen);
    end_next(&breaker, true);
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn a_call_of_a_ramp_that_hangs_reopens() {
    let (breaker, hands) = in_ramp(HalfOpen::new().probe_timeout(5 * SECOND));
    let _hangs = breaker.try_acquire_owned().unwrap();
    hands.advance(5 * SECOND);
    let trip = breaker.check().unwrap_err();
    assert_eq!((breaker.state(), trip.reason()), (State::Open, RejectReason::Open));
    assert!(trip.to_string().contains("a probe did not report in time"), "{trip}");
}

#[test]
fn an_ignored_call_of_a_ramp_decides_nothing() {
    let (breaker, hands) = in_ramp(HalfOpen::new());
    hands.advance(9 * SECOND);
    breaker.try_acquire().unwrap().ignore();
    drop(breaker.try_acquire().unwrap());
    assert_eq!(breaker.state(), State::HalfOpen);
}

#[test]
fn a_call_beyond_the_share_has_a_reason_of_its_own() {
    let (breaker, _) = in_ramp(HalfOpen::new());
    breaker.try_acquire().unwrap().success();
    let rejected = breaker.try_acquire().unwrap_err();
    assert_eq!((rejected.reason(), rejected.retry_after()), (RejectReason::HalfOpenRamp, None));
    assert_eq!(
        rejected.to_string(),
        "circuit breaker `payments` is half-open and admits a growing share of the calls"
    );
}

#[test]
fn the_beginning_of_a_ramp_is_an_event_in_line() {
    let (breaker, hands) = breaker(HalfOpen::new().ramp(9 * SECOND));
    let heard = Arc::new(Mutex::new(Vec::new()));
    let ear = Arc::clone(&heard);
    breaker
        .on_event(move |_, event| match event {
            Event::StateChanged(change) => ear.lock().unwrap().push((change.sequence, change.to.as_str())),
            Event::RampChanged { share, reason, sequence } => {
                assert_eq!((*share, *reason), (0.1, RampReason::ProbesPassed));
                ear.lock().unwrap().push((*sequence, reason.as_str()));
            }
            _ => {}
        })
        .forget();
    breaker.trip();
    hands.advance(SECOND);
    breaker.try_acquire().unwrap().success();
    hands.advance(9 * SECOND);
    breaker.try_acquire().unwrap().success();
    assert_eq!(*heard.lock().unwrap(), [(1, "open"), (2, "half_open"), (3, "probes_passed"), (4, "closed")]);
}

#[test]
fn a_ramp_goes_on_by_the_numbers_it_began_with() {
    let (breaker, hands) = in_ramp(HalfOpen::new());
    breaker.set_config(CircuitBreakerConfig::default());
    assert_eq!(breaker.snapshot().share, 0.1);
    hands.advance(9 * SECOND);
    breaker.try_acquire().unwrap().success();
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn a_waiting_task_is_woken_as_the_share_grows() {
    let (breaker, hands) = in_ramp(HalfOpen::new());
    breaker.try_acquire().unwrap().success();
    let mut waiting = pin!(breaker.permitting());
    let mut poll = || waiting.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready();
    assert!(!poll());
    let grown = breaker.changes_in().unwrap();
    hands.advance(grown - Duration::from_nanos(1));
    assert!(!poll(), "a nanosecond before");
    hands.advance(Duration::from_nanos(1));
    assert!(poll());
    assert!(breaker.try_acquire().is_ok());
}

#[test]
fn explain_shows_the_progress_of_a_ramp() {
    let (breaker, hands) = in_ramp(HalfOpen::new());
    breaker.try_acquire().unwrap().success();
    breaker.try_acquire().unwrap_err();
    hands.advance(2 * SECOND);
    assert_eq!(
        breaker.explain(),
        "Circuit breaker `payments` is half-open: its probes have passed, and a growing share of the calls \
         passes. It had opened because it was opened by hand. Now 30% of them pass, and all in 7s (2 calls \
         have reported, 0 failed, 1 rejected). They are evaluated as the probes were: a failed verdict \
         opens the breaker again for 2s, and a passed one closes it once every call passes."
    );
    assert_eq!(
        breaker.snapshot().to_string(),
        "payments: half-open for 2s, 30% of the calls pass, 0 of 2 calls failed (0%), 1 rejected"
    );
}

/// Half-open after one second, with an increasing backoff.
fn breaker(half_open: HalfOpen) -> (CircuitBreaker, ManualClock) {
    let config = CircuitBreakerConfig::builder()
        .trip(Trip::consecutive_failures(1))
        .open_duration(SECOND)
        .backoff(Backoff::exponential(2.0))
        .half_open(half_open)
        .build()
        .unwrap();
    let (clock, hands) = Clock::manual();
    (CircuitBreaker::builder("payments").config(config).clock(clock).build(), hands)
}

/// A breaker at the start of a ramp of nine seconds.
fn in_ramp(half_open: HalfOpen) -> (CircuitBreaker, ManualClock) {
    let (breaker, hands) = breaker(half_open.ramp(9 * SECOND));
    breaker.trip();
    hands.advance(SECOND);
    while breaker.snapshot().share == 0.0 {
        breaker.try_acquire().unwrap().success();
    }
    (breaker, hands)
}

/// Returns the number of admitted calls. None of them records an outcome.
fn admitted(breaker: &CircuitBreaker, calls: usize) -> usize {
    let permits = (0..calls).filter_map(|_| breaker.try_acquire_owned().ok());
    permits.map(halfopen::OwnedPermit::ignore).count()
}

/// Records the outcome of the next admitted call.
fn end_next(breaker: &CircuitBreaker, success: bool) {
    let permit = std::iter::from_fn(|| Some(breaker.try_acquire_owned())).find_map(Result::ok).unwrap();
    if success { permit.success() } else { permit.failure() }
}
