//! The claims of a store that only one process works on, in memory.

use std::collections::HashMap;
use std::sync::Arc;

use super::{LaneState, Then};
use crate::timestamp::Timestamp;

/// The lanes that are not free, by name.
#[derive(Debug, Default)]
pub(crate) struct Leases(HashMap<Arc<str>, Lease>);

#[derive(Debug)]
struct Lease {
    /// The worker that has the lane, or [`None`] if it is only to be left alone.
    worker: Option<Arc<str>>,
    until: Timestamp,
}

impl Leases {
    pub(crate) fn is_free(&self, lane: &str, now: Timestamp) -> bool {
        self.0.get(lane).is_none_or(|lease| lease.until <= now)
    }

    #[cfg(feature = "sqlite")]
    /// The number of lanes that a search for free ones has to pass over.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn claim(&mut self, lane: Arc<str>, worker: Arc<str>, until: Timestamp) {
        self.0.insert(lane, Lease { worker: Some(worker), until });
    }

    /// Changes a claim of this worker; one that another worker has taken over is left as it is.
    pub(crate) fn settle(&mut self, lane: &Arc<str>, worker: &str, then: Then) {
        let Some(lease) = self.0.get_mut(lane) else { return };
        if lease.worker.as_deref() != Some(worker) {
            return;
        }
        match then {
            Then::Keep(until) => lease.until = until,
            Then::Free(at) => *lease = Lease { worker: None, until: at },
        }
    }

    /// Forgets the lanes that have no items after an operation.
    pub(crate) fn forget_empty(&mut self, lanes: &[LaneState]) {
        for state in lanes.iter().filter(|state| !state.has_items) {
            self.0.remove(&state.lane);
        }
    }

    /// Returns when the next lane becomes free.
    pub(crate) fn next(&self, now: Timestamp) -> Option<Timestamp> {
        self.0.values().map(|lease| lease.until).filter(|until| *until > now).min()
    }
}
