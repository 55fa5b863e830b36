use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::super::gcra::Pace;
use super::super::meter::{Refused, take};
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
    arrival: AtomicU64,
    pace: Pace,
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
        Some(match take(&entry.arrival, entry.pace, now, calls) {
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
        self.entries.push(Entry { key, arrival: AtomicU64::new(0), pace });
    }

    pub(super) fn set_pace(&mut self, key: &str, pace: Pace, now: u64) {
        if let Some(place) = self.index.get(key) {
            self.entries[*place].set_pace(pace, now);
        }
    }

    pub(super) fn set_pace_of_all_but(&mut self, own: &[Arc<str>], pace: Pace, now: u64) {
        for entry in self.entries.iter_mut().filter(|entry| !own.contains(&entry.key)) {
            entry.set_pace(pace, now);
        }
    }

    fn make_room(&mut self, now: u64) {
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
        let mut closest = self.next_place();
        for _ in 1..LOOKED_AT_WHEN_FULL {
            let place = self.next_place();
            if self.entries[place].arrival() < self.entries[closest].arrival() {
                closest = place;
            }
        }
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
    /// Once this has passed the key is the same as a new one.
    fn arrival(&self) -> u64 {
        self.arrival.load(Ordering::Relaxed)
    }

    fn set_pace(&mut self, pace: Pace, now: u64) {
        self.pace = pace;
        self.arrival.fetch_min(now.saturating_add(pace.cost(pace.burst)), Ordering::Relaxed);
    }
}
