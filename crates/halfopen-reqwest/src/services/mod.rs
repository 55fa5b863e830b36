//! Servers by name.

mod error;
mod section;

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use halfopen::adapter::without_passwords;
use halfopen::{CircuitBreaker, CircuitBreakerError};
use halfopen_config::{Configuration, LiveRegistry, Overrides};
use reqwest::{Method, Url};
use reqwest_middleware::{ClientWithMiddleware, RequestBuilder};

use crate::resilient::{CONNECT_TIMEOUT, TIMEOUT};
use crate::{BreakerName, CircuitBreakerMiddleware, redirect_policy};

pub use error::{CallError, RegisterError, UnknownService};
pub use section::{ServiceKeys, ServicesSection};

/// Servers by name: each has a base URL, a circuit breaker and a timeout.
///
/// They come from the section `services` of a document, which is followed, and from
/// [`register`](Self::register). The breaker of a service is that of its name in the registry, and its settings are
/// those of `breakers` in the document. The timeout of a request is its `call_timeout`, by default 30 seconds. Clones are
/// cheap and share the services and one client.
///
/// # Examples
///
/// ```
/// use halfopen_config::{Format, LiveRegistry, Loader, Overrides};
/// use halfopen_reqwest::{Services, ServicesSection};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let document = "
/// services:
///   inventory: { base_url: http://inventory.internal/v1 }
/// breakers:
///   inventory: { template: external_api, call_timeout: 2s }
/// ";
/// let loader = Loader::new().section::<ServicesSection>().text("services.yaml", Format::Yaml, document);
/// let services = Services::new(LiveRegistry::new(loader)?)?;
/// let strict = Overrides::new().set("call_timeout", "30s");
/// services.register("payment_service", "https://api.payments.com", "external_api", strict)?;
///
/// let inventory = services.get("inventory")?;
/// assert_eq!(inventory.url("/items/7"), "http://inventory.internal/v1/items/7");
/// # inventory.breaker().force_open();
/// match inventory.get("/items/7").send().await {
///     Ok(response) => println!("{}", response.status()),
///     Err(error) => println!("{:?}", halfopen::rejection(&error)),
/// }
/// let unknown = services.get("inventroy").unwrap_err();
/// assert_eq!(unknown.to_string(), "there is no service `inventroy`; did you mean `inventory`?");
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Services(Arc<Inner>);

struct Inner {
    live: LiveRegistry,
    plain: reqwest::Client,
    client: ClientWithMiddleware,
    /// Registered by the program; they take precedence over those of the document.
    registered: Mutex<BTreeMap<String, Target>>,
    targets: RwLock<Arc<BTreeMap<String, Target>>>,
}

/// The server of a service.
#[derive(Clone)]
struct Target {
    base: Url,
    breaker: BreakerName,
    timeout: Duration,
}

impl Services {
    /// Creates the services of a document, which follow it.
    ///
    /// The loader of the registry must know [`ServicesSection`]; without it the document has no services.
    ///
    /// # Errors
    ///
    /// Returns the error of `reqwest::ClientBuilder::build` if the TLS backend or the resolver cannot be
    /// initialized.
    pub fn new(live: LiveRegistry) -> reqwest::Result<Services> {
        Services::with_client(live, reqwest::Client::builder().redirect(redirect_policy()))
    }

    /// Creates the services with a client of its own TLS, proxy, default headers and redirects.
    ///
    /// The connect timeout is set to 5 seconds; the timeout of a request is that of its service.
    ///
    /// # Errors
    ///
    /// Returns the same errors as [`new`](Self::new).
    pub fn with_client(live: LiveRegistry, client: reqwest::ClientBuilder) -> reqwest::Result<Services> {
        let plain = client.connect_timeout(CONNECT_TIMEOUT).build()?;
        let breakers = CircuitBreakerMiddleware::per_host(live.registry().clone()).until_body_end();
        let client = ClientWithMiddleware::new(plain.clone(), [Arc::new(breakers) as Arc<_>]);
        let inner =
            Arc::new(Inner { live, plain, client, registered: Mutex::default(), targets: RwLock::default() });
        // Weak, as the registry would otherwise keep the services that hold it.
        let weak = Arc::downgrade(&inner);
        inner.live.on_apply(move |_| weak.upgrade().inspect(|inner| inner.follow()).is_some());
        Ok(Services(inner))
    }

