//! The registry: one breaker for each name, rules, and eviction.
#![cfg(feature = "test-util")]
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::time::Duration;

use halfopen::{
    Abandoned, Backoff, CircuitBreaker, CircuitBreakerConfig, Clock, Event, ManualClock, Registry,
    RegistryBuilder, State, Trip,
};

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn threads_that_share_a_new_name_share_a_breaker() {
    let registry = Registry::new();
    let rounds = if cfg!(miri) { 5 } else { 50 };
    for round in 0..rounds {
        let (name, barrier) = (format!("name-{round}"), Barrier::new(4));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    barrier.wait();
                    registry.get_or_create(&name).try_acquire().unwrap().failure();
                });
            }
        });
        assert_eq!(registry.get(&name).unwrap().snapshot().totals.failures, 4);
    }
    assert_eq!(registry.len(), rounds);
}

#[test]
fn concurrent_threads_create_each_name_once() {
    let registry = Registry::builder().capacity(1_000).build();
    let names: Vec<String> = (0..1_000).map(|n| format!("host-{n}")).collect();
    let barrier = Barrier::new(4);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (registry, names, barrier) = (&registry, &names, &barrier);
            scope.spawn(move || {
                barrier.wait();
                // Each thread starts at another name, so that every thread is the first to use some of them.
                for place in 0..names.len() {
                    let name = &names[(place + thread * 250) % names.len()];
                    registry.get_or_create(name).try_acquire().unwrap().success();
                }
            });
        }
    });
    let status = registry.status();
    assert_eq!((status.total, status.overflowed, status.evicted), (1_000, 0, 0));
    assert!(status.breakers.iter().all(|breaker| breaker.totals.successes == 4));
}

#[test]
fn a_hundred_thousand_names_are_found_and_limited() {
    const NAMES: usize = 100_000;
    let (registry, hands) = registry(|builder| builder.capacity(NAMES).idle_after(MINUTE));
    let name = |n: usize| format!("tenant-{n}.example:443");
    (0..NAMES).for_each(|n| drop(registry.get_or_create(&name(n))));
    assert!((0..NAMES).all(|n| registry.get(&name(n)).is_some_and(|found| found.name() == name(n))));

    (NAMES..NAMES + 1_000).for_each(|n| drop(registry.get_or_create(&name(n))));
    assert_eq!((registry.len(), registry.status().overflowed), (NAMES, 1_000), "none beyond the limit stays");

    registry.get("tenant-7.example:443").unwrap().trip();
    hands.advance(MINUTE);
    registry.get_or_create("another");
    assert_eq!(names(&registry), ["another", "tenant-7.example:443"]);
}

#[test]
fn a_rule_for_one_name_reaches_that_name_only() {
    let registry = Registry::new();
    let (one, other) = (registry.get_or_create("db"), registry.get_or_create("db-a"));
    registry.configure("db", failures(1));
    assert_eq!((one.config(), other.config()), (failures(1), CircuitBreakerConfig::default()));
    assert_eq!(registry.get_or_create("db").config(), failures(1));
}

#[test]
fn a_name_is_taken_once() {
    let registry = Registry::new();
    registry.create("a", CircuitBreakerConfig::default()).unwrap();
    let error = registry.create("a", CircuitBreakerConfig::default()).unwrap_err();
    assert_eq!(error.name(), "a");
    assert_eq!(error.to_string(), "a circuit breaker named `a` already exists in the registry");
    assert!(registry.insert(CircuitBreaker::builder("a").build()).is_err());
    assert!(registry.insert(CircuitBreaker::builder("b").build()).is_ok());
    assert_eq!(registry.len(), 2);
}

#[test]
fn a_removed_breaker_lives_on_and_its_name_is_free() {
    let registry = Registry::new();
    let first = registry.get_or_create("a");
    first.trip();
    assert!(registry.remove("a").unwrap().is_open());
    assert!(registry.get("a").is_none());
    assert!(registry.get_or_create("a").is_closed());
    registry.clear();
    assert!(registry.is_empty());
    assert!(first.is_open());
}

