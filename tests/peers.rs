//! Known faults of other breakers, with a test for each; and the number of failing calls until this one opens.

#![allow(
    clippy::clone_on_copy,
    reason = "whether a part of a configuration is Copy is no promise of the API"
)]

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use halfopen::{
    CircuitBreaker, CircuitBreakerConfig, CircuitBreakerConfigBuilder, Event, HalfOpen, ManualClock,
    OwnedPermit, RejectReason, State, Trip, Window,
};

const WAIT: Duration = Duration::from_secs(1);

// ---- after N healthy calls a full outage needs N failures to open -------------------------------

#[test]
fn an_outage_opens_after_half_a_count_window() {
    assert_eq!(failures_until_open(0), 5, "a fresh breaker needs only its minimum_calls");
    assert_eq!(failures_until_open(1_000), 50);
    assert_eq!(failures_until_open(1_000_000), 50);
}

#[test]
fn an_outage_opens_after_half_a_time_window() {
    let (breaker, clock) = breaker(rate_over(Window::last(Duration::from_secs(1)).buckets(10)));
    for _ in 0..100_000 {
        clock.advance(Duration::from_millis(10));
        succeed(&breaker);
    }
    let mut failures = 0;
    while breaker.is_closed() {
        clock.advance(Duration::from_millis(10));
        fail(&breaker);
        failures += 1;
    }
    assert!(
        (45..=50).contains(&failures),
        "opened after {failures} failures of some 100 calls in the window"
    );
}

// ---- calls of another epoch decide nothing ------------------------------------------------------

#[test]
fn calls_admitted_while_closed_decide_no_visit() {
    let (breaker, clock) = breaker(one_failure_opens());
    let early: Vec<OwnedPermit> = (0..4).map(|_| permit(&breaker)).collect();
    fail(&breaker);
    clock.advance(WAIT);
    let probe = permit(&breaker);

    for (number, late) in early.into_iter().enumerate() {
        if number % 2 == 0 { late.success() } else { late.failure() }
    }

    assert_eq!(breaker.state(), State::HalfOpen);
    assert_eq!(breaker.snapshot().counts.calls, 0);
    assert_eq!(breaker.snapshot().totals.late, 4);
    assert_eq!(reason(&breaker), RejectReason::HalfOpenSaturated, "nor do they give back the probe's slot");
    probe.success();
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn calls_from_before_the_trip_are_not_in_the_window() {
    let (breaker, clock) = breaker(one_failure_opens());
    let late = permit(&breaker);
    fail(&breaker);
    clock.advance(WAIT);
    succeed(&breaker);

    late.failure();

    assert_eq!(breaker.state(), State::Closed);
    assert_eq!(breaker.snapshot().counts.calls, 0);
}

#[test]
fn probes_of_an_earlier_visit_decide_no_later_one() {
    let (breaker, clock) =
        breaker(one_failure_opens().half_open(HalfOpen::new().max_calls(3).success_threshold(2)));
    fail(&breaker);
    clock.advance(WAIT);
    let (slow, slower) = (permit(&breaker), permit(&breaker));
    fail(&breaker);
    clock.advance(WAIT);
    let probe = permit(&breaker);

    slow.success();
    slower.success();

    assert_eq!(breaker.state(), State::HalfOpen, "two successes of the visit before are none of this one");
    assert_eq!(breaker.snapshot().counts.calls, 0);
    drop(probe);
}

#[test]
fn a_probe_of_an_earlier_visit_frees_no_later_slot() {
    let (breaker, clock) =
        breaker(one_failure_opens().half_open(HalfOpen::new().max_calls(2).success_threshold(2)));
    fail(&breaker);
    clock.advance(WAIT);
    let old = permit(&breaker);
    fail(&breaker);
    clock.advance(WAIT);
    let _both = (permit(&breaker), permit(&breaker));

    drop(old);

    assert_eq!(reason(&breaker), RejectReason::HalfOpenSaturated);
}

// ---- stuck half-open ----------------------------------------------------------------------------

#[test]
fn probes_that_are_all_dropped_do_not_block_half_open() {
    let (breaker, clock) =
        breaker(one_failure_opens().half_open(HalfOpen::new().max_calls(3).success_threshold(3)));
    fail(&breaker);
    clock.advance(WAIT);
    for _ in 0..1_000 {
        let probes: Vec<OwnedPermit> = (0..3).map(|_| permit(&breaker)).collect();
        assert_eq!(reason(&breaker), RejectReason::HalfOpenSaturated);
        drop(probes);
    }
    (0..3).for_each(|_| succeed(&breaker));
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn a_probe_that_is_leaked_reopens_in_time() {
    let (breaker, clock) = breaker(one_failure_opens().half_open(HalfOpen::new().probe_timeout(WAIT)));
    fail(&breaker);
    clock.advance(WAIT);
    std::mem::forget(permit(&breaker));

    clock.advance(WAIT);
    assert_eq!(breaker.state(), State::Open);
    clock.advance(WAIT);
    succeed(&breaker);
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn a_quiet_service_closes_again() {
    let window = Window::last(Duration::from_millis(100)).buckets(10);
    for half_open in [HalfOpen::new().success_threshold(3), HalfOpen::new().max_calls(3).failure_rate(0.5)] {
        let (breaker, clock) = breaker(one_failure_opens().window(window.clone()).half_open(half_open));
        fail(&breaker);
        clock.advance(WAIT);
        let mut calls = 0;
        while !breaker.is_closed() && calls < 10 {
            clock.advance(Duration::from_millis(150));
            succeed(&breaker);
            calls += 1;
        }
        assert!(calls <= 3, "{calls} calls, and {:?}", breaker.state());
    }
}

// ---- more probes than configured under contention -----------------------------------------------

#[test]
fn contention_admits_no_more_probes_than_configured() {
    const PROBES: usize = 3;
    const THREADS: usize = 8;
    let half_open = HalfOpen::new().max_calls(PROBES as u32).success_threshold(PROBES as u32);
    let (breaker, clock) = breaker(one_failure_opens().half_open(half_open));
    for _ in 0..200 {
        fail(&breaker);
        clock.advance(WAIT);
        let start = Barrier::new(THREADS);
        let held: Mutex<Vec<OwnedPermit>> = Mutex::default();
        thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    start.wait();
                    for _ in 0..20 {
                        if let Ok(permit) = breaker.try_acquire_owned() {
                            held.lock().unwrap().push(permit);
                        }
                    }
                });
            }
        });
        let held = held.into_inner().unwrap();
        assert_eq!(held.len(), PROBES, "no more, and none lost");
        held.into_iter().for_each(OwnedPermit::success);
        assert_eq!(breaker.state(), State::Closed);
    }
}

