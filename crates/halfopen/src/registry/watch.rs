use std::fmt;
use std::sync::Arc;

use super::Registry;
use super::carried::Carried;
use super::transitions::{TransitionCount, Transitions};
use crate::Subscription;
use crate::sync::{Mutex, lock};
use crate::{CircuitBreaker, Snapshot};

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
    carried: Mutex<Carried>,
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
            carried: Mutex::new(Carried::default()),
            _subscription: self.subscribe(Arc::clone(&transitions)),
            transitions,
        }))
    }
}

impl Watch {
    /// Everything at this moment; each breaker's snapshot is of its own moment.
    pub fn look(&self) -> Sight {
        let Shared { registry, transitions, carried, .. } = &*self.0;
        let mut carried = lock(carried);
        // Before the breakers: a name that is counted by now and not among them is gone.
        let counted = transitions.names();
        carried.begin_round();
        let breakers =
            registry.breakers().iter().map(|breaker| self.watched(&mut carried, breaker)).collect();
        let gone = carried.end_round();
        counted.iter().filter(|name| !carried.knows(name)).for_each(|name| transitions.forget(name));
        let desk = registry.0.desk();
        Sight { breakers, gone, overflowed: desk.overflowed, evicted: desk.evicted }
    }

    fn watched(&self, carried: &mut Carried, breaker: &CircuitBreaker) -> Watched {
        let snapshot = breaker.snapshot();
        let totals = carried.carry(breaker, snapshot.totals);
        let transitions = self.0.transitions.of(breaker);
        Watched { snapshot: Snapshot { totals, ..snapshot }, transitions }
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Watch").field(&self.0.registry).finish()
    }
}
