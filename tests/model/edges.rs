//! Numbers at the limits of their ranges, exact thresholds, jitter, and user code that panics, which random
//! histories of small numbers do not reach.

#![allow(
    clippy::clone_on_copy,
    reason = "whether a part of a configuration is Copy is no promise of the API"
)]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use halfopen::{
    Abandoned, Backoff, CircuitBreaker, CircuitBreakerConfig, CircuitBreakerConfigBuilder, Clock, Event,
    HalfOpen, ManualClock, State, Trip, Window,
};
use test_support::breaker::{clocked, on_manual_clock};

const SECOND: Duration = Duration::from_secs(1);

// ---- S8: thresholds are exact -------------------------------------------------------------------

#[test]
fn k_of_n_calls_reach_the_threshold_k_over_n() {
    for n in 1..=60_u32 {
        for k in 1..=n {
            let threshold = f64::from(k) / f64::from(n);
            let trip = Trip::failure_rate(threshold).minimum_calls(n);
            let (breaker, _) = build(no_wait().trip(trip).window(Window::last_calls(n)));
            (0..n - k + 1).for_each(|_| succeed(&breaker));
            (0..k - 1).for_each(|_| fail(&breaker));
            assert!(breaker.is_closed(), "{} of {n} at {threshold}", k - 1);
            if k < n {
                fail(&breaker);
                assert!(!breaker.is_closed(), "{k} of {n} at {threshold}: the oldest success has left");
            }
        }
    }
}

#[test]
fn the_rate_of_a_half_open_visit_is_exact_too() {
    for n in 1..=30_u32 {
        for k in 1..=n {
            let threshold = f64::from(k) / f64::from(n);
            let half_open = HalfOpen::new().max_calls(n).failure_rate(threshold);
            for (failures, state) in [(k, State::Open), (k - 1, State::Closed)] {
                let (breaker, clock) = build(no_wait().open_duration(SECOND).half_open(half_open.clone()));
                breaker.trip();
                clock.advance(SECOND);
                let probes: Vec<_> = (0..n).map(|_| breaker.try_acquire_owned().unwrap()).collect();
                for (number, probe) in (0_u32..).zip(probes) {
                    if number < failures { probe.failure() } else { probe.success() }
                }
                assert_eq!(breaker.state(), state, "{failures} of {n} at {threshold}");
            }
        }
    }
}

#[test]
fn u32_max_means_never() {
    let never = CircuitBreakerConfig::builder()
        .trip(Trip::consecutive_failures(u32::MAX))
        .trip(Trip::failure_count(u32::MAX))
        .trip(Trip::failure_rate(0.5).minimum_calls(u32::MAX))
        .window(Window::unbounded());
    let (breaker, _) = build(never);
    (0..10_000).for_each(|_| fail(&breaker));
    assert!(breaker.is_closed());
    assert_eq!(breaker.snapshot().counts.consecutive_failures, 10_000);
}

// ---- S20, S26: durations at their ends ----------------------------------------------------------

