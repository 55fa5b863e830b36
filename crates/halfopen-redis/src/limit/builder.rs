use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use halfopen::{CircuitBreaker, CircuitBreakerConfig, HalfOpen, Trip};
use halfopen_limit::{KeyedRateLimiter, Quota};
use redis::Script;
use redis::aio::ConnectionLike;

use super::{Counts, RATE_LIMIT_SCRIPT, Shared, SharedRateLimiter, share};
use crate::client::ProtectedConnection;

/// The default of [`SharedRateLimiterBuilder::budget`].
const BUDGET: Duration = Duration::from_millis(50);

/// Builds a [`SharedRateLimiter`].
#[must_use = "a builder does nothing until it builds"]
pub struct SharedRateLimiterBuilder<C> {
    name: Arc<str>,
    quota: Quota,
    connection: C,
    prefix: Box<str>,
    budget: Duration,
    nodes: u32,
    max_wait: Duration,
    breaker: Option<CircuitBreaker>,
}

impl<C: ConnectionLike + Clone + Send + Sync + 'static> SharedRateLimiterBuilder<C> {
    pub(super) fn new(name: Arc<str>, quota: Quota, connection: C) -> Self {
        SharedRateLimiterBuilder {
            name,
            quota,
            connection,
            prefix: "halfopen:rate".into(),
            budget: BUDGET,
            nodes: 1,
            max_wait: Duration::ZERO,
            breaker: None,
        }
    }

    /// Sets the longest time that a call waits for the server's answer; the default is 50 ms.
    pub fn budget(self, budget: Duration) -> Self {
        SharedRateLimiterBuilder { budget, ..self }
    }

    /// Sets the number of processes that share the limit, for local decisions: without the server each process permits
    /// that part of the quota. The default is 1, and 0 means 1.
    pub fn expected_nodes(self, nodes: u32) -> Self {
        SharedRateLimiterBuilder { nodes: nodes.max(1), ..self }
    }

    /// Sets how long a call waits for its turn in [`SharedRateLimiter::acquire`]; the default is not to wait.
    pub fn max_wait(self, wait: Duration) -> Self {
        SharedRateLimiterBuilder { max_wait: wait, ..self }
    }

    /// Sets the prefix of the keys; the default is `halfopen:rate`.
    pub fn key_prefix(self, prefix: impl Into<Box<str>>) -> Self {
        SharedRateLimiterBuilder { prefix: prefix.into(), ..self }
    }

    /// Sets the breaker around the requests to the server.
    ///
    /// The default opens for a second after three requests in a row without an answer. With one of a registry, the
    /// server appears where the registry is shown.
    pub fn breaker(self, breaker: CircuitBreaker) -> Self {
        SharedRateLimiterBuilder { breaker: Some(breaker), ..self }
    }

    /// Builds the limiter; sends nothing.
    pub fn build(self) -> SharedRateLimiter<C> {
        let SharedRateLimiterBuilder { name, quota, connection, prefix, budget, nodes, max_wait, breaker } =
            self;
        let breaker = breaker.unwrap_or_else(|| store_breaker(&name));
        let local = KeyedRateLimiter::builder(Arc::clone(&name), share(quota, nodes)).max_wait(max_wait);
        let local = local.build().expect("the default number of keys is in range");
        SharedRateLimiter(Arc::new(Shared {
            prefix,
            script: Script::new(RATE_LIMIT_SCRIPT),
            connection: ProtectedConnection::new(connection, breaker).call_timeout(budget),
            quota: Mutex::new(quota),
            nodes,
            max_wait,
            local,
            counts: Counts::default(),
            last_error: Mutex::new(None),
            name,
        }))
    }
}

/// A breaker of the server that a part of this crate uses: soon open, since requests without an answer cost calls time.
fn store_breaker(name: &str) -> CircuitBreaker {
    let config = CircuitBreakerConfig::builder()
        .trip(Trip::consecutive_failures(3))
        .open_duration(Duration::from_secs(1))
        .half_open(HalfOpen::new().success_threshold(1).max_failures(1));
    let config = config.build().expect("the numbers are in range");
    CircuitBreaker::new(format!("{name} (store)"), config)
}

impl<C> fmt::Debug for SharedRateLimiterBuilder<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedRateLimiterBuilder")
            .field("name", &self.name)
            .field("quota", &self.quota)
            .finish_non_exhaustive()
    }
}
