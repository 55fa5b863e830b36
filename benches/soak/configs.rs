use std::time::Duration;

use halfopen::{Abandoned, Adaptive, Backoff, CircuitBreakerConfig, HalfOpen, Slow, Trip, Window};

use crate::rng::Rng;

/// A configuration of any kind, with waits so short that a breaker cycles through its states many times a
/// second.
pub(crate) fn any(rng: &mut Rng) -> CircuitBreakerConfig {
    if rng.one_in(4) {
        return adaptive(rng);
    }
    let mut builder = CircuitBreakerConfig::builder().no_trip_rules();
    for _ in 0..rng.between(1, 3) {
        builder = builder.trip(rule(rng));
    }
    if rng.one_in(3) {
        builder = builder.trip(slow(rng));
    }
    builder
        .window(window(rng))
        .open_duration(micros(rng, 0, 800))
        .backoff(backoff(rng))
        .hint_max(micros(rng, 1, 3_000))
        .half_open(half_open(rng))
        .abandoned(abandoned(rng))
        .time_calls(rng.one_in(4))
        .build()
        .expect("every choice above lies in its range")
}

fn adaptive(rng: &mut Rng) -> CircuitBreakerConfig {
    let slow = match rng.below(3) {
        0 => Slow::off(),
        1 => Slow::learned(3.0),
        _ => Slow::limit(micros(rng, 1_000, 5_000)),
    };
    CircuitBreakerConfig::builder()
        .adaptive(Adaptive::new().break_even(rng.of(&[0.2, 0.5, 0.8])).slow(slow))
        .hint_max(micros(rng, 1, 3_000))
        .abandoned(abandoned(rng))
        .build()
        .expect("every choice above lies in its range")
}

/// The same for all, so that the memory in use can be compared.
pub(crate) fn plain() -> CircuitBreakerConfig {
    CircuitBreakerConfig::default()
}

fn rule(rng: &mut Rng) -> Trip {
    match rng.below(3) {
        0 => Trip::consecutive_failures(rng.between(1, 20) as u32),
        1 => Trip::failure_count(rng.between(1, 60) as u32),
        _ => Trip::failure_rate(rng.of(&[0.1, 0.5, 2.0 / 3.0, 1.0])).minimum_calls(1),
    }
}

fn slow(rng: &mut Rng) -> Trip {
    Trip::slow_call_rate(rng.of(&[0.2, 0.8]), micros(rng, 20, 5_000)).minimum_calls(1)
}

fn window(rng: &mut Rng) -> Window {
    match rng.below(4) {
        0 => Window::last_calls(rng.of(&[1, 7, 8, 64, 1_000])),
        1 => Window::last(micros(rng, 50, 50_000)).buckets(rng.of(&[1, 3, 10])),
        2 => Window::tumbling(micros(rng, 50, 20_000)),
        _ => Window::unbounded(),
    }
}

fn backoff(rng: &mut Rng) -> Backoff {
    let grown = match rng.below(3) {
        0 => Backoff::none(),
        1 => Backoff::exponential(2.0).max(Duration::from_millis(3)),
        _ => Backoff::delays([micros(rng, 1, 500), micros(rng, 1, 2_000)]),
    };
    let grown = if rng.one_in(2) { grown.jitter(0.3) } else { grown };
    if rng.one_in(3) { grown.forget_after(micros(rng, 100, 10_000)) } else { grown }
}

fn half_open(rng: &mut Rng) -> HalfOpen {
    let half_open =
        HalfOpen::new().max_calls(rng.between(1, 5) as u32).probe_timeout(micros(rng, 300, 20_000));
    if rng.one_in(3) {
        return half_open.failure_rate(rng.of(&[0.34, 0.5, 1.0]));
    }
    half_open.success_threshold(rng.between(1, 6) as u32).max_failures(rng.below(3) as u32)
}

fn abandoned(rng: &mut Rng) -> Abandoned {
    match rng.below(3) {
        0 => Abandoned::Ignore,
        1 => Abandoned::Failure,
        _ => Abandoned::FailureAfter(micros(rng, 1, 1_000)),
    }
}

fn micros(rng: &mut Rng, least: u64, most: u64) -> Duration {
    Duration::from_micros(rng.between(least, most))
}
