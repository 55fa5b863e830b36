//! Listeners that panic, that come and go, and that are slow.

use std::panic::panic_any;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;

use halfopen::{CircuitBreaker, CircuitBreakerConfig, Event, Interest, Listener, Outcome, Trip};

/// A panic whose payload panics in its turn when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        if !thread::panicking() {
            panic_any("a payload that panics");
        }
    }
}

#[test]
fn a_panicking_payload_of_a_listener_is_contained() {
    let breaker = CircuitBreaker::builder("bomb").build();
    let _bad = breaker.on_event(|_, _| panic_any(Bomb));
    let heard = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&heard);
    let _good = breaker.on_event(move |_, _| {
        count.fetch_add(1, Ordering::Relaxed);
    });
    breaker.trip();
    breaker.reset();
    assert_eq!(heard.load(Ordering::Relaxed), 3, "a change, a change and the reset");
    assert_eq!(breaker.snapshot().totals.panics, 3);
}

#[test]
fn a_panicking_payload_of_a_rule_opens_nothing() {
    let breaker = CircuitBreaker::builder("bomb").ready_to_trip(|_| panic_any(Bomb)).build();
    breaker.try_acquire().unwrap().failure();
    assert!(breaker.is_closed());
    assert_eq!(breaker.snapshot().totals.panics, 1);
}

#[test]
fn a_panicking_payload_loses_no_outcome() {
    let breaker = CircuitBreaker::builder("bomb").build();
    let answer = breaker.call_blocking(|| Ok::<_, ()>(5));
    breaker.try_acquire().unwrap().settle(&answer, &|_: &Result<i32, _>| -> Outcome { panic_any(Bomb) });
    assert_eq!((breaker.snapshot().totals.successes, breaker.snapshot().totals.panics), (2, 1));
}

#[test]
fn a_listener_may_panic_when_it_is_dropped() {
    struct Fragile;
    impl Listener for Fragile {
        fn on_event(&self, _: &CircuitBreaker, _: &Event) {}
    }
    impl Drop for Fragile {
        fn drop(&mut self) {
            panic_any(Bomb);
        }
    }
    let breaker = CircuitBreaker::builder("fragile").build();
    drop(breaker.subscribe(Fragile));
    assert_eq!(breaker.snapshot().totals.panics, 1);
}

#[test]
fn every_change_is_delivered_before_the_return() {
    const CHANGES: u64 = 300;
    let breaker = CircuitBreaker::builder("storm").build();
    let (told, hear) = mpsc::channel();
    let _sub = breaker.on_event(move |breaker, event| {
        let Event::StateChanged(change) = event else { return };
        if change.sequence == 1 {
            for _ in 0..CHANGES / 2 {
                breaker.disable();
                breaker.metrics_only();
            }
        }
        told.send((change.sequence, thread::current().id())).unwrap();
    });
    breaker.force_open();

    let all: Vec<_> = hear.try_iter().collect();
    assert!(all.iter().map(|&(sequence, _)| sequence).eq(1..=CHANGES + 1), "in order, each once");
    assert!(all.iter().all(|&(_, teller)| teller == thread::current().id()));
}

#[test]
fn interest_in_calls_ends_with_its_listeners() {
    struct Calls;
    impl Listener for Calls {
        fn on_event(&self, _: &CircuitBreaker, _: &Event) {}
        fn interest(&self) -> Interest {
            Interest::default() | Interest::CALLS
        }
    }
    let config = CircuitBreakerConfig::builder().trip(Trip::consecutive_failures(3)).build().unwrap();
    let breaker = CircuitBreaker::new("timed", config);
    let timed = || breaker.try_acquire_owned().unwrap().elapsed().is_some();
    let (one, two) = (breaker.subscribe(Calls), breaker.subscribe(Calls));
    let changes = breaker.on_event(|_, _| {});
    assert!(timed());
    drop(one);
    assert!(timed(), "the other still wants them");
    drop(two);
    assert!(!timed(), "who is left does not");
    drop(changes);
}
