//! Converts a vector's configuration to ours.

use std::time::Duration;

use halfopen::{Backoff, CircuitBreakerConfig, HalfOpen, Trip, Window};

use crate::vector;

pub(crate) fn config_of(config: &vector::Config) -> CircuitBreakerConfig {
    let mut builder = CircuitBreakerConfig::builder()
        .window(window_of(config.window.as_ref()))
        .half_open(half_open_of(config.half_open.as_ref()))
        .backoff(backoff_of(&config.open))
        .open_duration(Duration::from_millis(config.open.wait_ms.unwrap_or(0)));
    if config.trip.is_empty() {
        builder = builder.no_trip_rules();
    }
    for trip in &config.trip {
        builder = builder.trip(trip_of(trip, config.window.as_ref()));
    }
    builder.build().expect("a vector's config is valid")
}

fn trip_of(trip: &vector::Trip, window: Option<&vector::Window>) -> Trip {
    match *trip {
        vector::Trip::Consecutive { failures } => Trip::consecutive_failures(failures),
        vector::Trip::FailureCount { failures } => Trip::failure_count(failures),
        vector::Trip::FailureRate { threshold, minimum_calls } => {
            Trip::failure_rate(threshold).minimum_calls(minimum(minimum_calls, window))
        }
        vector::Trip::SlowCallRate { threshold, slow_after_ms, minimum_calls } => {
            Trip::slow_call_rate(threshold, Duration::from_millis(slow_after_ms))
                .minimum_calls(minimum(minimum_calls, window))
        }
    }
}

fn minimum(written: Option<u32>, window: Option<&vector::Window>) -> u32 {
    let minimum = written.unwrap_or(1).max(1);
    match window {
        Some(&vector::Window::Count { size }) => minimum.min(size),
        Some(vector::Window::Time { .. } | vector::Window::Tumbling { .. }) | None => minimum,
    }
}

fn window_of(window: Option<&vector::Window>) -> Window {
    match window {
        None => Window::unbounded(),
        Some(&vector::Window::Count { size }) => Window::last_calls(size),
        Some(&vector::Window::Tumbling { interval_ms }) => {
            Window::tumbling(Duration::from_millis(interval_ms))
        }
        Some(&vector::Window::Time { duration_ms, buckets }) => {
            Window::last(Duration::from_millis(duration_ms)).buckets(buckets)
        }
    }
}

fn backoff_of(open: &vector::Open) -> Backoff {
    match (&open.delays_ms, &open.backoff) {
        (Some(delays), _) => Backoff::delays(delays.iter().copied().map(Duration::from_millis)),
        (None, Some(backoff)) => Backoff::exponential(backoff.multiplier)
            .max(Duration::from_millis(backoff.max_ms))
            .jitter(backoff.jitter),
        (None, None) => Backoff::none(),
    }
}

fn half_open_of(half_open: Option<&vector::HalfOpen>) -> HalfOpen {
    let Some(half_open) = half_open else {
        return HalfOpen::new().probe_timeout(Duration::MAX);
    };
    let limit = half_open.max_wait_ms.map_or(Duration::MAX, Duration::from_millis);
    let policy = HalfOpen::new().max_calls(half_open.max_calls).probe_timeout(limit);
    if let Some(rate) = half_open.failure_rate {
        return policy.failure_rate(rate);
    }
    let threshold = half_open.success_threshold.unwrap_or(1);
    let tolerated = match half_open.any_failure_reopens.unwrap_or(true) {
        true => 0,
        false => half_open.max_calls.saturating_sub(threshold),
    };
    policy.success_threshold(threshold).max_failures(tolerated)
}
