//! The lifetime totals of a breaker.

use std::time::Duration;

use crate::outcome::{Ended, Finished};
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
    /// Plus one for each visit that has begun, and [`BETWEEN_VISITS`]: see [`Ledger::begin_visit`].
    rejected: Count,
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

/// The top bit of the rejections while a new visit is being published. A rejection that finds it set goes through
/// the transition lock, which the publishing thread holds.
const BETWEEN_VISITS: u64 = 1 << 63;

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
        self.rejected.add(1);
    }

    /// Returns the argument for [`reject_as_of`](Self::reject_as_of), which must be loaded before the state is, or
    /// [`None`] while a new visit is being published.
    #[inline]
    pub(crate) fn rejections(&self) -> Option<u64> {
        // Acquire, paired with the read-modify-write in `begin_visit`: the state word that is loaded after this
        // belongs to that visit or a later one.
        let seen = self.rejected.0.load(Ordering::Acquire);
        (seen & BETWEEN_VISITS == 0).then_some(seen)
    }

    /// Counts a rejection and returns true, unless there has been another rejection or a new visit since `seen` was
    /// loaded.
    #[inline]
    pub(crate) fn reject_as_of(&self, seen: u64) -> bool {
        // AcqRel, paired with `end_visit` and `begin_visit`: Release keeps it after the loads that decided the
        // rejection, and a visit that ends after it sees it. Relaxed on failure: the caller loads everything again.
        self.rejected.0.compare_exchange(seen, seen + 1, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// Ends a visit: a rejection that was decided in it can no longer be counted.
    pub(crate) fn end_visit(&self) {
        // AcqRel, paired with `rejections` and `reject_as_of`: rejections counted before it belong to the visit that
        // ends, and a thread that sees the bit sees the opening that was stored before it.
        self.rejected.0.fetch_or(BETWEEN_VISITS, Ordering::AcqRel);
    }

    /// Begins the visit that has just been published, and returns the number of rejections plus the number of visits
    /// that have begun, including this one.
    ///
    /// The addition of one makes the number differ from every earlier one, so that the compare-and-swap of a
    /// rejection that was decided in an earlier visit fails.
    pub(crate) fn begin_visit(&self) -> u64 {
        // Adds one and clears the top bit in a single step.
        let step = 1_u64.wrapping_sub(BETWEEN_VISITS);
        // AcqRel, paired with the load in `rejections`: a thread that sees this number sees the state word that was
        // published before it.
        self.rejected.0.fetch_add(step, Ordering::AcqRel).wrapping_add(step)
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
        add(&mut totals.rejected, &self.rejected);
        add(&mut totals.panics, &self.panics);
    }
}
