use std::fmt;

use halfopen::{CircuitBreaker, Registry};
use halfopen_http::GrpcClassify;
#[cfg(feature = "tokio")]
use halfopen_tower::Waiting;
use halfopen_tower::{HttpCircuitBreakerLayer, Keyed, Single};
use tower_layer::Layer;

use crate::classify::Rules;
use crate::{GrpcCircuitBreakerService, PerMethod, PerService, StatusError, TrailersOnly};

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
#[derive(Clone)]
#[must_use = "a layer does nothing until it is given a service"]
pub struct GrpcCircuitBreakerLayer<A = Single, M = StatusError>(HttpCircuitBreakerLayer<A, Rules, M>);

impl GrpcCircuitBreakerLayer {
    /// One breaker for every call.
    pub fn new(breaker: CircuitBreaker) -> Self {
        Self::with(Single::new(breaker))
    }

    /// One breaker of the registry per method, named `package.Service/Method`.
    ///
    /// The name is borrowed from the end of the request's path, so a prefix that a client's origin puts before
    /// it is no part of it. On a server the paths are the callers' choice: put the layer around a service,
    /// where its methods are known, or give the registry a capacity.
    pub fn per_method(registry: Registry) -> GrpcCircuitBreakerLayer<Keyed<PerMethod>> {
        GrpcCircuitBreakerLayer::with(Keyed::new(registry, PerMethod))
    }

    /// One breaker of the registry per service, named `package.Service`.
    pub fn per_service(registry: Registry) -> GrpcCircuitBreakerLayer<Keyed<PerService>> {
        GrpcCircuitBreakerLayer::with(Keyed::new(registry, PerService))
    }
}

impl<A> GrpcCircuitBreakerLayer<A> {
    fn with(admission: A) -> Self {
        Self(HttpCircuitBreakerLayer::from_parts(admission, Rules::default(), StatusError))
    }
}

impl<A, M> GrpcCircuitBreakerLayer<A, M> {
    /// Sets which codes are failures, and which are ignored.
    pub fn classify(self, rules: GrpcClassify) -> Self {
        Self(self.0.classify(Rules(rules)))
    }
}

#[cfg(feature = "tokio")]
impl<M> GrpcCircuitBreakerLayer<Single, M> {
    /// Waits instead of rejecting, for balancers: `poll_ready` stays `Pending` while the breaker is open or has all
    /// its probes out, and is woken when that ends.
    ///
    /// An open breaker answers fastest of all, so a balancer that only sees load sends most calls to the endpoint
    /// that is down. With one layer like this around the channel of each endpoint it leaves that endpoint out. See
    /// [`CircuitBreakerLayer::wait_while_open`](halfopen_tower::CircuitBreakerLayer::wait_while_open).
    ///
    /// # Panics
    ///
    /// `poll_ready` panics while the breaker is open if there is no tokio runtime with its timer.
    ///
    /// # Examples
    ///
    /// ```
    /// use halfopen::CircuitBreaker;
    /// use halfopen_tonic::GrpcCircuitBreakerLayer;
    /// use tonic::transport::Channel;
    /// use tower::Layer;
    /// use tower::balance::p2c::Balance;
    /// use tower::buffer::Buffer;
    /// use tower::discover::ServiceList;
    /// use tower::load::Constant;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let replicas = ["http://10.0.0.1:50051", "http://10.0.0.2:50051"].map(|address| {
    ///     let layer = GrpcCircuitBreakerLayer::new(CircuitBreaker::builder(address).build()).wait_while_open();
    ///     Constant::new(layer.layer(Channel::from_static(address).connect_lazy()), 1)
    /// });
    /// let balance = Balance::new(ServiceList::new::<http::Request<tonic::body::Body>>(replicas));
    /// let channel = Buffer::new(balance, 1024); // `Clone`, as generated clients want it
    /// // let mut client = InventoryClient::new(channel);
    /// # let _ = channel;
    /// # }
    /// ```
    pub fn wait_while_open(self) -> GrpcCircuitBreakerLayer<Waiting, M> {
        GrpcCircuitBreakerLayer(self.0.wait_while_open())
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
        GrpcCircuitBreakerLayer(self.0.on_reject(TrailersOnly))
    }
}

impl<S, A: Clone, M: Clone> Layer<S> for GrpcCircuitBreakerLayer<A, M> {
    type Service = GrpcCircuitBreakerService<S, A, M>;

    fn layer(&self, inner: S) -> Self::Service {
        GrpcCircuitBreakerService(self.0.layer(inner))
    }
}

impl<A: fmt::Debug, M> fmt::Debug for GrpcCircuitBreakerLayer<A, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("GrpcCircuitBreakerLayer").field(&self.0).finish()
    }
}
