//! The checks after a round: the totals of the breakers must match the operations on them.

use std::time::Duration;

use halfopen::{RejectReason, State};

use crate::configs;
use crate::round::Until;
use crate::subject::Subject;
use crate::violations::Violations;

pub(crate) fn all(subjects: &[Subject], violations: &Violations) {
    for subject in subjects {
        let permits = std::mem::take(&mut *subject.pool());
        drop(permits);
        // First in the state that the round left, then once more from a new opening.
        recover(subject, violations);
        subject.breaker.trip();
        recover(subject, violations);
        subject.breaker.set_config(configs::plain());
        subject.breaker.reset();
        audit(subject, violations);
    }
}

/// No slot is lost: without other callers, successful probes close the breaker.
fn recover(subject: &Subject, violations: &Violations) {
    let breaker = &subject.breaker;
    if !matches!(breaker.state(), State::Closed | State::Open | State::HalfOpen) {
        breaker.force_closed();
    }
    let until = Until::after(Duration::from_secs(10));
    while breaker.state() != State::Closed {
        match breaker.try_acquire() {
            Ok(permit) => {
                subject.ledger.permits.add();
                permit.record_after(halfopen::Outcome::Success, Duration::ZERO);
            }
            Err(rejected) => {
                subject.ledger.rejections.add();
                if !matches!(rejected.reason(), RejectReason::Open | RejectReason::HalfOpenRamp) {
                    let name = breaker.name();
                    return violations.unless(false, || format!("{name}: a slot is lost: {rejected}"));
                }
                std::thread::yield_now();
            }
        }
        if until.over() {
            let why = breaker.explain();
            return violations.unless(false, || format!("does not close: {why}"));
        }
    }
}

/// Compares every count that is available from two sources.
fn audit(subject: &Subject, violations: &Violations) {
    let (breaker, ledger, witness) = (&subject.breaker, &subject.ledger, &subject.witness);
    let (totals, told) = (breaker.snapshot().totals, witness.told());
    let same = |what: &str, breaker_says: u64, known: u64| {
        violations.unless(breaker_says == known, || {
            format!("{}: {what}: {breaker_says} by the breaker, {known} in truth", breaker.name())
        });
    };
    same("permits ended", totals.calls(), ledger.permits.get());
    same("rejected", totals.rejected, ledger.rejections.get());
    same("rejections told", totals.rejected, witness.rejections.get());
    same("panics caught", totals.panics, ledger.panics.get());
    same("openings told", totals.trips, told.openings);
    same("would-trips told", totals.would_trip, told.would_trips);
    violations.unless(told.state == breaker.state(), || {
        format!("{}: {} was the last state told, {} is it", breaker.name(), told.state, breaker.state())
    });
    if subject.wants_calls {
        let by_kind = [totals.successes, totals.failures, totals.ignored, totals.abandoned, totals.late];
        for (number, heard) in by_kind.into_iter().zip(&witness.ended) {
            same("calls told, of one kind", number, heard.get());
        }
    }
}
