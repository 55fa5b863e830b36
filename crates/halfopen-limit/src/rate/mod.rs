#[cfg(feature = "tokio")]
mod acquire;
mod gcra;
mod keyed;
#[cfg(all(test, loom, feature = "tokio"))]
mod loom_tests;
mod meter;
mod quota;
#[cfg(test)]
#[cfg(all(not(loom), feature = "tokio"))]
mod tests;
#[cfg(feature = "tokio")]
mod waiting;

use std::fmt;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use halfopen::{Clock, Rejected};

#[cfg(feature = "tokio")]
pub use self::acquire::AcquireRate;
#[cfg(feature = "tokio")]
pub use self::keyed::AcquireKey;
pub use self::keyed::{KeyedRateLimiter, KeyedRateLimiterBuilder, KeyedRateLimiterSnapshot};
use self::meter::{Meter, Refused};
pub use self::quota::{Quota, QuotaBuilder, QuotaCalls};
#[cfg(feature = "tokio")]
use self::waiting::Queue;
use crate::nanos;
use crate::rejected::rate_limited;
use crate::reports::Reports;

/// A limit of how many calls begin in a period, by the generic cell rate algorithm.
///
/// Cheap to clone; every clone is the same quota. A permitted call is one compare-and-swap.
///
/// # Examples
///
/// ```
/// use halfopen_limit::{Quota, RateLimiter};
/// use std::time::Duration;
///
/// let limiter = RateLimiter::new("create-task", Quota::calls(100).per(Duration::from_secs(60)).burst(2)?);
/// assert!(limiter.try_acquire().is_ok());
/// assert!(limiter.try_acquire().is_ok());
///
/// let rejected = limiter.try_acquire().unwrap_err();
/// assert_eq!(rejected.name(), "create-task");
/// assert!(rejected.retry_after().unwrap() <= Duration::from_millis(600));
/// # Ok::<(), halfopen::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct RateLimiter(Arc<Shared>);

struct Shared {
    name: Arc<str>,
    clock: Clock,
    meter: Meter,
    reports: Reports,
    #[cfg_attr(not(feature = "tokio"), expect(dead_code, reason = "nothing waits without a timer"))]
    max_wait: u64,
}

/// Builds a [`RateLimiter`].
#[must_use = "a builder does nothing until it builds"]
pub struct RateLimiterBuilder {
    name: Arc<str>,
    quota: Quota,
    clock: Clock,
    max_wait: Duration,
}

/// The state of a [`RateLimiter`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RateLimiterSnapshot {
    /// The name of the limiter.
    pub name: Arc<str>,
    /// The quota in force.
    pub quota: Quota,
    /// Calls that are permitted at this moment.
    pub available: u32,
    /// Calls of [`acquire`](RateLimiter::acquire) that wait for their turn.
    pub waiting: usize,
    /// Rejections so far.
    pub rejected: u64,
}

impl RateLimiter {
    /// Creates a limiter in which nothing waits.
    pub fn new(name: impl Into<Arc<str>>, quota: Quota) -> RateLimiter {
        RateLimiter::builder(name, quota).build()
    }

    /// Returns a builder, for a limiter with a clock or a wait of its own.
    pub fn builder(name: impl Into<Arc<str>>, quota: Quota) -> RateLimiterBuilder {
        RateLimiterBuilder { name: name.into(), quota, clock: Clock::system(), max_wait: Duration::ZERO }
    }

    /// Returns the name of the limiter.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Takes one call of the quota.
    ///
    /// # Errors
    ///
    /// A rejection with the reason [`RateLimited`](halfopen::RejectReason::RateLimited). Its `retry_after`
    /// is exact: a call at that time is permitted if no other has come before it.
    #[inline]
    pub fn try_acquire(&self) -> Result<(), Rejected> {
        self.try_acquire_many(1)
    }

    /// Takes several calls of the quota, all of them or not one; zero calls are always permitted.
    ///
    /// # Errors
    ///
    /// As [`try_acquire`](Self::try_acquire). More calls than the quota's burst are permitted at no time:
    /// their rejection has no `retry_after`.
    #[inline]
    pub fn try_acquire_many(&self, calls: u32) -> Result<(), Rejected> {
        match self.0.meter.try_take(self.now(), calls) {
            Ok(()) => Ok(()),
            Err(refused) => Err(self.reject_slow(refused)),
        }
    }

    /// Takes one call of the quota and returns true, if it is permitted now; counts no rejection.
    ///
    /// For code that goes on with `acquire` or with a rejection of its own.
    #[inline]
    pub fn acquire_if_permitted(&self) -> bool {
        self.0.meter.try_take(self.now(), 1).is_ok()
    }

