use halfopen::{CircuitBreaker, CircuitBreakerConfig, Outcome, State, Trip};
use halfopen_metrics::{CircuitBreakerMetrics, names};

use crate::page::Page;
use crate::world::Exporter;
use test_support::registry::{SECOND, eventful, fail, registry, succeed};

#[test]
fn every_outcome_is_counted_once() {
    let (registry, hands) = registry();
    let metrics = CircuitBreakerMetrics::new(&registry);
    let breaker = eventful(&registry, "api");
    hands.advance(SECOND);
    for _ in 0..3 {
        breaker.try_acquire().unwrap_err();
    }

    let page = Exporter::new().scrape(&metrics);

    let outcomes = ["success", "failure", "ignored", "abandoned", "late", "rejected"];
    assert_eq!(outcomes.map(|outcome| calls(&page, "api", outcome)), [7.0, 2.0, 1.0, 1.0, 1.0, 3.0]);
    assert_eq!(page.types[names::CALLS], "counter");
    assert_eq!(page.value(names::OPEN_REMAINING, &[("breaker", "api")]), Some(9.0));
    assert_eq!(page.value(names::ADMITTED_RATIO, &[("breaker", "api")]), Some(0.0));
    assert_eq!(page.value(names::FAILURE_RATIO, &[("breaker", "api")]), Some(2.0 / 9.0));
    assert_eq!(page.value(names::SLOW_CALL_RATIO, &[("breaker", "api")]), Some(0.0));
}

#[test]
fn an_adaptive_breaker_shows_its_evidence() {
    let (registry, hands) = registry();
    let metrics = CircuitBreakerMetrics::new(&registry);
    registry.get_or_create("fixed").try_acquire().unwrap().success();
    let breaker = registry.get_or_create("learns");
    breaker.set_config(CircuitBreakerConfig::adaptive());
    for _ in 0..30 {
        breaker.try_acquire().unwrap().success();
        hands.advance(SECOND);
    }

    let page = Exporter::new().scrape(&metrics);

    let value = |name| page.value(name, &[("breaker", "learns")]);
    assert!(value(names::NORMAL_RATIO).is_some_and(|share| share < 0.05));
    assert_eq!(value(names::DOWN_PROBABILITY), Some(0.0));
    assert!(value(names::CALL_WORTH).is_some_and(|worth| worth > 0.9));
    assert!(value(names::LEARNED_P95).is_some_and(|p95| p95 < 0.01));
    assert!(value(names::NEXT_PROBE).is_some_and(f64::is_nan), "it is closed");
    assert!(value(names::SLOW_LIMIT).is_some_and(f64::is_nan), "none in the first minute");
    assert!(value(names::LIKELIEST_RATIO).is_some_and(|share| share < 0.05));
    assert_eq!(page.value(names::CALL_WORTH, &[("breaker", "fixed")]), None);

    hands.advance(40 * SECOND);
    while breaker.is_closed() {
        breaker.try_acquire().unwrap().failure();
    }
    let page = Exporter::new().scrape(&metrics);
    let value = |name| page.value(name, &[("breaker", "learns")]);
    assert_eq!(value(names::SLOW_LIMIT), Some(0.7));
    assert!(value(names::LIKELIEST_RATIO).is_some_and(|share| share > 0.5));
    assert!(value(names::NEXT_PROBE).is_some_and(|gap| gap > 1.0), "it is open");
    assert_eq!(value(names::ADMITTED_RATIO), Some(0.0));
}

#[test]
fn a_shadow_shows_what_it_would_have_rejected() {
    let (registry, _hands) = registry();
    let metrics = CircuitBreakerMetrics::new(&registry);
    let breaker = registry.get_or_create("api");
    let strict = CircuitBreakerConfig::builder().trip(Trip::consecutive_failures(1)).build().unwrap();
    let shadow = breaker.shadow("strict", strict).unwrap();
    fail(&breaker, 1);
    succeed(&breaker, 2);
    breaker.force_open();
    breaker.try_acquire().unwrap_err();

    let page = Exporter::new().scrape(&metrics);

    let of =
        |name, outcome| page.value(name, &[("breaker", "api"), ("shadow", "strict"), ("outcome", outcome)]);
    assert_eq!(of(names::SHADOW_REJECTED, "success"), Some(2.0));
    assert_eq!(of(names::SHADOW_REJECTED, "failure"), Some(0.0));
    assert_eq!(of(names::SHADOW_ADMITTED, "failure"), Some(1.0));
    assert_eq!(page.value(names::SHADOW_UNSEEN, &[("breaker", "api"), ("shadow", "strict")]), Some(1.0));
    drop(shadow);
}

