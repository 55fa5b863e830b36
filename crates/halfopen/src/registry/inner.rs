use std::sync::Arc;

use super::entry::{Entry, Idle, Origin};
use super::locked::Locked;
use super::name::{Name, Seeded};
use super::rules::Rules;
use crate::breaker::CircuitBreaker;
use crate::clock::{Clock, Tick};
use crate::config::CircuitBreakerConfig;
use crate::observe::{Event, Subscriber, Unsubscribe};
use crate::sync::{AtomicU64, Mutex, MutexGuard, Ordering, lock};

/// The state that all clones share.
pub(crate) struct Inner {
    pub(super) entries: papaya::HashMap<Name, Entry, Seeded>,
    pub(super) clock: Clock,
    capacity: usize,
    pub(super) idle: Option<Idle>,
    /// The seed from which the seeds of the breakers are computed, or [`None`] for random ones.
    seed: Option<u64>,
    /// Removals by name, after which a kept [`Lookup`](super::Lookup) is outdated. Evictions are not counted, as a
    /// registry that evicts gives none.
    pub(super) removals: AtomicU64,
    /// Held to add, remove or configure breakers; the look-up of a present name does not take it, and no
    /// user code runs under it. A guard of the map is always taken before the lock, so that entries that
    /// the map releases, and user code in them, are dropped after the lock.
    locked: Mutex<Locked>,
}

/// The result of a look-up.
pub(super) enum Found {
    Breaker(CircuitBreaker),
    Nothing,
    /// The breaker is being evicted by another thread.
    Leaving,
}

