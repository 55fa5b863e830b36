//! Recording: every permit ends here.
//!
//! A call ends on one of three ways, each slower than the one before: a plain success of an untimed breaker is one
//! compare-and-swap ([`CircuitBreaker::add_untimed_success`]); one that needs the time reads the clock first
//! ([`CircuitBreaker::add_timed_success`]); everything else is a [`Finished`] that goes to the window, the machine or the
//! totals ([`CircuitBreaker::record_slow`]). The first two are shortcuts: the third decides the same.

use std::time::Duration;

use crate::breaker::handle::Keeper;
use crate::breaker::{CircuitBreaker, Ticket, caught};
use crate::clock::{Moment, nanos};
use crate::config::Abandoned;
use crate::counts::Counts;
use crate::observe::{Event, Interest, Kind as EventKind, Signal};
use crate::outcome::{Ended, Finished, Outcome};
use crate::policy::trip::{self, CustomRule};
use crate::reason::{Cause, TripReason};
use crate::report::Report;
use crate::state::{Fired, ProbeEnd, Wait};
use crate::window::{Added, Recorded};
use crate::word::{Epoch, State, Word};

impl CircuitBreaker {
    /// Ends a permit with its report, or with [`None`] as abandoned.
    #[inline(always)]
    pub(crate) fn end(&self, ticket: Ticket, report: Option<Report>) {
        if !is_untimed_success(report) {
            return self.end_slow(ticket, report);
        }
        match self.add_untimed_success(ticket) {
            Some(Added::Quiet) => {}
            Some(Added::Due) => self.evaluate_success(ticket),
            Some(Added::Contended | Added::Stale) | None => self.end_success_slow(ticket),
        }
    }

    /// The first of the fast paths: a success that is not timed, cannot fire a rule and is not reported to listeners.
    #[inline(always)]
    fn add_untimed_success(&self, ticket: Ticket) -> Option<Added> {
        let inner = self.inner();
        ticket.word.is_plain().then(|| inner.window.add_success(inner.word(), ticket.word, None))
    }

    /// Ends a permit whose report is not that of a plain success.
    #[inline(never)]
    fn end_slow(&self, ticket: Ticket, report: Option<Report>) {
        self.record_slow(ticket, report, &Moment::of(&self.inner().clock));
    }

    /// Ends a success that the first fast path has not written.
    // Without the report, which is known: to pass it would cost the default configuration a write of its five words.
    #[inline(never)]
    fn end_success_slow(&self, ticket: Ticket) {
        if ticket.word.is_unlocked_by_evidence() && self.add_unlocked_success(ticket) {
            return;
        }
        let moment = Moment::of(&self.inner().clock);
        if !self.add_timed_success(ticket, &moment) {
            self.record_slow(ticket, Some(Report::success()), &moment);
        }
    }

    /// The second of the fast paths: a success whose window or whose rules need the time. Returns false if nothing is
    /// written.
    #[inline(always)]
    fn add_timed_success(&self, ticket: Ticket, moment: &Moment<'_>) -> bool {
        let inner = self.inner();
        let needs_time = ticket.word.timed() || ticket.word.clocked();
        // A listener may have subscribed since the call was admitted.
        if !ticket.word.is_closed() || ticket.word.evaluated() || !needs_time || inner.want_calls() {
            return false;
        }
        let took = ticket.started().map(|started| moment.get().since(started));
        if took.is_some_and(|took| inner.window.is_slow(took)) {
            return false;
        }
        match inner.window.add_success(inner.word(), ticket.word, Some(moment)) {
            Added::Quiet => {}
            Added::Due => self.evaluate_success_at(ticket, moment),
            Added::Contended | Added::Stale => return false,
        }
        if let Some(took) = took {
            inner.timing().time(took);
        }
        true
    }

    /// Evaluates the rules for a plain success that is written.
    #[inline(never)]
    fn evaluate_success(&self, ticket: Ticket) {
        self.evaluate_success_at(ticket, &Moment::of(&self.inner().clock));
    }