#[test]
fn a_recorder_that_comes_late_misses_nothing() {
    let (registry, _hands) = registry();
    let metrics = CircuitBreakerMetrics::new(&registry);
    let breaker = registry.get_or_create("api");
    succeed(&breaker, 5);
    metrics.publish(); // into nothing
    fail(&breaker, 2);
    metrics.publish();

    let page = Exporter::new().scrape(&metrics);

    assert_eq!(calls(&page, "api", "success"), 5.0);
    assert_eq!(calls(&page, "api", "failure"), 2.0);
    let opening =
        [("breaker", "api"), ("from", "closed"), ("to", "open"), ("reason", "consecutive_failures")];
    assert_eq!(page.value(names::TRANSITIONS, &opening), Some(1.0));
}

/// A series that started with its first transition would be one from its first scrape on, and Prometheus'
/// `increase` of it zero: no dashboard would show the first opening.
#[test]
fn the_first_opening_is_an_increase() {
    let (registry, hands) = registry();
    let metrics = CircuitBreakerMetrics::new(&registry);
    let exporter = Exporter::new();
    let breaker = registry.get_or_create("api");
    let count = |from: &str, to: &str, reason: &str| {
        let labels = [("breaker", "api"), ("from", from), ("to", to), ("reason", reason)];
        exporter.scrape(&metrics).value(names::TRANSITIONS, &labels)
    };
    let opened = || count("closed", "open", "consecutive_failures");
    let closed = || count("half_open", "closed", "probes_passed");
    assert_eq!((opened(), closed()), (Some(0.0), Some(0.0)));

    fail(&breaker, 2);
    assert_eq!((opened(), closed()), (Some(1.0), Some(0.0)));
    hands.advance(10 * SECOND);
    succeed(&breaker, 1);
    assert_eq!((opened(), closed()), (Some(1.0), Some(1.0)));
}

#[test]
fn the_state_is_the_one_that_an_admission_would_find() {
    let (registry, hands) = registry();
    let metrics = CircuitBreakerMetrics::new(&registry);
    let breaker = registry.get_or_create("api");
    let exporter = Exporter::new();

    let shows = |state: State, code: f64, remaining: f64| {
        let page = exporter.scrape(&metrics);
        let ones: Vec<_> =
            page.samples.iter().filter(|sample| sample.name == names::STATE && sample.value == 1.0).collect();
        assert_eq!(ones.len(), 1, "{page}");
        assert_eq!(ones[0].labels["state"], state.as_str());
        assert_eq!(page.value(names::STATE_CODE, &[("breaker", "api")]), Some(code));
        let left = page.value(names::OPEN_REMAINING, &[("breaker", "api")]).unwrap();
        assert!(left == remaining || left.is_nan() && remaining.is_nan(), "{left} left, not {remaining}");
        let zeros = page.samples.iter().filter(|sample| sample.name == names::STATE && sample.value == 0.0);
        assert_eq!(zeros.count(), 5);
    };

    shows(State::Closed, 0.0, 0.0);
    breaker.trip();
    shows(State::Open, 2.0, 10.0);
    hands.advance(10 * SECOND); // and nobody calls
    shows(State::HalfOpen, 1.0, 0.0);
    breaker.force_open();
    shows(State::ForcedOpen, 3.0, f64::NAN);
    breaker.disable();
    shows(State::Disabled, 4.0, 0.0);
    breaker.metrics_only();
    shows(State::MetricsOnly, 5.0, 0.0);
}

#[test]
fn without_calls_a_ratio_is_not_a_number() {
    let (registry, _hands) = registry();
    let metrics = CircuitBreakerMetrics::new(&registry);
    registry.get_or_create("api");
    let page = Exporter::new().scrape(&metrics);
    for name in [names::FAILURE_RATIO, names::SLOW_CALL_RATIO] {
        assert!(page.value(name, &[("breaker", "api")]).unwrap().is_nan());
    }
}

#[test]
fn slow_and_throttled_calls_have_totals_of_their_own() {
    let slow = Trip::slow_call_rate(0.5, SECOND).minimum_calls(2);
    let config = CircuitBreakerConfig::builder().trip(slow).build().unwrap();
    let (registry, _hands) = registry();
    let metrics = CircuitBreakerMetrics::new(&registry);
    let breaker = registry.create("api", config).unwrap();
    breaker.on_event(|_, event| assert!(!matches!(event, halfopen::Event::Reset { .. }))).forget();
    breaker.metrics_only();
    for _ in 0..4 {
        breaker.try_acquire().unwrap().record_after(Outcome::Success, SECOND);
    }
    breaker.try_acquire().unwrap().record(Outcome::Throttled);
    breaker.reset(); // its listener panics

    let page = Exporter::new().scrape(&metrics);

    let of_api = [("breaker", "api")];
    assert_eq!(page.value(names::SLOW_CALLS, &of_api), Some(4.0));
    assert_eq!(page.value(names::THROTTLED_CALLS, &of_api), Some(1.0));
    assert_eq!(page.value(names::WOULD_TRIP, &of_api), Some(1.0));
    assert_eq!(page.value(names::PANICS, &of_api), Some(1.0));
}

