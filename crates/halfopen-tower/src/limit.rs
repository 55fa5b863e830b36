//! The parts of a [`BulkheadLayer`] and a [`RateLimitLayer`]: limits, their service and its future.

mod future;
mod layer;
mod service;

use std::fmt;
use std::future::{Future, Pending};
use std::sync::Arc;

use halfopen::Rejected;
use halfopen_limit::{Acquire, AcquireRate, Bulkhead, BulkheadPermit, KeyedRateLimiter, RateLimiter};

pub use self::future::LimitFuture;
pub use self::layer::{BulkheadLayer, RateLimitLayer};
pub use self::service::LimitService;
use crate::Key;
use crate::sealed::Sealed;

/// What a call must pass: a bulkhead, a rate limiter, or one quota per key.
///
/// Sealed; here so that a bound can be written.
pub trait Limit<Request>: Sealed {
    /// Held for as long as the call lasts.
    type Permit;
    /// Waits for a permit.
    type Acquire: Future<Output = Result<Self::Permit, Rejected>>;

    /// Returns false if a call would have to wait or be rejected; true where it depends on the request.
    fn is_permitting(&self) -> bool {
        true
    }

    /// Begins the call of a request.
    fn begin(&self, request: &Request) -> Begin<Self::Permit, Self::Acquire>;
}

/// How a call begins.
#[derive(Debug)]
pub enum Begin<P, A> {
    /// With a permit.
    Permitted(P),
    /// With a wait, or with a rejection that the wait begins with.
    Waiting(A),
    /// Not at all; the limit has counted the rejection.
    Rejected(Rejected),
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

/// One quota per key of the request: [`RateLimitLayer::keyed`].
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
    type Acquire = Pending<Result<(), Rejected>>;

    fn begin(&self, request: &Request) -> Begin<(), Self::Acquire> {
        match self.limiter.try_acquire(&self.key.key(request)) {
            Ok(()) => Begin::Permitted(()),
            Err(rejected) => Begin::Rejected(rejected),
        }
    }
}
