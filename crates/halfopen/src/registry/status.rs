use std::sync::Arc;

use crate::observe::Snapshot;
use crate::word::State;

/// A registry at one moment; each breaker's snapshot is of its own moment.
///
/// Displayed it is a table for a terminal, serialized (feature `serde`) a document. In that, durations
/// are numbers of seconds and moments seconds since 1970; states and reasons are the words that
/// [`State::as_str`] and [`TripReason::as_str`](crate::TripReason::as_str) give; what nobody knows is
/// `null`. Fields may be added, none is renamed:
///
/// ```json
#[doc = include_str!("status.json")]
/// ```
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct RegistryStatus {
    /// How many breakers there are; the six counts below add up to it.
    pub total: u64,
    /// How many are closed.
    pub closed: u64,
    /// How many are open.
    pub open: u64,
    /// How many are half-open.
    pub half_open: u64,
    /// How many an operator has forced open.
    pub forced_open: u64,
    /// How many an operator has disabled.
    pub disabled: u64,
    /// How many an operator has set to metrics only.
    pub metrics_only: u64,
    /// The names of those that reject every call (open or forced open), in order.
    pub open_breakers: Vec<Arc<str>>,
    /// How often a new name found the registry full and got a breaker outside it.
    pub overflowed: u64,
    /// How many breakers have been forgotten because nobody used them.
    pub evicted: u64,
    /// Every breaker, in the order of their names.
    pub breakers: Vec<Snapshot>,
}

impl RegistryStatus {
    pub(super) fn of(breakers: Vec<Snapshot>, overflowed: u64, evicted: u64) -> RegistryStatus {
        let mut status = RegistryStatus { overflowed, evicted, ..RegistryStatus::default() };
        for snapshot in &breakers {
            status.count(snapshot);
        }
        RegistryStatus { breakers, ..status }
    }

    fn count(&mut self, snapshot: &Snapshot) {
        self.total += 1;
        *self.place_of(snapshot.state) += 1;
        if matches!(snapshot.state, State::Open | State::ForcedOpen) {
            self.open_breakers.push(Arc::clone(&snapshot.name));
        }
    }

    fn place_of(&mut self, state: State) -> &mut u64 {
        match state {
            State::Closed => &mut self.closed,
            State::Open => &mut self.open,
            State::HalfOpen => &mut self.half_open,
            State::ForcedOpen => &mut self.forced_open,
            State::Disabled => &mut self.disabled,
            State::MetricsOnly => &mut self.metrics_only,
        }
    }

    /// The snapshot of the breaker with this name.
    pub fn get(&self, name: &str) -> Option<&Snapshot> {
        let place = self.breakers.binary_search_by(|snapshot| (*snapshot.name).cmp(name)).ok()?;
        self.breakers.get(place)
    }
}
