use std::fmt;

use halfopen::{CircuitBreaker, Registry};
use halfopen_http::GrpcClassify;
use halfopen_tower::HttpCircuitBreakerLayer;
#[cfg(feature = "tokio")]
use halfopen_tower::adapter::Waiting;
use halfopen_tower::adapter::{Keyed, Single};
use tower_layer::Layer;

use crate::classify::Rules;
use crate::key::{PerMethod, PerService};
use crate::on_reject::{StatusError, TrailersOnly};
use crate::service::GrpcCircuitBreakerService;

/// Protects a `Channel`, or any other gRPC `Service`, with a circuit breaker.
///
/// Unary calls and all kinds of streams are supported, with any type of body. The outcome of a call is read from its
/// response: the `grpc-status` in the headers or the trailers, the HTTP status of a peer that does not speak gRPC (a
/// proxy, for example), or an error of the transport or the body. [`WatchedBody`](halfopen_http::WatchedBody) lists the
/// cases.
///
/// All services created by one layer, and all their clones, share its breaker or its registry.
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
/// // No server listens on this port. A generated client would be `InventoryClient::new(channel)`.
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
    /// Creates a layer with one breaker for all calls.
    pub fn new(breaker: CircuitBreaker) -> Self {
        Self::with(Single::new(breaker))
    }

    /// Creates a layer with one breaker of `registry` per method, named `package.Service/Method`.
    ///
    /// The name is borrowed from the end of the request's path, so that a prefix added by the origin of a client is
    /// not part of it. On a server the callers choose the paths: wrap a single service, whose methods are known, or set
    /// the [`capacity`](halfopen::RegistryBuilder::capacity) of the registry.
    pub fn per_method(registry: Registry) -> GrpcCircuitBreakerLayer<Keyed<PerMethod>> {
        GrpcCircuitBreakerLayer::with(Keyed::new(registry, PerMethod))
    }

    /// Creates a layer with one breaker of `registry` per service, named `package.Service`.
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
    /// Sets the rules that classify status codes.
    pub fn classify(self, rules: GrpcClassify) -> Self {
        Self(self.0.classify(Rules(rules)))
    }
}

#[cfg(feature = "tokio")]
impl<M> GrpcCircuitBreakerLayer<Single, M> {
    /// Waits instead of rejecting: `poll_ready` is `Pending` while the breaker is open or all its probes are in
    /// flight, and the task is woken when the breaker permits calls again. For balancers.
    ///
    /// An open breaker responds faster than any server, so that a balancer that compares load sends most calls to the
    /// endpoint that is down. With this layer around the channel of each endpoint, the balancer skips that endpoint. See
    /// [`CircuitBreakerLayer::wait_while_open`](halfopen_tower::CircuitBreakerLayer::wait_while_open).
    ///
    /// # Panics
    ///
    /// `poll_ready` panics while the breaker is open if it is called outside a tokio runtime with a timer.
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
    /// let channel = Buffer::new(balance, 1024); // `Clone`, which generated clients require
    /// // let mut client = InventoryClient::new(channel);
    /// # let _ = channel;
    /// # }
    /// ```
    pub fn wait_while_open(self) -> GrpcCircuitBreakerLayer<Waiting, M> {
        GrpcCircuitBreakerLayer(self.0.wait_while_open())
    }
}

/// Without the feature the method only names it, in the compiler's error.
#[cfg(not(feature = "tokio"))]
impl<M> GrpcCircuitBreakerLayer<Single, M> {
    /// Requires the feature `tokio`.
    ///
    /// ```compile_fail,E0277
    /// # use halfopen::CircuitBreaker;
    /// # use halfopen_tonic::GrpcCircuitBreakerLayer;
    /// GrpcCircuitBreakerLayer::new(CircuitBreaker::builder("search").build()).wait_while_open();
    /// ```
    #[doc(hidden)]
    pub fn wait_while_open(self) -> Self
    where
        Self: crate::without_tokio::RequiresFeatureTokio,
    {
        self
    }
}

impl<A> GrpcCircuitBreakerLayer<A> {
    /// Answers rejected calls with a status and no message (the Trailers-Only form), instead of an error.
    ///
    /// For servers, whose services are infallible. The error is that of the inner service, and a
    /// [`NamedService`](tonic::server::NamedService) keeps its name, so that the result can be added to
    /// `tonic::transport::Server` or `tonic::service::Routes`. The body of the inner service must be `Default`, as
    /// tonic's is.
    ///
    /// If a handler returns the status with which another breaker rejected a call of its own, this breaker ignores
    /// the call, provided that the status still has its source.
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