    #[inline(never)]
    fn evaluate_success_at(&self, ticket: Ticket, moment: &Moment<'_>) {
        let recorded = self.inner().window.evaluate(moment);
        self.act_on(ticket, recorded, None, moment);
    }

    /// Records the end of any call, in any state.
    #[inline(never)]
    fn record_slow(&self, ticket: Ticket, report: Option<Report>, moment: &Moment<'_>) {
        if ticket.word.is_shadowed() {
            let ticket = self.end_shadows_slow(ticket, report, moment);
            return self.record_slow(ticket, report, moment);
        }
        if ticket.word.is_by_evidence() && ticket.word.is_unlocked() {
            return self.end_unlocked(ticket, report, moment);
        }
        if ticket.word.is_filed() {
            self.leave_in_flight(ticket);
        }
        let call = self.finished(ticket, report, moment);
        let on_time = match ticket.word.state() {
            State::Closed | State::MetricsOnly if call.is_evidence() => {
                self.record_in_window(ticket, &call, moment)
            }
            State::HalfOpen => self.record_probe(ticket, &call, moment).0,
            State::Closed | State::MetricsOnly | State::Disabled => self.record_in_totals(ticket, &call),
            // These states give no permits.
            State::Open | State::ForcedOpen => false,
        };
        let call = if on_time { call } else { call.late() };
        if call.throttled && call.is_failure() {
            self.inner().cold().ledger.throttled.add(1);
        }
        self.count(&call, moment);
        if moment.has_rolled() {
            self.signal_window_roll(moment);
        }
    }

    /// Creates the recorded form of a call from its report, its age and its duration (S5).
    pub(crate) fn finished(&self, ticket: Ticket, report: Option<Report>, moment: &Moment<'_>) -> Finished {
        let age = ticket.started().map(|started| moment.get().since(started));
        let took = report.and_then(|report| report.took).or(age);
        let hint = report.and_then(|report| report.retry_after);
        let untimed = match report.map(|report| report.outcome) {
            Some(Outcome::Success) => Finished::untimed(Ended::Success),
            Some(Outcome::Failure) => Finished { hint, ..Finished::untimed(Ended::Failure) },
            Some(Outcome::Throttled) => {
                Finished { hint, throttled: true, ..Finished::untimed(Ended::Failure) }
            }
            Some(Outcome::Ignored) => Finished::untimed(Ended::Ignored),
            None => Finished::untimed(self.abandoned(age)),
        };
        let slow = untimed.is_evidence() && took.is_some_and(|took| self.inner().window.is_slow(took));
        Finished { slow, took, ..untimed }
    }

    /// Returns how a call of this age counts that was abandoned (S5).
    fn abandoned(&self, age: Option<u64>) -> Ended {
        let failed = self.inner().window.with_config(|config| match config.abandoned() {
            Abandoned::Ignore => false,
            Abandoned::Failure => true,
            Abandoned::FailureAfter(limit) => age.is_some_and(|age| age >= nanos(limit)),
        });
        if failed { Ended::Failure } else { Ended::Abandoned }
    }

    /// Records an outcome in the window and acts on its rules; returns false if it is late.
    fn record_in_window(&self, ticket: Ticket, call: &Finished, moment: &Moment<'_>) -> bool {
        let inner = self.inner();
        let recorded = inner.window.record(inner.word(), ticket.word, call, moment);
        self.act_on(ticket, recorded, call.hint, moment)
    }

    /// Counts an outcome that no window records in the totals; returns false if it is late.
    pub(super) fn record_in_totals(&self, ticket: Ticket, call: &Finished) -> bool {
        let inner = self.inner();
        let on_time = inner.word().load().same_epoch(ticket.word);
        if on_time {
            inner.cold().ledger.note(call);
        }
        on_time
    }

