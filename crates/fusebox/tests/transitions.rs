//! Changes of state, counted and named.
#![cfg(feature = "test-util")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fusebox::{
    CircuitBreaker, CircuitBreakerConfig, Clock, Event, HalfOpen, Listener, Registry, Transitions, Trip,
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
    let transitions = Transitions::new();
    let breaker = CircuitBreaker::builder("api")
        .config(config)
        .clock(clock)
        .seed(1)
        .listener(transitions.clone())
        .build();

    fail(&breaker, 2);
    for _ in 0..2 {
        hands.advance(60 * SECOND);
        fail(&breaker, 1);
    }
    hands.advance(60 * SECOND);
    breaker.try_acquire().unwrap().success();
    breaker.force_open();
    breaker.reset();

    let told: Vec<_> = transitions
        .of("api")
        .iter()
        .map(|seen| format!("{} {} {} {}", seen.from.as_str(), seen.to.as_str(), seen.reason, seen.count))
        .collect();
    assert_eq!(
        told,
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
fn breakers_are_counted_apart_and_can_be_forgotten() {
    let registry = Registry::new();
    let transitions = Transitions::new();
    registry.subscribe(transitions.clone()).forget();
    for name in ["a", "b"] {
        registry.get_or_create(name).trip();
    }
    registry.get_or_create("b").reset();

    assert_eq!(transitions.of("a").len(), 1);
    assert_eq!(transitions.of("b").len(), 2);

    transitions.forget("a");
    assert_eq!(transitions.of("a"), []);
    assert_eq!(transitions.names(), [Arc::from("b")]);
    assert_eq!(transitions.of("b").len(), 2);
}

#[test]
fn a_listener_that_wants_no_rejections_hears_none_and_the_others_hear_all() {
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

    fn wants_rejections(&self) -> bool {
        false
    }
}

fn fail(breaker: &CircuitBreaker, calls: u32) {
    for _ in 0..calls {
        breaker.try_acquire().expect("admitted").failure();
    }
}
