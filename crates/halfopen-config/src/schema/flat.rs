//! The flat keys of older documents.

use halfopen_document::{Period, Seconds, Word};
use schemars::{JsonSchema, Schema};
use serde_json::Value;

use crate::Backoff;

/// Every key that [`document::flat`](crate::document) reads, beside the groups.
#[derive(JsonSchema)]
#[allow(dead_code, reason = "only its schema is wanted")]
struct Flat {
    /// The same as `trip.consecutive_failures`, as in failsafe-go and many libraries of Python.
    #[schemars(range(min = 1))]
    failure_threshold: Option<u32>,
    /// The same as `trip.failure_rate.threshold`, above 0 and at most 1, as in tower-resilience; resilience4j counts in percent.
    #[schemars(extend("exclusiveMinimum" = 0, "maximum" = 1))]
    failure_rate_threshold: Option<f64>,
    /// The same as `trip.minimum_calls`.
    #[schemars(range(min = 1))]
    minimum_calls: Option<u32>,
    /// The same as `trip.minimum_calls`.
    #[schemars(range(min = 1))]
    min_requests_for_rate: Option<u32>,
    /// The same as `window.last_calls`, as in resilience4j and tower-resilience.
    #[schemars(range(min = 1))]
    sliding_window_size: Option<u32>,
    /// The same as `window.last.duration`; a number is seconds.
    failure_window_seconds: Option<Seconds>,
    /// The same as `window.tumbling`, as in gobreaker; a number is seconds, and 0 the same as `window.unbounded`.
    interval: Option<Seconds>,
    /// The same as `open.duration`, as in gobreaker; a number is seconds.
    timeout: Option<Seconds>,
    /// The same as `open.duration`; a number is seconds.
    timeout_seconds: Option<Seconds>,
    /// The same as `open.duration`; a number is seconds.
    timeout_duration: Option<Seconds>,
    /// The same as `open.duration`.
    open_duration: Option<Period>,
    /// The same as `open.hint_max`.
    hint_max: Option<Period>,
    /// The same as `open.backoff`.
    backoff: Option<Backoff>,
    /// True: each wait is twice the one before, up to 300 s unless a limit is set. False: all waits are the same.
    exponential_backoff: Option<bool>,
    /// The same as `open.backoff.multiplier`.
    #[schemars(range(min = 1, max = 1000))]
    backoff_multiplier: Option<f64>,
    /// The same as `open.backoff.max`; a number is seconds.
    max_backoff_seconds: Option<Seconds>,
    /// The same as `half_open.success_threshold`, as in failsafe-go.
    #[schemars(range(min = 1))]
    success_threshold: Option<u32>,
    /// The same as `half_open.max_calls`.
    #[schemars(range(min = 1))]
    half_open_max_calls: Option<u32>,
    /// The same as `half_open.max_calls` and `half_open.success_threshold`, as in gobreaker.
    #[schemars(range(min = 1))]
    max_requests: Option<u32>,
    /// The same as `metadata.priority`.
    priority: Option<i64>,
    /// The same as `metadata.service_category`.
    service_category: Option<Word>,
}

/// Adds the flat keys to the schema of a section.
pub(crate) fn add_flat_keys(section: &mut Schema) {
    // Merged into the section and not a group of its own: a flat key stands beside the groups, and
    // `additionalProperties: false` allows only what one object lists.
    let mut flat = super::of::<Flat>();
    let keys = flat.get_mut("properties").and_then(Value::as_object_mut).map(std::mem::take);
    if let Some(known) = section.get_mut("properties").and_then(Value::as_object_mut) {
        known.extend(keys.into_iter().flatten());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document;

    #[test]
    fn they_are_those_that_are_read() {
        let flat = super::super::of::<Flat>();
        let described: std::collections::BTreeSet<&str> =
            flat.get("properties").and_then(Value::as_object).unwrap().keys().map(String::as_str).collect();
        assert_eq!(described, document::FLAT_KEYS.iter().copied().collect());
    }
}
