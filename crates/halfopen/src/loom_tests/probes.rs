//! Probes: at most as many as allowed, each counted once, and every slot returned.

use std::time::Duration;

use loom::sync::Arc;
use loom::sync::atomic::{AtomicU64, Ordering};

use super::race::race;
use super::{WAIT, breaker, probing};
use crate::breaker::{CircuitBreaker, OwnedPermit};
use crate::clock::ManualClock;
use crate::config::{HalfOpen, Trip, Window};
use crate::outcome::Outcome;
use crate::word::State;

/// Returns a half-open breaker whose one probe is in flight.
fn with_a_probe_out() -> (CircuitBreaker, ManualClock, OwnedPermit) {
    let (breaker, hands) = breaker(1);
    breaker.trip();
    hands.advance(WAIT);
    let probe = breaker.try_acquire_owned().unwrap();
    (breaker, hands, probe)
}

/// There are never more probes than allowed, and a dropped probe releases its slot; a rejection reports the
/// current visit, not the wait that is over.
///
/// Fails if admission checks the slots in a separate step before it takes one, or if the deadline of the wait
/// is overwritten while the word is still open.
#[test]
fn one_probe_at_a_time_and_no_slot_is_lost() {
    race(|start| {
        let (breaker, hands) = breaker(1);
        breaker.trip();
        hands.advance(WAIT);
        let out = Arc::new(AtomicU64::new(0));
        let probe = || {
            let (breaker, out) = (breaker.clone(), Arc::clone(&out));
            move || match breaker.try_acquire() {
                Ok(permit) => {
                    assert_eq!(out.fetch_add(1, Ordering::SeqCst), 0, "two probes at once");
                    out.fetch_sub(1, Ordering::SeqCst);
                    drop(permit);
                }
                Err(rejected) => assert_eq!(rejected.retry_after(), None, "{rejected}"),
            }
        };
        start.two(probe(), probe());
        assert!(breaker.try_acquire().is_ok(), "the slot is free again");
    });
}

/// An overdue probe and its late success: the breaker opens once, at the time when the probe was due.
///
/// Fails if `settle` does not catch up before it releases a probe, or if the reopening has the time at which it
/// is noticed.
#[test]
fn an_overdue_probe_reopens_once() {
    race(|start| {
        let (breaker, hands, probe) = with_a_probe_out();
        hands.advance(Duration::from_millis(10_500));
        let other = breaker.clone();
        let (refused, ()) = start.two(move || other.try_acquire().is_err(), || probe.success());
        assert!(refused);
        let snapshot = breaker.snapshot();
        assert_eq!((snapshot.state, snapshot.totals.trips, snapshot.totals.late), (State::Open, 2, 1));
        assert_eq!(snapshot.retry_after, Some(Duration::from_millis(500)));
    });
}

/// A probe is dropped when its time is over: either its slot is free, or the breaker has reopened and the probe
/// is late.
///
/// Fails if `admit` does not catch up before it takes a slot.
#[test]
fn a_probe_is_given_back_or_overdue() {
    race(|start| {
        let (breaker, hands, probe) = with_a_probe_out();
        let other = breaker.clone();
        let next = move || {
            hands.advance(Duration::from_secs(10));
            other.try_acquire_owned().ok()
        };
        let (next, ()) = start.two(next, || drop(probe));
        let snapshot = breaker.snapshot();
        let totals = snapshot.totals;
        let expected = if next.is_some() { (State::HalfOpen, 1, 1, 0) } else { (State::Open, 2, 0, 1) };
        assert_eq!((snapshot.state, totals.trips, totals.abandoned, totals.late), expected);
    });
}

/// A probe's permit that moves to another thread ends once, and its slot is released once.
///
/// Fails if `OwnedPermit::end` leaves its ticket in place (its drop ends the call once more).
#[test]
fn a_probe_that_is_handed_over_ends_once() {
    race(|start| {
        let (breaker, _, probe) = with_a_probe_out();
        let other = breaker.clone();
        let (another, ()) = start.two(move || other.try_acquire_owned(), || probe.ignore());
        let totals = breaker.snapshot().totals;
        assert_eq!((totals.ignored, totals.calls()), (1, 1));
        assert_eq!(breaker.try_acquire().is_ok(), another.is_err(), "one slot");
    });
}

/// Two calls arrive when a probe is overdue and the wait after it is over too: both transitions happen once,
/// and one of the two calls is the new probe.
///
/// Fails if admission catches up in a separate step, with the state that it loaded before.
#[test]
fn an_overdue_probes_transitions_are_made_once() {
    race(|start| {
        let (breaker, hands, overdue) = with_a_probe_out();
        hands.advance(Duration::from_secs(11));
        let (one, other) = (breaker.clone(), breaker.clone());
        let (here, there) =
            start.two(move || one.try_acquire_owned().ok(), move || other.try_acquire_owned().ok());
        assert!(here.is_some() != there.is_some(), "one new probe");
        overdue.success();
        let snapshot = breaker.snapshot();
        assert_eq!((snapshot.state, snapshot.totals.trips, snapshot.totals.late), (State::HalfOpen, 2, 1));
    });
}

