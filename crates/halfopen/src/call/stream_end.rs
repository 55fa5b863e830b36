use std::fmt;
use std::time::Duration;

use crate::breaker::{CircuitBreaker, OwnedPermit, Ticket};
#[cfg(feature = "stream")]
use crate::classify::Classify;
use crate::clock::{Moment, Tick};
use crate::outcome::{Ended, Finished, Outcome};
use crate::report::Report;
use crate::word::{Epoch, State};

/// Records the end of a stream whose probe succeeded at its first data.
///
/// A stream can live for days, so it must not hold a probe slot until its end. The probe is a success
/// at the first data ([`OwnedPermit::success_at_first_data`]). The end of the stream is evidence about the
/// closed state that the probe began, and about no later one: if the breaker has left that state, the
/// end is counted as [`late`](crate::Totals::late) and has no effect.
///
/// Recording takes no permit, so it starts no probe and counts no rejection. An end that is dropped or
/// ignored is not counted.
#[must_use = "the end of a stream is counted only if it is recorded"]
pub struct StreamEnd {
    breaker: CircuitBreaker,
    /// The epoch of the closed state that the probe began, if it began one.
    visit: Option<Epoch>,
    started: Tick,
}

impl OwnedPermit {
    /// Records the success of a call whose stream continues, and returns the handle that records the stream's end.
    ///
    /// This releases the slot of a probe. A permit that is not a probe holds no slot, so an adapter keeps it until
    /// the end of its stream instead.
    ///
    /// # Examples
    ///
    /// ```
    /// use halfopen::{CircuitBreaker, Outcome, State};
    /// use std::time::Duration;
    ///
    /// let breaker = CircuitBreaker::builder("feed").build();
    /// breaker.open_for(Duration::ZERO);
    /// let end = breaker.try_acquire_owned()?.success_at_first_data();
    /// assert_eq!(breaker.state(), State::Closed);
    ///
    /// breaker.reset(); // another closed state
    /// end.record(Outcome::Failure, None, None);
    /// assert_eq!(breaker.snapshot().counts.calls, 0);
    /// assert_eq!(breaker.snapshot().totals.late, 1);
    /// # Ok::<(), halfopen::Rejected>(())
    /// ```
    pub fn success_at_first_data(self) -> StreamEnd {
        let (breaker, ticket) = self.into_parts();
        let started = breaker.started(ticket).unwrap_or_else(|| breaker.inner().clock.now());
        let visit = breaker.end_at_first_data(ticket);
        StreamEnd { breaker, visit, started }
    }
}

#[cfg(feature = "stream")]
impl OwnedPermit {
    /// Ends a call with the first item of its stream, and returns the handle that records later items.
    pub(crate) fn settle_first_item<T, E, C: Classify<T, E>>(
        self,
        item: &Result<T, E>,
        classify: &C,
    ) -> StreamEnd {
        let report = self.classified(item, classify);
        match report.outcome {
            Outcome::Success => self.success_at_first_data(),
            Outcome::Failure | Outcome::Throttled | Outcome::Ignored => {
                let (breaker, ticket) = self.into_parts();
                let started = breaker.started(ticket).unwrap_or_else(|| breaker.inner().clock.now());
                breaker.end_failure(ticket, report, || classify.describe(item));
                let is_probe = ticket.word.state() == State::HalfOpen;
                StreamEnd { breaker, visit: (!is_probe).then(|| ticket.word.epoch()), started }
            }
        }
    }
}

#[cfg(feature = "stream")]
impl StreamEnd {
    /// Records a later item, which need not be the last, as a separate call.
    pub(crate) fn settle<T, E, C: Classify<T, E>>(&self, item: &Result<T, E>, classify: &C) {
        let report = crate::breaker::permit::classified(self.breaker.inner(), item, classify);
        // Untimed: the age of the stream is not the duration of this item.
        self.breaker.end_of_stream(self.visit, Tick::NEVER, report);
    }
}

impl StreamEnd {
    /// Returns the breaker that admitted the call.
    pub fn breaker(&self) -> &CircuitBreaker {
        &self.breaker
    }

    /// Records how the stream ended.
    ///
    /// `took` is the duration that the caller measured; the default is the time since the admission. `retry_after`
    /// is the server's hint, which is used only for a failure.
    pub fn record(self, outcome: Outcome, took: Option<Duration>, retry_after: Option<Duration>) {
        match outcome {
            Outcome::Success | Outcome::Failure | Outcome::Throttled => {
                let report = Report::from(outcome).took(took).retry_after(retry_after);
                self.breaker.end_of_stream(self.visit, self.started, report);
            }
            // The call itself has been counted as a success; an end that is no evidence is not a second call.
            Outcome::Ignored => {}
        }
    }
}

