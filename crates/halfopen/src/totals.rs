//! The lifetime totals of a breaker.

use std::time::Duration;

use crate::outcome::{Ended, Finished};
use crate::rejections::Rejections;
use crate::sync::{AtomicU64, Ordering};

/// The outcomes of all calls since the breaker was built. No control resets them.
///
/// `successes + failures + ignored + abandoned + late` is the number of permits that have ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Totals {
    /// Calls that succeeded.
    pub successes: u64,
    /// Calls that failed.
    pub failures: u64,
    /// Calls whose outcome was no evidence about the dependency.
    pub ignored: u64,
    /// Permits that were dropped without a report.
    pub abandoned: u64,
    /// Calls that took `slow_after` or longer, among the successes and failures.
    pub slow: u64,
    /// Calls that the dependency refused in order to limit its callers, among the failures:
    /// [`Outcome::Throttled`](crate::Outcome::Throttled).
    pub throttled: u64,
    /// Calls that ended after the visit that admitted them: counted here and in no other total.
    pub late: u64,
    /// Calls that were not admitted.
    pub rejected: u64,
    /// The number of times that a rule began to hold in metrics-only.
    pub would_trip: u64,
    /// The number of times that the breaker opened: by a rule, a failed or overdue probe, or a control.
    pub trips: u64,
    /// Panics that were caught in classifiers, rules and listeners.
    pub panics: u64,
    /// Calls whose duration was measured or reported.
    pub timed: u64,
    /// The sum of the durations of the `timed` calls.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::serde_seconds::serialize"))]
    pub response_time: Duration,
}

impl Totals {
    /// Returns the number of permits that have ended, with any outcome.
    pub fn calls(&self) -> u64 {
        [self.failures, self.ignored, self.abandoned, self.late]
            .into_iter()
            .fold(self.successes, u64::saturating_add)
    }

    /// Returns the number of calls for each outcome, each call counted once: the names of [`Ended::as_str`], and
    /// `rejected` for calls that were not admitted.
    ///
    /// Intended for exporters. Outcomes may be added in future versions.
    ///
    /// # Examples
    ///
    /// ```
    /// use halfopen::CircuitBreaker;
    ///
    /// let breaker = CircuitBreaker::builder("payments").build();
    /// breaker.try_acquire().unwrap().success();
    ///
    /// for (outcome, calls) in breaker.snapshot().totals.by_outcome() {
    ///     assert_eq!(calls, u64::from(outcome == "success"));
    /// }
    /// ```
    pub fn by_outcome(&self) -> impl Iterator<Item = (&'static str, u64)> + use<> {
        [
            (Ended::Success.as_str(), self.successes),
            (Ended::Failure.as_str(), self.failures),
            (Ended::Ignored.as_str(), self.ignored),
            (Ended::Abandoned.as_str(), self.abandoned),
            (Ended::Late.as_str(), self.late),
            ("rejected", self.rejected),
        ]
        .into_iter()
    }

    /// Returns the mean duration of the timed calls, or [`None`] if no call was timed.
    pub fn average_response_time(&self) -> Option<Duration> {
        if self.timed == 0 {
            return None;
        }
        let nanos = self.response_time.as_nanos() / u128::from(self.timed);
        Some(Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)))
    }
}

/// The lifetime totals, except those that the window keeps itself and those that change only under the transition
/// lock.
///
/// Every permit that ends and every rejection is counted exactly once.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    successes: Count,
    failures: Count,
    ignored: Count,
    abandoned: Count,
    slow: Count,
    /// Counted in addition to the failure, also for calls that a window has recorded.
    pub(crate) throttled: Count,
    pub(crate) late: Count,
    /// Plus a step for each visit that has begun: see [`Rejections::begin_visit`].
    pub(crate) rejections: Rejections,
    pub(crate) panics: Count,
}

/// The number of timed calls and the sum of their durations.
#[derive(Debug, Default)]
pub(crate) struct Timing {
    timed: Count,
    response_nanos: Count,
}

/// A counter that only grows. At ten thousand million increments a second it overflows after 58 years.
#[derive(Debug)]
pub(crate) struct Count(AtomicU64);

impl Default for Count {
    fn default() -> Self {
        Count(AtomicU64::new(0))
    }
}

impl Count {
    // Relaxed: the counter publishes no other data, so a reader needs no ordering.
    #[inline]
    pub(crate) fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    #[inline]
    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Timing {
    #[inline]
    pub(crate) fn time(&self, took: u64) {
        self.timed.add(1);
        // Saturates without a compare-and-swap loop: above half of the range (292 years) nothing is added, and no
        // single call adds more than that half.
        const HALF: u64 = u64::MAX / 2;
        if self.response_nanos.get() < HALF {
            self.response_nanos.add(took.min(HALF));
        }
    }

    pub(crate) fn add_to(&self, totals: &mut Totals) {
        let taken = Duration::from_nanos(self.response_nanos.get());
        totals.timed = totals.timed.saturating_add(self.timed.get());
        totals.response_time = totals.response_time.saturating_add(taken);
    }
}

impl Ledger {
    /// Counts an outcome that no window has recorded: of a probe, of a disabled breaker, or an ignored, abandoned or
    /// late one.
    pub(crate) fn note(&self, call: &Finished) {
        match call.ended {
            Ended::Success => self.successes.add(1),
            Ended::Failure => self.failures.add(1),
            Ended::Ignored => self.ignored.add(1),
            Ended::Abandoned => self.abandoned.add(1),
            Ended::Late => self.late.add(1),
        }
        if call.slow {
            self.slow.add(1);
        }
    }

    /// Counts a rejection in the current visit, whichever that is.
    pub(crate) fn reject(&self) {
        self.rejections.add();
    }

    pub(crate) fn add_to(&self, totals: &mut Totals) {
        let add = |total: &mut u64, count: &Count| *total = total.saturating_add(count.get());
        add(&mut totals.successes, &self.successes);
        add(&mut totals.failures, &self.failures);
        add(&mut totals.ignored, &self.ignored);
        add(&mut totals.abandoned, &self.abandoned);
        add(&mut totals.slow, &self.slow);
        add(&mut totals.throttled, &self.throttled);
        // A call can fail between the two reads; the window's failures were read first.
        totals.throttled = totals.throttled.min(totals.failures);
        add(&mut totals.late, &self.late);
        totals.rejected = totals.rejected.saturating_add(self.rejections.sum());
        add(&mut totals.panics, &self.panics);
    }
}
