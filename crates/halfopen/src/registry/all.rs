use std::sync::Arc;

use super::{Registry, RegistryStatus};
use crate::breaker::CircuitBreaker;
use crate::observe::{Event, Listener, Listeners, Snapshot, Subscription};
use crate::word::State;

/// What is asked of, or done to, all breakers.
impl Registry {
    /// All breakers, in the order of their names.
    pub fn breakers(&self) -> Vec<CircuitBreaker> {
        let mut all: Vec<_> = self.0.entries.pin().values().map(|entry| entry.breaker.clone()).collect();
        all.sort_by(|a, b| a.name().cmp(b.name()));
        all
    }

    /// How many breakers there are.
    pub fn len(&self) -> usize {
        self.0.entries.len()
    }

    /// True if there is no breaker.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How all breakers are: how many in each state, which are open, and a snapshot of each.
    pub fn status(&self) -> RegistryStatus {
        let (overflowed, evicted) = self.overflowed_and_evicted();
        let snapshots: Vec<Snapshot> = self.breakers().iter().map(CircuitBreaker::snapshot).collect();
        RegistryStatus::of(snapshots, overflowed, evicted)
    }

    /// Returns how many new names found no room so far, and how many breakers were evicted.
    pub(crate) fn overflowed_and_evicted(&self) -> (u64, u64) {
        let locked = self.0.locked();
        (locked.overflowed, locked.evicted)
    }

    /// True if a breaker rejects every call: it is open or forced open.
    pub fn any_open(&self) -> bool {
        self.0.entries.pin().values().any(|entry| rejects_every_call(&entry.breaker))
    }

    /// The breakers that reject every call (open or forced open), in the order of their names.
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

    /// Forgets now what [`idle_after`](crate::RegistryBuilder::idle_after) allows to forget, and says how many that were.
    ///
    /// The registry does this by itself when new names come; a program whose names come in waves can
    /// do it in between.
    pub fn evict_idle(&self) -> usize {
        let Some(idle) = self.0.idle else { return 0 };
        let map = self.0.entries.pin();
        let mut locked = self.0.locked();
        let evicted = self.0.sweep(&mut locked, idle, self.0.clock.now());
        drop(locked);
        drop(map);
        evicted
    }

    /// Lets a listener hear every breaker of this registry, those to come included, until the
    /// subscription is dropped.
    ///
    /// [`Listener::interest`] is called once.
    pub fn subscribe(&self, listener: impl Listener) -> Subscription {
        let subscriber = Listeners::subscriber(Box::new(listener));
        let map = self.0.entries.pin();
        let mut locked = self.0.locked();
        locked.subscribers.push(Arc::clone(&subscriber));
        for entry in map.values() {
            entry.breaker.inner().adopt(&subscriber);
        }
        drop(locked);
        Subscription::new(Arc::downgrade(&self.0), &subscriber)
    }

    /// The same as [`subscribe`](Self::subscribe), for closures.
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
