//! Invariants under every interleaving of threads: exact sums, no impossible rate, and no outcome in a later
//! window.

#![allow(
    clippy::clone_on_copy,
    reason = "whether a part of a configuration is Copy is no promise of the API"
)]

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::Duration;

use halfopen::{
    CircuitBreaker, CircuitBreakerConfig, Event, ManualClock, Outcome, OwnedPermit, Snapshot, Trip, Window,
};

const THREADS: usize = 6;
const TURNS: usize = 1_500;
const MS: Duration = Duration::from_millis(1);

/// Windows that lose no sample while the clock is stopped.
fn windows_that_keep_all() -> [Window; 4] {
    [
        Window::unbounded(),
        Window::last(10 * MS).buckets(10),
        Window::last(MS).buckets(1),
        Window::tumbling(10 * MS),
    ]
}

#[test]
fn no_outcome_is_lost_or_doubled() {
    for window in windows_that_keep_all() {
        let (breaker, _clock) = breaker(window.clone());
        in_threads(|number| {
            for turn in 0..TURNS {
                let permit = breaker.try_acquire().unwrap();
                match (number + turn) % 7 {
                    0 => permit.failure(),
                    1 => permit.record_after(Outcome::Success, 60 * MS),
                    2 => permit.record_after(Outcome::Failure, 60 * MS),
                    3 => drop(permit),
                    _ => permit.success(),
                }
            }
        });
        let expected = |kinds: &[usize]| {
            let turns = (0..THREADS).flat_map(|number| (0..TURNS).map(move |turn| (number + turn) % 7));
            turns.filter(|kind| kinds.contains(kind)).count() as u64
        };
        let Snapshot { counts, totals, .. } = breaker.snapshot();
        assert_eq!(counts.failures, expected(&[0, 2]), "{window:?}");
        assert_eq!(counts.successes, expected(&[1, 4, 5, 6]), "{window:?}");
        assert_eq!(counts.slow, expected(&[1, 2]), "{window:?}");
        assert_eq!((totals.failures, totals.successes), (counts.failures, counts.successes), "{window:?}");
        assert_eq!((totals.slow, totals.abandoned), (counts.slow, expected(&[3])), "{window:?}");
    }
}

#[test]
fn a_count_window_forgets_what_has_slid_out() {
    for size in [1, 7, 8, 9, 64, 100] {
        let (breaker, _clock) = breaker(Window::last_calls(size));
        in_threads(|number| {
            for turn in 0..TURNS {
                let permit = breaker.try_acquire().unwrap();
                if (number + turn) % 3 == 0 {
                    permit.failure();
                } else {
                    permit.success();
                }
                assert!(breaker.snapshot().counts.calls <= u64::from(size));
            }
        });
        assert_eq!(breaker.snapshot().counts.calls, u64::from(size));
        for left in (0..size).rev() {
            breaker.try_acquire().unwrap().success();
            assert!(breaker.snapshot().counts.failures <= u64::from(left), "of {size}, {left} are old");
        }
        for held in 1..=size {
            breaker.try_acquire().unwrap().failure();
            assert_eq!(breaker.snapshot().counts.failures, u64::from(held), "of {size}");
        }
    }
}

#[test]
fn counts_read_during_recording_exceed_no_real_ones() {
    for window in windows_that_keep_all() {
        let (breaker, _clock) = breaker(window.clone());
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            let reader = scope.spawn(|| {
                let mut last = 0;
                while !done.load(Ordering::Acquire) {
                    let counts = breaker.snapshot().counts;
                    assert_eq!(counts.calls, counts.successes + counts.failures);
                    assert!(counts.failures <= counts.successes, "{window:?}: {counts:?}");
                    assert!(counts.calls >= last, "{window:?}: {} calls after {last}", counts.calls);
                    last = counts.calls;
                }
            });
            in_threads(|_| {
                for _ in 0..TURNS {
                    // Each thread's failures follow its successes, so a failure must not be visible before
                    // them.
                    breaker.try_acquire().unwrap().success();
                    breaker.try_acquire().unwrap().failure();
                }
            });
            done.store(true, Ordering::Release);
            reader.join().unwrap();
        });
    }
}

