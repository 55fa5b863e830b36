use std::fmt;
use std::marker::PhantomData;
use std::task::{Context, Poll, ready};

use halfopen::OwnedPermit;
use halfopen_http::{GrpcClassify, WatchedBody, WatchedCall, grpc_timeout};
use halfopen_tower::{Admission, Readiness, Single};
use http::{HeaderMap, Request, Response};
use http_body::Body;
use tonic::server::NamedService;
use tower_service::Service;

use crate::classify::Rules;
use crate::{Answer, AsError, GrpcResponseFuture, errors};

/// A gRPC service whose calls pass through a circuit breaker; made by a
/// [`GrpcCircuitBreakerLayer`](crate::GrpcCircuitBreakerLayer).
///
/// While the one breaker of [`new`](crate::GrpcCircuitBreakerLayer::new) is open `poll_ready` says `Ready`
/// without asking the inner service, and the call is rejected without it. An error of the inner service's own
/// `poll_ready` is passed on and counts as one failed call.
///
/// A clone shares the breaker and nothing else: it has to be polled ready by itself.
pub struct GrpcCircuitBreakerService<S, A = Single, M = AsError> {
    inner: S,
    admission: A,
    rules: GrpcClassify,
    mode: PhantomData<fn() -> M>,
}

impl<S, A, M> GrpcCircuitBreakerService<S, A, M> {
    pub(crate) fn from_parts(inner: S, admission: A, rules: GrpcClassify) -> Self {
        Self { inner, admission, rules, mode: PhantomData }
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

impl<S, A, M, ReqBody, ResBody> Service<Request<ReqBody>> for GrpcCircuitBreakerService<S, A, M>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    A: Admission<Request<ReqBody>>,
    M: Answer<ResBody, S::Error>,
    ResBody: Body,
{
    type Response = Response<WatchedBody<ResBody>>;
    type Error = M::Error;
    type Future = GrpcResponseFuture<S::Future, M>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        match ready!(self.admission.poll_readiness(cx)) {
            // An error here would be an Unknown to tonic's clients and the end of a buffer.
            Readiness::Reject => Poll::Ready(Ok(())),
            Readiness::Ready | Readiness::Recovered | _ => match ready!(self.inner.poll_ready(cx)) {
                Ok(()) => Poll::Ready(Ok(())),
                Err(error) => Poll::Ready(self.never_ready(error)),
            },
        }
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        match self.admission.acquire(&request) {
            Ok(permit) => {
                let mut call = watch(permit, request.headers());
                let inner = call.poll_with(|| self.inner.call(request));
                GrpcResponseFuture::permitted(inner, call, Rules(self.rules))
            }
            Err(rejected) => GrpcResponseFuture::rejected(rejected),
        }
    }
}

/// The permit under watch, with the deadline that the request carries.
fn watch(permit: OwnedPermit, headers: &HeaderMap) -> WatchedCall {
    let call = WatchedCall::new(permit).body_errors(errors::outcome_of_body);
    match grpc_timeout(headers) {
        Some(timeout) => call.timeout(timeout),
        None => call,
    }
}

impl<S, A, M> GrpcCircuitBreakerService<S, A, M> {
    /// Counts the end of the inner service (a channel whose worker died, say) as one call and passes its
    /// error on.
    #[cold]
    fn never_ready<ReqBody, ResBody>(&mut self, error: S::Error) -> Result<(), M::Error>
    where
        S: Service<Request<ReqBody>, Response = Response<ResBody>>,
        A: Admission<Request<ReqBody>>,
        M: Answer<ResBody, S::Error>,
        ResBody: Body,
    {
        let result = Err::<Response<ResBody>, _>(M::inner(error));
        if let Some(permit) = self.admission.acquire_unready() {
            permit.settle(&result, &Rules(self.rules));
        }
        result.map(drop)
    }
}

impl<S: NamedService, A, M> NamedService for GrpcCircuitBreakerService<S, A, M> {
    const NAME: &'static str = S::NAME;
}

impl<S: Clone, A: Clone, M> Clone for GrpcCircuitBreakerService<S, A, M> {
    fn clone(&self) -> Self {
        Self::from_parts(self.inner.clone(), self.admission.clone(), self.rules)
    }
}

impl<S, A: fmt::Debug, M> fmt::Debug for GrpcCircuitBreakerService<S, A, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GrpcCircuitBreakerService")
            .field("admission", &self.admission)
            .finish_non_exhaustive()
    }
}
