use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use halfopen::RejectReason;

use super::*;

#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn config(concurrent: u32, waiting: u32) -> BulkheadConfig {
    BulkheadConfig::builder().max_concurrent_calls(concurrent).max_waiting_calls(waiting).build().unwrap()
}

fn bulkhead(concurrent: u32, waiting: u32) -> Bulkhead {
    Bulkhead::new("ai", config(concurrent, waiting))
}

fn poll(acquire: Pin<&mut Acquire>) -> Poll<Result<BulkheadPermit, Rejected>> {
    acquire.poll(&mut Context::from_waker(Waker::noop()))
}

fn occupied(bulkhead: &Bulkhead) -> (u32, u32) {
    let snapshot = bulkhead.snapshot();
    (snapshot.in_flight, snapshot.waiting)
}

#[test]
fn a_full_bulkhead_rejects_and_says_what_it_holds() {
    let bulkhead = bulkhead(2, 0);
    let permits = [bulkhead.try_acquire(), bulkhead.try_acquire()].map(Result::unwrap);

    let rejected = bulkhead.try_acquire().unwrap_err();
    assert_eq!(rejected.reason(), RejectReason::BulkheadFull);
    assert_eq!(rejected.to_string(), "bulkhead `ai` is full (2 calls in flight, 0 waiting)");
    assert_eq!(rejected.retry_after(), None);
    assert_eq!(bulkhead.snapshot().rejected, 1);

    drop(permits);
    assert_eq!(occupied(&bulkhead), (0, 0));
}

#[test]
fn clones_share_their_slots() {
    let bulkhead = bulkhead(1, 0);
    let other = bulkhead.clone();
    let _permit = other.try_acquire().unwrap();
    assert!(bulkhead.try_acquire().is_err());
    assert!(other.try_acquire().is_err());
}

#[test]
fn waiters_are_served_first_in_first_out() {
    let bulkhead = bulkhead(1, 2);
    let permit = bulkhead.try_acquire().unwrap();
    let mut first = pin!(bulkhead.acquire());
    let mut second = pin!(bulkhead.acquire());
    assert!(poll(first.as_mut()).is_pending());
    assert!(poll(second.as_mut()).is_pending());

    drop(permit);
    assert!(poll(second.as_mut()).is_pending(), "the slot belongs to the first");
    let Poll::Ready(Ok(permit)) = poll(first.as_mut()) else { panic!("the first has its slot") };
    drop(permit);
    assert!(poll(second.as_mut()).is_ready());
}

#[test]
fn a_late_arrival_does_not_pass_the_queue() {
    let bulkhead = bulkhead(1, 1);
    let permit = bulkhead.try_acquire().unwrap();
    let mut waiter = pin!(bulkhead.acquire());
    assert!(poll(waiter.as_mut()).is_pending());

    drop(permit);
    assert!(bulkhead.try_acquire().is_err(), "the slot was given to the waiter, polled or not");
    assert_eq!(occupied(&bulkhead), (1, 0));
}

#[test]
fn a_full_queue_rejects_immediately() {
    let bulkhead = bulkhead(1, 1);
    let _permit = bulkhead.try_acquire().unwrap();
    let mut waiter = pin!(bulkhead.acquire());
    assert!(poll(waiter.as_mut()).is_pending());

    let Poll::Ready(Err(rejected)) = poll(pin!(bulkhead.acquire())) else { panic!("the queue is full") };
    assert_eq!(rejected.to_string(), "bulkhead `ai` is full (1 call in flight, 1 waiting)");
}

#[test]
fn a_cancelled_waiter_gives_its_place_back() {
    let bulkhead = bulkhead(1, 1);
    let permit = bulkhead.try_acquire().unwrap();
    {
        let mut waiter = pin!(bulkhead.acquire());
        assert!(poll(waiter.as_mut()).is_pending());
    }
    assert_eq!(occupied(&bulkhead), (1, 0));
    drop(permit);
    assert_eq!(occupied(&bulkhead), (0, 0));
}

#[test]
fn a_slot_given_to_a_cancelled_waiter_goes_on() {
    let bulkhead = bulkhead(1, 2);
    let permit = bulkhead.try_acquire().unwrap();
    let mut first = Box::pin(bulkhead.acquire());
    let mut second = pin!(bulkhead.acquire());
    assert!(poll(first.as_mut()).is_pending());
    assert!(poll(second.as_mut()).is_pending());

    drop(permit);
    drop(first);
    assert!(poll(second.as_mut()).is_ready(), "the slot was lost with the first");
}

