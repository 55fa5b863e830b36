//! A registry on tokio's clock, and a dependency that a test makes ill.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use halfopen::{CircuitBreaker, CircuitBreakerConfig, Clock, Registry, Trip};
use halfopen_health::{HealthCheck, HealthCheckBuilder, HealthMonitor};
use tokio::time::Instant;

pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// A registry whose breakers trip at the first failure and wait `wait`, on tokio's clock.
pub(crate) fn registry(wait: Duration) -> Registry {
    let start = Instant::now();
    let config = CircuitBreakerConfig::builder()
        .trip(Trip::consecutive_failures(1))
        .open_duration(wait)
        .build()
        .unwrap();
    Registry::builder().clock(Clock::from_fn(move || start.elapsed())).default_config(config).build()
}

/// A dependency: whether it is ill, and how often it was asked.
#[derive(Clone, Default)]
pub(crate) struct Dependency {
    ill: Arc<AtomicBool>,
    asked: Arc<AtomicUsize>,
}

impl Dependency {
    pub(crate) fn set_ill(&self, ill: bool) {
        self.ill.store(ill, Ordering::SeqCst);
    }

    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    /// The check of this dependency: every ten seconds, without jitter.
    pub(crate) fn check(&self, builder: HealthCheckBuilder) -> HealthCheck {
        let own = self.clone();
        builder.run(move || {
            own.asked.fetch_add(1, Ordering::SeqCst);
            let ill = own.ill.load(Ordering::SeqCst);
            async move { if ill { Err("refused") } else { Ok(()) } }
        })
    }
}

pub(crate) fn every_ten_seconds() -> HealthCheckBuilder {
    HealthCheck::every(10 * SECOND).timeout(2 * SECOND).jitter(0.0).failure_threshold(2)
}

/// A monitor of one dependency, `db`, whose first check ran at zero.
pub(crate) async fn monitored(
    registry: &Registry,
    builder: HealthCheckBuilder,
) -> (HealthMonitor, Dependency) {
    let dependency = Dependency::default();
    let monitor = HealthMonitor::new(registry.clone()).check("db", dependency.check(builder)).unwrap();
    // Between two checks, so that no test depends on the order of timers.
    tokio::time::sleep(SECOND / 2).await;
    assert_eq!(dependency.asked(), 1, "the first check runs immediately");
    (monitor, dependency)
}

pub(crate) fn trip_by_rule(breaker: &CircuitBreaker) {
    breaker.try_acquire().unwrap().failure();
    assert!(breaker.is_open());
}