    /// Adds a service, or replaces it: its breaker has the values of a template and `overrides`.
    ///
    /// The service and its values take precedence over those of the document.
    ///
    /// # Errors
    ///
    /// Returns an error if the URL is not one of HTTP, or if there is no such template or value. Nothing is
    /// registered then.
    pub fn register(
        &self,
        name: &str,
        base_url: &str,
        template: &str,
        overrides: Overrides,
    ) -> Result<(), RegisterError> {
        let base = section::parse(base_url)
            .map_err(|why| RegisterError::BaseUrl(without_passwords(base_url).into_owned(), why))?;
        let values = overrides.set("template", template);
        self.0.live.update(name, values).map_err(RegisterError::Breaker)?;
        let target = Target { base, breaker: BreakerName::new(name), timeout: TIMEOUT };
        self.0.registered().insert(name.to_owned(), target);
        self.0.follow();
        Ok(())
    }

    /// Returns the service of this name.
    ///
    /// # Errors
    ///
    /// Returns an error with a name that is spelt alike if there is no service of this name.
    pub fn get(&self, name: &str) -> Result<Service, UnknownService> {
        let targets = self.0.targets();
        match targets.get(name) {
            Some(target) => Ok(Service { target: target.clone(), inner: Arc::clone(&self.0) }),
            None => Err(UnknownService::new(name, targets.keys().map(String::as_str))),
        }
    }

    /// Makes a call, of one request or several, through the breaker of a service; every `Err` is a failure.
    ///
    /// # Errors
    ///
    /// Returns an error if there is no service of this name, if the breaker rejects the call, or if the call
    /// fails.
    ///
    /// # Cancel safety
    ///
    /// Same as [`CircuitBreaker::call`]: a dropped call is abandoned.
    pub async fn call<F, Fut, T, E>(&self, name: &str, operation: F) -> Result<T, CallError<E>>
    where
        F: FnOnce(ServiceClient) -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        Ok(self.get(name)?.call(operation).await?)
    }

    /// Returns the names of all services, in their order.
    pub fn names(&self) -> Vec<String> {
        self.0.targets().keys().cloned().collect()
    }

    /// Returns the registry and its document.
    pub fn live(&self) -> &LiveRegistry {
        &self.0.live
    }
}

impl fmt::Debug for Services {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Inner {
    fn targets(&self) -> Arc<BTreeMap<String, Target>> {
        // No code of a user's runs under this lock, so its value is whole even if a thread panicked.
        Arc::clone(&self.targets.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn registered(&self) -> MutexGuard<'_, BTreeMap<String, Target>> {
        self.registered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn follow(&self) {
        // Held from before the configuration is read until the map is replaced: neither a service that is registered
        // meanwhile nor a document that is applied meanwhile is lost.
        let registered = self.registered();
        let configuration = self.live.configuration();
        let mut all = written(&configuration);
        all.extend(registered.iter().map(|(name, target)| (name.clone(), target.clone())));
        for target in all.values_mut() {
            let timeout = &configuration.settings(target.breaker.as_str()).section().call_timeout;
            target.timeout = timeout.as_ref().map_or(TIMEOUT, |timeout| timeout.value.0);
        }
        *self.targets.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(all);
    }
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the document, which has the passwords of URLs.
        f.debug_struct("Services").field("targets", &self.targets()).finish_non_exhaustive()
    }
}

/// Returns the services of the document.
fn written(configuration: &Configuration) -> BTreeMap<String, Target> {
    let services = configuration.get::<ServicesSection>().into_iter().flat_map(ServicesSection::services);
    let targets = services.filter_map(|(name, keys)| {
        // A document with any other URL has an error and is not applied.
        let base = section::parse(&keys.base_url.as_ref()?.value).ok()?;
        let breaker = keys.breaker.as_ref().map_or(name, |breaker| breaker.value.as_str());
        let target = Target { base, breaker: BreakerName::new(breaker), timeout: TIMEOUT };
        Some((name.to_owned(), target))
    });
    targets.collect()
}

/// A server with a breaker; returned by [`Services::get`].
///
/// It has the base URL that was in force when it was returned: look it up for each call, so that it follows the
/// document.
#[derive(Clone, Debug)]
pub struct Service {
    target: Target,
    inner: Arc<Inner>,
}

macro_rules! methods {
    ($builder:ty) => {
        /// Starts a `GET` request.
        pub fn get(&self, path: &str) -> $builder {
            self.request(Method::GET, path)
        }

        /// Starts a `POST` request.
        pub fn post(&self, path: &str) -> $builder {
            self.request(Method::POST, path)
        }

        /// Starts a `PUT` request.
        pub fn put(&self, path: &str) -> $builder {
            self.request(Method::PUT, path)
        }

        /// Starts a `PATCH` request.
        pub fn patch(&self, path: &str) -> $builder {
            self.request(Method::PATCH, path)
        }

        /// Starts a `DELETE` request.
        pub fn delete(&self, path: &str) -> $builder {
            self.request(Method::DELETE, path)
        }
    };
}

impl Service {
    methods! { RequestBuilder }

