//! The calls of an adaptive breaker. While it is closed they take no lock, except to be learned from, or in doubt.

use crate::breaker::{CircuitBreaker, Inner, Ticket};
use crate::clock::{LONGEST_LAG, Moment, Tick};
use crate::counts::Counts;
use crate::error::Refusal;
use crate::evidence::{Left, Reading, Traffic, Unlocked};
use crate::observe::Signal;
use crate::outcome::{Ended, Finished};
use crate::report::Report;
use crate::state::{Heard, Log, Machine};
use crate::sync::try_lock;
use crate::totals::Ledger;
use crate::window::{Added, Recorded};
use crate::word::{Epoch, State, Word};

impl Inner {
    /// Returns what the calls of an adaptive breaker share while it is closed.
    #[inline]
    pub(crate) fn traffic(&self) -> Option<&Traffic> {
        self.cold.get()?.traffic.get().map(|traffic| &**traffic)
    }
}

impl CircuitBreaker {
    // ---- admission ------------------------------------------------------------------------------

    /// Admits a call of a closed adaptive breaker, or returns [`None`] if its visit has ended.
    #[inline]
    pub(super) fn admit_unlocked(&self, word: Word) -> Option<Ticket> {
        let inner = self.inner();
        let Some(traffic) = inner.traffic() else { return self.admit_first(word) };
        if let Some(now) = traffic.lagging_admission(&inner.clock) {
            return Some(Ticket::placed(word, traffic.enter(now)));
        }
        let now = inner.clock.now();
        let word = if traffic.is_to_be_tended(now) { self.tend_slow(now)? } else { word };
        Some(Ticket::placed(word, traffic.enter(Reading::Precise(now))))
    }

    /// Admits the first call of an adaptive breaker, for which its evidence is allocated.
    #[cold]
    #[inline(never)]
    fn admit_first(&self, word: Word) -> Option<Ticket> {
        let inner = self.inner();
        let now = inner.clock.now();
        self.transition(now, |locked, log, now| locked.machine.tend(&|| self.counts_at(now), now, log));
        let traffic = inner.traffic().filter(|_| inner.word.load().same_epoch(word))?;
        Some(Ticket::placed(word, traffic.enter(Reading::Precise(now))))
    }

    /// Makes the steps that are due, unless another thread holds the lock; returns the word that follows, if calls are still admitted
    /// without the lock.
    #[cold]
    #[inline(never)]
    fn tend_slow(&self, now: Tick) -> Option<Word> {
        if let Some(traffic) = self.inner().traffic() {
            traffic.note_step_back(now);
        }
        self.try_transition(now, |locked, log, now| {
            locked.machine.tend(&|| self.counts_at(now), now, log);
        });
        let word = self.inner().word.load();
        let unlocked = word.is_unlocked() && word.is_by_evidence();
        // A shadow that was added meanwhile sees the next call: this one was not admitted for it.
        unlocked.then_some(word.with_shadowed(false))
    }

    /// Asks an open breaker for a probe. A call that finds the evidence locked is rejected.
    pub(super) fn probe_by_evidence(
        &self,
        word: Word,
        count: impl Fn(&Ledger) + Copy,
    ) -> Result<Ticket, Refusal> {
        let inner = self.inner();
        let now = inner.clock.now();
        let decided = self.try_transition(now, |locked, log, now| self.decide(count, locked, log, now));
        if let Some(answer) = decided {
            return answer;
        }
        let cold = inner.cold();
        let (_, _, cause) = cold.opening();
        // Another visit, to which the cause may belong: the lock is waited for.
        if inner.word.load() != word {
            return self.admit_locked(count);
        }
        if let Some(traffic) = inner.traffic() {
            traffic.miss();
        }
        count(&cold.ledger);
        Err(Refusal::open(u64::MAX, cause))
    }

