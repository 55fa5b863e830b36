use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use halfopen::{CircuitBreaker, OwnedPermit, Registry, Rejected};
use http::Extensions;
use reqwest::Request;

use crate::host::host_of;
use crate::redirect::Hops;

/// The name of the breaker for a single request, as an extension of the request.
///
/// Overrides the key of [`per_host`](crate::CircuitBreakerMiddleware::per_host) and
/// [`keyed`](crate::CircuitBreakerMiddleware::keyed). A middleware with
/// [one breaker](crate::CircuitBreakerMiddleware::new) ignores it. It belongs to the extensions of the
/// *middleware*, which the request builder of a `ClientWithMiddleware` sets and `execute_with_extensions`
/// accepts. `execute` and the tower service start without extensions.
///
/// # Examples
///
/// ```
/// use halfopen::Registry;
/// use halfopen_reqwest::{BreakerName, CircuitBreakerMiddleware};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let registry = Registry::new();
/// let client = reqwest_middleware::ClientBuilder::new(reqwest::Client::new())
///     .with(CircuitBreakerMiddleware::per_host(registry.clone()))
///     .build();
///
/// registry.get_or_create("search").force_open();
/// let request = client.get("http://localhost:9/search").with_extension(BreakerName::new("search"));
/// let error = request.send().await.unwrap_err();
/// assert_eq!(halfopen::rejection(&error).unwrap().name(), "search");
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BreakerName(Arc<str>);

impl BreakerName {
    /// Creates the extension from a name.
    pub fn new(name: impl Into<Arc<str>>) -> BreakerName {
        BreakerName(name.into())
    }

    /// Returns the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

type Key = dyn for<'a> Fn(&'a Request) -> Cow<'a, str> + Send + Sync;

/// The source of the breaker of a request.
#[derive(Clone)]
pub(crate) enum Breakers {
    One(CircuitBreaker),
    PerHost(Registry),
    Keyed(Registry, Arc<Key>),
}

impl Breakers {
    /// Returns the permit of a request, with its [`Hops`] if its breaker is that of the host.
    pub(crate) fn acquire(
        &self,
        request: &Request,
        extensions: &Extensions,
    ) -> Result<(OwnedPermit, Option<Hops>), Rejected> {
        let (registry, key) = match self {
            Breakers::One(breaker) => return Ok((breaker.try_acquire_owned()?, None)),
            Breakers::PerHost(registry) => (registry, None),
            Breakers::Keyed(registry, key) => (registry, Some(key)),
        };
        let name = match (extensions.get::<BreakerName>(), key) {
            (Some(name), _) => Cow::Borrowed(name.as_str()),
            (None, Some(key)) => key(request),
            (None, None) => {
                // Only here can a redirect lead to another breaker: a name or a key is the caller's choice for the
                // whole request.
                let breaker = registry.get_or_create(&host_of(request.url()));
                let permit = breaker.try_acquire_owned()?;
                return Ok((permit, Some(Hops::new(registry.clone(), breaker))));
            }
        };
        Ok((registry.get_or_create(&name).try_acquire_owned()?, None))
    }
}

impl fmt::Debug for Breakers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Breakers::One(breaker) => f.debug_tuple("One").field(&breaker.name()).finish(),
            Breakers::PerHost(registry) => f.debug_tuple("PerHost").field(&registry.len()).finish(),
            Breakers::Keyed(registry, _) => f.debug_tuple("Keyed").field(&registry.len()).finish(),
        }
    }
}
