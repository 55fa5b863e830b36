use std::sync::{Arc, Mutex, PoisonError};

use metrics::{SharedString, counter, describe_counter, describe_gauge, gauge};

use crate::{Bulkhead, KeyedRateLimiter, RateLimiter};

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
/// | `rate_limit_waiting` | `rate_limit` | calls that wait for their turn; not for keyed limits |
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
pub struct LimitMetrics(Arc<Mutex<Shown>>);

#[derive(Debug, Default)]
struct Shown {
    bulkheads: Vec<Bulkhead>,
    rates: Vec<RateLimiter>,
    keyed: Vec<KeyedRateLimiter>,
}

impl LimitMetrics {
    /// Creates an exporter that shows no limit yet.
    pub fn new() -> LimitMetrics {
        LimitMetrics::default()
    }

    /// Shows a bulkhead from now on.
    pub fn show_bulkhead(&self, bulkhead: &Bulkhead) {
        self.with(|shown| shown.bulkheads.push(bulkhead.clone()));
    }

    /// Shows a rate limiter from now on.
    pub fn show_rate_limiter(&self, limiter: &RateLimiter) {
        self.with(|shown| shown.rates.push(limiter.clone()));
    }

    /// Shows a keyed rate limiter from now on, as one: no key becomes a label.
    pub fn show_keyed_rate_limiter(&self, limiter: &KeyedRateLimiter) {
        self.with(|shown| shown.keyed.push(limiter.clone()));
    }

    /// Writes every series; called before the exporter renders, or every few seconds where it pushes.
    pub fn publish(&self) {
        self.with(|shown| {
            describe();
            shown.bulkheads.iter().for_each(write_bulkhead);
            shown.rates.iter().for_each(write_rate);
            shown.keyed.iter().for_each(write_keyed);
        });
    }

    fn with(&self, work: impl FnOnce(&mut Shown)) {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
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

fn write_bulkhead(bulkhead: &Bulkhead) {
    let snapshot = bulkhead.snapshot();
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

fn write_rate(limiter: &RateLimiter) {
    let snapshot = limiter.snapshot();
    let name = SharedString::from(snapshot.name);
    counter!("rate_limit_rejected_total", "rate_limit" => name.clone()).absolute(snapshot.rejected);
    gauge!("rate_limit_available", "rate_limit" => name.clone()).set(snapshot.available);
    gauge!("rate_limit_waiting", "rate_limit" => name).set(snapshot.waiting as f64);
}

fn write_keyed(limiter: &KeyedRateLimiter) {
    let snapshot = limiter.snapshot();
    let name = SharedString::from(snapshot.name);
    counter!("rate_limit_rejected_total", "rate_limit" => name.clone()).absolute(snapshot.rejected);
    counter!("rate_limit_evicted_total", "rate_limit" => name.clone()).absolute(snapshot.evicted);
    gauge!("rate_limit_keys", "rate_limit" => name).set(snapshot.keys as f64);
}
