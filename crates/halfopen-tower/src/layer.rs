use std::borrow::Cow;
use std::fmt;

use halfopen::{CircuitBreaker, Outcome, Registry, Rejected};
use tower_layer::Layer;

use crate::admission::Single;
use crate::classify::{Custom, DefaultClassify};
use crate::keyed::Keyed;
use crate::on_reject::{Boxed, OnRejected, Typed};
use crate::service::CircuitBreakerService;
#[cfg(feature = "tokio")]
use crate::wait::Waiting;

/// Protects services with a circuit breaker.
///
/// Put timeouts *inside* this layer. There a timeout turns a call that hangs into an error, and errors open the
/// breaker. A timeout *outside* drops the call instead, which abandons it. By the default policy abandoned calls are
/// ignored, so that a service that only hangs **never opens the breaker**. With
/// [`Abandoned::FailureAfter`](halfopen::Abandoned::FailureAfter) a call that is dropped at that age or later is a
/// failure, and timeouts outside the layer open the breaker too.
///
/// All services created by one layer, and all their clones, share its breaker or its registry.
///
/// # Examples
///
/// ```
/// use halfopen::{CircuitBreaker, CircuitBreakerConfig};
/// use halfopen_tower::CircuitBreakerLayer;
/// use tower::{ServiceBuilder, ServiceExt, service_fn};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), halfopen_tower::BoxError> {
/// let breaker = CircuitBreaker::new("search", CircuitBreakerConfig::default());
/// let search = ServiceBuilder::new()
///     .layer(CircuitBreakerLayer::new(breaker.clone()))
///     .service(service_fn(|words: String| async move { Ok::<_, std::io::Error>(words.len()) }));
///
/// assert_eq!(search.oneshot("breaker".to_owned()).await?, 7);
/// assert_eq!(breaker.snapshot().totals.successes, 1);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use = "a layer does nothing until it is given a service"]
pub struct CircuitBreakerLayer<B = Single, C = DefaultClassify, M = Boxed> {
    admission: B,
    classify: C,
    mode: M,
}

impl CircuitBreakerLayer {
    /// Creates a layer with one breaker for all services.
    pub fn new(breaker: CircuitBreaker) -> Self {
        Self { admission: Single::new(breaker), classify: DefaultClassify, mode: Boxed }
    }

    /// Creates a layer with one breaker of `registry` per key. A key that is borrowed from the request does not
    /// allocate.
    ///
    /// The key is part of the request, so the inner service is polled ready before the breaker is known. When a call
    /// is rejected, the service releases what that reserved; see [readiness](crate#readiness).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::borrow::Cow;
    /// use halfopen::Registry;
    /// use halfopen_tower::CircuitBreakerLayer;
    /// use tower::{Layer, ServiceExt, service_fn};
    ///
    /// struct Query { tenant: String }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), halfopen_tower::BoxError> {
    /// let registry = Registry::new();
    /// let layer = CircuitBreakerLayer::keyed(registry.clone(), |query: &Query| {
    ///     Cow::Borrowed(query.tenant.as_str())
    /// });
    /// let database = layer.layer(service_fn(|_: Query| async { Ok::<_, std::io::Error>(()) }));
    ///
    /// database.oneshot(Query { tenant: "acme".to_owned() }).await?;
    /// assert!(registry.get("acme").is_some());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// A service cannot wait for a breaker before the key is known, so this does not compile:
    ///
    /// ```compile_fail,E0599
    /// # use std::borrow::Cow;
    /// # use halfopen::Registry;
    /// # use halfopen_tower::CircuitBreakerLayer;
    /// CircuitBreakerLayer::keyed(Registry::new(), |_: &u8| Cow::Borrowed("key")).wait_while_open();
    /// ```
    pub fn keyed<Request, K>(registry: Registry, key: K) -> CircuitBreakerLayer<Keyed<K>>
    where
        K: for<'a> Fn(&'a Request) -> Cow<'a, str>,
    {
        CircuitBreakerLayer { admission: Keyed::new(registry, key), classify: DefaultClassify, mode: Boxed }
    }
}

