use std::task::{Context, Poll};

use tower_service::Service;

use super::{Begin, Limit, LimitFuture};
use crate::on_reject::{Boxed, OnReject};

/// A service with a limit of calls. Created by a [`BulkheadLayer`](crate::BulkheadLayer) or a
/// [`RateLimitLayer`](crate::RateLimitLayer).
///
/// The permit is taken in `call`, so that a clone that is ready and not called holds none. When a call waits or is
/// rejected, the service releases what its `poll_ready` reserved inside, by replacing the inner service with a clone;
/// a call that waits polls another clone ready after the wait. `Ready` lasts until the next call.
#[derive(Debug)]
pub struct LimitService<S, L, M = Boxed> {
    inner: S,
    limit: L,
    mode: M,
    readiness: Readiness,
}

/// The readiness of the inner service, as far as this clone has polled it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Readiness {
    /// It was not polled since the last call.
    Fresh,
    /// It was polled, is not ready, and may hold a place in a queue.
    Pending,
    /// It is ready and may hold a reservation.
    Ready,
    /// It is not ready, but this service has returned `Ready`, because the limit permitted no call.
    Announced,
}

impl<S, L, M> LimitService<S, L, M> {
    pub(crate) fn new(inner: S, limit: L, mode: M) -> Self {
        Self { inner, limit, mode, readiness: Readiness::Fresh }
    }

    /// Returns a reference to the inner service.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    /// Returns a mutable reference to the inner service. Calls on it bypass the limit.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// Converts into the inner service.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S: Clone, L, M> LimitService<S, L, M> {
    /// Releases what the inner service has reserved.
    fn release(&mut self) {
        match self.readiness {
            Readiness::Fresh | Readiness::Announced => {}
            Readiness::Pending | Readiness::Ready => self.inner = self.inner.clone(),
        }
    }
}

impl<S, L, M, Request> Service<Request> for LimitService<S, L, M>
where
    S: Service<Request> + Clone,
    L: Limit<Request>,
    M: OnReject<Request, S::Response, S::Error> + Clone,
{
    type Response = S::Response;
    type Error = M::Error;
    type Future = LimitFuture<S, L, M, Request>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        if !self.limit.is_permitting() {
            // `Ready` instead of an error, after which a buffer around this closes. The reservation is released, as
            // the next call waits or is rejected and would hold it without use.
            self.release();
            self.readiness = Readiness::Announced;
            return Poll::Ready(Ok(()));
        }
        match (self.inner.poll_ready(cx), self.readiness) {
            (Poll::Ready(Ok(())), _) => {
                self.readiness = Readiness::Ready;
                Poll::Ready(Ok(()))
            }
            (Poll::Ready(Err(error)), _) => Poll::Ready(Err(M::map_error(error))),
            // `Ready` was returned before and must last until the call. The clone leaves the queue of the inner
            // service.
            (Poll::Pending, Readiness::Announced) => {
                self.inner = self.inner.clone();
                Poll::Ready(Ok(()))
            }
            (Poll::Pending, Readiness::Fresh | Readiness::Pending | Readiness::Ready) => {
                self.readiness = Readiness::Pending;
                Poll::Pending
            }
        }
    }

    #[inline]
    fn call(&mut self, request: Request) -> Self::Future {
        let future = match self.limit.begin(&request) {
            // The instance that was polled ready is the instance that is called.
            Begin::Permitted(permit) if self.readiness == Readiness::Ready => {
                LimitFuture::calling(self.inner.call(request), permit)
            }
            // The limit was full in `poll_ready` and is not any more: the future polls a clone ready first.
            Begin::Permitted(permit) => LimitFuture::readying(self.inner.clone(), request, permit),
            Begin::Waiting(acquire) => {
                self.release();
                LimitFuture::waiting(acquire, self.inner.clone(), request, self.mode.clone())
            }
        };
        self.readiness = Readiness::Fresh;
        future
    }
}

// Readiness is not cloned: a clone is polled ready by itself.
impl<S: Clone, L: Clone, M: Clone> Clone for LimitService<S, L, M> {
    fn clone(&self) -> Self {
        Self::new(self.inner.clone(), self.limit.clone(), self.mode.clone())
    }
}
