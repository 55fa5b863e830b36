//! A breaker whose clock the test moves, and what became of the calls made through it.

use std::time::Duration;

use halfopen::{CircuitBreaker, CircuitBreakerConfig, Clock, ManualClock};

pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// A breaker and the hands of its clock.
pub(crate) fn clocked(name: &str, config: CircuitBreakerConfig) -> (CircuitBreaker, ManualClock) {
    let (clock, hands) = Clock::manual();
    (CircuitBreaker::builder(name).config(config).clock(clock).build(), hands)
}

/// Leaves the breaker one step before its first probe.
pub(crate) fn about_to_probe(breaker: &CircuitBreaker, hands: &ManualClock) {
    breaker.open_for(SECOND);
    hands.advance(SECOND);
}

/// The outcomes of the calls that were admitted, in words.
pub(crate) fn ended(breaker: &CircuitBreaker) -> String {
    let outcomes = breaker.snapshot().totals.by_outcome().filter(|(outcome, _)| *outcome != "rejected");
    outcomes.flat_map(|(outcome, calls)| (0..calls).map(move |_| outcome)).collect::<Vec<_>>().join(" ")
}
