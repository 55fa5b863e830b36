use std::any::Any;
use std::hint::black_box;

use halfopen::{CircuitBreaker, Registry};
use halfopen_metrics::{CircuitBreakerMetrics, DURATION_BUCKETS, names::CALL_DURATION};
use halfopen_tracing::TracingListener;
use metrics::with_local_recorder;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusRecorder};

use crate::configs;
use crate::harness::{Case, measure};
use crate::rows::closed_direct::answer;
use crate::table::Group;

/// Attaches an exporter to a registry, and returns the value that keeps it attached.
type Attach = fn(&Registry) -> Box<dyn Any>;

const NOBODY: &str = "nobody listens";

const WAYS: [(&str, Attach); 5] = [
    (NOBODY, |_| Box::new(())),
    ("halfopen-metrics", |registry| Box::new(CircuitBreakerMetrics::new(registry))),
    // Without an SDK the callbacks are dropped immediately. They hold a collector.
    ("halfopen-opentelemetry", |registry| Box::new(registry.collector())),
    ("halfopen-tracing, no subscriber", |registry| Box::new(registry.subscribe(TracingListener::new()))),
    ("a history", |registry| Box::new(registry.keep_history(1_000))),
];

/// The cost of each exporter per call, admitted or rejected, and per collection.
pub(crate) fn groups() -> Vec<Group> {
    vec![admitted(), rejected(), published()]
}

fn admitted() -> Group {
    let attached = WAYS.map(|(name, attach)| {
        let (breaker, attached) = sample(attach);
        Case::new(name, move |calls| {
            let _attached = &attached;
            call(&breaker, calls);
        })
    });
    let cases = attached.into_iter().chain([durations()]).collect();
    Group::of_timings("Watched: a direct call, count 100", &measure(cases), NOBODY, "")
}

fn rejected() -> Group {
    let cases = WAYS.map(|(name, attach)| {
        let (breaker, attached) = sample(attach);
        breaker.open_for(configs::LONG);
        Case::new(name, move |calls| {
            let _attached = &attached;
            for _ in 0..calls {
                assert!(black_box(breaker.try_acquire()).is_err(), "an open breaker says no");
            }
        })
    });
    Group::of_timings("Watched: a rejection", &measure(cases.into()), NOBODY, "")
}

/// A scrape without its rendering: 24 series per breaker.
fn published() -> Group {
    const BREAKERS: u64 = 100;
    let registry = Registry::new();
    for n in 0..BREAKERS {
        registry.get_or_create(&format!("breaker-{n}"));
    }
    let (metrics, recorder) = (CircuitBreakerMetrics::new(&registry), prometheus());
    let publish = Case::new("publish to Prometheus, per breaker", move |breakers| {
        for _ in 0..breakers / BREAKERS {
            with_local_recorder(&recorder, || metrics.publish());
        }
    });
    Group::of_timings("Watched: a scrape", &measure(vec![publish]), "", "")
}

fn durations() -> Case {
    let (registry, breaker) = registered();
    let metrics = CircuitBreakerMetrics::with_durations(&registry);
    let recorder = prometheus();
    Case::new("halfopen-metrics, with durations", move |calls| {
        with_local_recorder(&recorder, || {
            metrics.publish();
            call(&breaker, calls);
        });
        // As a scrape would; otherwise its samples accumulate during the whole measurement.
        recorder.handle().run_upkeep();
    })
}

/// A breaker in a registry to which an exporter is attached.
fn sample(attach: Attach) -> (CircuitBreaker, Box<dyn Any>) {
    let (registry, breaker) = registered();
    let attached = attach(&registry);
    // A history alone does not keep alive the registry that it listens to.
    (breaker, Box::new((registry, attached)))
}

fn registered() -> (Registry, CircuitBreaker) {
    let registry = Registry::new();
    let breaker = configs::warm(&configs::count());
    registry.insert(breaker.clone()).expect("the only one");
    (registry, breaker)
}

fn call(breaker: &CircuitBreaker, calls: u64) {
    for n in 0..calls {
        assert!(breaker.call_blocking(|| answer(black_box(n))).is_ok(), "a healthy call passes");
    }
}

fn prometheus() -> PrometheusRecorder {
    let name = Matcher::Full(CALL_DURATION.to_owned());
    let builder = PrometheusBuilder::new().set_buckets_for_metric(name, &DURATION_BUCKETS);
    builder.expect("there are buckets").build_recorder()
}