    /// Records the end of a probe. Returns false if it is late, and the epoch of the closed visit that it began, if any.
    pub(crate) fn record_probe(
        &self,
        ticket: Ticket,
        call: &Finished,
        moment: &Moment<'_>,
    ) -> (bool, Option<Epoch>) {
        if ticket.word.is_by_evidence() {
            return self.record_probe_by_evidence(ticket, call, moment);
        }
        let now = moment.get();
        let epoch = ticket.word.epoch();
        let planned = self.plan_after_probe(call, now).filter(|plan| plan.epoch == epoch);
        let planned = planned.map(|plan| plan.wait);
        let end = ProbeEnd { epoch, started: ticket.started().unwrap_or(now), call, planned };
        let (on_time, moved, closed) = self.transition(now, |locked, log, now| {
            let on_time = locked.machine.settle(end, now, log);
            if on_time {
                // Under the lock, so that no snapshot shows the transition of this probe without its outcome.
                self.inner().cold().ledger.note(call);
            }
            let machine = &locked.machine;
            let closed = on_time && machine.state() == State::Closed;
            (on_time, machine.epoch() != epoch, closed.then(|| machine.epoch()))
        });
        // A transition is reported as an event; otherwise only a slot has become free.
        if let (true, false, Some(listeners)) = (on_time, moved, self.inner().listeners()) {
            listeners.signal(self, &Signal::ProbeEnded);
        }
        (on_time, closed)
    }

