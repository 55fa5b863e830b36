use std::borrow::Cow;
use std::fmt;

use halfopen::{CircuitBreaker, Outcome, Registry, Rejected};
use tower_layer::Layer;

#[cfg(feature = "tokio")]
use crate::Waiting;
use crate::{Boxed, CircuitBreakerService, Custom, DefaultClassify, Keyed, OnRejected, Single, Typed};

/// Puts a circuit breaker around services.
///
/// A timeout *inside* the layer, nearer to the service, turns a hang into an error, and errors open the breaker. A
/// timeout *outside* drops the call instead, which is an abandonment: by the default policy it counts for nothing, so
/// a service that only hangs **never opens the breaker**; with
/// [`Abandoned::FailureAfter`](halfopen::Abandoned::FailureAfter) a call that is dropped at that age or later is a
/// failure, and a hang opens the breaker from outside too.
///
/// All services that one layer makes, and all their clones, share its breaker (or its registry), so that
/// they learn together.
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
    /// One breaker for every service that the layer makes.
    pub fn new(breaker: CircuitBreaker) -> Self {
        Self { admission: Single::new(breaker), classify: DefaultClassify, mode: Boxed }
    }

    /// One breaker of the registry per key; a key that is borrowed from the request allocates nothing.
    ///
    /// The key is known only with the request, so the inner service is polled ready first. A clone whose call is
    /// rejected gives back what that reserved; see [readiness](crate#readiness).
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
    /// There is no breaker to wait for before the key is known, so this does not compile:
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
    /// Sets which results are failures: a [`Classify`](halfopen::Classify) of the inner service's response and
    /// error, and `Clone`, since each call carries one.
    ///
    /// Without it every `Err` is a failure, except one that was made [on this side](crate::is_local), which is
    /// ignored. It sees the inner service's error before that is boxed or wrapped.
    pub fn classify<D>(self, classify: D) -> CircuitBreakerLayer<B, Custom<D>, M> {
        CircuitBreakerLayer { admission: self.admission, classify: Custom(classify), mode: self.mode }
    }

    /// [`classify`](Self::classify) with a closure, whose argument needs no type as long as the body does
    /// not ask for one.
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

    /// Keeps the inner service's error type: the service's error is
    /// [`CircuitBreakerError<S::Error>`](halfopen::CircuitBreakerError) instead of a
    /// [`BoxError`](crate::BoxError), and nothing is asked of `S::Error`.
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
    ///     Err(CircuitBreakerError::Inner(code)) => unreachable!("the server said {code}"),
    ///     Ok(()) => unreachable!("the breaker is open"),
    /// }
    /// # }
    /// ```
    pub fn typed_errors(self) -> CircuitBreakerLayer<B, C, Typed> {
        self.mode(Typed)
    }

    /// Answers a rejected request with a function: an error of the inner service's own type, or a canned
    /// response. The service's error stays `S::Error`.
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
    /// Waits instead of rejecting: `poll_ready` stays `Pending` while the breaker is open or has all its
    /// probes out, and is woken when that ends.
    ///
    /// For balancers, which then send the request to another endpoint and come back when this one is
    /// probed. A caller that has only this service waits for as long as the breaker is open, so put a limit
    /// outside, and do not put it under a `Steer`, which waits for all its services. While it waits the service holds
    /// nothing of the inner one, and any number of services wait through one subscription.
    ///
    /// A call can still be rejected: if the breaker opens between `poll_ready` and `call`, or if more clones became
    /// ready than there are probes. Under tokio's paused time use [`tokio_clock`](crate::tokio_clock).
    ///
    /// # Panics
    ///
    /// `poll_ready` panics while the breaker is open if there is no tokio runtime with its timer.
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
        let admission = Waiting::new(self.admission.breaker);
        CircuitBreakerLayer { admission, classify: self.classify, mode: self.mode }
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
