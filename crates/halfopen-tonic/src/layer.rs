use std::fmt;
use std::marker::PhantomData;

use halfopen::{CircuitBreaker, Registry};
use halfopen_http::GrpcClassify;
use halfopen_tower::{Keyed, Single};
use tower_layer::Layer;

use crate::{AsError, GrpcCircuitBreakerService, PerMethod, PerService, TrailersOnly};

/// Puts a circuit breaker around a `Channel`, or around any gRPC `Service`, whatever its bodies are.
///
/// Unary calls and streams of every kind pass. How a call ended is read from its answer: the
/// `grpc-status` in the headers or the trailers, an HTTP status of something that speaks no gRPC, an error of
/// the transport or the body. See [`WatchedBody`](halfopen_http::WatchedBody) for the cases.
///
/// All services that one layer makes, and all their clones, share its breaker (or its registry).
///
/// # Examples
///
/// ```
/// use halfopen::{CircuitBreaker, CircuitBreakerConfig, Trip};
/// use halfopen_tonic::GrpcCircuitBreakerLayer;
/// use http::Request;
/// use tonic::{Code, Status, body::Body, transport::Channel};
/// use tower::{Service, ServiceBuilder, ServiceExt};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), halfopen::BoxError> {
/// let config = CircuitBreakerConfig::builder().trip(Trip::consecutive_failures(1)).build()?;
/// let breaker = CircuitBreaker::new("inventory", config);
///
/// // Nobody listens there. A generated client would be `InventoryClient::new(channel)`.
/// let channel = Channel::from_static("http://127.0.0.1:1").connect_lazy();
/// let mut channel = ServiceBuilder::new().layer(GrpcCircuitBreakerLayer::new(breaker)).service(channel);
///
/// let refused = channel.ready().await?.call(Request::new(Body::empty())).await.unwrap_err();
/// assert!(halfopen::rejection(&*refused).is_none());
///
/// let rejected = channel.ready().await?.call(Request::new(Body::empty())).await.unwrap_err();
/// assert_eq!(halfopen::rejection(&*rejected).unwrap().name(), "inventory");
/// assert_eq!(Status::from_error(rejected).code(), Code::Unavailable);
/// # Ok(())
/// # }
/// ```
#[must_use = "a layer does nothing until it is given a service"]
pub struct GrpcCircuitBreakerLayer<A = Single, M = AsError> {
    admission: A,
    rules: GrpcClassify,
    mode: PhantomData<fn() -> M>,
}

impl GrpcCircuitBreakerLayer {
    /// One breaker for every call.
    pub fn new(breaker: CircuitBreaker) -> Self {
        Self::from_parts(Single::new(breaker), GrpcClassify::new())
    }

    /// One breaker of the registry per method, named `package.Service/Method`.
    ///
    /// The name is borrowed from the end of the request's path, so a prefix that a client's origin puts before
    /// it is no part of it. On a server the paths are the callers' choice: put the layer around a service,
    /// where its methods are known, or give the registry a capacity.
    pub fn per_method(registry: Registry) -> GrpcCircuitBreakerLayer<Keyed<PerMethod>> {
        GrpcCircuitBreakerLayer::from_parts(Keyed::new(registry, PerMethod), GrpcClassify::new())
    }

    /// One breaker of the registry per service, named `package.Service`.
    pub fn per_service(registry: Registry) -> GrpcCircuitBreakerLayer<Keyed<PerService>> {
        GrpcCircuitBreakerLayer::from_parts(Keyed::new(registry, PerService), GrpcClassify::new())
    }
}

impl<A, M> GrpcCircuitBreakerLayer<A, M> {
    fn from_parts(admission: A, rules: GrpcClassify) -> Self {
        Self { admission, rules, mode: PhantomData }
    }

    /// Says which codes are failures, and which are ignored.
    pub fn classify(mut self, rules: GrpcClassify) -> Self {
        self.rules = rules;
        self
    }
}

impl<A> GrpcCircuitBreakerLayer<A> {
    /// Answers a rejected call, instead of failing it: with a status and no message, the Trailers-Only form.
    ///
    /// For servers, whose services have no errors: a service that protects itself, or what it stands before.
    /// The error stays that of the inner service, and the name of a
    /// [`NamedService`](tonic::server::NamedService) is kept, so that the result can be added to
    /// `tonic::transport::Server` or `tonic::service::Routes`. The inner service's body must be `Default`,
    /// which tonic's is.
    ///
    /// A handler that returns the status of a rejected call further down is ignored by this breaker, as
    /// long as the status keeps its source: a rejection is nobody's failure.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::convert::Infallible;
    /// use halfopen::{CircuitBreaker, CircuitBreakerConfig};
    /// use halfopen_tonic::GrpcCircuitBreakerLayer;
    /// use http::{Request, Response};
    /// use tonic::body::Body;
    /// use tower::{Layer, ServiceExt, service_fn};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Infallible> {
    /// let breaker = CircuitBreaker::new("inventory", CircuitBreakerConfig::default());
    /// breaker.force_open();
    /// let layer = GrpcCircuitBreakerLayer::new(breaker).trailers_only();
    /// let service = layer.layer(service_fn(|_: Request<Body>| async {
    ///     Ok::<_, Infallible>(Response::new(Body::empty()))
    /// }));
    ///
    /// let answer = service.oneshot(Request::new(Body::empty())).await?;
    /// assert_eq!(answer.headers()["grpc-status"], "14");
    /// # Ok(())
    /// # }
    /// ```
    pub fn trailers_only(self) -> GrpcCircuitBreakerLayer<A, TrailersOnly> {
        GrpcCircuitBreakerLayer::from_parts(self.admission, self.rules)
    }
}

impl<S, A: Clone, M> Layer<S> for GrpcCircuitBreakerLayer<A, M> {
    type Service = GrpcCircuitBreakerService<S, A, M>;

    fn layer(&self, inner: S) -> Self::Service {
        GrpcCircuitBreakerService::from_parts(inner, self.admission.clone(), self.rules)
    }
}

impl<A: Clone, M> Clone for GrpcCircuitBreakerLayer<A, M> {
    fn clone(&self) -> Self {
        Self::from_parts(self.admission.clone(), self.rules)
    }
}

impl<A: fmt::Debug, M> fmt::Debug for GrpcCircuitBreakerLayer<A, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("GrpcCircuitBreakerLayer");
        debug.field("admission", &self.admission).field("rules", &self.rules).finish_non_exhaustive()
    }
}
