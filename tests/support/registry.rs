//! What the tests of exporters look at: breakers by name on a clock that the test moves.

use std::time::Duration;

use halfopen::{Backoff, CircuitBreaker, CircuitBreakerConfig, Clock, ManualClock, Registry, Trip};

pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// A registry whose breakers open after two failures in a row for ten seconds, and are idle after sixty.
pub(crate) fn registry() -> (Registry, ManualClock) {
    let config = CircuitBreakerConfig::builder()
        .trip(Trip::consecutive_failures(2))
        .backoff(Backoff::none())
        .open_duration(10 * SECOND)
        .build()
        .unwrap();
    let (clock, hands) = Clock::manual();
    let builder = Registry::builder().default_config(config).idle_after(60 * SECOND).clock(clock);
    (builder.build(), hands)
}

/// A breaker to which everything has happened that ends a call: seven successes, two failures that
/// opened it, and one each ignored, abandoned and late.
pub(crate) fn eventful(registry: &Registry, name: &str) -> CircuitBreaker {
    let breaker = registry.get_or_create(name);
    let late = breaker.try_acquire_owned().unwrap();
    succeed(&breaker, 7);
    breaker.try_acquire().unwrap().ignore();
    drop(breaker.try_acquire().unwrap());
    fail(&breaker, 2);
    late.success();
    breaker
}

pub(crate) fn succeed(breaker: &CircuitBreaker, calls: u32) {
    for _ in 0..calls {
        breaker.try_acquire().unwrap().success();
    }
}

pub(crate) fn fail(breaker: &CircuitBreaker, calls: u32) {
    for _ in 0..calls {
        breaker.try_acquire().unwrap().failure();
    }
}
