use std::task::{Context, Poll};

use tower_service::Service;

use super::{Begin, Limit, LimitFuture};
use crate::{Boxed, OnReject};

/// A service whose calls pass a limit; made by a [`BulkheadLayer`](crate::BulkheadLayer) or a
/// [`RateLimitLayer`](crate::RateLimitLayer).
///
/// No permit is taken before `call`, so that a clone which is ready and makes no call holds nothing. A call that
/// waits or is rejected gives back what `poll_ready` has reserved inside: a clone of the inner service takes its
/// place, and a waiting call polls another one ready after the wait. `Ready` lasts until the next call.
#[derive(Debug)]
pub struct LimitService<S, L, M = Boxed> {
    inner: S,
    limit: L,
    mode: M,
    readiness: Readiness,
}

/// What this clone knows of its inner service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Readiness {
    /// It was not polled since the last call.
    Fresh,
    /// It was polled and may hold a reservation, or a place in a queue for one.
    Pending,
    /// It is ready.
    Ready,
    /// `Ready` was returned though it is not: the limit was not permitting then.
    Announced,
}

impl<S, L, M> LimitService<S, L, M> {
    pub(super) fn new(inner: S, limit: L, mode: M) -> Self {
        Self { inner, limit, mode, readiness: Readiness::Fresh }
    }

    /// Returns the inner service.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    /// Returns the inner service; calls made on it pass no limit.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// Returns the inner service, without the limit.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S: Clone, L, M> LimitService<S, L, M> {
    /// Gives back what the inner service has reserved.
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
            // Not an error, which would end a buffer around this; and the inner service is not kept reserved
            // for a call that waits.
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
            // The instance that was polled ready is the one that is called.
            Begin::Permitted(permit) if self.readiness == Readiness::Ready => {
                LimitFuture::calling(self.inner.call(request), permit)
            }
            Begin::Permitted(permit) => LimitFuture::readying(self.inner.clone(), request, permit),
            Begin::Waiting(acquire) => {
                self.release();
                LimitFuture::waiting(acquire, self.inner.clone(), request, self.mode.clone())
            }
            Begin::Rejected(rejected) => {
                self.release();
                LimitFuture::answered(self.mode.reject(rejected, request))
            }
        };
        self.readiness = Readiness::Fresh;
        future
    }
}

// A clone of a ready service is not ready.
impl<S: Clone, L: Clone, M: Clone> Clone for LimitService<S, L, M> {
    fn clone(&self) -> Self {
        Self::new(self.inner.clone(), self.limit.clone(), self.mode.clone())
    }
}
