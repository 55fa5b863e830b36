use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use halfopen::{CircuitBreakerConfig, Classify, Registry};
use reqwest::Response;
use reqwest_middleware::{ClientWithMiddleware, Error, Middleware};

use crate::CircuitBreakerMiddleware;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const TIMEOUT: Duration = Duration::from_secs(30);

/// More servers than a service calls; a client that is handed URLs from outside stays within bounds.
const HOSTS: usize = 1_000;

/// A ready client: timeouts, one circuit breaker per host, and reasonable rules for what is a failure.
///
/// Use it as the `ClientWithMiddleware` that it is. Connecting may take 5 seconds, a request with its
/// body 30. Each server has a breaker with the default configuration, in a registry of up to 1,000
/// hosts. The [`builder`](Self::builder) changes any of it. Cheap to clone; clones share all of it.
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
    registry: Registry,
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
        let registry = registry_of(CircuitBreakerConfig::default());
        ResilientHttpClientBuilder {
            client: reqwest::Client::builder(),
            connect_timeout: CONNECT_TIMEOUT,
            timeout: TIMEOUT,
            breaker: CircuitBreakerMiddleware::per_host(registry.clone()),
            registry,
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

    /// The configuration of every host's breaker; for one per host give a [`registry`](Self::registry).
    pub fn config(self, config: CircuitBreakerConfig) -> Self {
        self.registry(registry_of(config))
    }

    /// Takes the breakers from here, with the configurations that its rules give their names.
    pub fn registry(self, registry: Registry) -> Self {
        Self { breaker: self.breaker.registry(registry.clone()), registry, ..self }
    }

    /// Says which results are failures; [`ReqwestClassify`](crate::ReqwestClassify) without it.
    pub fn classify<C>(self, classify: C) -> Self
    where
        C: Classify<Response, Error> + Send + Sync + 'static,
    {
        Self { breaker: self.breaker.classify(classify), ..self }
    }

    /// Lets the body's errors count too: [`CircuitBreakerMiddleware::until_body_end`].
    pub fn until_body_end(self) -> Self {
        Self { breaker: self.breaker.until_body_end(), ..self }
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
        let client = self.client.connect_timeout(self.connect_timeout).timeout(self.timeout).build()?;
        let mut stack = self.outside;
        stack.push(Arc::new(self.breaker));
        Ok(ResilientHttpClient { client: ClientWithMiddleware::new(client, stack), registry: self.registry })
    }
}

fn registry_of(config: CircuitBreakerConfig) -> Registry {
    Registry::builder().default_config(config).capacity(HOSTS).build()
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
