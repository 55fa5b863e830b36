use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::task::Waker;

use foldhash::fast::RandomState;

use super::super::gcra::Pace;
#[cfg(feature = "tokio")]
use super::super::meter::Meter;
use super::super::meter::{Refused, take};
use super::super::quota::Quota;
use crate::sync::{AtomicU64, Ordering};

/// A part of the keys, with room for so many.
///
/// The entries are in a row, so that a hand can go round them: each new key looks at a few, and drops
/// those that are idle.
pub(super) struct Shard {
    room: usize,
    index: HashMap<Arc<str>, usize, RandomState>,
    entries: Vec<Entry>,
    hand: usize,
    evicted: u64,
}

struct Entry {
    key: Arc<str>,
    rate: Rate,
}

/// The quota of a key; a queue for it is allocated when a call waits first.
enum Rate {
    Plain {
        arrival: AtomicU64,
        pace: Pace,
    },
    #[cfg(feature = "tokio")]
    Queued(Arc<Meter>),
}

pub(super) enum Answer {
    Permitted,
    Refused { key: Arc<str>, nanos: Refused },
}

/// Entries that a new key looks at: more than one, so that idle keys go faster than new ones come.
const LOOKED_AT: usize = 2;
/// Entries that it looks at where there is no room for it.
const LOOKED_AT_WHEN_FULL: usize = 16;

impl Shard {
    pub(super) fn new(room: usize) -> Shard {
        Shard { room, index: HashMap::default(), entries: Vec::new(), hand: 0, evicted: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn evicted(&self) -> u64 {
        self.evicted
    }

    /// Takes calls of a known key.
    pub(super) fn try_take(&self, key: &str, now: u64, calls: u32) -> Option<Answer> {
        let entry = &self.entries[*self.index.get(key)?];
        Some(match entry.try_take(now, calls) {
            Ok(()) => Answer::Permitted,
            Err(nanos) => Answer::Refused { key: Arc::clone(&entry.key), nanos },
        })
    }

    /// Makes a key known.
    pub(super) fn add(&mut self, key: &str, pace: Pace, now: u64) {
        if self.index.contains_key(key) {
            return;
        }
        self.make_room(now);
        let key: Arc<str> = key.into();
        self.index.insert(Arc::clone(&key), self.entries.len());
        self.entries.push(Entry { key, rate: Rate::Plain { arrival: AtomicU64::new(0), pace } });
    }

    /// Returns the stored key, if it is known.
    #[cfg(feature = "tokio")]
    pub(super) fn key(&self, key: &str) -> Option<Arc<str>> {
        self.index.get_key_value(key).map(|(key, _)| Arc::clone(key))
    }

    /// Returns the queue of a key, which becomes known.
    #[cfg(feature = "tokio")]
    pub(super) fn meter(&mut self, key: &str, quota: Quota, now: u64) -> Arc<Meter> {
        self.add(key, quota.pace(), now);
        // A queue is made for a key only when a call waits for it; it starts where the plain key stood.
        let entry = &mut self.entries[self.index[key]];
        let arrival = match &entry.rate {
            // Relaxed: the shard is locked for writing here, which orders every change before it.
            Rate::Plain { arrival, .. } => arrival.load(Ordering::Relaxed),
            Rate::Queued(meter) => return Arc::clone(meter),
        };
        let meter = Arc::new(Meter::starting_at(quota, arrival));
        entry.rate = Rate::Queued(Arc::clone(&meter));
        meter
    }

    /// Returns how many calls wait for their turn.
    pub(super) fn waiting(&self) -> usize {
        self.entries.iter().map(Entry::waiting).sum()
    }

    /// Replaces the quota of a key. The wakers are called by the caller, after the lock.
    #[must_use = "waiters have other turns now"]
    pub(super) fn set_quota(&mut self, key: &str, quota: Quota, now: u64) -> Vec<Waker> {
        match self.index.get(key) {
            Some(place) => self.entries[*place].set_quota(quota, now),
            None => Vec::new(),
        }
    }

    /// Replaces the quota of all keys but those that have their own; as [`set_quota`](Self::set_quota).
    #[must_use = "waiters have other turns now"]
    pub(super) fn set_default(&mut self, own: &HashSet<Arc<str>>, quota: Quota, now: u64) -> Vec<Waker> {
        let others = self.entries.iter_mut().filter(|entry| !own.contains(&entry.key));
        others.flat_map(|entry| entry.set_quota(quota, now)).collect()
    }

    fn make_room(&mut self, now: u64) {
        // Two old keys are looked at for each new one, so that a shard sheds unused keys faster than it can gain
        // any.
        for _ in 0..LOOKED_AT {
            let place = self.next_place();
            if self.entries.get(place).is_some_and(|entry| entry.arrival() <= now) {
                self.remove(place);
                // The last entry has moved here, and is looked at next.
                self.hand = place;
            }
        }
        if self.entries.len() < self.room {
            return;
        }
        // Of a sample, the key whose quota is nearest to unused loses least by being forgotten.
        let mut closest = self.next_place();
        for _ in 1..LOOKED_AT_WHEN_FULL {
            let place = self.next_place();
            if self.entries[place].arrival() < self.entries[closest].arrival() {
                closest = place;
            }
        }
        // Counted only if something was lost: a key whose time is past is as good as new.
        self.evicted += u64::from(self.entries[closest].arrival() > now);
        self.remove(closest);
    }

    fn next_place(&mut self) -> usize {
        let place = if self.hand < self.entries.len() { self.hand } else { 0 };
        self.hand = place + 1;
        place
    }

    fn remove(&mut self, place: usize) {
        let removed = self.entries.swap_remove(place);
        self.index.remove(&removed.key);
        if let Some(moved) = self.entries.get(place) {
            self.index.insert(Arc::clone(&moved.key), place);
        }
    }
}

impl Entry {
    fn try_take(&self, now: u64, calls: u32) -> Result<(), Refused> {
        match &self.rate {
            Rate::Plain { arrival, pace } => take(arrival, *pace, now, calls),
            #[cfg(feature = "tokio")]
            Rate::Queued(meter) => meter.try_take(now, calls),
        }
    }

    /// Once this has passed the key is the same as a new one.
    fn arrival(&self) -> u64 {
        match &self.rate {
            Rate::Plain { arrival, .. } => arrival.load(Ordering::Relaxed),
            #[cfg(feature = "tokio")]
            Rate::Queued(meter) => meter.arrival(),
        }
    }

    fn waiting(&self) -> usize {
        match &self.rate {
            Rate::Plain { .. } => 0,
            #[cfg(feature = "tokio")]
            Rate::Queued(meter) => meter.waiting(),
        }
    }

    fn set_quota(&mut self, quota: Quota, now: u64) -> Vec<Waker> {
        match &mut self.rate {
            Rate::Plain { arrival, pace } => {
                *pace = quota.pace();
                // Relaxed, for the same reason as in `meter`: the shard is locked for writing.
                arrival.fetch_min(now.saturating_add(pace.cost(pace.burst)), Ordering::Relaxed);
                Vec::new()
            }
            #[cfg(feature = "tokio")]
            Rate::Queued(meter) => meter.set_quota(quota, now),
        }
    }
}