impl CircuitBreaker {
    /// Ends a call as a success, and returns the epoch to which its later outcomes belong, if there is one.
    fn end_at_first_data(&self, ticket: Ticket) -> Option<Epoch> {
        if ticket.word.state() != State::HalfOpen {
            self.end(ticket, Some(Report::success()));
            return Some(ticket.word.epoch());
        }
        let moment = Moment::of(&self.inner().clock);
        let ticket = if ticket.word.is_shadowed() {
            self.end_shadows_slow(ticket, Some(Report::success()), &moment)
        } else {
            ticket
        };
        let call = self.finished(ticket, Some(Report::success()), &moment);
        let (on_time, began) = self.record_probe(ticket, &call, &moment);
        self.count(&if on_time { call } else { call.late() }, &moment);
        began
    }

    fn end_of_stream(&self, visit: Option<Epoch>, started: Tick, report: Report) {
        let word = self.inner().word().load();
        if visit == Some(word.epoch()) {
            // As a call of this visit. If the visit ends in between, the window counts the outcome as late.
            // Not counted as in flight, which ended with the first data.
            return self.end(Ticket::timed(word.with_turn(0).with_shadowed(false), started), Some(report));
        }
        let call = Finished { took: report.took, ..Finished::untimed(Ended::Late) };
        self.count(&call, &Moment::of(&self.inner().clock));
    }
}

impl fmt::Debug for StreamEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamEnd").field("breaker", &self.breaker.name()).finish_non_exhaustive()
    }
}

#[cfg(all(test, not(loom), feature = "test-util"))]
#[allow(clippy::unwrap_used, reason = "helpers of tests")]
mod tests {
    use super::*;
    use crate::clock::{Clock, ManualClock};
    use crate::config::{CircuitBreakerConfig, HalfOpen, Trip};

    const SECOND: Duration = Duration::from_secs(1);

    fn probing(half_open: HalfOpen) -> (CircuitBreaker, ManualClock) {
        let (clock, hands) = Clock::manual();
        let config = CircuitBreakerConfig::builder().trip(Trip::consecutive_failures(1)).half_open(half_open);
        let breaker = CircuitBreaker::builder("feed").config(config.build().unwrap()).clock(clock).build();
        breaker.open_for(SECOND);
        hands.advance(SECOND);
        (breaker, hands)
    }

    fn first_data(breaker: &CircuitBreaker) -> StreamEnd {
        breaker.try_acquire_owned().unwrap().success_at_first_data()
    }

    #[test]
    fn an_end_counts_in_the_visit_its_probe_began() {
        for (outcome, state) in [(Outcome::Success, State::Closed), (Outcome::Failure, State::Open)] {
            let (breaker, _) = probing(HalfOpen::new());
            let end = first_data(&breaker);
            assert_eq!(breaker.state(), State::Closed);
            end.record(outcome, None, None);
            assert_eq!(breaker.state(), state);
            let totals = breaker.snapshot().totals;
            assert_eq!((totals.calls(), totals.late), (2, 0), "the probe, and the end");
        }
    }

    #[test]
    fn an_end_moves_no_later_visit() {
        for outcome in [Outcome::Success, Outcome::Failure] {
            let (breaker, _) = probing(HalfOpen::new());
            let end = first_data(&breaker);
            breaker.trip();
            breaker.reset();
            end.record(outcome, None, None);
            let snapshot = breaker.snapshot();
            assert_eq!((snapshot.state, snapshot.counts.calls), (State::Closed, 0));
            assert_eq!((snapshot.totals.late, snapshot.totals.rejected), (1, 0));
        }
    }

    #[test]
    fn an_end_in_open_or_half_open_is_late() {
        let (breaker, hands) = probing(HalfOpen::new());
        let (one, other) = (first_data(&breaker), hands);
        breaker.open_for(SECOND);
        one.record(Outcome::Failure, None, None);
        assert_eq!((breaker.snapshot().totals.late, breaker.snapshot().totals.rejected), (1, 0));
        other.advance(SECOND);
        assert!(breaker.try_acquire().is_ok(), "the slot is free");
    }

    #[test]
    fn a_probe_that_decided_nothing_began_no_visit() {
        let (breaker, _) = probing(HalfOpen::new().success_threshold(2));
        let first = first_data(&breaker);
        assert_eq!(breaker.state(), State::HalfOpen);
        let second = first_data(&breaker);
        first.record(Outcome::Failure, None, None);
        assert_eq!((breaker.state(), breaker.snapshot().totals.late), (State::Closed, 1));
        second.record(Outcome::Failure, None, None);
        assert_eq!(breaker.state(), State::Open);
    }

    #[test]
    fn an_end_that_is_ignored_or_dropped_counts_nowhere() {
        let (breaker, _) = probing(HalfOpen::new());
        let end = first_data(&breaker);
        end.record(Outcome::Ignored, None, None);
        assert_eq!(breaker.snapshot().totals.calls(), 1);
    }

    #[test]
    fn the_hint_of_an_end_counts() {
        let (breaker, _) = probing(HalfOpen::new());
        first_data(&breaker).record(Outcome::Failure, None, Some(90 * SECOND));
        assert_eq!(breaker.snapshot().retry_after, Some(90 * SECOND));
    }
}