    /// Replaces the quota under running calls.
    ///
    /// Used calls stay used, for no longer than the new burst takes to come back. Calls that wait
    /// keep their order and get their turn at the new pace.
    pub fn set_quota(&self, quota: Quota) {
        wake_all(self.0.meter.set_quota(quota, self.now()));
    }

    /// Returns the quota in force.
    pub fn quota(&self) -> Quota {
        self.0.meter.quota()
    }

    /// Returns how long a call waits for its turn at most.
    #[cfg(feature = "tokio")]
    pub fn max_wait(&self) -> Duration {
        Duration::from_nanos(self.0.max_wait)
    }

    /// Returns the state of the limiter; changes nothing.
    pub fn snapshot(&self) -> RateLimiterSnapshot {
        let meter = &self.0.meter;
        RateLimiterSnapshot {
            name: Arc::clone(&self.0.name),
            quota: meter.quota(),
            available: meter.available(self.now()),
            waiting: meter.waiting(),
            rejected: meter.rejected(),
        }
    }

    #[inline]
    fn now(&self) -> u64 {
        self.0.clock.elapsed_nanos()
    }

    #[cold]
    fn reject_slow(&self, refused: Refused) -> Rejected {
        self.0.meter.count_rejection();
        let rejected = rate_limited(&self.0.name, refused.map(Duration::from_nanos));
        self.0.reports.rate_limited(&self.0.name, None, &rejected, self.now());
        rejected
    }
}

#[cfg(feature = "tokio")]
impl RateLimiter {
    /// Takes one call of the quota, now or at its turn, if that comes within the limiter's
    /// [`max_wait`](RateLimiterBuilder::max_wait).
    ///
    /// The order is first in, first out. A waiting call has its place in the quota: no later one passes it,
    /// neither by waiting nor by [`try_acquire`](Self::try_acquire). The call arrives when the future is
    /// polled first.
    ///
    /// # Examples
    ///
    /// ```
    /// use halfopen_limit::{Quota, RateLimiter};
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), halfopen::BoxError> {
    /// let quota = Quota::calls(10).per(Duration::from_secs(1)).burst(1)?;
    /// let limiter = RateLimiter::builder("mail", quota).max_wait(Duration::from_secs(1)).build();
    ///
    /// for _ in 0..5 {
    ///     limiter.acquire().await?; // four of these wait 100 ms
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// A rejection, immediately: the turn would come too late.
    ///
    /// # Cancel safety
    ///
    /// Dropped before its turn, the call gives its place back and those behind move up. Dropped after its
    /// turn has come, it has used its call.
    ///
    /// # Panics
    ///
    /// If it has to wait outside a tokio runtime with its timer.
    pub fn acquire(&self) -> AcquireRate {
        self.acquire_many(1)
    }

    /// Takes several calls of the quota, all at one turn: [`acquire`](Self::acquire).
    pub fn acquire_many(&self, calls: u32) -> AcquireRate {
        AcquireRate::new(self.clone(), calls)
    }
}

#[cfg(feature = "tokio")]
impl Queue for RateLimiter {
    fn meter(&self) -> &Meter {
        &self.0.meter
    }

    fn now(&self) -> u64 {
        RateLimiter::now(self)
    }

    fn max_wait(&self) -> u64 {
        self.0.max_wait
    }

    fn reject_slow(&self, refused: Refused) -> Rejected {
        RateLimiter::reject_slow(self, refused)
    }
}

impl RateLimiterBuilder {
    /// Sets the clock; the default is the system's.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Sets how long a call waits for its turn in [`RateLimiter::acquire`]; the default is not to wait.
    ///
    /// It bounds the queue as well: no more calls wait than come back in that time.
    #[cfg(feature = "tokio")]
    pub fn max_wait(mut self, wait: Duration) -> Self {
        self.max_wait = wait;
        self
    }

    /// Builds the limiter.
    pub fn build(self) -> RateLimiter {
        RateLimiter(Arc::new(Shared {
            name: self.name,
            clock: self.clock,
            meter: Meter::new(self.quota),
            reports: Reports::default(),
            max_wait: nanos(self.max_wait),
        }))
    }
}

/// Wakes waiters; a waker is the executor's code, so no lock is held.
fn wake_all(wakers: Vec<Waker>) {
    wakers.into_iter().for_each(Waker::wake);
}

impl fmt::Debug for RateLimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimiter")
            .field("name", &self.name())
            .field("quota", &self.quota())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for RateLimiterBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimiterBuilder")
            .field("name", &self.name)
            .field("quota", &self.quota)
            .finish_non_exhaustive()
    }
}
