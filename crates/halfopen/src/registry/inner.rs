use std::sync::Arc;

use super::desk::Desk;
use super::name::{Name, Seeded};
use super::rules::Rules;
use super::slot::{Idle, Origin, Slot};
use crate::clock::Tick;
use crate::listeners::Ear;
use crate::sync::{Mutex, MutexGuard, lock};
use crate::{CircuitBreaker, CircuitBreakerConfig, Clock, Event};

/// What all clones share.
pub(crate) struct Inner {
    pub(super) slots: papaya::HashMap<Name, Slot, Seeded>,
    pub(super) clock: Clock,
    capacity: usize,
    pub(super) idle: Option<Idle>,
    /// What the seeds of the breakers are computed from; [`None`] for random ones.
    seed: Option<u64>,
    /// Whoever adds, removes or configures holds this; no look-up of a present name does, and no
    /// user code runs under it. A guard of the map is taken before it, so that what the map lets
    /// go of is dropped after it.
    desk: Mutex<Desk>,
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
        let desk = Mutex::new(Desk::new(rules, clock.now()));
        Inner { slots: papaya::HashMap::with_hasher(Seeded::new()), clock, capacity, idle, seed, desk }
    }

    pub(super) fn desk(&self) -> MutexGuard<'_, Desk> {
        lock(&self.desk)
    }

    #[inline]
    pub(super) fn find(&self, name: &str) -> Found {
        let map = self.slots.pin();
        let Some(slot) = map.get(name) else { return Found::Nothing };
        // Cloned before the slot is asked: from here on an eviction sees that somebody holds it.
        let breaker = slot.breaker.clone();
        match self.idle {
            Some(idle) if !slot.touch(self.clock.now(), idle) => Found::Leaving,
            Some(_) | None => Found::Breaker(breaker),
        }
    }

    /// Makes the breaker of a name that was not there a moment ago.
    #[cold]
    pub(super) fn make(&self, name: &str) -> CircuitBreaker {
        let map = self.slots.pin();
        let mut desk = self.desk();
        if let Found::Breaker(breaker) = self.find(name) {
            return breaker;
        }
        let config = desk.rules.find(name).clone();
        let mut builder = CircuitBreaker::builder(name).config(config).clock(self.clock.clone());
        if let Some(seed) = self.seed {
            builder = builder.seed(seed_of(seed, name));
        }
        let breaker = builder.build();
        if !desk.rules.is_enabled(name) {
            // Nobody listens yet: it begins so.
            breaker.set_enabled(false);
        }
        let mut to_tell = Vec::new();
        if self.has_room(&mut desk) {
            self.put(&desk, breaker.clone(), Origin::Rules);
        } else {
            to_tell = desk.overflow(self.idle, self.clock.now());
        }
        drop(desk);
        drop(map);
        // They may call the registry: not under the lock.
        for ear in to_tell {
            ear.tell(&breaker, &Event::Overflowed { capacity: self.capacity });
        }
        breaker
    }

    pub(super) fn put(&self, desk: &Desk, breaker: CircuitBreaker, origin: Origin) {
        for ear in &desk.ears {
            breaker.inner().adopt(ear);
        }
        let name = Name::of(&breaker);
        self.slots.pin().insert(name, Slot::new(breaker, origin, self.clock.now()));
    }

    fn is_full(&self) -> bool {
        self.slots.len() >= self.capacity
    }

    /// Whether one more fits, after forgetting what may be forgotten.
    fn has_room(&self, desk: &mut Desk) -> bool {
        if let Some(idle) = self.idle {
            let now = self.clock.now();
            if self.is_full() && self.make_room(desk, now) {
                return true;
            }
            desk.refused += usize::from(self.is_full());
            if desk.sweep_is_due(idle, now, self.is_full(), self.slots.len()) {
                self.sweep(desk, idle, now);
                if self.is_full() {
                    self.make_room(desk, now);
                }
            }
        }
        !self.is_full()
    }

    pub(super) fn sweep(&self, desk: &mut Desk, idle: Idle, now: Tick) -> usize {
        let map = self.slots.pin();
        let mut evicted = 0;
        desk.spare.clear();
        for (name, slot) in &map {
            let same = |config: &CircuitBreakerConfig| desk.rules.find(name.as_str()) == config;
            if slot.give_up(now, idle, desk.ears.len(), same) {
                map.remove(name);
                evicted += 1;
            } else if let Some(since) = slot.spare_since(now, desk.ears.len(), same) {
                desk.spare.push((Arc::clone(slot.breaker.inner().name()), since));
            }
        }
        // As many as new names may come before the next sweep, which looks at all again.
        desk.spare.sort_unstable_by_key(|&(_, since)| std::cmp::Reverse(since));
        let surplus = desk.spare.len().saturating_sub(self.slots.len() / Desk::SWEPT_PER_NAME + 1);
        desk.spare.drain(..surplus);
        desk.evicted = desk.evicted.saturating_add(evicted as u64);
        (desk.swept_at, desk.refused) = (now, 0);
        evicted
    }

    /// Forgets the longest unused of those that the last sweep found spare, and are so still.
    fn make_room(&self, desk: &mut Desk, now: Tick) -> bool {
        let map = self.slots.pin();
        while let Some((name, since)) = desk.spare.pop() {
            let Some(slot) = map.get(&*name) else { continue };
            let same = |config: &CircuitBreakerConfig| desk.rules.find(&name) == config;
            if slot.make_room(now, desk.ears.len(), same, since) {
                map.remove(&*name);
                desk.evicted = desk.evicted.saturating_add(1);
                return true;
            }
        }
        false
    }

    /// The breakers that a rule may be for, and it alone if the rule is for one name.
    pub(super) fn meant_by(&self, name_or_prefix: &str) -> Vec<CircuitBreaker> {
        let map = self.slots.pin();
        let mut meant: Vec<_> = match name_or_prefix.strip_suffix('*') {
            None => map.get(name_or_prefix).map(|slot| slot.breaker.clone()).into_iter().collect(),
            Some(prefix) => map
                .iter()
                .filter(|(name, _)| name.as_str().starts_with(prefix))
                .map(|(_, slot)| slot.breaker.clone())
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
                let desk = self.desk();
                let Some(config) = find(&desk.rules) else { return changed };
                (config.clone(), desk.version)
            };
            // Its listeners are told: not under the lock. So somebody may have set another rule in
            // between, and may have been faster: then this one is not the last word.
            if breaker.config() != config {
                breaker.set_config(config);
                changed = true;
            }
            if self.desk().version == version {
                return changed;
            }
        }
    }

    /// Disables or enables a breaker as the rules say, and says whether that changed it.
    pub(super) fn follow_enabled(&self, breaker: &CircuitBreaker) -> bool {
        let mut changed = false;
        loop {
            let (enabled, version) = {
                let desk = self.desk();
                (desk.rules.is_enabled(breaker.name()), desk.version)
            };
            // As above: its listeners are told, so not under the lock.
            changed |= breaker.set_enabled(enabled);
            if self.desk().version == version {
                return changed;
            }
        }
    }

    pub(crate) fn unsubscribe(&self, ear: &Arc<Ear>) {
        let map = self.slots.pin();
        let mut desk = self.desk();
        desk.ears.retain(|other| !Arc::ptr_eq(other, ear));
        for slot in map.values() {
            slot.breaker.inner().unsubscribe(ear);
        }
    }
}
