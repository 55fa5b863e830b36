use std::fmt;
use std::future::Future;
use std::sync::Arc;

use tower_layer::Layer;

use super::{CloneValue, FallbackService, Nothing, OnErrors, OnRejection, Part, WithService};

/// Answers rejected calls, or the failed calls that [`when`](Self::when) selects, with a fallback.
///
/// Put it outermost, so that it sees the rejections of all layers inside. The error of the service is that of the
/// inner service: errors that are not answered, and errors of the fallback, are returned unchanged.
///
/// # Examples
///
/// ```
/// use halfopen::{CircuitBreaker, CircuitBreakerConfig};
/// use halfopen_tower::{BoxError, CircuitBreakerLayer, FallbackLayer};
/// use tower::{Service, ServiceBuilder, ServiceExt};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), BoxError> {
/// let breaker = CircuitBreaker::new("alerts", CircuitBreakerConfig::default());
/// breaker.force_open();
/// let mut alerts = ServiceBuilder::new()
///     .layer(
///         FallbackLayer::new(|_: BoxError, limit: usize| async move { Ok(vec!["cached"; limit]) })
///             .remember(|limit: &usize| *limit),
///     )
///     .layer(CircuitBreakerLayer::new(breaker))
///     .service_fn(|limit: usize| async move { Ok::<_, BoxError>(vec!["fresh"; limit]) });
///
/// assert_eq!(alerts.ready().await?.call(2).await?, ["cached", "cached"]);
/// # Ok(())
/// # }
/// ```
#[must_use = "a layer does nothing until it is given a service"]
pub struct FallbackLayer<F, R = Nothing, W = OnRejection> {
    // Shared, so that the closures need not be `Clone`.
    fallback: Arc<F>,
    remember: Arc<R>,
    when: Arc<W>,
}

impl<F> FallbackLayer<F> {
    /// Creates a layer that answers with a function of the error and the remembered part of the request.
    ///
    /// The part is `()` unless it is set by [`remember`](Self::remember). A panic of the function propagates like a panic
    /// of the inner service; the failed call has been recorded by then.
    pub fn new<E, P, T, Fut>(fallback: F) -> Self
    where
        F: Fn(E, P) -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        Self::with(fallback)
    }

    fn with(fallback: F) -> Self {
        Self { fallback: Arc::new(fallback), remember: Arc::new(Nothing), when: Arc::new(OnRejection) }
    }
}

impl<T: Clone> FallbackLayer<CloneValue<T>> {
    /// Creates a layer that answers with a clone of `value`.
    ///
    /// # Examples
    ///
    /// ```
    /// use halfopen::{CircuitBreaker, CircuitBreakerConfig};
    /// use halfopen_tower::{BoxError, CircuitBreakerLayer, FallbackLayer};
    /// use tower::{ServiceBuilder, ServiceExt};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), BoxError> {
    /// let breaker = CircuitBreaker::new("greetings", CircuitBreakerConfig::default());
    /// breaker.force_open();
    /// let greetings = ServiceBuilder::new()
    ///     .layer(FallbackLayer::value("Service temporarily unavailable"))
    ///     .layer(CircuitBreakerLayer::new(breaker))
    ///     .service_fn(|_: ()| async { Ok::<_, BoxError>("hello") });
    ///
    /// assert_eq!(greetings.oneshot(()).await?, "Service temporarily unavailable");
    /// # Ok(())
    /// # }
    /// ```
    pub fn value(value: T) -> Self {
        Self::with(CloneValue(value))
    }
}

impl<B> FallbackLayer<WithService<B>> {
    /// Creates a layer that answers with a call of another service, such as a replica or a cache. Its request is the
    /// part that [`remember`](Self::remember) keeps.
    pub fn service(service: B) -> Self {
        Self::with(WithService(service))
    }
}

impl<F, R, W> FallbackLayer<F, R, W> {
    /// Keeps a part of each request for the fallback. Nothing else of the request is cloned.
    pub fn remember<Request, P, K>(self, part: K) -> FallbackLayer<F, Part<K>, W>
    where
        K: Fn(&Request) -> P,
    {
        FallbackLayer { fallback: self.fallback, remember: Arc::new(Part(part)), when: self.when }
    }

    /// Answers the errors for which the function returns `true`, instead of the local ones.
    ///
    /// # Examples
    ///
    /// ```
    /// use halfopen_tower::FallbackLayer;
    /// use std::io;
    /// use tower::{Layer, ServiceExt, service_fn};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> io::Result<()> {
    /// let layer = FallbackLayer::value(0).when(|error: &io::Error| error.kind() == io::ErrorKind::TimedOut);
    /// let stock = layer.layer(service_fn(|_: ()| async { Err::<u32, _>(io::ErrorKind::TimedOut.into()) }));
    /// assert_eq!(stock.oneshot(()).await?, 0);
    /// # Ok(())
    /// # }
    /// ```
    pub fn when<E, C>(self, predicate: C) -> FallbackLayer<F, R, OnErrors<C>>
    where
        C: Fn(&E) -> bool,
    {
        FallbackLayer {
            fallback: self.fallback,
            remember: self.remember,
            when: Arc::new(OnErrors(predicate)),
        }
    }
}

impl<S, F, R, W> Layer<S> for FallbackLayer<F, R, W> {
    type Service = FallbackService<S, F, R, W>;

    fn layer(&self, inner: S) -> Self::Service {
        FallbackService {
            inner,
            fallback: Arc::clone(&self.fallback),
            remember: Arc::clone(&self.remember),
            when: Arc::clone(&self.when),
        }
    }
}

impl<F, R, W> Clone for FallbackLayer<F, R, W> {
    fn clone(&self) -> Self {
        Self {
            fallback: Arc::clone(&self.fallback),
            remember: Arc::clone(&self.remember),
            when: Arc::clone(&self.when),
        }
    }
}

impl<F, R, W> fmt::Debug for FallbackLayer<F, R, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FallbackLayer").finish_non_exhaustive()
    }
}
