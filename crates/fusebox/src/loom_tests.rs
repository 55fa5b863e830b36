//! The races of a whole breaker: one transition per epoch, no probe lost, no event out of order.

use std::time::Duration;

use loom::sync::atomic::{AtomicU64, Ordering};
use loom::sync::{Arc, Mutex};
use loom::thread;

use crate::{
    CircuitBreaker, CircuitBreakerConfig, Clock, Event, HalfOpen, ManualClock, RejectReason, State, Trip,
    Window,
};

fn breaker(failures: u32) -> (CircuitBreaker, ManualClock) {
    let config = CircuitBreakerConfig::builder()
        .trip(Trip::consecutive_failures(failures))
        .window(Window::unbounded())
        .open_duration(Duration::from_secs(1))
        .backoff(crate::Backoff::none())
        .half_open(HalfOpen::new().probe_timeout(Duration::from_secs(10)))
        .build()
        .unwrap();
    let (clock, hands) = Clock::manual();
    (CircuitBreaker::builder("race").config(config).clock(clock).seed(1).build(), hands)
}

/// Two failures of which each would open: one transition, one of them late or both counted.
///
/// Fails if `Machine::trip` asks neither for the epoch nor for the state.
#[test]
fn an_epoch_has_one_transition() {
    loom::model(|| {
        let (breaker, _hands) = breaker(1);
        let other = breaker.clone();
        let (first, second) = (breaker.try_acquire_owned().unwrap(), breaker.try_acquire_owned().unwrap());
        let racer = thread::spawn(move || first.failure());
        second.failure();
        racer.join().unwrap();
        let snapshot = other.snapshot();
        assert_eq!((snapshot.state, snapshot.totals.trips), (State::Open, 1));
        assert_eq!(snapshot.totals.failures + snapshot.totals.late, 2);
        assert_eq!(snapshot.counts.calls, snapshot.counts.failures);
    });
}

/// Never more probes than allowed, and the slot of a dropped one is given back; who is refused is told
/// of the visit that goes on, not of the wait that is over.
///
/// Fails if admission looks at the slots in a step of its own before it takes one, or if the deadline
/// of the wait is overwritten while the word still says open.
#[test]
fn one_probe_at_a_time_and_none_is_lost() {
    loom::model(|| {
        let (breaker, hands) = breaker(1);
        breaker.trip();
        hands.advance(Duration::from_secs(1));
        let out = Arc::new(AtomicU64::new(0));
        let probe = |breaker: &CircuitBreaker, out: &AtomicU64| match breaker.try_acquire() {
            Ok(permit) => {
                assert_eq!(out.fetch_add(1, Ordering::SeqCst), 0, "two probes at once");
                out.fetch_sub(1, Ordering::SeqCst);
                drop(permit);
            }
            Err(rejected) => assert_eq!(rejected.retry_after(), None, "{rejected}"),
        };
        let racer = {
            let (breaker, out) = (breaker.clone(), Arc::clone(&out));
            thread::spawn(move || probe(&breaker, &out))
        };
        probe(&breaker, &out);
        racer.join().unwrap();
        assert!(breaker.try_acquire().is_ok(), "the slot is free again");
    });
}

/// A probe that is overdue and its late success: the breaker opens once, dated when it was due.
///
/// Fails if `settle` does not catch up before it takes a probe back, or if the reopening is dated when
/// it is noticed.
#[test]
fn an_overdue_probe_reopens_once() {
    loom::model(|| {
        let (breaker, hands) = breaker(1);
        breaker.trip();
        hands.advance(Duration::from_secs(1));
        let probe = breaker.try_acquire_owned().unwrap();
        hands.advance(Duration::from_millis(10_500));
        let racer = thread::spawn(move || probe.success());
        assert!(breaker.try_acquire().is_err());
        racer.join().unwrap();
        let snapshot = breaker.snapshot();
        assert_eq!((snapshot.state, snapshot.totals.trips, snapshot.totals.late), (State::Open, 2, 1));
        assert_eq!(snapshot.retry_after, Some(Duration::from_millis(500)));
    });
}

/// A result of Closed that ends while the breaker closes again: in no count of the later visit, and
/// opening none.
///
/// Fails if `Machine::trip` does not ask for the epoch, or if `record_step` does not for its frame's.
#[test]
fn a_result_of_before_is_late() {
    loom::model(|| {
        let (breaker, _hands) = breaker(1);
        let before = breaker.try_acquire_owned().unwrap();
        let racer = thread::spawn(move || before.failure());
        breaker.reset();
        racer.join().unwrap();
        let snapshot = breaker.snapshot();
        assert_eq!(
            (snapshot.state, snapshot.counts.calls, snapshot.counts.consecutive_failures),
            (State::Closed, 0, 0)
        );
        assert_eq!(snapshot.totals.failures + snapshot.totals.late, 1);
    });
}

/// The same for a success, which is counted without a step: neither window nor run of the later visit.
///
/// Fails if `add_plain` reads the stripe after the state.
#[test]
fn a_success_of_before_is_late() {
    loom::model(|| {
        let (breaker, _hands) = breaker(2);
        let before = breaker.try_acquire_owned().unwrap();
        let racer = thread::spawn(move || before.success());
        breaker.reset();
        racer.join().unwrap();
        let snapshot = breaker.snapshot();
        assert_eq!((snapshot.state, snapshot.counts.calls), (State::Closed, 0));
        assert_eq!(snapshot.totals.successes + snapshot.totals.late, 1);
    });
}

