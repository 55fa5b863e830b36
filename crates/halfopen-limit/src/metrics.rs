use metrics::{SharedString, counter, describe_counter, describe_gauge, gauge};

use crate::{
    Bulkhead, BulkheadSnapshot, KeyedRateLimiter, KeyedRateLimiterSnapshot, LimitRegistry, LimitsSnapshot,
    RateLimiter, RateLimiterSnapshot,
};

/// Limits in the [`metrics`](https://docs.rs/metrics) facade.
///
/// Cheap to clone; every clone is the same. Showing a limit adds nothing to a call: everything is read from its
/// snapshot when [`publish`](Self::publish) is called.
///
/// | metric | label | |
/// |---|---|---|
/// | `bulkhead_rejected_total` | `bulkhead` | calls rejected |
/// | `bulkhead_in_flight` | `bulkhead` | calls that hold a slot |
/// | `bulkhead_waiting` | `bulkhead` | calls that wait for one |
/// | `bulkhead_max_concurrent_calls` | `bulkhead` | slots |
/// | `rate_limit_rejected_total` | `rate_limit` | calls rejected, of all keys |
/// | `rate_limit_available` | `rate_limit` | calls permitted at this moment; not for keyed limits |
/// | `rate_limit_waiting` | `rate_limit` | calls that wait for their turn, of all keys |
/// | `rate_limit_keys` | `rate_limit` | keys that are remembered |
/// | `rate_limit_evicted_total` | `rate_limit` | keys dropped though a part of their quota was used |
///
/// # Examples
///
/// ```
/// use halfopen_limit::{Bulkhead, BulkheadConfig, LimitMetrics};
///
/// let ai = Bulkhead::new("ai", BulkheadConfig::builder().max_concurrent_calls(20).build()?);
/// let metrics = LimitMetrics::new();
/// metrics.show_bulkhead(&ai);
///
/// // The handler of `/metrics`, before it renders:
/// metrics.publish();
/// # Ok::<(), halfopen::ConfigError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct LimitMetrics(LimitRegistry);

impl LimitMetrics {
    /// Creates an exporter that shows no limit yet.
    pub fn new() -> LimitMetrics {
        LimitMetrics::default()
    }

    /// Creates an exporter that shows all limits of a registry, those that are added later included.
    pub fn of(limits: &LimitRegistry) -> LimitMetrics {
        LimitMetrics(limits.clone())
    }

    /// Shows a bulkhead from now on.
    pub fn show_bulkhead(&self, bulkhead: &Bulkhead) {
        self.0.add_bulkhead(bulkhead);
    }

    /// Shows a rate limiter from now on.
    pub fn show_rate_limiter(&self, limiter: &RateLimiter) {
        self.0.add_rate_limiter(limiter);
    }

    /// Shows a keyed rate limiter from now on, as one: no key becomes a label.
    pub fn show_keyed_rate_limiter(&self, limiter: &KeyedRateLimiter) {
        self.0.add_keyed_rate_limiter(limiter);
    }

    /// Writes every series; called before the exporter renders, or every few seconds where it pushes.
    pub fn publish(&self) {
        let LimitsSnapshot { bulkheads, rate_limiters, keyed_rate_limiters } = self.0.snapshot();
        describe();
        bulkheads.into_iter().for_each(write_bulkhead);
        rate_limiters.into_iter().for_each(write_rate);
        keyed_rate_limiters.into_iter().for_each(write_keyed);
    }
}

fn describe() {
    describe_counter!("bulkhead_rejected_total", "Calls that a bulkhead rejected.");
    describe_gauge!("bulkhead_in_flight", "Calls that hold a slot of a bulkhead.");
    describe_gauge!("bulkhead_waiting", "Calls that wait for a slot of a bulkhead.");
    describe_gauge!("bulkhead_max_concurrent_calls", "Slots of a bulkhead.");
    describe_counter!("rate_limit_rejected_total", "Calls that a rate limit rejected.");
    describe_gauge!("rate_limit_available", "Calls that a rate limit permits at this moment.");
    describe_gauge!("rate_limit_waiting", "Calls that wait for their turn.");
    describe_gauge!("rate_limit_keys", "Keys that a rate limit remembers.");
    describe_counter!("rate_limit_evicted_total", "Keys dropped though a part of their quota was used.");
}

fn write_bulkhead(snapshot: BulkheadSnapshot) {
    let name = SharedString::from(snapshot.name);
    counter!("bulkhead_rejected_total", "bulkhead" => name.clone()).absolute(snapshot.rejected);
    for (metric, value) in [
        ("bulkhead_in_flight", snapshot.in_flight),
        ("bulkhead_waiting", snapshot.waiting),
        ("bulkhead_max_concurrent_calls", snapshot.config.max_concurrent_calls()),
    ] {
        gauge!(metric, "bulkhead" => name.clone()).set(value);
    }
}

fn write_rate(snapshot: RateLimiterSnapshot) {
    let name = SharedString::from(snapshot.name);
    counter!("rate_limit_rejected_total", "rate_limit" => name.clone()).absolute(snapshot.rejected);
    gauge!("rate_limit_available", "rate_limit" => name.clone()).set(snapshot.available);
    gauge!("rate_limit_waiting", "rate_limit" => name).set(snapshot.waiting as f64);
}

fn write_keyed(snapshot: KeyedRateLimiterSnapshot) {
    let name = SharedString::from(snapshot.name);
    counter!("rate_limit_rejected_total", "rate_limit" => name.clone()).absolute(snapshot.rejected);
    counter!("rate_limit_evicted_total", "rate_limit" => name.clone()).absolute(snapshot.evicted);
    gauge!("rate_limit_waiting", "rate_limit" => name.clone()).set(snapshot.waiting as f64);
    gauge!("rate_limit_keys", "rate_limit" => name).set(snapshot.keys as f64);
}
