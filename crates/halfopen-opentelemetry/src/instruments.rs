use halfopen::{Registry, Sight, Watch};
use opentelemetry::metrics::{AsyncInstrument, Meter};

use crate::series;

/// Makes the instruments of this registry's breakers, those to come included.
///
/// They live as long as the meter's provider, and keep the registry as long. What is made is listed on
/// the [crate's page](crate). Each registry wants a meter of its own, with another name or attributes of
/// its scope: of two registries on one meter the registry's own numbers are those of the last alone, and
/// so is a breaker whose name both have. One registry on two meters is reported by both.
///
/// # Examples
///
/// ```
/// use halfopen::Registry;
///
/// // After the provider is set: a meter from before it is one that does nothing, for ever.
/// halfopen_opentelemetry::observe(Registry::global(), &opentelemetry::global::meter("circuit-breakers"));
/// ```
pub fn observe(registry: &Registry, meter: &Meter) {
    let making = Making { meter, watch: registry.watch() };
    making.counter("circuit_breaker.calls", "{call}", "Calls by what became of them.", series::calls);
    making.counter(
        "circuit_breaker.slow_calls",
        "{call}",
        "Calls that took slow_after or longer.",
        |sight, to| {
            series::total(sight, to, |totals| totals.slow);
        },
    );
    making.counter(
        "circuit_breaker.transitions",
        "{transition}",
        "Changes of state by reason.",
        series::transitions,
    );
    making.counter(
        "circuit_breaker.would_trip",
        "{trip}",
        "How often a rule began to hold in metrics-only.",
        |sight, to| series::total(sight, to, |totals| totals.would_trip),
    );
    making.counter(
        "circuit_breaker.panics",
        "{panic}",
        "Panics caught in classifiers, rules and listeners.",
        |sight, to| series::total(sight, to, |totals| totals.panics),
    );
    making.state();
    making.gauge(
        "circuit_breaker.failure_ratio",
        "1",
        "Share of failed calls in the window.",
        |sight, to| {
            series::value(sight, to, |snapshot| snapshot.counts.failure_rate());
        },
    );
    making.gauge(
        "circuit_breaker.slow_call_ratio",
        "1",
        "Share of slow calls in the window.",
        |sight, to| {
            series::value(sight, to, |snapshot| snapshot.counts.slow_call_rate());
        },
    );
    making.gauge(
        "circuit_breaker.open_remaining",
        "s",
        "Time until an open breaker lets a probe pass.",
        |sight, to| series::value(sight, to, |snapshot| snapshot.retry_after.map(|left| left.as_secs_f64())),
    );
    making.counter(
        "circuit_breaker.registry.overflowed",
        "{breaker}",
        "New names that found the registry full.",
        |sight, to| to.observe(sight.overflowed, &[]),
    );
    making.counter(
        "circuit_breaker.registry.evicted",
        "{breaker}",
        "Breakers forgotten because nobody used them.",
        |sight, to| to.observe(sight.evicted, &[]),
    );
}

/// What is common to all instruments.
struct Making<'a> {
    meter: &'a Meter,
    watch: Watch,
}

/// Reports what was seen; each instrument looks for itself, as they are not collected together.
type Report<T> = fn(&Sight, &dyn AsyncInstrument<T>);

impl Making<'_> {
    fn counter(&self, name: &'static str, unit: &'static str, what: &'static str, report: Report<u64>) {
        let watch = self.watch.clone();
        self.meter
            .u64_observable_counter(name)
            .with_unit(unit)
            .with_description(what)
            .with_callback(move |to| report(&watch.look(), to))
            .build();
    }

    fn gauge(&self, name: &'static str, unit: &'static str, what: &'static str, report: Report<f64>) {
        let watch = self.watch.clone();
        self.meter
            .f64_observable_gauge(name)
            .with_unit(unit)
            .with_description(what)
            .with_callback(move |to| report(&watch.look(), to))
            .build();
    }

    fn state(&self) {
        let watch = self.watch.clone();
        self.meter
            .i64_observable_up_down_counter("circuit_breaker.state")
            .with_unit("1")
            .with_description("1 for the state the breaker is in, 0 for the others.")
            .with_callback(move |to| series::states(&watch.look(), to))
            .build();
    }
}
