use std::borrow::Cow;
use std::fmt;

use halfopen::{CircuitBreaker, Registry, Rejected};
use halfopen_http::{ClassifyHead, HttpClassify};
use tower_layer::Layer;

use super::HttpCircuitBreakerService;
use crate::admission::Single;
use crate::keyed::Keyed;
use crate::on_reject::{Boxed, OnRejected};
#[cfg(feature = "tokio")]
use crate::wait::Waiting;

/// Protects HTTP services with a circuit breaker: the clients of hyper, kube and octocrab, and every `Service` from
/// `http::Request` to `http::Response`.
///
/// Such clients return `Ok` for every status, so that [`CircuitBreakerLayer`](crate::CircuitBreakerLayer) does not
/// detect a server that answers with errors. This layer inspects the response. By default 408, 429 and every 5xx
/// except 501 and 505 are failures, and so are errors of the service and of the body. A `Retry-After` extends the
/// wait. The call ends with the body of the response, which is a [`WatchedBody`](halfopen_http::WatchedBody).
///
/// All services created by one layer, and all their clones, share its breaker or its registry.
///
/// # Examples
///
/// ```
/// use std::convert::Infallible;
/// use halfopen::{CircuitBreaker, CircuitBreakerConfig, Trip};
/// use halfopen_tower::HttpCircuitBreakerLayer;
/// use http::{Request, Response};
/// use http_body_util::Empty;
/// use tower::{Service, ServiceExt, Layer, service_fn};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), halfopen_tower::BoxError> {
/// let config = CircuitBreakerConfig::builder().trip(Trip::consecutive_failures(1)).build()?;
/// let layer = HttpCircuitBreakerLayer::new(CircuitBreaker::new("storage", config));
///
/// // A `hyper_util::client::legacy::Client` in real life.
/// let mut client = layer.layer(service_fn(|_: Request<Empty<&'static [u8]>>| async {
///     Ok::<_, Infallible>(Response::builder().status(503).body(Empty::<&'static [u8]>::new()).unwrap())
/// }));
///
/// let response = client.ready().await?.call(Request::new(Empty::new())).await?;
/// assert_eq!(response.status(), 503);
///
/// let rejected = client.ready().await?.call(Request::new(Empty::new())).await.unwrap_err();
/// assert_eq!(halfopen::rejection(&*rejected).unwrap().name(), "storage");
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use = "a layer does nothing until it is given a service"]
pub struct HttpCircuitBreakerLayer<B = Single, C = HttpClassify, M = Boxed> {
    admission: B,
    rules: C,
    mode: M,
}

impl HttpCircuitBreakerLayer {
    /// Creates a layer with one breaker for all services.
    pub fn new(breaker: CircuitBreaker) -> Self {
        Self::from_parts(Single::new(breaker), HttpClassify::new(), Boxed)
    }

    /// Creates a layer with one breaker of `registry` per key. A key that is borrowed from the request does not
    /// allocate.
    ///
    /// As with [`CircuitBreakerLayer::keyed`](crate::CircuitBreakerLayer::keyed), the inner service is polled ready
    /// before the key is known.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::borrow::Cow;
    /// use std::convert::Infallible;
    /// use halfopen::Registry;
    /// use halfopen_tower::HttpCircuitBreakerLayer;
    /// use http::{Request, Response};
    /// use http_body_util::Empty;
    /// use tower::{Layer, ServiceExt, service_fn};
    ///
    /// type Body = Empty<&'static [u8]>;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), halfopen_tower::BoxError> {
    /// let registry = Registry::new();
    /// let layer = HttpCircuitBreakerLayer::keyed(registry.clone(), |request: &Request<Body>| {
    ///     Cow::Borrowed(request.uri().host().unwrap_or_default())
    /// });
    /// let client =
    ///     layer.layer(service_fn(|_: Request<Body>| async { Ok::<_, Infallible>(Response::new(Body::new())) }));
    ///
    /// client.oneshot(Request::get("http://storage.internal/42").body(Body::new())?).await?;
    /// assert!(registry.get("storage.internal").is_some());
    /// # Ok(())
    /// # }
    /// ```
    pub fn keyed<Request, K>(registry: Registry, key: K) -> HttpCircuitBreakerLayer<Keyed<K>>
    where
        K: for<'a> Fn(&'a Request) -> Cow<'a, str>,
    {
        HttpCircuitBreakerLayer::from_parts(Keyed::new(registry, key), HttpClassify::new(), Boxed)
    }
}

impl<B, C, M> HttpCircuitBreakerLayer<B, C, M> {
    /// Creates a layer from its parts. For adapters, see [`adapter`](crate::adapter).
    pub fn from_parts(admission: B, rules: C, mode: M) -> Self {
        Self { admission, rules, mode }
    }

