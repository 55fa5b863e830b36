use std::fmt;
use std::task::{Context, Poll};

use halfopen::CircuitBreaker;
use tower_service::Service;

use crate::inner::Inner;
use crate::{Admission, Boxed, DefaultClassify, OnReject, Readiness, RecordOutcome, ResponseFuture, Single};

/// A service whose calls pass through a circuit breaker; made by a
/// [`CircuitBreakerLayer`](crate::CircuitBreakerLayer).
///
/// While the breaker is open `poll_ready` returns `Ready` without polling the inner service, and the call is
/// rejected without it. An error of the inner service's own `poll_ready` is passed on and counts as one failed
/// call. `Ready` lasts until the next call.
///
/// A clone shares the breaker and nothing else: it must be polled ready by itself. A clone whose call is rejected
/// gives back what its `poll_ready` reserved inside.
#[derive(Clone)]
pub struct CircuitBreakerService<S, B = Single, C = DefaultClassify, M = Boxed> {
    inner: Inner<S>,
    admission: B,
    classify: C,
    mode: M,
}

impl<S> CircuitBreakerService<S> {
    /// Puts a breaker around one service, as [`CircuitBreakerLayer::new`](crate::CircuitBreakerLayer::new) does.
    pub fn new(inner: S, breaker: CircuitBreaker) -> Self {
        Self::from_parts(inner, Single::new(breaker), DefaultClassify, Boxed)
    }
}

impl<S, B, C, M> CircuitBreakerService<S, B, C, M> {
    pub(crate) fn from_parts(inner: S, admission: B, classify: C, mode: M) -> Self {
        Self { inner: Inner::new(inner), admission, classify, mode }
    }

    /// Returns the inner service.
    pub fn get_ref(&self) -> &S {
        self.inner.get_ref()
    }

    /// Returns the inner service; calls made on it pass no breaker.
    pub fn get_mut(&mut self) -> &mut S {
        self.inner.get_mut()
    }

    /// Returns the inner service, without the breaker.
    pub fn into_inner(self) -> S {
        self.inner.into_service()
    }
}

impl<S, B, C, M, Request> Service<Request> for CircuitBreakerService<S, B, C, M>
where
    S: Service<Request>,
    B: Admission<Request>,
    C: RecordOutcome<Request, S::Response, S::Error, M> + Clone,
    M: OnReject<Request, S::Response, S::Error>,
{
    type Response = S::Response;
    type Error = M::Error;
    type Future = ResponseFuture<S::Future, C, M, Request, S::Response, Self::Error>;

    // Always, as the future's poll: seen whole by its caller, a call stays in registers.
    #[inline(always)]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        match poll_ready(&mut self.inner, &mut self.admission, cx) {
            Poll::Ready(Err(error)) => Poll::Ready(self.never_ready(error)),
            Poll::Ready(Ok(())) => Poll::Ready(Ok(())),
            Poll::Pending => Poll::Pending,
        }
    }

    #[inline(always)]
    fn call(&mut self, request: Request) -> Self::Future {
        let permit = match self.admission.acquire_if_closed() {
            Some(permit) => permit,
            None => match self.admission.acquire(&request) {
                Ok(permit) => permit,
                Err(rejected) => {
                    self.inner.release();
                    return ResponseFuture::rejected(self.mode.reject(rejected, request));
                }
            },
        };
        let classify = self.classify.clone();
        // The permit is on this stack: a panic of the inner `call` is a failure, too.
        let inner = self.inner.call(request);
        ResponseFuture::permitted(inner, permit, classify)
    }
}

impl<S, B, C, M> CircuitBreakerService<S, B, C, M> {
    /// Records the end of the inner service (a buffer whose worker died, for example) as one failed call and
    /// returns its error.
    #[cold]
    fn never_ready<Request>(&mut self, error: S::Error) -> Result<(), M::Error>
    where
        S: Service<Request>,
        B: Admission<Request>,
        C: RecordOutcome<Request, S::Response, S::Error, M>,
        M: OnReject<Request, S::Response, S::Error>,
    {
        match self.admission.acquire_unready() {
            Some(permit) => self.classify.record(permit, Err(error)).map(drop),
            None => Err(M::map_error(error)),
        }
    }
}

/// The readiness of a service with this breaker around this inner service; the same for every protocol.
#[inline(always)]
pub(crate) fn poll_ready<S, B, Request>(
    inner: &mut Inner<S>,
    admission: &mut B,
    cx: &mut Context<'_>,
) -> Poll<Result<(), S::Error>>
where
    S: Service<Request>,
    B: Admission<Request>,
{
    let recovered = match admission.poll_readiness(cx) {
        Poll::Ready(Readiness::Ready) => false,
        Poll::Ready(Readiness::Recovered) => true,
        // An error here would be the end of a buffer around this, and of an endpoint of a balancer.
        Poll::Ready(Readiness::Reject) => {
            inner.release();
            return Poll::Ready(Ok(()));
        }
        Poll::Pending => {
            inner.release();
            return Poll::Pending;
        }
    };
    match inner.poll_ready(cx) {
        Poll::Ready(Ok(())) => {
            admission.set_ready();
            Poll::Ready(Ok(()))
        }
        // `Ready` was returned before and lasts until the call, which is rejected.
        Poll::Pending if recovered => Poll::Ready(Ok(())),
        Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
        Poll::Pending => Poll::Pending,
    }
}

impl<S, B: fmt::Debug, C, M> fmt::Debug for CircuitBreakerService<S, B, C, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CircuitBreakerService").field("admission", &self.admission).finish_non_exhaustive()
    }
}
