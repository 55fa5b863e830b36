use halfopen::{Collection, Collector, Registry};
use opentelemetry::metrics::{AsyncInstrument, Meter};

use crate::series;

/// Creates the instruments for all breakers of a registry, present and future.
///
/// The [crate documentation](crate) lists the instruments. They live as long as the provider of the meter,
/// and keep the registry alive. Use a separate meter, with a different name or scope attributes, for each
/// registry. If two registries share a meter, only the last one reports the registry's own counters and the
/// breakers whose names both have. A registry on two meters is reported by both.
///
/// # Examples
///
/// ```
/// use halfopen::Registry;
///
/// // Set the global provider first: a meter obtained before that remains a no-op.
/// halfopen_opentelemetry::observe(Registry::global(), &opentelemetry::global::meter("circuit-breakers"));
/// ```
pub fn observe(registry: &Registry, meter: &Meter) {
    let making = Making { meter, collector: registry.collector() };
    making.counter("circuit_breaker.calls", "{call}", "Calls by outcome.", series::calls);
    making.counter(
        "circuit_breaker.slow_calls",
        "{call}",
        "Calls that took slow_after or longer.",
        |collection, to| {
            series::total(collection, to, |totals| totals.slow);
        },
    );
    making.counter(
        "circuit_breaker.throttled_calls",
        "{call}",
        "Failed calls that the dependency refused to limit its callers.",
        |collection, to| series::total(collection, to, |totals| totals.throttled),
    );
    making.counter(
        "circuit_breaker.transitions",
        "{transition}",
        "Transitions by reason.",
        series::transitions,
    );
    making.counter(
        "circuit_breaker.would_trip",
        "{trip}",
        "How often a rule would have opened the breaker in metrics-only.",
        |collection, to| series::total(collection, to, |totals| totals.would_trip),
    );
    making.counter(
        "circuit_breaker.shadow_rejected",
        "{call}",
        "Calls that the configuration of a shadow would have rejected.",
        |collection, to| series::shadow_calls(collection, to, |shadow| &shadow.rejected),
    );
    making.counter(
        "circuit_breaker.shadow_admitted",
        "{call}",
        "Calls that the configuration of a shadow admits as well.",
        |collection, to| series::shadow_calls(collection, to, |shadow| &shadow.admitted),
    );
    making.counter(
        "circuit_breaker.shadow_unseen",
        "{call}",
        "Calls that a shadow has not seen.",
        series::shadow_unseen,
    );
    making.counter(
        "circuit_breaker.panics",
        "{panic}",
        "Panics caught in classifiers, rules and listeners.",
        |collection, to| series::total(collection, to, |totals| totals.panics),
    );
    making.state();
    making.gauge(
        "circuit_breaker.failure_ratio",
        "1",
        "Share of failed calls in the window.",
        |collection, to| {
            series::value(collection, to, |snapshot| snapshot.counts.failure_rate());
        },
    );
    making.gauge(
        "circuit_breaker.slow_call_ratio",
        "1",
        "Share of slow calls in the window.",
        |collection, to| {
            series::value(collection, to, |snapshot| snapshot.counts.slow_call_rate());
        },
    );
    making.gauge(
        "circuit_breaker.open_remaining",
        "s",
        "Time until an open breaker admits a probe.",
        |collection, to| {
            series::value(collection, to, |snapshot| {
                snapshot.retry_after.map(|remaining| remaining.as_secs_f64())
            });
        },
    );
    making.gauge(
        "circuit_breaker.admitted_ratio",
        "1",
        "Share of the calls that is admitted.",
        |collection, to| series::value(collection, to, |snapshot| Some(snapshot.share)),
    );
    making.evidence();
    making.counter(
        "circuit_breaker.registry.overflowed",
        "{breaker}",
        "New names for which the registry was full.",
        |collection, to| to.observe(collection.overflowed, &[]),
    );
    making.counter(
        "circuit_breaker.registry.evicted",
        "{breaker}",
        "Idle breakers that the registry has evicted.",
        |collection, to| to.observe(collection.evicted, &[]),
    );
}

/// The state shared by the constructors of all instruments.
struct Making<'a> {
    meter: &'a Meter,
    collector: Collector,
}

/// Reports the series of one instrument. The SDK collects each instrument separately, so each reads the
/// breakers itself.
type Report<T> = fn(&Collection, &dyn AsyncInstrument<T>);

impl Making<'_> {
    fn counter(&self, name: &'static str, unit: &'static str, what: &'static str, report: Report<u64>) {
        let collector = self.collector.clone();
        self.meter
            .u64_observable_counter(name)
            .with_unit(unit)
            .with_description(what)
            .with_callback(move |to| report(&collector.collect(), to))
            .build();
    }

    fn gauge(&self, name: &'static str, unit: &'static str, what: &'static str, report: Report<f64>) {
        let collector = self.collector.clone();
        self.meter
            .f64_observable_gauge(name)
            .with_unit(unit)
            .with_description(what)
            .with_callback(move |to| report(&collector.collect(), to))
            .build();
    }

    /// The gauges of adaptive breakers; others do not report them.
    fn evidence(&self) {
        self.gauge(
            "circuit_breaker.adaptive.normal_ratio",
            "1",
            "Share of bad calls that an adaptive breaker has learned as normal.",
            |collection, to| series::evidence(collection, to, |evidence| Some(evidence.normal)),
        );
        self.gauge(
            "circuit_breaker.adaptive.down_probability",
            "1",
            "Probability that the dependency of an adaptive breaker is down.",
            |collection, to| series::evidence(collection, to, |evidence| Some(evidence.down)),
        );
        self.gauge(
            "circuit_breaker.adaptive.call_worth",
            "1",
            "Expected worth of a call to an adaptive breaker, 0 at break-even.",
            |collection, to| series::evidence(collection, to, |evidence| Some(evidence.worth)),
        );
        self.gauge(
            "circuit_breaker.adaptive.p95",
            "s",
            "Learned 95 % quantile of the successes of an adaptive breaker.",
            |collection, to| {
                series::evidence(collection, to, |evidence| evidence.p95.map(|p95| p95.as_secs_f64()));
            },
        );
        self.gauge(
            "circuit_breaker.adaptive.slow_limit",
            "s",
            "Time from which an answer to an adaptive breaker is too late.",
            |collection, to| {
                series::evidence(collection, to, |evidence| evidence.slow_limit.map(|it| it.as_secs_f64()));
            },
        );
        self.gauge(
            "circuit_breaker.adaptive.likeliest_ratio",
            "1",
            "Most likely share of bad calls of an adaptive breaker at this moment.",
            |collection, to| series::evidence(collection, to, |evidence| Some(evidence.likeliest)),
        );
        self.gauge(
            "circuit_breaker.adaptive.next_probe",
            "s",
            "Time until an open adaptive breaker sends a probe at the latest.",
            |collection, to| {
                series::evidence(collection, to, |evidence| evidence.next_probe.map(|gap| gap.as_secs_f64()));
            },
        );
    }

    fn state(&self) {
        let collector = self.collector.clone();
        self.meter
            // Additive over breakers, so that a backend may sum it to the number of open ones.
            .i64_observable_up_down_counter("circuit_breaker.state")
            .with_unit("1")
            .with_description("1 for the current state of the breaker, 0 for the others.")
            .with_callback(move |to| series::states(&collector.collect(), to))
            .build();
    }
}
