//! The names of the metrics, for recorders that are configured by name and for queries.

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};

/// Counter: calls by `breaker` and `outcome` (`success`, `failure`, `ignored`, `abandoned`, `late`, `rejected`).
pub const CALLS: &str = "circuit_breaker_calls_total";

/// Counter: calls by `breaker` that took `slow_after` or longer; zero without a slow-call rule.
pub const SLOW_CALLS: &str = "circuit_breaker_slow_calls_total";

/// Counter: changes of state by `breaker`, `from`, `to` and `reason`.
///
/// A change that had several reasons is one change: its `reason` joins them by `+`. The changes that a
/// breaker's rules and probes will make for one reason are there at zero before they happen.
pub const TRANSITIONS: &str = "circuit_breaker_transitions_total";

/// Counter: how often by `breaker` a rule began to hold in metrics-only.
pub const WOULD_TRIP: &str = "circuit_breaker_would_trip_total";

/// Counter: panics by `breaker` that were caught in classifiers, rules and listeners.
pub const PANICS: &str = "circuit_breaker_panics_total";

/// Gauge: 1 for the `state` that `breaker` is in, 0 for the five others.
pub const STATE: &str = "circuit_breaker_state";

/// Gauge: the state of `breaker` as a number: 0 closed, 1 half-open, 2 open, 3 forced open,
/// 4 disabled, 5 metrics only.
pub const STATE_CODE: &str = "circuit_breaker_state_code";

/// Gauge: the share of the calls in the window of `breaker` that failed, 0 to 1; NaN without calls.
pub const FAILURE_RATIO: &str = "circuit_breaker_failure_ratio";

/// Gauge: the share of the calls in the window of `breaker` that were slow, 0 to 1; NaN without calls.
pub const SLOW_CALL_RATIO: &str = "circuit_breaker_slow_call_ratio";

/// Gauge: seconds until an open `breaker` lets a probe pass; 0 where calls pass, NaN while forced open.
pub const OPEN_REMAINING: &str = "circuit_breaker_open_remaining_seconds";

/// Counter: how often a new name found the registry full and got a breaker outside it.
pub const REGISTRY_OVERFLOWED: &str = "circuit_breaker_registry_overflowed_total";

/// Counter: how many breakers the registry has forgotten because nobody used them.
pub const REGISTRY_EVICTED: &str = "circuit_breaker_registry_evicted_total";

/// Histogram: how long calls took, in seconds, by `breaker` and `outcome`; made only
/// [on request](crate::CircuitBreakerMetrics::with_durations).
pub const CALL_DURATION: &str = "circuit_breaker_call_duration_seconds";

/// Tells the recorder what the metrics mean.
pub(crate) fn describe() {
    describe_counter!(CALLS, Unit::Count, "Calls by what became of them.");
    describe_counter!(SLOW_CALLS, Unit::Count, "Calls that took slow_after or longer.");
    describe_counter!(TRANSITIONS, Unit::Count, "Changes of state by reason.");
    describe_counter!(WOULD_TRIP, Unit::Count, "How often a rule began to hold in metrics-only.");
    describe_counter!(PANICS, Unit::Count, "Panics caught in classifiers, rules and listeners.");
    describe_gauge!(STATE, Unit::Count, "1 for the state the breaker is in, 0 for the others.");
    describe_gauge!(
        STATE_CODE,
        "0 closed, 1 half-open, 2 open, 3 forced open, 4 disabled, 5 metrics only; NaN once it is gone."
    );
    describe_gauge!(FAILURE_RATIO, "Share of failed calls in the window; NaN without calls.");
    describe_gauge!(SLOW_CALL_RATIO, "Share of slow calls in the window; NaN without calls.");
    describe_gauge!(OPEN_REMAINING, Unit::Seconds, "Time until an open breaker lets a probe pass.");
    describe_counter!(REGISTRY_OVERFLOWED, Unit::Count, "New names that found the registry full.");
    describe_counter!(REGISTRY_EVICTED, Unit::Count, "Breakers forgotten because nobody used them.");
    describe_histogram!(CALL_DURATION, Unit::Seconds, "How long calls took.");
}
