//! The fixtures of these tests: a client, its breaker, and the breaker's clock.

use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use halfopen::{Backoff, CircuitBreaker, CircuitBreakerConfig, HalfOpen, ManualClock, Trip};
use halfopen_reqwest::CircuitBreakerMiddleware;
use http::Extensions;
use reqwest::{Request, Response};
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware, Middleware, Next, Result};
use reqwest_retry::policies::ExponentialBackoff;
use reqwest_retry::{Jitter, RetryTransientMiddleware};
use tokio::net::TcpListener;

use crate::server::Server;
pub(crate) use test_support::breaker::{SECOND, ended};
use test_support::breaker::{about_to_probe, clocked};

/// A client with a breaker in it.
pub(crate) struct Guarded {
    pub(crate) client: ClientWithMiddleware,
    pub(crate) breaker: CircuitBreaker,
    pub(crate) hands: ManualClock,
}

impl Guarded {
    /// The breaker alone between the caller and the client.
    pub(crate) fn new() -> Guarded {
        Guarded::with(|middleware| middleware)
    }

    pub(crate) fn with(change: impl FnOnce(CircuitBreakerMiddleware) -> CircuitBreakerMiddleware) -> Guarded {
        Guarded::stack(|breaker| stack().with(change(CircuitBreakerMiddleware::new(breaker))))
    }

    /// Any stack around the given breaker.
    pub(crate) fn stack(stack: impl FnOnce(CircuitBreaker) -> ClientBuilder) -> Guarded {
        let (breaker, hands) = breaker("peer");
        Guarded { client: stack(breaker.clone()).build(), breaker, hands }
    }

    pub(crate) async fn get(&self, server: &Server, path: &str) -> Result<Response> {
        self.client.get(url(server, path)).send().await
    }

    pub(crate) fn ended(&self) -> String {
        ended(&self.breaker)
    }

    /// Leaves the breaker one step before its first probe.
    pub(crate) fn about_to_probe(&self) {
        about_to_probe(&self.breaker, &self.hands);
    }
}

/// Opens for a second after three consecutive failures.
pub(crate) fn breaker(name: &str) -> (CircuitBreaker, ManualClock) {
    clocked(name, config(3))
}

pub(crate) fn config(failures: u32) -> CircuitBreakerConfig {
    let config = CircuitBreakerConfig::builder()
        .trip(Trip::consecutive_failures(failures))
        .open_duration(SECOND)
        .backoff(Backoff::none())
        .half_open(HalfOpen::new());
    config.build().expect("the numbers are in range")
}

/// A client that connects to the loopback regardless of proxies in the environment.
pub(crate) fn http() -> reqwest::ClientBuilder {
    reqwest::Client::builder().no_proxy()
}

pub(crate) fn stack() -> ClientBuilder {
    ClientBuilder::new(http().build().expect("a client without TLS can always be built"))
}

/// Retries immediately, this many times.
pub(crate) fn retry(times: u32) -> impl Middleware {
    let policy =
        ExponentialBackoff::builder().jitter(Jitter::None).retry_bounds(Duration::ZERO, Duration::ZERO);
    RetryTransientMiddleware::new_with_policy(policy.build_with_max_retries(times))
}

/// A middleware that turns a failing status into an error, as some do.
pub(crate) fn error_for_status<'a>(
    request: Request,
    extensions: &'a mut Extensions,
    next: Next<'a>,
) -> BoxFuture<'a, Result<Response>> {
    Box::pin(async move { Ok(next.run(request, extensions).await?.error_for_status()?) })
}

pub(crate) fn url(server: &Server, path: &str) -> String {
    format!("http://{}{path}", server.address())
}

/// An address without a listener.
pub(crate) async fn nobody() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
    listener.local_addr().expect("a bound listener has an address")
}

/// Starts the future, waits until `begun` reports that it hangs, and moves tokio's clock past every timeout.
pub(crate) async fn after_its_timeout<F: Future>(work: F, begun: impl Fn() -> bool) -> F::Output {
    let mut work = pin!(work);
    loop {
        assert!(work.as_mut().now_or_never().is_none(), "it was to hang");
        if begun() {
            break;
        }
        tokio::task::yield_now().await;
    }
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(3600)).await;
    let output = work.await;
    tokio::time::resume();
    output
}
