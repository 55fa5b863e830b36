//! The claims of a store that only one process works on, in memory.

use std::collections::HashMap;
use std::sync::Arc;

use super::{LaneState, Then};
use crate::timestamp::Timestamp;

/// The lanes that are not free, by name.
#[derive(Debug, Default)]
pub(crate) struct Leases {
    lanes: HashMap<Arc<str>, Lease>,
    /// The time of the last search.
    searched: Timestamp,
}

#[derive(Debug)]
struct Lease {
    /// The worker that has the lane, or [`None`] if it is only to be left alone.
    worker: Option<Arc<str>>,
    until: Timestamp,
}

impl Leases {
    /// Begins a search for free lanes. If the clock was set back since the last one, so are the leases, which would last
    /// longer by as much.
    pub(crate) fn search(&mut self, now: Timestamp) {
        let back = self.searched.since(now);
        if !back.is_zero() {
            self.lanes.values_mut().for_each(|lease| lease.until = lease.until.before(back));
        }
        self.searched = now;
    }

    pub(crate) fn is_free(&self, lane: &str, now: Timestamp) -> bool {
        self.lanes.get(lane).is_none_or(|lease| lease.until <= now)
    }

    /// The number of lanes that a search for free ones has to pass over.
    #[cfg(feature = "sqlite")]
    pub(crate) fn len(&self) -> usize {
        self.lanes.len()
    }

    pub(crate) fn claim(&mut self, lane: Arc<str>, worker: Arc<str>, until: Timestamp) {
        self.lanes.insert(lane, Lease { worker: Some(worker), until });
    }

    /// Changes a claim of this worker; one that another worker has taken over is left as it is.
    pub(crate) fn settle(&mut self, lane: &Arc<str>, worker: &str, then: Then) {
        let Some(lease) = self.lanes.get_mut(lane) else { return };
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
            self.lanes.remove(&state.lane);
        }
    }

    /// Returns when the next lane becomes free.
    pub(crate) fn next(&self, now: Timestamp) -> Option<Timestamp> {
        self.lanes.values().map(|lease| lease.until).filter(|until| *until > now).min()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_clock_that_is_set_back_takes_leases_along() {
        const HOUR: Duration = Duration::from_secs(3_600);
        let at = |seconds: u64| Timestamp::from_millis(seconds * 1_000).after(HOUR);
        let mut leases = Leases::default();
        leases.search(at(100));
        leases.claim("a".into(), "worker".into(), at(125));
        leases.search(at(100).before(HOUR));
        let soon = at(125).before(HOUR);
        assert_eq!((leases.is_free("a", at(124).before(HOUR)), leases.is_free("a", soon)), (false, true));
        assert_eq!(leases.next(at(100).before(HOUR)), Some(soon));
    }
}
