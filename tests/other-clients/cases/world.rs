//! The scenario of every client, with a clock that only the test moves.

use std::fmt::Debug;
use std::time::Duration;

use halfopen::{Backoff, CircuitBreaker, CircuitBreakerConfig, Clock, ManualClock, Trip};

use crate::server::{Answer, Health, Server};

const WAIT: Duration = Duration::from_secs(30);

/// Longer than any call takes here: a client that retries for minutes fails its test instead of blocking it.
const LIMIT: Duration = Duration::from_secs(20);

/// A server, a breaker for it that opens at the fourth consecutive failure, and the breaker's clock.
pub(crate) struct World {
    pub(crate) server: Server,
    pub(crate) breaker: CircuitBreaker,
    clock: ManualClock,
}

impl World {
    pub(crate) async fn new(name: &'static str, answer: fn(Health) -> Answer) -> World {
        let (clock, hands) = Clock::manual();
        let config = CircuitBreakerConfig::builder()
            .trip(Trip::consecutive_failures(4))
            .open_duration(WAIT)
            .backoff(Backoff::none())
            .build()
            .unwrap();
        let breaker = CircuitBreaker::builder(name).config(config).clock(clock).build();
        World { server: Server::start(answer).await, breaker, clock: hands }
    }

    /// Healthy, four failures, open, rejected, the wait, healthy; returns the error of the rejected call.
    pub(crate) async fn outage<T: Debug, E: Debug>(&self, call: impl AsyncFn() -> Result<T, E>) -> E {
        let call = async || tokio::time::timeout(LIMIT, call()).await.expect("a call that ends");
        call().await.expect("the server is well");
        assert_eq!(self.breaker.snapshot().totals.successes, 1, "a good answer is a success");

        self.fall(Health::Sick, &call).await;
        let rejected = self.rejected(&call).await;

        self.clock.advance(WAIT);
        call().await.expect("the server is well again, and the probe is let through");
        assert!(self.breaker.is_closed(), "a good answer to the probe closes the breaker");
        rejected
    }

    /// Fails four times, which opens the breaker.
    pub(crate) async fn fall<T: Debug, E: Debug>(
        &self,
        health: Health,
        call: &impl AsyncFn() -> Result<T, E>,
    ) {
        self.server.is(health);
        let seen = self.server.requests();
        for failure in 1..=4 {
            assert!(self.breaker.is_closed(), "closed before failure {failure}");
            call().await.expect_err("the server is sick");
        }
        assert!(self.breaker.is_open(), "{}", self.breaker.explain());
        assert_eq!(self.server.requests(), seen + 4, "no call is repeated below the breaker");
    }

    /// One call while the breaker is open, although the server is healthy.
    pub(crate) async fn rejected<T: Debug, E: Debug>(&self, call: &impl AsyncFn() -> Result<T, E>) -> E {
        self.server.is(Health::Well);
        let (seen, rejected) = (self.server.requests(), self.breaker.snapshot().totals.rejected);
        let error = call().await.expect_err("the breaker is open");
        assert_eq!(self.server.requests(), seen, "a rejected call reaches no server");
        assert_eq!(self.breaker.snapshot().totals.rejected, rejected + 1, "no rejection is repeated");
        error
    }
}
