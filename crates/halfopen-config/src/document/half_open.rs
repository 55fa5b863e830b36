use super::foreign;
use halfopen_document::{Period, group, scalar};

group! {
    /// The group `half_open`: what closes a breaker again. One probe that succeeds if nothing is said.
    #[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
    HalfOpen, expected "a `half_open` group such as { max_calls: 3, success_threshold: 2 }"
    values {
        /// How many probes may be on their way at once; 1 if nothing is said.
        #[cfg_attr(feature = "schema", schemars(range(min = 1)))]
        max_calls: u32 = scalar::positive,
        /// How many probes must succeed to close; 1 if nothing is said.
        #[cfg_attr(feature = "schema", schemars(range(min = 1)))]
        success_threshold: u32 = scalar::positive,
        /// How many probes may fail before it opens again; 0 if nothing is said.
        max_failures: u32 = scalar::count,
        /// Instead of the two: from which share of failures among `max_calls` probes on it opens again.
        #[cfg_attr(feature = "schema", schemars(extend("exclusiveMinimum" = 0, "maximum" = 1)))]
        failure_rate: f64 = scalar::share,
        /// How long a probe may take before it counts as failed; 1m if nothing is said.
        probe_timeout: Period = Period::read,
        /// How long a growing share of the calls is admitted after the probes have passed, before it closes; 0s, which is none, if nothing is said.
        ramp: Period = Period::read,
    }
    instead {
        failure_rate of success_threshold max_failures,
        success_threshold of failure_rate,
        max_failures of failure_rate,
    }
    , elsewhere foreign::advice
}
