//! The flat keys of other libraries.

use std::time::Duration;

use halfopen::{Adaptive, BackoffKind, CircuitBreakerConfig, Slow, Trip, Window};
use halfopen_config::{Configuration, Format, HealthCheck, Loader};

fn load(keys: &str) -> Configuration {
    let text = format!("breakers: {{ x: {{ {keys} }} }}");
    Loader::new().text("t.yaml", Format::Yaml, text).load().unwrap_or_else(|error| panic!("{error}"))
}

fn config(keys: &str) -> CircuitBreakerConfig {
    load(keys).settings("x").config().clone()
}

#[test]
fn a_document_of_one_breaker_in_flat_keys_loads() {
    let text = include_str!("ai_service.yaml");
    let loaded = Loader::new().text("ai_service.yaml", Format::Yaml, text).load().unwrap();

    let settings = loaded.settings("ai_service");
    let adaptive = settings.config().adaptive_part().unwrap();
    assert_eq!(adaptive.break_even_share(), 0.4, "the template's");
    assert_eq!(settings.category(), Some("ai"));
    assert_eq!(settings.environment(), Some("production"));
    assert_eq!(settings.tags().collect::<Vec<_>>(), ["ai", "production", "critical"]);
    let bulkhead = &settings.section().bulkhead_config;
    assert_eq!(bulkhead.max_concurrent_calls.as_ref().unwrap().value, 20);
    assert_eq!(
        settings.get::<HealthCheck>().unwrap().health_check_timeout.as_ref().unwrap().value.to_string(),
        "5s"
    );
    let [warning] = loaded.warnings() else { panic!("{:?}", loaded.warnings()) };
    assert_eq!(
        warning.message(),
        "`breakers.ai_service.failure_threshold`, `breakers.ai_service.failure_rate_threshold` and `breakers.ai_service.timeout` have no effect: the breaker is adaptive, and learns when to open and to close"
    );
}

#[test]
fn a_group_or_a_type_makes_a_breaker_adaptive() {
    let adaptive = Adaptive::new().break_even(0.3).slow(Slow::limit(Duration::from_secs(1)));
    let expected = CircuitBreakerConfig::builder().adaptive(adaptive).hint_max(Duration::from_secs(60));
    let written = "adaptive: { break_even: 0.3, slow: { limit: 1s } }, open: { hint_max: 1m }";
    assert_eq!(config(written), expected.build().unwrap());
    assert_eq!(config("circuit_type: adaptive"), CircuitBreakerConfig::adaptive());
    assert_eq!(
        config("adaptive: { slow: off, max_probe_gap: 1m, false_trip_interval: 1d }")
            .adaptive_part()
            .unwrap(),
        Adaptive::new()
            .slow(Slow::off())
            .max_probe_gap(Duration::from_secs(60))
            .false_trip_interval(Duration::from_secs(86_400))
    );
    assert_eq!(
        config("adaptive: { slow: { learned: 5 } }").adaptive_part().unwrap().slow_answers(),
        Slow::learned(5.0)
    );
    assert!(config("template: external_api").adaptive_part().is_some());
    let fixed = config("template: external_api, circuit_type: count_based");
    assert_eq!((fixed.adaptive_part(), fixed.trip()), (None, &[Trip::consecutive_failures(5)][..]));
}

#[test]
fn keys_an_adaptive_breaker_ignores_are_warned_once() {
    let warnings = |keys: &str| {
        let loaded = load(keys);
        loaded.warnings().iter().map(|warning| warning.message().to_owned()).collect::<Vec<_>>()
    };
    let of_both = "adaptive: { break_even: 0.3 }, trip: { failure_count: 3 }, open: { duration: 5s }";
    assert_eq!(
        warnings(of_both),
        [
            "`breakers.x.trip.failure_count` and `breakers.x.open.duration` have no effect: the breaker is adaptive, and learns when to open and to close"
        ]
    );
    assert_eq!(
        warnings("adaptive: { break_even: 0.3 }, circuit_type: count_based"),
        ["`breakers.x.adaptive.break_even` has no effect: `circuit_type` is count_based"]
    );
    assert_eq!(warnings("template: external_api"), [""; 0]);
}

