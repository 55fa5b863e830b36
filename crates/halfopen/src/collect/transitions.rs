use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use crate::breaker::CircuitBreaker;
use crate::config::TripKind;
use crate::observe::{Event, Interest, Listener, PROBES_PASSED, StateChange, WAIT_OVER};
use crate::reason::TripReason;
use crate::sync::{Mutex, lock};
use crate::word::State;

/// The number of transitions of a breaker between two states for one reason.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct TransitionCount {
    /// The state it left.
    pub from: State,
    /// The state it entered.
    pub to: State,
    /// The reason, as returned by [`StateChange::why`].
    pub reason: Cow<'static, str>,
    /// The number of transitions. Zero for one that has not happened yet.
    pub count: u64,
}

/// Counts the transitions of all breakers, by breaker, states and reason.
#[derive(Default)]
pub(super) struct Transitions(Mutex<HashMap<Arc<str>, Vec<TransitionCount>>>);

impl Transitions {
    /// Returns the counts of a breaker in the order in which each transition first happened, followed by the
    /// transitions that are expected of it, with a count of zero.
    ///
    /// Without the zeros a series would begin at one, and a query for its increase would miss the first
    /// transition.
    pub(super) fn of(&self, breaker: &CircuitBreaker) -> Vec<TransitionCount> {
        let mut counts = lock(&self.0).get(breaker.name()).cloned().unwrap_or_default();
        for (from, to, reason) in expected(breaker) {
            if !counts.iter().any(|seen| seen.is(from, to, reason)) {
                counts.push(TransitionCount { from, to, reason: Cow::Borrowed(reason), count: 0 });
            }
        }
        counts
    }

    /// Returns the names of the breakers with counts.
    pub(super) fn names(&self) -> Vec<Arc<str>> {
        lock(&self.0).keys().cloned().collect()
    }

    pub(super) fn forget(&self, name: &str) {
        lock(&self.0).remove(name);
    }

    fn count(&self, change: &StateChange) {
        let reason = change.why();
        let mut all = lock(&self.0);
        let counts = all.entry(Arc::clone(&change.name)).or_default();
        match counts.iter_mut().find(|seen| seen.is(change.from, change.to, &reason)) {
            Some(seen) => seen.count = seen.count.saturating_add(1),
            None => counts.push(TransitionCount { from: change.from, to: change.to, reason, count: 1 }),
        }
    }
}

impl TransitionCount {
    fn is(&self, from: State, to: State, reason: &str) -> bool {
        self.from == from && self.to == to && self.reason == reason
    }
}

/// Returns the transitions that a breaker can make without an operator, one for each reason.
fn expected(breaker: &CircuitBreaker) -> Vec<(State, State, &'static str)> {
    let config = breaker.config();
    let rules = config.trip().iter().map(|rule| reason_of(rule.kind()));
    let own = breaker.inner().custom().first().map(|_| TripReason::Custom);
    let opens = rules.chain(own).map(|reason| (State::Closed, State::Open, reason.as_str()));
    let recovers = [
        (State::Open, State::HalfOpen, WAIT_OVER),
        (State::HalfOpen, State::Closed, PROBES_PASSED),
        (State::HalfOpen, State::Open, TripReason::ProbeFailed.as_str()),
        (State::HalfOpen, State::Open, TripReason::ProbeTimedOut.as_str()),
    ];
    opens.chain(recovers).collect()
}

fn reason_of(rule: TripKind) -> TripReason {
    match rule {
        TripKind::ConsecutiveFailures { .. } => TripReason::ConsecutiveFailures,
        TripKind::FailureCount { .. } => TripReason::FailureCount,
        TripKind::FailureRate { .. } => TripReason::FailureRate,
        TripKind::SlowCallRate { .. } => TripReason::SlowCallRate,
    }
}

impl Listener for Transitions {
    fn on_event(&self, _: &CircuitBreaker, event: &Event) {
        if let Event::StateChanged(change) = event {
            self.count(change);
        }
    }

    fn interest(&self) -> Interest {
        Interest::CHANGES
    }
}