    /// The ticket of a call that the evidence has admitted, under the lock.
    pub(super) fn ticket_by_evidence(&self, machine: &Machine, now: Tick) -> Ticket {
        let word = Word::new(machine.epoch(), machine.state()).with_evidence();
        match (machine.state(), machine.traffic()) {
            (State::Closed, Some(traffic)) => Ticket::placed(word, traffic.enter(Reading::Precise(now))),
            _ => Ticket::timed(word, now),
        }
    }

    // ---- outcomes -------------------------------------------------------------------------------

    /// Ends a success that is neither evidence nor to be learned from, which takes no precise reading of the clock. Returns
    /// false if nothing is written.
    #[inline]
    pub(super) fn add_unlocked_success(&self, ticket: Ticket) -> bool {
        let inner = self.inner();
        let (Some(traffic), Some(now)) = (inner.traffic(), inner.clock.lagging()) else { return false };
        let (word, place) = (inner.word.load(), ticket.place());
        if !word.same_epoch(ticket.word) || !word.is_healthy() || !traffic.is_surely_good(place, now) {
            return false;
        }
        // Latest where it could be: a bucket of the window that may be over takes a precise reading.
        let latest = Moment::at(&inner.clock, now.after(LONGEST_LAG));
        match inner.window.add_success(inner.word(), word, Some(&latest)) {
            Added::Quiet => {}
            // There are no rules: the window finds that it is settled.
            Added::Due => drop(inner.window.evaluate(&Moment::of(&inner.clock))),
            Added::Contended | Added::Stale => return false,
        }
        traffic.leave(place, true);
        true
    }

    /// Ends a call that was admitted without the lock.
    pub(super) fn end_unlocked(&self, ticket: Ticket, report: Option<Report>, moment: &Moment<'_>) {
        let inner = self.inner();
        let Some(traffic) = inner.traffic() else { return };
        let call = self.finished(ticket, report, moment);
        let late = call.is_evidence() && call.took.is_some_and(|took| traffic.is_late(took));
        let call = Finished { slow: late, ..call };
        let left = traffic.leave(ticket.place(), call.is_plain());
        if !call.is_evidence() {
            let on_time = self.record_in_totals(ticket, &call);
            return self.count_if_timed(if on_time { call } else { call.late() }, moment);
        }
        let recorded = inner.window.record(inner.word(), ticket.word, &call, moment);
        let heard = Heard {
            epoch: ticket.word.epoch(),
            started: ticket.place().started(),
            call: &call,
            unlocked: Some(Unlocked { left, late, precise: ticket.place().is_precise() }),
        };
        let now = moment.get();
        let is_evidence = !call.is_plain() || inner.word.load().doubted();
        let on_time = if is_evidence || recorded == Recorded::Late {
            self.weigh_slow(heard, recorded, now)
        } else {
            if traffic.learns(now) || traffic.is_at_edge(now) {
                self.learn_slow(heard, now);
            }
            true
        };
        if let (Recorded::Evaluated(counts, _), false) = (recorded, inner.custom().is_empty()) {
            self.trip_if_any(ticket, &counts, None, call.hint, moment);
        }
        let call = if on_time { call } else { call.late() };
        if call.throttled && call.is_failure() {
            inner.cold().ledger.throttled.add(1);
        }
        self.count_if_timed(call, moment);
        if moment.has_rolled() {
            self.signal_window_roll(moment);
        }
    }

    /// Records the end of a probe, or of a call of a ramp. Returns false if it is late, and the epoch of the closed visit that
    /// it began, if any.
    pub(super) fn record_probe_by_evidence(
        &self,
        ticket: Ticket,
        call: &Finished,
        moment: &Moment<'_>,
    ) -> (bool, Option<Epoch>) {
        let now = moment.get();
        let (epoch, started) = (ticket.word.epoch(), ticket.started().unwrap_or(now));
        let heard = Heard { epoch, started, call, unlocked: None };
        let (on_time, moved, closed) = self.transition(now, |locked, log, now| {
            let machine = &mut locked.machine;
            let before = machine.epoch();
            let on_time = machine.hear(heard, &|| self.counts_at(now), now, log);
            if on_time {
                self.inner().cold().ledger.note(call);
            }
            let moved = machine.epoch() != before;
            let closed = on_time && moved && machine.state() == State::Closed;
            (on_time, moved, closed.then(|| machine.epoch()))
        });
        // A transition is reported as an event; otherwise only a probe has ended.
        if let (true, false, Some(listeners)) = (on_time, moved, self.inner().listeners()) {
            listeners.signal(self, &Signal::ProbeEnded);
        }
        (on_time, closed)
    }