#[test]
fn no_more_probes_than_configured_are_in_flight() {
    const PROBES: usize = 3;
    let half_open =
        HalfOpen::new().max_calls(PROBES as u32).success_threshold(u32::MAX).probe_timeout(Duration::MAX);
    let (breaker, clock) = breaker(one_failure_opens().half_open(half_open));
    fail(&breaker);
    clock.advance(WAIT);
    let (out, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|scope| {
        for number in 0..8_usize {
            let (breaker, out, most) = (&breaker, &out, &most);
            scope.spawn(move || {
                for turn in 0..2_000 {
                    let Ok(permit) = breaker.try_acquire() else { continue };
                    most.fetch_max(out.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    out.fetch_sub(1, Ordering::SeqCst);
                    match (number + turn) % 3 {
                        0 => permit.success(),
                        1 => permit.ignore(),
                        _ => drop(permit),
                    }
                }
            });
        }
    });
    assert!(most.load(Ordering::SeqCst) <= PROBES, "{most:?} probes at once");
    assert_eq!(breaker.state(), State::HalfOpen);
    let after: Vec<OwnedPermit> = std::iter::from_fn(|| breaker.try_acquire_owned().ok()).take(10).collect();
    assert_eq!(after.len(), PROBES, "every slot came back");
}

#[test]
fn every_permit_is_counted_once_whatever_threads_do() {
    let (breaker, clock) = breaker(one_failure_opens().open_duration(Duration::from_millis(1)));
    let (permitted, rejected) = (AtomicU64::new(0), AtomicU64::new(0));
    thread::scope(|scope| {
        for number in 0..8_usize {
            let (breaker, clock, permitted, rejected) = (&breaker, &clock, &permitted, &rejected);
            scope.spawn(move || {
                for turn in 0..2_000_usize {
                    match breaker.try_acquire() {
                        Ok(permit) => {
                            permitted.fetch_add(1, Ordering::Relaxed);
                            match (number * 7 + turn) % 11 {
                                0 => permit.failure(),
                                1 => permit.ignore(),
                                2 => drop(permit),
                                _ => permit.success(),
                            }
                        }
                        Err(_) => {
                            rejected.fetch_add(1, Ordering::Relaxed);
                            clock.advance(Duration::from_micros(300));
                        }
                    }
                    match turn {
                        500 => breaker.reset(),
                        1_000 => breaker.metrics_only(),
                        1_100 => breaker.force_closed(),
                        _ => {}
                    }
                }
            });
        }
    });
    let totals = breaker.snapshot().totals;
    let ended = totals.successes + totals.failures + totals.ignored + totals.abandoned + totals.late;
    assert_eq!(ended, permitted.load(Ordering::Relaxed));
    assert_eq!(totals.calls(), ended);
    assert_eq!(totals.rejected, rejected.load(Ordering::Relaxed));
}

#[test]
fn one_outage_is_one_transition_and_one_event() {
    let (breaker, clock) = breaker(one_failure_opens());
    let changes: Arc<Mutex<Vec<(u64, State, State)>>> = Arc::default();
    let heard = Arc::clone(&changes);
    let _subscription = breaker.on_event(move |_, event| {
        if let Event::StateChanged(change) = event {
            heard.lock().unwrap().push((change.sequence, change.from, change.to));
        }
    });
    const ROUNDS: usize = 200;
    for _ in 0..ROUNDS {
        let start = Barrier::new(8);
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let permit = permit(&breaker);
                    start.wait();
                    permit.failure();
                });
            }
        });
        clock.advance(WAIT);
        succeed(&breaker);
    }
    let changes = changes.lock().unwrap();
    let round =
        [(State::Closed, State::Open), (State::Open, State::HalfOpen), (State::HalfOpen, State::Closed)];
    let expected: Vec<_> = round.into_iter().cycle().take(3 * ROUNDS).collect();
    assert_eq!(changes.iter().map(|&(_, from, to)| (from, to)).collect::<Vec<_>>(), expected);
    assert!(changes.windows(2).all(|pair| pair[0].0 + 1 == pair[1].0), "sequences grow by one");
}

