//! The configurations that are compared, ours and the peers', as similar as the libraries allow.

use std::time::Duration;

use halfopen::{CircuitBreaker, CircuitBreakerConfig, Trip, Window};
use halfopen_tower::CircuitBreakerService;

use crate::services::{Failed, Inner};

/// Long enough that no breaker half-opens during a measurement.
pub(crate) const LONG: Duration = Duration::from_secs(3600);

/// Half of the last 100 calls.
pub(crate) fn count() -> CircuitBreakerConfig {
    let rule = Trip::failure_rate(0.5).minimum_calls(10);
    config(CircuitBreakerConfig::builder().trip(rule).window(Window::last_calls(100)))
}

/// Five in a row.
pub(crate) fn consecutive() -> CircuitBreakerConfig {
    config(CircuitBreakerConfig::builder().trip(Trip::consecutive_failures(5)))
}

/// The same with a window that needs no clock.
pub(crate) fn consecutive_unbounded() -> CircuitBreakerConfig {
    let rule = Trip::consecutive_failures(5);
    config(CircuitBreakerConfig::builder().trip(rule).window(Window::unbounded()))
}

/// Half of the calls of the last ten seconds, in ten buckets.
pub(crate) fn time() -> CircuitBreakerConfig {
    let rule = Trip::failure_rate(0.5).minimum_calls(10);
    let window = Window::last(Duration::from_secs(10)).buckets(10);
    config(CircuitBreakerConfig::builder().trip(rule).window(window))
}

/// The same and half of them slow: every call must be timed.
pub(crate) fn slow() -> CircuitBreakerConfig {
    let failures = Trip::failure_rate(0.5).minimum_calls(10);
    let slow = Trip::slow_call_rate(0.5, Duration::from_secs(1)).minimum_calls(10);
    let window = Window::last(Duration::from_secs(10)).buckets(10);
    config(CircuitBreakerConfig::builder().trip(failures).trip(slow).window(window))
}

fn config(builder: halfopen::CircuitBreakerConfigBuilder) -> CircuitBreakerConfig {
    builder.open_duration(LONG).build().expect("the configurations here are valid")
}

/// Ours, each with its name in the table.
pub(crate) fn ours() -> [(&'static str, CircuitBreakerConfig); 5] {
    [
        ("halfopen, count 100", count()),
        ("halfopen, consecutive 5", consecutive()),
        ("halfopen, consecutive 5, unbounded", consecutive_unbounded()),
        ("halfopen, default", CircuitBreakerConfig::default()),
        ("halfopen, time + slow calls", slow()),
    ]
}

pub(crate) fn breaker(config: &CircuitBreakerConfig) -> CircuitBreaker {
    CircuitBreaker::new("upstream", config.clone())
}

/// Ours with its window full of successes.
pub(crate) fn warm(config: &CircuitBreakerConfig) -> CircuitBreaker {
    let breaker = breaker(config);
    for _ in 0..200 {
        let _ = breaker.call_blocking(|| Ok::<_, Failed>(()));
    }
    breaker
}

/// Ours as a tower stack.
pub(crate) fn stack(config: &CircuitBreakerConfig) -> CircuitBreakerService<Inner> {
    CircuitBreakerService::new(Inner, warm(config))
}
