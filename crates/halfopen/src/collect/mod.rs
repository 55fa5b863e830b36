//! The collection of what exporters, dashboards and logs show of a registry.

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

/// Looks at a registry again and again: what exporters of metrics are made of.
///
/// Made by [`Registry::watch`]. Cheap to clone; every clone is the same watch. A call costs as much as
/// without it, admitted or rejected: it listens to changes of state alone, and reads the rest when
/// [`look`](Self::look) is called. Being watched keeps no breaker from being evicted.
///
/// # Examples
///
/// ```
/// use halfopen::Registry;
///
/// let registry = Registry::new();
/// let watch = registry.watch();
/// registry.get_or_create("payments").trip();
///
/// for breaker in watch.look().breakers {
///     println!("{}, {} calls since ever", breaker.snapshot, breaker.snapshot.totals.calls());
///     assert_eq!(breaker.transitions[0].reason, "manual");
/// }
/// ```
#[derive(Clone)]
pub struct Watch(Arc<Shared>);

struct Shared {
    registry: Registry,
    transitions: Arc<Transitions>,
    cumulative: Mutex<Cumulative>,
    _subscription: Subscription,
}

/// What one look at a registry has seen.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Sight {
    /// Every breaker, in the order of their names.
    pub breakers: Vec<Watched>,
    /// The names that the look before saw and this one does not.
    pub gone: Vec<Arc<str>>,
    /// How often a new name found the registry full and got a breaker outside it.
    pub overflowed: u64,
    /// How many breakers have been forgotten because nobody used them.
    pub evicted: u64,
}

/// One breaker, as a look has seen it.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Watched {
    /// The breaker at this moment, with the totals of its **name**.
    ///
    /// When a name comes back with a new breaker, its totals go on from what the look before the
    /// exchange saw: no total ever falls. (Of names that are gone, as many as there are breakers, and at
    /// least a thousand, are remembered for that.)
    pub snapshot: Snapshot,
    /// How often it went where and why, since the watch began.
    ///
    /// What has happened comes first. After it come, with a count of zero, the changes that its rules
    /// and its probes will make one day, so that a counter made of each begins before it grows.
    pub transitions: Vec<TransitionCount>,
}

impl Registry {
    /// Begins to watch the breakers of this registry, those to come included.
    ///
    /// It ends when the last clone of the watch is dropped.
    pub fn watch(&self) -> Watch {
        let transitions = Arc::new(Transitions::default());
        Watch(Arc::new(Shared {
            registry: self.clone(),
            cumulative: Mutex::new(Cumulative::default()),
            _subscription: self.subscribe(Arc::clone(&transitions)),
            transitions,
        }))
    }
}

impl Watch {
    /// Everything at this moment; each breaker's snapshot is of its own moment.
    pub fn look(&self) -> Sight {
        let Shared { registry, transitions, cumulative, .. } = &*self.0;
        let mut cumulative = lock(cumulative);
        // Before the breakers: a name that is counted by now and not among them is gone.
        let counted = transitions.names();
        cumulative.begin_round();
        let breakers =
            registry.breakers().iter().map(|breaker| self.watched(&mut cumulative, breaker)).collect();
        let gone = cumulative.end_round();
        counted.iter().filter(|name| !cumulative.knows(name)).for_each(|name| transitions.forget(name));
        let (overflowed, evicted) = registry.overflowed_and_evicted();
        Sight { breakers, gone, overflowed, evicted }
    }

    fn watched(&self, cumulative: &mut Cumulative, breaker: &CircuitBreaker) -> Watched {
        let snapshot = breaker.snapshot();
        let totals = cumulative.carry(breaker, snapshot.totals);
        let transitions = self.0.transitions.of(breaker);
        Watched { snapshot: Snapshot { totals, ..snapshot }, transitions }
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Watch").field(&self.0.registry).finish()
    }
}
