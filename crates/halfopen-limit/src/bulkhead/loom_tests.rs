//! The races for a slot: none is lost, none is given twice, and a waiter is always woken.
//!
//! Each model names the mutation that makes it fail.

use std::sync::Arc;
use std::task::{Wake, Waker};

use loom::sync::atomic::{AtomicBool, Ordering};
use loom::sync::{Condvar, Mutex};
use loom::thread;

use super::occupancy::{Limits, Occupancy};
use super::pool::{Arrival, Pool};

const ONE: Limits = Limits { concurrent: 1, waiting: 2 };
const EMPTY: Occupancy = Occupancy { in_flight: 0, waiting: 0 };

// Not `park`: loom's implementation loses an `unpark` that happens before it.
#[derive(Default)]
struct Bell {
    rung: Mutex<bool>,
    rings: Condvar,
}

impl Bell {
    fn wait(&self) {
        let mut rung = self.rung.lock().unwrap();
        while !std::mem::take(&mut *rung) {
            rung = self.rings.wait(rung).unwrap();
        }
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        *self.rung.lock().unwrap() = true;
        self.rings.notify_one();
    }
}

/// Enters, waiting in the queue if necessary; returns false if the queue is full. Hangs if a wake-up is lost,
/// which loom reports.
fn enter(pool: &Pool) -> bool {
    let bell = Arc::new(Bell::default());
    let waker = Waker::from(Arc::clone(&bell));
    let place = match pool.enter_or_queue_slow(&waker) {
        Arrival::Entered => return true,
        Arrival::Full(_) => return false,
        Arrival::Queued(place) => place,
    };
    loop {
        if pool.poll_turn(place, &waker).is_ready() {
            return true;
        }
        bell.wait();
    }
}

/// Fails if `give_back` frees a slot without checking for waiters.
#[test]
fn a_slot_given_back_beside_an_arrival_is_not_lost() {
    loom::model(|| {
        let pool = Arc::new(Pool::new(ONE));
        assert!(pool.try_enter().is_ok());
        let arrival = thread::spawn({
            let pool = Arc::clone(&pool);
            move || {
                assert!(enter(&pool), "there is room in the queue");
                pool.give_back();
            }
        });
        pool.give_back();
        arrival.join().unwrap();
        assert_eq!(pool.occupancy(), EMPTY);
    });
}

/// Fails if `try_enter` loads and stores instead of comparing and swapping.
#[test]
fn one_slot_is_held_by_one_call_at_a_time() {
    loom::model(|| {
        let pool = Arc::new(Pool::new(ONE));
        let inside = Arc::new(AtomicBool::new(false));
        let call = |pool: &Pool, inside: &AtomicBool| {
            if enter(pool) {
                assert!(!inside.swap(true, Ordering::Relaxed), "two calls hold one slot");
                inside.store(false, Ordering::Relaxed);
                pool.give_back();
            }
        };
        let others: Vec<_> = (0..2)
            .map(|_| {
                let (pool, inside) = (Arc::clone(&pool), Arc::clone(&inside));
                thread::spawn(move || call(&pool, &inside))
            })
            .collect();
        for other in others {
            other.join().unwrap();
        }
        assert_eq!(pool.occupancy(), EMPTY);
    });
}

/// Fails if a waiter that leaves ignores the slot it was given.
#[test]
fn a_slot_given_to_a_leaving_waiter_goes_on() {
    loom::model(|| {
        let pool = Arc::new(Pool::new(ONE));
        assert!(pool.try_enter().is_ok());
        let Arrival::Queued(place) = pool.enter_or_queue_slow(Waker::noop()) else { unreachable!() };
        let behind = thread::spawn({
            let pool = Arc::clone(&pool);
            move || {
                assert!(enter(&pool), "there is room in the queue");
                pool.give_back();
            }
        });
        let leaving = thread::spawn({
            let pool = Arc::clone(&pool);
            move || {
                if !pool.leave(place) {
                    pool.give_back();
                }
            }
        });
        pool.give_back();
        leaving.join().unwrap();
        behind.join().unwrap();
        assert_eq!(pool.occupancy(), EMPTY);
    });
}

/// Fails if the limits are stored before the lock is taken, or if no waiter is served after it.
#[test]
fn larger_limits_leave_no_waiter_behind() {
    loom::model(|| {
        let pool = Arc::new(Pool::new(ONE));
        assert!(pool.try_enter().is_ok());
        let arrival = thread::spawn({
            let pool = Arc::clone(&pool);
            move || assert!(enter(&pool), "there is room in the queue")
        });
        pool.set_limits(Limits { concurrent: 2, ..ONE });
        arrival.join().unwrap();
        assert_eq!(pool.occupancy(), Occupancy { in_flight: 2, waiting: 0 });
    });
}

/// Fails if `give_back_slow` hands a slot over without checking the limits.
#[test]
fn smaller_limits_beside_a_slot_given_back_are_kept() {
    loom::model(|| {
        let pool = Arc::new(Pool::new(Limits { concurrent: 3, waiting: 2 }));
        assert!((0..3).all(|_| pool.try_enter().is_ok()));
        for _ in 0..2 {
            assert!(matches!(pool.enter_or_queue_slow(Waker::noop()), Arrival::Queued(_)));
        }
        let returning = thread::spawn({
            let pool = Arc::clone(&pool);
            move || pool.give_back()
        });
        pool.set_limits(ONE);
        returning.join().unwrap();
        // In either order the limit holds from now on: no waiter is admitted above it, and one is admitted at
        // it.
        let Occupancy { in_flight, waiting } = pool.occupancy();
        assert!(matches!((in_flight, waiting), (3, 1) | (2, 2)));
        for in_flight in (1..in_flight).rev() {
            pool.give_back();
            assert_eq!(pool.occupancy(), Occupancy { in_flight, waiting });
        }
        pool.give_back();
        assert_eq!(pool.occupancy(), Occupancy { in_flight: 1, waiting: waiting - 1 });
    });
}