/// A success that brings the calls up to the minimum and a failure, at once: one of them opens.
///
/// Fails without the fence (outside the models: the sequentially consistent accesses) between the
/// write of a success and its look for anything to weigh it against.
#[test]
fn a_success_that_completes_the_minimum_opens() {
    loom::model(|| {
        let config = CircuitBreakerConfig::builder()
            .trip(Trip::failure_rate(0.5).minimum_calls(2))
            .window(Window::unbounded())
            .build()
            .unwrap();
        let breaker = CircuitBreaker::new("race", config);
        let (success, failure) = (breaker.try_acquire_owned().unwrap(), breaker.try_acquire().unwrap());
        let racer = thread::spawn(move || success.success());
        failure.failure();
        racer.join().unwrap();
        assert_eq!(breaker.snapshot().totals.trips, 1);
    });
}

/// Changes made by two threads are told one at a time, in the order of their sequence, each once.
///
/// Fails if the queue's `draining` is cleared in a step of its own after the last event, or ignored.
#[test]
fn changes_are_told_in_order() {
    loom::model(|| {
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
        let other = breaker.clone();
        let racer = thread::spawn(move || other.force_open());
        breaker.disable();
        racer.join().unwrap();
        assert_eq!(*told.lock().unwrap(), [1, 2]);
    });
}

/// A listener that goes while events flow hears each at most once, and the others all.
///
/// Fails if `note` takes a list with one listener left for an empty one.
#[test]
fn a_subscription_ends_while_events_flow() {
    loom::model(|| {
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
        let racer = thread::spawn(move || other.force_open());
        drop(subscription);
        racer.join().unwrap();
        assert_eq!(kept.load(Ordering::SeqCst), 1);
        assert!(ended.load(Ordering::SeqCst) <= 1);
    });
}

/// A swapped configuration and a running call: the call is counted once, the new numbers hold.
///
/// Fails if the frame before is not kept until the head is turned (the call waits for ever), or if
/// `record_step` takes a swap of the head that failed for one that succeeded.
#[test]
fn a_configuration_is_swapped_under_a_call() {
    loom::model(|| {
        let (breaker, _hands) = breaker(1);
        let permit = breaker.try_acquire_owned().unwrap();
        let racer = thread::spawn(move || permit.failure());
        let never =
            CircuitBreakerConfig::builder().no_trip_rules().window(Window::last_calls(4)).build().unwrap();
        breaker.set_config(never);
        racer.join().unwrap();
        let totals = breaker.snapshot().totals;
        assert_eq!(totals.failures + totals.late, 1);
        assert!(totals.trips <= 1);
    });
}

/// A rejection that passes a change of state is counted once, in the visit that refused it.
///
/// Fails if `refuse_while_open` counts with `reject`, or if the door that needs no lock stands open
/// while a visit ends (either way a no of the visit before is counted in the next).
#[test]
fn a_rejection_counts_in_the_visit_that_refused_it() {
    loom::model(|| {
        let (breaker, _hands) = breaker(1);
        breaker.trip();
        let other = breaker.clone();
        let racer = thread::spawn(move || other.try_acquire().map(drop).unwrap_err().reason());
        breaker.force_open();
        let reason = racer.join().unwrap();
        let snapshot = breaker.snapshot();
        assert_eq!(snapshot.totals.rejected, 1);
        assert_eq!(snapshot.rejected, u64::from(reason == RejectReason::ForcedOpen));
    });
}

/// A probe's permit that is handed to another thread ends once, and its slot is there once.
///
/// Fails if `OwnedPermit::end` leaves its ticket in place (its drop ends the call once more).
#[test]
fn a_probe_that_is_handed_over_ends_once() {
    loom::model(|| {
        let (breaker, hands) = breaker(1);
        breaker.trip();
        hands.advance(Duration::from_secs(1));
        let probe = breaker.try_acquire_owned().unwrap();
        let racer = thread::spawn(move || probe.ignore());
        let another = breaker.try_acquire();
        racer.join().unwrap();
        let totals = breaker.snapshot().totals;
        assert_eq!((totals.ignored, totals.calls()), (1, 1));
        assert_eq!(breaker.try_acquire().is_ok(), another.is_err(), "one slot");
    });
}

/// Two who subscribe at once are both there, and hear the changes that are made from then on.
///
/// Fails if `adopt` takes the list in one step and puts the longer one in its place in another.
#[test]
fn of_two_who_subscribe_at_once_none_is_lost() {
    loom::model(|| {
        let (breaker, _hands) = breaker(1);
        let heard = Arc::new(AtomicU64::new(0));
        let subscribe = |breaker: &CircuitBreaker, heard: &Arc<AtomicU64>| {
            let heard = Arc::clone(heard);
            let count = move |_: &CircuitBreaker, _: &Event| {
                heard.fetch_add(1, Ordering::SeqCst);
            };
            breaker.on_event(count).forget();
        };
        let racer = {
            let (breaker, heard) = (breaker.clone(), Arc::clone(&heard));
            thread::spawn(move || subscribe(&breaker, &heard))
        };
        subscribe(&breaker, &heard);
        racer.join().unwrap();
        breaker.force_open();
        assert_eq!(heard.load(Ordering::SeqCst), 2);
    });
}
