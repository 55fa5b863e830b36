use std::time::Duration;

use halfopen::{Abandoned, Backoff, CircuitBreakerConfig, HalfOpen, Trip, Window};

use crate::dice::Dice;

/// A configuration of any kind, with waits so short that a breaker goes round many times a second.
pub(crate) fn any(dice: &mut Dice) -> CircuitBreakerConfig {
    let mut builder = CircuitBreakerConfig::builder().no_trip_rules();
    for _ in 0..dice.between(1, 3) {
        builder = builder.trip(rule(dice));
    }
    if dice.one_in(3) {
        builder = builder.trip(slow(dice));
    }
    builder
        .window(window(dice))
        .open_duration(micros(dice, 0, 800))
        .backoff(backoff(dice))
        .hint_max(micros(dice, 1, 3_000))
        .half_open(half_open(dice))
        .abandoned(abandoned(dice))
        .time_calls(dice.one_in(4))
        .build()
        .expect("every choice above lies in its range")
}

/// The same for all, so that what is held in memory can be compared.
pub(crate) fn plain() -> CircuitBreakerConfig {
    CircuitBreakerConfig::default()
}

fn rule(dice: &mut Dice) -> Trip {
    match dice.below(3) {
        0 => Trip::consecutive_failures(dice.between(1, 20) as u32),
        1 => Trip::failure_count(dice.between(1, 60) as u32),
        _ => Trip::failure_rate(dice.of(&[0.1, 0.5, 2.0 / 3.0, 1.0])).minimum_calls(1),
    }
}

fn slow(dice: &mut Dice) -> Trip {
    Trip::slow_call_rate(dice.of(&[0.2, 0.8]), micros(dice, 20, 5_000)).minimum_calls(1)
}

fn window(dice: &mut Dice) -> Window {
    match dice.below(4) {
        0 => Window::last_calls(dice.of(&[1, 7, 8, 64, 1_000])),
        1 => Window::last(micros(dice, 50, 50_000)).buckets(dice.of(&[1, 3, 10])),
        2 => Window::tumbling(micros(dice, 50, 20_000)),
        _ => Window::unbounded(),
    }
}

fn backoff(dice: &mut Dice) -> Backoff {
    let grown = match dice.below(3) {
        0 => Backoff::none(),
        1 => Backoff::exponential(2.0).max(Duration::from_millis(3)),
        _ => Backoff::delays([micros(dice, 1, 500), micros(dice, 1, 2_000)]),
    };
    let grown = if dice.one_in(2) { grown.jitter(0.3) } else { grown };
    if dice.one_in(3) { grown.forget_after(micros(dice, 100, 10_000)) } else { grown }
}

fn half_open(dice: &mut Dice) -> HalfOpen {
    let half_open =
        HalfOpen::new().max_calls(dice.between(1, 5) as u32).probe_timeout(micros(dice, 300, 20_000));
    if dice.one_in(3) {
        return half_open.failure_rate(dice.of(&[0.34, 0.5, 1.0]));
    }
    half_open.success_threshold(dice.between(1, 6) as u32).max_failures(dice.below(3) as u32)
}

fn abandoned(dice: &mut Dice) -> Abandoned {
    match dice.below(3) {
        0 => Abandoned::Ignore,
        1 => Abandoned::Failure,
        _ => Abandoned::FailureAfter(micros(dice, 1, 1_000)),
    }
}

fn micros(dice: &mut Dice, least: u64, most: u64) -> Duration {
    Duration::from_micros(dice.between(least, most))
}
