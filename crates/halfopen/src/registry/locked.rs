use std::sync::Arc;

use super::entry::Idle;
use super::rules::Rules;
use crate::breaker::CircuitBreaker;
use crate::clock::Tick;
use crate::observe::Subscriber;

/// What changes only under the lock.
pub(super) struct Locked {
    pub(super) rules: Rules,
    /// Grows with every change of the rules.
    pub(super) version: u64,
    pub(super) subscribers: Vec<Arc<Subscriber>>,
    pub(super) overflowed: u64,
    pub(super) evicted: u64,
    pub(super) swept_at: Tick,
    /// New names refused since the last sweep.
    pub(super) refused: usize,
    /// Those that the last sweep found to make room if it is needed, the longest unused last.
    pub(super) spare: Vec<(Arc<str>, Tick)>,
    /// When it was last told that there is no room.
    told_full_at: Option<Tick>,
}

impl Locked {
    /// How many breakers a new name that finds no room pays to be looked at.
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
            told_full_at: None,
        }
    }

    /// A sweep looks at every breaker. New names that find no room pay for it together, and where
    /// there is room it need not come often.
    pub(super) fn sweep_is_due(&self, idle: Idle, now: Tick, full: bool, len: usize) -> bool {
        let since = now.since(self.swept_at);
        if full {
            self.refused >= len / Locked::SWEPT_PER_NAME || since >= idle.after / 64
        } else {
            since >= idle.after / 4
        }
    }

    /// A new name has found no room: counted, and returned are those to be told of it, the first time and then
    /// once in each `idle_after`.
    pub(super) fn overflow(&mut self, idle: Option<Idle>, now: Tick) -> Vec<Arc<Subscriber>> {
        self.overflowed = self.overflowed.saturating_add(1);
        let pause = idle.map_or(u64::MAX, |idle| idle.after);
        if self.told_full_at.is_some_and(|told| now.since(told) < pause) {
            return Vec::new();
        }
        self.told_full_at = Some(now);
        self.subscribers.clone()
    }

    pub(super) fn let_go(&self, breaker: &CircuitBreaker) {
        for subscriber in &self.subscribers {
            breaker.inner().remove(subscriber);
        }
    }
}
