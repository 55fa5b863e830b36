use std::fmt;
use std::task::{Context, Poll};

use halfopen_tower::adapter::Single;
use halfopen_tower::{HttpCircuitBreakerService, HttpResponseFuture};
use http::Request;
use tonic::server::NamedService;
use tower_service::Service;

use crate::classify::Rules;
use crate::on_reject::StatusError;

/// The HTTP service that is wrapped, with the rules of gRPC.
pub(crate) type Http<S, A, M> = HttpCircuitBreakerService<S, A, Rules, M>;

/// The future of a call of a [`GrpcCircuitBreakerService`].
pub type GrpcResponseFuture<F, M, Request, T, E> = HttpResponseFuture<F, Rules, M, Request, T, E>;

/// A gRPC service that is protected by a circuit breaker. Created by a
/// [`GrpcCircuitBreakerLayer`](crate::GrpcCircuitBreakerLayer).
///
/// While the breaker of [`new`](crate::GrpcCircuitBreakerLayer::new) is open, `poll_ready` returns `Ready` without
/// polling the inner service, and calls are rejected without calling it. An error of the inner `poll_ready` is
/// returned and counts as one failed call.
///
/// Clones share the breaker only; each clone must be polled ready by itself. When a call is rejected, the clone
/// releases what its `poll_ready` reserved, such as a slot in the buffer of a `Channel`.
#[derive(Clone)]
pub struct GrpcCircuitBreakerService<S, A = Single, M = StatusError>(pub(crate) Http<S, A, M>);

impl<S, A, M> GrpcCircuitBreakerService<S, A, M> {
    /// Returns a reference to the inner service.
    pub fn get_ref(&self) -> &S {
        self.0.get_ref()
    }

    /// Returns a mutable reference to the inner service. Calls on it bypass the breaker.
    pub fn get_mut(&mut self) -> &mut S {
        self.0.get_mut()
    }

    /// Converts into the inner service.
    pub fn into_inner(self) -> S {
        self.0.into_inner()
    }
}

impl<S, A, M, B> Service<Request<B>> for GrpcCircuitBreakerService<S, A, M>
where
    Http<S, A, M>: Service<Request<B>>,
{
    type Response = <Http<S, A, M> as Service<Request<B>>>::Response;
    type Error = <Http<S, A, M> as Service<Request<B>>>::Error;
    type Future = <Http<S, A, M> as Service<Request<B>>>::Future;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_ready(cx)
    }

    #[inline]
    fn call(&mut self, request: Request<B>) -> Self::Future {
        self.0.call(request)
    }
}

impl<S: NamedService, A, M> NamedService for GrpcCircuitBreakerService<S, A, M> {
    const NAME: &'static str = S::NAME;
}

impl<S, A: fmt::Debug, M> fmt::Debug for GrpcCircuitBreakerService<S, A, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("GrpcCircuitBreakerService").field(&self.0).finish()
    }
}
