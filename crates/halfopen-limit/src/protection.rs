mod acquire;
mod set;

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use halfopen::adapter;
use halfopen::{CircuitBreaker, Registry};

pub use self::acquire::AcquireProtection;
pub use self::set::{ProtectionConfig, Protections};
use crate::{Bulkhead, BulkheadPermit, RateLimiter};

/// The circuit breaker of a dependency with its limits and its timeout, all of which can be replaced under running
/// calls.
///
/// Cheap to clone; every clone is the same. A configuration that changes while the program runs keeps one per name
/// and replaces its [`limits`](Self::limits); adapters read them for each call. A call passes those that are set, in
/// this order:
///
/// 1. The breaker, asked only: while it rejects calls, no limit is used up by them.
/// 2. The rate limit, then the bulkhead; where they have a wait, the call waits.
/// 3. The breaker's permit. The call begins.
/// 4. The timeout, for the call alone: waiting is not a part of it.
///
/// # Examples
///
/// ```
/// use halfopen::{RejectReason, Registry};
/// use halfopen_limit::{Bulkhead, BulkheadConfig, Protection, ProtectionLimits};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), halfopen::BoxError> {
/// let payments = Protection::new(&Registry::new(), "payments");
/// let slots = payments.acquire().await?; // nothing limits it yet
///
/// let config = BulkheadConfig::builder().max_concurrent_calls(1).build()?;
/// let limits = ProtectionLimits::new().bulkhead(Bulkhead::new("payments", config));
/// payments.set_limits(limits);
///
/// let first = payments.acquire().await?;
/// let rejected = payments.acquire().await.unwrap_err();
/// assert_eq!(rejected.reason(), RejectReason::BulkheadFull);
/// # drop((slots, first));
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Protection(Arc<Shared>);

struct Shared {
    name: Arc<str>,
    registry: Registry,
    limits: RwLock<ProtectionLimits>,
}

/// The limits of a [`Protection`]; by default there are none.
#[derive(Clone, Debug, Default)]
#[must_use = "limits do nothing until a protection has them"]
pub struct ProtectionLimits {
    bulkhead: Option<Bulkhead>,
    rate_limiter: Option<RateLimiter>,
    call_timeout: Option<Duration>,
}

