//! The state word: which calls are admitted, in which visit an outcome counts, and which visit a rejection
//! reports.

use super::race::race;
use super::{WAIT, breaker};
use crate::reason::RejectReason;
use crate::word::State;

/// Two failures, each of which opens the breaker: there is one transition, and the other failure is late or
/// both are counted.
///
/// Fails if `Machine::trip` checks neither the epoch nor the state.
#[test]
fn an_epoch_has_one_transition() {
    race(|start| {
        let (breaker, _hands) = breaker(1);
        let (first, second) = (breaker.try_acquire_owned().unwrap(), breaker.try_acquire_owned().unwrap());
        start.two(|| first.failure(), || second.failure());
        let snapshot = breaker.snapshot();
        assert_eq!((snapshot.state, snapshot.totals.trips), (State::Open, 1));
        assert_eq!(snapshot.totals.failures + snapshot.totals.late, 2);
        assert_eq!(snapshot.counts.calls, snapshot.counts.failures);
    });
}

/// A result of a closed visit that ends while the breaker closes again is not counted in the later visit, and
/// does not open it.
///
/// Fails if `Machine::trip` does not check the epoch, or if `record_slow` does not.
#[test]
fn a_result_of_before_is_late() {
    race(|start| {
        let (breaker, _hands) = breaker(1);
        let before = breaker.try_acquire_owned().unwrap();
        let other = breaker.clone();
        start.two(move || other.reset(), || before.failure());
        let snapshot = breaker.snapshot();
        assert_eq!(
            (snapshot.state, snapshot.counts.calls, snapshot.counts.consecutive_failures),
            (State::Closed, 0, 0)
        );
        assert_eq!(snapshot.totals.failures + snapshot.totals.late, 1);
    });
}

/// A success of an earlier visit, which takes no lock, is counted neither in the window nor in the run of the
/// later visit.
///
/// Fails if `add_success` loads the stripe after the state.
#[test]
fn a_success_of_before_is_late() {
    race(|start| {
        let (breaker, _hands) = breaker(2);
        let before = breaker.try_acquire_owned().unwrap();
        let other = breaker.clone();
        start.two(move || other.reset(), || before.success());
        let snapshot = breaker.snapshot();
        assert_eq!((snapshot.state, snapshot.counts.calls), (State::Closed, 0));
        assert_eq!(snapshot.totals.successes + snapshot.totals.late, 1);
    });
}

/// A rejection during a change of state is counted once, in the visit that rejected it.
///
/// Fails if `refuse_while_open` counts with `reject`, or if the path without a lock stays open while a visit
/// ends (either way a rejection of the earlier visit is counted in the next).
#[test]
fn a_rejection_counts_in_the_visit_that_refused_it() {
    race(|start| {
        let (breaker, _hands) = breaker(1);
        breaker.trip();
        let (one, other) = (breaker.clone(), breaker.clone());
        let refused = move || other.try_acquire().map(drop).unwrap_err().reason();
        let ((), reason) = start.two(move || one.force_open(), refused);
        let snapshot = breaker.snapshot();
        assert_eq!(snapshot.totals.rejected, 1);
        assert_eq!(snapshot.rejected, u64::from(reason == RejectReason::ForcedOpen));
    });
}

/// A reader that sees the breaker open sees its deadline and its cause too.
///
/// Fails if the word is published before the deadline and the cause, or without releasing them.
#[test]
fn a_reader_of_open_sees_its_cause() {
    race(|start| {
        let (breaker, _hands) = breaker(1);
        let (one, other) = (breaker.clone(), breaker.clone());
        let look = move || {
            if let Err(rejected) = other.check() {
                assert_eq!(rejected.retry_after(), Some(WAIT));
                let told = rejected.to_string();
                assert!(told.contains("1 failure in a row, the limit is 1"), "{told}");
            }
        };
        start.two(move || one.try_acquire().unwrap().failure(), look);
        assert!(breaker.check().is_err());
    });
}

/// A snapshot is of one visit: its state, wait, counts and last trip belong together.
///
/// Fails if `look` releases the transition lock between the state and the rest.
#[test]
fn a_snapshot_is_of_one_visit() {
    race(|start| {
        let (breaker, _hands) = breaker(1);
        let failed = breaker.try_acquire_owned().unwrap();
        let (snapshot, ()) = start.two(move || breaker.snapshot(), || failed.failure());
        let trips = u64::from(snapshot.state == State::Open);
        assert_eq!(snapshot.totals.trips, trips, "{snapshot:?}");
        assert_eq!(snapshot.retry_after, Some(WAIT * trips as u32));
        let tripped = snapshot.last_trip.map(|change| change.counts);
        assert_eq!(tripped, (trips == 1).then_some(snapshot.counts));
    });
}