impl<B, C, M> CircuitBreakerLayer<B, C, M> {
    /// Sets the classifier, a [`Classify`](halfopen::Classify) of the response and the error of the inner service.
    ///
    /// It must be `Clone`, because each call holds one, and sees the error before that is boxed or wrapped. By
    /// default every `Err` is a failure, except a [local](crate::is_local) error, which is ignored.
    pub fn classify<D>(self, classify: D) -> CircuitBreakerLayer<B, Custom<D>, M> {
        CircuitBreakerLayer { admission: self.admission, classify: Custom(classify), mode: self.mode }
    }

    /// Sets the classifier as a closure, whose argument needs no type annotation if the body does not require one.
    ///
    /// See [`classify`](Self::classify).
    ///
    /// # Examples
    ///
    /// ```
    /// use halfopen::{CircuitBreaker, CircuitBreakerConfig, Outcome};
    /// use halfopen_tower::CircuitBreakerLayer;
    /// use tower::{Layer, ServiceExt, service_fn};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), halfopen_tower::BoxError> {
    /// let breaker = CircuitBreaker::new("inventory", CircuitBreakerConfig::default());
    /// let layer = CircuitBreakerLayer::new(breaker.clone()).classify_fn(|result| match result {
    ///     Ok(Some(_)) => Outcome::Success,
    ///     Ok(None) => Outcome::Ignored,
    ///     Err(_) => Outcome::Failure,
    /// });
    /// let inventory = layer.layer(service_fn(|_: ()| async { Ok::<_, std::io::Error>(None::<u32>) }));
    ///
    /// assert_eq!(inventory.oneshot(()).await?, None);
    /// assert_eq!(breaker.snapshot().totals.ignored, 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn classify_fn<T, E, F>(self, classify: F) -> CircuitBreakerLayer<B, Custom<F>, M>
    where
        F: Fn(&Result<T, E>) -> Outcome + Clone,
    {
        self.classify(classify)
    }

    /// Preserves the error type of the inner service: the error of the service is
    /// [`CircuitBreakerError<S::Error>`](halfopen::CircuitBreakerError) instead of [`BoxError`](crate::BoxError), without
    /// a bound on `S::Error`.
    ///
    /// # Examples
    ///
    /// ```
    /// use halfopen::{CircuitBreaker, CircuitBreakerConfig, CircuitBreakerError};
    /// use halfopen_tower::CircuitBreakerLayer;
    /// use tower::{Layer, ServiceExt, service_fn};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let breaker = CircuitBreaker::new("mail", CircuitBreakerConfig::default());
    /// breaker.force_open();
    /// let layer = CircuitBreakerLayer::new(breaker).typed_errors();
    /// let mail = layer.layer(service_fn(|_: ()| async { Err::<(), u16>(550) }));
    ///
    /// match mail.oneshot(()).await {
    ///     Err(CircuitBreakerError::Rejected(rejected)) => assert_eq!(rejected.name(), "mail"),
    ///     Err(CircuitBreakerError::Inner(code)) => unreachable!("the server replied {code}"),
    ///     Ok(()) => unreachable!("the breaker is open"),
    /// }
    /// # }
    /// ```
    pub fn typed_errors(self) -> CircuitBreakerLayer<B, C, Typed> {
        self.mode(Typed)
    }

    /// Answers rejected requests with a function, which returns a response or an error of the inner service's type.
    /// The error of the service is `S::Error`.
    ///
    /// The function runs inside `call`, so it should not block.
    ///
    /// # Examples
    ///
    /// ```
    /// use halfopen::{CircuitBreaker, CircuitBreakerConfig};
    /// use halfopen_tower::CircuitBreakerLayer;
    /// use tower::{Layer, ServiceExt, service_fn};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), std::io::Error> {
    /// let breaker = CircuitBreaker::new("greetings", CircuitBreakerConfig::default());
    /// breaker.force_open();
    /// let layer = CircuitBreakerLayer::new(breaker).on_rejected(|_, name| Ok(format!("hello, {name}")));
    /// let greetings = layer.layer(service_fn(|name: String| async move { Ok::<_, std::io::Error>(name) }));
    ///
    /// assert_eq!(greetings.oneshot("Ada".to_owned()).await?, "hello, Ada");
    /// # Ok(())
    /// # }
    /// ```
    pub fn on_rejected<Request, Response, E, A>(self, answer: A) -> CircuitBreakerLayer<B, C, OnRejected<A>>
    where
        A: Fn(Rejected, Request) -> Result<Response, E>,
    {
        self.mode(OnRejected::new(answer))
    }