/// The slot of a call of a [`Protection`], where it has a bulkhead; given back when it is dropped.
#[derive(Debug, Default)]
#[must_use = "a dropped permit gives its slot back immediately"]
pub struct ProtectionPermit(#[expect(dead_code, reason = "held")] Option<BulkheadPermit>);

impl Protection {
    /// Creates the protection of the breaker with this name, without limits.
    ///
    /// The breaker is looked up for each call, so that one that replaces it in the registry is followed.
    pub fn new(registry: &Registry, name: impl Into<Arc<str>>) -> Protection {
        Protection(Arc::new(Shared {
            name: name.into(),
            registry: registry.clone(),
            limits: RwLock::default(),
        }))
    }

    /// Returns the name of the breaker.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Returns the breaker, created if the registry does not have it.
    pub fn breaker(&self) -> CircuitBreaker {
        self.0.registry.get_or_create(&self.0.name)
    }

    /// Replaces the limits; calls that wait or are in flight keep those they began with.
    pub fn set_limits(&self, limits: ProtectionLimits) {
        let before = {
            let mut now = self.0.limits.write().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *now, limits)
        };
        // After the lock: a limiter may hold the last handle of a clock, whose function is the caller's code.
        drop(before);
    }

    /// Returns the limits in force.
    pub fn limits(&self) -> ProtectionLimits {
        self.0.limits.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns the longest duration of a call; [`None`] is as long as it takes.
    pub fn call_timeout(&self) -> Option<Duration> {
        self.0.limits.read().unwrap_or_else(PoisonError::into_inner).call_timeout
    }

    /// Returns whether a call can begin without waiting, as far as breaker and bulkhead decide.
    pub fn is_permitting(&self) -> bool {
        let limits = self.0.limits.read().unwrap_or_else(PoisonError::into_inner);
        limits.bulkhead.as_ref().is_none_or(Bulkhead::is_permitting) && self.breaker().is_permitting()
    }

    /// Passes the limits, if they permit the call now; counts no rejection.
    ///
    /// For code that goes on with [`acquire`](Self::acquire).
    pub fn acquire_if_permitted(&self) -> Option<ProtectionPermit> {
        let limits = self.0.limits.read().unwrap_or_else(PoisonError::into_inner);
        let ProtectionLimits { bulkhead, rate_limiter, .. } = &*limits;
        if bulkhead.is_none() && rate_limiter.is_none() {
            // The breaker decides alone, and with its permit.
            return Some(ProtectionPermit::default());
        }
        if adapter::refusal(&self.breaker()).is_some() {
            return None;
        }
        // The slot first: it can be given back.
        let slot = match bulkhead {
            Some(bulkhead) => Some(bulkhead.acquire_if_permitted()?),
            None => None,
        };
        let permitted = rate_limiter.as_ref().is_none_or(RateLimiter::acquire_if_permitted);
        permitted.then_some(ProtectionPermit(slot))
    }

    /// Passes the limits, now or after the waits that they have; the breaker's permit is then the caller's to take.
    ///
    /// The call arrives when the future is polled first, at the limits of that moment: at the rate limit, then at the
    /// bulkhead. One that the bulkhead rejects has used its call of the quota.
    ///
    /// # Errors
    ///
    /// A rejection: of the breaker while it permits no call, of the rate limit or the bulkhead.
    ///
    /// # Cancel safety
    ///
    /// Dropped while it waits, the future leaves the queue it waits in. A call of the quota that was taken stays
    /// used.
    ///
    /// # Panics
    ///
    /// If it has to wait outside a tokio runtime with its timer.
    pub fn acquire(&self) -> AcquireProtection {
        AcquireProtection::new(self.clone())
    }
}

impl ProtectionLimits {
    /// Creates limits that limit nothing.
    pub fn new() -> ProtectionLimits {
        ProtectionLimits::default()
    }

    /// Sets the bulkhead, which others may share.
    pub fn bulkhead(mut self, bulkhead: Bulkhead) -> Self {
        self.bulkhead = Some(bulkhead);
        self
    }

    /// Sets the rate limit, which others may share.
    pub fn rate_limiter(mut self, limiter: RateLimiter) -> Self {
        self.rate_limiter = Some(limiter);
        self
    }

    /// Sets the longest duration of a call, after which it is dropped and a failure.
    pub fn call_timeout(mut self, timeout: Duration) -> Self {
        self.call_timeout = Some(timeout);
        self
    }

    /// Returns the bulkhead.
    pub fn get_bulkhead(&self) -> Option<&Bulkhead> {
        self.bulkhead.as_ref()
    }

    /// Returns the rate limit.
    pub fn get_rate_limiter(&self) -> Option<&RateLimiter> {
        self.rate_limiter.as_ref()
    }

    /// Returns the longest duration of a call.
    pub fn get_call_timeout(&self) -> Option<Duration> {
        self.call_timeout
    }
}

impl fmt::Debug for Protection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Protection").field("name", &self.name()).field("limits", &self.limits()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use halfopen::{Clock, RejectReason, Rejected};

    use super::*;
    use crate::{BulkheadConfig, Quota};

    fn bulkhead() -> Bulkhead {
        Bulkhead::new("pool", BulkheadConfig::builder().max_concurrent_calls(1).build().unwrap())
    }

    fn limiter() -> RateLimiter {
        let quota = Quota::calls(2).per(Duration::from_secs(60)).build().unwrap();
        RateLimiter::builder("payments", quota).clock(Clock::manual().0).build()
    }

    fn protection(limits: ProtectionLimits) -> Protection {
        let protection = Protection::new(&Registry::new(), "payments");
        protection.set_limits(limits);
        protection
    }

    fn acquire(protection: &Protection) -> Result<ProtectionPermit, Rejected> {
        let mut acquire = pin!(protection.acquire());
        match acquire.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(result) => result,
            Poll::Pending => panic!("nothing waits"),
        }
    }

    #[test]
    fn an_open_breaker_uses_up_no_limit() {
        let (bulkhead, limiter) = (bulkhead(), limiter());
        let limits = ProtectionLimits::new().bulkhead(bulkhead.clone()).rate_limiter(limiter.clone());
        let protection = protection(limits);
        protection.breaker().force_open();
        assert!(protection.acquire_if_permitted().is_none());
        assert_eq!(acquire(&protection).unwrap_err().reason(), RejectReason::ForcedOpen);
        assert_eq!((limiter.snapshot().available, bulkhead.snapshot().in_flight), (2, 0));
        assert_eq!(protection.breaker().snapshot().totals.rejected, 1);
    }

    #[test]
    fn each_limit_rejects_for_its_reason() {
        let limits = ProtectionLimits::new().bulkhead(bulkhead()).rate_limiter(limiter());
        let protection = protection(limits);
        let first = acquire(&protection).unwrap();
        assert_eq!(acquire(&protection).unwrap_err().reason(), RejectReason::BulkheadFull);
        drop(first);
        assert_eq!(acquire(&protection).unwrap_err().reason(), RejectReason::RateLimited);
        assert_eq!(protection.breaker().snapshot().totals.rejected, 0);
    }

    #[test]
    fn a_quota_is_not_used_while_the_bulkhead_is_full() {
        let limiter = limiter();
        let limits = ProtectionLimits::new().bulkhead(bulkhead()).rate_limiter(limiter.clone());
        let protection = protection(limits);
        let _first = protection.acquire_if_permitted().unwrap();
        assert!(protection.acquire_if_permitted().is_none());
        assert_eq!(limiter.snapshot().available, 1);
    }

    #[test]
    fn limits_change_under_running_calls() {
        let protection = protection(ProtectionLimits::new().bulkhead(bulkhead()));
        let first = acquire(&protection).unwrap();
        protection.set_limits(ProtectionLimits::new());
        assert!(acquire(&protection).is_ok(), "nothing limits it now");
        drop(first);
    }
}
