use std::sync::Arc;

use crate::observe::Snapshot;
use crate::word::State;

/// The status of a registry. The snapshots are taken one after the other, each at its own moment.
///
/// `Display` formats a table for a terminal. Serialized (feature `serde`) it is a document in which durations
/// are numbers of seconds, times are seconds since 1970, and states and reasons are the names that
/// [`State::as_str`] and [`TripReason::as_str`](crate::TripReason::as_str) return. Unknown values are
/// `null`. Fields may be added; existing ones are not renamed:
///
/// ```json
#[doc = include_str!("status.json")]
/// ```
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct RegistryStatus {
    /// The number of breakers: the sum of the six counts below.
    pub total: u64,
    /// The number of closed breakers.
    pub closed: u64,
    /// The number of open breakers.
    pub open: u64,
    /// The number of half-open breakers.
    pub half_open: u64,
    /// The number of breakers that are forced open.
    pub forced_open: u64,
    /// The number of disabled breakers.
    pub disabled: u64,
    /// The number of breakers in metrics-only.
    pub metrics_only: u64,
    /// The names of the breakers that reject every call (open or forced open), sorted.
    pub open_breakers: Vec<Arc<str>>,
    /// The number of times that a new name found the registry full and got a breaker outside it.
    pub overflowed: u64,
    /// The number of breakers that were evicted.
    pub evicted: u64,
    /// A snapshot of every breaker, sorted by name.
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

    /// Returns the snapshot of the breaker with this name, or [`None`] if there is none.
    pub fn get(&self, name: &str) -> Option<&Snapshot> {
        let place = self.breakers.binary_search_by(|snapshot| (*snapshot.name).cmp(name)).ok()?;
        self.breakers.get(place)
    }
}
