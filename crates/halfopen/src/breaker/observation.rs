//! Queries: the state of a breaker and its snapshot.

use std::sync::Arc;
use std::time::Duration;

use super::{CircuitBreaker, Inner, Locked};
use crate::clock::{Moment, Tick};
use crate::counts::{Counts, share};
use crate::evidence::Known;
use crate::observe::{Evidence, Snapshot, TripCause};
use crate::state::View;
use crate::sync::lock;
use crate::totals::Totals;
use crate::word::{State, Word};

impl CircuitBreaker {
    /// Returns the state that an admission would find now: an open breaker whose wait is over is half-open.
    pub fn state(&self) -> State {
        let word = self.0.word.load();
        // Only open and half-open change with time, so the other states need neither the clock nor the lock.
        match word.state() {
            state @ (State::Closed | State::ForcedOpen | State::Disabled | State::MetricsOnly) => state,
            State::Open | State::HalfOpen => self.view().state,
        }
    }

    fn view(&self) -> View {
        // The clock is read before the lock: it can be the user's own function.
        let now = self.0.clock.now();
        lock(&self.0.locked).machine.view(now)
    }

    /// Returns true only if the breaker is [`State::Closed`].
    ///
    /// To ask whether a call would be admitted, use [`is_permitting`](Self::is_permitting).
    #[inline]
    pub fn is_closed(&self) -> bool {
        // No state becomes `Closed` by time alone, so the clock need not be read.
        self.0.word.load().state() == State::Closed
    }

    /// Returns true only if the breaker is [`State::Open`].
    ///
    /// To ask whether a call would be rejected, use [`is_rejecting`](Self::is_rejecting).
    pub fn is_open(&self) -> bool {
        self.state() == State::Open
    }

    /// Returns true only if the breaker is [`State::HalfOpen`]. That includes an open breaker whose wait is over,
    /// so that the next call is the first probe.
    pub fn is_half_open(&self) -> bool {
        self.state() == State::HalfOpen
    }

    /// Returns true if a call made now would be admitted: in closed, disabled and metrics-only, and in
    /// half-open while a probe slot is free or, in a ramp, if the call belongs to the admitted share.
    ///
    /// # Examples
    ///
    /// ```
    /// use halfopen::CircuitBreaker;
    ///
    /// let breaker = CircuitBreaker::builder("payments").build();
    /// breaker.disable();
    /// assert!(breaker.is_permitting() && !breaker.is_closed());
    ///
    /// breaker.force_open();
    /// assert!(breaker.is_rejecting() && !breaker.is_open());
    /// ```
    #[inline]
    pub fn is_permitting(&self) -> bool {
        self.refusal().is_none()
    }

    /// Returns true if a call made now would be rejected: in open and forced open, and in half-open
    /// while all probes are in flight, or in a ramp if the call does not belong to its share.
    #[inline]
    pub fn is_rejecting(&self) -> bool {
        !self.is_permitting()
    }

    /// Returns the time until the decision about a call changes by itself: the rest of the wait while open; in
    /// half-open the time until the first probe is overdue or, in a ramp that would reject the next call, until it
    /// would be admitted. Of an adaptive breaker that is open or half-open, it is the time until a call would be admitted
    /// if no other one arrived before. Returns [`None`] in every other state.
    pub fn changes_in(&self) -> Option<Duration> {
        let now = self.0.clock.now();
        lock(&self.0.locked).machine.changes_in(now)
    }

    /// Returns a snapshot of the breaker: state, counts, totals and the last trip, all of one moment.
    ///
    /// Taking it changes nothing.
    pub fn snapshot(&self) -> Snapshot {
        let now = self.0.clock.now();
        // Held until everything is read, so that all fields belong to one visit.
        let locked = lock(&self.0.locked);
        let view = locked.machine.view(now);
        let counters = locked.counters();
        let totals = self.0.totals(&locked);
        let rejected_before = counters.map_or(0, |counters| counters.rejected_before);
        let snapshot = Snapshot {
            name: Arc::clone(&self.0.name),
            state: view.state,
            counts: view.counts.unwrap_or_else(|| self.0.counts(&Moment::at(&self.0.clock, now))),
            retry_after: view.remaining.map(Duration::from_nanos),
            rejected: if view.moved { 0 } else { totals.rejected.saturating_sub(rejected_before) },
            reopenings: view.reopenings,
            open_duration: Duration::from_nanos(view.wait),
            hint: view.hint.map(Duration::from_nanos),
            share: share(view.share_ppb),
            cause: match view.state {
                State::Open | State::HalfOpen => TripCause::of(locked.machine.why(now)),
                State::Closed | State::ForcedOpen | State::Disabled | State::MetricsOnly => None,
            },
            probes: (view.state == State::HalfOpen).then(|| locked.machine.probes(now).into()),
            has_custom_rule: !self.0.custom().is_empty(),
            disabled_by_config: locked.is_disabled_by_rule(),
            in_state_for: Duration::from_nanos(now.since(view.since)),
            adaptive: locked.machine.known(now).map(|known| evidence(&known, now)),
            last_trip: counters.and_then(|counters| counters.last_trip.clone()),
            shadows: Vec::new(),
            totals,
        };
        // Without the lock, as the clock of the shadows is that of the user.
        drop(locked);
        Snapshot { shadows: self.shadow_snapshots(snapshot.totals.rejected), ..snapshot }
    }
}

impl Inner {
    /// Returns the counts of the window and the number of overdue calls in flight.
    pub(crate) fn counts(&self, moment: &Moment<'_>) -> Counts {
        let overdue = self.overdue(self.word.load(), moment);
        Counts { overdue, ..self.window.counts(moment) }
    }

    /// Returns the number of overdue calls in flight of this visit, or zero if no rule counts them.
    pub(crate) fn overdue(&self, word: Word, moment: &Moment<'_>) -> u64 {
        if !word.is_filed() {
            return 0;
        }
        self.cold().in_flight(word).map_or(0, |ring| ring.overdue(moment.get()))
    }

    /// Returns the number of all calls that were not admitted.
    pub(super) fn rejected_in_total(&self) -> u64 {
        self.totals(&self.locked()).rejected
    }

    fn totals(&self, locked: &Locked) -> Totals {
        let (successes, failures, slow) = self.window.totals();
        let mut totals = Totals { successes, failures, slow, ..Totals::default() };
        self.window.add_timing_to(&mut totals);
        if let Some(cold) = self.cold.get() {
            cold.timing.add_to(&mut totals);
            cold.ledger.add_to(&mut totals);
        }
        if let Some(counters) = locked.counters() {
            counters.add_to(&mut totals);
        }
        totals
    }
}

/// The evidence of an adaptive breaker, in the types of a snapshot.
pub(super) fn evidence(known: &Known, now: Tick) -> Evidence {
    let seconds = |time: f64| Duration::try_from_secs_f64(time.max(0.0)).unwrap_or(Duration::MAX);
    let now = now.0 as f64 / 1e9;
    Evidence {
        normal: known.normal,
        break_even: known.break_even,
        p95: known.p95.map(seconds),
        slow_limit: known.slow_limit.map(seconds),
        down: known.down,
        likeliest: known.likeliest,
        worth: known.worth,
        bad_calls_to_trip: known.bad_calls_to_trip,
        next_probe: known.probe_by.map(|probe_by| seconds(probe_by - now)),
        relapses: known.relapses,
        bad: known.bad,
        slow: known.slow,
        calls: known.calls,
    }
}