#[test]
fn the_last_waker_left_is_woken_once() {
    let bulkhead = bulkhead(1, 1);
    let permit = bulkhead.try_acquire().unwrap();
    let (old, new) = (Arc::new(Wakes::default()), Arc::new(Wakes::default()));
    let mut waiter = pin!(bulkhead.acquire());
    for wakes in [&old, &new] {
        let waker = Waker::from(Arc::clone(wakes));
        assert!(waiter.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    }

    drop(permit);
    assert_eq!((old.0.load(Ordering::Relaxed), new.0.load(Ordering::Relaxed)), (0, 1));
}

#[test]
fn smaller_limits_wait_for_permits_to_come_back() {
    let bulkhead = bulkhead(3, 1);
    let mut permits: Vec<_> = (0..3).map(|_| bulkhead.try_acquire().unwrap()).collect();
    let mut waiter = pin!(bulkhead.acquire());
    assert!(poll(waiter.as_mut()).is_pending());

    bulkhead.set_config(config(1, 1));
    for in_flight in [2, 1] {
        permits.pop();
        assert_eq!(occupied(&bulkhead), (in_flight, 1), "no slot is handed over above the limit");
    }
    permits.pop();
    assert!(poll(waiter.as_mut()).is_ready());
}

#[test]
fn larger_limits_serve_the_queue_immediately() {
    let bulkhead = bulkhead(1, 3);
    let _permit = bulkhead.try_acquire().unwrap();
    let mut waiters: Vec<_> = (0..3).map(|_| Box::pin(bulkhead.acquire())).collect();
    assert!(waiters.iter_mut().all(|waiter| poll(waiter.as_mut()).is_pending()));

    bulkhead.set_config(config(3, 3));
    assert_eq!(occupied(&bulkhead), (3, 1));
    let served: Vec<_> = waiters.iter_mut().map(|waiter| poll(waiter.as_mut())).collect();
    let served: Vec<_> = served.iter().map(Poll::is_ready).collect();
    assert_eq!(served, [true, true, false]);
}

#[test]
fn a_shorter_queue_turns_no_waiter_away() {
    let bulkhead = bulkhead(1, 2);
    let permit = bulkhead.try_acquire().unwrap();
    let mut waiters: Vec<_> = (0..2).map(|_| Box::pin(bulkhead.acquire())).collect();
    assert!(waiters.iter_mut().all(|waiter| poll(waiter.as_mut()).is_pending()));

    bulkhead.set_config(config(1, 0));
    assert_eq!(occupied(&bulkhead), (1, 2));
    drop(permit);
    assert!(poll(waiters[0].as_mut()).is_ready());
}

#[test]
fn a_panic_gives_its_slot_back() {
    let bulkhead = bulkhead(1, 0);
    let call = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _permit = bulkhead.try_acquire().unwrap();
        panic!("the call");
    }));
    assert!(call.is_err());
    assert_eq!(occupied(&bulkhead), (0, 0));
}

#[test]
fn a_future_that_was_never_polled_holds_nothing() {
    let bulkhead = bulkhead(1, 1);
    drop(bulkhead.acquire());
    assert_eq!(occupied(&bulkhead), (0, 0));
}

#[test]
fn a_refused_attempt_is_no_rejection() {
    let bulkhead = bulkhead(1, 1);
    let _permit = bulkhead.acquire_if_permitted().unwrap();
    assert!(bulkhead.acquire_if_permitted().is_none());
    assert_eq!(bulkhead.snapshot().rejected, 0);
}

#[test]
fn the_configuration_in_force_is_shown() {
    let bulkhead = bulkhead(1, 1);
    bulkhead.set_config(config(7, 9));
    assert_eq!(bulkhead.config(), config(7, 9));
    assert!(bulkhead.is_permitting());
}

#[cfg(feature = "tokio")]
mod waits {
    use super::*;

    fn patient(wait: Duration) -> BulkheadConfig {
        BulkheadConfig::builder().max_concurrent_calls(1).max_wait(wait).build().unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_ends_with_a_rejection() {
        let bulkhead = Bulkhead::new("ai", patient(Duration::from_secs(10)));
        let permit = bulkhead.try_acquire().unwrap();

        let began = tokio::time::Instant::now();
        let rejected = bulkhead.acquire().await.unwrap_err();
        assert_eq!(began.elapsed(), Duration::from_secs(10));
        assert_eq!(rejected.reason(), RejectReason::BulkheadFull);
        assert_eq!(occupied(&bulkhead), (1, 0));
        drop(permit);
        assert!(bulkhead.try_acquire().is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_slot_within_the_wait_is_taken() {
        let bulkhead = Bulkhead::new("ai", patient(Duration::from_secs(10)));
        let permit = bulkhead.try_acquire().unwrap();
        let (acquired, ()) = tokio::join!(bulkhead.acquire(), async {
            tokio::time::sleep(Duration::from_secs(9)).await;
            drop(permit);
        });
        assert!(acquired.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_slot_that_comes_with_the_end_is_taken() {
        let bulkhead = Bulkhead::new("ai", patient(Duration::from_secs(1)));
        let permit = bulkhead.try_acquire().unwrap();
        let mut waiter = pin!(bulkhead.acquire());
        assert!(poll(waiter.as_mut()).is_pending());
        tokio::time::advance(Duration::from_secs(2)).await;
        drop(permit);
        assert!(matches!(poll(waiter.as_mut()), Poll::Ready(Ok(_))));
    }
}