    /// Lets a success be learned from, unless another thread holds the lock.
    #[cold]
    #[inline(never)]
    fn learn_slow(&self, heard: Heard<'_>, now: Tick) {
        if let Some(traffic) = self.inner().traffic() {
            traffic.note_step_back(now);
        }
        self.try_transition(now, |locked, log, now| {
            locked.machine.hear(heard, &|| self.counts_at(now), now, log)
        });
    }

    /// Weighs an outcome that is evidence, or leaves it to the thread that holds the lock. Returns false if it is late.
    #[cold]
    #[inline(never)]
    fn weigh_slow(&self, heard: Heard<'_>, recorded: Recorded, now: Tick) -> bool {
        let inner = self.inner();
        let is_recorded = recorded != Recorded::Late;
        let step = |machine: &mut Machine, log: &mut Log, now: Tick| {
            let on_time = machine.hear(heard, &|| self.counts_at(now), now, log);
            if on_time && !is_recorded {
                inner.cold().ledger.note(heard.call);
            }
            on_time || is_recorded
        };
        if !is_recorded || heard.call.throttled {
            return self.transition(now, |locked, log, now| step(&mut locked.machine, log, now));
        }
        if let Some(on_time) =
            self.try_transition(now, |locked, log, now| step(&mut locked.machine, log, now))
        {
            return on_time;
        }
        if let (Some(unlocked), Some(traffic)) = (heard.unlocked, inner.traffic())
            && unlocked.left != Left::Judged
        {
            traffic.leave_to_holder(heard.epoch.0, heard.call.is_plain(), unlocked.late);
            // The holder may have looked for the last time before this one was left.
            self.weigh_pending(traffic, now);
        }
        true
    }

    /// Weighs the outcomes that have been left to a holder of the lock, unless another thread holds it.
    pub(super) fn weigh_pending(&self, traffic: &Traffic, now: Tick) {
        // Not for ever: who leaves an outcome after that tries to take the lock as well.
        for _ in 0..ROUNDS {
            if !traffic.has_pending() {
                return;
            }
            let Some(locked) = try_lock(&self.inner().locked) else { return };
            self.step(locked, now, |locked, log, now| {
                locked.machine.drain(&|| self.counts_at(now), now, log);
            });
            self.inner().drain_events(self);
        }
    }

    /// The counts of the window.
    pub(super) fn counts_at(&self, now: Tick) -> Counts {
        self.inner().window.counts(&Moment::at(&self.inner().clock, now))
    }

    /// Counts an outcome; its duration where calls are timed.
    fn count_if_timed(&self, call: Finished, moment: &Moment<'_>) {
        let timed = self.inner().word.load().timed();
        if timed || call.ended == Ended::Late {
            let took = call.took.filter(|_| timed);
            self.count(&Finished { took, ..call }, moment);
        }
    }
}

/// How often one thread weighs what others have left to it.
const ROUNDS: usize = 8;

#[cfg(all(test, not(loom), feature = "test-util"))]
mod tests {
    use std::time::Duration;

    use crate::{CircuitBreaker, CircuitBreakerConfig, Clock, ManualClock};

