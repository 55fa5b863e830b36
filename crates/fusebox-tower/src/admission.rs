use std::fmt;
use std::task::{Context, Poll};

use fusebox::{CircuitBreaker, OwnedPermit, Rejected};

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
    kept: Option<Rejected>,
}

impl Single {
    /// This breaker for every call, nothing rejected yet.
    pub fn new(breaker: CircuitBreaker) -> Self {
        Self { breaker, kept: None }
    }

    #[cold]
    fn reject(&mut self) -> Result<OwnedPermit, Rejected> {
        let rejected = self.kept.take().expect("called with a kept rejection");
        self.breaker.count_rejection(&rejected);
        Err(rejected)
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
        match self.breaker.check() {
            Ok(()) => {
                // Looked at first, because it is there next to never, and a look is no write.
                if self.kept.is_some() {
                    self.kept = None;
                }
                Poll::Ready(Door::Pass)
            }
            Err(rejected) => {
                self.kept = Some(rejected);
                Poll::Ready(Door::Refuse)
            }
        }
    }

    #[inline]
    fn acquire_if_closed(&mut self) -> Option<OwnedPermit> {
        if self.kept.is_none() { self.breaker.acquire_if_closed() } else { None }
    }

    fn acquire(&mut self, _: &Request) -> Result<OwnedPermit, Rejected> {
        if self.kept.is_none() { self.breaker.try_acquire_owned() } else { self.reject() }
    }

    fn acquire_unready(&mut self) -> Option<OwnedPermit> {
        self.breaker.try_acquire_owned().ok()
    }
}
