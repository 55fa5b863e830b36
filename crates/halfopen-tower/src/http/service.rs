use std::fmt;
use std::task::{Context, Poll};

use halfopen::Classify;
use halfopen_http::{ClassifyHead, HttpClassify, WatchedBody};
use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use crate::inner::Inner;
use crate::service::poll_ready;
use crate::{Admission, Boxed, HttpResponseFuture, OnReject, Single};

/// An HTTP service whose calls pass through a circuit breaker; made by an
/// [`HttpCircuitBreakerLayer`](crate::HttpCircuitBreakerLayer).
///
/// Its readiness is that of a [`CircuitBreakerService`](crate::CircuitBreakerService).
#[derive(Clone)]
pub struct HttpCircuitBreakerService<S, B = Single, C = HttpClassify, M = Boxed> {
    inner: Inner<S>,
    admission: B,
    rules: C,
    mode: M,
}

impl<S, B, C, M> HttpCircuitBreakerService<S, B, C, M> {
    pub(crate) fn from_parts(inner: S, admission: B, rules: C, mode: M) -> Self {
        Self { inner: Inner::new(inner), admission, rules, mode }
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

impl<S, B, C, M, ReqBody, ResBody> Service<Request<ReqBody>> for HttpCircuitBreakerService<S, B, C, M>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    B: Admission<Request<ReqBody>>,
    C: ClassifyHead + Classify<Response<ResBody>, M::Error> + Clone,
    M: OnReject<Request<ReqBody>, Response<ResBody>, S::Error>,
    ResBody: Body,
{
    type Response = Response<WatchedBody<ResBody>>;
    type Error = M::Error;
    type Future = HttpResponseFuture<S::Future, C, M, Request<ReqBody>, Response<ResBody>, M::Error>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        match poll_ready(&mut self.inner, &mut self.admission, cx) {
            Poll::Ready(Err(error)) => Poll::Ready(self.never_ready(error)),
            Poll::Ready(Ok(())) => Poll::Ready(Ok(())),
            Poll::Pending => Poll::Pending,
        }
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        match self.admission.acquire(&request) {
            Ok(permit) => {
                let rules = self.rules.clone();
                let mut call = rules.watch(permit, request.headers());
                let inner = call.poll_with(|| self.inner.call(request));
                HttpResponseFuture::permitted(inner, call, rules)
            }
            Err(rejected) => {
                self.inner.release();
                HttpResponseFuture::rejected(self.mode.reject(rejected, request))
            }
        }
    }
}

impl<S, B, C, M> HttpCircuitBreakerService<S, B, C, M> {
    /// Records the end of the inner service (a channel whose worker died, for example) as one failed call and
    /// returns its error.
    #[cold]
    fn never_ready<ReqBody, ResBody>(&mut self, error: S::Error) -> Result<(), M::Error>
    where
        S: Service<Request<ReqBody>, Response = Response<ResBody>>,
        B: Admission<Request<ReqBody>>,
        C: Classify<Response<ResBody>, M::Error>,
        M: OnReject<Request<ReqBody>, Response<ResBody>, S::Error>,
    {
        let result = Err::<Response<ResBody>, _>(M::map_error(error));
        if let Some(permit) = self.admission.acquire_unready() {
            permit.settle(&result, &self.rules);
        }
        result.map(drop)
    }
}

impl<S, B: fmt::Debug, C, M> fmt::Debug for HttpCircuitBreakerService<S, B, C, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("HttpCircuitBreakerService");
        debug.field("admission", &self.admission).finish_non_exhaustive()
    }
}
