use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use crate::sync::{Mutex, lock};
use crate::{CircuitBreaker, Event, Listener, State, StateChange};

/// How often one breaker went from one state to another for one reason.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct TransitionCount {
    /// The state it left.
    pub from: State,
    /// The state it entered.
    pub to: State,
    /// Why, as by [`StateChange::why`].
    pub reason: Cow<'static, str>,
    /// How often.
    pub count: u64,
}

/// Counts the changes of state it hears of, by breaker, states and reason.
#[derive(Default)]
pub(super) struct Transitions(Mutex<HashMap<Arc<str>, Vec<TransitionCount>>>);

impl Transitions {
    /// What was counted of the breaker with this name, in the order in which each first happened.
    pub(super) fn of(&self, name: &str) -> Vec<TransitionCount> {
        lock(&self.0).get(name).cloned().unwrap_or_default()
    }

    /// The breakers of which anything was counted.
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
        let same = |seen: &&mut TransitionCount| {
            seen.from == change.from && seen.to == change.to && seen.reason == reason
        };
        match counts.iter_mut().find(same) {
            Some(seen) => seen.count = seen.count.saturating_add(1),
            None => counts.push(TransitionCount { from: change.from, to: change.to, reason, count: 1 }),
        }
    }
}

impl Listener for Transitions {
    fn on_event(&self, _: &CircuitBreaker, event: &Event) {
        if let Event::StateChanged(change) = event {
            self.count(change);
        }
    }

    fn wants_rejections(&self) -> bool {
        false
    }
}
