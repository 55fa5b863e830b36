//! Recording: every permit ends here.

use std::time::Duration;

use crate::breaker::{CircuitBreaker, Ticket, caught};
use crate::clock::{Moment, nanos};
use crate::config::Abandoned;
use crate::counts::Counts;
use crate::observe::{Event, Interest, Kind as EventKind, Signal};
use crate::outcome::{Ended, Ending};
use crate::policy::trip::{self, CustomRule};
use crate::reason::{Cause, TripReason};
use crate::state::{HalfOpenEnd, Verdict, Wait};
use crate::window::{Added, Kind, Recorded};
use crate::word::{State, Word};

impl CircuitBreaker {
    /// Ends a permit.
    #[inline]
    pub(crate) fn end(&self, ticket: Ticket, ending: Ending, took: Option<u64>) {
        match self.end_quietly(ticket, ending, took) {
            Added::Quietly => {}
            added => self.end_slowly(ticket, ending, took, added),
        }
    }

    /// Ends a permit that owns its breaker, which the slow path takes by value.
    #[inline(always)]
    pub(crate) fn end_owned(self, ticket: Ticket, ending: Ending, took: Option<u64>) {
        match self.end_quietly(ticket, ending, took) {
            Added::Quietly => {}
            added => end_owned_slowly(self, ticket, ending, took, added),
        }
    }

    /// The fast path: a success that is not timed, cannot fire a rule and is not reported to listeners.
    #[inline(always)]
    fn end_quietly(&self, ticket: Ticket, ending: Ending, took: Option<u64>) -> Added {
        match (ending, took) {
            (Ending::Success, None) if ticket.word.is_plain() => {
                let inner = self.inner();
                inner.window.add_success(inner.word(), ticket.word, None)
            }
            _ => Added::NotWritten,
        }
    }

    fn end_slowly(&self, ticket: Ticket, ending: Ending, took: Option<u64>, added: Added) {
        match (added, ending, took) {
            (Added::Quietly, ..) => {}
            (Added::ToEvaluate, ..) => self.evaluate_success(ticket, &Moment::of(&self.inner().clock)),
            (Added::Contended | Added::NotWritten, Ending::Success, None) => self.end_success(ticket),
            (Added::Contended | Added::NotWritten, ..) => {
                self.end_otherwise(ticket, ending, took, &Moment::of(&self.inner().clock));
            }
        }
    }

    /// Ends a success that needs the time, or the lock of the window.
    #[inline(never)]
    fn end_success(&self, ticket: Ticket) {
        let inner = self.inner();
        let moment = Moment::of(&inner.clock);
        // A listener may have subscribed since the call was admitted.
        let needs_time = ticket.word.timed() || ticket.word.clocked();
        if !ticket.word.is_closed() || ticket.word.weighed() || !needs_time || inner.want_calls() {
            return self.end_otherwise(ticket, Ending::Success, None, &moment);
        }
        let now = moment.get();
        let took = ticket.started().map(|started| now.since(started));
        if took.is_some_and(|took| inner.window.is_slow(took)) {
            return self.end_otherwise(ticket, Ending::Success, None, &moment);
        }
        match inner.window.add_success(inner.word(), ticket.word, Some(now)) {
            Added::Quietly => {}
            Added::ToEvaluate => self.evaluate_success(ticket, &moment),
            Added::Contended | Added::NotWritten => {
                return self.end_otherwise(ticket, Ending::Success, None, &moment);
            }
        }
        if let Some(took) = took {
            inner.timing().time(took);
        }
    }

    /// Evaluates the rules for a plain success that is written.
    #[inline(never)]
    fn evaluate_success(&self, ticket: Ticket, moment: &Moment<'_>) {
        let recorded = self.inner().window.evaluate(moment);
        self.act_on(ticket, recorded, None, moment);
    }

    /// Evaluates the rules for a recorded outcome; returns false if it was late.
    fn act_on(&self, ticket: Ticket, recorded: Recorded, hint: Option<u64>, moment: &Moment<'_>) -> bool {
        match recorded {
            Recorded::Late => false,
            Recorded::Quiet => {
                self.weigh_quiet_outcome(ticket, moment);
                true
            }
            // Nothing else is to be asked: metrics-only must also learn that no rule holds any more, and calls in flight
            // may make the difference.
            Recorded::Counts(_, None)
                if self.inner().custom().is_empty() && self.word_now(ticket).is_closed() =>
            {
                true
            }
            Recorded::Counts(counts, fired) => {
                self.trip_if_any(ticket, &counts, fired, hint, moment);
                true
            }
        }
    }

