use std::sync::Arc;

use super::{Registry, RegistryStatus};
use crate::breaker::CircuitBreaker;
use crate::observe::{Event, Listener, Listeners, Snapshot, Subscription};
use crate::word::State;

/// Queries and operations on all breakers.
impl Registry {
    /// Returns all breakers, sorted by name.
    pub fn breakers(&self) -> Vec<CircuitBreaker> {
        let mut all: Vec<_> = self.0.entries.pin().values().map(|entry| entry.breaker.clone()).collect();
        all.sort_by(|a, b| a.name().cmp(b.name()));
        all
    }

    /// Returns the number of breakers.
    pub fn len(&self) -> usize {
        self.0.entries.len()
    }

    /// Returns true if the registry has no breakers.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the status of all breakers: the number in each state, the open ones, and a snapshot of each.
    pub fn status(&self) -> RegistryStatus {
        let (overflowed, evicted) = self.overflowed_and_evicted();
        let snapshots: Vec<Snapshot> = self.breakers().iter().map(CircuitBreaker::snapshot).collect();
        RegistryStatus::of(snapshots, overflowed, evicted)
    }

    /// Returns the number of new names that found the registry full, and the number of evicted breakers.
    pub(crate) fn overflowed_and_evicted(&self) -> (u64, u64) {
        let locked = self.0.locked();
        (locked.overflowed, locked.evicted)
    }

    /// Returns true if any breaker rejects every call: it is open or forced open.
    pub fn any_open(&self) -> bool {
        self.0.entries.pin().values().any(|entry| rejects_every_call(&entry.breaker))
    }

    /// Returns the breakers that reject every call (open or forced open), sorted by name.
    pub fn open_breakers(&self) -> Vec<CircuitBreaker> {
        let mut all = self.breakers();
        all.retain(rejects_every_call);
        all
    }

    /// Resets every breaker, as by [`CircuitBreaker::reset`].
    pub fn reset_all(&self) {
        for breaker in self.breakers() {
            breaker.reset();
        }
    }

    /// Evicts the breakers that are idle by [`idle_after`](crate::RegistryBuilder::idle_after), and returns their
    /// number.
    ///
    /// The registry evicts by itself when new names are used. A program whose new names come in bursts can call this
    /// method in between.
    pub fn evict_idle(&self) -> usize {
        let Some(idle) = self.0.idle else { return 0 };
        let map = self.0.entries.pin();
        let mut locked = self.0.locked();
        let evicted = self.0.sweep(&mut locked, idle, self.0.clock.now());
        // The lock before the guard of the map: evicted breakers, and with them user code, are dropped by the guard.
        drop(locked);
        drop(map);
        evicted
    }

    /// Subscribes a listener to the events of every breaker of this registry, including those that are created
    /// later, until the subscription is dropped.
    ///
    /// [`Listener::interest`] is called once.
    pub fn subscribe(&self, listener: impl Listener) -> Subscription {
        let subscriber = Listeners::subscriber(Box::new(listener));
        let map = self.0.entries.pin();
        // Held over the whole loop: a breaker that is created meanwhile gets the listener from `put`, once.
        let mut locked = self.0.locked();
        locked.subscribers.push(Arc::clone(&subscriber));
        for entry in map.values() {
            entry.breaker.inner().adopt(&subscriber);
        }
        drop(locked);
        Subscription::new(Arc::downgrade(&self.0), &subscriber)
    }

    /// Like [`subscribe`](Self::subscribe), for closures.
    pub fn on_event(&self, f: impl Fn(&CircuitBreaker, &Event) + Send + Sync + 'static) -> Subscription {
        self.subscribe(f)
    }
}

fn rejects_every_call(breaker: &CircuitBreaker) -> bool {
    match breaker.state() {
        State::Open | State::ForcedOpen => true,
        State::Closed | State::HalfOpen | State::Disabled | State::MetricsOnly => false,
    }
}
