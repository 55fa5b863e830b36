use super::foreign;
use halfopen_document::{Period, group, scalar};

group! {
    /// The group `half_open`: the conditions that close a breaker again; by default one probe that succeeds.
    #[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
    HalfOpen, expected "a `half_open` group such as { max_calls: 3, success_threshold: 2 }"
    values {
        /// How many probes may be in flight concurrently; 1 by default.
        #[cfg_attr(feature = "schema", schemars(range(min = 1)))]
        max_calls: u32 = scalar::positive,
        /// How many probes must succeed to close the breaker; 1 by default.
        #[cfg_attr(feature = "schema", schemars(range(min = 1)))]
        success_threshold: u32 = scalar::positive,
        /// How many probes may fail before the breaker opens again; 0 by default.
        max_failures: u32 = scalar::count,
        /// Instead of the two: the share of failures among `max_calls` probes from which the breaker opens again.
        #[cfg_attr(feature = "schema", schemars(extend("exclusiveMinimum" = 0, "maximum" = 1)))]
        failure_rate: f64 = scalar::share,
        /// How long a probe may take before it counts as failed; 1m by default.
        probe_timeout: Period = Period::read,
        /// How long the breaker admits a growing share of the calls after the probes have succeeded, before it closes; by default 0s, which is no ramp.
        ramp: Period = Period::read,
    }
    instead {
        failure_rate of success_threshold max_failures,
        success_threshold of failure_rate,
        max_failures of failure_rate,
    }
    , elsewhere foreign::advice
}
