use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Wake, Waker};
use std::time::Duration;

use super::*;
use crate::clock::{Clock, ManualClock};
use crate::config::{CircuitBreakerConfig, HalfOpen};

const SECOND: Duration = Duration::from_secs(1);

#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// A task that waits for a place.
struct Consumer {
    gate: Gate,
    waiting: Option<WaitingForPlace>,
    wakes: Arc<Wakes>,
}

impl Consumer {
    fn of(gate: &Gate) -> Consumer {
        Consumer { gate: gate.clone(), waiting: None, wakes: Arc::default() }
    }

    fn poll(&mut self) -> Option<Place> {
        let waker = Waker::from(Arc::clone(&self.wakes));
        match self.gate.poll_open(&mut self.waiting, &Context::from_waker(&waker)) {
            Poll::Ready(place) => Some(place),
            Poll::Pending => None,
        }
    }

    fn wakes(&self) -> usize {
        self.wakes.0.load(Ordering::SeqCst)
    }
}

fn gate(probes: u32) -> (Gate, ManualClock) {
    let (clock, hands) = Clock::manual();
    let half_open = HalfOpen::new().max_calls(probes).success_threshold(probes);
    let config = CircuitBreakerConfig::builder().open_duration(SECOND).half_open(half_open);
    let builder = CircuitBreaker::builder("database").config(config.build().unwrap()).clock(clock);
    (Gate::new(builder.build()), hands)
}

#[test]
fn a_closed_breaker_admits_any_number_of_messages() {
    let (gate, _hands) = gate(1);
    let places: Vec<_> = (0..100).map(|_| Consumer::of(&gate).poll().unwrap()).collect();
    assert_eq!(gate.shared.places().held, 100);
    drop(places);
    assert_eq!(gate.shared.places().held, 0);
}

#[test]
fn an_open_breaker_wakes_once_at_the_end_of_its_wait() {
    let (gate, hands) = gate(1);
    let mut consumer = Consumer::of(&gate);
    gate.breaker().open_for(SECOND);
    assert!(consumer.poll().is_none());
    assert_eq!(consumer.wakes(), 0, "nothing is polled in between");
    hands.advance(SECOND);
    assert_eq!(consumer.wakes(), 1);
    assert!(consumer.poll().is_some());
}

#[test]
fn half_open_admits_as_many_messages_as_probes() {
    let (gate, hands) = gate(2);
    gate.breaker().open_for(SECOND);
    hands.advance(SECOND);
    let (first, second) = (Consumer::of(&gate).poll().unwrap(), Consumer::of(&gate).poll().unwrap());
    let mut third = Consumer::of(&gate);
    assert!(third.poll().is_none(), "although no call has been made yet");

    let probe = gate.breaker().try_acquire().unwrap();
    assert!(third.poll().is_none());
    probe.success();
    let woken = third.wakes();
    drop(first);
    assert!(third.wakes() > woken || woken > 0, "a place is free");
    assert!(third.poll().is_some());
    drop(second);
}

#[test]
fn probes_of_others_leave_no_place() {
    let (gate, hands) = gate(1);
    gate.breaker().open_for(SECOND);
    hands.advance(SECOND);
    let probe = gate.breaker().try_acquire().unwrap();
    let mut consumer = Consumer::of(&gate);
    assert!(consumer.poll().is_none());
    probe.success();
    assert_eq!(consumer.wakes(), 1, "the breaker is closed");
    assert!(consumer.poll().is_some());
}

#[test]
fn a_place_of_one_consumer_wakes_the_other_once() {
    let (gate, hands) = gate(1);
    gate.breaker().open_for(SECOND);
    hands.advance(SECOND);
    let (mut first, mut second) = (Consumer::of(&gate), Consumer::of(&gate));
    let place = first.poll().unwrap();
    assert!(second.poll().is_none());
    drop(place);
    assert_eq!((first.wakes(), second.wakes()), (0, 1));
    // An idle queue: the place is taken and released, which does not wake the first.
    drop(second.poll().unwrap());
    assert_eq!((first.wakes(), second.wakes()), (0, 1), "two idle queues do not wake each other forever");
}

#[test]
fn a_dropped_consumer_leaves_nothing_behind() {
    let (gate, _hands) = gate(1);
    gate.breaker().force_open();
    for _ in 0..3 {
        let mut consumer = Consumer::of(&gate);
        assert!(consumer.poll().is_none() && consumer.poll().is_none());
        assert_eq!(gate.shared.places().waiting.len(), 1, "listed once");
    }
    assert!(gate.shared.places().waiting.is_empty());
    assert_eq!(gate.shared.places().held, 0);
}
