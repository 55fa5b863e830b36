use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use halfopen::{CircuitBreakerConfig, Classify, Registry, Window};
use reqwest::Response;
use reqwest_middleware::{ClientWithMiddleware, Error, Middleware};

use crate::{CircuitBreakerMiddleware, redirect_policy};

pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
pub(crate) const TIMEOUT: Duration = Duration::from_secs(30);

/// The length of the window in the default configuration.
const SHORTEST_WINDOW: Duration = Duration::from_secs(10);

/// The default capacity of the registry: more servers than a service calls, and at most 7 MB if users of
/// the service control the URLs.
const HOSTS: usize = 10_000;

/// The idle time after which a breaker may be evicted. Shorter than the default of the registry, because
/// names from outside can fail faster than they are called again.
const IDLE_AFTER: Duration = Duration::from_secs(120);

/// A client with timeouts, one circuit breaker per server, and the default rules for failures.
///
/// Dereferences to its `ClientWithMiddleware`. The connect timeout is 5 seconds and the timeout of a request
/// with its body 30 seconds. A call is recorded at the end of its body, so that truncated responses count
/// as failures. Redirects follow [`redirect_policy`](crate::redirect_policy). Each server has a breaker in a registry of up to 10,000 names, with the default
/// configuration and a window of twice the timeout. Such a window still contains several failures that
/// each take the whole timeout, so ten concurrent callers of a server that hangs open its breaker. The
/// [`builder`](Self::builder) changes these defaults. Clones are cheap and share the client and its
/// breakers.
///
/// # Examples
///
/// ```
/// use halfopen_reqwest::ResilientHttpClient;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), reqwest::Error> {
/// let client = ResilientHttpClient::new()?;
///
/// # client.registry().get_or_create("inventory.example").force_open();
/// match client.get("http://inventory.example/items/7").send().await {
///     Ok(response) => println!("{}", response.status()),
///     Err(error) => match halfopen::rejection(&error) {
///         Some(rejected) => println!("not sent: {rejected}"),
///         None => println!("sent, and failed: {error}"),
///     },
/// }
/// println!("{} breakers are open", client.registry().open_breakers().len());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct ResilientHttpClient {
    client: ClientWithMiddleware,
    registry: Registry,
}

/// Builds a [`ResilientHttpClient`].
///
/// # Examples
///
/// ```
/// use halfopen::CircuitBreakerConfig;
/// use halfopen_reqwest::ResilientHttpClient;
/// use std::time::Duration;
///
/// let client = ResilientHttpClient::builder()
///     .client(reqwest::Client::builder().user_agent("inventory/2.1"))
///     .timeout(Duration::from_secs(3))
///     .config(CircuitBreakerConfig::aggressive())
///     .until_body_end()
///     .build()?;
/// # drop(client);
/// # Ok::<(), reqwest::Error>(())
/// ```
#[must_use = "a builder does nothing until it is built"]
pub struct ResilientHttpClientBuilder {
    client: reqwest::ClientBuilder,
    connect_timeout: Duration,
    timeout: Duration,
    config: Option<CircuitBreakerConfig>,
    registry: Option<Registry>,
    breaker: CircuitBreakerMiddleware,
    outside: Vec<Arc<dyn Middleware>>,
}

impl ResilientHttpClient {
    /// Creates a client with the default settings.
    ///
    /// # Errors
    ///
    /// Returns the error of `reqwest::ClientBuilder::build` if the TLS backend or the resolver cannot be
    /// initialized.
    pub fn new() -> reqwest::Result<ResilientHttpClient> {
        Self::builder().build()
    }

    /// Creates a builder with the default settings.
    pub fn builder() -> ResilientHttpClientBuilder {
        ResilientHttpClientBuilder {
            client: reqwest::Client::builder().redirect(redirect_policy()),
            connect_timeout: CONNECT_TIMEOUT,
            timeout: TIMEOUT,
            config: None,
            registry: None,
            // Replaced by `build`, as the configuration of the registry depends on the timeout.
            breaker: CircuitBreakerMiddleware::per_host(Registry::new()).until_body_end(),
            outside: Vec::new(),
        }
    }

    /// Returns the registry, which has one breaker per server that was called.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Converts into the inner client.
    pub fn into_client(self) -> ClientWithMiddleware {
        self.client
    }
}

impl Deref for ResilientHttpClient {
    type Target = ClientWithMiddleware;

    fn deref(&self) -> &ClientWithMiddleware {
        &self.client
    }
}

impl ResilientHttpClientBuilder {
    /// Sets the builder of the inner client, for TLS, proxy, default headers and redirects.
    ///
    /// Its `timeout` and `connect_timeout` are overwritten by the settings of this builder. Its redirect policy is
    /// not: set [`redirect_policy`](crate::redirect_policy) in it, or call
    /// [`follow_if_permitted`](crate::follow_if_permitted) in a policy of your own, so that each redirect
    /// passes the breaker of its host.
    pub fn client(self, client: reqwest::ClientBuilder) -> Self {
        Self { client, ..self }
    }

