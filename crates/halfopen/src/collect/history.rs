use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use crate::breaker::CircuitBreaker;
use crate::observe::{Event, Interest, Listener, StateChange};
use crate::registry::Registry;
use crate::sync::{Mutex, lock};

/// The last transitions, for an analysis after an incident.
///
/// Keeps a fixed number of transitions, each with its reasons and the counts at that moment. A new
/// transition replaces the oldest. Clones are cheap and share the history. It subscribes neither to calls
/// nor to rejections, so that it adds no cost to a call.
///
/// # Examples
///
/// ```
/// use halfopen::Registry;
///
/// let registry = Registry::new();
/// let history = registry.keep_history(1_000);
///
/// let payments = registry.get_or_create("payments");
/// payments.trip();
/// payments.reset();
///
/// for change in history.changes() {
///     println!("{:?} {}: {} -> {}, {}", change.at, change.name, change.from, change.to, change.why());
/// }
/// assert_eq!(history.changes_of("payments").len(), 2);
/// ```
#[derive(Clone)]
pub struct History(Arc<Ring>);

struct Ring {
    capacity: usize,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    changes: VecDeque<StateChange>,
    pushed_out: u64,
}

impl Registry {
    /// Returns a history of the last transitions of all breakers, present and future. Its capacity is `last`,
    /// and at least one.
    ///
    /// It is updated for as long as the registry lives. For a history of some of the breakers, use
    /// [`History::new`].
    pub fn keep_history(&self, last: usize) -> History {
        let history = History::new(last);
        self.subscribe(history.clone()).forget();
        history
    }
}

impl History {
    /// Creates an empty history with capacity `last`, and at least one. Subscribe it to breakers.
    pub fn new(last: usize) -> History {
        History(Arc::new(Ring { capacity: last.max(1), kept: Mutex::default() }))
    }

    /// Returns the transitions in the history, the oldest first.
    ///
    /// The transitions of one breaker are in their order. Those of different breakers are in the order in
    /// which they were delivered.
    pub fn changes(&self) -> Vec<StateChange> {
        lock(&self.0.kept).changes.iter().cloned().collect()
    }

    /// Returns the transitions of the breaker with this name, the oldest first.
    pub fn changes_of(&self, name: &str) -> Vec<StateChange> {
        let kept = lock(&self.0.kept);
        kept.changes.iter().filter(|change| &*change.name == name).cloned().collect()
    }

    /// Returns the number of transitions that were replaced by newer ones. If it is zero, the history is
    /// complete.
    pub fn pushed_out(&self) -> u64 {
        lock(&self.0.kept).pushed_out
    }
}

impl Listener for History {
    fn on_event(&self, _: &CircuitBreaker, event: &Event) {
        let Event::StateChanged(change) = event else { return };
        let mut kept = lock(&self.0.kept);
        if kept.changes.len() == self.0.capacity {
            kept.changes.pop_front();
            kept.pushed_out = kept.pushed_out.saturating_add(1);
        }
        kept.changes.push_back(change.clone());
    }

    fn interest(&self) -> Interest {
        Interest::CHANGES
    }
}

impl fmt::Debug for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("History")
            .field("capacity", &self.0.capacity)
            .field("len", &lock(&self.0.kept).changes.len())
            .finish_non_exhaustive()
    }
}
