use std::time::Duration;

use halfopen::Outcome;
use halfopen_metrics::{CircuitBreakerMetrics, names};

use crate::page::Page;
use crate::world::Exporter;
use test_support::registry::{SECOND, fail, registry};

#[test]
fn a_duration_falls_into_its_bucket() {
    let (registry, hands) = registry();
    let metrics = CircuitBreakerMetrics::with_durations(&registry);
    let breaker = registry.get_or_create("api");
    let exporter = Exporter::new();
    exporter.during(|| {
        let permit = breaker.try_acquire().unwrap();
        hands.advance(Duration::from_millis(40));
        permit.success();
        breaker.try_acquire().unwrap().record_after(Outcome::Failure, 3 * SECOND);
    });

    let page = exporter.scrape(&metrics);

    assert_eq!(page.types[names::CALL_DURATION], "histogram");
    assert_eq!(bucket(&page, "success", "0.025"), Some(0.0));
    assert_eq!(bucket(&page, "success", "0.05"), Some(1.0));
    assert_eq!(bucket(&page, "failure", "2.5"), Some(0.0));
    assert_eq!(bucket(&page, "failure", "5"), Some(1.0));
    assert_eq!(bucket(&page, "ignored", "5"), None, "what never happened has no series");
}

#[test]
fn a_late_recorder_gets_every_call_from_then_on() {
    let (registry, _hands) = registry();
    let metrics = CircuitBreakerMetrics::with_durations(&registry);
    let breaker = registry.get_or_create("api");
    fail(&breaker, 1); // before there is a recorder: kept nowhere

    let exporter = Exporter::new();
    exporter.during(|| fail(&breaker, 1));

    assert_eq!(bucket(&exporter.scrape(&metrics), "failure", "+Inf"), Some(1.0));
}

#[test]
fn without_a_recorder_durations_begin_later() {
    let (registry, _hands) = registry();
    let metrics = CircuitBreakerMetrics::with_durations(&registry);
    let breaker = registry.get_or_create("api");
    metrics.publish(); // into nothing
    fail(&breaker, 1);
    let exporter = Exporter::new();
    exporter.scrape(&metrics);

    exporter.during(|| fail(&registry.get_or_create("api"), 1));

    assert_eq!(bucket(&exporter.scrape(&metrics), "failure", "+Inf"), Some(1.0));
}

#[test]
fn an_exporter_that_drops_a_histogram_loses_no_call() {
    let (registry, _hands) = registry();
    let metrics = CircuitBreakerMetrics::with_durations(&registry);
    let breaker = registry.get_or_create("api");
    let exporter = Exporter::that_forgets();
    let call = || exporter.during(|| breaker.try_acquire().unwrap().success());
    exporter.scrape(&metrics); // handles are kept from here on
    call();
    call();
    assert_eq!(bucket(&exporter.scrape(&metrics), "success", "+Inf"), Some(2.0));
    assert_eq!(bucket(&exporter.scrape(&metrics), "success", "+Inf"), None, "dropped as idle");

    call();

    assert_eq!(bucket(&exporter.scrape(&metrics), "success", "+Inf"), Some(1.0));
}

#[test]
fn without_being_asked_no_call_is_timed() {
    let (registry, _hands) = registry();
    let metrics = CircuitBreakerMetrics::new(&registry);
    let breaker = registry.get_or_create("api");
    let exporter = Exporter::new();
    exporter.during(|| fail(&breaker, 1));
    let page = exporter.scrape(&metrics);
    assert!(page.samples.iter().all(|sample| !sample.name.starts_with(names::CALL_DURATION)));
    assert_eq!(breaker.snapshot().totals.timed, 0);
}

fn bucket(page: &Page, outcome: &str, bound: &str) -> Option<f64> {
    let name = format!("{}_bucket", names::CALL_DURATION);
    page.value(&name, &[("breaker", "api"), ("outcome", outcome), ("le", bound)])
}