#[test]
fn a_rule_never_fires_on_counts_that_never_were() {
    // Every failure follows a success of its own thread: the rate never exceeds one half.
    for window in windows_that_keep_all() {
        let (breaker, _clock) = tripping(window.clone(), Trip::failure_rate(0.500_000_1).minimum_calls(1));
        in_threads(|_| {
            for _ in 0..TURNS {
                breaker.try_acquire().unwrap().success();
                breaker.try_acquire().unwrap().failure();
            }
        });
        assert!(breaker.is_closed(), "{window:?}: {:?}", breaker.snapshot());
    }
}

#[test]
fn an_outcome_beside_a_reset_is_in_no_later_window() {
    let mut windows = windows_that_keep_all().to_vec();
    windows.extend([Window::last_calls(8), Window::last_calls(100)]);
    for window in windows {
        let (breaker, _clock) = breaker(window.clone());
        for round in 0..150 {
            let start = Barrier::new(THREADS + 1);
            thread::scope(|scope| {
                for number in 0..THREADS {
                    let permits: Vec<OwnedPermit> =
                        (0..4).map(|_| breaker.try_acquire_owned().unwrap()).collect();
                    let start = &start;
                    scope.spawn(move || {
                        start.wait();
                        for (turn, permit) in permits.into_iter().enumerate() {
                            if (number + turn + round) % 4 == 0 { permit.failure() } else { permit.success() }
                        }
                    });
                }
                start.wait();
                breaker.reset();
            });
            let counts = breaker.snapshot().counts;
            assert_eq!(counts.calls, 0, "{window:?}: {counts:?}");
            assert_eq!((counts.consecutive_failures, counts.consecutive_successes), (0, 0), "{window:?}");
        }
        let totals = breaker.snapshot().totals;
        assert_eq!(
            totals.successes + totals.failures + totals.late,
            (150 * THREADS * 4) as u64,
            "{window:?}"
        );
    }
}

#[test]
fn a_new_configuration_loses_no_running_call() {
    let (breaker, _clock) = breaker(Window::last(10 * MS).buckets(10));
    let (rules, other) =
        (breaker.config(), config(Window::last(10 * MS).buckets(10), Trip::failure_count(u32::MAX)));
    in_threads(|number| {
        for turn in 0..TURNS {
            let permit = breaker.try_acquire().unwrap();
            if (number + turn) % 5 == 0 {
                permit.failure();
            } else {
                permit.success();
            }
            if number == 0 && turn % 50 == 0 {
                breaker.set_config(if turn % 100 == 0 { other.clone() } else { rules.clone() });
            }
        }
    });
    let Snapshot { counts, totals, .. } = breaker.snapshot();
    assert_eq!(counts.calls, (THREADS * TURNS) as u64);
    assert_eq!((counts.successes, counts.failures), (totals.successes, totals.failures));
}

#[test]
fn buckets_that_roll_under_threads_lose_nothing() {
    let (breaker, clock) = breaker(Window::last(10 * MS).buckets(10));
    in_threads(|number| {
        for turn in 0..TURNS {
            let permit = breaker.try_acquire().unwrap();
            if (number + turn) % 5 == 0 {
                permit.failure();
            } else {
                permit.success();
            }
            if turn % 40 == 0 {
                clock.advance(MS);
            }
        }
    });
    let Snapshot { counts, totals, .. } = breaker.snapshot();
    assert_eq!(totals.successes + totals.failures, (THREADS * TURNS) as u64);
    assert!(counts.calls <= totals.successes + totals.failures);
    clock.advance(10 * MS);
    assert_eq!(breaker.snapshot().counts.calls, 0);
    breaker.try_acquire().unwrap().failure();
    assert_eq!(breaker.snapshot().counts.calls, 1);
}

#[test]
fn a_trip_under_threads_needs_no_more_failures() {
    // Every outcome is a failure: the breaker must be open once the rule's number of failures has been
    // recorded.
    for trip in
        [Trip::consecutive_failures(50), Trip::failure_count(50), Trip::failure_rate(1.0).minimum_calls(50)]
    {
        for window in [Window::last_calls(64), Window::last(10 * MS).buckets(10), Window::unbounded()] {
            let (breaker, _clock) = tripping(window, trip.clone());
            let permits: Vec<OwnedPermit> = (0..50).map(|_| breaker.try_acquire_owned().unwrap()).collect();
            let permits = Mutex::new(permits);
            in_threads(|_| {
                loop {
                    let Some(permit) = permits.lock().unwrap().pop() else { return };
                    permit.failure();
                }
            });
            assert!(breaker.is_open(), "{:?}", breaker.snapshot());
            assert_eq!(breaker.snapshot().totals.failures, 50);
            assert_eq!(breaker.snapshot().last_trip.unwrap().counts.failures, 50);
        }
    }
}

