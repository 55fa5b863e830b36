//! The instruments, as collected by the SDK.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod collected;
mod limits;

use halfopen::{CircuitBreakerConfig, State};
use opentelemetry_sdk::metrics::Temporality;

use collected::Collector;
use test_support::registry::{SECOND, eventful, registry, succeed};

#[test]
fn every_outcome_is_reported() {
    let (registry, _hands) = registry();
    let collector = Collector::new(&registry, Temporality::Cumulative);
    eventful(&registry, "api").try_acquire().unwrap_err();

    let collected = collector.collect();

    let calls =
        |outcome| collected.value("circuit_breaker.calls", &[("breaker", "api"), ("outcome", outcome)]);
    let outcomes = ["success", "failure", "ignored", "abandoned", "late", "rejected"];
    assert_eq!(outcomes.map(calls), [7.0, 2.0, 1.0, 1.0, 1.0, 1.0].map(Some));
    assert_eq!(collected.kind("circuit_breaker.calls"), "monotonic sum, {call}");
    let of_api = [("breaker", "api")];
    assert_eq!(collected.value("circuit_breaker.failure_ratio", &of_api), Some(2.0 / 9.0));
    assert_eq!(collected.value("circuit_breaker.open_remaining", &of_api), Some(10.0));
    assert_eq!(collected.kind("circuit_breaker.open_remaining"), "gauge, s");
    assert_eq!(collected.value("circuit_breaker.admitted_ratio", &of_api), Some(0.0));
    for total in ["slow_calls", "throttled_calls", "would_trip", "panics"] {
        assert_eq!(collected.value(&format!("circuit_breaker.{total}"), &of_api), Some(0.0), "{total}");
    }
    let opening =
        [("breaker", "api"), ("from", "closed"), ("to", "open"), ("reason", "consecutive_failures")];
    assert_eq!(collected.value("circuit_breaker.transitions", &opening), Some(1.0));
}

#[test]
fn a_shadow_is_reported_by_outcome() {
    let (registry, _hands) = registry();
    let collector = Collector::new(&registry, Temporality::Cumulative);
    let breaker = registry.get_or_create("api");
    let _shadow = breaker.shadow("same", breaker.config()).unwrap();
    breaker.try_acquire().unwrap().success();
    let collected = collector.collect();
    let of = |name: &str| {
        let labels = [("breaker", "api"), ("shadow", "same"), ("outcome", "success")];
        collected.value(&format!("circuit_breaker.{name}"), &labels)
    };
    assert_eq!((of("shadow_admitted"), of("shadow_rejected")), (Some(1.0), Some(0.0)));
    let unseen = collected.value("circuit_breaker.shadow_unseen", &[("breaker", "api"), ("shadow", "same")]);
    assert_eq!(unseen, Some(0.0));
}

#[test]
fn an_adaptive_breaker_reports_its_evidence() {
    let (registry, hands) = registry();
    let collector = Collector::new(&registry, Temporality::Cumulative);
    registry.get_or_create("fixed").try_acquire().unwrap().success();
    registry.configure("learns", CircuitBreakerConfig::adaptive());
    let breaker = registry.get_or_create("learns");
    for _ in 0..70 {
        breaker.try_acquire().unwrap().success();
        hands.advance(SECOND);
    }
    let of = |name: &'static str| {
        move |gauge: &str| (format!("circuit_breaker.adaptive.{gauge}"), [("breaker", name)])
    };
    let closed = collector.collect();
    let value = |gauge: &str| {
        let (gauge, breaker) = of("learns")(gauge);
        closed.value(&gauge, &breaker)
    };
    assert!(value("normal_ratio").is_some_and(|share| share < 0.05));
    assert_eq!((value("down_probability"), value("slow_limit")), (Some(0.0), Some(0.7)));
    assert_eq!(value("likeliest_ratio"), value("normal_ratio"));
    assert!(value("p95").is_some_and(|p95| p95 < 0.01) && value("next_probe").is_none());

    while breaker.is_closed() {
        breaker.try_acquire().unwrap().failure();
    }
    let open = collector.collect();
    let value = |gauge: &str| {
        let (gauge, breaker) = of("learns")(gauge);
        open.value(&gauge, &breaker)
    };
    assert!(value("down_probability").is_some_and(|down| down > 0.5));
    assert!(value("call_worth").is_some_and(|worth| worth < -0.15));
    assert!(value("likeliest_ratio").is_some_and(|share| share > 0.5));
    assert!(value("next_probe").is_some_and(|gap| gap > 1.0));
    let (worth, fixed) = of("fixed")("call_worth");
    assert_eq!(open.value(&worth, &fixed), None);
}

