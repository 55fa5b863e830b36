use std::fmt;
use std::task::{Context, Poll};

use halfopen::Classify;
use halfopen_http::{ClassifyHead, HttpClassify, WatchedBody};
use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use super::HttpResponseFuture;
use crate::admission::{Admission, Single};
use crate::inner::Inner;
use crate::on_reject::{Boxed, OnReject};
use crate::service::poll_ready;

/// An HTTP service that is protected by a circuit breaker. Created by an
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

    #[inline]
    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        match self.admission.acquire(&request) {
            Ok(permit) => {
                let rules = self.rules.clone();
                let watched = rules.watch(permit, request.headers());
                HttpResponseFuture::permitted(watched, rules, || self.inner.call(request))
            }
            Err(rejected) => {
                // The call will not be made, so what the inner service has reserved for it is given back.
                self.inner.release();
                HttpResponseFuture::rejected(self.mode.reject(rejected, request))
            }
        }
    }
}

impl<S, B, C, M> HttpCircuitBreakerService<S, B, C, M> {
    /// Records an error of the inner `poll_ready` as one failed call and returns it. After such an error (a channel
    /// whose worker has terminated, for example) there is no call that could record it.
    #[cold]
    fn never_ready<ReqBody, ResBody>(&mut self, error: S::Error) -> Result<(), M::Error>
    where
        S: Service<Request<ReqBody>, Response = Response<ResBody>>,
        B: Admission<Request<ReqBody>>,
        C: Classify<Response<ResBody>, M::Error>,
        M: OnReject<Request<ReqBody>, Response<ResBody>, S::Error>,
    {
        let result = Err::<Response<ResBody>, _>(M::map_error(error));
        // Recorded as the end of a call, because a connection that cannot be made often fails here and never at a
        // call.
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
