use halfopen::{CircuitBreaker, Event, Interest, Listener, Registry, Subscription};
use opentelemetry::KeyValue;
use opentelemetry::metrics::{Histogram, Meter};

/// Bounds in seconds, from the semantic conventions for the durations of HTTP requests.
const BOUNDS: [f64; 14] = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

/// Records the duration of each call of all breakers of a registry, present and future, until the
/// subscription is dropped.
///
/// Every call pays for two readings of the clock and for recording into the histogram
/// `circuit_breaker.call_duration`. The bounds range from 5 ms to 10 s; a view of the SDK can change them.
///
/// # Examples
///
/// ```
/// use halfopen::Registry;
/// use opentelemetry::metrics::MeterProvider;
/// use opentelemetry_sdk::metrics::SdkMeterProvider;
///
/// let provider = SdkMeterProvider::builder().build();
/// let registry = Registry::new();
/// halfopen_opentelemetry::observe_durations(&registry, &provider.meter("circuit-breakers")).forget();
/// ```
pub fn observe_durations(registry: &Registry, meter: &Meter) -> Subscription {
    let histogram = meter
        .f64_histogram("circuit_breaker.call_duration")
        .with_unit("s")
        .with_description("Durations of calls.")
        // The boundaries that the semantic conventions give for durations in seconds; the default ones are for
        // milliseconds.
        .with_boundaries(BOUNDS.to_vec())
        .build();
    registry.subscribe(Durations(histogram))
}

struct Durations(Histogram<f64>);

impl Listener for Durations {
    fn on_event(&self, breaker: &CircuitBreaker, event: &Event) {
        if let Event::Recorded { ended, took: Some(took), .. } = event {
            let breaker = KeyValue::new("breaker", breaker.name().to_owned());
            self.0.record(took.as_secs_f64(), &[breaker, KeyValue::new("outcome", ended.as_str())]);
        }
    }

    fn interest(&self) -> Interest {
        Interest::CALLS
    }
}
