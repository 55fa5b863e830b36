use std::fmt;
use std::task::{Context, Poll};

use halfopen::adapter::{self, Refusal};
use halfopen::{CircuitBreaker, OwnedPermit, Rejected};

use crate::sealed::Sealed;

/// The breaker of a service's calls: one for all, one per key, or one that is waited for.
///
/// Sealed; public so that a bound can be written.
pub trait Admission<Request>: Sealed {
    /// Checks, before the inner service is polled, whether it should be.
    fn poll_readiness(&mut self, cx: &mut Context<'_>) -> Poll<Readiness>;

    /// The service has returned `Ready` with the inner service ready.
    #[inline]
    fn set_ready(&mut self) {}

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

    /// Takes the permit that records an inner service which will never be ready again; [`None`] if the breaker
    /// is unknown or permits no call. Counts no rejection: the caller gets the inner service's error.
    fn acquire_unready(&mut self) -> Option<OwnedPermit>;
}

/// The next step of `poll_ready`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Readiness {
    /// Poll the inner service.
    Ready,
    /// Return `Ready` without the inner service: the call that follows is rejected.
    Reject,
    /// `Ready` was returned without the inner service, and the breaker permits calls again: poll the inner
    /// service, and stay ready for a rejected call if it is pending.
    Recovered,
}

/// One breaker for every call: [`CircuitBreakerLayer::new`](crate::CircuitBreakerLayer::new).
pub struct Single {
    pub(crate) breaker: CircuitBreaker,
    // The inner service was not ready when `poll_ready` returned `Ready` for this, so the next call has to be
    // rejected, whatever the state of the breaker is by then.
    kept: Option<Refusal>,
}

impl Single {
    /// One breaker for every call.
    pub fn new(breaker: CircuitBreaker) -> Self {
        Self { breaker, kept: None }
    }

    #[cold]
    #[inline(never)]
    fn readiness_slow(&mut self) -> Readiness {
        match (adapter::refusal(&self.breaker), self.kept) {
            (Some(refusal), _) => {
                self.kept = Some(refusal);
                Readiness::Reject
            }
            (None, Some(_)) => Readiness::Recovered,
            (None, None) => Readiness::Ready,
        }
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
    fn poll_readiness(&mut self, _: &mut Context<'_>) -> Poll<Readiness> {
        // Before the inner service: one that is polled ready and then not called would keep its reservation (a
        // concurrency permit, a buffer's slot) from every other clone.
        if self.kept.is_none() && self.breaker.is_closed() {
            return Poll::Ready(Readiness::Ready);
        }
        Poll::Ready(self.readiness_slow())
    }

    #[inline]
    fn set_ready(&mut self) {
        if self.kept.is_some() {
            self.kept = None;
        }
    }

    #[inline(always)]
    fn acquire_if_closed(&mut self) -> Option<OwnedPermit> {
        if self.kept.is_none() { adapter::acquire_if_closed(&self.breaker) } else { None }
    }

    #[inline]
    fn acquire(&mut self, _: &Request) -> Result<OwnedPermit, Rejected> {
        match self.kept.take() {
            Some(refusal) => Err(adapter::reject(&self.breaker, refusal)),
            None => self.breaker.try_acquire_owned(),
        }
    }

    fn acquire_unready(&mut self) -> Option<OwnedPermit> {
        self.kept = None;
        adapter::acquire_if_permitted(&self.breaker)
    }
}