#[test]
fn the_status_counts_each_state() {
    let registry = Registry::new();
    registry.get_or_create("d").trip();
    registry.get_or_create("a").force_open();
    registry.get_or_create("c").disable();
    registry.get_or_create("b");
    let status = registry.status();
    assert_eq!((status.total, status.closed, status.open), (4, 1, 1));
    assert_eq!((status.forced_open, status.disabled, status.half_open, status.metrics_only), (1, 1, 0, 0));
    assert_eq!(status.open_breakers.iter().map(|name| &**name).collect::<Vec<_>>(), ["a", "d"]);
    assert_eq!(status.get("c").unwrap().state, State::Disabled);
    assert!(registry.any_open());

    registry.reset_all();
    assert!(!registry.any_open());
    assert_eq!(registry.status().closed, 4);
}

#[test]
fn configure_applies_to_present_and_future_names() {
    let (one, two) = (failures(1), failures(2));
    let registry = Registry::new();
    let existing = registry.get_or_create("db-a");
    let own = registry.get_or_create("db-own");
    registry.configure("db-own", two.clone());
    registry.configure("db-*", one.clone());
    assert_eq!(existing.config(), one);
    assert_eq!(registry.get_or_create("db-b").config(), one);
    assert_eq!(own.config(), two, "a whole name goes before a prefix");
}

#[test]
fn replace_rules_changes_only_what_differs() {
    let registry = Registry::builder()
        .config_for("db-*", failures(3))
        .config_for("db-gone", failures(4))
        .config_for("mail", failures(5))
        .build();
    for name in ["db-a", "db-gone", "mail", "other"] {
        registry.get_or_create(name);
    }
    registry.get("mail").unwrap().set_config(failures(50));
    registry.get("db-gone").unwrap().trip();
    let rules = Registry::builder()
        .default_config(failures(6))
        .config_for("db-*", failures(3))
        .config_for("mail", failures(5));

    let changed = registry.replace_rules(&rules);

    assert_eq!(changed.iter().map(CircuitBreaker::name).collect::<Vec<_>>(), ["db-gone", "other"]);
    let config = |name: &str| registry.get(name).unwrap().config();
    assert_eq!(config("db-gone"), failures(3), "its own rule was removed, that of its prefix was not");
    assert_eq!(config("other"), failures(6));
    assert_eq!(
        config("mail"),
        failures(50),
        "its rule is the same, so the configuration that was set by hand stays"
    );
    assert!(registry.get("db-gone").unwrap().is_open(), "the state stays");
    assert_eq!(registry.get_or_create("new").config(), failures(6));
    assert!(registry.replace_rules(&rules).is_empty());
}

#[test]
fn a_configuration_that_is_in_force_is_not_set_again() {
    let registry = Registry::new();
    let breaker = registry.get_or_create("a");
    let told = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&told);
    let _listening = breaker.on_event(move |_, _| {
        count.fetch_add(1, Ordering::Relaxed);
    });
    registry.configure("a", failures(3));
    registry.configure("a", failures(3));
    assert_eq!(told.load(Ordering::Relaxed), 1);
}

#[test]
fn a_registry_listener_receives_each_event_once() {
    let registry = Registry::new();
    let present = registry.get_or_create("present");
    let heard = Arc::new(Mutex::new(Vec::new()));
    let list = Arc::clone(&heard);
    let subscription = registry.on_event(move |breaker, event| {
        if matches!(event, Event::StateChanged(_)) {
            list.lock().unwrap().push(breaker.name().to_owned());
        }
    });
    present.trip();
    registry.get_or_create("future").trip();
    registry.insert(CircuitBreaker::builder("by hand").build()).unwrap();
    registry.get("by hand").unwrap().trip();
    registry.remove("present").unwrap().reset();
    drop(subscription);
    registry.get("future").unwrap().reset();
    registry.get_or_create("later").trip();
    assert_eq!(
        *heard.lock().unwrap(),
        ["present", "future", "by hand"],
        "while subscribed and in the registry"
    );
}

