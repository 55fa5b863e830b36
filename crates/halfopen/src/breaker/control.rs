//! The controls of an operator, a health check or a fleet.

use std::time::Duration;

use crate::breaker::CircuitBreaker;
use crate::clock::{Moment, nanos};
use crate::reason::TripReason;
use crate::state::Wait;
use crate::word::State;

impl CircuitBreaker {
    /// Opens the breaker for the configured wait, as if a rule had fired.
    ///
    /// In half-open it has the effect of a failed probe. While the breaker is open, and under an override, it has
    /// no effect.
    pub fn trip(&self) {
        self.open_by_hand(TripReason::Manual, None);
    }

    /// Opens the breaker for `wait` from now, regardless of the configured wait.
    ///
    /// While the breaker is open, a new opening begins. Under an override it has no effect. A `wait` of zero is
    /// valid: the next call is a probe.
    pub fn open_for(&self, wait: Duration) {
        self.open_by_hand(TripReason::Manual, Some(nanos(wait)));
    }

    /// Ends the wait of an open breaker: it becomes half-open, and the next call is a probe.
    ///
    /// Intended for a health check that has found the dependency healthy. The change is reported with the reason
    /// [`TripReason::Manual`](crate::TripReason::Manual). In every other state, an override included, it
    /// has no effect.
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
        self.end_wait_by(TripReason::Manual);
    }

    /// Ends the wait for this reason.
    pub(crate) fn end_wait_by(&self, by: TripReason) {
        let now = self.inner().clock.now();
        self.transition(now, |locked, log, now| locked.machine.end_wait(by, now, log));
    }

    /// Opens the breaker for this reason, for the configured wait if none is given.
    pub(crate) fn open_by_hand(&self, by: TripReason, wait: Option<u64>) {
        let now = self.inner().clock.now();
        // Before the lock, because it may call the user's function. A given wait needs no plan.
        let plan = if wait.is_none() { self.plan_by_hand(now) } else { None };
        self.transition(now, |locked, log, now| {
            // The machine does not know the window, and a change reports the counts of the visit that it ends.
            let counts = self.inner().counts(&Moment::at(&self.inner().clock, now));
            // Transitions that are already due come first: the plan is for the visit that they lead to.
            locked.machine.catch_up_wait(now, log);
            let planned = plan.filter(|plan| plan.epoch == locked.machine.epoch()).map(|plan| plan.wait);
            let length = wait.map_or(Wait::Configured { hint: None, planned }, Wait::Given);
            locked.machine.open_by_hand(by, length, counts, now, log);
        });
    }

    /// Rejects every call until [`force_closed`](Self::force_closed) or [`reset`](Self::reset).
    pub fn force_open(&self) {
        self.force(State::ForcedOpen);
    }

    /// Closes the breaker with an empty window and a reset backoff, and removes any override.
    pub fn force_closed(&self) {
        self.force(State::Closed);
    }

    /// Admits every call and records nothing but the lifetime totals.
    pub fn disable(&self) {
        self.force(State::Disabled);
    }

    /// Admits every call and keeps recording: the openings that the rules would have caused are counted and
    /// reported, but not carried out.
    pub fn metrics_only(&self) {
        self.force(State::MetricsOnly);
    }

    /// Disables or enables the breaker on behalf of a configuration, and returns whether anything changed.
    ///
    /// Unlike [`disable`](Self::disable), this method never overrules an operator. It disables the breaker only
    /// if there is no override, and it enables only a breaker that it has disabled itself and that no operator has
    /// set since, not even to disabled.
    /// [`RegistryBuilder::enabled_for`](crate::RegistryBuilder::enabled_for) uses it.
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
            // Enabling requires that the configuration has disabled the breaker, disabling that it has not and that
            // no operator has set an override.
            if enabled != locked.is_disabled_by_rule() || (!enabled && has_override) {
                return false;
            }
            let counts = self.inner().counts(&Moment::at(&self.inner().clock, now));
            let state = if enabled { State::Closed } else { State::Disabled };
            locked.machine.force(state, counts, now, log);
            // Remembers whose override it is: one of an operator is never ended by a configuration.
            locked.set_disabled_by_rule(!enabled);
            true
        })
    }

    /// Like [`force_closed`](Self::force_closed), and also reports [`Event::Reset`](crate::Event::Reset).
    ///
    /// The lifetime totals are kept.
    pub fn reset(&self) {
        let now = self.inner().clock.now();
        self.transition(now, |locked, log, now| {
            let counts = self.inner().counts(&Moment::at(&self.inner().clock, now));
            locked.machine.reset(counts, now, log);
            // From here on the state is the operator's, and a configuration leaves it alone.
            locked.set_disabled_by_rule(false);
        });
    }

    fn force(&self, state: State) {
        let now = self.inner().clock.now();
        self.transition(now, |locked, log, now| {
            let counts = self.inner().counts(&Moment::at(&self.inner().clock, now));
            locked.machine.force(state, counts, now, log);
            locked.set_disabled_by_rule(false);
        });
    }
}
