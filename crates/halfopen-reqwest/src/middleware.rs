use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use halfopen::{CircuitBreaker, Classify, Outcome, Registry};
use http::Extensions;
use reqwest::{Request, Response};
use reqwest_middleware::{Error, Middleware, Next, Result};

use crate::ReqwestClassify;
use crate::breakers::Breakers;
use crate::future::{BoxFuture, RequestFuture, Start, Step};
use crate::rules::Rules;

/// Protects the requests of a reqwest client with a circuit breaker.
///
/// While the breaker is open, requests fail without being sent. [`halfopen::rejection`] finds the
/// [`Rejected`](halfopen::Rejected) in the returned `Error::Middleware`, also through `reqwest-retry` and
/// `anyhow`. `is_timeout()`, `is_connect()` and similar methods return `false` for it, and
/// `reqwest-retry` does not retry it.
///
/// # Order
///
/// Middleware runs in the order in which it is attached. Attach the breaker last, so that it is innermost:
///
/// ```
/// use halfopen::Registry;
/// use halfopen_reqwest::CircuitBreakerMiddleware;
/// use reqwest_middleware::ClientBuilder;
/// use reqwest_retry::RetryTransientMiddleware;
/// use reqwest_retry::policies::ExponentialBackoff;
/// use reqwest_tracing::TracingMiddleware;
///
/// let policy = ExponentialBackoff::builder().build_with_max_retries(2);
/// let client = ClientBuilder::new(reqwest::Client::new())
///     .with(TracingMiddleware::default())
///     .with(RetryTransientMiddleware::new_with_policy(policy))
///     .with(CircuitBreakerMiddleware::per_host(Registry::new()))
///     .build();
/// # drop(client);
/// ```
///
/// - Inside retry, the breaker records every attempt and sees the errors of the client, so it opens
///   sooner. Outside retry, a request with all its attempts is one call.
/// - Inside tracing, a rejection is part of the span of its request.
/// - Set timeouts on the `reqwest::Client`, which is inside the breaker, so that a request that hangs is a
///   failure. Without a timeout such a request is eventually dropped, and by default an abandoned call
///   does not count ([`Abandoned`](halfopen::Abandoned)).
/// - reqwest follows redirects below all middleware. With [`redirect_policy`](crate::redirect_policy) each
///   host has its own outcome; without it, the request has one outcome, for the host of its URL.
/// - The retries of reqwest itself after an HTTP/2 `GOAWAY` or `REFUSED_STREAM` happen below all middleware
///   too, and are part of one call.
///
/// # Examples
///
/// ```
/// use halfopen::{CircuitBreaker, CircuitBreakerConfig};
/// use halfopen_reqwest::CircuitBreakerMiddleware;
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let breaker = CircuitBreaker::new("inventory", CircuitBreakerConfig::default());
/// let http = reqwest::Client::builder().timeout(Duration::from_secs(10)).build()?;
/// let client = reqwest_middleware::ClientBuilder::new(http)
///     .with(CircuitBreakerMiddleware::new(breaker.clone()))
///     .build();
///
/// breaker.open_for(Duration::from_secs(30));
/// let error = client.get("http://inventory.example/items/7").send().await.unwrap_err();
/// let rejected = halfopen::rejection(&error).expect("the breaker is open");
/// assert!(rejected.retry_after().is_some());
/// # Ok(())
/// # }
/// ```
///
/// # Cancel safety
///
/// Dropping the future of a request before its response abandons the call and releases the slot of a
/// probe.
#[derive(Clone)]
#[must_use = "a middleware does nothing until it is attached to a client"]
pub struct CircuitBreakerMiddleware {
    breakers: Breakers,
    rules: Arc<Rules>,
    until_body_end: bool,
}

impl CircuitBreakerMiddleware {
    /// Creates a middleware with one breaker for all requests of the client.
    pub fn new(breaker: CircuitBreaker) -> Self {
        Self::with_breakers(Breakers::One(breaker))
    }

    /// Creates a middleware with one breaker of the registry per server.
    ///
    /// The name of the breaker is the [`host_key`](halfopen_http::host_key) of the URL (`example.com`,
    /// `example.com:8443`, `[::1]:8080`), or the [`BreakerName`](crate::BreakerName) of the request. If
    /// users of the service control the hosts, set the
    /// [`capacity`](halfopen::RegistryBuilder::capacity) of the registry.
    pub fn per_host(registry: Registry) -> Self {
        Self::with_breakers(Breakers::PerHost(registry))
    }

