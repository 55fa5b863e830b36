//! The races for the calls of a quota: none is permitted twice, none is lost.
//!
//! Each model names the mutation that makes it fail.

use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use loom::thread;

use super::meter::{Arrival, Meter, Turn};
use super::quota::Quota;

const SECOND: u64 = 1_000_000_000;
const NOW: u64 = 1000 * SECOND;

fn meter(burst: u32) -> Arc<Meter> {
    Arc::new(Meter::new(Quota::calls(1).per(Duration::from_secs(1)).burst(burst).unwrap()))
}

fn queue(meter: &Meter) -> u64 {
    match meter.take_or_queue_slow(NOW, 1, 10 * SECOND, Waker::noop()) {
        Arrival::Queued { place, .. } => place,
        other => unreachable!("{other:?}: the quota is used up"),
    }
}

/// Fails if `take` stores instead of comparing and swapping.
#[test]
fn no_call_of_a_quota_is_permitted_twice() {
    loom::model(|| {
        let meter = meter(2);
        let others: Vec<_> = (0..2)
            .map(|_| {
                let meter = Arc::clone(&meter);
                thread::spawn(move || u32::from(meter.try_take(NOW, 1).is_ok()))
            })
            .collect();
        let mine = u32::from(meter.try_take(NOW, 1).is_ok());
        let permitted: u32 = others.into_iter().map(|other| other.join().unwrap()).sum();
        assert_eq!(mine + permitted, 2);
    });
}

/// Fails if `take_or_queue_slow` decides before it has the lock: turns would not follow the queue's order.
#[test]
fn turns_follow_the_order_of_the_queue() {
    loom::model(|| {
        let meter = meter(1);
        assert!(meter.try_take(NOW, 1).is_ok());
        let other = thread::spawn({
            let meter = Arc::clone(&meter);
            move || queue(&meter)
        });
        let mut places = [queue(&meter), other.join().unwrap()];
        places.sort_unstable();
        let at = |place, now| meter.poll_turn(place, now, false, Waker::noop());
        assert_eq!(at(places[1], NOW + SECOND), Turn::Waiting { shorter: None });
        assert_eq!(at(places[0], NOW + SECOND), Turn::Come);
        assert_eq!(at(places[1], NOW + 2 * SECOND), Turn::Come);
    });
}

/// Fails if freed time is returned to the quota instead of to the waiters behind.
#[test]
fn a_leaving_waiter_costs_another_call_no_time() {
    loom::model(|| {
        let meter = meter(2);
        assert!(meter.try_take(NOW, 2).is_ok());
        let place = queue(&meter);
        let leaving = thread::spawn({
            let meter = Arc::clone(&meter);
            move || meter.leave(place, NOW)
        });
        let joined = queue(&meter);
        leaving.join().unwrap();
        // One waiter remains: in either order, the next turn is a second behind it.
        let Turn::Waiting { shorter } = meter.poll_turn(joined, NOW, false, Waker::noop()) else {
            unreachable!("its turn is to come");
        };
        assert!(shorter.is_none_or(|wait| wait == SECOND));
        assert_eq!(meter.try_take(NOW, 1), Err(Some(2 * SECOND)));
        assert_eq!(meter.poll_turn(joined, NOW + SECOND, false, Waker::noop()), Turn::Come);
    });
}

/// Fails if `set_turns` stores the arrival time that it has computed from an older one.
#[test]
fn a_call_beside_a_new_quota_is_counted() {
    loom::model(|| {
        let meter = meter(2);
        let call = thread::spawn({
            let meter = Arc::clone(&meter);
            move || u32::from(meter.try_take(NOW, 1).is_ok())
        });
        drop(meter.set_quota(Quota::calls(1).per(Duration::from_secs(1)).burst(3).unwrap(), NOW));
        let used = call.join().unwrap();
        assert_eq!(meter.available(NOW), 3 - used);
    });
}
