//! Events in asynchronous code.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use halfopen::{CircuitBreaker, Event};

#[test]
fn events_come_in_the_order_in_which_they_happened() {
    let breaker = breaker();
    let mut events = breaker.events();
    breaker.trip();
    breaker.try_acquire().unwrap_err();
    breaker.reset();
    assert!(matches!(events.try_recv(), Some(Event::StateChanged(_))));
    assert!(matches!(events.try_recv(), Some(Event::Rejected(_))));
    assert!(matches!(events.try_recv(), Some(Event::StateChanged(_))));
    assert!(matches!(events.try_recv(), Some(Event::Reset { .. })));
    assert!(events.try_recv().is_none());
}

#[test]
fn a_flood_of_rejections_pushes_no_change_out() {
    let breaker = breaker();
    let mut events = breaker.events_with_capacity(3);
    breaker.trip();
    for _ in 0..100 {
        breaker.try_acquire().unwrap_err();
    }
    breaker.reset();
    assert_eq!(sequences(&mut events), [1, 2, 3]);
    assert_eq!(events.dropped(), 100);
}

#[test]
fn of_changes_the_newest_are_kept() {
    let breaker = breaker();
    let mut events = breaker.events_with_capacity(2);
    for _ in 0..3 {
        breaker.trip();
        breaker.force_closed();
    }
    breaker.trip();
    breaker.try_acquire().unwrap_err();
    assert_eq!(sequences(&mut events), [6, 7]);
    assert_eq!(events.dropped(), 6);
}

#[test]
fn an_event_wakes_whoever_waits() {
    let (count, waker) = counting_waker();
    let breaker = breaker();
    let mut events = breaker.events();
    let mut context = Context::from_waker(&waker);
    assert!(events.poll_recv(&mut context).is_pending());
    breaker.trip();
    breaker.reset();
    assert_eq!(count.0.load(Ordering::Relaxed), 1, "woken once for what it has not polled yet");
    assert!(events.poll_recv(&mut context).is_ready());
}

#[test]
fn the_end_of_the_breaker_is_the_end_of_its_events() {
    let (count, waker) = counting_waker();
    let breaker = breaker();
    let mut events = breaker.events();
    let mut context = Context::from_waker(&waker);
    breaker.trip();
    assert!(events.poll_recv(&mut context).is_ready());
    assert!(events.poll_recv(&mut context).is_pending());
    drop(breaker);
    assert_eq!(count.0.load(Ordering::Relaxed), 1);
    assert!(matches!(events.poll_recv(&mut context), Poll::Ready(None)));
}

#[test]
fn a_dropped_receiver_hears_no_more() {
    let breaker = breaker();
    drop(breaker.events());
    breaker.trip();
    assert!(breaker.is_open());
}

#[tokio::test]
async fn recv_waits_for_what_comes() {
    let breaker = breaker();
    let mut events = breaker.events();
    let reader = tokio::spawn(async move {
        let mut heard = 0;
        while events.recv().await.is_some() {
            heard += 1;
        }
        heard
    });
    tokio::task::yield_now().await;
    breaker.trip();
    breaker.reset();
    drop(breaker);
    assert_eq!(reader.await.unwrap(), 3);
}

#[cfg(feature = "stream")]
#[tokio::test]
async fn events_are_a_stream() {
    use futures_util::StreamExt;

    let breaker = breaker();
    let events = breaker.events();
    breaker.trip();
    drop(breaker);
    assert_eq!(events.count().await, 1);
}

fn breaker() -> CircuitBreaker {
    CircuitBreaker::builder("payments").build()
}

fn sequences(events: &mut halfopen::Events) -> Vec<u64> {
    std::iter::from_fn(|| events.try_recv())
        .map(|event| match event {
            Event::StateChanged(change) => change.sequence,
            Event::Reset { sequence } => sequence,
            other => panic!("{other:?}"),
        })
        .collect()
}

#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn counting_waker() -> (Arc<Count>, Waker) {
    let count = Arc::new(Count::default());
    (Arc::clone(&count), Waker::from(count))
}
