use std::sync::Arc;

use halfopen_limit::{LimitRegistry, LimitsSnapshot};
use opentelemetry::KeyValue;
use opentelemetry::metrics::{AsyncInstrument, Meter};

/// Creates the instruments for all limits of a registry, present and future.
///
/// The [crate documentation](crate) lists the instruments. They are observable: the limits are read when the SDK
/// collects, and a call pays nothing. They live as long as the provider of the meter, and keep the registry alive.
/// Use a separate meter for each registry. A keyed rate limiter is one series; no key becomes an attribute.
///
/// # Examples
///
/// ```
/// use halfopen_limit::{Bulkhead, BulkheadConfig, LimitRegistry};
/// use opentelemetry::metrics::MeterProvider;
/// use opentelemetry_sdk::metrics::SdkMeterProvider;
///
/// let provider = SdkMeterProvider::builder().build();
/// let limits = LimitRegistry::new();
/// halfopen_opentelemetry::observe_limits(&limits, &provider.meter("limits"));
///
/// let pool = BulkheadConfig::builder().max_concurrent_calls(20).build()?;
/// limits.add_bulkhead(&Bulkhead::new("ai", pool));
/// # Ok::<(), halfopen::ConfigError>(())
/// ```
pub fn observe_limits(limits: &LimitRegistry, meter: &Meter) {
    let observed = Observed { meter, limits };
    observed.counter("bulkhead.rejected", "{call}", "Calls that a bulkhead rejected.", |limits, to| {
        for bulkhead in &limits.bulkheads {
            to.observe(bulkhead.rejected, &[named("bulkhead", &bulkhead.name)]);
        }
    });
    observed.gauge("bulkhead.in_flight", "{call}", "Calls that hold a slot.", |limits, to| {
        for bulkhead in &limits.bulkheads {
            to.observe(bulkhead.in_flight.into(), &[named("bulkhead", &bulkhead.name)]);
        }
    });
    observed.gauge("bulkhead.waiting", "{call}", "Calls that wait for a slot.", |limits, to| {
        for bulkhead in &limits.bulkheads {
            to.observe(bulkhead.waiting.into(), &[named("bulkhead", &bulkhead.name)]);
        }
    });
    observed.gauge("bulkhead.max_concurrent_calls", "{call}", "Slots of a bulkhead.", |limits, to| {
        for bulkhead in &limits.bulkheads {
            let slots = bulkhead.config.max_concurrent_calls();
            to.observe(slots.into(), &[named("bulkhead", &bulkhead.name)]);
        }
    });
    observed.counter("rate_limit.rejected", "{call}", "Calls that a rate limit rejected.", |limits, to| {
        for rate in &limits.rate_limiters {
            to.observe(rate.rejected, &[named("rate_limit", &rate.name)]);
        }
        for keyed in &limits.keyed_rate_limiters {
            to.observe(keyed.rejected, &[named("rate_limit", &keyed.name)]);
        }
    });
    observed.gauge("rate_limit.available", "{call}", "Calls permitted at this moment.", |limits, to| {
        for rate in &limits.rate_limiters {
            to.observe(rate.available.into(), &[named("rate_limit", &rate.name)]);
        }
    });
    observed.gauge("rate_limit.waiting", "{call}", "Calls that wait for their turn.", |limits, to| {
        for rate in &limits.rate_limiters {
            to.observe(rate.waiting as u64, &[named("rate_limit", &rate.name)]);
        }
        for keyed in &limits.keyed_rate_limiters {
            to.observe(keyed.waiting as u64, &[named("rate_limit", &keyed.name)]);
        }
    });
    observed.gauge("rate_limit.keys", "{key}", "Keys that a rate limit remembers.", |limits, to| {
        for keyed in &limits.keyed_rate_limiters {
            to.observe(keyed.keys as u64, &[named("rate_limit", &keyed.name)]);
        }
    });
    observed.counter(
        "rate_limit.evicted",
        "{key}",
        "Keys dropped before their quota had come back.",
        |limits, to| {
            for keyed in &limits.keyed_rate_limiters {
                to.observe(keyed.evicted, &[named("rate_limit", &keyed.name)]);
            }
        },
    );
}

/// The state shared by the constructors of all instruments.
struct Observed<'a> {
    meter: &'a Meter,
    limits: &'a LimitRegistry,
}

/// Reports the series of one instrument.
type Report = fn(&LimitsSnapshot, &dyn AsyncInstrument<u64>);

impl Observed<'_> {
    fn counter(&self, name: &'static str, unit: &'static str, what: &'static str, report: Report) {
        let limits = self.limits.clone();
        self.meter
            .u64_observable_counter(name)
            .with_unit(unit)
            .with_description(what)
            .with_callback(move |to| report(&limits.snapshot(), to))
            .build();
    }

    fn gauge(&self, name: &'static str, unit: &'static str, what: &'static str, report: Report) {
        let limits = self.limits.clone();
        self.meter
            .u64_observable_gauge(name)
            .with_unit(unit)
            .with_description(what)
            .with_callback(move |to| report(&limits.snapshot(), to))
            .build();
    }
}

fn named(kind: &'static str, name: &Arc<str>) -> KeyValue {
    KeyValue::new(kind, Arc::clone(name))
}