    fn mode<N>(self, mode: N) -> CircuitBreakerLayer<B, C, N> {
        CircuitBreakerLayer { admission: self.admission, classify: self.classify, mode }
    }
}

#[cfg(feature = "tokio")]
impl<C, M> CircuitBreakerLayer<Single, C, M> {
    /// Waits instead of rejecting: `poll_ready` is `Pending` while the breaker is open or all its probes are in
    /// flight, and the task is woken when the breaker permits calls again.
    ///
    /// For balancers, which send the request to another endpoint meanwhile and return to this one when it is probed.
    /// A caller with this service alone waits for as long as the breaker is open, so limit the wait outside. Do not use
    /// it under a `Steer`, which waits until all its services are ready. A service that waits reserves nothing in the
    /// inner service, and any number of services share one subscription to the breaker.
    ///
    /// Calls can still be rejected, if the breaker opens between `poll_ready` and `call` or if more clones became ready
    /// than there are probes. Under tokio's paused time use [`tokio_clock`](crate::tokio_clock).
    ///
    /// # Panics
    ///
    /// `poll_ready` panics while the breaker is open if it is called outside a tokio runtime with a timer.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use halfopen::{CircuitBreaker, CircuitBreakerConfig};
    /// use halfopen_tower::CircuitBreakerLayer;
    /// use tower::{Layer, ServiceExt, service_fn};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), halfopen_tower::BoxError> {
    /// let breaker = CircuitBreaker::new("replica", CircuitBreakerConfig::default());
    /// let layer = CircuitBreakerLayer::new(breaker.clone()).wait_while_open();
    /// let replica = layer.layer(service_fn(|n: u32| async move { Ok::<_, std::io::Error>(n) }));
    ///
    /// breaker.open_for(Duration::from_millis(5));
    /// assert_eq!(replica.oneshot(1).await?, 1); // five milliseconds later
    /// # Ok(())
    /// # }
    /// ```
    pub fn wait_while_open(self) -> CircuitBreakerLayer<Waiting, C, M> {
        let admission = Waiting::new(self.admission.into_breaker());
        CircuitBreakerLayer { admission, classify: self.classify, mode: self.mode }
    }
}

/// Without the feature the method only names it, in the compiler's error.
#[cfg(not(feature = "tokio"))]
impl<C, M> CircuitBreakerLayer<Single, C, M> {
    /// Requires the feature `tokio`.
    ///
    /// ```compile_fail,E0277
    /// # use halfopen::CircuitBreaker;
    /// # use halfopen_tower::CircuitBreakerLayer;
    /// CircuitBreakerLayer::new(CircuitBreaker::builder("search").build()).wait_while_open();
    /// ```
    #[doc(hidden)]
    pub fn wait_while_open(self) -> Self
    where
        Self: crate::without_tokio::RequiresFeatureTokio,
    {
        self
    }
}

impl<S, B: Clone, C: Clone, M: Clone> Layer<S> for CircuitBreakerLayer<B, C, M> {
    type Service = CircuitBreakerService<S, B, C, M>;

    fn layer(&self, inner: S) -> Self::Service {
        CircuitBreakerService::from_parts(
            inner,
            self.admission.clone(),
            self.classify.clone(),
            self.mode.clone(),
        )
    }
}

impl<B: fmt::Debug, C, M> fmt::Debug for CircuitBreakerLayer<B, C, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CircuitBreakerLayer").field("admission", &self.admission).finish_non_exhaustive()
    }
}
