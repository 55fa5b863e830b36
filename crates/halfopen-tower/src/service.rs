use std::fmt;
use std::task::{Context, Poll, ready};

use halfopen::CircuitBreaker;
use tower_service::Service;

use crate::mode::ErrorMode;
use crate::{Admission, Boxed, DefaultClassify, Door, Judge, Reject, ResponseFuture, Single};

/// A service whose calls pass through a circuit breaker; made by a
/// [`CircuitBreakerLayer`](crate::CircuitBreakerLayer).
///
/// While the breaker is open `poll_ready` says `Ready` without asking the inner service, and the call is
/// rejected without it. An error of the inner service's own `poll_ready` is passed on and counts as
/// one failed call.
///
/// A clone shares the breaker and nothing else: it has to be polled ready by itself.
#[derive(Clone)]
pub struct CircuitBreakerService<S, B = Single, C = DefaultClassify, M = Boxed> {
    inner: S,
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
        Self { inner, admission, classify, mode }
    }

    /// The inner service.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The inner service; calls made on it pass no breaker.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// The inner service, without the breaker.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S, B, C, M, Request> Service<Request> for CircuitBreakerService<S, B, C, M>
where
    S: Service<Request>,
    B: Admission<Request>,
    C: Judge<S::Response, S::Error, M> + Clone,
    M: Reject<Request, S::Response, S::Error>,
{
    type Response = S::Response;
    type Error = <M as ErrorMode<S::Error>>::Error;
    type Future = ResponseFuture<S::Future, C, M, S::Response, Self::Error>;

    // Always, as the future's poll: seen whole by its caller, a call stays in registers.
    #[inline(always)]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        match ready!(self.admission.poll_door(cx)) {
            Door::Refuse => Poll::Ready(Ok(())),
            Door::Pass => match ready!(self.inner.poll_ready(cx)) {
                Ok(()) => Poll::Ready(Ok(())),
                Err(error) => Poll::Ready(self.never_ready(error)),
            },
        }
    }

    #[inline(always)]
    fn call(&mut self, request: Request) -> Self::Future {
        let permit = match self.admission.acquire_if_closed() {
            Some(permit) => permit,
            None => match self.admission.acquire(&request) {
                Ok(permit) => permit,
                Err(rejected) => return ResponseFuture::rejected(self.mode.reject(rejected, request)),
            },
        };
        let classify = self.classify.clone();
        // The permit is on this stack: a panic of the inner `call` is a failure, too.
        let inner = self.inner.call(request);
        ResponseFuture::permitted(inner, permit, classify)
    }
}

impl<S, B, C, M> CircuitBreakerService<S, B, C, M> {
    /// Counts the end of the inner service (a buffer whose worker died, say) as one call and passes
    /// its error on.
    #[cold]
    fn never_ready<Request>(&mut self, error: S::Error) -> Result<(), M::Error>
    where
        S: Service<Request>,
        B: Admission<Request>,
        C: Judge<S::Response, S::Error, M>,
        M: ErrorMode<S::Error>,
    {
        match self.admission.acquire_unready() {
            Some(permit) => self.classify.judge(permit, Err(error)).map(drop),
            None => Err(M::inner(error)),
        }
    }
}

impl<S, B: fmt::Debug, C, M> fmt::Debug for CircuitBreakerService<S, B, C, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CircuitBreakerService").field("admission", &self.admission).finish_non_exhaustive()
    }
}
