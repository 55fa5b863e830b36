use crate::registry::Registry;
use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use crate::breaker::CircuitBreaker;
use crate::observe::{Event, Interest, Listener, StateChange};
use crate::sync::{Mutex, lock};

/// The last changes of state, for whoever asks afterwards what happened.
///
/// Cheap to clone; every clone is the same history. It keeps a fixed number of changes, each with its
/// reasons and the counts it was decided on; a new one pushes out the oldest. It hears neither calls
/// nor rejections: a call costs as much as without it.
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
    /// Remembers from now on the last changes of state of all breakers, those to come included, at most
    /// so many and at least one.
    ///
    /// It goes on as long as the registry lives. A history of some breakers alone is made with
    /// [`History::new`].
    pub fn keep_history(&self, last: usize) -> History {
        let history = History::new(last);
        self.subscribe(history.clone()).forget();
        history
    }
}

impl History {
    /// An empty history, to be subscribed to breakers; it keeps so many changes, at least one.
    pub fn new(last: usize) -> History {
        History(Arc::new(Ring { capacity: last.max(1), kept: Mutex::default() }))
    }

    /// What is remembered, the oldest first.
    ///
    /// The changes of one breaker are in their order; those of different breakers are in the order in
    /// which they were heard.
    pub fn changes(&self) -> Vec<StateChange> {
        lock(&self.0.kept).changes.iter().cloned().collect()
    }

    /// What is remembered of the breaker with this name, the oldest first.
    pub fn changes_of(&self, name: &str) -> Vec<StateChange> {
        let kept = lock(&self.0.kept);
        kept.changes.iter().filter(|change| &*change.name == name).cloned().collect()
    }

    /// How many changes have been pushed out by younger ones: if none, what is remembered is all there
    /// was.
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