#[test]
fn a_number_of_an_adaptive_breaker_has_its_range() {
    for (keys, message) in [
        ("break_even: 0.01", "`breakers.x.adaptive.break_even` is 0.01, but must be from 0.05 to 0.95"),
        ("slow: { learned: 200 }", "`breakers.x.adaptive.slow` is 200, but must be from 1 to 100"),
        ("max_probe_gap: 0s", "`breakers.x.adaptive.max_probe_gap` is 0s, but must be longer than 0s"),
        (
            "slow: soon",
            "`breakers.x.adaptive.slow` is \"soon\", but must be off, { learned: 3 } or { limit: 1s }",
        ),
    ] {
        let text = format!("breakers: {{ x: {{ adaptive: {{ {keys} }} }} }}");
        let error = Loader::new().text("t.yaml", Format::Yaml, text).load().unwrap_err();
        assert_eq!(error.problems()[0].message(), message);
    }
}

#[test]
fn each_flat_key_says_what_its_group_says() {
    for (flat, grouped) in [
        ("failure_threshold: 3", "trip: { consecutive_failures: 3 }"),
        (
            "failure_rate_threshold: 0.4, minimum_calls: 8",
            "trip: { failure_rate: { threshold: 0.4, minimum_calls: 8 } }",
        ),
        (
            "min_requests_for_rate: 8",
            "trip: [{ failure_rate: { threshold: 0.5, minimum_calls: 8 } }, { consecutive_failures: 15 }]",
        ),
        ("timeout: 0.5", "open: { duration: 500ms }"),
        ("timeout_seconds: 60", "open: { duration: 1m }"),
        ("timeout_duration: 60", "open: { duration: 1m }"),
        ("success_threshold: 3", "half_open: { success_threshold: 3 }"),
        ("half_open_max_calls: 3", "half_open: { max_calls: 3 }"),
        ("max_requests: 3", "half_open: { max_calls: 3, success_threshold: 3 }"),
        ("max_requests: 3, success_threshold: 2", "half_open: { max_calls: 3, success_threshold: 2 }"),
        ("interval: 60", "window: { tumbling: 1m }"),
        ("interval: 0", "window: unbounded"),
        ("sliding_window_size: 50", "window: { last_calls: 50 }"),
        ("failure_window_seconds: 60", "window: { last: { duration: 1m } }"),
        ("backoff_multiplier: 3, max_backoff_seconds: 300", "open: { backoff: { multiplier: 3, max: 5m } }"),
        ("exponential_backoff: true", "open: { backoff: { multiplier: 2, max: 5m } }"),
        ("exponential_backoff: false", "open: { backoff: { multiplier: 1 } }"),
        (
            "open_duration: 5s, hint_max: 1m, backoff: { jitter: 0.1 }",
            "open: { duration: 5s, hint_max: 1m, backoff: { jitter: 0.1 } }",
        ),
    ] {
        assert_eq!(config(flat), config(grouped), "{flat}");
    }
}

#[test]
fn the_type_says_which_threshold_counts() {
    let both = "failure_threshold: 7, failure_rate_threshold: 0.4, sliding_window_size: 50, failure_window_seconds: 20";
    let typed = |kind: &str| config(&format!("{both}, circuit_type: {kind}"));

    assert_eq!(typed("time_based").trip(), [Trip::failure_rate(0.4)]);
    assert_eq!(typed("time_based").window(), Window::last(Duration::from_secs(20)));
    assert_eq!(typed("percentage_based").trip(), [Trip::failure_rate(0.4)]);
    assert_eq!(typed("percentage_based").window(), Window::last_calls(50));
    let count = config("failure_threshold: 7, failure_rate_threshold: 0.4, circuit_type: count_based");
    assert_eq!(count.trip(), [Trip::consecutive_failures(7)]);
}

#[test]
fn growth_switched_off_stays_off_over_a_template() {
    let config = config("template: conservative, exponential_backoff: false");
    assert_eq!(config.backoff().kind(), BackoffKind::Fixed);
}