    /// An adaptive breaker that has seen a minute of healthy calls.
    fn learned() -> (CircuitBreaker, ManualClock) {
        let (clock, hands) = Clock::manual();
        let breaker =
            CircuitBreaker::builder("learned").config(CircuitBreakerConfig::adaptive()).clock(clock).build();
        for _ in 0..600 {
            breaker.try_acquire().expect("it is closed").success();
            hands.advance(Duration::from_millis(100));
        }
        breaker.try_acquire().expect("it is closed").success();
        (breaker, hands)
    }

    fn down(breaker: &CircuitBreaker) -> f64 {
        breaker.snapshot().adaptive.expect("it is adaptive").down
    }

    #[test]
    fn a_healthy_call_takes_no_lock() {
        let (breaker, hands) = learned();
        let _held = breaker.inner().locked();
        for _ in 0..1_000 {
            breaker.try_acquire().unwrap().success();
            // Where it would be learned from, it passes all the same.
            hands.advance(Duration::from_millis(20));
        }
    }

    #[test]
    fn a_failure_is_left_to_the_holder_of_the_lock() {
        let (breaker, _hands) = learned();
        let expected = {
            let (breaker, _hands) = learned();
            breaker.try_acquire().unwrap().failure();
            breaker.try_acquire().unwrap().failure();
            down(&breaker)
        };
        let held = breaker.inner().locked();
        breaker.try_acquire().unwrap().failure();
        breaker.try_acquire().unwrap().success();
        assert!(breaker.inner().traffic().unwrap().has_pending());
        drop(held);
        assert!(down(&breaker) < 1e-12, "it waits for the next call that takes the lock");
        breaker.try_acquire().unwrap().failure();
        assert!(!breaker.inner().traffic().unwrap().has_pending());
        let ratio = down(&breaker) / expected;
        assert!((0.5..2.0).contains(&ratio), "two failures make {expected}, these {}", down(&breaker));
    }

    #[test]
    fn an_open_breaker_that_is_locked_rejects() {
        let (breaker, hands) = learned();
        while breaker.is_closed() {
            breaker.try_acquire().unwrap().failure();
        }
        hands.advance(Duration::from_secs(3600));
        let held = breaker.inner().locked();
        assert!(breaker.try_acquire().is_err(), "no call waits for the lock");
        drop(held);
        assert!(breaker.try_acquire().is_ok(), "a probe is due");
    }

    #[test]
    fn nothing_is_allocated_before_the_first_call() {
        let breaker = CircuitBreaker::new("idle", CircuitBreakerConfig::adaptive());
        let before = breaker.snapshot();
        assert!(breaker.inner().traffic().is_none());
        assert!(before.adaptive.is_some(), "what it begins with is known");
        breaker.try_acquire().unwrap().success();
        assert!(breaker.inner().traffic().is_some());
        assert_eq!(before.adaptive.map(|it| (it.normal, it.down)), Some((0.05, 0.0)));
    }

    /// Not a model: the cell of the traffic is one of the standard library, whose order loom does not know.
    #[test]
    fn two_first_calls_share_the_evidence() {
        for _ in 0..if cfg!(miri) { 3 } else { 300 } {
            let breaker = CircuitBreaker::new("idle", CircuitBreakerConfig::adaptive());
            let together = std::sync::Barrier::new(2);
            std::thread::scope(|scope| {
                for _ in 0..2 {
                    scope.spawn(|| {
                        together.wait();
                        breaker.try_acquire().unwrap().success();
                    });
                }
            });
            let traffic = breaker.inner().traffic().unwrap();
            let read = std::sync::Arc::as_ptr(breaker.inner().locked().machine.traffic().unwrap());
            assert!(std::ptr::eq(read, traffic), "calls leave where they are read");
            assert_eq!((traffic.in_flight(), breaker.snapshot().totals.successes), (0, 2));
        }
    }