    #[inline(never)]
    fn end_otherwise(&self, ticket: Ticket, ending: Ending, took: Option<u64>, moment: &Moment<'_>) {
        if ticket.word.is_filed() {
            self.leave(ticket);
        }
        let age = ticket.started().map(|started| moment.get().since(started));
        let took = took.or(age);
        let (ended, hint) = self.judge(ending, age);
        let counted = matches!(ended, Ended::Success | Ended::Failure);
        let slow = counted && took.is_some_and(|took| self.inner().window.is_slow(took));
        let call = Kind { failure: ended == Ended::Failure, slow };
        let ended = match ticket.word.state() {
            State::Closed | State::MetricsOnly if counted => {
                self.end_recorded(ticket, call, ended, hint, moment)
            }
            State::HalfOpen => self.end_probe(ticket, ended, slow, hint, moment).0,
            State::Closed | State::MetricsOnly | State::Disabled => self.end_unrecorded(ticket, ended, slow),
            // These states give no permits.
            State::Open | State::ForcedOpen => Ended::Late,
        };
        if let (Ending::Throttled { .. }, Ended::Failure) = (ending, ended) {
            self.inner().cold().ledger.throttled.add(1);
        }
        self.count(ended, slow, took, moment);
        if moment.has_rolled() {
            self.tell_window_roll(moment);
        }
    }

    #[cold]
    fn tell_window_roll(&self, moment: &Moment<'_>) {
        let inner = self.inner();
        if let Some(listeners) = inner.listeners().filter(|listeners| listeners.want(Interest::WINDOW_ROLLS))
        {
            let counts = inner.window.counts(moment);
            listeners.signal(self, &Signal::WindowRolled { counts });
        }
    }

    /// Maps the reported ending to the outcome that is counted, and its hint (S5).
    fn judge(&self, ending: Ending, age: Option<u64>) -> (Ended, Option<u64>) {
        match ending {
            Ending::Success => (Ended::Success, None),
            Ending::Failure { hint } | Ending::Throttled { hint } => (Ended::Failure, hint),
            Ending::Ignored => (Ended::Ignored, None),
            Ending::Abandoned => {
                let failed = self.inner().window.with_config(|config| match config.abandoned() {
                    Abandoned::Ignore => false,
                    Abandoned::Failure => true,
                    Abandoned::FailureAfter(limit) => age.is_some_and(|age| age >= nanos(limit)),
                });
                (if failed { Ended::Failure } else { Ended::Abandoned }, None)
            }
        }
    }

    fn end_recorded(
        &self,
        ticket: Ticket,
        call: Kind,
        ended: Ended,
        hint: Option<u64>,
        moment: &Moment<'_>,
    ) -> Ended {
        let inner = self.inner();
        let recorded = inner.window.record(inner.word(), ticket.word, call, moment);
        if self.act_on(ticket, recorded, hint, moment) { ended } else { Ended::Late }
    }

    /// Counts an outcome that no window records in the totals, unless its visit has ended.
    fn end_unrecorded(&self, ticket: Ticket, ended: Ended, slow: bool) -> Ended {
        let inner = self.inner();
        if !inner.word().load().same_epoch(ticket.word) {
            return Ended::Late;
        }
        inner.cold().ledger.note(ended, slow);
        ended
    }

    /// Ends a permit with a failure, and stores its description if this failure opened the breaker.
    #[inline(never)]
    pub(crate) fn end_failure(
        &self,
        ticket: Ticket,
        failure: Ending,
        describe: impl FnOnce() -> Option<String>,
    ) {
        self.end(ticket, failure, None);
        let inner = self.inner();
        let word = inner.word().load();
        if word.state() != State::Open || word.epoch() != ticket.word.epoch() + 1 {
            return;
        }
        let (_, _, cause) = inner.cold().opening();
        // The visit may also have been ended by an operator or an overdue probe, before this call failed.
        let by_a_failure = Cause::from_words(cause).reasons.iter().all(|reason| match reason {
            TripReason::Manual | TripReason::ProbeTimedOut => false,
            TripReason::ConsecutiveFailures
            | TripReason::FailureCount
            | TripReason::FailureRate
            | TripReason::SlowCallRate
            | TripReason::Custom
            | TripReason::ProbeFailed => true,
        });
        if !by_a_failure {
            return;
        }
        if let Some(text) = caught(inner, describe).flatten() {
            inner.cold().keep_error(word.epoch(), &text);
        }
    }

