use std::fmt;
use std::task::{Context, Poll};

use halfopen::adapter::{self, Handle, HandlePermit, Refusal};
use halfopen::{CircuitBreaker, OwnedPermit, Rejected};

use crate::sealed::Sealed;

/// Admits the calls of a service, with one breaker or one per key.
///
/// This trait is sealed. It is public so that it can be named in bounds.
pub trait Admission<Request>: Sealed {
    /// Returns the step that `poll_ready` takes before it polls the inner service.
    fn poll_readiness(&mut self, cx: &mut Context<'_>) -> Poll<Readiness>;

    /// Notes that the service is about to return `Ready` with an inner service that is ready.
    #[inline]
    fn set_ready(&mut self) {}

    /// Fast path of [`acquire`](Self::acquire): returns a permit if the breaker is known without the request, is
    /// closed, and threads do not contend for it, otherwise [`None`].
    #[inline]
    fn acquire_if_closed(&mut self) -> Option<OwnedPermit> {
        None
    }

    /// The same while threads contend for the breaker: the permit does not share their reference count.
    #[inline]
    fn acquire_if_contended(&mut self) -> Option<HandlePermit> {
        None
    }

    /// Acquires the permit for the call of `request`.
    ///
    /// # Errors
    ///
    /// Returns the rejection, which the breaker has already counted.
    fn acquire(&mut self, request: &Request) -> Result<OwnedPermit, Rejected>;

    /// Returns a permit to record an inner service whose `poll_ready` failed, or [`None`] if the breaker is not
    /// known without the request or permits no call.
    ///
    /// A refusal is not counted as a rejection, because the caller gets the error of the inner service.
    fn acquire_unready(&mut self) -> Option<OwnedPermit>;
}

/// The step that `poll_ready` takes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Readiness {
    /// Polls the inner service.
    Ready,
    /// Returns `Ready` without polling the inner service. The next call is rejected.
    Reject,
    /// Polls the inner service, and returns `Ready` also if it is pending: a previous `poll_ready` returned
    /// [`Reject`](Self::Reject), and the breaker permits calls again.
    Recovered,
}

/// Admits every call with one breaker: [`CircuitBreakerLayer::new`](crate::CircuitBreakerLayer::new).
pub struct Single {
    handle: Handle,
    // The refusal for which `poll_ready` returned `Ready` without polling the inner service. The next call is
    // rejected with it even if the breaker has closed since: calling a service that is not ready breaks the
    // contract of `Service`.
    kept: Option<Refusal>,
}

impl Single {
    /// Creates an admission by `breaker`.
    pub fn new(breaker: CircuitBreaker) -> Self {
        Self { handle: Handle::new(breaker), kept: None }
    }

    fn breaker(&self) -> &CircuitBreaker {
        self.handle.breaker()
    }

    #[cfg(feature = "tokio")]
    pub(crate) fn into_breaker(self) -> CircuitBreaker {
        self.handle.into_breaker()
    }

    #[cold]
    #[inline(never)]
    fn readiness_slow(&mut self) -> Readiness {
        match (adapter::refusal(self.breaker()), self.kept) {
            // The newest refusal replaces the kept one: its wait is the one that the caller has to observe.
            (Some(refusal), _) => {
                self.kept = Some(refusal);
                Readiness::Reject
            }
            // Still kept: whether the next call is made depends on the inner service, which has to become ready
            // first.
            (None, Some(_)) => Readiness::Recovered,
            (None, None) => Readiness::Ready,
        }
    }
}

// The kept refusal stays with the original: readiness is not cloned, so the clone is polled by itself.
impl Clone for Single {
    fn clone(&self) -> Self {
        Self { handle: self.handle.clone(), kept: None }
    }
}

impl fmt::Debug for Single {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Single").field("breaker", &self.breaker().name()).field("kept", &self.kept).finish()
    }
}

impl Sealed for Single {}

impl<Request> Admission<Request> for Single {
    #[inline]
    fn poll_readiness(&mut self, _: &mut Context<'_>) -> Poll<Readiness> {
        // Checked before the inner service is polled: an inner service that is ready but never called would hold
        // its reservation (a concurrency permit, a slot of a buffer) without using it.
        if self.kept.is_none() && self.breaker().is_closed() {
            return Poll::Ready(Readiness::Ready);
        }
        Poll::Ready(self.readiness_slow())
    }

    #[inline]
    fn set_ready(&mut self) {
        // A branch instead of a store, as the value is `None` on the permitted path.
        if self.kept.is_some() {
            self.kept = None;
        }
    }

    #[inline(always)]
    fn acquire_if_closed(&mut self) -> Option<OwnedPermit> {
        if self.kept.is_none() { self.handle.acquire_if_alone() } else { None }
    }

    #[inline(always)]
    fn acquire_if_contended(&mut self) -> Option<HandlePermit> {
        if self.kept.is_none() { self.handle.acquire_if_closed() } else { None }
    }

    #[inline]
    fn acquire(&mut self, _: &Request) -> Result<OwnedPermit, Rejected> {
        match self.kept.take() {
            // Counted only now, because readiness can be polled any number of times for one call.
            Some(refusal) => Err(adapter::reject(self.breaker(), refusal)),
            None => self.breaker().try_acquire_owned(),
        }
    }

    fn acquire_unready(&mut self) -> Option<OwnedPermit> {
        // No call follows a service that has failed, so there is none that the kept refusal could reject.
        self.kept = None;
        adapter::acquire_if_permitted(self.breaker())
    }
}
