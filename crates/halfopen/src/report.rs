use std::time::Duration;

use crate::clock::nanos;
use crate::outcome::Outcome;

/// How a call ended: the outcome, its duration and the hint of the server.
///
/// Reported with [`Permit::report`](crate::Permit::report).
///
/// # Examples
///
/// ```
/// use halfopen::{Outcome, Report};
/// use std::time::Duration;
///
/// let report = Report::failure().took(Duration::from_millis(80)).retry_after(Duration::from_secs(5));
/// assert_eq!(report.outcome(), Outcome::Failure);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a report does nothing until a permit is ended with it"]
pub struct Report {
    pub(crate) outcome: Outcome,
    pub(crate) took: Option<u64>,
    pub(crate) retry_after: Option<u64>,
}

impl Report {
    /// Creates the report of a success: the dependency did its work.
    #[inline]
    pub const fn success() -> Report {
        Report::of(Outcome::Success)
    }

    /// Creates the report of a failure: the dependency is to blame.
    #[inline]
    pub const fn failure() -> Report {
        Report::of(Outcome::Failure)
    }

    /// Creates the report of a failure by which the dependency limits its callers, such as HTTP 429.
    ///
    /// # Examples
    ///
    /// ```
    /// use halfopen::{CircuitBreaker, Report};
    /// use std::time::Duration;
    ///
    /// let breaker = CircuitBreaker::builder("search").build();
    /// let throttled = Report::throttled().retry_after(Duration::from_secs(5));
    /// breaker.try_acquire()?.report(throttled);
    ///
    /// let totals = breaker.snapshot().totals;
    /// assert_eq!((totals.failures, totals.throttled), (1, 1));
    /// # Ok::<(), halfopen::Rejected>(())
    /// ```
    #[inline]
    pub const fn throttled() -> Report {
        Report::of(Outcome::Throttled)
    }

    /// Creates the report of an outcome that is no evidence about the dependency.
    #[inline]
    pub const fn ignored() -> Report {
        Report::of(Outcome::Ignored)
    }

    #[inline]
    const fn of(outcome: Outcome) -> Report {
        Report { outcome, took: None, retry_after: None }
    }

    /// Sets the duration of the call, as the caller measured it.
    ///
    /// The default is the time from the admission to the report.
    pub fn took(self, took: impl Into<Option<Duration>>) -> Report {
        Report { took: took.into().map(nanos), ..self }
    }

    /// Sets the time for which the server asked its clients to stay away, such as a `Retry-After`.
    ///
    /// If this report is a failure that opens the breaker, the wait is at least as long, up to
    /// [`hint_max`](crate::CircuitBreakerConfigBuilder::hint_max). Otherwise the hint has no effect.
    pub fn retry_after(self, retry_after: impl Into<Option<Duration>>) -> Report {
        Report { retry_after: retry_after.into().map(nanos), ..self }
    }

    /// Returns the outcome.
    pub const fn outcome(&self) -> Outcome {
        self.outcome
    }
}

impl From<Outcome> for Report {
    #[inline]
    fn from(outcome: Outcome) -> Report {
        Report::of(outcome)
    }
}
