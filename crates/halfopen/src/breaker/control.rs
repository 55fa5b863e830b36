//! The operator's switch.

use std::time::Duration;

use crate::breaker::CircuitBreaker;
use crate::clock::{Moment, nanos};
use crate::state::Wait;
use crate::word::State;

impl CircuitBreaker {
    /// Opens the breaker with the usual wait, as if a rule had fired.
    ///
    /// In half-open it is as if a probe had failed. While open, and under an override, it does
    /// nothing.
    pub fn trip(&self) {
        self.open_by_hand(None);
    }

    /// Opens the breaker for this long from now, whatever wait is configured.
    ///
    /// While open it opens anew; under an override it does nothing. Zero is valid: the next call is
    /// a probe.
    pub fn open_for(&self, wait: Duration) {
        self.open_by_hand(Some(nanos(wait)));
    }

    /// Ends the wait of an open breaker: it is half-open now, and the next call is a probe.
    ///
    /// For a health check that has seen the dependency answer. The change is reported with the reason
    /// [`TripReason::Manual`](crate::TripReason::Manual). In every other state, an override included, it
    /// does nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// use halfopen::CircuitBreaker;
    ///
    /// let breaker = CircuitBreaker::builder("payments").build();
    /// breaker.trip();
    /// breaker.end_wait();
    /// assert!(breaker.is_half_open());
    ///
    /// breaker.try_acquire().unwrap().success();
    /// assert!(breaker.is_closed());
    /// ```
    pub fn end_wait(&self) {
        let now = self.inner().clock.now();
        self.transition(now, |locked, log, now| locked.machine.end_wait(now, log));
    }

    fn open_by_hand(&self, wait: Option<u64>) {
        let now = self.inner().clock.now();
        let plan = if wait.is_none() { self.plan_by_hand(now) } else { None };
        self.transition(now, |locked, log, now| {
            let counts = self.inner().window.counts(&Moment::at(&self.inner().clock, now));
            // What is due already comes first: the plan is for the visit that goes on.
            locked.machine.catch_up_wait(now, log);
            let planned = plan.filter(|plan| plan.epoch == locked.machine.epoch()).map(|plan| plan.wait);
            let length = wait.map_or(Wait::Usual { hint: None, planned }, Wait::Given);
            locked.machine.open_by_hand(length, counts, now, log);
        });
    }

    /// Rejects every call until [`force_closed`](Self::force_closed) or [`reset`](Self::reset).
    pub fn force_open(&self) {
        self.force(State::ForcedOpen);
    }

    /// Closes the breaker, with an empty window and the backoff forgotten, and takes away any override.
    pub fn force_closed(&self) {
        self.force(State::Closed);
    }

    /// Admits every call and remembers nothing but the lifetime totals.
    pub fn disable(&self) {
        self.force(State::Disabled);
    }

    /// Admits every call and goes on counting: what the rules would have done is told and counted.
    pub fn metrics_only(&self) {
        self.force(State::MetricsOnly);
    }

    /// Disables or enables the breaker as a configuration says, and says whether that changed anything.
    ///
    /// Unlike [`disable`](Self::disable) it is no operator's word: it disables only where there is no
    /// override, and enables only what it has disabled itself and no operator has set since, not even
    /// to disabled. It is what [`RegistryBuilder::enabled_for`](crate::RegistryBuilder::enabled_for) does.
    ///
    /// # Examples
    ///
    /// ```
    /// use halfopen::{CircuitBreaker, State};
    ///
    /// let breaker = CircuitBreaker::builder("payments").build();
    /// assert!(breaker.set_enabled(false));
    /// breaker.disable(); // by an operator now
    /// assert!(!breaker.set_enabled(true));
    /// assert_eq!(breaker.state(), State::Disabled);
    /// ```
    pub fn set_enabled(&self, enabled: bool) -> bool {
        let now = self.inner().clock.now();
        self.transition(now, |locked, log, now| {
            let before = locked.machine.state();
            let has_override = matches!(before, State::ForcedOpen | State::Disabled | State::MetricsOnly);
            if enabled != locked.is_disabled_by_rule() || (!enabled && has_override) {
                return false;
            }
            let counts = self.inner().window.counts(&Moment::at(&self.inner().clock, now));
            let state = if enabled { State::Closed } else { State::Disabled };
            locked.machine.force(state, counts, now, log);
            locked.set_disabled_by_rule(!enabled);
            true
        })
    }

    /// The same as [`force_closed`](Self::force_closed), and tells [`Event::Reset`](crate::Event::Reset).
    ///
    /// The lifetime totals stay.
    pub fn reset(&self) {
        let now = self.inner().clock.now();
        self.transition(now, |locked, log, now| {
            let counts = self.inner().window.counts(&Moment::at(&self.inner().clock, now));
            locked.machine.reset(counts, now, log);
            locked.set_disabled_by_rule(false);
        });
    }

    fn force(&self, state: State) {
        let now = self.inner().clock.now();
        self.transition(now, |locked, log, now| {
            let counts = self.inner().window.counts(&Moment::at(&self.inner().clock, now));
            locked.machine.force(state, counts, now, log);
            locked.set_disabled_by_rule(false);
        });
    }
}