/// Two probes end concurrently where one decides: the breaker closes once, and the other probe is late.
///
/// Fails if `settle` does not check the epoch.
#[test]
fn a_probe_that_comes_after_the_verdict_is_late() {
    race(|start| {
        let two = HalfOpen::new().max_calls(2);
        let (breaker, hands) = probing(Trip::consecutive_failures(1), Window::unbounded(), two);
        breaker.trip();
        hands.advance(WAIT);
        let (first, second) = (breaker.try_acquire_owned().unwrap(), breaker.try_acquire_owned().unwrap());
        start.two(|| first.success(), || second.failure());
        let snapshot = breaker.snapshot();
        let totals = snapshot.totals;
        assert_eq!((totals.successes + totals.failures, totals.late), (1, 1));
        let closed = totals.successes == 1;
        assert_eq!(snapshot.state, if closed { State::Closed } else { State::Open });
        assert_eq!(totals.trips, if closed { 1 } else { 2 });
    });
}

/// Two calls of a ramp at a share of one in ten, after its first: none is admitted on the credit of the other.
///
/// Fails if the credit is read in one step and written in another.
#[test]
fn a_credit_admits_one_call() {
    race(|start| {
        let (breaker, hands, probe) = with_a_ramp();
        probe.success();
        // Eight attempts earn eight tenths; the next two earn two, which is one call.
        assert!(breaker.try_acquire_owned().is_ok(), "the first call of a ramp passes");
        for _ in 0..8 {
            assert!(breaker.try_acquire_owned().is_err());
        }
        let (one, other) = (breaker.clone(), breaker.clone());
        let (here, there) =
            start.two(move || one.try_acquire_owned().ok(), move || other.try_acquire_owned().ok());
        assert!(here.is_some() != there.is_some(), "one call");
        drop(hands);
    });
}

/// A success and a failure at the full share of a ramp: one decides, and the other is late.
///
/// Fails if `settle` does not check the epoch.
#[test]
fn the_end_of_a_ramp_has_one_verdict() {
    race(|start| {
        let (breaker, hands, probe) = with_a_ramp();
        probe.success();
        hands.advance(RAMP);
        let (first, second) = (breaker.try_acquire_owned().unwrap(), breaker.try_acquire_owned().unwrap());
        start.two(|| first.success(), || second.failure());
        let snapshot = breaker.snapshot();
        let totals = snapshot.totals;
        assert_eq!((totals.successes + totals.failures, totals.late), (2, 1));
        let closed = totals.successes == 2;
        assert_eq!(snapshot.state, if closed { State::Closed } else { State::Open });
    });
}

const RAMP: Duration = Duration::from_secs(5);

/// Returns a half-open breaker with a ramp, whose one probe is in flight.
fn with_a_ramp() -> (CircuitBreaker, ManualClock, OwnedPermit) {
    let half_open = HalfOpen::new().ramp(RAMP);
    let (breaker, hands) = probing(Trip::consecutive_failures(1), Window::unbounded(), half_open);
    breaker.trip();
    hands.advance(WAIT);
    let probe = breaker.try_acquire_owned().unwrap();
    (breaker, hands, probe)
}

/// The stream of a probe that closed the breaker ends concurrently with a reset: its end is counted in the
/// visit that the probe started, or late, and never in the visit after the reset.
///
/// Fails if `end_of_stream` checks whether the breaker is closed instead of the epoch.
#[test]
fn the_end_of_a_probes_stream_moves_no_later_visit() {
    race(|start| {
        let (breaker, _, probe) = with_a_probe_out();
        let end = probe.success_at_first_data();
        let other = breaker.clone();
        start.two(move || end.record(Outcome::Failure, None, None), move || other.reset());
        let snapshot = breaker.snapshot();
        assert_eq!((snapshot.state, snapshot.counts.calls), (State::Closed, 0));
        assert_eq!((snapshot.totals.failures + snapshot.totals.late, snapshot.totals.rejected), (1, 0));
    });
}

/// Two admissions that find a call overdue: the breaker opens once, and at least one of them is rejected; the other may
/// be admitted while the first counts.
///
/// Fails if `trip` does not check the epoch.
#[test]
fn a_call_that_hangs_opens_once() {
    race(|start| {
        let slow = Trip::slow_call_rate(0.5, Duration::from_secs(1)).minimum_calls(1).in_flight(true);
        let (breaker, hands) = probing(slow, Window::last_calls(1), HalfOpen::new());
        let hangs = breaker.try_acquire_owned().unwrap();
        hands.advance(Duration::from_secs(3));
        let (one, other) = (breaker.clone(), breaker.clone());
        let (here, there) =
            start.two(move || one.try_acquire().is_err(), move || other.try_acquire().is_err());
        let rejected = u64::from(here) + u64::from(there);
        hangs.success();
        let snapshot = breaker.snapshot();
        let totals = snapshot.totals;
        assert_eq!((snapshot.state, totals.trips, totals.rejected), (State::Open, 1, rejected));
        assert!(rejected >= 1 && totals.successes == 0);
    });
}

/// A call that hangs ends while another is admitted: it counts as overdue or as slow, and opens the breaker either way.
///
/// Fails if a call leaves its ring after it is recorded and the ring is not read again.
#[test]
fn a_call_that_ends_late_is_not_lost() {
    race(|start| {
        let slow = Trip::slow_call_rate(0.5, Duration::from_secs(1)).minimum_calls(1).in_flight(true);
        let (breaker, hands) = probing(slow, Window::last_calls(1), HalfOpen::new());
        let hangs = breaker.try_acquire_owned().unwrap();
        hands.advance(Duration::from_secs(3));
        let other = breaker.clone();
        let (_, ()) = start.two(move || other.try_acquire_owned().ok(), || hangs.success());
        let snapshot = breaker.snapshot();
        assert_eq!((snapshot.state, snapshot.totals.trips), (State::Open, 1));
    });
}