    /// Ends a probe; returns its outcome as counted, and the epoch of the closed visit that it began, if any.
    pub(crate) fn end_probe(
        &self,
        ticket: Ticket,
        ended: Ended,
        slow: bool,
        hint: Option<u64>,
        moment: &Moment<'_>,
    ) -> (Ended, Option<u64>) {
        let end = match ended {
            Ended::Success => HalfOpenEnd::Success { slow },
            Ended::Failure => HalfOpenEnd::Failure { slow, hint },
            Ended::Ignored | Ended::Abandoned | Ended::Late => HalfOpenEnd::Nothing,
        };
        let now = moment.get();
        let started = ticket.started().unwrap_or(now);
        let planned = self.plan_after_probe(end, now).filter(|plan| plan.epoch == ticket.word.epoch());
        let planned = planned.map(|plan| plan.wait);
        let (verdict, moved, began) = self.transition(now, |locked, log, now| {
            let verdict = locked.machine.settle(ticket.word.epoch(), started, end, planned, now, log);
            if verdict == Verdict::Counted {
                self.inner().cold().ledger.note(ended, slow);
            }
            let moved = locked.machine.epoch() != ticket.word.epoch();
            let closed = verdict == Verdict::Counted && locked.machine.state() == State::Closed;
            (verdict, moved, closed.then(|| locked.machine.epoch()))
        });
        match verdict {
            Verdict::Late => (Ended::Late, None),
            Verdict::Counted => {
                if let (false, Some(listeners)) = (moved, self.inner().listeners()) {
                    listeners.signal(self, &Signal::ProbeEnded);
                }
                (ended, began)
            }
        }
    }

    // ---- rules --------------------------------------------------------------------------------

    /// Opens the breaker, or reports that it would open, if a rule holds for these counts (S9, S10).
    #[cold]
    #[inline(never)]
    fn trip_if_any(
        &self,
        ticket: Ticket,
        counts: &Counts,
        fired: Option<Cause>,
        hint: Option<u64>,
        moment: &Moment<'_>,
    ) {
        let overdue = self.inner().overdue(self.word_now(ticket), moment);
        let counts = &Counts { overdue, ..*counts };
        let fired = match overdue {
            0 => fired,
            // The window knows of no call in flight.
            _ => self.inner().window.with_config(|config| trip::fired(config.rules(), counts)),
        };
        let fired = self.with_own_rules(counts, fired);
        match (ticket.word.state(), fired) {
            (State::MetricsOnly, fired) => self.note_holding(ticket.word, fired, counts),
            (State::Closed, Some(cause)) => self.open_by_rules(ticket.word, cause, counts, hint, moment),
            (State::Closed | State::Open | State::HalfOpen | State::ForcedOpen | State::Disabled, _) => {}
        }
    }

    /// The word of the visit in which a call was admitted, with the ring that it has by now.
    fn word_now(&self, ticket: Ticket) -> Word {
        let word = self.inner().word().load();
        if word.same_epoch(ticket.word) { word } else { ticket.word }
    }

    /// An outcome on which no rule could fire by what the window holds: the calls in flight may make the difference.
    fn weigh_quiet_outcome(&self, ticket: Ticket, moment: &Moment<'_>) {
        let word = self.word_now(ticket);
        if word.state() == State::MetricsOnly && word.is_filed() {
            let (fired, counts) = self.fired_in_flight(word, moment);
            self.note_holding(word, fired, &counts);
        } else {
            self.weigh_overdue(word, moment);
        }
    }

    fn fired_in_flight(&self, word: Word, moment: &Moment<'_>) -> (Option<Cause>, Counts) {
        let inner = self.inner();
        let overdue = inner.overdue(word, moment);
        let counts = Counts { overdue, ..inner.window.counts(moment) };
        let fired = inner.window.with_config(|config| trip::fired_in_flight(config.rules(), &counts));
        (fired, counts)
    }