#[test]
fn waits_without_end_saturate() {
    let endless = CircuitBreakerConfig::builder()
        .trip(Trip::consecutive_failures(1))
        .open_duration(Duration::MAX)
        .backoff(Backoff::exponential(1_000.0).max(Duration::MAX).jitter(0.5))
        .half_open(HalfOpen::new().probe_timeout(Duration::MAX))
        .hint_max(Duration::MAX)
        .abandoned(Abandoned::FailureAfter(Duration::MAX))
        .window(Window::last(Duration::MAX).buckets(1_000));
    let (breaker, clock) = build(endless);
    clock.advance(Duration::from_secs(1 << 32));
    let permit = breaker.try_acquire().unwrap();
    permit.failure_with_hint(Duration::MAX);
    assert_eq!(breaker.state(), State::Open);
    clock.advance(Duration::from_secs(1 << 33));
    assert_eq!(breaker.state(), State::Open);
    assert!(breaker.try_acquire().unwrap_err().retry_after().unwrap() > Duration::from_secs(1 << 32));
    breaker.open_for(Duration::MAX);
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn a_clock_at_its_end_stops_nothing() {
    let (breaker, clock) = build(no_wait().open_duration(SECOND).window(Window::last(SECOND).buckets(1_000)));
    clock.set(Duration::MAX);
    (0..5).for_each(|_| fail(&breaker));
    assert!(!breaker.is_closed());
    clock.advance(Duration::MAX);
    let _ = (breaker.snapshot(), breaker.check());
    breaker.reset();
    succeed(&breaker);
    assert_eq!(breaker.snapshot().counts.calls, 1);
}

#[test]
fn the_shortest_window_still_forgets() {
    let (breaker, clock) =
        build(no_wait().no_trip_rules().window(Window::last(Duration::from_nanos(10)).buckets(10)));
    (0..5).for_each(|_| fail(&breaker));
    assert_eq!(breaker.snapshot().counts.calls, 5);
    clock.advance(Duration::from_nanos(10));
    assert_eq!(breaker.snapshot().counts.calls, 0);
}

#[test]
fn a_time_window_forgets_after_its_duration() {
    for (duration, buckets) in [(1_000_000_007, 10), (1_000, 7), (10, 3), (999_999_937, 1_000)] {
        let window = Window::last(Duration::from_nanos(duration)).buckets(buckets);
        let (breaker, clock) = build(no_wait().no_trip_rules().window(window));
        fail(&breaker);
        let bucket = duration / u64::from(buckets);
        clock.advance(Duration::from_nanos(bucket * u64::from(buckets - 1)));
        assert_eq!(breaker.snapshot().counts.calls, 1, "{duration} ns in {buckets}: the last of its buckets");
        clock.set(Duration::from_nanos(duration));
        assert_eq!(breaker.snapshot().counts.calls, 0, "{duration} ns in {buckets}: over");
    }
}

#[test]
fn a_long_idle_time_is_crossed_at_once() {
    let (breaker, clock) =
        build(no_wait().no_trip_rules().window(Window::last(Duration::from_nanos(1_000)).buckets(1_000)));
    fail(&breaker);
    clock.advance(Duration::from_secs(10 * 365 * 24 * 3_600));
    fail(&breaker);
    assert_eq!(breaker.snapshot().counts.calls, 1);
    assert_eq!(breaker.snapshot().counts.consecutive_failures, 2);
}

// ---- S20, S24: jitter ---------------------------------------------------------------------------

#[test]
fn jitter_stays_within_its_fraction_and_the_maximum() {
    let max = Duration::from_millis(1_100);
    let mut waits = Vec::new();
    for seed in 0..200 {
        let breaker = jittered(seed, max).0;
        breaker.trip();
        let wait = breaker.snapshot().open_duration;
        assert!((Duration::from_millis(800)..=max).contains(&wait), "{wait:?}");
        assert_eq!(breaker.snapshot().retry_after, Some(wait));
        waits.push(wait);
    }
    waits.sort();
    assert!(waits[20] < Duration::from_millis(900), "some are short: {:?}", waits[20]);
    assert!(waits[180] > Duration::from_millis(1_050), "some are long: {:?}", waits[180]);
    waits.dedup();
    assert!(waits.len() > 90, "only {} waits of 200 differ", waits.len());
}

#[test]
fn the_same_seed_gives_the_same_waits() {
    for seed in 0..50 {
        let (one, other) = (jittered(seed, 60 * SECOND), jittered(seed, 60 * SECOND));
        for _ in 0..5 {
            one.0.trip();
            other.0.trip();
            assert_eq!(one.0.snapshot().open_duration, other.0.snapshot().open_duration);
            one.1.advance(100 * SECOND);
            other.1.advance(100 * SECOND);
        }
    }
}

#[test]
fn the_next_wait_that_is_shown_is_the_one_that_comes() {
    let (breaker, clock) = jittered(7, 60 * SECOND);
    for _ in 0..20 {
        let announced = breaker.snapshot().open_duration;
        fail(&breaker);
        assert_eq!(breaker.snapshot().open_duration, announced);
        clock.advance(announced);
        assert_eq!(breaker.state(), State::HalfOpen);
    }
}

#[test]
fn all_readers_compute_the_same_probe_deadline() {
    for seed in 0..50 {
        let (breaker, clock) = jittered(seed, 60 * SECOND);
        breaker.trip();
        clock.advance(2 * SECOND);
        let probe = breaker.try_acquire_owned().unwrap();
        clock.advance(SECOND);
        let seen = breaker.snapshot();
        assert_eq!(seen.state, State::Open);
        let wait = seen.open_duration;
        assert_eq!(seen.retry_after, Some(wait), "dated at the instant the probe's time was over");

        clock.advance(Duration::from_nanos(1));
        let rejected = breaker.try_acquire().unwrap_err();
        assert_eq!(rejected.retry_after(), Some(wait - Duration::from_nanos(1)));
        assert_eq!(breaker.snapshot().open_duration, wait, "what was seen is what was made");
        drop(probe);
        assert_eq!(breaker.snapshot().totals.late, 1);
    }
}

#[test]
fn what_a_check_says_is_what_the_admission_says() {
    let (breaker, clock) = jittered(7, 60 * SECOND);
    fail(&breaker);
    assert_eq!(said_by_check(&breaker), said_by_admission(&breaker));
    clock.advance(2 * SECOND);
    let _probe = breaker.try_acquire_owned().unwrap();
    assert_eq!(said_by_check(&breaker), said_by_admission(&breaker));
    clock.advance(SECOND);
    // The probe has timed out: the breaker is open again, for a different reason than before.
    assert_eq!(said_by_check(&breaker), said_by_admission(&breaker));
    breaker.force_open();
    assert_eq!(said_by_check(&breaker), said_by_admission(&breaker));
}

fn said_by_check(breaker: &CircuitBreaker) -> String {
    breaker.check().expect_err("rejected").to_string()
}

fn said_by_admission(breaker: &CircuitBreaker) -> String {
    breaker.try_acquire().expect_err("rejected").to_string()
}

#[test]
fn a_hint_is_held_against_the_jittered_wait() {
    for seed in 0..50 {
        let (breaker, _) = jittered(seed, 60 * SECOND);
        let wait = breaker.snapshot().open_duration;
        breaker.try_acquire().unwrap().failure_with_hint(SECOND);
        assert_eq!(breaker.snapshot().open_duration, wait.max(SECOND));
    }
}

// ---- user code ----------------------------------------------------------------------------------

#[test]
fn a_panicking_rule_is_false_and_counted() {
    let (clock, _hands) = Clock::manual();
    let breaker = CircuitBreaker::builder("edges")
        .config(no_wait().no_trip_rules().build().unwrap())
        .clock(clock)
        .ready_to_trip(|counts| match counts.calls {
            3 => true,
            _ => std::panic::resume_unwind(Box::new("a rule's own trouble")),
        })
        .build();
    (0..2).for_each(|_| succeed(&breaker));
    assert!(breaker.is_closed());
    assert_eq!(breaker.snapshot().totals.panics, 2);
    succeed(&breaker);
    assert!(!breaker.is_closed());
}

#[test]
fn a_permit_dropped_by_a_panic_is_a_failure() {
    let (breaker, _) = build(no_wait().no_trip_rules());
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _permit = breaker.try_acquire().unwrap();
        std::panic::resume_unwind(Box::new("the call's own trouble"));
    }));
    assert!(caught.is_err());
    assert_eq!(breaker.snapshot().totals.failures, 1);
    assert_eq!(breaker.snapshot().totals.abandoned, 0);
}

