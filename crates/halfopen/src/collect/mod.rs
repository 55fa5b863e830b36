//! Collects the breakers of a registry for exporters, dashboards and logs.

use std::fmt;
use std::sync::Arc;

mod cumulative;
mod history;
mod transitions;

pub use history::History;
pub use transitions::TransitionCount;

use cumulative::Cumulative;
use transitions::Transitions;

use crate::breaker::CircuitBreaker;
use crate::observe::{Snapshot, Subscription};
use crate::registry::Registry;
use crate::sync::{Mutex, lock};

/// Collects the breakers of a registry repeatedly. The basis of exporters of metrics.
///
/// Created by [`Registry::collector`]. Clones are cheap and share their state. It adds no cost to a call,
/// admitted or rejected: it subscribes only to transitions, and reads everything else in
/// [`collect`](Self::collect). It does not prevent the eviction of idle breakers.
///
/// # Examples
///
/// ```
/// use halfopen::Registry;
///
/// let registry = Registry::new();
/// let collector = registry.collector();
/// registry.get_or_create("payments").trip();
///
/// for breaker in collector.collect().breakers {
///     println!("{}, {} calls in total", breaker.snapshot, breaker.snapshot.totals.calls());
///     assert_eq!(breaker.transitions[0].reason, "manual");
/// }
/// ```
#[derive(Clone)]
pub struct Collector(Arc<Shared>);

struct Shared {
    registry: Registry,
    transitions: Arc<Transitions>,
    cumulative: Mutex<Cumulative>,
    _subscription: Subscription,
}

/// The breakers of a registry, as returned by [`Collector::collect`].
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Collection {
    /// All breakers, sorted by name.
    pub breakers: Vec<BreakerSample>,
    /// The names that were part of the previous collection and are not part of this one.
    pub gone: Vec<Arc<str>>,
    /// The number of new names for which the registry was full, so that their breakers are not part of it.
    pub overflowed: u64,
    /// The number of idle breakers that the registry has evicted.
    pub evicted: u64,
}

/// A breaker in a [`Collection`].
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct BreakerSample {
    /// The snapshot of the breaker, with the totals of its **name**.
    ///
    /// If a name comes back with a new breaker, its totals continue from those of the previous collection, so
    /// that no total decreases. Totals of removed names are kept for at least 1,000 names, or as many as there
    /// are breakers, whichever is more.
    pub snapshot: Snapshot,
    /// The number of transitions by states and reason, since the collector was created.
    ///
    /// Transitions that have happened come first. They are followed, with a count of zero, by those that the
    /// rules and the probes of the breaker can cause, so that the series of each exists before its first
    /// increase.
    pub transitions: Vec<TransitionCount>,
}

impl Registry {
    /// Returns a collector of all breakers of this registry, present and future.
    ///
    /// Its subscription ends when the last clone is dropped.
    pub fn collector(&self) -> Collector {
        let transitions = Arc::new(Transitions::default());
        Collector(Arc::new(Shared {
            registry: self.clone(),
            cumulative: Mutex::new(Cumulative::default()),
            _subscription: self.subscribe(Arc::clone(&transitions)),
            transitions,
        }))
    }
}

impl Collector {
    /// Takes a snapshot of every breaker, one after the other.
    pub fn collect(&self) -> Collection {
        let Shared { registry, transitions, cumulative, .. } = &*self.0;
        let mut cumulative = lock(cumulative);
        // Read before the breakers, so that a name that is counted here and not found among them is gone. In the
        // opposite order it could be a breaker that was created in between.
        let counted = transitions.names();
        cumulative.begin_round();
        let breakers =
            registry.breakers().iter().map(|breaker| self.sample(&mut cumulative, breaker)).collect();
        let gone = cumulative.end_round();
        counted.iter().filter(|name| !cumulative.knows(name)).for_each(|name| transitions.forget(name));
        let (overflowed, evicted) = registry.overflowed_and_evicted();
        Collection { breakers, gone, overflowed, evicted }
    }

    fn sample(&self, cumulative: &mut Cumulative, breaker: &CircuitBreaker) -> BreakerSample {
        let snapshot = breaker.snapshot();
        let totals = cumulative.carry(breaker, snapshot.totals);
        let transitions = self.0.transitions.of(breaker);
        BreakerSample { snapshot: Snapshot { totals, ..snapshot }, transitions }
    }
}

impl fmt::Debug for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Collector").field(&self.0.registry).finish()
    }
}
