//! The collection on which exporters are based.
#![cfg(feature = "test-util")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use halfopen::{
    BreakerSample, CircuitBreaker, CircuitBreakerConfig, Clock, Collector, Event, HalfOpen, Interest,
    Listener, Registry, TransitionCount, Trip,
};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn every_way_round_has_its_reason() {
    let (clock, hands) = Clock::manual();
    let config = CircuitBreakerConfig::builder()
        .trip(Trip::failure_rate(0.5).minimum_calls(2))
        .trip(Trip::consecutive_failures(2))
        .half_open(HalfOpen::new())
        .build()
        .unwrap();
    let registry = Registry::builder().default_config(config).clock(clock).build();
    let collector = registry.collector();
    let breaker = registry.get_or_create("api");

    fail(&breaker, 2);
    for _ in 0..2 {
        hands.advance(60 * SECOND);
        fail(&breaker, 1);
    }
    hands.advance(60 * SECOND);
    breaker.try_acquire().unwrap().success();
    breaker.force_open();
    breaker.reset();

    assert_eq!(
        transitions(&collector, "api"),
        [
            "closed open consecutive_failures+failure_rate 1",
            "open half_open wait_over 3",
            "half_open open probe_failed 2",
            "half_open closed probes_passed 1",
            "closed forced_open manual 1",
            "forced_open closed manual 1",
        ]
    );
}

#[test]
fn a_possible_transition_is_listed_with_zero() {
    let (clock, _hands) = Clock::manual();
    let rules = CircuitBreakerConfig::builder()
        .trip(Trip::consecutive_failures(2))
        .trip(Trip::failure_count(9))
        .trip(Trip::failure_rate(0.9).minimum_calls(9))
        .trip(Trip::slow_call_rate(0.9, SECOND).minimum_calls(9));
    let registry = Registry::new();
    let collector = registry.collector();
    let own_rule = CircuitBreaker::builder("api").config(rules.build().unwrap()).ready_to_trip(|_| false);
    let breaker = own_rule.clock(clock).build();
    registry.insert(breaker.clone()).unwrap();
    let foreseen = [
        "closed open consecutive_failures 0",
        "closed open failure_count 0",
        "closed open failure_rate 0",
        "closed open slow_call_rate 0",
        "closed open custom 0",
        "open half_open wait_over 0",
        "half_open closed probes_passed 0",
        "half_open open probe_failed 0",
        "half_open open probe_timed_out 0",
    ];
    assert_eq!(all_transitions(&collector, "api"), foreseen);

    fail(&breaker, 2);

    assert_eq!(all_transitions(&collector, "api")[0], "closed open consecutive_failures 1");
    assert_eq!(all_transitions(&collector, "api")[1..], foreseen[1..], "and not once more at zero");
}

#[test]
fn every_call_has_one_outcome_and_all_of_them_add_up() {
    let breaker = CircuitBreaker::builder("api").build();
    let late = breaker.try_acquire().unwrap();
    breaker.reset();
    late.success();
    (0..5).for_each(|_| breaker.try_acquire().unwrap().success());
    (0..3).for_each(|_| breaker.try_acquire().unwrap().failure());
    (0..4).for_each(|_| breaker.try_acquire().unwrap().ignore());
    (0..2).for_each(|_| drop(breaker.try_acquire().unwrap()));
    breaker.force_open();
    (0..6).for_each(|_| drop(breaker.try_acquire().unwrap_err()));

    let totals = breaker.snapshot().totals;

    let told: Vec<_> = totals.by_outcome().map(|(outcome, calls)| format!("{outcome} {calls}")).collect();
    assert_eq!(told, ["success 5", "failure 3", "ignored 4", "abandoned 2", "late 1", "rejected 6"]);
    let sum: u64 = totals.by_outcome().map(|(_, calls)| calls).sum();
    assert_eq!(sum, totals.calls() + totals.rejected);
}