// ---- listeners ----------------------------------------------------------------------------------

#[test]
fn a_panicking_listener_is_caught_and_counted() {
    let (breaker, clock) = breaker(one_failure_opens());
    let heard = Arc::new(AtomicUsize::new(0));
    let _first = breaker.on_event(|_, _| std::panic::resume_unwind(Box::new("a listener's own trouble")));
    let count = Arc::clone(&heard);
    let _second = breaker.on_event(move |_, _| {
        count.fetch_add(1, Ordering::Relaxed);
    });

    fail(&breaker);
    assert!(breaker.try_acquire().is_err());
    clock.advance(WAIT);
    succeed(&breaker);

    assert_eq!(breaker.state(), State::Closed);
    assert_eq!(heard.load(Ordering::Relaxed), 4, "opened, rejected, half-open, closed");
    assert_eq!(breaker.snapshot().totals.panics, 4);
}

#[test]
fn a_listener_may_call_the_breaker() {
    let (breaker, _clock) = breaker(one_failure_opens());
    let states: Arc<Mutex<Vec<State>>> = Arc::default();
    let heard = Arc::clone(&states);
    let _subscription = breaker.on_event(move |breaker, event| {
        let Event::StateChanged(change) = event else { return };
        heard.lock().unwrap().push(change.to);
        let _ = (breaker.state(), breaker.snapshot(), breaker.check().is_ok());
        match change.to {
            State::Open => breaker.force_closed(),
            State::Closed if heard.lock().unwrap().len() < 4 => {
                let permit = breaker.try_acquire().expect("it is closed");
                permit.failure();
            }
            _ => {}
        }
    });

    fail(&breaker);

    assert_eq!(*states.lock().unwrap(), [State::Open, State::Closed, State::Open, State::Closed]);
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn a_listener_may_change_the_list_in_its_own_call() {
    let (breaker, _clock) = breaker(one_failure_opens());
    let own: Arc<Mutex<Option<halfopen::Subscription>>> = Arc::default();
    let (slot, calls) = (Arc::clone(&own), Arc::new(AtomicUsize::new(0)));
    let count = Arc::clone(&calls);
    let subscription = breaker.on_event(move |breaker, _| {
        count.fetch_add(1, Ordering::Relaxed);
        drop(slot.lock().unwrap().take());
        breaker.on_event(|_, _| {}).forget();
    });
    *own.lock().unwrap() = Some(subscription);

    fail(&breaker);
    breaker.reset();

    assert_eq!(calls.load(Ordering::Relaxed), 1, "no new call begins after the drop");
}

#[test]
fn a_slow_listener_holds_up_no_call() {
    let (breaker, clock) = breaker(one_failure_opens());
    let (entered, is_entered) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let released = Mutex::new(released);
    let changes: Arc<Mutex<Vec<State>>> = Arc::default();
    let (slow, quick) = (Arc::clone(&changes), Arc::new(AtomicUsize::new(0)));
    let _slow = breaker.on_event(move |_, event| {
        let Event::StateChanged(change) = event else { return };
        slow.lock().unwrap().push(change.to);
        if change.to == State::Open {
            entered.send(()).unwrap();
            released.lock().unwrap().recv().unwrap();
        }
    });
    let rejections = Arc::clone(&quick);
    let _quick = breaker.on_event(move |_, event| {
        if let Event::Rejected(_) = event {
            rejections.fetch_add(1, Ordering::Relaxed);
        }
    });
    thread::scope(|scope| {
        let opener = scope.spawn(|| fail(&breaker));
        is_entered.recv().unwrap();

        assert_eq!(breaker.state(), State::Open, "the change is made before it is told");
        for _ in 0..100 {
            assert_eq!(reason(&breaker), RejectReason::Open);
        }
        assert_eq!(quick.load(Ordering::Relaxed), 100, "rejections wait for nobody");
        clock.advance(WAIT);
        succeed(&breaker);
        assert_eq!(breaker.state(), State::Closed);
        assert_eq!(changes.lock().unwrap().len(), 1, "the later changes wait in the queue");

        release.send(()).unwrap();
        opener.join().unwrap();
    });
    assert_eq!(*changes.lock().unwrap(), [State::Open, State::HalfOpen, State::Closed]);
}

#[test]
fn a_listener_that_panics_on_drop_stops_no_other() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            std::panic::resume_unwind(Box::new("a listener's own trouble"));
        }
    }
    let (breaker, clock) = breaker(one_failure_opens());
    let own: Arc<Mutex<Option<halfopen::Subscription>>> = Arc::default();
    let (slot, bomb) = (Arc::clone(&own), Bomb);
    let subscription = breaker.on_event(move |_, _| {
        let _part_of_the_listener = &bomb;
        drop(slot.lock().unwrap().take());
    });
    *own.lock().unwrap() = Some(subscription);
    let heard = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&heard);
    let _other = breaker.on_event(move |_, _| {
        count.fetch_add(1, Ordering::Relaxed);
    });

    fail(&breaker);
    clock.advance(WAIT);
    succeed(&breaker);

    assert_eq!(heard.load(Ordering::Relaxed), 3, "opened, half-open, closed");
    assert_eq!(breaker.snapshot().totals.panics, 1);
}