    #[test]
    fn a_control_before_the_first_call_is_obeyed() {
        for opened in [true, false] {
            let (clock, hands) = Clock::manual();
            let config = CircuitBreakerConfig::adaptive();
            let breaker = CircuitBreaker::builder("idle").config(config).clock(clock).build();
            if opened {
                breaker.trip();
                assert!(breaker.is_open() && breaker.try_acquire().is_err());
                hands.advance(Duration::from_secs(60));
                assert!(breaker.try_acquire().is_ok(), "a probe is due");
            } else {
                breaker.metrics_only();
                breaker.try_acquire().unwrap().success();
                assert!(breaker.inner().traffic().is_some(), "it learns what it watches");
            }
        }
    }

    const LAGS: &[u64] = if cfg!(miri) { &[4] } else { &[1, 4, 49] };

    /// A breaker that has learned, whose clock has readings that lag.
    fn lagging(lag: u64) -> (CircuitBreaker, ManualClock) {
        let (breaker, hands) = learned();
        hands.lag(Duration::from_millis(lag));
        (breaker, hands)
    }

    #[test]
    fn a_lagging_clock_judges_no_good_answer_late() {
        for &lag in LAGS {
            let (breaker, hands) = lagging(lag);
            for _ in 0..200 {
                let permit = breaker.try_acquire().unwrap();
                hands.advance(Duration::from_millis(640));
                permit.success();
            }
            let snapshot = breaker.snapshot();
            assert_eq!(snapshot.counts.slow, 0, "640 ms are not 700 ms, {lag} ms behind");
            assert!(down(&breaker) < 1e-12);
        }
    }

    #[test]
    fn a_lagging_clock_misses_no_late_answer() {
        for &lag in LAGS {
            let (breaker, hands) = lagging(lag);
            let limit = breaker.snapshot().adaptive.unwrap().slow_limit.unwrap();
            let permit = breaker.try_acquire().unwrap();
            hands.advance(limit + Duration::from_micros(1));
            permit.success();
            assert!(down(&breaker) > 0.0, "it is evidence, {lag} ms behind");
        }
    }

    #[test]
    fn a_lagging_clock_sees_calls_that_hang() {
        for &lag in LAGS {
            let (breaker, hands) = lagging(lag);
            let _hanging: Vec<_> = (0..20).map(|_| breaker.try_acquire_owned().unwrap()).collect();
            hands.advance(Duration::from_millis(1_000 + lag));
            assert!(breaker.try_acquire().is_err(), "{lag} ms behind");
        }
    }

    #[test]
    fn a_lagging_clock_learns_precise_latencies() {
        let p95 = |lag: Option<u64>| {
            let (breaker, hands) = learned();
            if let Some(lag) = lag {
                hands.lag(Duration::from_millis(lag));
            }
            for call in 0..if cfg!(miri) { 200 } else { 2_000_u64 } {
                let permit = breaker.try_acquire().unwrap();
                hands.advance(Duration::from_micros(3_000 + 700 * (call % 5)));
                permit.success();
            }
            breaker.snapshot().adaptive.unwrap().p95.unwrap().as_secs_f64()
        };
        let precise = p95(None);
        for &lag in LAGS {
            let ratio = p95(Some(lag)) / precise;
            assert!((0.9..1.1).contains(&ratio), "{ratio} times the quantile, {lag} ms behind");
        }
    }

    #[test]
    fn a_healthy_call_needs_no_precise_reading() {
        let (breaker, hands) = lagging(4);
        let before = breaker.snapshot().totals.successes;
        let permit = breaker.try_acquire().unwrap();
        assert!(!permit.ticket_place().is_precise());
        hands.advance(Duration::from_micros(5));
        permit.success();
        assert_eq!(breaker.snapshot().totals.successes, before + 1);
    }

    #[test]
    fn calls_that_hang_open_it_before_they_end() {
        let (breaker, hands) = learned();
        let _hanging: Vec<_> = (0..20).map(|_| breaker.try_acquire_owned().unwrap()).collect();
        hands.advance(Duration::from_secs(1));
        assert!(breaker.try_acquire().is_err());
        assert!(breaker.is_open());
    }
}
