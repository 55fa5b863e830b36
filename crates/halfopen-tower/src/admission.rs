use std::fmt;
use std::task::{Context, Poll};

use halfopen::{CircuitBreaker, OwnedPermit, Refusal, Rejected};

use crate::sealed::Sealed;

/// What a service asks before it makes a call: one breaker, one per key, or one that it waits for.
///
/// Sealed; here so that a bound can be written.
pub trait Admission<Request>: Sealed {
    /// Asks, before the inner service is polled, whether it should be.
    fn poll_door(&mut self, cx: &mut Context<'_>) -> Poll<Door>;

    /// Takes the permit of the next call if that needs nothing but a closed breaker.
    #[inline]
    fn acquire_if_closed(&mut self) -> Option<OwnedPermit> {
        None
    }

    /// Takes the permit of this request's call.
    ///
    /// # Errors
    ///
    /// The rejection, which the breaker has counted.
    fn acquire(&mut self, request: &Request) -> Result<OwnedPermit, Rejected>;

    /// Takes the permit under which an inner service that will never be ready again is recorded.
    fn acquire_unready(&mut self) -> Option<OwnedPermit>;
}

/// What `poll_ready` does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// Ask the inner service.
    Pass,
    /// Say that the service is ready: the call that follows will be rejected.
    Refuse,
}

/// One breaker for every call: [`CircuitBreakerLayer::new`](crate::CircuitBreakerLayer::new).
pub struct Single {
    pub(crate) breaker: CircuitBreaker,
    // The inner service was not made ready when this was said, so the next call has to be rejected
    // with it, whatever the breaker would say by then.
    kept: Option<Refusal>,
}

impl Single {
    /// This breaker for every call, nothing rejected yet.
    pub fn new(breaker: CircuitBreaker) -> Self {
        Self { breaker, kept: None }
    }

    /// Asks a breaker that is not closed, and keeps its no.
    #[cold]
    #[inline(never)]
    fn ask(&mut self) -> Door {
        self.kept = self.breaker.refusal();
        if self.kept.is_some() { Door::Refuse } else { Door::Pass }
    }
}

// A clone of a ready service is not ready, so a clone of a rejecting one does not reject.
impl Clone for Single {
    fn clone(&self) -> Self {
        Self::new(self.breaker.clone())
    }
}

impl fmt::Debug for Single {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Single").field("breaker", &self.breaker.name()).field("kept", &self.kept).finish()
    }
}

impl Sealed for Single {}

impl<Request> Admission<Request> for Single {
    #[inline]
    fn poll_door(&mut self, _: &mut Context<'_>) -> Poll<Door> {
        // Asked before the inner service: one that is polled ready and then not called would keep its
        // reservation (a concurrency permit, a buffer's slot) from every other clone.
        if self.kept.is_none() && self.breaker.is_closed() {
            return Poll::Ready(Door::Pass);
        }
        Poll::Ready(self.ask())
    }

    #[inline(always)]
    fn acquire_if_closed(&mut self) -> Option<OwnedPermit> {
        if self.kept.is_none() { self.breaker.acquire_if_closed() } else { None }
    }

    #[inline]
    fn acquire(&mut self, _: &Request) -> Result<OwnedPermit, Rejected> {
        match self.kept.take() {
            Some(refusal) => Err(self.breaker.reject(refusal)),
            None => self.breaker.try_acquire_owned(),
        }
    }

    fn acquire_unready(&mut self) -> Option<OwnedPermit> {
        self.breaker.try_acquire_owned().ok()
    }
}