#[test]
fn labels_hold_whatever_a_name_holds() {
    let (registry, _hands) = registry();
    let metrics = CircuitBreakerMetrics::with_durations(&registry);
    let exporter = Exporter::new();
    let odd =
        ["", "a \"b\" {c}, d=e", "one\ntwo", "\\n", "ends in \\", "\r\t\0", "☂ über", "\u{2028}\u{202e}"];
    exporter.during(|| odd.iter().for_each(|name| succeed(&registry.get_or_create(name), 1)));

    let page = exporter.scrape(&metrics);

    for name in odd {
        assert_eq!(calls(&page, name, "success"), 1.0, "{name:?}");
        let labels = [("breaker", name), ("outcome", "success")];
        assert_eq!(page.value(&format!("{}_count", names::CALL_DURATION), &labels), Some(1.0), "{name:?}");
    }
}

#[test]
fn names_that_find_no_room_make_no_series() {
    let registry = halfopen::Registry::builder().capacity(2).build();
    let metrics = CircuitBreakerMetrics::with_durations(&registry);
    let exporter = Exporter::new();
    exporter.during(|| {
        for n in 0..100 {
            let breaker: CircuitBreaker = registry.get_or_create(&format!("tenant-{n}"));
            succeed(&breaker, 1);
            breaker.trip();
        }
    });

    let page = exporter.scrape(&metrics);

    let breakers: std::collections::BTreeSet<_> =
        page.samples.iter().filter_map(|sample| sample.labels.get("breaker")).collect();
    assert_eq!(breakers.len(), 2, "{breakers:?}");
    assert_eq!(page.value(names::REGISTRY_OVERFLOWED, &[]), Some(98.0));
}

#[test]
fn registries_of_other_names_share_a_recorder() {
    let (one, _hands) = registry();
    let (other, _hands) = registry();
    let metrics = [&one, &other].map(CircuitBreakerMetrics::new);
    succeed(&one.get_or_create("a"), 1);
    fail(&other.get_or_create("b"), 2);
    let exporter = Exporter::new();

    let [_, page] = metrics.each_ref().map(|metrics| exporter.scrape(metrics));

    assert_eq!(calls(&page, "a", "success"), 1.0);
    assert_eq!(calls(&page, "b", "failure"), 2.0);
    let open = |name| page.value(names::STATE, &[("breaker", name), ("state", "open")]);
    assert_eq!([open("a"), open("b")], [Some(0.0), Some(1.0)]);
}

#[test]
fn no_counter_decreases_during_calls() {
    const CALLS: u32 = 20_000;
    let (registry, _hands) = registry();
    let metrics = CircuitBreakerMetrics::new(&registry);
    let exporter = Exporter::new();
    registry.get_or_create("api").metrics_only(); // two failures at once would open it
    std::thread::scope(|scope| {
        let callers: Vec<_> = (0..2).map(|_| scope.spawn(|| call(&registry, CALLS))).collect();
        let mut before = Page::default();
        while callers.iter().any(|caller| !caller.is_finished()) {
            let page = exporter.scrape(&metrics);
            for outcome in ["success", "failure", "ignored"] {
                let labels = [("breaker", "api"), ("outcome", outcome)];
                assert!(
                    page.value(names::CALLS, &labels) >= before.value(names::CALLS, &labels),
                    "{outcome}"
                );
            }
            before = page;
        }
    });
    let page = exporter.scrape(&metrics);
    let outcomes = ["success", "failure", "ignored"].map(|outcome| calls(&page, "api", outcome));
    assert_eq!(outcomes, [1.0, 0.5, 0.5].map(|share| share * f64::from(CALLS)));
}

/// Two successes, a failure and an ignored call, repeatedly, through a breaker that is looked up.
fn call(registry: &halfopen::Registry, calls: u32) {
    for n in 0..calls {
        let permit = registry.get_or_create("api");
        let permit = permit.try_acquire().unwrap();
        match n % 4 {
            0 => permit.failure(),
            1 => permit.ignore(),
            _ => permit.success(),
        }
    }
}

#[test]
fn what_is_dropped_listens_no_more() {
    let (registry, hands) = registry();
    drop(CircuitBreakerMetrics::with_durations(&registry));
    registry.get_or_create("api");
    hands.advance(120 * SECOND);
    assert_eq!(registry.evict_idle(), 1);
}

pub(crate) fn calls(page: &Page, breaker: &str, outcome: &str) -> f64 {
    page.value(names::CALLS, &[("breaker", breaker), ("outcome", outcome)]).unwrap()
}