#[test]
fn the_outcome_that_reaches_the_minimum_trips() {
    let rate = Trip::failure_rate(0.5).minimum_calls(20);
    for window in [
        Window::last_calls(20),
        Window::last_calls(64),
        Window::last(10 * MS).buckets(10),
        Window::tumbling(10 * MS),
        Window::unbounded(),
    ] {
        let (breaker, _clock) = tripping(window.clone(), rate.clone());
        for round in 0..100 {
            let permits: Vec<(usize, OwnedPermit)> =
                (0..20).map(|_| breaker.try_acquire_owned().expect("closed")).enumerate().collect();
            let permits = Mutex::new(permits);
            in_threads(|_| {
                loop {
                    let Some((number, permit)) = permits.lock().unwrap().pop() else { return };
                    if (number * 7 + round) % 2 == 0 {
                        permit.failure();
                    } else {
                        permit.success();
                    }
                }
            });
            assert!(breaker.is_open(), "{window:?}, round {round}: {:?}", breaker.snapshot());
            let counts = breaker.snapshot().counts;
            assert_eq!((counts.calls, counts.failures), (20, 10), "{window:?}, round {round}");
            breaker.force_closed();
        }
    }
}

#[test]
fn listeners_receive_changes_in_the_same_order() {
    let (breaker, clock) = tripping(Window::last_calls(10), Trip::consecutive_failures(1));
    let heard: [Arc<Mutex<Vec<u64>>>; 3] = Default::default();
    for ear in &heard {
        let ear = Arc::clone(ear);
        let hear = move |_: &CircuitBreaker, event: &Event| {
            let sequence = match event {
                Event::StateChanged(change) => change.sequence,
                Event::Reset { sequence } | Event::ConfigChanged { sequence } => *sequence,
                Event::WouldTrip { sequence, .. } => *sequence,
                _ => return,
            };
            ear.lock().unwrap().push(sequence);
        };
        breaker.on_event(hear).forget();
    }
    in_threads(|number| {
        for turn in 0..300 {
            match (number + turn) % 6 {
                0 => breaker.reset(),
                1 => breaker.trip(),
                2 => breaker.set_config(breaker.config()),
                3 => clock.advance(MS),
                4 => breaker.metrics_only(),
                _ => {
                    if let Ok(permit) = breaker.try_acquire() {
                        permit.failure();
                    }
                }
            }
        }
    });
    let first = heard[0].lock().unwrap();
    assert!(first.len() > 500);
    assert_eq!(*first, (1..=first.len() as u64).collect::<Vec<_>>(), "each once, in order, none left out");
    assert!(heard.iter().skip(1).all(|ear| *ear.lock().unwrap() == *first));
}

fn in_threads(work: impl Fn(usize) + Sync) {
    let start = Barrier::new(THREADS);
    thread::scope(|scope| {
        for number in 0..THREADS {
            let (work, start) = (&work, &start);
            scope.spawn(move || {
                start.wait();
                work(number);
            });
        }
    });
}

/// Never trips. Has a slow-call rule if the window can hold its minimum of calls, which is never reached.
fn breaker(window: Window) -> (CircuitBreaker, ManualClock) {
    let plain = CircuitBreakerConfig::builder().trip(Trip::failure_count(u32::MAX)).window(window);
    let slow = plain.clone().trip(Trip::slow_call_rate(1.0, 50 * MS).minimum_calls(u32::MAX));
    built(slow.build().or_else(|_| plain.build()).expect("a valid config"))
}

fn tripping(window: Window, trip: Trip) -> (CircuitBreaker, ManualClock) {
    built(config(window, trip))
}

fn config(window: Window, trip: Trip) -> CircuitBreakerConfig {
    CircuitBreakerConfig::builder().trip(trip).window(window).build().expect("a valid config")
}

fn built(config: CircuitBreakerConfig) -> (CircuitBreaker, ManualClock) {
    test_support::breaker::clocked("threads", config)
}
