mod acquire;
mod config;
#[cfg(all(test, loom))]
mod loom_tests;
mod occupancy;
mod pool;
#[cfg(test)]
#[cfg(not(loom))]
mod tests;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use halfopen::Rejected;

pub use self::acquire::Acquire;
pub use self::config::{BulkheadConfig, BulkheadConfigBuilder};
use self::occupancy::Occupancy;
use self::pool::Pool;
use crate::nanos;
use crate::rejected::bulkhead_full;
use crate::reports::Reports;
use crate::sync::{AtomicU64, Ordering};

/// A limit of how many calls are in flight at a time, with a queue for those that may wait.
///
/// Cheap to clone; every clone is the same pool of slots, so that several breakers, clients and routes can
/// share one. A slot is held by a [`BulkheadPermit`] and given back when that is dropped, after a panic or
/// a cancelled call as well.
///
/// # Examples
///
/// ```
/// use halfopen_limit::{Bulkhead, BulkheadConfig};
///
/// let bulkhead = Bulkhead::new("ai", BulkheadConfig::builder().max_concurrent_calls(1).build()?);
///
/// let permit = bulkhead.try_acquire()?;
/// let rejected = bulkhead.try_acquire().unwrap_err();
/// assert_eq!(rejected.to_string(), "bulkhead `ai` is full (1 call in flight, 0 waiting)");
///
/// drop(permit);
/// assert!(bulkhead.try_acquire().is_ok());
/// # Ok::<(), halfopen::BoxError>(())
/// ```
#[derive(Clone)]
pub struct Bulkhead(Arc<Shared>);

struct Shared {
    name: Arc<str>,
    pool: Pool,
    /// Nanoseconds; [`NO_LIMIT`] for a wait without one.
    max_wait: AtomicU64,
    reports: Reports,
}

const NO_LIMIT: u64 = u64::MAX;

/// A slot of a [`Bulkhead`], given back when it is dropped.
///
/// It borrows nothing, so that a future, a stream or a response body can carry it.
#[must_use = "a dropped permit gives its slot back immediately"]
pub struct BulkheadPermit(Arc<Shared>);

/// The state of a [`Bulkhead`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BulkheadSnapshot {
    /// The name of the bulkhead.
    pub name: Arc<str>,
    /// The limits in force.
    pub config: BulkheadConfig,
    /// Calls that hold a slot; more than the limit while a smaller one waits for permits to come back.
    pub in_flight: u32,
    /// Calls that wait for a slot.
    pub waiting: u32,
    /// Calls rejected so far: the bulkhead and its queue were full, or the wait was over.
    pub rejected: u64,
}

impl Bulkhead {
    /// Creates a bulkhead.
    pub fn new(name: impl Into<Arc<str>>, config: BulkheadConfig) -> Bulkhead {
        Bulkhead(Arc::new(Shared {
            name: name.into(),
            pool: Pool::new(config.limits()),
            max_wait: AtomicU64::new(config.max_wait().map_or(NO_LIMIT, nanos)),
            reports: Reports::default(),
        }))
    }

    /// Returns the name of the bulkhead.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Takes a slot, if one is free and no call waits for it.
    ///
    /// # Errors
    ///
    /// A rejection with the reason
    /// [`BulkheadFull`](halfopen::RejectReason::BulkheadFull).
    #[inline]
    pub fn try_acquire(&self) -> Result<BulkheadPermit, Rejected> {
        match self.0.pool.try_enter() {
            Ok(()) => Ok(self.permit()),
            Err(occupancy) => Err(self.reject_slow(occupancy)),
        }
    }

