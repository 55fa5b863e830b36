//! Waits with jitter: the model cannot predict them, but it requires that a reported wait stays the same.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use super::breaker::{Breaker, Phase};
use super::words::Nanos;

/// The waits that the breaker has reported for openings; every later report must be the same (S20).
#[derive(Clone, Debug, Default)]
pub(crate) struct Waits(BTreeMap<(u64, Nanos, Nanos), Nanos>);

impl Waits {
    /// The wait of the opening with this epoch.
    pub(super) fn of(&self, epoch: u64, range: RangeInclusive<Nanos>) -> Nanos {
        let (low, high) = range.into_inner();
        if low == high {
            return low;
        }
        *self.0.get(&(epoch, low, high)).expect("told before anything opens")
    }
}

impl Breaker {
    /// Records the wait of the next opening that a snapshot reports, and checks that it is possible.
    pub(crate) fn hear_of_wait(&mut self, told: Nanos) -> Result<(), String> {
        let due = self.effective();
        if matches!(due.phase, Phase::Open { .. }) {
            return Ok(());
        }
        let range = due.settings.waits(due.remembered(due.now));
        let (epoch, (low, high)) = (due.next_opening(), range.clone().into_inner());
        if !range.contains(&told) {
            return Err(format!("a wait of {told} ns, which lies in {range:?}"));
        }
        self.waits.0.retain(|&(of, ..), _| of >= self.epoch);
        self.waits.0.entry((epoch, low, high)).or_insert(told);
        Ok(())
    }

    /// The wait of the next opening.
    pub(super) fn next_wait(&self) -> Nanos {
        self.waits.of(self.next_opening(), self.settings.waits(self.remembered(self.now)))
    }

    /// Under an override the breaker closes first.
    fn next_opening(&self) -> u64 {
        match self.phase {
            Phase::Closed(_) | Phase::HalfOpen(_) | Phase::Open { .. } => self.epoch + 1,
            Phase::ForcedOpen | Phase::Disabled { .. } | Phase::MetricsOnly { .. } => self.epoch + 2,
        }
    }
}
