use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use halfopen::{CircuitBreakerConfig, Classify, Registry, Window};
use reqwest::Response;
use reqwest_middleware::{ClientWithMiddleware, Error, Middleware};

use crate::CircuitBreakerMiddleware;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const TIMEOUT: Duration = Duration::from_secs(30);

/// The window of the default configuration.
const SHORTEST_WINDOW: Duration = Duration::from_secs(10);

/// More servers than a service calls, and 7 MB at most: a client that is handed URLs from outside stays
/// within bounds.
const HOSTS: usize = 10_000;

/// A server that has not been called for this long is forgotten when room is needed. Shorter than the
/// registry's own, because names from outside can fail faster than anyone calls them again.
const IDLE_AFTER: Duration = Duration::from_secs(120);

/// A ready client: timeouts, one circuit breaker per server, and default rules for what is a failure.
///
/// Derefs to its `ClientWithMiddleware`. Connecting may take 5 seconds, a request with its body 30. A
/// call is decided at the end of its body, so that a server whose answers are cut is found out. Each
/// server has a breaker in a registry of up to 10,000 names, with the default configuration over a
/// window of twice the timeout: failures that take the whole timeout each are still counted together,
/// so that ten callers before a server that hangs open its breaker. The [`builder`](Self::builder)
/// changes any of it. Cheap to clone; clones share all of it.
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
/// println!("{} hosts are given up for now", client.registry().open_breakers().len());
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
    /// The ready client.
    ///
    /// # Errors
    ///
    /// As `reqwest::ClientBuilder::build`: the TLS backend or the resolver cannot be set up.
    pub fn new() -> reqwest::Result<ResilientHttpClient> {
        Self::builder().build()
    }

    /// Builds one with other numbers.
    pub fn builder() -> ResilientHttpClientBuilder {
        ResilientHttpClientBuilder {
            client: reqwest::Client::builder(),
            connect_timeout: CONNECT_TIMEOUT,
            timeout: TIMEOUT,
            config: None,
            registry: None,
            // The registry depends on the timeout, so it is put in its place by `build`.
            breaker: CircuitBreakerMiddleware::per_host(Registry::new()).until_body_end(),
            outside: Vec::new(),
        }
    }

    /// The breakers, one per server that was called.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The client, for those who want it by value.
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
    /// What to build the client from: TLS, proxy, default headers, redirects. Its `timeout` and
    /// `connect_timeout` are overwritten by those given here.
    pub fn client(self, client: reqwest::ClientBuilder) -> Self {
        Self { client, ..self }
    }

    /// How long connecting may take; 5 seconds if not given.
    pub fn connect_timeout(self, connect_timeout: Duration) -> Self {
        Self { connect_timeout, ..self }
    }

    /// How long a request may take, from connecting to the last byte of its body; 30 seconds if not given.
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// The configuration of every server's breaker; for one per server give a
    /// [`registry`](Self::registry).
    ///
    /// Give it a window of at least twice the timeout: failures that take the whole timeout each lie so
    /// far apart.
    pub fn config(self, config: CircuitBreakerConfig) -> Self {
        Self { config: Some(config), registry: None, ..self }
    }

    /// Takes the breakers from this registry, with the configurations that its rules give their names.
    pub fn registry(self, registry: Registry) -> Self {
        Self { registry: Some(registry), config: None, ..self }
    }

    /// Says which results are failures; [`ReqwestClassify`](crate::ReqwestClassify) without it.
    pub fn classify<C>(self, classify: C) -> Self
    where
        C: Classify<Response, Error> + Send + Sync + 'static,
    {
        Self { breaker: self.breaker.classify(classify), ..self }
    }

    /// Decides a call at the end of its body, the default:
    /// [`CircuitBreakerMiddleware::until_body_end`].
    pub fn until_body_end(self) -> Self {
        Self { breaker: self.breaker.until_body_end(), ..self }
    }

    /// Decides a call at the head of its response: the body's errors do not count, and the body is not
    /// boxed again.
    pub fn until_head(self) -> Self {
        Self { breaker: self.breaker.until_head(), ..self }
    }

    /// Attaches a middleware outside the breaker, inside those attached before: tracing, then retry.
    pub fn with(mut self, middleware: impl Middleware) -> Self {
        self.outside.push(Arc::new(middleware));
        self
    }

    /// The client.
    ///
    /// # Errors
    ///
    /// As `reqwest::ClientBuilder::build`: the TLS backend or the resolver cannot be set up.
    pub fn build(self) -> reqwest::Result<ResilientHttpClient> {
        let (config, timeout) = (self.config, self.timeout);
        let registry = self
            .registry
            .unwrap_or_else(|| registry_of(config.unwrap_or_else(|| config_for_timeout(timeout))));
        let client = self.client.connect_timeout(self.connect_timeout).timeout(self.timeout).build()?;
        let mut stack = self.outside;
        stack.push(Arc::new(self.breaker.registry(registry.clone())));
        Ok(ResilientHttpClient { client: ClientWithMiddleware::new(client, stack), registry })
    }
}

/// The default configuration, over a window in which failures that take the whole timeout meet.
fn config_for_timeout(timeout: Duration) -> CircuitBreakerConfig {
    let default = CircuitBreakerConfig::default();
    let window = Window::last(timeout.saturating_mul(2).max(SHORTEST_WINDOW));
    default.to_builder().window(window).build().expect("a window of any positive length is valid")
}

fn registry_of(config: CircuitBreakerConfig) -> Registry {
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

    /// Ten callers, each with one request at a time that ends with the timeout.
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
    fn ten_callers_before_a_server_that_hangs_open_its_breaker() {
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
