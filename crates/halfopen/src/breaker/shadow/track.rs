//! The decisions and the counts of one shadow.

use std::sync::Arc;
use std::time::Duration;

use super::super::{CircuitBreaker, OwnedPermit};
use crate::clock::Clock;
use crate::config::CircuitBreakerConfig;
use crate::observe::{ShadowCalls, ShadowSnapshot};
use crate::outcome::Outcome;
use crate::report::Report;
use crate::sync::{AtomicU64, Ordering};

/// The jitter of a shadow's waits spreads no calls, so it needs no chance.
const SEED: u64 = 0;

/// The decisions of one shadow.
pub(super) struct Track {
    /// A breaker of the shadow's configuration, which sees the calls that are admitted.
    breaker: CircuitBreaker,
    admitted: Tally,
    rejected: Tally,
    rejected_nanos: AtomicU64,
    untracked: AtomicU64,
    /// The rejections of the breaker before this shadow, and those since.
    rejected_before: u64,
    unseen: AtomicU64,
}

#[derive(Default)]
struct Tally {
    successes: AtomicU64,
    failures: AtomicU64,
    ignored: AtomicU64,
    abandoned: AtomicU64,
}

impl Track {
    /// `rejected` are the rejections of the breaker before this shadow.
    pub(super) fn new(name: Arc<str>, config: CircuitBreakerConfig, clock: Clock, rejected: u64) -> Track {
        Track {
            breaker: CircuitBreaker::from_parts(name, config, clock, SEED, Vec::new()),
            admitted: Tally::default(),
            rejected: Tally::default(),
            rejected_nanos: AtomicU64::new(0),
            untracked: AtomicU64::new(0),
            rejected_before: rejected,
            unseen: AtomicU64::new(0),
        }
    }

    pub(super) fn name(&self) -> &str {
        self.breaker.name()
    }

    /// Decides about a call that the breaker admits. [`None`] rejects it.
    pub(super) fn decide(&self) -> Option<OwnedPermit> {
        self.breaker.try_acquire_owned().ok()
    }

    /// Counts a call that begins without a decision.
    pub(super) fn miss(&self) {
        self.untracked.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts the end of a call by the decision about it.
    pub(super) fn end(&self, permit: Option<OwnedPermit>, report: Option<Report>, took: u64) {
        match (permit, report) {
            (Some(permit), Some(report)) => {
                self.admitted.add(Some(report));
                permit.report(report);
            }
            (Some(permit), None) => {
                self.admitted.add(None);
                permit.abandon();
            }
            (None, report) => {
                self.rejected.add(report);
                self.rejected_nanos.fetch_add(took, Ordering::Relaxed);
            }
        }
    }

    /// `rejected` are the rejections of the breaker so far, or [`None`] if it is gone.
    pub(super) fn snapshot(&self, rejected: Option<u64>) -> ShadowSnapshot {
        if let Some(rejected) = rejected {
            let unseen = rejected.saturating_sub(self.rejected_before);
            self.unseen.fetch_max(unseen, Ordering::Relaxed);
        }
        let snapshot = self.breaker.snapshot();
        ShadowSnapshot {
            name: snapshot.name,
            state: snapshot.state,
            trips: snapshot.totals.trips,
            admitted: self.admitted.get(),
            rejected: self.rejected.get(),
            rejected_time: Duration::from_nanos(self.rejected_nanos.load(Ordering::Relaxed)),
            unseen: self.unseen.load(Ordering::Relaxed),
            untracked: self.untracked.load(Ordering::Relaxed),
        }
    }
}

impl Tally {
    fn add(&self, report: Option<Report>) {
        let count = match report.map(|report| report.outcome) {
            Some(Outcome::Success) => &self.successes,
            Some(Outcome::Failure | Outcome::Throttled) => &self.failures,
            Some(Outcome::Ignored) => &self.ignored,
            None => &self.abandoned,
        };
        count.fetch_add(1, Ordering::Relaxed);
    }

    fn get(&self) -> ShadowCalls {
        ShadowCalls {
            successes: self.successes.load(Ordering::Relaxed),
            failures: self.failures.load(Ordering::Relaxed),
            ignored: self.ignored.load(Ordering::Relaxed),
            abandoned: self.abandoned.load(Ordering::Relaxed),
        }
    }
}