#[test]
fn a_listener_may_use_the_registry() {
    let registry = Registry::new();
    let inner = registry.clone();
    let _listening = registry.on_event(move |breaker, _| {
        inner.get_or_create(&format!("after {}", breaker.name().len()));
        inner.configure("x*", failures(7));
    });
    registry.get_or_create("a").trip();
    assert_eq!(registry.len(), 2);
}

// ---- forgetting ---------------------------------------------------------------------------------

#[test]
fn an_idle_breaker_makes_room() {
    let (registry, hands) = registry(|builder| builder.capacity(2).idle_after(MINUTE));
    registry.get_or_create("a").try_acquire().unwrap().success();
    registry.get_or_create("b");
    hands.advance(MINUTE);
    registry.get_or_create("c");
    assert_eq!(names(&registry), ["c"]);
    assert_eq!((registry.status().evicted, registry.status().overflowed), (2, 0));
}

#[test]
fn a_new_name_in_a_full_registry_is_kept_outside() {
    let (registry, hands) = registry(|builder| builder.capacity(1).idle_after(MINUTE));
    registry.get_or_create("a");
    let outside = registry.get_or_create("b");
    outside.try_acquire().unwrap().success();
    assert_eq!((names(&registry), registry.status().overflowed), (vec!["a".to_owned()], 1));
    hands.advance(MINUTE);
    registry.get_or_create("b");
    assert_eq!(names(&registry), ["b"]);
}

#[test]
fn a_breaker_looked_up_lately_stays() {
    let (registry, hands) = registry(|builder| builder.capacity(2).idle_after(MINUTE));
    registry.get_or_create("a");
    registry.get_or_create("b");
    hands.advance(MINUTE / 2);
    registry.get("a").unwrap();
    hands.advance(MINUTE / 2);
    registry.get_or_create("c");
    assert_eq!(names(&registry), ["a", "c"]);
}

#[test]
fn a_handle_keeps_its_breaker() {
    let (registry, hands) = registry(|builder| builder.capacity(1).idle_after(MINUTE));
    let handle = registry.get_or_create("a");
    hands.advance(MINUTE);
    registry.get_or_create("b");
    assert_eq!(names(&registry), ["a"]);
    drop(handle);
    registry.get_or_create("b");
    assert_eq!(names(&registry), ["b"]);
}

#[test]
fn a_permit_holds_its_breaker() {
    let (registry, hands) = registry(|builder| builder.capacity(1).idle_after(MINUTE));
    let permit = registry.get_or_create("a").try_acquire_owned().unwrap();
    hands.advance(MINUTE);
    registry.get_or_create("b");
    assert_eq!(names(&registry), ["a"]);
    permit.failure();
    assert_eq!(registry.get("a").unwrap().snapshot().counts.failures, 1);
}

#[test]
fn a_subscription_keeps_its_breaker() {
    let (registry, hands) = registry(|builder| builder.capacity(2).idle_after(MINUTE));
    let _registrys = registry.on_event(|_, _| {});
    let _own = registry.get_or_create("a").on_event(|_, _| {});
    registry.get_or_create("b");
    hands.advance(MINUTE);
    registry.get_or_create("c");
    assert_eq!(names(&registry), ["a", "c"]);
}

#[test]
fn a_call_through_a_dropped_handle_counts_as_use() {
    let (registry, hands) = registry(|builder| builder.capacity(1).idle_after(MINUTE));
    let handle = registry.get_or_create("a");
    hands.advance(MINUTE);
    handle.try_acquire().unwrap().success();
    drop(handle);
    registry.get_or_create("b");
    assert_eq!(names(&registry), ["a"]);
    hands.advance(MINUTE);
    registry.get_or_create("b");
    assert_eq!(names(&registry), ["b"]);
}

