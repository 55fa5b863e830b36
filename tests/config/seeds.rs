//! The flat keys of other libraries.

use std::time::Duration;

use halfopen::{BackoffKind, CircuitBreakerConfig, Trip, Window};
use halfopen_config::{Configuration, Format, HealthCheck, Loader};

fn load(keys: &str) -> Configuration {
    let text = format!("breakers: {{ x: {{ {keys} }} }}");
    Loader::new().text("t.yaml", Format::Yaml, text).load().unwrap_or_else(|error| panic!("{error}"))
}

fn config(keys: &str) -> CircuitBreakerConfig {
    load(keys).settings("x").config().clone()
}

#[test]
fn a_document_of_one_breaker_in_flat_keys_loads_as_it_stands() {
    let text = include_str!("ai_service.yaml");
    let loaded = Loader::new().text("ai_service.yaml", Format::Yaml, text).load().unwrap();

    let settings = loaded.settings("ai_service");
    assert!(settings.config().trip().contains(&Trip::consecutive_failures(2)));
    assert!(settings.config().trip().contains(&Trip::failure_rate(0.3).minimum_calls(10)));
    assert_eq!(settings.config().open_duration(), Duration::from_secs(30));
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
    assert!(warning.message().contains("adaptive") && warning.message().contains("`ai_service`"));
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
    assert_eq!(config("circuit_type: adaptive"), CircuitBreakerConfig::default());
}

#[test]
fn growth_that_is_switched_off_stays_off_over_a_template() {
    let config = config("template: conservative, exponential_backoff: false");
    assert_eq!(config.backoff().kind(), BackoffKind::Fixed);
}
