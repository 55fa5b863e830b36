use std::time::Duration;

use crate::sync::{AtomicU64, Ordering};
use crate::{Ended, Totals};

/// The lifetime totals, but for what a window has recorded, which the window itself has.
///
/// Every permit that ends and every rejection is counted exactly once.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    successes: Count,
    failures: Count,
    ignored: Count,
    abandoned: Count,
    slow: Count,
    pub(crate) late: Count,
    rejected: Count,
    /// Bumps of `rejected` that were no rejection: see [`Ledger::begin_visit`].
    bumps: Count,
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
    #[inline]
    pub(crate) fn time(&self, took: u64) {
        self.timed.add(1);
        // Saturating, without a loop: from half of what a word holds (292 years of waiting) nothing is
        // added, and no single call adds more than that half.
        const HALF: u64 = u64::MAX / 2;
        if self.response_nanos.get() < HALF {
            self.response_nanos.add(took.min(HALF));
        }
    }

    /// An outcome that no window has recorded: of a probe, of a disabled breaker, or one that counts
    /// nowhere.
    pub(crate) fn note(&self, ended: Ended, slow: bool) {
        match ended {
            Ended::Success => self.successes.add(1),
            Ended::Failure => self.failures.add(1),
            Ended::Ignored => self.ignored.add(1),
            Ended::Abandoned => self.abandoned.add(1),
            Ended::Late => self.late.add(1),
        }
        if slow {
            self.slow.add(1);
        }
    }

    /// Rejections so far.
    pub(crate) fn rejected(&self) -> u64 {
        let bumps = self.bumps.get();
        self.rejected.get().saturating_sub(bumps)
    }

    /// Counts a rejection, whatever visit it falls in.
    pub(crate) fn reject(&self) {
        self.rejected.add(1);
    }

    /// What [`reject_as_of`](Self::reject_as_of) must be given, loaded before the state is.
    #[inline]
    pub(crate) fn rejections(&self) -> u64 {
        self.rejected.0.load(Ordering::Acquire)
    }

    /// Counts a rejection if there has been none, and no new visit, since `seen` was loaded.
    #[inline]
    pub(crate) fn reject_as_of(&self, seen: u64) -> bool {
        self.rejected.0.compare_exchange(seen, seen + 1, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// A visit begins: no rejection that was decided before can still be counted after.
    pub(crate) fn begin_visit(&self) {
        self.bumps.add(1);
        self.rejected.add(1);
    }

    /// All totals, with those of the windows.
    pub(crate) fn totals(&self, (successes, failures, slow): (u64, u64, u64)) -> Totals {
        Totals {
            successes: self.successes.get().saturating_add(successes),
            failures: self.failures.get().saturating_add(failures),
            ignored: self.ignored.get(),
            abandoned: self.abandoned.get(),
            slow: self.slow.get().saturating_add(slow),
            late: self.late.get(),
            rejected: self.rejected(),
            would_trip: self.would_trip.get(),
            trips: self.trips.get(),
            panics: self.panics.get(),
            timed: self.timed.get(),
            response_time: Duration::from_nanos(self.response_nanos.get()),
        }
    }
}
