//! A circuit breaker as a policy, on the clock of the simulation.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use halfopen::{CircuitBreaker, CircuitBreakerConfig, Clock, OwnedPermit, Report};

use super::policy::{Answer, Outcome, Policy, Seconds};
use crate::setting::Setting;

/// A circuit breaker, and its calls in flight.
#[derive(Debug)]
pub struct Breaker {
    breaker: CircuitBreaker,
    /// The time of the simulation in nanoseconds.
    now: Arc<AtomicU64>,
    calls: HashMap<u64, OwnedPermit>,
    next: u64,
}

impl Breaker {
    /// A closed breaker at time zero.
    pub fn new(config: CircuitBreakerConfig, seed: u64) -> Breaker {
        let now = Arc::new(AtomicU64::new(0));
        let read = Arc::clone(&now);
        let clock = Clock::from_nanos(move || read.load(Ordering::Relaxed));
        let breaker = CircuitBreaker::builder("simulated").config(config).clock(clock).seed(seed).build();
        Breaker { breaker, now, calls: HashMap::new(), next: 0 }
    }

    /// The breaker of this name with a setting.
    pub fn of(setting: &Setting, name: &str, seed: u64) -> Breaker {
        let found = setting.of(name);
        let product = Breaker::new(found.config, seed);
        product.breaker.set_enabled(found.is_enabled);
        product
    }

    /// Returns the breaker.
    pub fn breaker(&self) -> &CircuitBreaker {
        &self.breaker
    }

    fn set(&self, now: Seconds) {
        let nanos = Duration::from_secs_f64(now).as_nanos();
        self.now.store(u64::try_from(nanos).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

impl Policy for Breaker {
    fn admit(&mut self, now: Seconds) -> Option<u64> {
        self.set(now);
        let permit = self.breaker.try_acquire_owned().ok()?;
        self.next += 1;
        self.calls.insert(self.next, permit);
        Some(self.next)
    }

    fn end(&mut self, call: u64, _: Seconds, answer: &Answer, now: Seconds) {
        self.set(now);
        let Some(permit) = self.calls.remove(&call) else { return };
        let report = match answer.outcome {
            Outcome::Success => Report::success(),
            Outcome::Failure | Outcome::Timeout => Report::failure(),
            Outcome::Throttled => Report::throttled(),
        };
        let hint = answer.retry_after.map(Duration::from_secs_f64);
        permit.report(report.took(Duration::from_secs_f64(answer.took)).retry_after(hint));
    }
}
