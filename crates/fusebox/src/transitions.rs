use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use crate::sync::{Mutex, lock};
use crate::{CircuitBreaker, Event, Listener, State, StateChange};

/// Counts the changes of state it hears of, by breaker, states and reason.
///
/// Cheap to clone; every clone counts into the same numbers. It begins with what happens after it
/// was subscribed, and hears neither calls nor rejections: a call costs as much as without it.
///
/// # Examples
///
/// ```
/// use fusebox::{Registry, State, Transitions};
///
/// let registry = Registry::new();
/// let transitions = Transitions::new();
/// registry.subscribe(transitions.clone()).forget();
///
/// registry.get_or_create("payments").trip();
///
/// let counted = transitions.of("payments");
/// assert_eq!((counted[0].from, counted[0].to), (State::Closed, State::Open));
/// assert_eq!((&*counted[0].reason, counted[0].count), ("manual", 1));
/// ```
#[derive(Clone, Default)]
pub struct Transitions(Arc<Mutex<HashMap<Arc<str>, Vec<TransitionCount>>>>);

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

impl Transitions {
    /// Nothing counted yet.
    pub fn new() -> Transitions {
        Transitions::default()
    }

    /// What was counted of the breaker with this name, in the order in which each first happened.
    pub fn of(&self, name: &str) -> Vec<TransitionCount> {
        lock(&self.0).get(name).cloned().unwrap_or_default()
    }

    /// The breakers of which anything was counted, in no order.
    pub fn names(&self) -> Vec<Arc<str>> {
        lock(&self.0).keys().cloned().collect()
    }

    /// Forgets what was counted of the breaker with this name.
    ///
    /// Nothing is forgotten by itself: who counts in a registry that evicts says when a name is gone.
    pub fn forget(&self, name: &str) {
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

impl fmt::Debug for Transitions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Transitions").field(&*lock(&self.0)).finish()
    }
}