    /// Sets the timeout of connecting. The default is 5 seconds.
    pub fn connect_timeout(self, connect_timeout: Duration) -> Self {
        Self { connect_timeout, ..self }
    }

    /// Sets the timeout of a request, from connecting to the last byte of the body. The default is 30
    /// seconds.
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// Sets the configuration of all breakers. For a configuration per server, set a
    /// [`registry`](Self::registry).
    ///
    /// The window must be at least twice the timeout to contain two failures that each take the whole
    /// timeout.
    pub fn config(self, config: CircuitBreakerConfig) -> Self {
        Self { config: Some(config), registry: None, ..self }
    }

    /// Sets the registry of the breakers, whose rules determine their configurations.
    pub fn registry(self, registry: Registry) -> Self {
        Self { registry: Some(registry), config: None, ..self }
    }

    /// Sets the rules that classify results. The default is [`ReqwestClassify`](crate::ReqwestClassify).
    pub fn classify<C>(self, classify: C) -> Self
    where
        C: Classify<Response, Error> + Send + Sync + 'static,
    {
        Self { breaker: self.breaker.classify(classify), ..self }
    }

    /// Records a call at the end of its body. This is the default.
    ///
    /// See [`CircuitBreakerMiddleware::until_body_end`].
    pub fn until_body_end(self) -> Self {
        Self { breaker: self.breaker.until_body_end(), ..self }
    }

    /// Records a call at the head of its response.
    ///
    /// Errors of the body do not count, and the body is not boxed again.
    pub fn until_head(self) -> Self {
        Self { breaker: self.breaker.until_head(), ..self }
    }

    /// Attaches a middleware outside the breaker and inside the middleware attached before.
    ///
    /// Attach tracing first, then retry.
    pub fn with(mut self, middleware: impl Middleware) -> Self {
        self.outside.push(Arc::new(middleware));
        self
    }

    /// Builds the client.
    ///
    /// # Errors
    ///
    /// Returns the error of `reqwest::ClientBuilder::build` if the TLS backend or the resolver cannot be
    /// initialized.
    pub fn build(self) -> reqwest::Result<ResilientHttpClient> {
        let (config, timeout) = (self.config, self.timeout);
        let registry = self
            .registry
            .unwrap_or_else(|| registry_of(config.unwrap_or_else(|| config_for_timeout(timeout))));
        let client = self.client.connect_timeout(self.connect_timeout).timeout(self.timeout).build()?;
        let mut stack = self.outside;
        // Innermost: a retry outside of it is a call of its own, which an open breaker rejects.
        stack.push(Arc::new(self.breaker.registry(registry.clone())));
        Ok(ResilientHttpClient { client: ClientWithMiddleware::new(client, stack), registry })
    }
}

/// Returns the default configuration with a window of at least twice the timeout.
fn config_for_timeout(timeout: Duration) -> CircuitBreakerConfig {
    let default = CircuitBreakerConfig::default();
    // Calls to a host that hangs end one timeout apart: in a shorter window there would never be enough of them.
    let window = Window::last(timeout.saturating_mul(2).max(SHORTEST_WINDOW));
    default.to_builder().window(window).build().expect("a window of any positive length is valid")
}

fn registry_of(config: CircuitBreakerConfig) -> Registry {
    // A client that follows links meets hosts without end.
    Registry::builder().default_config(config).capacity(HOSTS).idle_after(IDLE_AFTER).build()
}

impl fmt::Debug for ResilientHttpClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResilientHttpClientBuilder")
            .field("client", &self.client)
            .field("connect_timeout", &self.connect_timeout)
            .field("timeout", &self.timeout)
            .field("breaker", &self.breaker)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use halfopen::{CircuitBreaker, Clock, OwnedPermit, State};

    use super::*;

    /// Simulates ten callers, each with one request at a time that ends with the timeout.
    fn state_before_a_server_that_hangs(timeout: Duration) -> State {
        let (clock, hands) = Clock::manual();
        let breaker =
            CircuitBreaker::builder("hangs").config(config_for_timeout(timeout)).clock(clock).build();
        let step = timeout / 10;
        let mut waiting = Vec::<OwnedPermit>::new();
        for _ in 0..30 {
            if waiting.len() == 10 {
                waiting.remove(0).failure();
            }
            waiting.extend(breaker.try_acquire_owned());
            if breaker.is_open() {
                return State::Open;
            }
            hands.advance(step);
        }
        breaker.state()
    }

    #[test]
    fn ten_callers_of_a_hanging_server_open_its_breaker() {
        for seconds in [1, 30, 600] {
            assert_eq!(state_before_a_server_that_hangs(Duration::from_secs(seconds)), State::Open);
        }
    }

    #[test]
    fn any_timeout_gives_a_configuration() {
        for timeout in [Duration::ZERO, Duration::from_nanos(1), TIMEOUT, Duration::MAX] {
            let client = ResilientHttpClient::builder().timeout(timeout);
            assert!(client.build().is_ok(), "{timeout:?}");
        }
    }
}