#[test]
fn totals_are_of_the_name_and_never_fall() {
    let (clock, hands) = Clock::manual();
    let registry = Registry::builder().idle_after(60 * SECOND).clock(clock).build();
    let collector = registry.collector();
    fail(&registry.get_or_create("api"), 1);
    assert_eq!(seen(&collector, "api").unwrap().snapshot.totals.failures, 1);

    hands.advance(120 * SECOND);
    assert_eq!(registry.evict_idle(), 1, "being sample keeps no breaker");
    let collection = collector.collect();
    assert_eq!((collection.gone, collection.evicted), (vec![Arc::from("api")], 1));

    fail(&registry.get_or_create("api"), 2);
    assert_eq!(seen(&collector, "api").unwrap().snapshot.totals.failures, 3);
    assert_eq!(registry.get("api").unwrap().snapshot().totals.failures, 2);
}

#[test]
fn a_name_never_collected_leaves_no_counts() {
    let registry = Registry::new();
    let collector = registry.collector();
    registry.get_or_create("api").trip();
    registry.remove("api");
    collector.collect();
    registry.get_or_create("api");
    assert_eq!(transitions(&collector, "api"), Vec::<String>::new());
}

#[test]
fn names_that_find_no_room_are_counted() {
    let registry = Registry::builder().capacity(1).build();
    let collector = registry.collector();
    registry.get_or_create("a");
    registry.get_or_create("b").trip();
    let collection = collector.collect();
    assert_eq!((collection.breakers.len(), collection.overflowed), (1, 1));
}

#[test]
fn rejections_go_to_interested_listeners_only() {
    let (changes, everything) = (Arc::new(Heard::default()), Arc::new(Heard::default()));
    let breaker = CircuitBreaker::builder("api").build();
    breaker.subscribe(ChangesOnly(Arc::clone(&changes))).forget();
    breaker.force_open();
    breaker.try_acquire().unwrap_err();
    assert_eq!(changes.counts(), (1, 0), "alone");

    let all = Arc::clone(&everything);
    let subscription = breaker.on_event(move |_, event| all.note(event));
    breaker.try_acquire().unwrap_err();
    drop(subscription);
    breaker.try_acquire().unwrap_err();

    assert_eq!(changes.counts(), (1, 0), "beside one that wants them");
    assert_eq!(everything.counts(), (0, 1));
}

#[derive(Default)]
struct Heard {
    changes: AtomicU64,
    rejections: AtomicU64,
}

impl Heard {
    fn note(&self, event: &Event) {
        match event {
            Event::Rejected(_) => self.rejections.fetch_add(1, Ordering::Relaxed),
            _ => self.changes.fetch_add(1, Ordering::Relaxed),
        };
    }

    fn counts(&self) -> (u64, u64) {
        (self.changes.load(Ordering::Relaxed), self.rejections.load(Ordering::Relaxed))
    }
}

struct ChangesOnly(Arc<Heard>);

impl Listener for ChangesOnly {
    fn on_event(&self, _: &CircuitBreaker, event: &Event) {
        self.0.note(event);
    }

    fn interest(&self) -> Interest {
        Interest::CHANGES
    }
}

fn fail(breaker: &CircuitBreaker, calls: u32) {
    for _ in 0..calls {
        breaker.try_acquire().expect("admitted").failure();
    }
}

fn seen(collector: &Collector, name: &str) -> Option<BreakerSample> {
    collector.collect().breakers.into_iter().find(|breaker| &*breaker.snapshot.name == name)
}

/// Returns the transitions that have happened.
fn transitions(collector: &Collector, name: &str) -> Vec<String> {
    all_transitions(collector, name).into_iter().filter(|shown| !shown.ends_with(" 0")).collect()
}

fn all_transitions(collector: &Collector, name: &str) -> Vec<String> {
    let tell = |seen: &TransitionCount| {
        format!("{} {} {} {}", seen.from.as_str(), seen.to.as_str(), seen.reason, seen.count)
    };
    seen(collector, name).expect("it is there").transitions.iter().map(tell).collect()
}