#[test]
fn breakers_with_state_are_never_evicted() {
    let (registry, hands) = registry(|builder| builder.idle_after(MINUTE));
    registry.get_or_create("open").open_for(MINUTE * 100);
    registry.get_or_create("forced open").force_open();
    registry.get_or_create("disabled").disable();
    registry.get_or_create("metrics only").metrics_only();
    registry.create("created", failures(2)).unwrap();
    registry.insert(CircuitBreaker::builder("inserted").build()).unwrap();
    registry.get_or_create("reconfigured").set_config(failures(9));
    registry.get_or_create("heard").on_event(|_, _| {}).forget();
    registry.get_or_create("idle");
    hands.advance(MINUTE);
    assert_eq!(registry.evict_idle(), 1);
    assert!(registry.get("idle").is_none());
    assert_eq!(registry.len(), 8);
}

#[test]
fn a_breaker_with_remembered_openings_stays() {
    let config = CircuitBreakerConfig::builder()
        .trip(Trip::consecutive_failures(1))
        .open_duration(Duration::ZERO)
        .backoff(Backoff::exponential(2.0).forget_after(MINUTE * 10))
        .build()
        .unwrap();
    let (registry, hands) = registry(|builder| builder.idle_after(MINUTE).default_config(config.clone()));
    let flapping = registry.get_or_create("flapping");
    flapping.trip();
    flapping.try_acquire().unwrap().success();
    assert_eq!((flapping.state(), flapping.snapshot().reopenings), (State::Closed, 1));
    drop(flapping);
    hands.advance(MINUTE);
    assert_eq!((registry.evict_idle(), registry.len()), (0, 1), "its next wait would start over");
    hands.advance(MINUTE * 10);
    assert_eq!((registry.evict_idle(), registry.len()), (1, 0));
}

#[test]
fn a_probe_in_flight_keeps_its_breaker() {
    let (registry, hands) = registry(|builder| builder.idle_after(MINUTE));
    let breaker = registry.get_or_create("probing");
    breaker.open_for(Duration::ZERO);
    let probe = breaker.try_acquire_owned().unwrap();
    drop(breaker);
    hands.advance(MINUTE);
    assert_eq!((registry.evict_idle(), registry.len()), (0, 1));
    assert_eq!(registry.get("probing").unwrap().state(), State::Open, "the probe took too long");
    drop(probe);
    hands.advance(MINUTE * 10);
    assert_eq!((registry.evict_idle(), registry.len()), (0, 1), "used through a handle meanwhile");
    hands.advance(MINUTE);
    assert_eq!(
        (registry.evict_idle(), registry.len()),
        (1, 0),
        "no probe is in flight, and no calls are made"
    );
}

#[test]
fn a_failed_name_without_calls_is_evicted() {
    let (registry, hands) = registry(|builder| builder.idle_after(MINUTE));
    registry.get_or_create("pod").open_for(MINUTE * 5);
    hands.advance(MINUTE * 6 - Duration::from_nanos(1));
    assert_eq!(registry.evict_idle(), 0, "its wait has been over for less than a minute");
    hands.advance(Duration::from_nanos(1));
    assert_eq!((registry.evict_idle(), registry.len()), (1, 0));
}

#[test]
fn a_visit_with_an_ignored_probe_is_evicted() {
    let (registry, hands) = registry(|builder| builder.idle_after(MINUTE));
    let breaker = registry.get_or_create("pod");
    breaker.open_for(Duration::ZERO);
    breaker.try_acquire().unwrap().ignore();
    assert_eq!(breaker.state(), State::HalfOpen);
    drop(breaker);
    hands.advance(MINUTE);
    assert_eq!((registry.evict_idle(), registry.len()), (1, 0));
}

