//! A breaker on a manual clock, and the outcomes of the calls made through it.

use std::time::Duration;

use halfopen::{
    Backoff, CircuitBreaker, CircuitBreakerBuilder, CircuitBreakerConfig, Clock, ManualClock, Trip,
};

/// One second.
pub const SECOND: Duration = Duration::from_secs(1);

/// Builds a breaker on a manual clock.
pub fn clocked(name: &str, config: CircuitBreakerConfig) -> (CircuitBreaker, ManualClock) {
    on_manual_clock(CircuitBreaker::builder(name).config(config))
}

/// Builds a breaker on a manual clock that opens after this number of consecutive failures, for a second.
pub fn opening_after(failures: u32) -> (CircuitBreaker, ManualClock) {
    let config = CircuitBreakerConfig::builder()
        .trip(Trip::consecutive_failures(failures))
        .open_duration(SECOND)
        .backoff(Backoff::none());
    clocked("dependency", config.build().expect("these settings are valid"))
}

/// Builds a breaker on a manual clock, with the settings of `builder`.
pub fn on_manual_clock(builder: CircuitBreakerBuilder) -> (CircuitBreaker, ManualClock) {
    let (clock, hands) = Clock::manual();
    (builder.clock(clock).build(), hands)
}

/// Opens the breaker and moves its clock to the end of the wait, so that the next call is a probe.
pub fn about_to_probe(breaker: &CircuitBreaker, hands: &ManualClock) {
    breaker.open_for(SECOND);
    hands.advance(SECOND);
}

/// Returns the outcomes of the permitted calls as text.
pub fn ended(breaker: &CircuitBreaker) -> String {
    let outcomes = breaker.snapshot().totals.by_outcome().filter(|(outcome, _)| *outcome != "rejected");
    outcomes.flat_map(|(outcome, calls)| (0..calls).map(move |_| outcome)).collect::<Vec<_>>().join(" ")
}