/// Computes the seed of the breaker of this name.
// FNV-1a, because it is the same in every build and on every machine. It mixes poorly, but the jitter hashes the
// result once more.
fn seed_of(seed: u64, name: &str) -> u64 {
    let basis = 0xcbf2_9ce4_8422_2325 ^ seed;
    name.bytes().fold(basis, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

impl Found {
    pub(super) fn breaker(self) -> Option<CircuitBreaker> {
        match self {
            Found::Breaker(breaker) => Some(breaker),
            Found::Nothing | Found::Leaving => None,
        }
    }
}

impl Inner {
    pub(super) fn new(
        rules: Rules,
        capacity: usize,
        idle: Option<Idle>,
        clock: Clock,
        seed: Option<u64>,
    ) -> Inner {
        let locked = Mutex::new(Locked::new(rules, clock.now()));
        let entries = papaya::HashMap::with_hasher(Seeded::new());
        Inner { entries, clock, capacity, idle, seed, removals: AtomicU64::new(0), locked }
    }

    /// Notes that a breaker was removed by name. Called after the removal.
    pub(super) fn note_removal(&self) {
        // Release, paired with the Acquire in `Lookup`: a thread that sees the count finds the name removed.
        self.removals.fetch_add(1, Ordering::Release);
    }

    pub(super) fn locked(&self) -> MutexGuard<'_, Locked> {
        lock(&self.locked)
    }

    #[inline]
    pub(super) fn find(&self, name: &str) -> Found {
        let map = self.entries.pin();
        let Some(entry) = map.get(name) else { return Found::Nothing };
        // Cloned before the entry is touched: from here on an eviction sees the handle.
        let breaker = entry.breaker.clone();
        match self.idle {
            Some(idle) if !entry.touch(self.clock.now(), idle) => Found::Leaving,
            Some(_) | None => Found::Breaker(breaker),
        }
    }

    /// Creates the breaker of a name that a look-up did not find.
    #[cold]
    pub(super) fn create_slow(&self, name: &str) -> CircuitBreaker {
        let map = self.entries.pin();
        let mut locked = self.locked();
        // Another thread may have created it before this one took the lock.
        if let Found::Breaker(breaker) = self.find(name) {
            return breaker;
        }
        let config = locked.rules.find(name).clone();
        let mut builder = CircuitBreaker::builder(name).config(config).clock(self.clock.clone());
        if let Some(seed) = self.seed {
            builder = builder.seed(seed_of(seed, name));
        }
        let breaker = builder.build();
        if !locked.rules.is_enabled(name) {
            // Before it has listeners: its initial state is not reported as a change.
            breaker.set_enabled(false);
        }
        let mut to_notify = Vec::new();
        if self.has_room(&mut locked) {
            self.put(&locked, breaker.clone(), Origin::Rules);
        } else {
            to_notify = locked.overflow(self.idle, self.clock.now());
        }
        drop(locked);
        drop(map);
        // Not under the lock, as a listener may call the registry.
        for subscriber in to_notify {
            subscriber.notify(&breaker, &Event::Overflowed { capacity: self.capacity });
        }
        breaker
    }

    /// Inserts a breaker. The guard of the lock shows that no other thread subscribes or inserts in between.
    pub(super) fn put(&self, locked: &Locked, breaker: CircuitBreaker, origin: Origin) {
        for subscriber in &locked.subscribers {
            breaker.inner().adopt(subscriber);
        }
        let name = Name::of(&breaker);
        self.entries.pin().insert(name, Entry::new(breaker, origin, self.clock.now()));
    }

    fn is_full(&self) -> bool {
        self.entries.len() >= self.capacity
    }

    /// Returns whether there is room for one more breaker, after evicting those that can be evicted.
    fn has_room(&self, locked: &mut Locked) -> bool {
        if let Some(idle) = self.idle {
            let now = self.clock.now();
            // The list of the last sweep first: it costs a look at a few breakers where a sweep looks at all.
            if self.is_full() && self.make_room(locked, now) {
                return true;
            }
            locked.refused += usize::from(self.is_full());
            if locked.sweep_is_due(idle, now, self.is_full(), self.entries.len()) {
                self.sweep(locked, idle, now);
                if self.is_full() {
                    self.make_room(locked, now);
                }
            }
        }
        !self.is_full()
    }

    /// Examines every breaker: evicts the idle ones, and lists those that can be evicted if room is needed.
    pub(super) fn sweep(&self, locked: &mut Locked, idle: Idle, now: Tick) -> usize {
        let map = self.entries.pin();
        let mut evicted = 0;
        locked.spare.clear();
        for (name, entry) in &map {
            let same = |config: &CircuitBreakerConfig| locked.rules.find(name.as_str()) == config;
            if entry.evict_if_idle(now, idle, locked.subscribers.len(), same) {
                map.remove(name);
                evicted += 1;
            } else if let Some(since) = entry.spare_since(now, locked.subscribers.len(), same) {
                locked.spare.push((Arc::clone(entry.breaker.inner().name()), since));
            }
        }
        // No more than the number of new names before the next sweep, so the list stays small. The least recently
        // used come last, where `pop` takes them.
        locked.spare.sort_unstable_by_key(|&(_, since)| std::cmp::Reverse(since));
        let surplus = locked.spare.len().saturating_sub(self.entries.len() / Locked::SWEPT_PER_NAME + 1);
        locked.spare.drain(..surplus);
        locked.evicted = locked.evicted.saturating_add(evicted as u64);
        (locked.swept_at, locked.refused) = (now, 0);
        evicted
    }

    /// Evicts the least recently used of the breakers that the last sweep listed and that can still be evicted.
    fn make_room(&self, locked: &mut Locked, now: Tick) -> bool {
        let map = self.entries.pin();
        while let Some((name, since)) = locked.spare.pop() {
            // It may have been removed by hand since the sweep.
            let Some(entry) = map.get(&*name) else { continue };
            let same = |config: &CircuitBreakerConfig| locked.rules.find(&name) == config;
            if entry.evict_if_spare(now, locked.subscribers.len(), same, since) {
                map.remove(&*name);
                locked.evicted = locked.evicted.saturating_add(1);
                return true;
            }
        }
        false
    }

    /// Returns the breakers to whose names a rule applies, sorted by name.
    pub(super) fn matching(&self, name_or_prefix: &str) -> Vec<CircuitBreaker> {
        let map = self.entries.pin();
        let mut matching: Vec<_> = match name_or_prefix.strip_suffix('*') {
            None => map.get(name_or_prefix).map(|entry| entry.breaker.clone()).into_iter().collect(),
            Some(prefix) => map
                .iter()
                .filter(|(name, _)| name.as_str().starts_with(prefix))
                .map(|(_, entry)| entry.breaker.clone())
                .collect(),
        };
        // The order of the map depends on its secret seed, and the order of notifications must be the same in each
        // run.
        matching.sort_by(|a, b| a.name().cmp(b.name()));
        matching
    }

    /// Applies the rule `set` to a breaker, unless a rule of higher precedence applies to its name.
    pub(super) fn apply(&self, set: &str, breaker: &CircuitBreaker) {
        self.follow(breaker, |rules| rules.find_if(breaker.name(), set));
    }

    /// Applies the configuration that `find` returns from the rules, if any, and returns whether it differed from the
    /// current one.
    pub(super) fn follow(
        &self,
        breaker: &CircuitBreaker,
        find: impl Fn(&Rules) -> Option<&CircuitBreakerConfig>,
    ) -> bool {
        let mut changed = false;
        loop {
            let (config, version) = {
                let locked = self.locked();
                let Some(config) = find(&locked.rules) else { return changed };
                (config.clone(), locked.version)
            };
            // Not under the lock, as its listeners are notified. Another thread may therefore set another rule in
            // between and apply it first; the version shows that, and the loop applies the newer rule.
            if breaker.config() != config {
                breaker.set_config(config);
                changed = true;
            }
            if self.locked().version == version {
                return changed;
            }
        }
    }

    /// Disables or enables a breaker by the rules, and returns whether that changed it.
    pub(super) fn follow_enabled(&self, breaker: &CircuitBreaker) -> bool {
        let mut changed = false;
        loop {
            let (enabled, version) = {
                let locked = self.locked();
                (locked.rules.is_enabled(breaker.name()), locked.version)
            };
            // Not under the lock, for the same reason as in `follow`.
            changed |= breaker.set_enabled(enabled);
            if self.locked().version == version {
                return changed;
            }
        }
    }
}

impl Unsubscribe for Inner {
    fn unsubscribe(&self, subscriber: Arc<Subscriber>) {
        let map = self.entries.pin();
        let mut locked = self.locked();
        locked.subscribers.retain(|other| !Arc::ptr_eq(other, &subscriber));
        for entry in map.values() {
            entry.breaker.inner().remove(&subscriber);
        }
    }
}
