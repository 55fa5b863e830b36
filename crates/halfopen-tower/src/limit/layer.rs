use std::borrow::Cow;
use std::fmt;

use halfopen::Rejected;
use halfopen_limit::{Bulkhead, KeyedRateLimiter, RateLimiter};
use tower_layer::Layer;

use super::{KeyedLimit, LimitService};
use crate::{Boxed, OnRejected, Typed};

/// Limits how many calls are in flight.
///
/// All services that the layer makes, and all their clones, share the bulkhead's slots. A call takes its slot
/// when it is made, and holds it until its response or error is there. Where the bulkhead's configuration has a
/// queue, the call waits in it; the inner service is then polled ready after the wait, so that nothing inside is
/// reserved meanwhile.
///
/// A full bulkhead is no error of `poll_ready`: the service is ready, and the call waits or is rejected.
///
/// # Examples
///
/// ```
/// use halfopen_limit::{Bulkhead, BulkheadConfig};
/// use halfopen_tower::BulkheadLayer;
/// use tower::{Service, ServiceBuilder, ServiceExt};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), halfopen_tower::BoxError> {
/// let config = BulkheadConfig::builder().max_concurrent_calls(1).build()?;
/// let mut reports = ServiceBuilder::new()
///     .layer(BulkheadLayer::new(Bulkhead::new("reports", config)))
///     .service_fn(|day: u32| async move { Ok::<_, std::io::Error>(day) });
///
/// let first = reports.ready().await?.call(1);
/// let error = reports.ready().await?.call(2).await.unwrap_err();
/// assert_eq!(error.to_string(), "bulkhead `reports` is full (1 call in flight, 0 waiting)");
/// assert_eq!(first.await?, 1);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use = "a layer does nothing until it is given a service"]
pub struct BulkheadLayer<M = Boxed> {
    bulkhead: Bulkhead,
    mode: M,
}

/// Limits how many calls begin in a period, for all or per key.
///
/// All services that the layer makes, and all their clones, share the limiter. A call takes its part of the quota
/// when it is made. Where the limiter has a [`max_wait`](halfopen_limit::RateLimiterBuilder::max_wait), the call
/// waits for its turn; the inner service is then polled ready after the wait.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use halfopen_limit::{Quota, RateLimiter};
/// use halfopen_tower::RateLimitLayer;
/// use tower::{Service, ServiceBuilder, ServiceExt};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), halfopen_tower::BoxError> {
/// let quota = Quota::calls(100).per(Duration::from_secs(60)).burst(1)?;
/// let mut tasks = ServiceBuilder::new()
///     .layer(RateLimitLayer::new(RateLimiter::new("create-task", quota)))
///     .service_fn(|task: u32| async move { Ok::<_, std::io::Error>(task) });
///
/// assert_eq!(tasks.ready().await?.call(1).await?, 1);
/// let error = tasks.ready().await?.call(2).await.unwrap_err();
/// let rejected = halfopen::rejection(&*error).expect("a rejection by the limiter");
/// assert!(rejected.retry_after().unwrap() <= Duration::from_millis(600));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use = "a layer does nothing until it is given a service"]
pub struct RateLimitLayer<L = RateLimiter, M = Boxed> {
    limit: L,
    mode: M,
}

impl BulkheadLayer {
    /// Creates a layer with the slots of this bulkhead.
    pub fn new(bulkhead: Bulkhead) -> Self {
        Self { bulkhead, mode: Boxed }
    }
}

impl<M> BulkheadLayer<M> {
    /// Keeps the inner service's error type, inside a
    /// [`CircuitBreakerError`](halfopen::CircuitBreakerError).
    pub fn typed_errors(self) -> BulkheadLayer<Typed> {
        BulkheadLayer { bulkhead: self.bulkhead, mode: Typed }
    }

    /// Answers a rejected request with a function; the service's error stays the inner service's.
    ///
    /// The function runs inside `call`, or, after a wait, inside the future's `poll`, so it should not block.
    pub fn on_rejected<Request, Response, E, A>(self, answer: A) -> BulkheadLayer<OnRejected<A>>
    where
        A: Fn(Rejected, Request) -> Result<Response, E>,
    {
        BulkheadLayer { bulkhead: self.bulkhead, mode: OnRejected::new(answer) }
    }
}

impl RateLimitLayer {
    /// Creates a layer with the quota of this limiter, for all calls.
    pub fn new(limiter: RateLimiter) -> Self {
        Self { limit: limiter, mode: Boxed }
    }

    /// Creates a layer with a quota per key; a key that is borrowed from the request allocates nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::borrow::Cow;
    /// use std::time::Duration;
    /// use halfopen_limit::{KeyedRateLimiter, Quota};
    /// use halfopen_tower::RateLimitLayer;
    /// use tower::{Service, ServiceBuilder, ServiceExt};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), halfopen_tower::BoxError> {
    /// let quota = Quota::calls(100).per(Duration::from_secs(60)).burst(1)?;
    /// let tools = KeyedRateLimiter::new("tools", quota);
    /// let mut server = ServiceBuilder::new()
    ///     .layer(RateLimitLayer::keyed(tools, |tool: &String| Cow::Borrowed(tool.as_str())))
    ///     .service_fn(|tool: String| async move { Ok::<_, std::io::Error>(tool.len()) });
    ///
    /// assert_eq!(server.ready().await?.call("list".to_owned()).await?, 4);
    /// assert!(server.ready().await?.call("list".to_owned()).await.is_err());
    /// assert_eq!(server.ready().await?.call("show".to_owned()).await?, 4);
    /// # Ok(())
    /// # }
    /// ```
    pub fn keyed<Request, K>(limiter: KeyedRateLimiter, key: K) -> RateLimitLayer<KeyedLimit<K>>
    where
        K: for<'a> Fn(&'a Request) -> Cow<'a, str>,
    {
        RateLimitLayer { limit: KeyedLimit::new(limiter, key), mode: Boxed }
    }
}

impl<L, M> RateLimitLayer<L, M> {
    /// Keeps the inner service's error type, inside a
    /// [`CircuitBreakerError`](halfopen::CircuitBreakerError).
    pub fn typed_errors(self) -> RateLimitLayer<L, Typed> {
        RateLimitLayer { limit: self.limit, mode: Typed }
    }

    /// Answers a rejected request with a function; the service's error stays the inner service's.
    ///
    /// The function runs inside `call`, or, after a wait, inside the future's `poll`, so it should not block.
    pub fn on_rejected<Request, Response, E, A>(self, answer: A) -> RateLimitLayer<L, OnRejected<A>>
    where
        A: Fn(Rejected, Request) -> Result<Response, E>,
    {
        RateLimitLayer { limit: self.limit, mode: OnRejected::new(answer) }
    }
}

impl<S, M: Clone> Layer<S> for BulkheadLayer<M> {
    type Service = LimitService<S, Bulkhead, M>;

    fn layer(&self, inner: S) -> Self::Service {
        LimitService::new(inner, self.bulkhead.clone(), self.mode.clone())
    }
}

impl<S, L: Clone, M: Clone> Layer<S> for RateLimitLayer<L, M> {
    type Service = LimitService<S, L, M>;

    fn layer(&self, inner: S) -> Self::Service {
        LimitService::new(inner, self.limit.clone(), self.mode.clone())
    }
}

impl<M> fmt::Debug for BulkheadLayer<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BulkheadLayer").field("bulkhead", &self.bulkhead).finish_non_exhaustive()
    }
}

impl<L: fmt::Debug, M> fmt::Debug for RateLimitLayer<L, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimitLayer").field("limit", &self.limit).finish_non_exhaustive()
    }
}
