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
}

impl Desk {
    pub(super) fn new(rules: Rules, now: Tick) -> Desk {
        Desk { rules, version: 0, ears: Vec::new(), overflowed: 0, evicted: 0, swept_at: now, refused: 0 }
    }

    /// A sweep looks at every breaker. New names that find no room pay for it together, and where
    /// there is room it need not come often.
    pub(super) fn sweep_is_due(&self, idle: Idle, now: Tick, full: bool, len: usize) -> bool {
        let since = now.since(self.swept_at);
        if full { self.refused >= len / 64 || since >= idle.after / 64 } else { since >= idle.after / 4 }
    }

    pub(super) fn let_go(&self, breaker: &CircuitBreaker) {
        for ear in &self.ears {
            breaker.inner().unsubscribe(ear);
        }
    }
}
