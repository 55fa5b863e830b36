use std::sync::Arc;

use super::rules::Rules;
use super::slot::Idle;
use crate::CircuitBreaker;
use crate::clock::Tick;
use crate::listeners::Ear;

/// What changes only under the lock.
pub(super) struct Desk {
    pub(super) rules: Rules,
    /// Grows with every change of the rules.
    pub(super) version: u64,
    pub(super) ears: Vec<Arc<Ear>>,
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

impl Desk {
    /// How many breakers a new name that finds no room pays to be looked at.
    pub(super) const SWEPT_PER_NAME: usize = 64;

    pub(super) fn new(rules: Rules, now: Tick) -> Desk {
        Desk {
            rules,
            version: 0,
            ears: Vec::new(),
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
            self.refused >= len / Desk::SWEPT_PER_NAME || since >= idle.after / 64
        } else {
            since >= idle.after / 4
        }
    }

    /// A new name has found no room: counted, and returned are those to be told of it, the first time and then
    /// once in each `idle_after`.
    pub(super) fn overflow(&mut self, idle: Option<Idle>, now: Tick) -> Vec<Arc<Ear>> {
        self.overflowed = self.overflowed.saturating_add(1);
        let pause = idle.map_or(u64::MAX, |idle| idle.after);
        if self.told_full_at.is_some_and(|told| now.since(told) < pause) {
            return Vec::new();
        }
        self.told_full_at = Some(now);
        self.ears.clone()
    }

    pub(super) fn let_go(&self, breaker: &CircuitBreaker) {
        for ear in &self.ears {
            breaker.inner().unsubscribe(ear);
        }
    }
}