    /// Ends a permit with a failure, and stores its description if this failure opened the breaker.
    #[inline(never)]
    pub(crate) fn end_failure(
        &self,
        ticket: Ticket,
        failure: Report,
        describe: impl FnOnce() -> Option<String>,
    ) {
        self.end(ticket, Some(failure));
        let inner = self.inner();
        let word = inner.word().load();
        if word.state() != State::Open || word.epoch() != ticket.word.epoch().after(1) {
            return;
        }
        let (_, _, cause) = inner.cold().opening();
        // The visit may also have been ended by an operator or an overdue probe, before this call failed.
        let by_a_failure = Cause::from_words(cause).reasons.iter().all(|reason| match reason {
            TripReason::Manual | TripReason::Fleet | TripReason::ProbeTimedOut => false,
            TripReason::Evidence | TripReason::Throttled => true,
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

    // ---- rules --------------------------------------------------------------------------------

    /// Acts on the rules that hold for a recorded outcome; returns false if it was late.
    fn act_on(&self, ticket: Ticket, recorded: Recorded, hint: Option<u64>, moment: &Moment<'_>) -> bool {
        match recorded {
            Recorded::Late => false,
            Recorded::Quiet => {
                self.evaluate_in_flight(ticket, moment);
                true
            }
            // No rule holds, and none is left to be asked: metrics-only must also learn that no rule holds any more, and
            // calls in flight may make the difference.
            Recorded::Evaluated(_, None)
                if self.inner().custom().is_empty() && self.word_now(ticket).is_closed() =>
            {
                true
            }
            Recorded::Evaluated(counts, fired) => {
                self.trip_if_any(ticket, &counts, fired, hint, moment);
                true
            }
        }
    }

    /// Opens the breaker, or reports that it would open, if a rule holds for these counts (S9, S10).
    #[cold]
    #[inline(never)]
    pub(super) fn trip_if_any(
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
            (State::MetricsOnly, fired) => self.note_would_trip(ticket.word, fired, counts),
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
    fn evaluate_in_flight(&self, ticket: Ticket, moment: &Moment<'_>) {
        let word = self.word_now(ticket);
        if word.state() == State::MetricsOnly && word.is_filed() {
            let (fired, counts) = self.fired_in_flight(word, moment);
            self.note_would_trip(word, fired, &counts);
        } else {
            self.evaluate_overdue(word, moment);
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
    pub(crate) fn evaluate_overdue(&self, word: Word, moment: &Moment<'_>) {
        if self.inner().overdue(word, moment) == 0 {
            return;
        }
        let (fired, counts) = self.fired_in_flight(word, moment);
        match (word.state(), fired) {
            (State::MetricsOnly, Some(cause)) => self.note_would_trip(word, Some(cause), &counts),
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

    fn leave_in_flight(&self, ticket: Ticket) {
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
        let fired = Fired { epoch: word.epoch(), cause, counts: *counts, wait };
        self.transition(now, |locked, log, now| locked.machine.trip(fired, now, log));
    }

    /// Adds the breaker's own rules to those of the configuration.
    fn with_own_rules(&self, counts: &Counts, fired: Option<Cause>) -> Option<Cause> {
        let inner = self.inner();
        let holds = |rule: &CustomRule| caught(inner, || rule(counts)).unwrap_or(false);
        if inner.custom().iter().any(holds) { Some(trip::with_custom(fired, counts)) } else { fired }
    }

    /// Metrics-only: reports once that a rule began to hold, and again only after an outcome at which none held.
    fn note_would_trip(&self, word: Word, fired: Option<Cause>, counts: &Counts) {
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

    #[cold]
    pub(super) fn signal_window_roll(&self, moment: &Moment<'_>) {
        let inner = self.inner();
        if let Some(listeners) = inner.listeners().filter(|listeners| listeners.want(Interest::WINDOW_ROLLS))
        {
            let counts = inner.window.counts(moment);
            listeners.signal(self, &Signal::WindowRolled { counts });
        }
    }

    /// Counts what the window and the machine have not: a late outcome, and the duration. Notifies the listeners of calls.
    pub(crate) fn count(&self, call: &Finished, moment: &Moment<'_>) {
        let inner = self.inner();
        if call.ended == Ended::Late {
            self.count_late(moment);
        }
        if let (true, Some(took)) = (call.is_evidence(), call.took) {
            inner.timing().time(took);
        }
        if let Some(listeners) = inner.listeners().filter(|listeners| listeners.want(Interest::CALLS)) {
            let took = call.took.map(Duration::from_nanos);
            let event = Event::Recorded { ended: call.ended, slow: call.slow, took };
            listeners.notify_now(self, &event, EventKind::Calls);
        }
    }
}

/// Ends a permit that keeps its breaker alive. The slow paths take the keeper by value.
#[inline(always)]
pub(super) fn end_owned<K: Keeper>(keeper: K, ticket: Ticket, report: Option<Report>) {
    if !is_untimed_success(report) {
        return end_owned_slow(keeper, ticket, report);
    }
    match keeper.breaker().add_untimed_success(ticket) {
        Some(Added::Quiet) => {}
        Some(Added::Due) => evaluate_owned_success(keeper, ticket),
        Some(Added::Contended | Added::Stale) | None => end_owned_success_slow(keeper, ticket),
    }
}

/// Returns whether the report is that of a success whose duration the caller has not measured.
#[inline(always)]
fn is_untimed_success(report: Option<Report>) -> bool {
    matches!(report, Some(Report { outcome: Outcome::Success, took: None, .. }))
}

// Take the keeper by value, so that the permit can stay in registers on the fast path.
#[cold]
#[inline(never)]
#[expect(clippy::needless_pass_by_value, reason = "a reference would force the permit into memory")]
fn end_owned_success_slow<K: Keeper>(keeper: K, ticket: Ticket) {
    keeper.breaker().end_success_slow(ticket);
}

#[cold]
#[inline(never)]
#[expect(clippy::needless_pass_by_value, reason = "a reference would force the permit into memory")]
fn evaluate_owned_success<K: Keeper>(keeper: K, ticket: Ticket) {
    keeper.breaker().evaluate_success(ticket);
}

#[cold]
#[inline(never)]
#[expect(clippy::needless_pass_by_value, reason = "a reference would force the permit into memory")]
fn end_owned_slow<K: Keeper>(keeper: K, ticket: Ticket, report: Option<Report>) {
    keeper.breaker().end_slow(ticket, report);
}