// ---- the builder --------------------------------------------------------------------------------

#[test]
fn a_breaker_starts_in_the_state_it_was_given() {
    for state in
        [State::Closed, State::Open, State::HalfOpen, State::ForcedOpen, State::Disabled, State::MetricsOnly]
    {
        let config = no_wait().open_duration(SECOND).build().unwrap();
        let (breaker, _hands) =
            on_manual_clock(CircuitBreaker::builder("edges").config(config).start_in(state));
        assert_eq!(breaker.state(), state);
    }
}

#[test]
fn a_subscriber_hears_nothing_after_it_left() {
    let (breaker, _) = build(no_wait().open_duration(SECOND));
    breaker.force_open();
    let heard: Arc<Mutex<Vec<State>>> = Arc::default();
    let states = Arc::clone(&heard);
    let subscription = breaker.on_event(move |_, event| {
        if let Event::StateChanged(change) = event {
            states.lock().unwrap().push(change.to);
        }
    });
    breaker.reset();
    breaker.trip();
    drop(subscription);
    breaker.reset();
    assert_eq!(*heard.lock().unwrap(), [State::Closed, State::Open]);
}

// ---- helpers ------------------------------------------------------------------------------------

fn jittered(seed: u64, max: Duration) -> (CircuitBreaker, ManualClock) {
    let config = CircuitBreakerConfig::builder()
        .trip(Trip::consecutive_failures(1))
        .open_duration(SECOND)
        .backoff(Backoff::exponential(1.0).max(max).jitter(0.2))
        .half_open(HalfOpen::new().probe_timeout(SECOND))
        .build()
        .expect("a valid config");
    on_manual_clock(CircuitBreaker::builder("edges").config(config).seed(seed))
}

fn no_wait() -> CircuitBreakerConfigBuilder {
    CircuitBreakerConfig::builder().backoff(Backoff::none())
}

fn build(config: CircuitBreakerConfigBuilder) -> (CircuitBreaker, ManualClock) {
    clocked("edges", config.build().expect("a valid config"))
}

fn succeed(breaker: &CircuitBreaker) {
    breaker.try_acquire().expect("admitted").success();
}

fn fail(breaker: &CircuitBreaker) {
    breaker.try_acquire().expect("admitted").failure();
}