    /// Creates a middleware with one breaker of the registry per key of the request.
    ///
    /// The name of the breaker is the return value of `key`, or the [`BreakerName`](crate::BreakerName) of
    /// the request. A key that is borrowed from the request does not allocate.
    ///
    /// # Examples
    ///
    /// ```
    /// use halfopen::Registry;
    /// use halfopen_reqwest::CircuitBreakerMiddleware;
    /// use std::borrow::Cow;
    ///
    /// let per_api = CircuitBreakerMiddleware::keyed(Registry::new(), |request| {
    ///     Cow::Borrowed(request.url().path_segments().and_then(|mut path| path.next()).unwrap_or("/"))
    /// });
    /// # drop(per_api);
    /// ```
    pub fn keyed<K>(registry: Registry, key: K) -> Self
    where
        K: for<'a> Fn(&'a Request) -> Cow<'a, str> + Send + Sync + 'static,
    {
        Self::with_breakers(Breakers::Keyed(registry, Arc::new(key)))
    }

    fn with_breakers(breakers: Breakers) -> Self {
        Self { breakers, rules: Arc::new(ReqwestClassify::new()), until_body_end: false }
    }

    /// Replaces the breakers by one per server from `registry`.
    pub(crate) fn registry(self, registry: Registry) -> Self {
        Self { breakers: Breakers::PerHost(registry), ..self }
    }

    /// Sets the rules that classify results. The default is [`ReqwestClassify`].
    pub fn classify<C>(self, classify: C) -> Self
    where
        C: Classify<Response, Error> + Send + Sync + 'static,
    {
        Self { rules: Arc::new(classify), ..self }
    }

    /// Sets the rules as a closure, whose argument needs no type annotation.
    ///
    /// See [`classify`](Self::classify).
    ///
    /// # Examples
    ///
    /// ```
    /// use halfopen::{CircuitBreaker, Outcome};
    /// use halfopen_reqwest::CircuitBreakerMiddleware;
    ///
    /// let breaker = CircuitBreaker::builder("search").build();
    /// let middleware = CircuitBreakerMiddleware::new(breaker).classify_fn(|result| match result {
    ///     Ok(response) if response.status().is_success() => Outcome::Success,
    ///     Ok(_) | Err(_) => Outcome::Failure,
    /// });
    /// # drop(middleware);
    /// ```
    pub fn classify_fn<F>(self, classify: F) -> Self
    where
        F: Fn(&Result<Response>) -> Outcome + Send + Sync + 'static,
    {
        self.classify(classify)
    }

    /// Records a call at the end of its body, so that errors of the body count too.
    ///
    /// By default a call is recorded at the head of its response, which is also the part that `reqwest-retry`
    /// inspects. With this option the outcomes are those of a [`WatchedBody`](halfopen_http::WatchedBody): an
    /// error or a timeout in the body is a failure, the end of the body is a success, and so is a body that
    /// the reader drops early. A probe is a success at its first data frame. URL, status, headers, version,
    /// extensions, remote address and content length of the response are preserved. The body is boxed twice
    /// more.
    pub fn until_body_end(self) -> Self {
        Self { until_body_end: true, ..self }
    }

    /// Records a call at the head of its response. This is the default.
    pub fn until_head(self) -> Self {
        Self { until_body_end: false, ..self }
    }
}

// As `async_trait` would expand it, around a future that is written by hand.
impl Middleware for CircuitBreakerMiddleware {
    fn handle<'this, 'extensions, 'next, 'all>(
        &'this self,
        request: Request,
        extensions: &'extensions mut Extensions,
        next: Next<'next>,
    ) -> BoxFuture<'all>
    where
        Self: 'all,
        'this: 'all,
        'extensions: 'all,
        'next: 'all,
    {
        Box::pin(RequestFuture {
            breakers: &self.breakers,
            rules: &*self.rules,
            until_body_end: self.until_body_end,
            step: Step::Start(Some(Start { request, extensions, next })),
        })
    }
}

impl fmt::Debug for CircuitBreakerMiddleware {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CircuitBreakerMiddleware")
            .field("breakers", &self.breakers)
            .field("until_body_end", &self.until_body_end)
            .finish_non_exhaustive()
    }
}
