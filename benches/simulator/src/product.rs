//! A circuit breaker of the library as a policy, on a manual clock.

use std::collections::HashMap;
use std::time::Duration;

use halfopen::{CircuitBreaker, CircuitBreakerConfig, Clock, ManualClock, OwnedPermit, Report};

use crate::policy::{Answer, Outcome, Policy, Seconds};

/// A circuit breaker, and its calls in flight.
#[derive(Debug)]
pub struct Product {
    breaker: CircuitBreaker,
    clock: ManualClock,
    calls: HashMap<u64, OwnedPermit>,
    next: u64,
}

impl Product {
    /// A closed breaker at time zero.
    pub fn new(config: CircuitBreakerConfig, seed: u64) -> Product {
        let (clock, hands) = Clock::manual();
        let breaker = CircuitBreaker::builder("simulated").config(config).clock(clock).seed(seed).build();
        Product { breaker, clock: hands, calls: HashMap::new(), next: 0 }
    }

    /// Returns the breaker.
    pub fn breaker(&self) -> &CircuitBreaker {
        &self.breaker
    }
}

impl Policy for Product {
    fn admit(&mut self, now: Seconds) -> Option<u64> {
        self.clock.set(Duration::from_secs_f64(now));
        let permit = self.breaker.try_acquire_owned().ok()?;
        self.next += 1;
        self.calls.insert(self.next, permit);
        Some(self.next)
    }

    fn end(&mut self, call: u64, _: Seconds, answer: &Answer, now: Seconds) {
        self.clock.set(Duration::from_secs_f64(now));
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
