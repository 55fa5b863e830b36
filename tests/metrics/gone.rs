use halfopen::CircuitBreakerConfig;
use halfopen_metrics::{CircuitBreakerMetrics, names};

use crate::totals::calls;
use crate::world::Exporter;
use test_support::registry::{SECOND, fail, registry, succeed};

#[test]
fn only_the_series_of_an_evicted_breaker_go_away() {
    let (registry, hands) = registry();
    let metrics = CircuitBreakerMetrics::with_durations(&registry);
    let exporter = Exporter::that_forgets();
    exporter.during(|| {
        for name in ["goes", "stays"] {
            succeed(&registry.get_or_create(name), 3);
        }
    });
    let held = registry.get("stays").unwrap();
    fail(&held, 2);
    let page = exporter.scrape(&metrics);
    assert!(!page.with("breaker", "goes").is_empty());

    hands.advance(120 * SECOND);
    assert_eq!(registry.evict_idle(), 1);
    exporter.scrape(&metrics); // its gauges are set a last time
    let page = exporter.scrape(&metrics);

    assert_eq!(page.with("breaker", "goes"), Vec::<&crate::page::Sample>::new());
    assert_eq!(calls(&page, "stays", "success"), 3.0);
    assert_eq!(page.value(names::REGISTRY_EVICTED, &[]), Some(1.0));
    let states = page.with("breaker", "stays").iter().filter(|sample| sample.name == names::STATE).count();
    assert_eq!(states, 6);
}

#[test]
fn evidence_ends_with_the_adaptive_breaker() {
    let (registry, _hands) = registry();
    let metrics = CircuitBreakerMetrics::new(&registry);
    let exporter = Exporter::new();
    for name in ["removed", "fixed_again"] {
        let breaker = registry.get_or_create(name);
        breaker.set_config(CircuitBreakerConfig::adaptive());
        succeed(&breaker, 3);
    }
    let worth = |page: &crate::page::Page, name| page.value(names::CALL_WORTH, &[("breaker", name)]);
    let page = exporter.scrape(&metrics);
    assert!(
        ["removed", "fixed_again"].iter().all(|name| worth(&page, name).is_some_and(|worth| worth > 0.5))
    );

    registry.remove("removed");
    registry.get_or_create("fixed_again").set_config(CircuitBreakerConfig::default());
    let page = exporter.scrape(&metrics);
    for name in ["removed", "fixed_again"] {
        assert!(worth(&page, name).is_some_and(f64::is_nan), "{name}: {:?}", worth(&page, name));
    }
}

#[test]
fn an_unused_breaker_keeps_its_series() {
    let (registry, _hands) = registry();
    let metrics = CircuitBreakerMetrics::new(&registry);
    let exporter = Exporter::that_forgets();
    succeed(&registry.get_or_create("quiet"), 3);
    let before = exporter.scrape(&metrics).with("breaker", "quiet").len();

    for _ in 0..3 {
        let page = exporter.scrape(&metrics);
        assert_eq!(page.with("breaker", "quiet").len(), before);
        assert_eq!(calls(&page, "quiet", "success"), 3.0);
    }
}

#[test]
fn series_that_an_exporter_dropped_come_back_complete() {
    let (registry, _hands) = registry();
    let metrics = CircuitBreakerMetrics::new(&registry);
    let exporter = Exporter::that_forgets();
    succeed(&registry.get_or_create("api"), 3);
    exporter.scrape(&metrics);
    exporter.render();
    let dropped = exporter.render();
    assert!(dropped.with("breaker", "api").is_empty(), "the exporter must have dropped them for this test");

    assert_eq!(calls(&exporter.scrape(&metrics), "api", "success"), 3.0);
}

#[test]
fn an_exporter_shows_removed_breakers_in_no_state() {
    let (registry, _hands) = registry();
    let metrics = CircuitBreakerMetrics::new(&registry);
    let exporter = Exporter::new();
    registry.get_or_create("api").force_open();
    exporter.scrape(&metrics);
    registry.remove("api");

    let page = exporter.scrape(&metrics);

    let of_api = page.with("breaker", "api");
    let states: Vec<_> = of_api.iter().filter(|sample| sample.name == names::STATE).collect();
    assert_eq!(states.len(), 6);
    assert!(states.iter().all(|sample| sample.value == 0.0), "{page}");
    assert!(page.value(names::STATE_CODE, &[("breaker", "api")]).unwrap().is_nan());
}

#[test]
fn a_name_that_comes_back_goes_on_counting() {
    let (registry, hands) = registry();
    let metrics = CircuitBreakerMetrics::new(&registry);
    let exporter = Exporter::new();
    succeed(&registry.get_or_create("api"), 3);
    assert_eq!(calls(&exporter.scrape(&metrics), "api", "success"), 3.0);
    hands.advance(120 * SECOND);
    assert_eq!(registry.evict_idle(), 1);
    exporter.scrape(&metrics);

    succeed(&registry.get_or_create("api"), 2);

    assert_eq!(calls(&exporter.scrape(&metrics), "api", "success"), 5.0);
}

#[test]
fn being_shown_keeps_no_breaker() {
    let (registry, hands) = registry();
    let metrics = CircuitBreakerMetrics::with_durations(&registry);
    registry.get_or_create("api");
    for _ in 0..10 {
        hands.advance(30 * SECOND);
        Exporter::new().scrape(&metrics);
    }
    assert_eq!(registry.evict_idle(), 1);
}
