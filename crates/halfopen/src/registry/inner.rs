use std::sync::Arc;

use super::entry::{Entry, Idle, Origin};
use super::locked::Locked;
use super::name::{Name, Seeded};
use super::rules::Rules;
use crate::breaker::CircuitBreaker;
use crate::clock::{Clock, Tick};
use crate::config::CircuitBreakerConfig;
use crate::observe::{Event, Subscriber, Unsubscribe};
use crate::sync::{Mutex, MutexGuard, lock};

/// What all clones share.
pub(crate) struct Inner {
    pub(super) entries: papaya::HashMap<Name, Entry, Seeded>,
    pub(super) clock: Clock,
    capacity: usize,
    pub(super) idle: Option<Idle>,
    /// What the seeds of the breakers are computed from; [`None`] for random ones.
    seed: Option<u64>,
    /// Whoever adds, removes or configures holds this; no look-up of a present name does, and no
    /// user code runs under it. A guard of the map is taken before it, so that what the map lets
    /// go of is dropped after it.
    locked: Mutex<Locked>,
}

/// What a look-up finds.
pub(super) enum Found {
    Breaker(CircuitBreaker),
    Nothing,
    /// It is being evicted at this moment.
    Leaving,
}

/// The seed of the breaker of this name: FNV-1a, so that it is the same in every build and on every machine.
/// What follows mixes it well.
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
        Inner { entries: papaya::HashMap::with_hasher(Seeded::new()), clock, capacity, idle, seed, locked }
    }

    pub(super) fn locked(&self) -> MutexGuard<'_, Locked> {
        lock(&self.locked)
    }

    #[inline]
    pub(super) fn find(&self, name: &str) -> Found {
        let map = self.entries.pin();
        let Some(entry) = map.get(name) else { return Found::Nothing };
        // Cloned before the slot is asked: from here on an eviction sees that somebody holds it.
        let breaker = entry.breaker.clone();
        match self.idle {
            Some(idle) if !entry.touch(self.clock.now(), idle) => Found::Leaving,
            Some(_) | None => Found::Breaker(breaker),
        }
    }

    /// Makes the breaker of a name that was not there a moment ago.
    #[cold]
    pub(super) fn make(&self, name: &str) -> CircuitBreaker {
        let map = self.entries.pin();
        let mut locked = self.locked();
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
            // Nobody listens yet: it begins so.
            breaker.set_enabled(false);
        }
        let mut to_tell = Vec::new();
        if self.has_room(&mut locked) {
            self.put(&locked, breaker.clone(), Origin::Rules);
        } else {
            to_tell = locked.overflow(self.idle, self.clock.now());
        }
        drop(locked);
        drop(map);
        // They may call the registry: not under the lock.
        for subscriber in to_tell {
            subscriber.tell(&breaker, &Event::Overflowed { capacity: self.capacity });
        }
        breaker
    }

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

    /// Whether one more fits, after forgetting what may be forgotten.
    fn has_room(&self, locked: &mut Locked) -> bool {
        if let Some(idle) = self.idle {
            let now = self.clock.now();
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

    pub(super) fn sweep(&self, locked: &mut Locked, idle: Idle, now: Tick) -> usize {
        let map = self.entries.pin();
        let mut evicted = 0;
        locked.spare.clear();
        for (name, entry) in &map {
            let same = |config: &CircuitBreakerConfig| locked.rules.find(name.as_str()) == config;
            if entry.give_up(now, idle, locked.subscribers.len(), same) {
                map.remove(name);
                evicted += 1;
            } else if let Some(since) = entry.spare_since(now, locked.subscribers.len(), same) {
                locked.spare.push((Arc::clone(entry.breaker.inner().name()), since));
            }
        }
        // As many as new names may come before the next sweep, which looks at all again.
        locked.spare.sort_unstable_by_key(|&(_, since)| std::cmp::Reverse(since));
        let surplus = locked.spare.len().saturating_sub(self.entries.len() / Locked::SWEPT_PER_NAME + 1);
        locked.spare.drain(..surplus);
        locked.evicted = locked.evicted.saturating_add(evicted as u64);
        (locked.swept_at, locked.refused) = (now, 0);
        evicted
    }

    /// Forgets the longest unused of those that the last sweep found spare, and are so still.
    fn make_room(&self, locked: &mut Locked, now: Tick) -> bool {
        let map = self.entries.pin();
        while let Some((name, since)) = locked.spare.pop() {
            let Some(entry) = map.get(&*name) else { continue };
            let same = |config: &CircuitBreakerConfig| locked.rules.find(&name) == config;
            if entry.make_room(now, locked.subscribers.len(), same, since) {
                map.remove(&*name);
                locked.evicted = locked.evicted.saturating_add(1);
                return true;
            }
        }
        false
    }

    /// The breakers that a rule may be for, and it alone if the rule is for one name.
    pub(super) fn meant_by(&self, name_or_prefix: &str) -> Vec<CircuitBreaker> {
        let map = self.entries.pin();
        let mut meant: Vec<_> = match name_or_prefix.strip_suffix('*') {
            None => map.get(name_or_prefix).map(|entry| entry.breaker.clone()).into_iter().collect(),
            Some(prefix) => map
                .iter()
                .filter(|(name, _)| name.as_str().starts_with(prefix))
                .map(|(_, entry)| entry.breaker.clone())
                .collect(),
        };
        meant.sort_by(|a, b| a.name().cmp(b.name()));
        meant
    }

    /// Brings a breaker to the configuration that a rule gives it, if the rule that was set is the one
    /// that decides.
    pub(super) fn apply(&self, set: &str, breaker: &CircuitBreaker) {
        self.follow(breaker, |rules| rules.find_if(breaker.name(), set));
    }

    /// Brings a breaker to the configuration that is found in the rules, if any, and says whether it
    /// had another.
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
            // Its listeners are told: not under the lock. So somebody may have set another rule in
            // between, and may have been faster: then this one is not the last word.
            if breaker.config() != config {
                breaker.set_config(config);
                changed = true;
            }
            if self.locked().version == version {
                return changed;
            }
        }
    }

    /// Disables or enables a breaker as the rules say, and says whether that changed it.
    pub(super) fn follow_enabled(&self, breaker: &CircuitBreaker) -> bool {
        let mut changed = false;
        loop {
            let (enabled, version) = {
                let locked = self.locked();
                (locked.rules.is_enabled(breaker.name()), locked.version)
            };
            // As above: its listeners are told, so not under the lock.
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
