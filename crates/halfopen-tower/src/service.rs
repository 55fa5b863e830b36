use std::fmt;
use std::task::{Context, Poll};

use halfopen::CircuitBreaker;
use tower_service::Service;

use crate::admission::{Admission, Readiness, Single};
use crate::classify::{DefaultClassify, RecordOutcome};
use crate::future::ResponseFuture;
use crate::inner::Inner;
use crate::on_reject::{Boxed, OnReject};

/// A service that is protected by a circuit breaker. Created by a
/// [`CircuitBreakerLayer`](crate::CircuitBreakerLayer).
///
/// While the breaker is open, `poll_ready` returns `Ready` without polling the inner service, and calls are rejected
/// without calling it. An error of the inner `poll_ready` is returned and counts as one failed call. `Ready` lasts
/// until the next call.
///
/// Clones share the breaker only; each clone must be polled ready by itself. When a call is rejected, the clone
/// releases what its `poll_ready` reserved inside.
#[derive(Clone)]
pub struct CircuitBreakerService<S, B = Single, C = DefaultClassify, M = Boxed> {
    inner: Inner<S>,
    admission: B,
    classify: C,
    mode: M,
}

impl<S> CircuitBreakerService<S> {
    /// Creates a service around `inner`, with the defaults of
    /// [`CircuitBreakerLayer::new`](crate::CircuitBreakerLayer::new).
    pub fn new(inner: S, breaker: CircuitBreaker) -> Self {
        Self::from_parts(inner, Single::new(breaker), DefaultClassify, Boxed)
    }
}

impl<S, B, C, M> CircuitBreakerService<S, B, C, M> {
    pub(crate) fn from_parts(inner: S, admission: B, classify: C, mode: M) -> Self {
        Self { inner: Inner::new(inner), admission, classify, mode }
    }

    /// Returns a reference to the inner service.
    pub fn get_ref(&self) -> &S {
        self.inner.get_ref()
    }

    /// Returns a mutable reference to the inner service. Calls on it bypass the breaker.
    pub fn get_mut(&mut self) -> &mut S {
        self.inner.get_mut()
    }

    /// Converts into the inner service.
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

    // `inline(always)` here, in `call` and in the future's `poll`: inlined into the caller, a permitted call keeps its
    // permit and its result in registers.
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
            // The shortest way first: a closed breaker gives its permit without a `Result` that could hold a
            // rejection.
            Some(permit) => permit,
            None => {
                if let Some(permit) = self.admission.acquire_if_contended() {
                    let classify = self.classify.clone();
                    let inner = self.inner.call(request);
                    return ResponseFuture::contended(inner, permit, classify);
                }
                match self.admission.acquire(&request) {
                    Ok(permit) => permit,
                    Err(rejected) => {
                        // The call will not be made, so what the inner service has reserved for it is given back.
                        self.inner.release();
                        return ResponseFuture::rejected(self.mode.reject(rejected, request));
                    }
                }
            }
        };
        let classify = self.classify.clone();
        // The permit is on the stack meanwhile: if the inner `call` panics, unwinding drops it and records a failure.
        let inner = self.inner.call(request);
        ResponseFuture::permitted(inner, permit, classify)
    }
}

impl<S, B, C, M> CircuitBreakerService<S, B, C, M> {
    /// Records an error of the inner `poll_ready` as one failed call and returns it. After such an error (a buffer
    /// whose worker has terminated, for example) there is no call that could record it.
    #[cold]
    fn never_ready<Request>(&mut self, error: S::Error) -> Result<(), M::Error>
    where
        S: Service<Request>,
        B: Admission<Request>,
        C: RecordOutcome<Request, S::Response, S::Error, M>,
        M: OnReject<Request, S::Response, S::Error>,
    {
        match self.admission.acquire_unready() {
            // A dependency that cannot be reached often fails here and never at a call, so this is recorded as the
            // end of one. Without a permit there is no breaker that would admit a call, and nothing to record.
            Some(permit) => self.classify.record(permit, Err(error)).map(drop),
            None => Err(M::map_error(error)),
        }
    }
}

/// Polls the breaker and then the inner service for readiness. Shared by the services of all protocols.
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
        // `Ready` instead of an error: after an error a buffer around this closes, and a balancer removes the
        // endpoint.
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
        // `Ready` was returned before and must last until the call, which is rejected if the inner service is not
        // ready by then.
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