    /// Asks the one rule that can hold without an outcome: calls in flight have become overdue (S32).
    pub(crate) fn weigh_overdue(&self, word: Word, moment: &Moment<'_>) {
        if self.inner().overdue(word, moment) == 0 {
            return;
        }
        let (fired, counts) = self.fired_in_flight(word, moment);
        match (word.state(), fired) {
            (State::MetricsOnly, Some(cause)) => self.note_holding(word, Some(cause), &counts),
            (State::Closed, Some(cause)) => self.open_by_rules(word, cause, &counts, None, moment),
            (
                State::Closed
                | State::Open
                | State::HalfOpen
                | State::ForcedOpen
                | State::Disabled
                | State::MetricsOnly,
                _,
            ) => {}
        }
    }

    fn leave(&self, ticket: Ticket) {
        let ring = self.inner().cold().in_flight(ticket.word);
        if let (Some(ring), Some(entered)) = (ring, ticket.started()) {
            ring.leave(entered);
        }
    }

    fn open_by_rules(
        &self,
        word: Word,
        cause: Cause,
        counts: &Counts,
        hint: Option<u64>,
        moment: &Moment<'_>,
    ) {
        let now = moment.get();
        let planned = self.plan_after_calls(counts, hint, now);
        let planned = planned.filter(|plan| plan.epoch == word.epoch()).map(|plan| plan.wait);
        let wait = Wait::Configured { hint, planned };
        self.transition(now, |locked, log, now| {
            locked.machine.trip(word.epoch(), cause, *counts, wait, now, log);
        });
    }

    /// Adds the breaker's own rules to those of the configuration.
    fn with_own_rules(&self, counts: &Counts, fired: Option<Cause>) -> Option<Cause> {
        let inner = self.inner();
        let holds = |rule: &CustomRule| caught(inner, || rule(counts)).unwrap_or(false);
        if inner.custom().iter().any(holds) { Some(trip::with_custom(fired, counts)) } else { fired }
    }

    /// Metrics-only: reports once that a rule began to hold, and again only after an outcome at which none held.
    fn note_holding(&self, word: Word, fired: Option<Cause>, counts: &Counts) {
        let inner = self.inner();
        let mut locked = inner.locked();
        if locked.machine.epoch() != word.epoch() {
            return;
        }
        let counters = locked.counters_mut();
        let began = fired.filter(|_| !counters.held);
        counters.held = fired.is_some();
        if let Some(cause) = began {
            counters.would_trip += 1;
            let sequence = locked.next_sequence();
            let reasons = cause.reasons.iter().collect();
            inner.enqueue(Event::WouldTrip { reasons, counts: *counts, sequence });
        }
        drop(locked);
        inner.drain_events(self);
    }

    // ---- totals -------------------------------------------------------------------------------

    /// Counts a late outcome. It causes no transition itself, but makes those that are due by time (S24).
    #[cold]
    fn count_late(&self, moment: &Moment<'_>) {
        let inner = self.inner();
        inner.cold().ledger.late.add(1);
        if inner.word().load().state() == State::HalfOpen {
            let now = moment.get();
            self.transition(now, |locked, log, now| locked.machine.catch_up(now, log));
        }
    }

    pub(crate) fn count(&self, ended: Ended, slow: bool, took: Option<u64>, moment: &Moment<'_>) {
        let inner = self.inner();
        if ended == Ended::Late {
            self.count_late(moment);
        }
        let counted = matches!(ended, Ended::Success | Ended::Failure);
        if let (true, Some(took)) = (counted, took) {
            inner.timing().time(took);
        }
        if let Some(listeners) = inner.listeners().filter(|listeners| listeners.want(Interest::CALLS)) {
            let took = took.map(Duration::from_nanos);
            let event = Event::Recorded { ended, slow: counted && slow, took };
            listeners.notify_now(self, &event, EventKind::Calls);
        }
    }
}

// Takes the breaker by value, so that the permit can stay in registers on the fast path.
#[cold]
#[inline(never)]
#[expect(clippy::needless_pass_by_value, reason = "a reference would force the permit into memory")]
fn end_owned_slowly(
    breaker: CircuitBreaker,
    ticket: Ticket,
    ending: Ending,
    took: Option<u64>,
    added: Added,
) {
    breaker.end_slowly(ticket, ending, took, added);
}
