//! What became of all calls since a breaker was built.

use std::time::Duration;

use crate::outcome::Ended;
use crate::sync::{AtomicU64, Ordering};

/// What has become of all calls since the breaker was built; no reset touches these.
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
    /// Calls that said nothing about the dependency.
    pub ignored: u64,
    /// Permits dropped without a word.
    pub abandoned: u64,
    /// Calls that took `slow_after` or longer, among the successes and failures.
    pub slow: u64,
    /// Calls that the dependency refused to limit its callers, among the failures:
    /// [`Outcome::Throttled`](crate::Outcome::Throttled).
    pub throttled: u64,
    /// Calls that ended after the state they were admitted in had ended: counted here and nowhere else.
    pub late: u64,
    /// Calls that were not admitted.
    pub rejected: u64,
    /// How often a rule began to hold in metrics-only.
    pub would_trip: u64,
    /// How often the breaker opened: by a rule, a failed or overdue probe, or by hand.
    pub trips: u64,
    /// Panics caught in classifiers, rules and listeners.
    pub panics: u64,
    /// Calls whose duration was measured or reported.
    pub timed: u64,
    /// The sum of the durations of the `timed` calls.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::serde_seconds::serialize"))]
    pub response_time: Duration,
}

impl Totals {
    /// The number of permits that have ended, however they did.
    pub fn calls(&self) -> u64 {
        [self.failures, self.ignored, self.abandoned, self.late]
            .into_iter()
            .fold(self.successes, u64::saturating_add)
    }

    /// All calls by what became of them, each once: the words of [`Ended::as_str`], and `rejected` for
    /// those that were not admitted.
    ///
    /// What exporters write; outcomes may be added.
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

    /// The mean duration of the timed calls; none if no call was timed.
    pub fn average_response_time(&self) -> Option<Duration> {
        if self.timed == 0 {
            return None;
        }
        let nanos = self.response_time.as_nanos() / u128::from(self.timed);
        Some(Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)))
    }
}

/// The lifetime totals, but for what a window has recorded, which the window itself has, and for
/// what changes under the transition lock alone, which is there.
///
/// Every permit that ends and every rejection is counted exactly once.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    successes: Count,
    failures: Count,
    ignored: Count,
    abandoned: Count,
    slow: Count,
    /// Among the failures, those of a window included.
    pub(crate) throttled: Count,
    pub(crate) late: Count,
    /// And one more for each visit that began: see [`Ledger::begin_visit`].
    rejected: Count,
    pub(crate) panics: Count,
}

/// How many calls were timed, and how long they took, all told.
#[derive(Debug, Default)]
pub(crate) struct Timing {
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

impl Timing {
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

    pub(crate) fn add_to(&self, totals: &mut Totals) {
        let taken = Duration::from_nanos(self.response_nanos.get());
        totals.timed = totals.timed.saturating_add(self.timed.get());
        totals.response_time = totals.response_time.saturating_add(taken);
    }
}

/// The top bit of the rejections while a new visit is being published. Who refuses a call then asks the
/// lock, which is held.
const BETWEEN_VISITS: u64 = 1 << 63;

impl Ledger {
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

    /// Counts a rejection, whatever visit it falls in.
    pub(crate) fn reject(&self) {
        self.rejected.add(1);
    }

    /// What [`reject_as_of`](Self::reject_as_of) must be given, loaded before the state is; none while one
    /// visit gives way to the next.
    #[inline]
    pub(crate) fn rejections(&self) -> Option<u64> {
        // Acquire, with `begin_visit`: the state word loaded after this is of that visit or a later one.
        let seen = self.rejected.0.load(Ordering::Acquire);
        (seen & BETWEEN_VISITS == 0).then_some(seen)
    }

    /// Counts a rejection if there has been none, and no new visit, since `seen` was loaded.
    #[inline]
    pub(crate) fn reject_as_of(&self, seen: u64) -> bool {
        // AcqRel, with `end_visit` and `begin_visit`: it stays after the loads that decided the rejection, and a
        // visit that ends after it sees it.
        self.rejected.0.compare_exchange(seen, seen + 1, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// A visit ends: no rejection that was decided in it can be counted from here on.
    pub(crate) fn end_visit(&self) {
        // AcqRel, with `rejections` and `reject_as_of`: what is counted before it is of the visit that ends, and a thread
        // that sees the bit sees the opening written before it.
        self.rejected.0.fetch_or(BETWEEN_VISITS, Ordering::AcqRel);
    }

    /// The next visit has been published: gives the rejections so far, and the visits that have begun,
    /// this one too. The number is another than before, so nothing decided earlier fits it.
    pub(crate) fn begin_visit(&self) -> u64 {
        let step = 1_u64.wrapping_sub(BETWEEN_VISITS);
        // AcqRel, with the load in `rejections`: a thread that sees this number sees the state word published before it.
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
        // A call that failed between the two reads: the window's failures were read before.
        totals.throttled = totals.throttled.min(totals.failures);
        add(&mut totals.late, &self.late);
        add(&mut totals.rejected, &self.rejected);
        add(&mut totals.panics, &self.panics);
    }
}
