//! A registry on a manual clock, for tests of exporters.

use halfopen::{Backoff, CircuitBreaker, CircuitBreakerConfig, Clock, ManualClock, Registry, Trip};

pub use crate::breaker::SECOND;

/// Builds a registry whose breakers open for ten seconds after two consecutive failures, and are idle after
/// sixty.
pub fn registry() -> (Registry, ManualClock) {
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

/// Creates a breaker with calls of every outcome: seven successes, two failures that opened it, and one call each
/// ignored, abandoned and late.
pub fn eventful(registry: &Registry, name: &str) -> CircuitBreaker {
    let breaker = registry.get_or_create(name);
    let late = breaker.try_acquire_owned().unwrap();
    succeed(&breaker, 7);
    breaker.try_acquire().unwrap().ignore();
    drop(breaker.try_acquire().unwrap());
    fail(&breaker, 2);
    late.success();
    breaker
}

/// Records successful calls.
pub fn succeed(breaker: &CircuitBreaker, calls: u32) {
    for _ in 0..calls {
        breaker.try_acquire().unwrap().success();
    }
}

/// Records failed calls.
pub fn fail(breaker: &CircuitBreaker, calls: u32) {
    for _ in 0..calls {
        breaker.try_acquire().unwrap().failure();
    }
}
