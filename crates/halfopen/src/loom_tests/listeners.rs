//! The queue of changes, and listeners that come and go while it is delivered.

use std::sync::Arc as StdArc;
use std::task::{Context, Poll, Wake, Waker};

use loom::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use loom::sync::{Arc, Mutex};

use super::breaker;
use super::race::race;
use crate::breaker::CircuitBreaker;
use crate::observe::Event;
use crate::word::State;

/// Changes by two threads are delivered one at a time, in the order of their sequence, each once.
///
/// Fails if the queue's `draining` is cleared in a separate step after the last event, or ignored.
#[test]
fn changes_are_delivered_in_order() {
    race(|start| {
        let (breaker, _hands) = breaker(1);
        let told = Arc::new(Mutex::new(Vec::new()));
        let notes = Arc::clone(&told);
        breaker
            .on_event(move |_, event| {
                if let Event::StateChanged(change) = event {
                    notes.lock().unwrap().push(change.sequence);
                }
            })
            .forget();
        let (one, other) = (breaker.clone(), breaker.clone());
        start.two(move || one.disable(), move || other.force_open());
        assert_eq!(*told.lock().unwrap(), [1, 2]);
    });
}

/// Two listeners that subscribe concurrently are both added, and receive the changes that follow.
///
/// Fails if `adopt` reads the list in one step and replaces it in another.
#[test]
fn of_two_concurrent_subscriptions_none_is_lost() {
    race(|start| {
        let (breaker, _hands) = breaker(1);
        let heard = Arc::new(AtomicU64::new(0));
        let subscribe = || {
            let (breaker, heard) = (breaker.clone(), Arc::clone(&heard));
            let count = move |_: &CircuitBreaker, _: &Event| {
                heard.fetch_add(1, Ordering::SeqCst);
            };
            move || breaker.on_event(count).forget()
        };
        start.two(subscribe(), subscribe());
        breaker.force_open();
        assert_eq!(heard.load(Ordering::SeqCst), 2);
    });
}

/// A listener that is removed while events are delivered receives each at most once; the others receive all.
///
/// Fails if `note` treats a list with one remaining listener as empty.
#[test]
fn a_subscription_ends_while_events_flow() {
    race(|start| {
        let (breaker, _hands) = breaker(1);
        let (kept, ended) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let count = |counter: &Arc<AtomicU64>| {
            let counter = Arc::clone(counter);
            move |_: &CircuitBreaker, _: &Event| {
                counter.fetch_add(1, Ordering::SeqCst);
            }
        };
        breaker.on_event(count(&kept)).forget();
        let subscription = breaker.on_event(count(&ended));
        let other = breaker.clone();
        start.two(|| drop(subscription), move || other.force_open());
        assert_eq!(kept.load(Ordering::SeqCst), 1);
        assert!(ended.load(Ordering::SeqCst) <= 1);
    });
}

/// A change that a listener makes is delivered after the current one, in order with the changes of another thread.
///
/// Fails if `drain` does not check whether a thread is draining (the change is delivered inside the callback).
#[test]
fn a_listeners_own_change_is_delivered_afterwards() {
    race(|start| {
        let (breaker, _hands) = breaker(1);
        let (told, inside) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let (notes, hearing) = (Arc::clone(&told), Arc::clone(&inside));
        breaker
            .on_event(move |breaker, event| {
                let Event::StateChanged(change) = event else { return };
                assert!(!hearing.swap(true, Ordering::SeqCst), "one at a time");
                notes.lock().unwrap().push(change.sequence);
                if change.sequence == 1 {
                    breaker.metrics_only();
                }
                hearing.store(false, Ordering::SeqCst);
            })
            .forget();
        let (one, other) = (breaker.clone(), breaker.clone());
        start.two(move || one.disable(), move || other.force_open());
        assert_eq!(*told.lock().unwrap(), [1, 2, 3]);
        assert_eq!(breaker.snapshot().totals.panics, 0, "no assertion failed in the callback");
    });
}

/// A new listener receives the changes that follow, even if another thread delivers them together with earlier ones.
///
/// Fails if `drain` reads the list of listeners only once for all changes.
#[test]
fn a_subscriber_receives_the_next_change() {
    race(|start| {
        let (breaker, _hands) = breaker(1);
        breaker.on_event(|_, _| {}).forget();
        let (one, other) = (breaker.clone(), breaker.clone());
        let heard = Arc::new(Mutex::new(Vec::new()));
        let notes = Arc::clone(&heard);
        let note = move |_: &CircuitBreaker, event: &Event| {
            if let Event::StateChanged(change) = event {
                notes.lock().unwrap().push((change.sequence, change.to));
            }
        };
        let subscribe_and_disable = move || {
            one.on_event(note).forget();
            one.disable();
        };
        start.two(subscribe_and_disable, move || other.force_open());
        let heard = heard.lock().unwrap();
        assert!(heard.iter().any(|&(_, to)| to == State::Disabled), "{heard:?}");
        assert!(heard.is_sorted_by(|(one, _), (next, _)| one + 1 == *next), "{heard:?}");
    });
}

/// Counts its wake-ups.
struct Alarm(AtomicU64);

impl Wake for Alarm {
    fn wake(self: StdArc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// A receiver that found no event is woken by the next one, even if both happen concurrently.
///
/// Fails if `poll_recv` checks the queue and stores its waker in separate steps.
#[test]
fn a_receiver_is_not_left_asleep() {
    race(|start| {
        let (breaker, _hands) = breaker(1);
        let mut events = breaker.events();
        let alarm = StdArc::new(Alarm(AtomicU64::new(0)));
        let waker = Waker::from(StdArc::clone(&alarm));
        let poll = move || (events.poll_recv(&mut Context::from_waker(&waker)), events);
        let ((polled, mut events), ()) = start.two(poll, move || breaker.force_open());
        match polled {
            Poll::Ready(event) => assert!(matches!(event, Some(Event::StateChanged(_))), "{event:?}"),
            Poll::Pending => {
                assert_eq!(alarm.0.load(Ordering::SeqCst), 1);
                assert!(events.try_recv().is_some());
            }
        }
    });
}
