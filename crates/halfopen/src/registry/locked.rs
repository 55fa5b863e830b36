use std::sync::Arc;

use super::entry::Idle;
use super::rules::Rules;
use crate::breaker::CircuitBreaker;
use crate::clock::Tick;
use crate::observe::Subscriber;

/// State that changes only under the lock.
pub(super) struct Locked {
    pub(super) rules: Rules,
    /// Incremented with every change of the rules.
    pub(super) version: u64,
    pub(super) subscribers: Vec<Arc<Subscriber>>,
    pub(super) overflowed: u64,
    pub(super) evicted: u64,
    pub(super) swept_at: Tick,
    /// The number of new names that found no room since the last sweep.
    pub(super) refused: usize,
    /// The breakers that the last sweep found to be evictable if room is needed, the least recently used last.
    pub(super) spare: Vec<(Arc<str>, Tick)>,
    /// The last time at which listeners were notified of an overflow.
    overflow_reported_at: Option<Tick>,
}

impl Locked {
    /// The number of breakers that a sweep examines for each new name that found no room.
    pub(super) const SWEPT_PER_NAME: usize = 64;

    pub(super) fn new(rules: Rules, now: Tick) -> Locked {
        Locked {
            rules,
            version: 0,
            subscribers: Vec::new(),
            overflowed: 0,
            evicted: 0,
            swept_at: now,
            refused: 0,
            spare: Vec::new(),
            overflow_reported_at: None,
        }
    }

    /// Returns whether a sweep is due.
    ///
    /// A sweep examines every breaker. If the registry is full, its cost is spread over the new names that find no
    /// room; otherwise it only has to come often enough to bound the time that an idle breaker stays.
    pub(super) fn sweep_is_due(&self, idle: Idle, now: Tick, full: bool, len: usize) -> bool {
        let since = now.since(self.swept_at);
        if full {
            self.refused >= len / Locked::SWEPT_PER_NAME || since >= idle.after / 64
        } else {
            since >= idle.after / 4
        }
    }

    /// Counts a new name that found no room, and returns the listeners to notify: all of them the first time and then
    /// once in each `idle_after`, otherwise none.
    pub(super) fn overflow(&mut self, idle: Option<Idle>, now: Tick) -> Vec<Arc<Subscriber>> {
        self.overflowed = self.overflowed.saturating_add(1);
        let pause = idle.map_or(u64::MAX, |idle| idle.after);
        // An attacker who makes up names must not flood the log as well.
        if self.overflow_reported_at.is_some_and(|reported| now.since(reported) < pause) {
            return Vec::new();
        }
        self.overflow_reported_at = Some(now);
        self.subscribers.clone()
    }

    /// Removes the registry's listeners from a breaker that leaves the registry.
    pub(super) fn release(&self, breaker: &CircuitBreaker) {
        for subscriber in &self.subscribers {
            breaker.inner().remove(subscriber);
        }
    }
}
