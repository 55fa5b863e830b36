use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use fusebox::{CircuitBreaker, OwnedPermit, Registry, Rejected};
use http::Extensions;
use reqwest::{Request, Url};

/// Names the breaker of one request, whatever its URL says.
///
/// Goes before the key of [`per_host`](crate::CircuitBreakerMiddleware::per_host) and
/// [`keyed`](crate::CircuitBreakerMiddleware::keyed); a middleware with
/// [one breaker](crate::CircuitBreakerMiddleware::new) has no other to choose. It lies in the
/// *middleware's* extensions, so it is set on the request builder of a `ClientWithMiddleware`;
/// `execute` and the tower service start without any, `execute_with_extensions` takes them.
///
/// # Examples
///
/// ```
/// use fusebox::Registry;
/// use fusebox_reqwest::{BreakerName, CircuitBreakerMiddleware};
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
/// assert_eq!(fusebox::rejection(&error).unwrap().name(), "search");
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BreakerName(Arc<str>);

impl BreakerName {
    /// This name.
    pub fn new(name: impl Into<Arc<str>>) -> BreakerName {
        BreakerName(name.into())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

type Key = dyn for<'a> Fn(&'a Request) -> Cow<'a, str> + Send + Sync;

/// Where the breaker of a request comes from.
#[derive(Clone)]
pub(crate) enum Breakers {
    One(CircuitBreaker),
    PerHost(Registry),
    Keyed(Registry, Arc<Key>),
}

impl Breakers {
    pub(crate) fn acquire(
        &self,
        request: &Request,
        extensions: &Extensions,
    ) -> Result<OwnedPermit, Rejected> {
        let (registry, key) = match self {
            Breakers::One(breaker) => return breaker.try_acquire_owned(),
            Breakers::PerHost(registry) => (registry, None),
            Breakers::Keyed(registry, key) => (registry, Some(key)),
        };
        let name = match (extensions.get::<BreakerName>(), key) {
            (Some(name), _) => Cow::Borrowed(name.as_str()),
            (None, Some(key)) => key(request),
            (None, None) => Cow::Owned(host_and_port(request.url())),
        };
        registry.get_or_create(&name).try_acquire_owned()
    }
}

/// What is sick is a port of a host: two servers on one host do not share their fate.
fn host_and_port(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port_or_known_default() {
        // In one piece: `format!` would grow it.
        Some(port) => [host, ":", Decimal::of(port).as_str()].concat(),
        None => host.to_owned(),
    }
}

/// A port in digits, without an allocation.
struct Decimal {
    digits: [u8; 5],
    from: usize,
}

impl Decimal {
    fn of(port: u16) -> Decimal {
        let mut decimal = Decimal { digits: [b'0'; 5], from: 4 };
        let mut left = port;
        loop {
            decimal.digits[decimal.from] = b'0' + (left % 10) as u8;
            left /= 10;
            if left == 0 {
                return decimal;
            }
            decimal.from -= 1;
        }
    }

    fn as_str(&self) -> &str {
        std::str::from_utf8(&self.digits[self.from..]).expect("digits are ASCII")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_of_a_host_has_its_port_even_where_the_url_has_none() {
        for (url, key) in [
            ("http://example.com/a?b#c", "example.com:80"),
            ("https://example.com", "example.com:443"),
            ("https://user:secret@EXAMPLE.com:8443/x", "example.com:8443"),
            ("http://127.0.0.1:1", "127.0.0.1:1"),
            ("http://[::1]:65535/", "[::1]:65535"),
            ("other://example.com/", "example.com"),
            ("mailto:somebody@example.com", ""),
        ] {
            assert_eq!(host_and_port(&url.parse().unwrap()), key, "{url}");
        }
    }

    #[test]
    fn every_port_is_spelt_as_it_is() {
        for port in 0..=u16::MAX {
            assert_eq!(Decimal::of(port).as_str(), port.to_string());
        }
    }
}