    /// Starts a request that passes through the breaker, classified as by [`ReqwestClassify`](crate::ReqwestClassify).
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.inner.client.request(method, self.url(path));
        request.timeout(self.target.timeout).with_extension(self.target.breaker.clone())
    }

    /// Returns the URL of a path: the base URL with the path appended, whether or not either has a slash. Without a path it
    /// is the base URL itself, also with a query.
    ///
    /// A path never leads to another host. Nothing of it is escaped, and `..` in it is resolved when the request is sent: escape
    /// input of users.
    pub fn url(&self, path: &str) -> String {
        self.target.url(path)
    }

    /// Returns the breaker.
    pub fn breaker(&self) -> CircuitBreaker {
        self.inner.live.get_or_create(self.target.breaker.as_str())
    }

    /// Makes a call, of one request or several, through the breaker; every `Err` is a failure.
    ///
    /// # Errors
    ///
    /// Returns the same errors as [`CircuitBreaker::call`].
    ///
    /// # Cancel safety
    ///
    /// Same as [`CircuitBreaker::call`]: a dropped call is abandoned.
    pub async fn call<F, Fut, T, E>(&self, operation: F) -> Result<T, CircuitBreakerError<E>>
    where
        F: FnOnce(ServiceClient) -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        let client = ServiceClient { target: self.target.clone(), client: self.inner.plain.clone() };
        self.breaker().call(|| operation(client)).await
    }
}

/// A client of a service for the requests of one call; passed to the closure of [`Services::call`].
///
/// Its requests do not pass through the breaker, as the call that they belong to does.
#[derive(Clone, Debug)]
pub struct ServiceClient {
    target: Target,
    client: reqwest::Client,
}

impl ServiceClient {
    methods! { reqwest::RequestBuilder }

    /// Starts a request with the timeout of the service.
    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.client.request(method, self.url(path)).timeout(self.target.timeout)
    }

    /// Returns the URL of a path: the base URL with the path appended, whether or not either has a slash. Without a path it
    /// is the base URL itself, also with a query.
    ///
    /// A path never leads to another host. Nothing of it is escaped, and `..` in it is resolved when the request is sent: escape
    /// input of users.
    pub fn url(&self, path: &str) -> String {
        self.target.url(path)
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut base = self.base.clone();
        // Fails for a URL without a host alone, which no base URL is.
        let is_hidden = base.password().is_none() || base.set_password(Some("***")).is_ok();
        f.debug_struct("Target")
            .field("base", &is_hidden.then_some(base.as_str()))
            .field("breaker", &self.breaker)
            .field("timeout", &self.timeout)
            .finish()
    }
}

impl Target {
    fn url(&self, path: &str) -> String {
        let base = self.base.as_str();
        // The base URL itself: with a slash at its end it is another resource for many servers.
        if path.is_empty() || path.starts_with(['?', '#']) {
            return format!("{base}{path}");
        }
        format!("{}/{}", base.trim_end_matches('/'), path.trim_start_matches('/'))
    }
}