    /// Takes a slot, or waits for one in the order of arrival, as long as the configuration permits.
    ///
    /// The call arrives when the future is polled first.
    ///
    /// # Examples
    ///
    /// ```
    /// use halfopen_limit::{Bulkhead, BulkheadConfig};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), halfopen::BoxError> {
    /// let config = BulkheadConfig::builder().max_concurrent_calls(1).max_waiting_calls(5).build()?;
    /// let bulkhead = Bulkhead::new("ai", config);
    ///
    /// let first = bulkhead.acquire().await?;
    /// let (second, ()) = tokio::join!(bulkhead.acquire(), async { drop(first) });
    /// assert_eq!(bulkhead.snapshot().in_flight, 1);
    /// # drop(second?);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// A rejection: immediately if the bulkhead and its queue are full, after `max_wait` if no slot came.
    ///
    /// # Cancel safety
    ///
    /// Dropped while it waits, the future leaves the queue and nothing else changes; a slot it has been
    /// given meanwhile goes to the next.
    ///
    /// # Panics
    ///
    /// If it has to wait with a `max_wait` outside a tokio runtime with its timer.
    pub fn acquire(&self) -> Acquire {
        Acquire::new(self.clone())
    }

    /// Takes a slot, if one is free and no call waits for it; counts no rejection.
    ///
    /// For code that goes on with [`acquire`](Self::acquire) or with a rejection of its own.
    #[inline]
    pub fn acquire_if_permitted(&self) -> Option<BulkheadPermit> {
        self.0.pool.try_enter().is_ok().then(|| self.permit())
    }

    /// Returns whether a slot can be taken without waiting.
    #[inline]
    pub fn is_permitting(&self) -> bool {
        let pool = &self.0.pool;
        pool.occupancy().enter(pool.limits()).is_some()
    }

    /// Replaces the limits under running calls.
    ///
    /// New slots go to those that wait. A smaller limit waits for permits to come back; calls that wait
    /// already keep their places and the wait they began with.
    pub fn set_config(&self, config: BulkheadConfig) {
        self.0.max_wait.store(config.max_wait().map_or(NO_LIMIT, nanos), Ordering::Relaxed);
        self.0.pool.set_limits(config.limits());
    }

    /// Returns the limits in force.
    pub fn config(&self) -> BulkheadConfig {
        BulkheadConfig::from_parts(self.0.pool.limits(), self.0.max_wait())
    }

    /// Returns the state of the bulkhead; changes nothing.
    pub fn snapshot(&self) -> BulkheadSnapshot {
        let Occupancy { in_flight, waiting } = self.0.pool.occupancy();
        BulkheadSnapshot {
            name: Arc::clone(&self.0.name),
            config: self.config(),
            in_flight,
            waiting,
            rejected: self.0.pool.rejected(),
        }
    }

    /// Returns true if another clone or a permit of it exists.
    #[cfg(all(feature = "tokio", not(loom)))]
    pub(crate) fn is_shared(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }

    #[inline]
    fn permit(&self) -> BulkheadPermit {
        BulkheadPermit(Arc::clone(&self.0))
    }

    #[cold]
    fn reject_slow(&self, occupancy: Occupancy) -> Rejected {
        let Occupancy { in_flight, waiting } = occupancy;
        self.0.pool.count_rejection();
        let rejected = bulkhead_full(&self.0.name, in_flight, waiting);
        self.0.reports.bulkhead_full(&rejected, in_flight, waiting);
        rejected
    }
}

impl Shared {
    fn max_wait(&self) -> Option<Duration> {
        let nanos = self.max_wait.load(Ordering::Relaxed);
        (nanos != NO_LIMIT).then(|| Duration::from_nanos(nanos))
    }
}

impl Drop for BulkheadPermit {
    #[inline]
    fn drop(&mut self) {
        self.0.pool.give_back();
    }
}

impl fmt::Debug for Bulkhead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Occupancy { in_flight, waiting } = self.0.pool.occupancy();
        f.debug_struct("Bulkhead")
            .field("name", &self.name())
            .field("in_flight", &in_flight)
            .field("waiting", &waiting)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for BulkheadPermit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("BulkheadPermit").field(&self.0.name).finish()
    }
}
