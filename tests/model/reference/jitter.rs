//! Waits that are spread: the model cannot know them, but once it was told one it is held to it.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use super::breaker::{Breaker, Phase};
use super::words::Nanos;

/// What the breaker has said of the waits of openings, each of which every reader must find the same (S20).
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
    /// Hears what a snapshot says of the wait of the next opening, and says whether that can be.
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

    /// The wait that the next opening would have.
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