#[test]
fn the_state_is_six_series_of_which_one_is_one() {
    let (registry, hands) = registry();
    let collector = Collector::new(&registry, Temporality::Cumulative);
    let breaker = registry.get_or_create("api");
    let shows = |state: State| {
        let collected = collector.collect();
        assert_eq!(collected.kind("circuit_breaker.state"), "sum, 1");
        for &other in State::ALL {
            let holds = if other == state { 1.0 } else { 0.0 };
            let series = [("breaker", "api"), ("state", other.as_str())];
            assert_eq!(collected.value("circuit_breaker.state", &series), Some(holds), "{other} in {state}");
        }
    };
    shows(State::Closed);
    breaker.trip();
    shows(State::Open);
    hands.advance(10 * SECOND);
    shows(State::HalfOpen);
    breaker.force_open();
    shows(State::ForcedOpen);
    breaker.disable();
    shows(State::Disabled);
    breaker.metrics_only();
    shows(State::MetricsOnly);
}

#[test]
fn what_nobody_knows_is_not_reported() {
    let (registry, _hands) = registry();
    let collector = Collector::new(&registry, Temporality::Cumulative);
    registry.get_or_create("api").force_open();
    let collected = collector.collect();
    for gauge in ["failure_ratio", "slow_call_ratio", "open_remaining"] {
        let name = format!("circuit_breaker.{gauge}");
        assert_eq!(collected.value(&name, &[("breaker", "api")]), None, "{gauge}");
    }
}

#[test]
fn the_series_of_an_evicted_breaker_go_away() {
    for temporality in [Temporality::Cumulative, Temporality::Delta] {
        let (registry, hands) = registry();
        let collector = Collector::new(&registry, temporality);
        succeed(&registry.get_or_create("goes"), 1);
        let stays = registry.get_or_create("stays");
        assert_eq!(collector.collect().breakers(), ["goes", "stays"]);

        hands.advance(120 * SECOND);
        assert_eq!(registry.evict_idle(), 1);

        let collected = collector.collect();
        assert_eq!(collected.breakers(), ["stays"], "{temporality:?}");
        assert!(collected.value("circuit_breaker.registry.evicted", &[]).is_some());
        drop(stays);
    }
}

#[test]
fn transitions_that_can_be_foreseen_begin_at_zero() {
    let (registry, _hands) = registry();
    let collector = Collector::new(&registry, Temporality::Cumulative);
    registry.get_or_create("api");
    let opening =
        [("breaker", "api"), ("from", "closed"), ("to", "open"), ("reason", "consecutive_failures")];
    assert_eq!(collector.collect().value("circuit_breaker.transitions", &opening), Some(0.0));
}

#[test]
fn durations_are_recorded_while_subscribed() {
    let (registry, hands) = registry();
    let collector = Collector::new(&registry, Temporality::Cumulative);
    let breaker = registry.get_or_create("api");
    succeed(&breaker, 1); // nobody has asked yet
    let subscription = collector.observe_durations(&registry);
    for _ in 0..2 {
        let permit = breaker.try_acquire().unwrap();
        hands.advance(SECOND);
        permit.failure();
    }
    drop(subscription);
    hands.advance(10 * SECOND);
    succeed(&breaker, 1);

    let collected = collector.collect();

    assert_eq!(collected.kind("circuit_breaker.call_duration"), "histogram, s");
    let sum = |outcome| {
        collected.value("circuit_breaker.call_duration", &[("breaker", "api"), ("outcome", outcome)])
    };
    assert_eq!((sum("failure"), sum("success")), (Some(2.0), None));
}

#[test]
fn a_registry_observed_twice_is_reported_once() {
    let (registry, _hands) = registry();
    let collector = Collector::new(&registry, Temporality::Cumulative);
    collector.observe(&registry);
    succeed(&registry.get_or_create("api"), 3);
    let series = [("breaker", "api"), ("outcome", "success")];
    assert_eq!(collector.collect().value("circuit_breaker.calls", &series), Some(3.0));
}

#[test]
fn registries_on_one_meter_are_reported_together() {
    let (registry, _hands) = test_support::registry::registry();
    let (other, _other_hands) = test_support::registry::registry();
    let collector = Collector::new(&registry, Temporality::Cumulative);
    collector.observe(&other);
    registry.get_or_create("a");
    other.get_or_create("b");
    assert_eq!(collector.collect().breakers(), ["a", "b"]);
}

#[test]
fn a_name_that_comes_back_never_makes_a_counter_fall() {
    for (temporality, expected) in [(Temporality::Cumulative, 4.0), (Temporality::Delta, 1.0)] {
        let (registry, _hands) = registry();
        let collector = Collector::new(&registry, temporality);
        succeed(&registry.get_or_create("api"), 3);
        collector.collect();
        registry.remove("api");
        succeed(&registry.get_or_create("api"), 1);

        let series = [("breaker", "api"), ("outcome", "success")];
        let calls = collector.collect().value("circuit_breaker.calls", &series);
        assert_eq!(calls, Some(expected), "{temporality:?}");
    }
}
