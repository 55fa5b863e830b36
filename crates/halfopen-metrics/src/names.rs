//! The names of the metrics, for queries and for recorders that are configured by name.

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};

/// Counter: calls by `breaker` and `outcome` (`success`, `failure`, `ignored`, `abandoned`, `late`, `rejected`).
pub const CALLS: &str = "circuit_breaker_calls_total";

/// Counter: calls by `breaker` that took `slow_after` or longer; zero without a slow-call rule.
pub const SLOW_CALLS: &str = "circuit_breaker_slow_calls_total";

/// Counter: calls by `breaker` that the dependency refused to limit its callers; they are among the failures.
pub const THROTTLED_CALLS: &str = "circuit_breaker_throttled_calls_total";

/// Counter: transitions by `breaker`, `from`, `to` and `reason`.
///
/// A transition for several reasons counts once; its `reason` joins them with `+`. The transitions that
/// the rules and probes of a breaker can cause for one reason are published as zero before the first.
pub const TRANSITIONS: &str = "circuit_breaker_transitions_total";

/// Counter: by `breaker`, how often a rule would have opened it in metrics-only.
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

/// Gauge: seconds until an open `breaker` admits a probe; 0 if calls are admitted, NaN while forced open.
pub const OPEN_REMAINING: &str = "circuit_breaker_open_remaining_seconds";

/// Gauge: the share of the calls that `breaker` admits, 0 to 1: it grows in a ramp, and a probe is no share.
pub const ADMITTED_RATIO: &str = "circuit_breaker_admitted_ratio";

/// Gauge: the share of bad calls that an adaptive `breaker` has learned as normal, 0 to 1. Like the six below, only for adaptive
/// breakers.
pub const NORMAL_RATIO: &str = "circuit_breaker_adaptive_normal_ratio";

/// Gauge: the probability at which an adaptive `breaker` believes its dependency down, 0 to 1.
pub const DOWN_PROBABILITY: &str = "circuit_breaker_adaptive_down_probability";

/// Gauge: the expected worth of a call to an adaptive `breaker`: 1 for one that is sure to be good, 0 at break-even.
pub const CALL_WORTH: &str = "circuit_breaker_adaptive_call_worth";

/// Gauge: seconds within which 95 % of the successes end, as an adaptive `breaker` has learned; NaN before 20 of them.
pub const LEARNED_P95: &str = "circuit_breaker_adaptive_p95_seconds";

/// Gauge: seconds after which an answer to an adaptive `breaker` is too late; NaN where none is.
pub const SLOW_LIMIT: &str = "circuit_breaker_adaptive_slow_limit_seconds";

/// Gauge: the most likely share of bad calls at this moment, as an adaptive `breaker` believes, 0 to 1.
pub const LIKELIEST_RATIO: &str = "circuit_breaker_adaptive_likeliest_ratio";

/// Gauge: seconds after which an open adaptive `breaker` sends a probe at the latest; NaN if it is not open.
pub const NEXT_PROBE: &str = "circuit_breaker_adaptive_next_probe_seconds";

/// Counter: calls by `breaker`, `shadow` and `outcome` that the configuration of a shadow would have rejected. Like the two
/// below, only for breakers with shadows; a counter does not go back, so a new shadow needs a new name.
pub const SHADOW_REJECTED: &str = "circuit_breaker_shadow_rejected_total";

/// Counter: calls by `breaker`, `shadow` and `outcome` that the configuration of a shadow admits as well.
pub const SHADOW_ADMITTED: &str = "circuit_breaker_shadow_admitted_total";

/// Counter: calls by `breaker` and `shadow` that a shadow has not seen, because the breaker rejected them.
pub const SHADOW_UNSEEN: &str = "circuit_breaker_shadow_unseen_total";

/// Counter: how often the registry was full for a new name, which got a breaker outside the registry.
pub const REGISTRY_OVERFLOWED: &str = "circuit_breaker_registry_overflowed_total";

/// Counter: idle breakers that the registry has evicted.
pub const REGISTRY_EVICTED: &str = "circuit_breaker_registry_evicted_total";

/// Histogram: durations of calls in seconds, by `breaker` and `outcome`. Only with
/// [`with_durations`](crate::CircuitBreakerMetrics::with_durations).
pub const CALL_DURATION: &str = "circuit_breaker_call_duration_seconds";

/// Describes the metrics to the recorder.
pub(crate) fn describe() {
    describe_counter!(CALLS, Unit::Count, "Calls by outcome.");
    describe_counter!(SLOW_CALLS, Unit::Count, "Calls that took slow_after or longer.");
    describe_counter!(
        THROTTLED_CALLS,
        Unit::Count,
        "Failed calls that the dependency refused to limit its callers."
    );
    describe_counter!(TRANSITIONS, Unit::Count, "Transitions by reason.");
    describe_counter!(
        WOULD_TRIP,
        Unit::Count,
        "How often a rule would have opened the breaker in metrics-only."
    );
    describe_counter!(PANICS, Unit::Count, "Panics caught in classifiers, rules and listeners.");
    describe_gauge!(STATE, Unit::Count, "1 for the current state of the breaker, 0 for the others.");
    describe_gauge!(
        STATE_CODE,
        "0 closed, 1 half-open, 2 open, 3 forced open, 4 disabled, 5 metrics only; NaN after the removal of the breaker."
    );
    describe_gauge!(FAILURE_RATIO, "Share of failed calls in the window; NaN without calls.");
    describe_gauge!(SLOW_CALL_RATIO, "Share of slow calls in the window; NaN without calls.");
    describe_gauge!(OPEN_REMAINING, Unit::Seconds, "Time until an open breaker admits a probe.");
    describe_gauge!(ADMITTED_RATIO, "Share of the calls that is admitted.");
    describe_gauge!(NORMAL_RATIO, "Share of bad calls that an adaptive breaker has learned as normal.");
    describe_gauge!(DOWN_PROBABILITY, "Probability that the dependency of an adaptive breaker is down.");
    describe_gauge!(CALL_WORTH, "Expected worth of a call to an adaptive breaker, 0 at break-even.");
    describe_gauge!(
        LEARNED_P95,
        Unit::Seconds,
        "Learned 95 % quantile of the successes of an adaptive breaker."
    );
    describe_gauge!(
        SLOW_LIMIT,
        Unit::Seconds,
        "Time from which an answer to an adaptive breaker is too late; NaN where none is."
    );
    describe_gauge!(LIKELIEST_RATIO, "Most likely share of bad calls of an adaptive breaker at this moment.");
    describe_gauge!(
        NEXT_PROBE,
        Unit::Seconds,
        "Time until an open adaptive breaker sends a probe at the latest."
    );
    describe_counter!(
        SHADOW_REJECTED,
        Unit::Count,
        "Calls that the configuration of a shadow would have rejected."
    );
    describe_counter!(
        SHADOW_ADMITTED,
        Unit::Count,
        "Calls that the configuration of a shadow admits as well."
    );
    describe_counter!(SHADOW_UNSEEN, Unit::Count, "Calls that a shadow has not seen.");
    describe_counter!(REGISTRY_OVERFLOWED, Unit::Count, "New names for which the registry was full.");
    describe_counter!(REGISTRY_EVICTED, Unit::Count, "Idle breakers that the registry has evicted.");
    describe_histogram!(CALL_DURATION, Unit::Seconds, "Durations of calls.");
}
