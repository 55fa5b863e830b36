use std::borrow::Cow;
use std::fmt;

use halfopen::Rejected;
use halfopen_limit::{Bulkhead, KeyedRateLimiter, RateLimiter};
use tower_layer::Layer;

use super::{KeyedLimit, LimitService};
use crate::on_reject::{Boxed, OnRejected, Typed};

/// Limits the number of concurrent calls.
///
/// All services created by the layer, and all their clones, share the slots of the bulkhead. A call takes a slot in
/// `call` and holds it until it has returned its response or error. If the bulkhead has a queue, the call waits in
/// it, and the inner service is polled ready after the wait, so that it reserves nothing meanwhile.
///
/// A full bulkhead is not an error of `poll_ready`: the service is ready, and the call waits or is rejected.
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

/// Limits the number of calls per period, in total or per key.
///
/// All services created by the layer, and all their clones, share the limiter. A call consumes quota in `call`. If
/// the limiter has a [`max_wait`](halfopen_limit::RateLimiterBuilder::max_wait), the call waits for quota, and the
/// inner service is polled ready after the wait.
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
    /// Creates a layer that takes slots of `bulkhead`.
    pub fn new(bulkhead: Bulkhead) -> Self {
        Self { bulkhead, mode: Boxed }
    }
}

impl<M> BulkheadLayer<M> {
    /// Answers a rejected call as an adapter's protocol does, such as `halfopen_tonic::adapter::StatusError` on a channel.
    ///
    /// The errors are those of the mode, which is any [`OnReject`](crate::adapter::OnReject).
    pub fn on_reject<N>(self, mode: N) -> BulkheadLayer<N> {
        BulkheadLayer { bulkhead: self.bulkhead, mode }
    }

    /// Preserves the error type of the inner service, wrapped in a
    /// [`CircuitBreakerError`](halfopen::CircuitBreakerError).
    pub fn typed_errors(self) -> BulkheadLayer<Typed> {
        BulkheadLayer { bulkhead: self.bulkhead, mode: Typed }
    }

    /// Answers rejected requests with a function. The error of the service is that of the inner service.
    ///
    /// The function runs inside `call`, or after a wait inside `poll` of the future, so it should not block.
    pub fn on_rejected<Request, Response, E, A>(self, answer: A) -> BulkheadLayer<OnRejected<A>>
    where
        A: Fn(Rejected, Request) -> Result<Response, E>,
    {
        BulkheadLayer { bulkhead: self.bulkhead, mode: OnRejected::new(answer) }
    }
}

impl RateLimitLayer {
    /// Creates a layer with one quota for all calls.
    pub fn new(limiter: RateLimiter) -> Self {
        Self { limit: limiter, mode: Boxed }
    }

    /// Creates a layer with one quota per key. A key that is borrowed from the request does not allocate.
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
    /// Answers a rejected call as an adapter's protocol does, such as `halfopen_tonic::adapter::StatusError` on a channel.
    ///
    /// The errors are those of the mode, which is any [`OnReject`](crate::adapter::OnReject).
    pub fn on_reject<N>(self, mode: N) -> RateLimitLayer<L, N> {
        RateLimitLayer { limit: self.limit, mode }
    }

    /// Preserves the error type of the inner service, wrapped in a
    /// [`CircuitBreakerError`](halfopen::CircuitBreakerError).
    pub fn typed_errors(self) -> RateLimitLayer<L, Typed> {
        RateLimitLayer { limit: self.limit, mode: Typed }
    }

    /// Answers rejected requests with a function. The error of the service is that of the inner service.
    ///
    /// The function runs inside `call`, or after a wait inside `poll` of the future, so it should not block.
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
