//! The queue of changes, and those who come and go while it is told.

use std::sync::Arc as StdArc;
use std::task::{Context, Poll, Wake, Waker};

use loom::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use loom::sync::{Arc, Mutex};

use super::breaker;
use super::race::race;
use crate::breaker::CircuitBreaker;
use crate::observe::Event;
use crate::word::State;

/// Changes made by two threads are told one at a time, in the order of their sequence, each once.
///
/// Fails if the queue's `draining` is cleared in a step of its own after the last event, or ignored.
#[test]
fn changes_are_told_in_order() {
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

/// Two who subscribe at once are both there, and hear the changes that are made from then on.
///
/// Fails if `adopt` takes the list in one step and puts the longer one in its place in another.
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

/// A listener that goes while events flow hears each at most once, and the others all.
///
/// Fails if `note` takes a list with one listener left for an empty one.
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

/// A change that a listener makes is told when the one it hears has been told, in line with those that
/// another thread makes.
///
/// Fails if `drain` does not look whether somebody is draining (it is told inside the other).
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

/// Who has subscribed hears what happens from then on, also where another thread tells it with what was
/// in line before.
///
/// Fails if `drain` takes the list of listeners once for all it tells.
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

/// Notes that it was woken.
struct Alarm(AtomicU64);

impl Wake for Alarm {
    fn wake(self: StdArc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// A receiver that has found nothing is woken by the event that comes, however close they pass.
///
/// Fails if `poll_recv` leaves its waker in another step than it looks in.
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