    /// Sets the rules that classify responses: an [`HttpClassify`], a
    /// [`GrpcClassify`](halfopen_http::GrpcClassify), or a type of your own that implements [`ClassifyHead`] and
    /// [`Classify`](halfopen::Classify).
    ///
    /// The rules see errors as the service returns them, by default as [`BoxError`](crate::BoxError).
    pub fn classify<D: ClassifyHead>(self, rules: D) -> HttpCircuitBreakerLayer<B, D, M> {
        HttpCircuitBreakerLayer::from_parts(self.admission, rules, self.mode)
    }

    /// Answers rejected requests with a function, which returns a response or an error of the inner service's type.
    /// The error of the service is `S::Error`.
    ///
    /// The function runs inside `call`, so it should not block.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::convert::Infallible;
    /// use halfopen::CircuitBreaker;
    /// use halfopen_tower::HttpCircuitBreakerLayer;
    /// use http::{Request, Response};
    /// use http_body_util::Full;
    /// use tower::{Layer, ServiceExt, service_fn};
    ///
    /// type Body = Full<&'static [u8]>;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Infallible> {
    /// let breaker = CircuitBreaker::builder("storage").build();
    /// breaker.force_open();
    /// let layer = HttpCircuitBreakerLayer::new(breaker).on_rejected(|rejected, _: Request<Body>| {
    ///     Ok(halfopen_http::rejected_response(&rejected).map(|()| Body::default()))
    /// });
    /// let storage =
    ///     layer.layer(service_fn(|_: Request<Body>| async { Ok::<_, Infallible>(Response::new(Body::default())) }));
    ///
    /// assert_eq!(storage.oneshot(Request::default()).await?.status(), 503);
    /// # Ok(())
    /// # }
    /// ```
    pub fn on_rejected<Request, Response, E, A>(
        self,
        answer: A,
    ) -> HttpCircuitBreakerLayer<B, C, OnRejected<A>>
    where
        A: Fn(Rejected, Request) -> Result<Response, E>,
    {
        HttpCircuitBreakerLayer::from_parts(self.admission, self.rules, OnRejected::new(answer))
    }

    /// Sets how rejected calls are answered. For adapters, see [`OnReject`](crate::adapter::OnReject).
    pub fn on_reject<N>(self, mode: N) -> HttpCircuitBreakerLayer<B, C, N> {
        HttpCircuitBreakerLayer::from_parts(self.admission, self.rules, mode)
    }
}

#[cfg(feature = "tokio")]
impl<C, M> HttpCircuitBreakerLayer<Single, C, M> {
    /// Waits instead of rejecting, as
    /// [`CircuitBreakerLayer::wait_while_open`](crate::CircuitBreakerLayer::wait_while_open). For balancers.
    ///
    /// # Panics
    ///
    /// `poll_ready` panics while the breaker is open if it is called outside a tokio runtime with a timer.
    pub fn wait_while_open(self) -> HttpCircuitBreakerLayer<Waiting, C, M> {
        let admission = Waiting::new(self.admission.into_breaker());
        HttpCircuitBreakerLayer::from_parts(admission, self.rules, self.mode)
    }
}

/// Without the feature the method only names it, in the compiler's error.
#[cfg(not(feature = "tokio"))]
impl<C, M> HttpCircuitBreakerLayer<Single, C, M> {
    /// Requires the feature `tokio`.
    ///
    /// ```compile_fail,E0277
    /// # use halfopen::CircuitBreaker;
    /// # use halfopen_tower::HttpCircuitBreakerLayer;
    /// HttpCircuitBreakerLayer::new(CircuitBreaker::builder("search").build()).wait_while_open();
    /// ```
    #[doc(hidden)]
    pub fn wait_while_open(self) -> Self
    where
        Self: crate::without_tokio::RequiresFeatureTokio,
    {
        self
    }
}

impl<S, B: Clone, C: Clone, M: Clone> Layer<S> for HttpCircuitBreakerLayer<B, C, M> {
    type Service = HttpCircuitBreakerService<S, B, C, M>;

    fn layer(&self, inner: S) -> Self::Service {
        let (admission, rules, mode) = (self.admission.clone(), self.rules.clone(), self.mode.clone());
        HttpCircuitBreakerService::from_parts(inner, admission, rules, mode)
    }
}

impl<B: fmt::Debug, C: fmt::Debug, M> fmt::Debug for HttpCircuitBreakerLayer<B, C, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("HttpCircuitBreakerLayer");
        debug.field("admission", &self.admission).field("rules", &self.rules).finish_non_exhaustive()
    }
}
