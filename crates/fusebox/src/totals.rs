use std::time::Duration;

use crate::Totals;
use crate::sync::{AtomicU64, Ordering};

/// The lifetime totals; every permit that ends and every rejection is counted exactly once.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) successes: Count,
    pub(crate) failures: Count,
    pub(crate) ignored: Count,
    pub(crate) abandoned: Count,
    pub(crate) slow: Count,
    pub(crate) late: Count,
    pub(crate) rejected: Count,
    pub(crate) would_trip: Count,
    pub(crate) trips: Count,
    pub(crate) panics: Count,
    timed: Count,
    response_nanos: Count,
}

/// A counter that only grows; at ten thousand million a second it lasts 58 years.
#[derive(Debug)]
pub(crate) struct Count(AtomicU64);

impl Default for Count {
    fn default() -> Self {
        Count(AtomicU64::new(0))
    }
}

impl Count {
    // Relaxed: a counter orders nothing; whoever reads it wants a number, not a proof.
    #[inline]
    pub(crate) fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    #[inline]
    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Ledger {
    pub(crate) fn time(&self, took: u64) {
        self.timed.add(1);
        // Saturating: one absurd duration must not wrap the sum.
        let _ = self.response_nanos.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |sum| {
            Some(sum.saturating_add(took))
        });
    }

    pub(crate) fn totals(&self) -> Totals {
        Totals {
            successes: self.successes.get(),
            failures: self.failures.get(),
            ignored: self.ignored.get(),
            abandoned: self.abandoned.get(),
            slow: self.slow.get(),
            late: self.late.get(),
            rejected: self.rejected.get(),
            would_trip: self.would_trip.get(),
            trips: self.trips.get(),
            panics: self.panics.get(),
            timed: self.timed.get(),
            response_time: Duration::from_nanos(self.response_nanos.get()),
        }
    }
}
