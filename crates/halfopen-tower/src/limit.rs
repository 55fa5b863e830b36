//! [`BulkheadLayer`] and [`RateLimitLayer`], with their service, its future and the trait of their limits.

mod future;
mod layer;
mod service;

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use halfopen::Rejected;
use halfopen_limit::{
    Acquire, AcquireKey, AcquireRate, Bulkhead, BulkheadPermit, KeyedRateLimiter, RateLimiter,
};

pub use self::future::LimitFuture;
pub use self::layer::{BulkheadLayer, RateLimitLayer};
pub use self::service::LimitService;
use crate::keyed::Key;
use crate::sealed::Sealed;

/// A limit of calls: a bulkhead, a rate limiter, or one quota per key.
///
/// This trait is sealed. It is public so that it can be named in bounds.
pub trait Limit<Request>: Sealed {
    /// The permit that a call holds until it completes.
    type Permit;
    /// The future that waits for a permit.
    type Acquire: Future<Output = Result<Self::Permit, Rejected>>;

    /// Returns `false` if a call made now would wait or be rejected, and `true` if that depends on the request.
    fn is_permitting(&self) -> bool {
        true
    }

    /// Acquires a permit for the call of `request`, or starts to wait for one.
    fn begin(&self, request: &Request) -> Begin<Self::Permit, Self::Acquire>;
}

/// The result of [`Limit::begin`]: a permit or a wait.
#[derive(Debug)]
pub enum Begin<P, A> {
    /// The call has a permit.
    Permitted(P),
    /// The call waits for a permit. The future may also complete immediately with a rejection.
    Waiting(A),
}

impl Sealed for Bulkhead {}
impl Sealed for RateLimiter {}

impl<Request> Limit<Request> for Bulkhead {
    type Permit = BulkheadPermit;
    type Acquire = Acquire;

    fn is_permitting(&self) -> bool {
        Bulkhead::is_permitting(self)
    }

    fn begin(&self, _: &Request) -> Begin<BulkheadPermit, Acquire> {
        match self.acquire_if_permitted() {
            Some(permit) => Begin::Permitted(permit),
            None => Begin::Waiting(self.acquire()),
        }
    }
}

impl<Request> Limit<Request> for RateLimiter {
    type Permit = ();
    type Acquire = AcquireRate;

    fn begin(&self, _: &Request) -> Begin<(), AcquireRate> {
        if self.acquire_if_permitted() { Begin::Permitted(()) } else { Begin::Waiting(self.acquire()) }
    }
}

/// A limit with one quota per key: [`RateLimitLayer::keyed`].
pub struct KeyedLimit<K> {
    limiter: KeyedRateLimiter,
    // Shared, so that the closure need not be `Clone`.
    key: Arc<K>,
}

impl<K> KeyedLimit<K> {
    fn new(limiter: KeyedRateLimiter, key: K) -> Self {
        Self { limiter, key: Arc::new(key) }
    }
}

impl<K> Sealed for KeyedLimit<K> {}

impl<K> Clone for KeyedLimit<K> {
    fn clone(&self) -> Self {
        Self { limiter: self.limiter.clone(), key: Arc::clone(&self.key) }
    }
}

impl<K> fmt::Debug for KeyedLimit<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyedLimit").field("limiter", &self.limiter).finish_non_exhaustive()
    }
}

impl<Request, K: Key<Request>> Limit<Request> for KeyedLimit<K> {
    type Permit = ();
    type Acquire = AcquireKey;

    fn begin(&self, request: &Request) -> Begin<(), AcquireKey> {
        let key = self.key.key(request);
        if self.limiter.acquire_if_permitted(&key) {
            Begin::Permitted(())
        } else {
            Begin::Waiting(self.limiter.acquire(&key))
        }
    }
}
