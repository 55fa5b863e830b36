use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use halfopen::{CircuitBreaker, Classify, Outcome, Registry};
use halfopen_http::WatchedCall;
use http::Extensions;
use reqwest::{Request, Response};
use reqwest_middleware::{Error, Middleware, Next, Result};

use crate::breakers::Breakers;
use crate::{ReqwestClassify, body, error};

pub(crate) type Rules = dyn Classify<Response, Error> + Send + Sync;

/// Puts a circuit breaker before the requests of a reqwest client.
///
/// While the breaker is open a request is not sent: its error is an `Error::Middleware` in which
/// [`halfopen::rejection`] finds the [`Rejected`](halfopen::Rejected), directly, through `reqwest-retry` and
/// through `anyhow`. `is_timeout()`, `is_connect()` and their like are false for it, and
/// `reqwest-retry` never tries it again.
///
/// # Order
///
/// Middleware runs in the order it is attached. Attach it innermost:
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
/// - Inside retry the breaker sees every attempt and the client's own errors, and opens sooner.
///   Outside, it sees a request with all its attempts as one call.
/// - Inside tracing a rejection shows in the span of its request.
/// - Set timeouts on the `reqwest::Client`, which lies inside: a hang is then an error, and so a
///   failure. Without any, a request that hangs for ever is only ever dropped, which by default counts
///   for nothing ([`Abandoned`](halfopen::Abandoned)).
/// - Redirects, and reqwest's own resending after an HTTP/2 `GOAWAY` or `REFUSED_STREAM`, happen below
///   all middleware: one request, one outcome, for the host it was sent to first.
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
/// A request that is dropped before its answer came is abandoned and gives a probe's slot back.
#[derive(Clone)]
#[must_use = "a middleware does nothing until it is attached to a client"]
pub struct CircuitBreakerMiddleware {
    breakers: Breakers,
    rules: Arc<Rules>,
    until_body_end: bool,
}

impl CircuitBreakerMiddleware {
    /// One breaker for every request of the client.
    pub fn new(breaker: CircuitBreaker) -> Self {
        Self::with_breakers(Breakers::One(breaker))
    }

    /// One breaker of the registry per server, named by [`host_key`](halfopen_http::host_key)
    /// (`example.com`, `example.com:8443`, `[::1]:8080`) or by the request's
    /// [`BreakerName`](crate::BreakerName).
    ///
    /// Where hosts come from outside, give the registry a
    /// [`capacity`](halfopen::RegistryBuilder::capacity).
    pub fn per_host(registry: Registry) -> Self {
        Self::with_breakers(Breakers::PerHost(registry))
    }

    /// One breaker of the registry per key of the request, or as its [`BreakerName`](crate::BreakerName)
    /// says; a key that is borrowed from the request allocates nothing.
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

    /// The same, with the breakers of another registry.
    pub(crate) fn registry(self, registry: Registry) -> Self {
        Self { breakers: Breakers::PerHost(registry), ..self }
    }

    /// Says which results are failures; [`ReqwestClassify`] without it.
    pub fn classify<C>(self, classify: C) -> Self
    where
        C: Classify<Response, Error> + Send + Sync + 'static,
    {
        Self { rules: Arc::new(classify), ..self }
    }

    /// [`classify`](Self::classify) with a closure, whose argument needs no type.
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

    /// A success is one only when its body has come whole: the body's errors count too.
    ///
    /// Without it a call is decided at the head of its response, which is also what `reqwest-retry` sees.
    /// With it the outcomes are those of a [`WatchedBody`](halfopen_http::WatchedBody): an error or a timeout
    /// in the body is a failure, its end a success, and so is a body that nobody wants to read on. A probe is
    /// a success at its first data. URL, status, headers, version, extensions, remote address and content
    /// length of the response stay as they are; its body is boxed twice more.
    pub fn until_body_end(self) -> Self {
        Self { until_body_end: true, ..self }
    }

    /// Decides a call at the head of its response, the default.
    pub fn until_head(self) -> Self {
        Self { until_body_end: false, ..self }
    }
}

#[async_trait]
impl Middleware for CircuitBreakerMiddleware {
    async fn handle(
        &self,
        request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> Result<Response> {
        let permit = self.breakers.acquire(&request, extensions).map_err(error::rejected)?;
        let mut call = WatchedCall::new(permit).method(request.method()).body_errors(body::outcome_of_error);
        let result = call.run(next.run(request, extensions)).await;
        if self.until_body_end {
            return body::finish(call, &*self.rules, result);
        }
        call.settle(&result, &*self.rules);
        result
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