#[test]
fn the_least_recently_used_name_is_evicted_first() {
    let (registry, hands) = registry(|builder| builder.capacity(4).idle_after(MINUTE * 10));
    let second = Duration::from_secs(1);
    for name in ["c", "a", "b"] {
        registry.get_or_create(name).open_for(second * 10);
        hands.advance(second);
    }
    registry.get_or_create("alive");
    registry.get_or_create("new");
    assert_eq!(names(&registry), ["a", "alive", "b", "c"], "no wait is over");

    hands.advance(second * 10);
    let mut kept = Vec::new();
    for name in ["new-1", "new-2", "new-3", "new-4"] {
        registry.get_or_create(name);
        kept.push(names(&registry).join(" "));
    }
    let expected =
        ["a alive b new-1", "alive b new-1 new-2", "alive new-1 new-2 new-3", "alive new-1 new-2 new-3"];
    assert_eq!(kept, expected);
    assert_eq!((registry.status().evicted, registry.status().overflowed), (3, 2));
}

#[test]
fn a_dead_name_that_is_called_again_stays() {
    let (registry, hands) = registry(|builder| builder.capacity(2).idle_after(MINUTE));
    let spare = |name: &str| registry.get_or_create(name).open_for(Duration::ZERO);
    spare("a");
    spare("b");
    let held = registry.get_or_create("a");
    registry.get_or_create("c");
    assert_eq!(names(&registry), ["a", "c"], "`a` is held");
    held.try_acquire().unwrap().success();
    drop(held);
    registry.get_or_create("d");
    assert_eq!(names(&registry), ["a", "c"], "`a` is closed again");
    hands.advance(MINUTE);
    registry.get_or_create("e");
    assert!(registry.get("e").is_some());
}

#[test]
fn an_overflow_is_reported_once_per_period() {
    let (registry, hands) = registry(|builder| builder.capacity(1).idle_after(MINUTE));
    let heard: Arc<Mutex<Vec<String>>> = Arc::default();
    let notes = Arc::clone(&heard);
    let seen_by = registry.clone();
    let _sub = registry.on_event(move |breaker, event| {
        if let Event::Overflowed { capacity } = event {
            // A listener may call the registry.
            let full = seen_by.len() == *capacity;
            notes.lock().unwrap().push(format!("{} {full}", breaker.name()));
        }
    });
    let _held = registry.get_or_create("a");
    for name in ["b", "c"] {
        registry.get_or_create(name);
    }
    hands.advance(MINUTE);
    for name in ["d", "e"] {
        registry.get_or_create(name);
    }
    assert_eq!(*heard.lock().unwrap(), ["b true", "d true"]);
    assert_eq!(registry.status().overflowed, 4);
}

#[test]
fn explicit_names_enter_a_full_registry() {
    let (registry, _hands) = registry(|builder| builder.capacity(1));
    registry.get_or_create("a");
    registry.create("b", CircuitBreakerConfig::default()).unwrap();
    assert_eq!(names(&registry), ["a", "b"]);
}

#[test]
fn without_a_limit_nothing_is_forgotten() {
    let (registry, hands) = registry(|builder| builder);
    registry.get_or_create("a");
    hands.advance(MINUTE * 1_000_000);
    registry.get_or_create("b");
    assert_eq!((registry.evict_idle(), registry.len()), (0, 2));
}

#[test]
fn no_look_up_races_with_an_eviction() {
    let (registry, hands) = registry(|builder| builder.idle_after(Duration::from_nanos(2)));
    let rounds = if cfg!(miri) { 20 } else { 2_000 };
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..rounds {
                hands.advance(Duration::from_nanos(2));
                registry.evict_idle();
            }
        });
        for _ in 0..rounds {
            let first = registry.get_or_create("a");
            first.force_open();
            assert!(registry.get_or_create("a").is_rejecting(), "one name, two breakers");
            first.reset();
        }
    });
}

fn registry(with: impl Fn(RegistryBuilder) -> RegistryBuilder) -> (Registry, ManualClock) {
    let (clock, hands) = Clock::manual();
    (with(Registry::builder().clock(clock)).build(), hands)
}

fn names(registry: &Registry) -> Vec<String> {
    registry.breakers().iter().map(|breaker| breaker.name().to_owned()).collect()
}

fn failures(n: u32) -> CircuitBreakerConfig {
    CircuitBreakerConfig::builder()
        .trip(Trip::consecutive_failures(n))
        .abandoned(Abandoned::Ignore)
        .build()
        .unwrap()
}