// ---- helpers ------------------------------------------------------------------------------------

fn failures_until_open(healthy: u32) -> u32 {
    let (breaker, _clock) = breaker(rate_over(Window::last_calls(100)));
    (0..healthy).for_each(|_| succeed(&breaker));
    let mut failures = 0;
    while breaker.is_closed() {
        fail(&breaker);
        failures += 1;
    }
    failures
}

fn rate_over(window: Window) -> CircuitBreakerConfigBuilder {
    CircuitBreakerConfig::builder().trip(Trip::failure_rate(0.5).minimum_calls(5)).window(window)
}

fn one_failure_opens() -> CircuitBreakerConfigBuilder {
    CircuitBreakerConfig::builder()
        .trip(Trip::consecutive_failures(1))
        .open_duration(WAIT)
        .backoff(halfopen::Backoff::none())
}

fn breaker(config: CircuitBreakerConfigBuilder) -> (CircuitBreaker, ManualClock) {
    test_support::breaker::clocked("peers", config.build().expect("a valid config"))
}

fn permit(breaker: &CircuitBreaker) -> OwnedPermit {
    breaker.try_acquire_owned().expect("admitted")
}

fn succeed(breaker: &CircuitBreaker) {
    permit(breaker).success();
}

fn fail(breaker: &CircuitBreaker) {
    permit(breaker).failure();
}

fn reason(breaker: &CircuitBreaker) -> RejectReason {
    breaker.try_acquire().expect_err("rejected").reason()
}
